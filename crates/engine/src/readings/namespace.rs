//! The readings of one row.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::snapshot::{MissCauses, NamespaceOrigin, NamespaceSnapshot};

use super::application::Figures;
use super::reasons::Reason;
use super::view::View;
use super::{application, causes, event_rates, execution, execution_model, latency, probed, scanned};
use crate::engine::Engine;
use crate::rows::{OTHER, Row};
use crate::sample::Estimate;
use crate::window::Count;

const NO_LATENCY: &str =
    "the application's latency histogram has no label for namespaces: add one, or switch on the source probe";

/// Fills in a row's snapshot, whichever row's stood there before. `readings` is room to work in.
pub(super) fn fill(
    engine: &Engine,
    view: &View<'_>,
    (number, row): (u32, &Row),
    readings: &mut Readings,
    into: &mut NamespaceSnapshot,
) {
    row.template.as_ref().clone_into(&mut into.namespace);
    into.title.clone_from(&row.title);
    into.origin = if number == OTHER { NamespaceOrigin::Other } else { row.origin };
    into.documented_ttl_seconds = row.documented_ttl_seconds;
    into.hit_rate_target = row.hit_rate_target;
    into.miss_causes = causes(&row.tally, &view.events_range);
    readings.clear();
    let figures = if number == OTHER {
        Err("what belongs to no namespace has no counters of its own".into())
    } else {
        application::of_row(engine, view, row)
    };
    let sample = view.sample.of_row(row);
    traffic(view, &figures, &sample, &into.miss_causes, readings);
    removals(view, row, &figures, readings);
    let carriers = row.carriers.iter().map(|number| &engine.applications.carriers[*number as usize]);
    latency::readings(view, carriers, &figures, NO_LATENCY, readings);
    execution::of_row(view, row, readings);
    probed::of_row(view, row, readings);
    execution_model::of_row(engine, view, row, readings);
    scanned::of_row(engine, view, number, row, readings);
    into.readings.fill(readings, |reading| view.repeated.told(reading));
}

/// Lookups, hits and misses: as the application counts them, otherwise by the sample of the commands; misses
/// by events before either.
fn traffic(
    view: &View<'_>,
    figures: &Result<Figures, Reason>,
    sample: &Result<Estimate, Reason>,
    misses: &MissCauses,
    readings: &mut Readings,
) {
    let counted = event_rates::rate(&view.events[0], misses.total() as f64);
    let known = counted.as_ref().and_then(|counted| counted.low).unwrap_or(0.0);
    let (hit_rate, lookups) = match (figures, sample) {
        (Ok(figures), _) if figures.shared.is_none() => (figures.hit_rate(), figures.rate(figures.lookups())),
        (_, Ok(estimate)) => (view.sample.hit_rate(estimate), view.sample.rate(estimate.lookups, known)),
        (Ok(figures), Err(_)) => (figures.hit_rate(), figures.rate(figures.lookups())),
        (Err(application), Err(sample)) => {
            let neither = view.reasons.neither(application, sample);
            (Reading::unavailable(neither.clone()), Reading::unavailable(neither))
        }
    };
    readings.insert(R::HitRate, hit_rate);
    readings.insert(R::LookupsPerSecond, lookups);
    let by_application = || figures.as_ref().ok().map(|figures| figures.rate(figures.misses));
    let by_sample = || {
        let misses = sample.as_ref().ok()?.sampled_misses?;
        Some(view.sample.rate(misses, 0.0))
    };
    let neither = || Reading::unavailable(view.reasons.events[0].clone());
    let misses = counted.or_else(by_application).or_else(by_sample).unwrap_or_else(neither);
    readings.insert(R::MissesPerSecond, misses);
}

fn removals(view: &View<'_>, row: &Row, figures: &Result<Figures, Reason>, readings: &mut Readings) {
    let count = |count: Count| row.tally.sum(count, &view.events_range) as f64;
    let by_application = || {
        let figures = figures.as_ref().ok().filter(|figures| figures.evictions > 0.0)?;
        Some(figures.rate(figures.evictions))
    };
    let evictions = event_rates::rate(&view.events[1], count(Count::Evicted))
        .or_else(by_application)
        .unwrap_or_else(|| Reading::unavailable(view.reasons.events[1].clone()));
    readings.insert(R::EvictionRatio, event_rates::ratio(&evictions, &readings[&R::LookupsPerSecond]));
    readings.insert(R::EvictionsPerSecond, evictions);
    let expirations = event_rates::rate(&view.events[2], count(Count::Expired))
        .unwrap_or_else(|| Reading::unavailable(view.reasons.events[2].clone()));
    readings.insert(R::ExpirationsPerSecond, expirations);
}
