//! Misses on replicas that wait for their reason.
//!
//! A replica hides a key whose time has run out and removes it only when its primary says so: it announces the
//! `keymiss` first and the removal later. Where nothing was added in between, the key was there and hidden: it
//! had expired.

use std::collections::VecDeque;

/// Misses that may wait.
const MOST: usize = 16_384;
/// A primary removes an expired key within this time, or its replica's misses stay of unknown cause.
const WAIT_MILLIS: i64 = 60_000;

/// A replica's miss, counted as unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) hash: u64,
    pub(super) at_ms: i64,
    pub(super) row: u32,
}

/// Those that wait, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaiting {
    waiting: VecDeque<Waiting>,
}

impl Awaiting {
    pub(super) fn wait(&mut self, miss: Waiting) {
        while self.waiting.front().is_some_and(|oldest| oldest.at_ms < miss.at_ms - WAIT_MILLIS) {
            self.waiting.pop_front();
        }
        if self.waiting.len() == MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(miss);
    }

    /// Takes out the misses of one key.
    pub(super) fn take(&mut self, hash: u64, now_ms: i64) -> Vec<Waiting> {
        let (mut taken, now) = (Vec::new(), now_ms - WAIT_MILLIS);
        self.waiting.retain(|miss| {
            let wanted = miss.hash == hash;
            if wanted && miss.at_ms >= now {
                taken.push(*miss);
            }
            !wanted
        });
        taken
    }

    /// Nothing that waits can be explained any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
