//! Versions of the same thing side by side: `…:v1` still there after `…:v2`.

use std::ops::Range;

use hashbrown::HashMap;

use crate::engine::Engine;
use crate::matcher::Match;
use crate::rows::OTHER;

/// Things of one namespace that are followed, 32 bytes each. Where there are more, every second one is left
/// out, by hash, again and again, so that all versions of one thing are followed or none.
const MOST: usize = 4_096;

/// What was seen of one thing.
#[derive(Clone, Copy, Debug)]
struct Seen {
    newest: u64,
    versions: u32,
}

/// The versions of a namespace's things.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    things: HashMap<u64, Seen>,
    /// Of so many halvings the followed ones are left.
    halvings: u32,
    newest: u64,
}

/// Keys of older versions beside a newer one of the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    /// How many, scaled up where only a part was followed.
    pub(crate) keys: u64,
    /// Whether that is an estimate.
    pub(crate) estimated: bool,
    /// The newest version of any.
    pub(crate) newest: u64,
}

impl Versions {
    /// Takes in a version of the thing with this hash.
    pub(crate) fn add(&mut self, version: u64, thing: u64) {
        self.newest = self.newest.max(version);
        self.note(thing, Seen { newest: version, versions: 1 });
    }

    fn note(&mut self, thing: u64, seen: Seen) {
        if !follows(self.halvings, thing) {
            return;
        }
        let known = self.things.entry(thing).or_insert(Seen { newest: 0, versions: 0 });
        known.newest = known.newest.max(seen.newest);
        known.versions = known.versions.saturating_add(seen.versions);
        while self.things.len() > MOST {
            self.halvings += 1;
            self.things.retain(|thing, _| follows(self.halvings, *thing));
        }
    }

    /// Adds what another node's scan found.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.newest = self.newest.max(other.newest);
        self.halvings = self.halvings.max(other.halvings);
        self.things.retain(|thing, _| follows(self.halvings, *thing));
        for (thing, seen) in &other.things {
            self.note(*thing, *seen);
        }
    }

    pub(crate) fn stale(&self) -> Stale {
        let followed: u64 = self.things.values().map(|seen| u64::from(seen.versions.saturating_sub(1))).sum();
        Stale {
            keys: followed.saturating_mul(1 << self.halvings.min(40)),
            estimated: self.halvings > 0,
            newest: self.newest,
        }
    }
}

fn follows(halvings: u32, thing: u64) -> bool {
    thing >> 32 & ((1 << halvings.min(31)) - 1) == 0
}

impl Engine {
    /// The version of a key and a hash of the rest of it; `None` where its template has none, or where it is no
    /// number, so that nobody knows which is the newer one.
    pub(super) fn version_of(&self, row: u32, key: &[u8]) -> Option<(u64, u64)> {
        let field = self.rows.get(row).version_field.as_deref()?;
        let index = row.checked_sub(OTHER + 1)? as usize;
        let found = self.matcher.field(Match { index }, key, field)?;
        let version = std::str::from_utf8(found).ok()?.trim_start_matches('v').parse().ok()?;
        let Range { start, end } = place_of(found, key)?;
        Some((version, self.hashing.key(0, &[&key[..start], b"\0", &key[end..]].concat())))
    }
}

/// Where a part of a key lies in it.
fn place_of(part: &[u8], key: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(key.as_ptr() as usize)?;
    (start + part.len() <= key.len()).then(|| start..start + part.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    #[test]
    fn older_versions_beside_newer_ones_are_counted_thing_by_thing() {
        let mut versions = Versions::default();
        for (thing, version) in [(1, 1), (1, 3), (1, 2), (2, 7), (3, 1)] {
            versions.add(version, mixed(thing));
        }
        assert_eq!(versions.stale(), Stale { keys: 2, estimated: false, newest: 7 });
    }

    #[test]
    fn of_very_many_a_part_stands_for_all() {
        let mut versions = Versions::default();
        for thing in 0..100_000 {
            versions.add(1, mixed(thing));
            if thing % 2 == 0 {
                versions.add(2, mixed(thing));
            }
        }
        let stale = versions.stale();
        assert!(versions.things.len() <= MOST && stale.estimated);
        assert!((40_000..60_000).contains(&stale.keys), "{stale:?}");
    }
}
