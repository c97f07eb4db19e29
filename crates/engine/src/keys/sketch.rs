//! The keys that come most often, in bounded memory: Space-Saving.
//!
//! A counter a key; where all are taken, a new key takes over the smallest, whose count it inherits as its
//! possible error (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in
//! Data Streams", ICDT 2005). No key's true count is above its counter, nor below counter − error, and every
//! key with more than its total ÷ counters is among them.

use crate::short_list::make_room;

/// Most keys kept a sketch.
pub(super) const COUNTERS: usize = 32;
/// Bytes of a key that are kept to show it.
const LONGEST_KEY: usize = 256;

/// A key's counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    pub(super) database: u16,
    /// The key's whole length; a server holds none of 4 GB.
    length: u32,
    /// The key, cut after [`LONGEST_KEY`] bytes.
    pub(super) key: Box<[u8]>,
    /// What it may have taken over from others.
    pub(super) error: f64,
}

/// The counters of one row. Hashes and counts lie apart from the keys: most calls read nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    counts: Vec<(u64, f64)>,
    counters: Vec<Counter>,
    /// Whether a key ever gave way to another.
    replaced: bool,
}

impl Sketch {
    /// Counts a key `weight` times, with at most so many counters; says whether a new one was made.
    pub(super) fn add(&mut self, hash: u64, database: u16, key: &[u8], weight: f64, room: usize) -> bool {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == hash) {
            *count += weight;
            return false;
        }
        if self.counts.len() < room {
            make_room(&mut self.counts);
            self.counts.push((hash, weight));
            let mut counter = Counter::default();
            counter.take_over(database, key, 0.0);
            make_room(&mut self.counters);
            self.counters.push(counter);
            return true;
        }
        let mut least = 0;
        for (place, (_, count)) in self.counts.iter().enumerate() {
            if *count < self.counts[least].1 {
                least = place;
            }
        }
        self.replaced = true;
        if let (Some(counter), Some((known, count))) =
            (self.counters.get_mut(least), self.counts.get_mut(least))
        {
            counter.take_over(database, key, *count);
            *known = hash;
            *count += weight;
        }
        false
    }

    /// Takes back what was counted for a key, where it is still kept.
    pub(super) fn take(&mut self, hash: u64, weight: f64) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == hash) {
            *count = (*count - weight).max(0.0);
        }
    }

    /// What a key that is not kept may have come to.
    pub(super) fn least(&self) -> f64 {
        let least = self.counts.iter().map(|(_, count)| *count).reduce(f64::min);
        least.filter(|_| self.replaced).unwrap_or(0.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, f64, &Counter)> {
        self.counts.iter().zip(&self.counters).map(|((hash, count), counter)| (*hash, *count, counter))
    }
}

impl Counter {
    fn take_over(&mut self, database: u16, key: &[u8], error: f64) {
        self.database = database;
        let kept = &key[..key.len().min(LONGEST_KEY)];
        if self.key.len() == kept.len() {
            self.key.copy_from_slice(kept);
        } else {
            self.key = kept.into();
        }
        self.length = u32::try_from(key.len()).unwrap_or(u32::MAX);
        self.error = error;
    }

    /// The key's whole length, of which less may be kept.
    pub(super) fn length(&self) -> usize {
        self.length as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_true_count_lies_outside_its_bounds_and_no_frequent_key_is_left_out(
            keys in prop::collection::vec(prop_oneof![0u64..4, 0u64..200], 0..2_000),
        ) {
            let mut sketch = Sketch::default();
            let mut truth = std::collections::BTreeMap::<u64, f64>::new();
            for key in &keys {
                *truth.entry(*key).or_default() += 1.0;
                sketch.add(*key, 0, &key.to_be_bytes(), 1.0, COUNTERS);
            }
            for (hash, count, counter) in sketch.iter() {
                let true_count = truth[&hash];
                prop_assert!(count - counter.error <= true_count && true_count <= count);
                prop_assert_eq!(&counter.key[..], &hash.to_be_bytes()[..]);
            }
            for (key, count) in truth {
                let kept = sketch.iter().any(|(hash, ..)| hash == key);
                prop_assert!(kept || count <= keys.len() as f64 / COUNTERS as f64, "{} {}", key, count);
                prop_assert!(kept || count <= sketch.least());
            }
        }
    }
}
