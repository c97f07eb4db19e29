//! Durations over time, by buckets that grow with them: small, mergeable, and right within four percent.

use super::order::interval_ranks;
use crate::window::{Column, Fold, Frame, Range};

/// Microseconds below this have a bucket each.
const SINGLE: u64 = 16;
/// Ratio of a bucket's bounds. A value in the middle of a bucket (geometrically) is at most √1.08 − 1 = 4 % off.
const RATIO: f64 = 1.08;
/// More microseconds than this (about an hour) count as this.
const LONGEST: u64 = 4_000_000_000;

/// Durations in microseconds, over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// By bucket, ascending.
    buckets: Vec<(u16, Column)>,
    /// Their sum: exact, for the mean.
    micros: Column,
}

fn bucket(micros: u64) -> u16 {
    if micros < SINGLE {
        return micros as u16;
    }
    let above = micros.min(LONGEST) as f64 / SINGLE as f64;
    SINGLE as u16 + (above.ln() / RATIO.ln()) as u16
}

/// Microseconds that stand for a bucket.
fn middle(bucket: u16) -> f64 {
    if u64::from(bucket) < SINGLE {
        return f64::from(bucket);
    }
    SINGLE as f64 * RATIO.powf(f64::from(bucket - SINGLE as u16) + 0.5)
}

impl Histogram {
    /// Counts one.
    pub(crate) fn add(&mut self, frame: &Frame, second: i64, micros: u64) {
        let number = bucket(micros);
        let place = self.buckets.partition_point(|(known, _)| *known < number);
        if self.buckets.get(place).is_none_or(|(known, _)| *known != number) {
            self.buckets.insert(place, (number, Column::default()));
        }
        self.buckets[place].1.add(frame, second, 1);
        self.micros.add(frame, second, micros);
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for (_, column) in &mut self.buckets {
            column.fold(folds);
        }
        self.micros.fold(folds);
    }

    /// Adds another one's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (number, column) in &other.buckets {
            let place = self.buckets.partition_point(|(known, _)| known < number);
            match self.buckets.get_mut(place) {
                Some((known, mine)) if known == number => mine.merge(column),
                _ => self.buckets.insert(place, (*number, column.clone())),
            }
        }
        self.micros.merge(&other.micros);
    }

    /// What was counted within a range.
    pub(crate) fn within(&self, range: &Range) -> Distribution {
        let counts: Vec<_> = self
            .buckets
            .iter()
            .map(|(number, column)| (middle(*number), column.sum(range)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let count = counts.iter().map(|(_, count)| count).sum();
        Distribution { counts, count, micros: self.micros.sum(range) }
    }
}

/// Durations of one range.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Distribution {
    /// Microseconds and how often, ascending.
    counts: Vec<(f64, u64)>,
    count: u64,
    micros: u64,
}

/// A figure in seconds with its 95 % interval; no upper end where there are too few samples for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) seconds: f64,
    pub(crate) low: f64,
    pub(crate) high: Option<f64>,
}

impl Distribution {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The value of a rank from 1.
    fn at(&self, rank: u64) -> f64 {
        let mut below = 0;
        let found = self.counts.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        found.or(self.counts.last()).map_or(0.0, |(micros, _)| micros / 1e6)
    }

    /// A quantile, with the interval by order statistics: between which two samples the true one lies. `None` where
    /// there are too few to speak of it: fewer than it takes for one to be expected beyond it.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Estimate> {
        if (self.count as f64) * (1.0 - quantile) < 1.0 {
            return None;
        }
        // The smallest value with at least this share at or below it.
        let rank = ((quantile * self.count as f64).ceil() as u64).clamp(1, self.count);
        let (low, high) = interval_ranks(self.count, quantile);
        Some(Estimate { seconds: self.at(rank), low: self.at(low), high: high.map(|high| self.at(high)) })
    }

    /// The mean, exact of what was sampled, with the interval by the central limit theorem.
    pub(crate) fn mean(&self) -> Option<Estimate> {
        if self.count < 2 {
            return None;
        }
        let count = self.count as f64;
        let mean = self.micros as f64 / count;
        let squares: f64 =
            self.counts.iter().map(|(micros, count)| (micros - mean).powi(2) * *count as f64).sum();
        let error = 1.96 * (squares / (count - 1.0) / count).sqrt();
        Some(Estimate {
            seconds: mean / 1e6,
            low: (mean - error).max(0.0) / 1e6,
            high: Some((mean + error) / 1e6),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(values: &[u64]) -> (Histogram, Range) {
        let mut frame = Frame::default();
        frame.advance(1_000);
        let mut histogram = Histogram::default();
        for value in values {
            histogram.add(&frame, 1_000, *value);
        }
        (histogram, frame.range(1_000, 60))
    }

    #[test]
    fn every_microsecond_below_sixteen_is_told_apart() {
        for micros in 0..SINGLE {
            assert_eq!(middle(bucket(micros)), micros as f64);
        }
        assert!(bucket(u64::MAX) < 400);
    }

    #[test]
    fn too_few_samples_have_no_quantile_and_a_thin_tail_has_no_upper_end() {
        let (histogram, range) = histogram(&(1..=120).collect::<Vec<_>>());
        let all = histogram.within(&range);
        assert!(all.quantile(0.999).is_none());
        assert_eq!(all.quantile(0.99).expect("more than a hundred").high, None);
        assert!(all.quantile(0.5).expect("many").high.is_some());
        assert_eq!(Distribution::default().quantile(0.5), None);
        assert_eq!(Distribution::default().mean(), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_five_percent_and_the_mean_is_exact(
            mut values in prop::collection::vec(0u64..5_000_000, 200..600),
        ) {
            let (histogram, range) = histogram(&values);
            let found = histogram.within(&range);
            values.sort_unstable();
            for quantile in [0.5, 0.95, 0.99] {
                let rank = (quantile * values.len() as f64).ceil() as usize;
                let truth = values[rank - 1] as f64 / 1e6;
                let estimate = found.quantile(quantile).expect("enough values");
                prop_assert!((estimate.seconds - truth).abs() <= 0.05 * truth, "{} for {}", estimate.seconds, truth);
                prop_assert!(estimate.low <= estimate.seconds);
                prop_assert!(estimate.high.is_none_or(|high| high >= estimate.seconds));
            }
            let mean = values.iter().sum::<u64>() as f64 / values.len() as f64 / 1e6;
            prop_assert!((found.mean().expect("enough").seconds - mean).abs() < 1e-9);
        }
    }
}
