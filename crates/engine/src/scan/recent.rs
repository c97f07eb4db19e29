//! The keys met last, to recognise repeats.
//!
//! SCAN repeats a key only where a table shrinks meanwhile (dictScan in Redis's dict.c), and then one of those it
//! met just before: cursors count from the highest bit down, so that all buckets that fall into one smaller
//! bucket are visited one after the other. A scan that goes on after a lost connection asks for its last step
//! again. Both need the last keys only, whatever the number of keys in all.

use hashbrown::HashSet;

/// Keys remembered at least; at most twice as many, 16 bytes each.
const REMEMBERED: usize = 32_768;

/// Hashes of the keys met last, in two generations.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Recent {
    /// Takes note of a key; whether it was met shortly before.
    pub(super) fn is_repeat(&mut self, hash: u64) -> bool {
        if self.before.contains(&hash) || !self.now.insert(hash) {
            return true;
        }
        if self.now.len() >= REMEMBERED {
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_are_recognised_and_memory_is_bounded() {
        let mut recent = Recent::default();
        for hash in 0..1_000_000u64 {
            assert!(!recent.is_repeat(hash));
            assert!(recent.is_repeat(hash.saturating_sub(REMEMBERED as u64 - 1)));
        }
        assert!(recent.now.len() + recent.before.len() <= 2 * REMEMBERED);
    }
}
