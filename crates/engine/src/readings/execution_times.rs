//! Quantiles of the server's execution times from its own histograms, where the slow log is not sampled.

use cachescope_model::reading::{Reading, Readings};

use super::execution::QUANTILES;
use super::reasons::Reason;
use super::view::{LEAST_SECONDS, View};
use crate::command_times::{SERVER_SCALE, STALE_AFTER_MILLIS, merged};
use crate::engine::Engine;
use crate::window::{Count, Counts, Range, total};

/// Execution times by command over the window.
#[derive(Clone, Debug, Default)]
pub(super) struct TimesView {
    /// By bucket, in the order of the table of read commands.
    pub(super) by_command: Vec<Counts>,
    /// Of all of them.
    pub(super) all: Counts,
    /// Seconds for which they are known.
    pub(super) seconds: f64,
    /// Why there are none.
    pub(super) why_not: Option<Reason>,
    /// What they leave out.
    remark: Option<String>,
}

impl TimesView {
    pub(super) fn new(engine: &Engine, now_ms: i64, seconds: u32, no_info: &Reason) -> Self {
        let times = &engine.command_times;
        let end_ms = times.known_to_ms(now_ms).unwrap_or(now_ms);
        let range = engine.frame.range((end_ms - 1).div_euclid(1000), seconds);
        let by_command = times.counts(&range);
        let all = merged(&by_command);
        let mut view = Self {
            by_command,
            all,
            seconds: times.covered_seconds(&range),
            why_not: None,
            remark: times.why_not().map(|why| format!("not of every server: {why}")),
        };
        view.why_not = view.reason(engine, &range, now_ms, no_info);
        view
    }

    fn reason(&self, engine: &Engine, range: &Range, now_ms: i64, no_info: &Reason) -> Option<Reason> {
        let times = &engine.command_times;
        if self.seconds >= LEAST_SECONDS {
            if total(&self.all) > 0.0 {
                return None;
            }
            let ran = engine.server.tally.sum(Count::ReadCalls, range) > 0;
            return Some(if ran {
                "read commands ran and the server timed none of them; CONFIG SET latency-tracking yes".into()
            } else {
                "no read command ran in this window".into()
            });
        }
        Some(match (times.why_not(), times.known_to_ms(now_ms), engine.server.newest_ms()) {
            (Some(why), ..) => format!("quantiles need LATENCY HISTOGRAM: {why}").into(),
            (None, Some(_), _) => {
                "LATENCY HISTOGRAM has answered once; quantiles need a second answer".into()
            }
            (None, None, Some(newest)) if now_ms - newest <= STALE_AFTER_MILLIS => {
                "the first LATENCY HISTOGRAM is being read".into()
            }
            (None, None, None) if engine.server.exporter.newest_ms().is_some() => {
                "quantiles need LATENCY HISTOGRAM, which redis_exporter does not report: connect to Redis"
                    .into()
            }
            _ => no_info.clone(),
        })
    }
}

/// Puts them in the place of quantiles that are missing.
pub(super) fn of_instance(view: &View<'_>, readings: &mut Readings) {
    let times = &view.times;
    for (kind, quantile) in QUANTILES {
        if readings.get(&kind).is_some_and(|reading| reading.value.is_some()) {
            continue;
        }
        let reading = match (&times.why_not, SERVER_SCALE.quantile(quantile, &times.all)) {
            (None, Some(found)) => {
                let source = "LATENCY HISTOGRAM";
                let reading = Reading::estimated(found.seconds, found.low, found.high, source, times.seconds);
                match &times.remark {
                    Some(remark) => reading.with_reason(remark.clone()),
                    None => reading,
                }
            }
            (why_not, _) => Reading::unavailable(why_not.clone().unwrap_or_default()),
        };
        readings.insert(kind, reading);
    }
}
