//! Where the reader of events leaves them: packed, bounded, never waiting.
//!
//! A subscriber that doesn't read is cut by the server at 32 MB and costs it memory until then. So the reader
//! always reads; when the engine is too slow, events are dropped here, counted, and reported as lost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::time::Timestamp;
use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::context::SessionClock;

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
    /// The connection has ended.
    pub(super) ended: bool,
}

#[derive(Debug, Default)]
struct Contents {
    full: VecDeque<(Timestamp, KeyEventBatch)>,
    current: KeyEventBatch,
    bytes: usize,
    dropped: u64,
    ended: bool,
}

/// Receives the push messages of one connection.
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
        Taken { batches, dropped: std::mem::take(&mut contents.dropped), ended: contents.ended }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, kind: KeyEventKind, database: u16, key: &[u8]) {
        let mut contents = self.lock();
        let bytes = key.len() + EVENT_BYTES;
        // Once something was dropped, everything is until the rest is taken: what is handed on has no gaps.
        if contents.dropped > 0 || contents.bytes + bytes > BOUND_BYTES {
            contents.dropped += 1;
            return;
        }
        contents.bytes += bytes;
        contents.current.push(kind, database, key);
        if contents.current.key_bytes() + contents.current.len() * EVENT_BYTES >= BATCH_BYTES {
            let full = std::mem::take(&mut contents.current);
            contents.full.push_back((self.clock.now(), full));
            self.ready.notify_one();
        }
    }

    fn ended(&self) {
        self.lock().ended = true;
        self.ready.notify_one();
    }
}

impl AsyncPushSender for Inbox {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        match (push.kind, push.data.as_slice()) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(key)]) => {
                if let Some((kind, database)) = parse_channel(channel) {
                    self.event(kind, database, key);
                }
            }
            (PushKind::Disconnection, _) => self.ended(),
            _ => {}
        }
        Ok(())
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

/// The database that a channel announces misses of; `None`: it is another channel.
pub(super) fn miss_in(channel: &[u8]) -> Option<u16> {
    match parse_channel(channel)? {
        (KeyEventKind::Miss, database) => Some(database),
        _ => None,
    }
}

fn parse_channel(channel: &[u8]) -> Option<(KeyEventKind, u16)> {
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

    fn message(channel: &str, key: &[u8]) -> PushInfo {
        let data = vec![Value::BulkString(channel.as_bytes().to_vec()), Value::BulkString(key.to_vec())];
        PushInfo { kind: PushKind::Message, data }
    }

    #[test]
    fn channels_are_written_and_read_back() {
        for (kind, name) in KINDS {
            for database in [0, 3, 15, 9999] {
                assert_eq!(parse_channel(channel(database, name).as_bytes()), Some((kind, database)));
            }
        }
        for other in
            ["", "__keyevent@0__:set", "__keyspace@0__:del", "__keyevent@x__:del", "__keyevent@0_:del"]
        {
            assert_eq!(parse_channel(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn events_come_out_in_order_and_a_full_batch_wakes_the_taker() {
        let inbox = Inbox::new(SessionClock::start());
        let mut pushed = 0u64;
        while inbox.lock().full.is_empty() {
            let key = pushed.to_be_bytes();
            inbox.send(message("__keyevent@3__:keymiss", &key)).expect("the inbox takes all");
            pushed += 1;
        }
        inbox.send(message("__keyevent@0__:expired", b"last")).expect("the inbox takes all");
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
            inbox.send(message("__keyevent@0__:keymiss", key)).expect("the inbox takes all");
        }
        let taken = inbox.take();
        let kept: Vec<_> =
            taken.batches.iter().flat_map(|(_, batch)| batch.iter()).map(|event| event.2).collect();
        assert_eq!(kept, [b"first"], "nothing after the first drop is kept, though it would fit");
        assert_eq!(taken.dropped, 2);
        inbox.send(message("__keyevent@0__:keymiss", b"again")).expect("the inbox takes all");
        assert_eq!(inbox.take().batches.len(), 1, "after taking, there is room again");
    }

    #[test]
    fn the_end_of_the_connection_is_seen() {
        let inbox = Inbox::new(SessionClock::start());
        inbox
            .send(PushInfo { kind: PushKind::Disconnection, data: Vec::new() })
            .expect("the inbox takes all");
        assert!(inbox.take().ended);
    }
}
