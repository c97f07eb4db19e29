//! Misses on keys that nobody fills: after a miss the key is not added, not even a while later.

use std::collections::VecDeque;

/// A loader may take this long to fill a key after a miss.
const FILL_MILLIS: i64 = 5_000;
/// First misses that may wait; what does not fit is not counted, so that the figure stays a lower bound.
const MOST: usize = 131_072;

/// The first miss of a key's absence.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstMiss {
    pub(super) hash: u64,
    pub(super) at_ms: i64,
    pub(super) row: u32,
}

/// First misses whose keys may still be filled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unfilled {
    waiting: VecDeque<FirstMiss>,
}

impl Unfilled {
    pub(super) fn wait(&mut self, miss: FirstMiss) {
        if self.waiting.len() < MOST {
            self.waiting.push_back(miss);
        }
    }

    /// The next one that has had its time.
    pub(super) fn due(&mut self, now_ms: i64) -> Option<FirstMiss> {
        let due = self.waiting.front().is_some_and(|miss| is_due(miss.at_ms, now_ms));
        if due { self.waiting.pop_front() } else { None }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// Whether a key that was missed then, and not added since, counts as never filled.
pub(super) fn is_due(first_ms: i64, now_ms: i64) -> bool {
    now_ms - first_ms >= FILL_MILLIS
}
