//! Latency from our own round trips, where no application tells its own.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;

use super::reasons::Reason;
use super::view::{LEAST_SECONDS, View};
use crate::engine::Engine;
use crate::probes::{Probed, TRIP_SCALE, bounds_of, least_samples};
use crate::rows::Row;
use crate::window::{Counts, Range, add_counts, total};

const SOURCE: &str = "our own probe";
const NEITHER: &str = "needs the application's own latency histogram by namespace (connect its metrics page or a \
                       Prometheus that scrapes it), or our own round trips: switch on the source probe";
const QUANTILES: [(R, f64); 3] =
    [(R::LatencyP50Seconds, 0.5), (R::LatencyP95Seconds, 0.95), (R::LatencyP99Seconds, 0.99)];

/// Round trips over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Trips {
    counts: Counts,
    seconds: f64,
    without_value: f64,
    since_ms: Option<i64>,
    /// How many namespaces they were made on.
    namespaces: usize,
}

impl Trips {
    fn add(&mut self, probed: &Probed, range: &Range) {
        let counts = probed.trips.counts(range);
        if !counts.is_empty() {
            self.namespaces += 1;
            self.since_ms = [self.since_ms, probed.since_ms].into_iter().flatten().min();
            add_counts(&mut self.counts, &counts, 1.0);
            self.seconds += probed.nanos.sum(range) as f64 / 1e9;
            self.without_value += probed.without_value.sum(range) as f64;
        }
    }
}

/// Puts our own round trips on a row's keys in the place of latencies that are missing.
pub(super) fn of_row(view: &View<'_>, row: &Row, readings: &mut Readings) {
    let mut trips = Trips::default();
    if let Some(probed) = &row.probed {
        trips.add(probed, &view.events_range);
    }
    fill(view, &trips, false, readings);
}

/// The same for the whole deployment.
pub(super) fn of_instance(engine: &Engine, view: &View<'_>, readings: &mut Readings) {
    let mut trips = Trips::default();
    for probed in engine.rows.live().filter_map(|(_, row)| row.probed.as_deref()) {
        trips.add(probed, &view.events_range);
    }
    fill(view, &trips, true, readings);
}

fn fill(view: &View<'_>, trips: &Trips, pooled: bool, readings: &mut Readings) {
    let samples = total(&trips.counts);
    let missing = |readings: &Readings, kind: R| {
        readings.get(&kind).filter(|reading| reading.value.is_none()).map(|reading| reading.reason.clone())
    };
    let since = trips.since_ms.map_or(f64::INFINITY, |since_ms| (view.now_ms - since_ms) as f64 / 1000.0);
    let seconds = view.events_range.seconds_until(view.now_ms).min(since).max(LEAST_SECONDS);
    for (kind, quantile) in QUANTILES {
        let Some(reason) = missing(readings, kind) else { continue };
        let reading = match of_quantile(trips, quantile, samples, seconds) {
            Some(reading) => in_words(reading, trips, pooled, samples),
            None => instead(view, reason.unwrap_or_default(), samples, least_samples(quantile)),
        };
        readings.insert(kind, reading);
    }
    if let Some(reason) = missing(readings, R::LatencyMeanSeconds) {
        let reading = match mean(trips, samples, seconds) {
            Some(reading) => in_words(reading, trips, pooled, samples),
            None => instead(view, reason.unwrap_or_default(), samples, least_samples(0.5)),
        };
        readings.insert(R::LatencyMeanSeconds, reading);
    }
}

fn instead(view: &View<'_>, reason: Reason, samples: f64, least: f64) -> Reading {
    if samples > 0.0 {
        return Reading::unavailable(format!(
            "{reason}; our own probe made {samples:.0} round trips in this window, this needs {least:.0}"
        ));
    }
    Reading::unavailable(match (&reason, &view.reasons.probe) {
        // Thousands of rows say the same: what is always the same costs no memory.
        (application, probe) if application.is_fixed() && probe.is_fixed() => {
            if *application == view.reasons.metrics { NEITHER.into() } else { reason }
        }
        (_, probe) => format!("{reason}; {probe}").into(),
    })
}

fn in_words(reading: Reading, trips: &Trips, pooled: bool, samples: f64) -> Reading {
    let mut remark = format!("{samples:.0} round trips of our own, from this machine");
    if pooled && trips.namespaces > 1 {
        remark
            .push_str(&format!(", on keys of {} namespaces alike, whatever their traffic", trips.namespaces));
    }
    if trips.without_value >= samples {
        remark.push_str("; TYPE instead of GET, without the value");
    } else if trips.without_value > 0.0 {
        let share = trips.without_value / samples * 100.0;
        remark.push_str(&format!("; {share:.0} % of them TYPE instead of GET, without the value"));
    }
    if reading.high.is_none() {
        remark.push_str("; too few to tell how much higher it may be");
    }
    reading.with_reason(remark)
}

fn of_quantile(trips: &Trips, quantile: f64, samples: f64, seconds: f64) -> Option<Reading> {
    if samples < least_samples(quantile) {
        return None;
    }
    let found = TRIP_SCALE.quantile(quantile, &trips.counts)?;
    let (low, high) = bounds_of(quantile, samples as u64);
    let at = |rank: u64| TRIP_SCALE.at_rank(rank as f64, &trips.counts);
    let low = low.and_then(at).map_or(0.0, |found| found.low);
    let high = high.and_then(at).map(|found| found.high);
    let mut reading = Reading::estimated(found.seconds, low, high.unwrap_or(found.seconds), SOURCE, seconds);
    reading.high = high;
    Some(reading)
}

/// The mean, with the normal interval of its standard error.
fn mean(trips: &Trips, samples: f64, seconds: f64) -> Option<Reading> {
    if samples < least_samples(0.5) {
        return None;
    }
    let mean = trips.seconds / samples;
    let spread = |(bucket, count): &(u16, f64)| {
        let middle = (TRIP_SCALE.lower(*bucket) + TRIP_SCALE.upper(*bucket)) / 2.0;
        count * (middle - mean).powi(2)
    };
    let variance = trips.counts.iter().map(spread).sum::<f64>() / (samples - 1.0);
    let half = crate::scan::student_t(samples - 1.0) * (variance / samples).sqrt();
    Some(Reading::estimated(mean, (mean - half).max(0.0), mean + half, SOURCE, seconds))
}
