//! Misses that we caused ourselves, matched with the events that announce them, in whichever order they come.

use std::collections::VecDeque;

use super::Cause;

/// How far apart a lookup of ours and its event may arrive.
const APART_MILLIS: i64 = 2_000;
/// Bound on either list.
const REMEMBERED: usize = 131_072;

/// A miss that was counted and may turn out to be ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedMiss {
    pub(crate) node: u32,
    pub(crate) hash: u64,
    pub(crate) at_ms: i64,
    pub(crate) row: u32,
    pub(crate) cause: Cause,
}

/// Both waiting lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnMisses {
    expected: VecDeque<(u32, u64, i64)>,
    counted: VecDeque<CountedMiss>,
}

impl OwnMisses {
    /// A lookup of ours missed: the counted event that it explains, which has to be taken back, if it came
    /// already; otherwise the event is expected.
    pub(crate) fn own(&mut self, node: u32, hash: u64, at_ms: i64) -> Option<CountedMiss> {
        self.forget(at_ms);
        let place = self.counted.iter().rposition(|miss| miss.node == node && miss.hash == hash);
        if let Some(place) = place {
            return self.counted.remove(place);
        }
        if self.expected.len() == REMEMBERED {
            self.expected.pop_front();
        }
        self.expected.push_back((node, hash, at_ms));
        None
    }

    /// Whether a miss event that just arrived is ours.
    pub(crate) fn is_own(&mut self, node: u32, hash: u64, at_ms: i64) -> bool {
        if self.expected.is_empty() {
            return false;
        }
        self.forget(at_ms);
        let place = self.expected.iter().position(|(of, key, _)| *of == node && *key == hash);
        place.and_then(|place| self.expected.remove(place)).is_some()
    }

    /// Notes a miss that was counted as traffic.
    pub(crate) fn counted(&mut self, miss: CountedMiss) {
        if self.counted.len() == REMEMBERED {
            self.counted.pop_front();
        }
        self.counted.push_back(miss);
    }

    /// Drops what is too old to be matched.
    pub(crate) fn forget(&mut self, now_ms: i64) {
        let old = |at_ms: i64| at_ms < now_ms - APART_MILLIS;
        while self.expected.front().is_some_and(|(_, _, at_ms)| old(*at_ms)) {
            self.expected.pop_front();
        }
        while self.counted.front().is_some_and(|miss| old(miss.at_ms)) {
            self.counted.pop_front();
        }
    }
}
