//! Latency as clients feel it, from the application's histograms or summaries.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind;

use super::application::Figures;
use super::reasons::Reason;
use super::view::View;
use crate::applications::Carrier;
use crate::applications::latency;
use crate::applications::latency::{Histogram, merge_counts};

const QUANTILES: [(ReadingKind, f64); 3] = [
    (ReadingKind::LatencyP50Seconds, 0.5),
    (ReadingKind::LatencyP95Seconds, 0.95),
    (ReadingKind::LatencyP99Seconds, 0.99),
];

/// Adds the latency readings of these carriers; `nothing` says why where there are none.
pub(super) fn readings<'c>(
    view: &View<'_>,
    carriers: impl Iterator<Item = &'c Carrier>,
    figures: &Result<Figures, Reason>,
    nothing: &'static str,
    readings: &mut Readings,
) {
    let figures = match figures {
        Ok(figures) => figures,
        Err(reason) => {
            for (kind, _) in QUANTILES {
                readings.insert(kind, Reading::unavailable(reason.clone()));
            }
            readings.insert(ReadingKind::LatencyMeanSeconds, Reading::unavailable(reason.clone()));
            return;
        }
    };
    let mut counts = Vec::new();
    let mut histograms: Vec<&Histogram> = Vec::new();
    for carrier in carriers {
        let Some(way) = carrier.origin.chosen() else { continue };
        let Some(way) = &view.ways[way as usize] else { continue };
        if way.fresh || !carrier.origin.is_silent(view.now_ms) {
            merge_counts(&mut counts, carrier.histogram.counts(&way.range));
            histograms.push(&carrier.histogram);
        }
    }
    for (kind, quantile) in QUANTILES {
        let summary = || {
            let slowest = histograms.iter().filter_map(|histogram| histogram.summary(quantile, view.now_ms));
            slowest.reduce(f64::max)
        };
        let reading = match latency::quantile(quantile, &counts) {
            Some(found) => in_company(latency::reading(found, figures.seconds), figures),
            None => match summary() {
                Some(seconds) => Reading::modelled(
                    seconds,
                    "computed by the application over a window of its own choosing; of several instances the \
                     slowest is shown, for their quantiles can't be merged",
                    "application summary",
                    figures.seconds,
                ),
                None if counts.is_empty() => Reading::unavailable(nothing),
                None => Reading::unavailable("no reads were timed in this window"),
            },
        };
        readings.insert(kind, reading);
    }
    let mean = if figures.timed > 0.0 {
        let mean = figures.nanos / figures.timed / 1e9;
        in_company(Reading::exact(mean, "application histogram", figures.seconds), figures)
    } else if counts.is_empty() {
        Reading::unavailable(nothing)
    } else {
        Reading::unavailable("no reads were timed in this window")
    };
    readings.insert(ReadingKind::LatencyMeanSeconds, mean);
}

/// Where the application times several namespaces together, one of them is as fast as all by assumption.
fn in_company(reading: Reading, figures: &Figures) -> Reading {
    match (&figures.shared, reading.value) {
        (Some(label), Some(value)) => Reading::modelled(
            value,
            format!("it is as fast as everything the application times under {label:?}"),
            reading.source,
            reading.window_seconds,
        ),
        _ => reading,
    }
}
