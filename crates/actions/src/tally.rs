//! What a preview counts, in bounded memory: every key is counted, some are weighed.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use cachescope_model::reading::Reading;

use crate::guards::Check;
use crate::preview::sorted;
use crate::preview_result::{NamespaceShare, TtlSpread, UsedKey, WeighedKey};
use crate::selection::Attribution;
use crate::servers::slot_of;
use crate::uses::Uses;

/// So many keys are all weighed; of those that follow one in [`THEN_EVERY`].
const ALL_WEIGHED: u64 = 10_000;
const THEN_EVERY: u64 = 16;
/// Keys whose hashes are kept, because a scan may show one twice; 8 to 16 bytes each.
const MOST_REMEMBERED: usize = 4_000_000;
/// Names that are shown.
const SAMPLE: usize = 100;
/// The heaviest keys that are shown.
const BIGGEST: usize = 10;
/// Times to live that are kept.
const MOST_TTLS: usize = 100_000;
/// Bars of the spread.
const BARS: usize = 14;
/// Namespaces that are told apart; the others count to the remainder.
const MOST_NAMESPACES: usize = 1_000;

pub(crate) struct Tally {
    most_bytes_of_a_key: u64,
    protected_too: bool,
    hashing: RandomState,
    seen: HashSet<u64>,
    forgetful: bool,
    keys: u64,
    protected: u64,
    too_large: u64,
    namespaces: BTreeMap<usize, u64>,
    unnamed: u64,
    sample: Vec<(u16, Vec<u8>)>,
    biggest: Vec<(u64, u16, Vec<u8>)>,
    weighed: u64,
    weight: f64,
    weight_squared: f64,
    types: BTreeMap<String, u64>,
    asked: u64,
    ttls: Vec<i64>,
    without_ttl: u64,
    own: (u64, u64),
    uses: Uses,
}

impl Tally {
    pub(crate) fn new(most_bytes_of_a_key: u64, protected_too: bool) -> Self {
        Self {
            most_bytes_of_a_key,
            protected_too,
            hashing: RandomState::new(),
            seen: HashSet::new(),
            forgetful: false,
            keys: 0,
            protected: 0,
            too_large: 0,
            namespaces: BTreeMap::new(),
            unnamed: 0,
            sample: Vec::new(),
            biggest: Vec::new(),
            weighed: 0,
            weight: 0.0,
            weight_squared: 0.0,
            types: BTreeMap::new(),
            asked: 0,
            ttls: Vec::new(),
            without_ttl: 0,
            own: (0, 0),
            uses: Uses::default(),
        }
    }

    /// The next step may reach the same keys again.
    pub(crate) fn next_step(&mut self) {
        self.seen.clear();
    }

    /// Counts keys, and gives back those to be weighed.
    pub(crate) fn take<'k>(
        &mut self,
        database: u16,
        keys: &'k [Vec<u8>],
        attribution: &Attribution,
        slots: &mut [bool],
    ) -> Vec<&'k Vec<u8>> {
        let mut chosen = Vec::new();
        for key in keys {
            if self.seen.len() < MOST_REMEMBERED {
                if !self.seen.insert(self.hashing.hash_one((database, key))) {
                    continue;
                }
            } else {
                self.forgetful = true;
            }
            if attribution.is_protected(database, key) {
                self.protected += 1;
                if !self.protected_too {
                    continue;
                }
            }
            self.keys += 1;
            if let Some(slot) = slots.get_mut(usize::from(slot_of(key))) {
                *slot = true;
            }
            let namespace = attribution.namespace(database, key);
            let index = namespace.and_then(|own| {
                attribution.strategy().namespaces.iter().position(|other| std::ptr::eq(own, other))
            });
            match index {
                Some(index)
                    if self.namespaces.len() < MOST_NAMESPACES || self.namespaces.contains_key(&index) =>
                {
                    *self.namespaces.entry(index).or_default() += 1;
                }
                _ => self.unnamed += 1,
            }
            if self.sample.len() < SAMPLE {
                self.sample.push((database, key.clone()));
            }
            if self.keys <= ALL_WEIGHED || self.keys.is_multiple_of(THEN_EVERY) {
                chosen.push(key);
            }
        }
        chosen
    }

    /// What a key was found to be; `None` where it was gone.
    pub(crate) fn weighed(
        &mut self,
        database: u16,
        key: &[u8],
        bytes: Option<u64>,
        kind: Option<&str>,
        ttl: Option<i64>,
    ) {
        if let Some(bytes) = bytes {
            self.weighed += 1;
            self.weight += bytes as f64;
            self.weight_squared += (bytes as f64).powi(2);
            self.too_large += u64::from(bytes > self.most_bytes_of_a_key);
            if self.biggest.len() < BIGGEST || self.biggest.last().is_some_and(|least| least.0 < bytes) {
                self.biggest.push((bytes, database, key.to_vec()));
                self.biggest.sort_by_key(|key| std::cmp::Reverse(key.0));
                self.biggest.truncate(BIGGEST);
            }
        }
        if let Some(kind) = kind {
            self.asked += 1;
            *self.types.entry(kind.to_owned()).or_default() += 1;
        }
        match ttl {
            Some(-1) => self.without_ttl += 1,
            Some(ttl) if self.ttls.len() < MOST_TTLS => self.ttls.push(ttl),
            _ => {}
        }
    }

    /// How a key is used: how often by the server's count, or for how many seconds it is not.
    pub(crate) fn used(&mut self, database: u16, key: &[u8], by_uses: bool, used: u64) {
        self.uses.add(database, key, by_uses, used);
    }

    pub(crate) fn use_is_not_told(&mut self, why: &str) {
        self.uses.is_not_told(why);
    }

    pub(crate) fn oldest(&self, attribution: &Attribution) -> Vec<UsedKey> {
        self.uses.oldest(attribution)
    }

    pub(crate) fn hottest(&self, attribution: &Attribution) -> Vec<UsedKey> {
        self.uses.hottest(attribution)
    }

    pub(crate) fn no_uses(&self) -> String {
        self.uses.why_none()
    }

    /// Hits and misses that asking has cost.
    pub(crate) fn own(&mut self, (hits, misses): (u64, u64)) {
        self.own.0 += hits;
        self.own.1 += misses;
    }

    pub(crate) fn own_lookups(&self) -> (u64, u64) {
        self.own
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    pub(crate) fn protected(&self) -> u64 {
        self.protected
    }

    pub(crate) fn too_large(&self) -> u64 {
        self.too_large
    }

    /// Their bytes: exact where every one was weighed, otherwise mean times count with the interval of the mean.
    pub(crate) fn bytes(&self) -> Reading {
        const SOURCE: &str = "MEMORY USAGE";
        if self.keys == 0 {
            return Reading::exact(0.0, SOURCE, 0.0);
        }
        if self.weighed == 0 {
            return Reading::unavailable("none of the keys could be weighed: let the user run MEMORY USAGE");
        }
        if self.keys <= ALL_WEIGHED {
            return Reading::exact(self.weight, SOURCE, 0.0);
        }
        let (n, all) = (self.weighed as f64, self.keys as f64);
        let mean = self.weight / n;
        let variance = (self.weight_squared / n - mean * mean).max(0.0);
        // The finite population's correction: weighing all would leave no doubt.
        let unseen = (1.0 - n / all).max(0.0);
        let half = 1.96 * (variance / n * unseen).sqrt() * all;
        let value = mean * all;
        Reading::estimated(value, (value - half).max(self.weight), value + half, SOURCE, 0.0)
    }

    /// Keys by type, scaled to all where only some were asked.
    pub(crate) fn types(&self) -> BTreeMap<String, u64> {
        if self.asked == 0 || self.keys <= ALL_WEIGHED {
            return self.types.clone();
        }
        let scale = self.keys as f64 / self.asked as f64;
        self.types.iter().map(|(kind, keys)| (kind.clone(), (*keys as f64 * scale).round() as u64)).collect()
    }

    pub(crate) fn ttl_spread(&self) -> TtlSpread {
        let mut ttls = self.ttls.clone();
        ttls.sort_unstable();
        let seconds = |ttl: &i64| *ttl as f64 / 1000.0;
        let longest = ttls.last().copied().unwrap_or(0);
        let mut histogram = vec![0; if ttls.is_empty() { 0 } else { BARS }];
        for ttl in &ttls {
            let bar = (*ttl as f64 / (longest.max(1) as f64) * BARS as f64) as usize;
            if let Some(count) = histogram.get_mut(bar.min(BARS - 1)) {
                *count += 1;
            }
        }
        TtlSpread {
            without: self.without_ttl,
            shortest_seconds: ttls.first().map(seconds),
            median_seconds: ttls.get(ttls.len() / 2).map(seconds),
            longest_seconds: ttls.last().map(seconds),
            histogram,
        }
    }

    pub(crate) fn namespaces(&self, attribution: &Attribution) -> Vec<NamespaceShare> {
        let named = self.namespaces.iter().filter_map(|(index, keys)| {
            let namespace = attribution.strategy().namespaces.get(*index)?;
            let (name, protected) = (namespace.template.as_str().to_owned(), namespace.protected);
            Some(NamespaceShare { namespace: name, keys: *keys, protected })
        });
        let mut shares: Vec<_> = named.collect();
        if self.unnamed > 0 {
            shares.push(NamespaceShare { namespace: String::new(), keys: self.unnamed, protected: false });
        }
        sorted(shares)
    }

    pub(crate) fn sample(&self, attribution: &Attribution) -> Vec<String> {
        self.sample.iter().map(|(database, key)| attribution.shown(*database, key)).collect()
    }

    pub(crate) fn biggest(&self, attribution: &Attribution) -> Vec<WeighedKey> {
        let shown = |(bytes, database, key): &(u64, u16, Vec<u8>)| WeighedKey {
            key: attribution.shown(*database, key),
            bytes: *bytes,
        };
        self.biggest.iter().map(shown).collect()
    }

    /// What the operator should know of the counting itself.
    pub(crate) fn remarks(&self) -> Vec<Check> {
        let mut remarks = Vec::new();
        if self.forgetful {
            let sentence =
                "More than 4 million keys: one that moved while they were counted may be counted twice";
            remarks.push(Check::remark("count", sentence, ""));
        }
        if self.too_large > 0 {
            remarks.push(Check::remark(
                "too-large",
                format!(
                    "{} of the weighed keys are too large for the undo file and are left alone",
                    self.too_large
                ),
                "run without undo to remove them too",
            ));
        }
        remarks
    }
}
