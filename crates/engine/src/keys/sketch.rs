//! The keys that come most often, in bounded memory: Space-Saving.
//!
//! A counter a key; where all are taken, a new key takes over the smallest, whose count it inherits as its
//! possible error (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in
//! Data Streams", ICDT 2005). No key's true count is above its counter, nor below counter − error, and every
//! key with more than its total ÷ counters is among them.

/// Most keys kept a sketch.
pub(super) const COUNTERS: usize = 32;
/// Bytes of a key that are kept to show it.
const LONGEST_KEY: usize = 256;

/// A key's counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    pub(super) database: u16,
    /// The key, cut after [`LONGEST_KEY`] bytes.
    pub(super) key: Vec<u8>,
    /// Its whole length.
    pub(super) length: usize,
    /// What it may have taken over from others.
    pub(super) error: f64,
}

/// The counters of one row. Counts and hashes lie apart from the keys: most calls read nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    hashes: Vec<u64>,
    counts: Vec<f64>,
    counters: Vec<Counter>,
    /// Whether a key ever gave way to another.
    replaced: bool,
}

impl Sketch {
    /// Counts a key `weight` times, with at most so many counters; says whether a new one was made.
    pub(super) fn add(&mut self, hash: u64, database: u16, key: &[u8], weight: f64, room: usize) -> bool {
        if let Some(place) = self.hashes.iter().position(|known| *known == hash) {
            self.counts[place] += weight;
            return false;
        }
        if self.counts.len() < room {
            self.hashes.push(hash);
            self.counts.push(weight);
            self.counters.push(Counter::default());
            let last = self.counters.len() - 1;
            self.counters[last].take_over(database, key, 0.0);
            return true;
        }
        let mut least = 0;
        for (place, count) in self.counts.iter().enumerate() {
            if *count < self.counts[least] {
                least = place;
            }
        }
        self.replaced = true;
        if let Some(counter) = self.counters.get_mut(least) {
            counter.take_over(database, key, self.counts[least]);
            self.hashes[least] = hash;
            self.counts[least] += weight;
        }
        false
    }

    /// Takes back what was counted for a key, where it is still kept.
    pub(super) fn take(&mut self, hash: u64, weight: f64) {
        if let Some(place) = self.hashes.iter().position(|known| *known == hash) {
            self.counts[place] = (self.counts[place] - weight).max(0.0);
        }
    }

    /// What a key that is not kept may have come to.
    pub(super) fn least(&self) -> f64 {
        let least = self.counts.iter().copied().reduce(f64::min);
        least.filter(|_| self.replaced).unwrap_or(0.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, f64, &Counter)> {
        let counted = self.hashes.iter().zip(&self.counts).zip(&self.counters);
        counted.map(|((hash, count), counter)| (*hash, *count, counter))
    }
}

impl Counter {
    fn take_over(&mut self, database: u16, key: &[u8], error: f64) {
        self.database = database;
        self.key.clear();
        self.key.extend_from_slice(&key[..key.len().min(LONGEST_KEY)]);
        self.length = key.len();
        self.error = error;
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
