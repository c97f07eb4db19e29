//! Latency from histograms by bucket deltas, and from summaries as the application computed it.

use cachescope_model::reading::Reading;

use crate::window::{Column, Fold, Frame, Range};

/// Buckets of one histogram kept; Prometheus's clients come with 10 to 30.
const MOST_BUCKETS: usize = 64;
/// Summary series kept for one namespace.
const MOST_QUANTILES: usize = 32;
/// A quantile older than this is not shown.
const STALE_AFTER_MILLIS: i64 = 90_000;

/// Counts of a classic histogram, cumulative over bounds as Prometheus has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// Upper bounds in seconds, ascending.
    buckets: Vec<(f64, Column)>,
    quantiles: Vec<SummaryQuantile>,
}

#[derive(Clone, Copy, Debug)]
struct SummaryQuantile {
    series: u128,
    quantile: f64,
    seconds: f64,
    at_ms: i64,
}

/// A quantile and the bounds of the bucket that it lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quantile {
    pub(crate) seconds: f64,
    pub(crate) low: f64,
    /// `None` beyond the largest bound.
    pub(crate) high: Option<f64>,
}

impl Histogram {
    /// Spreads the increase of one bucket's cumulative count.
    pub(crate) fn spread(&mut self, frame: &Frame, bound: f64, from_ms: i64, to_ms: i64, amount: u64) {
        let place = self.buckets.partition_point(|(known, _)| *known < bound);
        if self.buckets.get(place).is_none_or(|(known, _)| *known != bound) {
            // The overflow bucket has to fit in any case: without it there is no quantile.
            if self.buckets.len() >= MOST_BUCKETS && bound.is_finite() {
                return;
            }
            self.buckets.insert(place, (bound, Column::default()));
        }
        self.buckets[place].1.spread(frame, from_ms, to_ms, amount);
    }

    /// Notes a summary's quantile.
    pub(crate) fn note(&mut self, series: u128, quantile: f64, seconds: f64, at_ms: i64) {
        let entry = SummaryQuantile { series, quantile, seconds, at_ms };
        if let Some(known) = self.quantiles.iter_mut().find(|known| known.series == series) {
            *known = entry;
        } else if self.quantiles.len() < MOST_QUANTILES {
            self.quantiles.push(entry);
        }
    }

    /// Bounds with their counts over these slots.
    pub(crate) fn counts(&self, range: &Range) -> Vec<(f64, f64)> {
        self.buckets.iter().map(|(bound, column)| (*bound, column.sum(range) as f64)).collect()
    }

    /// Bounds with their counts over any interval.
    pub(crate) fn counts_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> Vec<(f64, f64)> {
        self.buckets.iter().map(|(bound, column)| (*bound, column.between(frame, from_ms, to_ms))).collect()
    }

    /// The largest of the instances' own quantiles: they can't be merged.
    pub(crate) fn summary(&self, quantile: f64, now_ms: i64) -> Option<f64> {
        let fresh = self.quantiles.iter().filter(|entry| {
            (entry.quantile - quantile).abs() < 1e-9
                && now_ms.saturating_sub(entry.at_ms) <= STALE_AFTER_MILLIS
        });
        fresh.map(|entry| entry.seconds).filter(|seconds| seconds.is_finite()).reduce(f64::max)
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for (_, column) in &mut self.buckets {
            column.fold(folds);
        }
    }
}

/// Adds the counts of several histograms, bound by bound.
pub(crate) fn merge_counts(into: &mut Vec<(f64, f64)>, more: Vec<(f64, f64)>) {
    for (bound, count) in more {
        let place = into.partition_point(|(known, _)| *known < bound);
        match into.get_mut(place) {
            Some(entry) if entry.0 == bound => entry.1 += count,
            _ => into.insert(place, (bound, count)),
        }
    }
}

/// Prometheus's `histogram_quantile` for classic histograms (its `promql/quantile.go`, `BucketQuantile`):
/// linear interpolation within the bucket in which the rank falls, from 0 for the lowest one, and the largest
/// finite bound where it falls beyond. Counts are made monotonic first, as there.
///
/// `None` without an overflow bucket, with fewer than two buckets, or without observations.
pub(crate) fn quantile(quantile: f64, buckets: &[(f64, f64)]) -> Option<Quantile> {
    let mut buckets = buckets.to_vec();
    let last = buckets.len().checked_sub(1)?;
    if last == 0 || buckets[last].0 != f64::INFINITY {
        return None;
    }
    let mut highest = 0.0f64;
    for (_, count) in &mut buckets {
        highest = highest.max(*count);
        *count = highest;
    }
    if highest <= 0.0 {
        return None;
    }
    let rank = quantile * highest;
    let place = buckets[..last].iter().position(|(_, count)| *count >= rank).unwrap_or(last);
    if place == last {
        let bound = buckets[last - 1].0;
        return Some(Quantile { seconds: bound, low: bound, high: None });
    }
    let (end, count) = buckets[place];
    if place == 0 && end <= 0.0 {
        return Some(Quantile { seconds: end, low: end, high: Some(end) });
    }
    let (start, below) = if place == 0 { (0.0, 0.0) } else { buckets[place - 1] };
    let within = count - below;
    let seconds = if within > 0.0 { start + (end - start) * ((rank - below) / within) } else { end };
    Some(Quantile { seconds, low: start, high: Some(end) })
}

/// A quantile as a reading.
pub(crate) fn reading(quantile: Quantile, window_seconds: f64) -> Reading {
    let source = "application histogram";
    if quantile.seconds < 0.0 {
        return Reading::unavailable(
            "the application's histogram has bounds below 0: it does not measure durations",
        );
    }
    match quantile.high {
        Some(high) => Reading::estimated(quantile.seconds, quantile.low, high, source, window_seconds),
        None => {
            let mut reading =
                Reading::estimated(quantile.seconds, quantile.low, quantile.low, source, window_seconds);
            reading.high = None;
            reading.with_reason(
                "slower than the histogram's largest bound: at least this, nobody knows how much more",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_those_of_prometheus() {
        // Worked by hand from the definition: rank = q · count, interpolated within its bucket.
        let buckets = vec![(0.1, 10.0), (0.5, 30.0), (1.0, 40.0), (INF, 50.0)];
        for (q, seconds, low, high) in [
            (0.1, 0.05, 0.0, Some(0.1)),
            (0.2, 0.1, 0.0, Some(0.1)),
            (0.5, 0.4, 0.1, Some(0.5)),
            (0.7, 0.75, 0.5, Some(1.0)),
            (0.99, 1.0, 1.0, None),
        ] {
            let found = quantile(q, &buckets).expect("there are observations");
            assert!((found.seconds - seconds).abs() < 1e-12, "q {q}: {found:?}");
            assert_eq!((found.low, found.high), (low, high), "q {q}");
        }
        assert_eq!(quantile(0.5, &[]), None);
        assert_eq!(quantile(0.5, &[(INF, 3.0)]), None);
        assert_eq!(quantile(0.5, &[(0.1, 3.0), (0.2, 3.0)]), None, "no overflow bucket");
        assert_eq!(quantile(0.5, &[(0.1, 0.0), (INF, 0.0)]), None, "no observations");
        // Counts that go back between scrapes of different buckets are made monotonic.
        let uneven = quantile(0.5, &[(0.1, 10.0), (0.5, 8.0), (INF, 10.0)]).expect("ten observations");
        assert!((uneven.seconds - 0.05).abs() < 1e-12, "{uneven:?}");
    }

    #[test]
    fn a_histogram_with_negative_bounds_is_no_duration() {
        let quantile = quantile(0.5, &[(-1.0, 10.0), (INF, 10.0)]).expect("ten observations");
        let reading = reading(quantile, 60.0);
        assert!(reading.value.is_none() && reading.reason.is_some(), "{reading:?}");
    }

    #[test]
    fn of_a_summary_the_slowest_instance_is_shown() {
        let mut histogram = Histogram::default();
        histogram.note(1, 0.99, 0.010, 1_000);
        histogram.note(2, 0.99, 0.030, 1_000);
        histogram.note(4, 0.5, 0.5, 1_000);
        histogram.note(3, 0.99, f64::NAN, 1_000);
        assert_eq!(histogram.summary(0.99, 2_000), Some(0.030));
        assert_eq!(histogram.summary(0.99, 200_000), None);
    }
}
