//! Why keys are gone: a bounded table from a key's hash to the way it went.

use super::Cause;

/// Keys in a set; the oldest of a set gives way.
const WAYS: usize = 8;

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

/// A set-associative table of fixed size: what does not fit makes an older one forgotten, never wrong.
#[derive(Clone, Debug)]
pub(crate) struct Tombstones {
    sets: usize,
    slots: Vec<Tombstone>,
}

impl Tombstones {
    /// A table for about `capacity` keys of 24 bytes each, allocated with the first.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { sets: (capacity / WAYS).max(1), slots: Vec::new() }
    }

    fn set(&mut self, hash: u64) -> &mut [Tombstone] {
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; self.sets * WAYS];
        }
        let first = (hash % self.sets as u64) as usize * WAYS;
        &mut self.slots[first..first + WAYS]
    }

    /// A key went.
    pub(crate) fn bury(&mut self, hash: u64, cause: Cause, second: i64) {
        let set = self.set(hash);
        let known = set.iter().position(|stone| stone.cause.is_some() && stone.hash == hash);
        let place = known.or_else(|| set.iter().position(|stone| stone.cause.is_none()));
        let oldest = || (0..WAYS).min_by_key(|place| set[*place].at).unwrap_or(0);
        let place = place.unwrap_or_else(oldest);
        set[place] = Tombstone { hash, at: second as u32, cause: Some(cause), used: false };
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
        self.slots.fill(EMPTY);
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
