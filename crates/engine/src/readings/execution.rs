//! How long commands run inside the server, without queue and network.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::words::Words;

use super::execution_times;
use super::view::View;
use crate::engine::Engine;
use crate::execution::{Distribution, Estimate};
use crate::rows::Row;
use crate::window::{Count, Range};

pub(super) const QUANTILES: [(R, f64); 3] =
    [(R::ExecutionP50Seconds, 0.5), (R::ExecutionP95Seconds, 0.95), (R::ExecutionP99Seconds, 0.99)];
const NO_UPPER_END: &str = "too few reads were sampled to say how much higher it may be";

/// What the slow-log sample says about the window, and what is the same for every row.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    /// How its figures are called: with the share of the commands that was sampled.
    source: String,
    /// Why there are none.
    missing: Words,
    seen: u64,
}

impl Sampled {
    pub(super) fn new(engine: &Engine, range: &Range, missing: Words) -> Self {
        let tally = &engine.executions.tally;
        let seen = tally.sum(Count::ExecutionsSeen, range);
        let missed = tally.sum(Count::ExecutionsMissed, range);
        let all = engine.server.tally.sum(Count::ServerCommands, range).max(seen + missed);
        let share = 100.0 * seen as f64 / (all.max(1) as f64);
        let source = match share {
            share if share >= 99.5 => format!("slow-log sample of all {seen} commands"),
            share if share >= 1.0 => format!("slow-log sample of {share:.0} % of {all} commands"),
            share => format!("slow-log sample of {share:.2} % of {all} commands"),
        };
        Self { source, missing, seen }
    }

    /// Whether the slow log was sampled within the window.
    pub(super) fn is_there(&self) -> bool {
        self.seen > 0
    }
}

pub(super) fn of_row(view: &View<'_>, row: &Row, readings: &mut Readings) {
    let sampled = &view.sampled;
    let found = row.executions.as_ref().map(|executions| executions.within(&view.events_range));
    let found = found.unwrap_or_default();
    readings.insert(R::ExecutionMeanSeconds, mean(&found, sampled, view));
    quantiles(&found, sampled, view, readings, || missing(sampled));
}

/// `mean` is INFO's, over its read commands.
pub(super) fn of_instance(engine: &Engine, view: &View<'_>, mean: Reading, readings: &mut Readings) {
    readings.insert(R::ExecutionMeanSeconds, mean);
    let found = engine.executions.reads.within(&view.events_range);
    quantiles(&found, &view.sampled, view, readings, || missing(&view.sampled));
    execution_times::of_instance(view, readings);
}

fn missing(sampled: &Sampled) -> Words {
    if sampled.seen > 0 {
        "no read of it was among the commands that the slow-log sample saw in this window".into()
    } else {
        sampled.missing.clone()
    }
}

fn mean(found: &Distribution, sampled: &Sampled, view: &View<'_>) -> Reading {
    match found.mean() {
        Some(mean) => reading(mean, sampled, view),
        None if sampled.seen > 0 => Reading::unavailable(
            "fewer than two reads of it were among the commands that the slow-log sample saw in this window",
        ),
        None => Reading::unavailable(sampled.missing.clone()),
    }
}

fn quantiles(
    found: &Distribution,
    sampled: &Sampled,
    view: &View<'_>,
    readings: &mut Readings,
    missing: impl Fn() -> Words,
) {
    for (kind, quantile) in QUANTILES {
        let reading = match found.quantile(quantile) {
            Some(estimate) => reading(estimate, sampled, view),
            None if found.count() > 0 => {
                let least = (1.0 / (1.0 - quantile)).ceil();
                Reading::unavailable(format!(
                    "{} reads were sampled in this window; this figure needs {least} at least",
                    found.count()
                ))
            }
            None => Reading::unavailable(missing()),
        };
        readings.insert(kind, reading);
    }
}

fn reading(estimate: Estimate, sampled: &Sampled, view: &View<'_>) -> Reading {
    let high = estimate.high.unwrap_or(estimate.seconds);
    let seconds = view.events_range.seconds_until(view.now_ms);
    let mut reading =
        Reading::estimated(estimate.seconds, estimate.low, high, sampled.source.clone(), seconds);
    if estimate.high.is_none() {
        reading.high = None;
        reading = reading.with_reason(NO_UPPER_END);
    }
    reading
}
