//! A walk through a server's keys in several places at once.
//!
//! SCAN counts its cursor up from the highest bit of the table's mask (`dictScan` in Redis's dict.c), so that tables which
//! grow and shrink keep their order: read backwards, cursors only grow. A walk may therefore begin anywhere, and what is
//! in the table all the time is met between any two places as it is between the beginning and the end.
//!
//! What SCAN tells one after the other lies in neighbouring buckets: the low bits of its keys' hashes are the same. The
//! server keeps watched keys (`WATCH`) in a small table by the same hash, where a thousand of such neighbours are in one
//! or two buckets, and each is compared with all the others: for a million keys, 8 of the 10 seconds that Redis 7.0 was
//! busy. Keys of stretches that lie apart are spread over that table.

use serde::{Deserialize, Serialize};

/// How many a walk is divided into, as a power of two.
const PARTS_BITS: u32 = 6;
/// Fewer keys than so many are not worth it.
const WORTH_DIVIDING: u64 = 4_096;

/// A part of a walk that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// SCAN's cursor, or the place in a list of named keys.
    pub cursor: u64,
    /// The cursor at which it ends; 0 where it goes to the end of all.
    pub end: u64,
    /// Nothing of it has been walked.
    pub begins: bool,
}

impl Stretch {
    /// Everything.
    pub(crate) const WHOLE: Self = Self { cursor: 0, end: 0, begins: true };

    /// All of a table of so many keys, in parts of the same size.
    pub(crate) fn parts(keys: u64) -> Vec<Self> {
        if keys < WORTH_DIVIDING {
            return vec![Self::WHOLE];
        }
        let place = |number: u64| number.reverse_bits() >> (u64::BITS - PARTS_BITS);
        let parts = 1 << PARTS_BITS;
        let part = |number| Self { cursor: place(number), end: place((number + 1) % parts), begins: true };
        (0..parts).map(part).collect()
    }

    /// From a place to the end of all.
    pub(crate) fn from(cursor: u64) -> Self {
        Self { cursor, end: 0, begins: false }
    }

    /// What is left of it when SCAN has come to `cursor`.
    pub(crate) fn after(self, cursor: u64) -> Option<Self> {
        let over = cursor == 0 || self.end != 0 && cursor.reverse_bits() >= self.end.reverse_bits();
        (!over).then_some(Self { cursor, end: self.end, begins: false })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What SCAN visits of a table with so many bits, and the cursor it returns: `dictScan` for one table.
    fn scan(hashes: &[u64], bits: u32, cursor: u64) -> (Vec<u64>, u64) {
        let mask = (1 << bits) - 1;
        let met = hashes.iter().copied().filter(|hash| hash & mask == cursor & mask).collect();
        (met, (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits())
    }

    /// How often each hash is met by walking all stretches in turn, in a table that changes its size meanwhile.
    fn met(hashes: &[u64], mut stretches: Vec<Stretch>, sizes: &[u32]) -> BTreeMap<u64, u32> {
        let mut met = BTreeMap::new();
        let mut sizes = sizes.iter().copied().cycle();
        while !stretches.is_empty() {
            stretches = stretches
                .into_iter()
                .filter_map(|stretch| {
                    let (found, cursor) = scan(hashes, sizes.next().unwrap_or(4), stretch.cursor);
                    found.into_iter().for_each(|hash| *met.entry(hash).or_default() += 1);
                    stretch.after(cursor)
                })
                .collect();
        }
        met
    }

    #[test]
    fn in_a_table_that_keeps_its_size_every_key_is_met_once() {
        let hashes: Vec<u64> =
            (0..5_000_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        for bits in [6, 10, 13] {
            let met = met(&hashes, Stretch::parts(5_000), &[bits]);
            assert!(met.len() == hashes.len() && met.values().all(|times| *times == 1), "{bits} bits");
        }
    }

    proptest! {
        #[test]
        fn whatever_sizes_a_table_takes_every_key_is_met(
            sizes in prop::collection::vec(0_u32..12, 1..200),
            hashes in prop::collection::btree_set(any::<u64>(), 1..300),
        ) {
            let hashes: Vec<u64> = hashes.into_iter().collect();
            let met = met(&hashes, Stretch::parts(5_000), &sizes);
            prop_assert_eq!(met.len(), hashes.len());
        }
    }

    #[test]
    fn few_keys_are_walked_through_in_one() {
        assert_eq!(Stretch::parts(20), [Stretch::WHOLE]);
    }
}
