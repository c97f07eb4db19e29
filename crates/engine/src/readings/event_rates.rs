//! Rates from keyspace events: exact while every event arrives, an interval where some did not.

use cachescope_model::reading::Reading;

use super::view::{EventView, LEAST_SECONDS};

const SOURCE: &str = "keyspace events";

/// Events of one kind per second; `None` where they are not received for long enough to tell.
///
/// Where events are missing, the low end counts what arrived, the high end adds everything that is missing
/// anywhere: nobody knows whose it is.
pub(super) fn rate(view: &EventView, count: f64) -> Option<Reading> {
    if view.seconds < LEAST_SECONDS {
        return None;
    }
    let value = count / view.seconds;
    Some(match &view.remark {
        None => Reading::exact(value, SOURCE, view.seconds),
        Some(remark) => {
            let span = view.span.max(view.seconds);
            let high = ((count + view.missing) / span).max(value);
            Reading::estimated(value, (count / span).min(value), high, SOURCE, view.seconds)
                .with_reason(remark.clone())
        }
    })
}

/// Evictions ÷ lookups from two rates; as sure as the less sure of the two.
pub(super) fn ratio(evictions: &Reading, lookups: &Reading) -> Reading {
    let (Some(evicted), Some(looked_up)) = (evictions.value, lookups.value) else {
        let missing = if evictions.value.is_none() { evictions } else { lookups };
        let reason = missing.reason.clone().unwrap_or_default();
        return Reading::unavailable(reason);
    };
    if looked_up <= 0.0 {
        return Reading::unavailable(super::application::NO_TRAFFIC);
    }
    let value = evicted / looked_up;
    let source = if evictions.source == lookups.source {
        evictions.source.clone()
    } else {
        format!("{} and {}", evictions.source, lookups.source).into()
    };
    let seconds = evictions.window_seconds.min(lookups.window_seconds);
    let remark = evictions.reason.clone().or_else(|| lookups.reason.clone());
    let ends = [evictions.low, evictions.high, lookups.low, lookups.high];
    if evictions.high.is_some_and(|high| high > 0.0) && lookups.low == Some(0.0) {
        return Reading::unavailable("too few of its lookups were sampled to divide by");
    }
    let exact = [evictions, lookups].iter().all(|reading| reading.low == reading.high);
    let reading = match ends {
        [Some(low), Some(high), Some(few), Some(many)] if !exact => {
            let most = if high > 0.0 { high / few } else { 0.0 };
            Reading::estimated(value, low / many, most, source, seconds)
        }
        _ => Reading::exact(value, source, seconds),
    };
    match remark {
        Some(remark) => reading.with_reason(remark),
        None => reading,
    }
}
