//! The keys of a preview that are used most and least, by what OBJECT IDLETIME or OBJECT FREQ says. A server keeps one
//! of the two, by its eviction policy; of several servers each may keep another.

use crate::preview_result::UsedKey;
use crate::selection::Attribution;

/// Keys that are shown of each.
const SHOWN: usize = 10;

#[derive(Debug)]
struct Used {
    /// The greater, the hotter: uses, or minus the seconds since the last one.
    heat: i64,
    by_uses: bool,
    used: u64,
    database: u16,
    key: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Uses {
    hottest: Vec<Used>,
    oldest: Vec<Used>,
    why_not: String,
}

impl Uses {
    pub(crate) fn add(&mut self, database: u16, key: &[u8], by_uses: bool, used: u64) {
        let number = i64::try_from(used).unwrap_or(i64::MAX);
        let heat = if by_uses { number } else { -number };
        let new = || Used { heat, by_uses, used, database, key: key.to_vec() };
        keep(&mut self.hottest, heat, new, |one, other| one > other);
        if !by_uses {
            keep(&mut self.oldest, heat, new, |one, other| one < other);
        }
    }

    pub(crate) fn is_not_told(&mut self, why: &str) {
        if self.why_not.is_empty() {
            self.why_not = format!("the server does not tell how keys are used ({why})");
        }
    }

    pub(crate) fn hottest(&self, attribution: &Attribution) -> Vec<UsedKey> {
        self.hottest.iter().map(|used| used.shown(attribution)).collect()
    }

    pub(crate) fn oldest(&self, attribution: &Attribution) -> Vec<UsedKey> {
        self.oldest.iter().map(|used| used.shown(attribution)).collect()
    }

    pub(crate) fn why_none(&self) -> String {
        match (self.hottest.first(), self.oldest.is_empty()) {
            (None, _) => self.why_not.clone(),
            (Some(_), true) => {
                "the server counts uses, and does not keep the time of the last one".to_owned()
            }
            _ => String::new(),
        }
    }
}

impl Used {
    fn shown(&self, attribution: &Attribution) -> UsedKey {
        UsedKey {
            key: attribution.shown(self.database, &self.key),
            idle_seconds: (!self.by_uses).then_some(self.used as f64),
            uses: self.by_uses.then_some(self.used),
        }
    }
}

/// Keeps the first few in the order that `before` says.
fn keep(kept: &mut Vec<Used>, heat: i64, new: impl FnOnce() -> Used, before: impl Fn(i64, i64) -> bool) {
    let place = kept.partition_point(|other| !before(heat, other.heat));
    if place < SHOWN {
        kept.insert(place, new());
        kept.truncate(SHOWN);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cachescope_model::strategy::Strategy;

    use super::*;

    #[test]
    fn the_hottest_and_the_oldest_come_first_and_no_more_than_ten_of_each() {
        let attribution = Attribution::new(Arc::new(Strategy::default()));
        let mut uses = Uses::default();
        for seconds in [50, 3, 700, 20, 1, 90, 8, 30, 4, 60, 5, 2_000] {
            uses.add(0, format!("k:{seconds}").as_bytes(), false, seconds);
        }
        let names = |keys: Vec<UsedKey>| keys.into_iter().map(|key| key.key).collect::<Vec<_>>();
        let (hottest, oldest) = (names(uses.hottest(&attribution)), names(uses.oldest(&attribution)));
        assert_eq!((hottest.len(), oldest.len()), (10, 10));
        assert_eq!(
            (&hottest[..2], &oldest[..2]),
            (&["k:1".into(), "k:3".into()][..], &["k:2000".into(), "k:700".into()][..])
        );
        let mut counted = Uses::default();
        counted.add(0, b"a", true, 5);
        counted.add(0, b"b", true, 250);
        assert_eq!(names(counted.hottest(&attribution)), ["b", "a"]);
        assert!(counted.oldest(&attribution).is_empty() && !counted.why_none().is_empty());
    }
}
