//! Where the reader of events leaves them: packed, bounded, never waiting.
//!
//! What a subscriber doesn't read costs the server memory. So the reader always reads; when the engine is too slow,
//! events are dropped here, counted, and reported as lost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::time::Timestamp;
use tokio::sync::Notify;

use crate::context::SessionClock;
use crate::error::SourceError;

/// A batch is handed on when its keys pass this many bytes, or earlier when its time is up.
const BATCH_BYTES: usize = 64 * 1024;
/// What may wait, keys and bookkeeping together. About two seconds of 300,000 events with keys of 20 bytes.
const BOUND_BYTES: usize = 16 * 1024 * 1024;
/// Bookkeeping of one event in a batch.
const EVENT_BYTES: usize = 8;

/// What was in the inbox.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Batches in the server's order, each with the time of its last event.
    pub(super) batches: Vec<(Timestamp, KeyEventBatch)>,
    /// Events dropped after those batches.
    pub(super) dropped: u64,
    /// After those batches the subscription was interrupted for a moment, or begins or ceases to hear misses.
    pub(super) lapsed: bool,
    /// Misses are left out of the subscription now.
    pub(super) without_misses: bool,
    /// The subscription has ended, and why.
    pub(super) ended: Option<SourceError>,
}

#[derive(Debug, Default)]
struct Contents {
    full: VecDeque<(Timestamp, KeyEventBatch)>,
    current: KeyEventBatch,
    bytes: usize,
    dropped: u64,
    lapsed: bool,
    without_misses: bool,
    ended: Option<SourceError>,
}

/// Receives the events of one connection.
#[derive(Debug)]
pub(super) struct Inbox {
    clock: SessionClock,
    contents: Mutex<Contents>,
    /// Woken when a batch is full, and when the connection has ended.
    pub(super) ready: Notify,
}

impl Inbox {
    pub(super) fn new(clock: SessionClock) -> Self {
        Self { clock, contents: Mutex::default(), ready: Notify::new() }
    }

    /// Everything received so far.
    pub(super) fn take(&self) -> Taken {
        let mut contents = self.lock();
        let mut batches: Vec<_> = contents.full.drain(..).collect();
        if !contents.current.is_empty() {
            batches.push((self.clock.now(), std::mem::take(&mut contents.current)));
        }
        contents.bytes = 0;
        Taken {
            batches,
            dropped: std::mem::take(&mut contents.dropped),
            lapsed: std::mem::take(&mut contents.lapsed),
            without_misses: contents.without_misses,
            ended: contents.ended.take(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event; the key is `None` where it is too long to keep.
    pub(super) fn event(&self, kind: KeyEventKind, database: u16, key: Option<&[u8]>) {
        let mut contents = self.lock();
        // Once something is missing, everything is until the rest is taken: what is handed on has no gaps.
        let whole = contents.dropped == 0 && !contents.lapsed;
        let Some(key) = key.filter(|key| whole && contents.bytes + key.len() + EVENT_BYTES <= BOUND_BYTES)
        else {
            contents.dropped += 1;
            return;
        };
        let bytes = key.len() + EVENT_BYTES;
        contents.bytes += bytes;
        contents.current.push(kind, database, key);
        if contents.current.key_bytes() + contents.current.len() * EVENT_BYTES >= BATCH_BYTES {
            let full = std::mem::take(&mut contents.current);
            contents.full.push_back((self.clock.now(), full));
            self.ready.notify_one();
        }
    }

    /// For a moment nobody was subscribed.
    pub(super) fn lapsed(&self) {
        self.lock().lapsed = true;
        self.ready.notify_one();
    }

    /// Whether misses are among what is subscribed to from here on. A change is a gap: nothing is handed on in between,
    /// so that it is never half known what is heard.
    pub(super) fn hears_misses(&self, hears: bool) {
        let mut contents = self.lock();
        if contents.without_misses == hears {
            contents.without_misses = !hears;
            contents.lapsed = true;
            self.ready.notify_one();
        }
    }

    pub(super) fn end(&self, error: SourceError) {
        self.lock().ended = Some(error);
        self.ready.notify_one();
    }
}

/// The events there are channels for, with the server's names. A key that was renamed or moved to another
/// database was removed by a command, as a deleted one was; under its other name or database it is `new`.
pub(super) const KINDS: [(KeyEventKind, &str); 7] = [
    (KeyEventKind::Miss, "keymiss"),
    (KeyEventKind::Evicted, "evicted"),
    (KeyEventKind::Expired, "expired"),
    (KeyEventKind::Deleted, "del"),
    (KeyEventKind::Deleted, "rename_from"),
    (KeyEventKind::Deleted, "move_from"),
    (KeyEventKind::New, "new"),
];

/// The channel of one kind of events in one database.
pub(super) fn channel(database: u16, event: &str) -> String {
    format!("__keyevent@{database}__:{event}")
}

/// What is announced on a channel; `None`: it is another one.
pub(in crate::redis) fn announced_on(channel: &[u8]) -> Option<(KeyEventKind, u16)> {
    let rest = channel.strip_prefix(b"__keyevent@")?;
    let end = rest.iter().position(|byte| *byte == b'_')?;
    let database = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let event = rest[end..].strip_prefix(b"__:")?;
    let (kind, _) = KINDS.iter().find(|(_, name)| name.as_bytes() == event)?;
    Some((*kind, database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_written_and_read_back() {
        for (kind, name) in KINDS {
            for database in [0, 3, 15, 9999] {
                assert_eq!(announced_on(channel(database, name).as_bytes()), Some((kind, database)));
            }
        }
        for other in
            ["", "__keyevent@0__:set", "__keyspace@0__:del", "__keyevent@x__:del", "__keyevent@0_:del"]
        {
            assert_eq!(announced_on(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn events_come_out_in_order_and_a_full_batch_wakes_the_taker() {
        let inbox = Inbox::new(SessionClock::start());
        let mut pushed = 0u64;
        while inbox.lock().full.is_empty() {
            let key = pushed.to_be_bytes();
            inbox.event(KeyEventKind::Miss, 3, Some(&key));
            pushed += 1;
        }
        inbox.event(KeyEventKind::Expired, 0, Some(b"last"));
        let taken = inbox.take();
        let keys: Vec<_> = taken.batches.iter().flat_map(|(_, batch)| batch.iter()).collect();
        assert_eq!(keys.len() as u64, pushed + 1);
        assert_eq!(keys[1], (KeyEventKind::Miss, 3, &1u64.to_be_bytes()[..]));
        assert_eq!(keys.last(), Some(&(KeyEventKind::Expired, 0, &b"last"[..])));
        assert_eq!(taken.dropped, 0);
        assert!(inbox.take().batches.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_has_no_gap() {
        let inbox = Inbox::new(SessionClock::start());
        let big = vec![b'k'; BOUND_BYTES - 2 * EVENT_BYTES];
        for key in [b"first".as_slice(), &big, b"later"] {
            inbox.event(KeyEventKind::Miss, 0, Some(key));
        }
        let taken = inbox.take();
        let kept: Vec<_> =
            taken.batches.iter().flat_map(|(_, batch)| batch.iter()).map(|event| event.2).collect();
        assert_eq!(kept, [b"first"], "nothing after the first drop is kept, though it would fit");
        assert_eq!(taken.dropped, 2);
        inbox.event(KeyEventKind::Miss, 0, Some(b"again"));
        assert_eq!(inbox.take().batches.len(), 1, "after taking, there is room again");
    }

    #[test]
    fn after_a_lapse_and_a_key_too_long_to_keep_nothing_is_kept_until_the_rest_is_taken() {
        for interrupt in [Inbox::lapsed, |inbox: &Inbox| inbox.event(KeyEventKind::Miss, 0, None)] {
            let inbox = Inbox::new(SessionClock::start());
            inbox.event(KeyEventKind::Miss, 0, Some(b"before"));
            interrupt(&inbox);
            inbox.event(KeyEventKind::Miss, 0, Some(b"behind"));
            let taken = inbox.take();
            let keys: Vec<_> =
                taken.batches.iter().flat_map(|(_, batch)| batch.iter()).map(|event| event.2).collect();
            assert_eq!(keys, [b"before"]);
            assert!(taken.dropped > 0);
            inbox.event(KeyEventKind::Miss, 0, Some(b"again"));
            let taken = inbox.take();
            assert_eq!((taken.batches.len(), taken.dropped, taken.lapsed), (1, 0, false));
        }
    }

    #[test]
    fn that_misses_are_heard_no_more_is_a_gap_and_that_they_still_are_is_none() {
        let inbox = Inbox::new(SessionClock::start());
        inbox.hears_misses(true);
        let taken = inbox.take();
        assert_eq!((taken.lapsed, taken.without_misses), (false, false));
        for hears in [false, true] {
            inbox.hears_misses(hears);
            let taken = inbox.take();
            assert_eq!((taken.lapsed, taken.without_misses), (true, !hears));
        }
    }

    #[test]
    fn the_end_of_the_connection_is_seen_with_its_reason() {
        let inbox = Inbox::new(SessionClock::start());
        inbox.end(SourceError::new(crate::error::ErrorCode::Closed, "closed", ""));
        assert_eq!(inbox.take().ended.map(|error| error.to_string()), Some("closed".to_owned()));
    }
}
