//! What one node's events and INFO replies allow to conclude, and since when.

use cachescope_model::observation::EventChannels;

/// Events and INFO replies are stamped when they are read: what happened together may be stamped this far
/// apart, so whatever lies closer to a flush is not judged by it.
pub(crate) const APART_MILLIS: i64 = 1_000;
/// Without an INFO reply for this long, a flush may have gone unnoticed.
const INFO_STALE_MILLIS: i64 = 10_000;

/// What two INFO replies tell about keys that went without an event between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Time of the earlier reply in milliseconds.
    pub(crate) from_ms: i64,
    /// Time of the later reply.
    pub(crate) to_ms: i64,
    /// A database was emptied.
    pub(crate) flushed: bool,
    /// A command was called that can remove keys.
    pub(crate) removers: bool,
    /// Nothing known before holds any more: a restart, another role, databases swapped.
    pub(crate) upheaval: bool,
    /// Whether the replies have command statistics, so that a flush would show.
    pub(crate) told: bool,
    /// Whether the later one shows a replica.
    pub(crate) replica: bool,
    /// Whether the later one shows a server without any key.
    pub(crate) empty: bool,
}

impl Silence {
    /// Whether a moment, as stamped, may lie within.
    pub(crate) fn may_cover(&self, from_ms: i64, to_ms: i64) -> bool {
        from_ms <= self.to_ms + APART_MILLIS && to_ms >= self.from_ms - APART_MILLIS
    }
}

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Whether INFO calls it a replica.
    pub(crate) replica: bool,
    /// What was learnt until then counts no more.
    void_ms: Option<i64>,
    /// Since when evictions and expirations are announced, without a gap.
    timed_ms: Option<i64>,
    /// Since when deletions by commands are as well.
    removals_ms: Option<i64>,
    /// Since when additions are.
    additions_ms: Option<i64>,
    /// Since when every key that exists is known: the node was empty then, and additions are announced.
    whole_ms: Option<i64>,
    /// The first INFO reply that tells commands; a flush before it shows in no difference.
    baseline_ms: Option<i64>,
    /// The last one.
    info_ms: i64,
    /// Start of the first interval with a flush, and end of the last.
    flushes: Option<(i64, i64)>,
    /// End of the last interval with a command that can remove keys.
    removers_ms: Option<i64>,
}

/// Whether a flush happened since some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// It did, or may have.
    Yes,
    /// Not up to the last INFO reply; the next ones may show one.
    NotYet,
    /// INFO does not tell.
    Untold,
}

impl Standing {
    /// The subscription stands.
    pub(crate) fn begin(&mut self, at_ms: i64, channels: EventChannels) {
        let since = |before: Option<i64>, on: bool| if on { before.or(Some(at_ms)) } else { None };
        let timed = channels.evictions == Some(true) && channels.expirations == Some(true);
        self.timed_ms = since(self.timed_ms, timed);
        self.removals_ms = since(self.removals_ms, timed && channels.deletions == Some(true));
        self.additions_ms = since(self.additions_ms, channels.additions == Some(true));
        if self.additions_ms.is_none() {
            self.whole_ms = None;
        }
    }

    /// Events are missing up to now.
    pub(crate) fn lose(&mut self, at_ms: i64) {
        *self = Self {
            replica: self.replica,
            void_ms: self.void_ms.max(Some(at_ms)),
            baseline_ms: self.baseline_ms,
            info_ms: self.info_ms,
            ..Self::default()
        };
    }

    /// Everything may be different, though events still arrive.
    fn turn_over(&mut self, at_ms: i64) {
        let since = |before: Option<i64>| before.map(|_| at_ms);
        *self = Self {
            replica: self.replica,
            void_ms: self.void_ms.max(Some(at_ms)),
            timed_ms: since(self.timed_ms),
            removals_ms: since(self.removals_ms),
            additions_ms: since(self.additions_ms),
            baseline_ms: since(self.baseline_ms),
            info_ms: self.info_ms,
            ..Self::default()
        };
    }

    /// The next INFO reply, held against the one before.
    pub(crate) fn informed(&mut self, silence: &Silence) {
        if silence.upheaval {
            self.turn_over(silence.to_ms + APART_MILLIS);
        }
        self.replica = silence.replica;
        if silence.flushed {
            let first = self.flushes.map_or(silence.from_ms, |(first, _)| first);
            self.flushes = Some((first, silence.to_ms));
        }
        if silence.removers {
            self.removers_ms = Some(silence.to_ms);
        }
        if silence.told {
            self.baseline_ms.get_or_insert(silence.to_ms);
            self.info_ms = silence.to_ms;
            // A flush before it was empty: keys that were never heard of may have gone with it.
            let announced = self.additions_ms.is_some_and(|since_ms| since_ms < silence.from_ms);
            let removals = self.removals_ms.is_some_and(|since_ms| since_ms < silence.from_ms);
            if silence.empty && announced && removals && self.flushes.is_none() && !silence.upheaval {
                self.whole_ms.get_or_insert(silence.to_ms);
            }
        }
    }

    /// Whether what was learnt then still counts.
    pub(super) fn holds(&self, at_ms: i64) -> bool {
        self.void_ms.is_none_or(|void_ms| at_ms > void_ms)
    }

    pub(super) fn tells_additions_since(&self, at_ms: i64) -> bool {
        self.additions_ms.is_some_and(|since_ms| since_ms <= at_ms)
    }

    pub(super) fn tells_removals_since(&self, at_ms: i64) -> bool {
        self.removals_ms.is_some_and(|since_ms| since_ms <= at_ms)
    }

    pub(super) fn tells_timed_since(&self, at_ms: i64) -> bool {
        self.timed_ms.is_some_and(|since_ms| since_ms <= at_ms)
    }

    /// Whether every key that exists is known.
    pub(super) fn is_whole(&self) -> bool {
        self.whole_ms.is_some()
    }

    /// Whether evictions and expirations are announced.
    pub(crate) fn tells_timed(&self) -> bool {
        self.timed_ms.is_some()
    }

    /// Whether additions are announced.
    pub(crate) fn tells_additions(&self) -> bool {
        self.additions_ms.is_some()
    }

    /// Whether every removal by a command, an expiry or an eviction is announced.
    pub(crate) fn tells_removals(&self) -> bool {
        self.removals_ms.is_some()
    }

    /// Since when a key of which nothing was heard is known to be absent, where a flush would show: if all
    /// removals are announced, or merely evictions and expirations.
    pub(super) fn watched_since(&self, removals: bool) -> Option<i64> {
        let since_ms = if removals { self.removals_ms } else { self.timed_ms };
        Some(since_ms?.max(self.baseline_ms?))
    }

    /// Whether a flush happened since then, as known at `now_ms`.
    pub(super) fn flushed_since(&self, at_ms: i64, now_ms: i64) -> Flushed {
        if self.flushes.is_some_and(|(_, last_ms)| last_ms + APART_MILLIS >= at_ms) {
            Flushed::Yes
        } else if self.baseline_ms.is_some_and(|baseline_ms| baseline_ms <= at_ms)
            && now_ms - self.info_ms <= INFO_STALE_MILLIS
        {
            Flushed::NotYet
        } else {
            Flushed::Untold
        }
    }

    /// Whether no flush came between the beginning and this moment, and INFO has told since.
    pub(super) fn unflushed_until(&self, at_ms: i64) -> bool {
        self.flushes.is_none_or(|(first_ms, _)| first_ms - APART_MILLIS > at_ms)
    }

    /// Whether INFO replies up to and beyond this moment are in.
    pub(super) fn is_informed_of(&self, at_ms: i64) -> bool {
        self.baseline_ms.is_some() && self.info_ms >= at_ms + APART_MILLIS
    }

    /// Whether no command that can remove keys was called since, up to the last INFO reply.
    pub(super) fn removers_silent_since(&self, at_ms: i64) -> bool {
        self.removers_ms.is_none_or(|last_ms| last_ms + APART_MILLIS < at_ms)
    }

    /// When the last flush was that may have taken keys of which nothing was heard.
    pub(crate) fn last_flush_unseen(&self) -> Option<i64> {
        if self.is_whole() { None } else { self.flushes.map(|(_, last_ms)| last_ms) }
    }

    /// Whether INFO replies ever came.
    pub(crate) fn is_informed(&self) -> bool {
        self.baseline_ms.is_some()
    }
}
