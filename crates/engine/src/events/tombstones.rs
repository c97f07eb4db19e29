//! Why keys are gone: a bounded table from a key's hash to the way it went.

use super::Cause;

/// Keys in a set; the oldest of a set gives way.
const WAYS: usize = 8;
/// Sets that the table begins with; it doubles when one is full, up to its bound.
const FIRST_SETS: usize = 512;

#[derive(Clone, Copy, Debug)]
struct Tombstone {
    hash: u64,
    /// Seconds; when it went, or when a miss first used this up.
    at: u32,
    cause: Option<Cause>,
    /// Whether a miss has asked for it.
    used: bool,
}

const EMPTY: Tombstone = Tombstone { hash: 0, at: 0, cause: None, used: false };

/// A set-associative table of bounded size: what does not fit makes an older one forgotten, never wrong.
#[derive(Clone, Debug)]
pub(crate) struct Tombstones {
    most_sets: usize,
    slots: Vec<Tombstone>,
}

impl Tombstones {
    /// A table for up to about `capacity` keys of 24 bytes each.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { most_sets: (capacity / WAYS).max(1), slots: Vec::new() }
    }

    fn sets(&self) -> usize {
        self.slots.len() / WAYS
    }

    /// The set of a key; there has to be one.
    fn set(&mut self, hash: u64) -> &mut [Tombstone] {
        let first = (hash % self.sets() as u64) as usize * WAYS;
        &mut self.slots[first..first + WAYS]
    }

    /// Makes room before a key is added to a full set, as far as the bound allows.
    fn grow_for(&mut self, hash: u64) {
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; self.most_sets.min(FIRST_SETS) * WAYS];
        }
        while self.sets() < self.most_sets
            && self.set(hash).iter().all(|stone| stone.cause.is_some() && stone.hash != hash)
        {
            let sets = (self.sets() * 2).min(self.most_sets);
            let stones = std::mem::replace(&mut self.slots, vec![EMPTY; sets * WAYS]);
            for stone in stones.into_iter().filter(|stone| stone.cause.is_some()) {
                self.place(stone);
            }
        }
    }

    /// Puts a stone in its set, in the place of the key's own, of none, or of the oldest.
    fn place(&mut self, stone: Tombstone) {
        let set = self.set(stone.hash);
        let known = set.iter().position(|other| other.cause.is_some() && other.hash == stone.hash);
        let place = known.or_else(|| set.iter().position(|other| other.cause.is_none()));
        let oldest = || (0..WAYS).min_by_key(|place| set[*place].at).unwrap_or(0);
        let place = place.unwrap_or_else(oldest);
        set[place] = stone;
    }

    /// A key went.
    pub(crate) fn bury(&mut self, hash: u64, cause: Cause, second: i64) {
        self.grow_for(hash);
        self.place(Tombstone { hash, at: second as u32, cause: Some(cause), used: false });
    }

    /// A key is there again.
    pub(crate) fn unearth(&mut self, hash: u64) {
        if self.slots.is_empty() {
            return;
        }
        if let Some(stone) = self.set(hash).iter_mut().find(|stone| stone.hash == hash) {
            *stone = EMPTY;
        }
    }

    /// Why this key is missing, as far as that is certain.
    ///
    /// Where deletions or additions are announced, the last removal stays true until the next event of the
    /// key. Where neither is, the key may have been set again and deleted unseen: then the removal explains
    /// the misses up to one second after the first (readers that come while the value is loaded), and no more.
    pub(crate) fn cause(&mut self, hash: u64, second: i64, lasting: bool) -> Cause {
        if self.slots.is_empty() {
            return Cause::Unknown;
        }
        let now = second as u32;
        let found = self.set(hash).iter_mut().find(|stone| stone.cause.is_some() && stone.hash == hash);
        let Some(stone) = found else { return Cause::Unknown };
        if !lasting && stone.used && now > stone.at.saturating_add(1) {
            *stone = EMPTY;
            return Cause::Unknown;
        }
        if !stone.used {
            stone.used = true;
            stone.at = now;
        }
        stone.cause.unwrap_or(Cause::Unknown)
    }

    /// Forgets everything: after a flush, a restart or lost events nothing is certain.
    pub(crate) fn clear(&mut self) {
        self.slots = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_and_never_confuses() {
        let mut table = Tombstones::new(64);
        for hash in 1..=10_000u64 {
            table.bury(hash, if hash % 2 == 0 { Cause::Expired } else { Cause::Evicted }, hash as i64);
        }
        let mut known = 0;
        for hash in 1..=10_000u64 {
            match table.cause(hash, 20_000, true) {
                Cause::Unknown => {}
                cause => {
                    known += 1;
                    assert_eq!(cause, if hash % 2 == 0 { Cause::Expired } else { Cause::Evicted });
                }
            }
        }
        assert_eq!(known, 64, "the newest of each set are kept");
    }

    #[test]
    fn a_table_that_grows_forgets_nothing_before_it_is_full() {
        let mut table = Tombstones::new(262_144);
        let hashes: Vec<u64> =
            (1..=100_000u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        for hash in &hashes {
            table.bury(*hash, Cause::Expired, 5);
        }
        let known = hashes.iter().filter(|hash| table.cause(**hash, 6, true) == Cause::Expired).count();
        assert!(known > 99_000, "{known} of 100,000 are known at 38 % of the bound");
        table.clear();
        assert_eq!(table.cause(hashes[0], 6, true), Cause::Unknown);
    }

    #[test]
    fn without_news_of_deletions_a_removal_explains_the_first_misses_alone() {
        let mut table = Tombstones::new(64);
        table.bury(7, Cause::Expired, 100);
        assert_eq!(table.cause(7, 160, false), Cause::Expired);
        assert_eq!(table.cause(7, 161, false), Cause::Expired);
        assert_eq!(table.cause(7, 163, false), Cause::Unknown);
        table.bury(8, Cause::Expired, 100);
        assert_eq!(table.cause(8, 160, true), Cause::Expired);
        assert_eq!(table.cause(8, 900, true), Cause::Expired);
        table.unearth(8);
        assert_eq!(table.cause(8, 900, true), Cause::Unknown);
    }
}
