//! Which removals were dropped for want of room, as a Bloom filter: it never denies one, and takes a key that
//! was never heard of for one of them by chance.

/// Bits for each key of the table's capacity. With as many removals dropped as the table holds, 0.2 % of the
/// other keys are in doubt; with four times as many, 16 %; in the end all.
const BITS_PER_KEY: usize = 16;
/// Bits set for a key.
const PROBES: u64 = 4;

/// The filter (B. H. Bloom, 1970), allocated with the first that is dropped.
#[derive(Clone, Debug)]
pub(super) struct Forgotten {
    words: usize,
    bits: Vec<u64>,
}

impl Forgotten {
    pub(super) fn new(capacity: usize) -> Self {
        Self { words: (capacity * BITS_PER_KEY).div_ceil(64).max(1), bits: Vec::new() }
    }

    /// Word and bit of each probe: double hashing (Kirsch and Mitzenmacher, 2006) with the two halves.
    fn places(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let count = (self.words * 64) as u64;
        let step = (hash >> 32) | 1;
        (0..PROBES).map(move |probe| {
            let place =
                hash.wrapping_add(probe.wrapping_mul(step).wrapping_mul(0x9E37_79B9_7F4A_7C15)) % count;
            ((place / 64) as usize, 1 << (place % 64))
        })
    }

    pub(super) fn insert(&mut self, hash: u64) {
        if self.bits.is_empty() {
            self.bits = vec![0; self.words];
        }
        for (word, bit) in self.places(hash) {
            self.bits[word] |= bit;
        }
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        !self.bits.is_empty() && self.places(hash).all(|(word, bit)| self.bits[word] & bit != 0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.capacity() * 8
    }
}
