//! Buckets whose bounds grow by a constant factor, and the quantiles of what was counted in them.

use crate::window::{Counts, total};

/// The highest bucket of any scale.
const LAST: u16 = 512;

/// Where the bounds of buckets are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// Upper bound of bucket 0, in seconds; it begins at 0.
    pub(crate) first: f64,
    /// Buckets within which a bound doubles.
    pub(crate) per_octave: f64,
}

/// A quantile and the bounds of the bucket that it lies in, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) seconds: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Scale {
    /// The bucket in which a duration lies; bounds belong to the bucket below them.
    pub(crate) fn bucket(&self, seconds: f64) -> u16 {
        if seconds.is_nan() || seconds <= self.first {
            return 0;
        }
        let place = ((seconds / self.first).log2() * self.per_octave).ceil();
        if place >= f64::from(LAST) { LAST } else { place as u16 }
    }

    /// Where a bucket ends.
    pub(crate) fn upper(&self, bucket: u16) -> f64 {
        self.first * (f64::from(bucket) / self.per_octave).exp2()
    }

    /// Where a bucket begins.
    pub(crate) fn lower(&self, bucket: u16) -> f64 {
        bucket.checked_sub(1).map_or(0.0, |below| self.upper(below))
    }

    /// The quantile of what was counted: interpolated within the bucket in which the rank falls, along the
    /// logarithm as Prometheus does for its native histograms, in the first bucket evenly. `None` where nothing
    /// was counted.
    pub(crate) fn quantile(&self, quantile: f64, counts: &Counts) -> Option<Found> {
        self.at_rank(quantile * total(counts), counts)
    }

    /// The value of which `rank` counts are not above it.
    pub(crate) fn at_rank(&self, rank: f64, counts: &Counts) -> Option<Found> {
        let last = counts.iter().rposition(|(_, count)| *count > 0.0)?;
        let mut below = 0.0;
        for (place, (bucket, count)) in counts.iter().enumerate() {
            if *count > 0.0 && (below + count >= rank || place == last) {
                let (low, high) = (self.lower(*bucket), self.upper(*bucket));
                let within = ((rank - below) / count).clamp(0.0, 1.0);
                let seconds =
                    if low > 0.0 { low * (high / low).powf(within) } else { low + (high - low) * within };
                return Some(Found { seconds: seconds.clamp(low, high), low, high });
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOUBLING: Scale = Scale { first: 1.0, per_octave: 1.0 };

    #[test]
    fn quantiles_are_interpolated_within_their_bucket() {
        // Buckets end at 1, 2, 4, 8; nothing lies in the third.
        let counts = vec![(0, 10.0), (1, 20.0), (3, 10.0)];
        for (quantile, seconds, low, high) in [
            (0.125, 0.5, 0.0, 1.0),
            (0.25, 1.0, 0.0, 1.0),
            (0.5, 2f64.sqrt(), 1.0, 2.0),
            (0.75, 2.0, 1.0, 2.0),
            (0.875, 4.0 * 2f64.sqrt(), 4.0, 8.0),
            (1.0, 8.0, 4.0, 8.0),
        ] {
            let found = DOUBLING.quantile(quantile, &counts).expect("there are counts");
            assert!((found.seconds - seconds).abs() < 1e-12, "{quantile}: {found:?}");
            assert_eq!((found.low, found.high), (low, high), "{quantile}");
        }
        assert_eq!(DOUBLING.quantile(0.5, &Vec::new()), None);
        assert_eq!(DOUBLING.quantile(0.5, &vec![(3, 0.0)]), None);
    }

    proptest! {
        #[test]
        fn a_duration_lies_in_its_bucket(seconds in 1e-7f64..1e3, per_octave in 1u8..9) {
            let scale = Scale { first: 1e-6, per_octave: f64::from(per_octave) };
            let bucket = scale.bucket(seconds);
            prop_assert!(scale.lower(bucket) * (1.0 - 1e-9) <= seconds);
            prop_assert!(seconds <= scale.upper(bucket) * (1.0 + 1e-9));
        }

        #[test]
        fn a_quantile_of_many_durations_is_within_its_bounds_and_grows(
            durations in proptest::collection::vec(1e-6f64..10.0, 1..200),
        ) {
            let scale = Scale { first: 1e-5, per_octave: 8.0 };
            let mut counts = Counts::new();
            for seconds in &durations {
                crate::window::add_counts(&mut counts, &vec![(scale.bucket(*seconds), 1.0)], 1.0);
            }
            let mut sorted = durations.clone();
            sorted.sort_by(f64::total_cmp);
            let mut last = 0.0;
            for quantile in [0.01, 0.5, 0.95, 0.99] {
                let found = scale.quantile(quantile, &counts).expect("there are counts");
                let rank = ((quantile * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
                prop_assert!(found.low <= sorted[rank - 1] && sorted[rank - 1] <= found.high * (1.0 + 1e-9));
                prop_assert!(found.low <= found.seconds && found.seconds <= found.high);
                prop_assert!(found.seconds >= last);
                last = found.seconds;
            }
        }
    }
}
