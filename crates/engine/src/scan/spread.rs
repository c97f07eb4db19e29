//! Spans of time in logarithmic buckets: quantiles within 4.5 % at 16 bytes a bucket in use.

use super::estimate::Interval;
use crate::short_list::make_room;

/// Buckets an octave.
const PER_OCTAVE: f64 = 16.0;

/// Weights by bucket, sorted by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    buckets: Vec<(u16, f64)>,
}

fn bound_seconds(bucket: u16) -> f64 {
    ((f64::from(bucket) / PER_OCTAVE).exp2() - 1.0) / 1000.0
}

impl Spread {
    pub(crate) fn add(&mut self, millis: u64) {
        let bucket = ((millis as f64 + 1.0).log2() * PER_OCTAVE) as u16;
        self.add_weight(bucket, 1.0);
    }

    fn add_weight(&mut self, bucket: u16, weight: f64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.buckets[place].1 += weight,
            Err(place) => {
                make_room(&mut self.buckets);
                self.buckets.insert(place, (bucket, weight));
            }
        }
    }

    /// Adds another, each of whose members stands for so many.
    pub(crate) fn merge(&mut self, other: &Self, each: f64) {
        for (bucket, weight) in &other.buckets {
            self.add_weight(*bucket, *weight * each);
        }
    }

    /// A quantile in seconds with its bucket's bounds; `None` without any.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Interval> {
        let total: f64 = self.buckets.iter().map(|(_, weight)| *weight).sum();
        let mut below = 0.0;
        for (bucket, weight) in &self.buckets {
            below += *weight;
            if below >= total * quantile && total > 0.0 {
                let (low, high) = (bound_seconds(*bucket), bound_seconds(bucket.saturating_add(1)));
                return Some(Interval { value: (low + high) / 2.0, low, high });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_its_bucket() {
        let mut spread = Spread::default();
        assert_eq!(spread.quantile(0.5), None);
        for seconds in 1..=301u64 {
            spread.add(seconds * 1000);
        }
        let median = spread.quantile(0.5).expect("there are some");
        assert!(median.low <= 151.0 && 151.0 <= median.high, "{median:?}");
        assert!((median.value - 151.0).abs() < 151.0 * 0.045, "{median:?}");
        spread.add(u64::MAX);
        spread.add(0);
        assert!(spread.quantile(1.0).is_some_and(|most| most.high > 1e15));
    }

    #[test]
    fn each_member_may_stand_for_many() {
        let (mut few, mut many) = (Spread::default(), Spread::default());
        few.add(1_000);
        (0..10).for_each(|_| many.add(60_000));
        let mut both = Spread::default();
        both.merge(&few, 100.0);
        both.merge(&many, 1.0);
        assert!(both.quantile(0.5).is_some_and(|median| median.value < 2.0));
    }
}
