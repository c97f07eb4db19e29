//! What a running scan sums up, stratum by stratum, and what follows from it for a row.

use std::sync::Arc;

use cachescope_model::scan::{ScannedKey, Ttl};

use super::contents::{BIGGEST, Contents};
use super::estimate::{Interval, LEAST_WEIGHED, Moments, scaled_up, share};
use super::spread::Spread;
use super::versions::Stale;

/// A time to live longer than documented by more than this factor is a finding; less is jitter.
const TTL_TOLERANCE: f64 = 1.1;

/// Sums over the keys of one row that belong to one stratum of one database of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) keys: u64,
    pub(crate) memory: Moments,
    /// Keys asked for their time to live.
    pub(crate) asked: u64,
    pub(crate) without_ttl: u64,
    /// Keys that live longer than documented.
    pub(crate) beyond_ttl: u64,
    pub(crate) ttls: Spread,
}

impl Part {
    pub(crate) fn add(&mut self, key: &ScannedKey, longest_ttl_seconds: Option<f64>) {
        self.keys += 1;
        if let Some(bytes) = key.memory {
            self.memory.add(bytes as f64);
        }
        match key.ttl {
            None => {}
            Some(Ttl::None) => {
                self.asked += 1;
                self.without_ttl += 1;
            }
            Some(Ttl::Millis(millis)) => {
                self.asked += 1;
                self.ttls.add(millis);
                let limit = longest_ttl_seconds.map(|seconds| seconds * 1000.0 * TTL_TOLERANCE);
                self.beyond_ttl += u64::from(limit.is_some_and(|limit| millis as f64 > limit));
            }
        }
    }
}

/// Bytes of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Bytes {
    /// Weighed, or estimated from what was weighed.
    Known(Interval),
    /// Taken to be as large as the average key, because too few were weighed.
    LikeTheAverage(f64),
    /// Nothing was weighed.
    #[default]
    Unknown,
}

/// What the last scans found of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) keys: Interval,
    pub(crate) bytes: Bytes,
    /// Keys met, weighed, asked for their time to live.
    pub(crate) met: u64,
    pub(crate) weighed: u64,
    pub(crate) asked: u64,
    pub(crate) without_ttl: u64,
    pub(crate) beyond_ttl: u64,
    /// Share without a time to live; `None` where none was asked.
    pub(crate) no_ttl: Option<Interval>,
    pub(crate) ttls: Spread,
    pub(crate) contents: Arc<Contents>,
    /// Keys of older versions beside a newer one.
    pub(crate) stale: Stale,
}

impl Found {
    /// Adds another row's, until the next scan finds both as one.
    pub(crate) fn merge(&mut self, other: &Self) {
        let weighted =
            |found: &Self| found.no_ttl.map(|share| share.times(&Interval::exact(found.keys.value)));
        let keys = self.keys.value + other.keys.value;
        let without = match (weighted(self), weighted(other)) {
            (Some(one), Some(other)) => Some(one.plus(&other).times(&Interval::exact(1.0 / keys.max(1.0)))),
            _ => self.no_ttl.or(other.no_ttl),
        };
        self.no_ttl = without;
        self.bytes = match (self.bytes, other.bytes) {
            (Bytes::Known(one), Bytes::Known(other)) => Bytes::Known(one.plus(&other)),
            (Bytes::Unknown, _) | (_, Bytes::Unknown) => Bytes::Unknown,
            (one, other) => Bytes::LikeTheAverage(one.value() + other.value()),
        };
        self.keys = self.keys.plus(&other.keys);
        self.met += other.met;
        self.weighed += other.weighed;
        self.asked += other.asked;
        self.without_ttl += other.without_ttl;
        self.beyond_ttl += other.beyond_ttl;
        self.ttls.merge(&other.ttls, 1.0);
        Arc::make_mut(&mut self.contents).merge(&other.contents, BIGGEST);
    }
}

impl Bytes {
    fn value(self) -> f64 {
        match self {
            Self::Known(bytes) => bytes.value,
            Self::LikeTheAverage(bytes) => bytes,
            Self::Unknown => 0.0,
        }
    }
}

/// Puts the parts of one row together, each with the share of its database's keys that was met. Strata whose
/// keys are too few to tell are taken together.
pub(crate) fn put_together<'p>(parts: impl Iterator<Item = (&'p Part, f64)> + Clone) -> Found {
    let mut found = Found::default();
    let mut small = (Interval::default(), Moments::default());
    let mut all = Moments::default();
    let mut known = Some(Interval::default());
    for (part, met) in parts.clone() {
        let keys = scaled_up(part.keys, met);
        found.keys = found.keys.plus(&keys);
        found.met += part.keys;
        found.weighed += part.memory.count;
        found.asked += part.asked;
        found.without_ttl += part.without_ttl;
        found.beyond_ttl += part.beyond_ttl;
        if part.asked > 0 {
            found.ttls.merge(&part.ttls, keys.value / part.asked as f64);
        }
        all.merge(&part.memory);
        match part.memory.mean(keys.value) {
            // Not by way of the mean, which would round.
            Some(_) if part.memory.count as f64 >= keys.value => {
                known = known.map(|known| known.plus(&Interval::exact(part.memory.sum)));
            }
            Some(mean) => {
                let bytes = total(&keys, &mean, part.memory.sum);
                known = known.map(|known| known.plus(&bytes));
            }
            None => {
                small.0 = small.0.plus(&keys);
                small.1.merge(&part.memory);
            }
        }
    }
    if small.0.value > 0.0 {
        let by_themselves = if small.1.count >= LEAST_WEIGHED { &small.1 } else { &all };
        let mean = by_themselves.mean_of_any(small.0.value.max(by_themselves.count as f64 + 1.0));
        known = known.zip(mean).map(|(known, mean)| known.plus(&total(&small.0, &mean, small.1.sum)));
    }
    found.bytes = known.map_or(Bytes::Unknown, Bytes::Known);
    found.no_ttl = without_ttl(parts);
    found
}

/// Never below what was weighed.
fn total(keys: &Interval, mean: &Interval, weighed: f64) -> Interval {
    let product = keys.times(mean);
    Interval { low: product.low.max(weighed).min(product.value), ..product }
}

/// The share without a time to live: of strata of which different shares were asked, each counts by its keys.
fn without_ttl<'p>(parts: impl Iterator<Item = (&'p Part, f64)>) -> Option<Interval> {
    let mut weighted = Interval::default();
    let mut keys = 0.0;
    for (part, met) in parts {
        let Some(of_part) = share(part.without_ttl, part.asked) else { continue };
        let of_part =
            if part.asked >= part.keys && met >= 1.0 { Interval::exact(of_part.value) } else { of_part };
        let of_all = scaled_up(part.keys, met).value;
        weighted = weighted.plus(&of_part.times(&Interval::exact(of_all)));
        keys += of_all;
    }
    (keys > 0.0).then(|| Interval {
        value: weighted.value / keys,
        low: (weighted.low / keys).max(0.0),
        high: (weighted.high / keys).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(keys: u64, weighed: &[u64]) -> Part {
        let mut part = Part::default();
        for number in 0..keys {
            let memory = weighed.get(number as usize).copied();
            let ttl = memory.map(|bytes| if bytes > 1_000 { Ttl::None } else { Ttl::Millis(1_000) });
            part.add(&ScannedKey { memory, ttl, ..ScannedKey::default() }, None);
        }
        part
    }

    #[test]
    fn strata_weighed_at_different_rates_are_put_together_by_their_keys() {
        // All of ten heavy keys, ten of a thousand light ones: a mean over the twenty would be far off.
        let (heavy, light) = (part(10, &[10_000; 10]), part(1_000, &[100; 10]));
        let found = put_together([(&heavy, 1.0), (&light, 1.0)].into_iter());
        let Bytes::Known(bytes) = found.bytes else { panic!("{found:?}") };
        assert_eq!(bytes.value, 200_000.0);
        assert_eq!(found.keys, Interval::exact(1_010.0));
        let no_ttl = found.no_ttl.expect("some were asked");
        assert!((no_ttl.value - 10.0 / 1_010.0).abs() < 1e-9, "{no_ttl:?}");
        assert!(found.ttls.quantile(0.5).is_some_and(|ttl| ttl.value < 1.1));
    }

    #[test]
    fn a_part_of_the_walk_is_scaled_up_and_less_sure() {
        let met = part(1_000, &[100; 1_000]);
        let found = put_together([(&met, 0.5)].into_iter());
        assert_eq!(found.keys.value, 2_000.0);
        let Bytes::Known(bytes) = found.bytes else { panic!("{found:?}") };
        // 1.96 · √(1000 · 0.5) ÷ 0.5 keys of 100 bytes.
        assert!((bytes.half() - 8_765.0).abs() < 20.0, "{bytes:?}");
    }

    #[test]
    fn few_weighed_keys_tell_little_and_few_strata_tell_together() {
        let unweighed = part(5, &[]);
        assert_eq!(put_together([(&unweighed, 1.0)].into_iter()).bytes, Bytes::Unknown);
        let lone = part(5, &[1_000_000; 2]);
        let Bytes::Known(bytes) = put_together([(&lone, 1.0)].into_iter()).bytes else { panic!("{lone:?}") };
        assert_eq!((bytes.value, bytes.low), (5e6, 2e6), "as much as was weighed is there in any case");
        assert!(bytes.high > 50e6, "{bytes:?}");
        let strata: Vec<Part> = (0..5).map(|_| part(5, &[100; 2])).collect();
        let found = put_together(strata.iter().map(|part| (part, 1.0)));
        assert!(matches!(found.bytes, Bytes::Known(bytes) if bytes.value == 2_500.0), "{found:?}");
    }
}
