//! Whether one node's events are received, which kinds, and since when.

use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::observation::EventChannels;

use crate::window::{Count, Frame, Tally};

/// Misses, evictions, expirations: the kinds that have readings of their own.
pub(crate) const EVENT_KINDS: usize = 3;

/// One node's subscription.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscription {
    pub(crate) channels: EventChannels,
    /// Whether it ever stood.
    pub(crate) began: bool,
    /// Whether it stands.
    pub(crate) up: bool,
    /// Since when each kind is known or taken to be received, in milliseconds.
    since_ms: [Option<i64>; EVENT_KINDS],
    /// Whether an event of a kind of which nobody knows was heard all the same.
    heard: [bool; EVENT_KINDS],
    covered_to_ms: i64,
    /// When it was last made.
    stands_since_ms: i64,
    last_heard_ms: i64,
    /// When it last broke.
    pub(crate) lost_at_ms: Option<i64>,
    covered: Tally,
}

impl Subscription {
    pub(crate) fn begin(&mut self, at_ms: i64, channels: EventChannels) {
        let now = [channels.misses, channels.evictions, channels.expirations];
        let before = [self.channels.misses, self.channels.evictions, self.channels.expirations];
        for kind in 0..EVENT_KINDS {
            let was_on = self.began && before[kind] != Some(false);
            if !was_on || self.since_ms[kind].is_none() {
                self.since_ms[kind] = Some(at_ms);
            }
            if now[kind] == Some(false) {
                self.since_ms[kind] = None;
            }
        }
        if !self.up {
            self.covered_to_ms = at_ms;
            self.stands_since_ms = at_ms;
        }
        self.last_heard_ms = self.last_heard_ms.max(at_ms);
        self.began = true;
        self.up = true;
        self.channels = channels;
    }

    /// Events since the last batch are missing: those seconds are not covered.
    pub(crate) fn lose(&mut self, frame: &Frame, at_ms: i64) {
        if !self.began {
            return;
        }
        if self.up {
            self.covered.erase(Count::CoveredMillis, frame, self.last_heard_ms, self.covered_to_ms);
        }
        self.up = false;
        self.lost_at_ms = Some(at_ms);
    }

    pub(crate) fn heard(&mut self, at_ms: i64, batch: &KeyEventBatch) {
        self.last_heard_ms = self.last_heard_ms.max(at_ms);
        for (kind, _, _) in batch.iter() {
            match kind {
                KeyEventKind::Miss => self.heard[0] = true,
                KeyEventKind::Evicted => self.heard[1] = true,
                KeyEventKind::Expired => self.heard[2] = true,
                KeyEventKind::Deleted | KeyEventKind::New => {}
            }
        }
    }

    /// Time went on while it stood.
    pub(crate) fn cover(&mut self, frame: &Frame, now_ms: i64) {
        if self.up && now_ms > self.covered_to_ms {
            let millis = (now_ms - self.covered_to_ms) as u64;
            // A long sleep is no coverage: the source says so when it wakes.
            let from = self.covered_to_ms.max(now_ms - 60_000);
            let millis = millis.min(60_000);
            self.covered.spread(Count::CoveredMillis, frame, from, now_ms, millis);
            self.covered_to_ms = now_ms;
        }
    }

    pub(crate) fn fold(&mut self, folds: &[crate::window::Fold]) {
        self.covered.fold(folds);
    }

    /// Seconds of these slots during which it stood.
    pub(crate) fn covered_seconds(&self, range: &crate::window::Range) -> f64 {
        self.covered.sum(Count::CoveredMillis, range) as f64 / 1000.0
    }

    /// The same over any interval, in milliseconds.
    pub(crate) fn covered_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        self.covered.between(Count::CoveredMillis, frame, from_ms, to_ms)
    }

    /// Since when events of a kind arrive; `None` where they do not, or nobody knows and none was heard.
    pub(crate) fn since(&self, kind: usize) -> Option<i64> {
        let told = [self.channels.misses, self.channels.evictions, self.channels.expirations][kind];
        let known = told == Some(true) || (told.is_none() && self.heard[kind]);
        if known { self.since_ms[kind] } else { None }
    }

    /// Since when events of a kind arrive without a gap.
    pub(crate) fn unbroken_since(&self, kind: usize) -> Option<i64> {
        let since_ms = self.since(kind).filter(|_| self.up)?;
        Some(self.stands_since_ms.max(since_ms))
    }

    /// Whether the server doesn't say if it announces this kind, and none came so far.
    pub(crate) fn doubtful(&self, kind: usize) -> bool {
        let told = [self.channels.misses, self.channels.evictions, self.channels.expirations][kind];
        self.began && told.is_none() && !self.heard[kind]
    }
}
