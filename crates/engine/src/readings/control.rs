//! Control totals: what was counted by key or by label, against what the server counted in total.

use cachescope_model::snapshot::ControlTotal;

use super::application;
use super::view::{LEAST_SECONDS, View};
use crate::engine::Engine;
use crate::sample::TOLERATED;
use crate::server::PAIRS;
use crate::window::Count;

/// Applications and server count at different moments, and not every client is the application: within this
/// share they agree.
const APPLICATION_TOLERANCE: f64 = 0.02;

const KINDS: [&str; 3] = ["misses", "evictions", "expirations"];

/// Every comparison that can be made.
pub(super) fn totals(engine: &Engine, view: &View<'_>) -> Vec<ControlTotal> {
    let mut totals: Vec<_> = (0..3).filter_map(|kind| events(engine, view, kind)).collect();
    totals.extend(applications(engine, view));
    totals.extend(sample(view));
    totals
}

/// Events against INFO over the intervals between INFO replies in which events were due. The two are never
/// read at the same instant: within what one interval holds they agree.
fn events(engine: &Engine, view: &View<'_>, kind: usize) -> Option<ControlTotal> {
    if view.events[kind].seconds < LEAST_SECONDS && view.events[kind].span < LEAST_SECONDS {
        return None;
    }
    let tally = &engine.server.tally;
    let server = tally.sum(PAIRS[kind].0, &view.events_range) as f64;
    let counted = tally.sum(PAIRS[kind].1, &view.events_range) as f64;
    let tolerated: u64 = engine.server.serving().map(|node| node.last_poll[kind]).sum();
    let agrees = (server - counted).abs() <= tolerated as f64;
    let remark = if agrees {
        String::new()
    } else if server > counted {
        format!(
            "{:.0} {} were not announced to us: their figures by namespace are too low",
            server - counted,
            KINDS[kind]
        )
    } else {
        format!("{:.0} {} more were announced than the server counted", counted - server, KINDS[kind])
    };
    Some(ControlTotal {
        what: KINDS[kind].to_owned(),
        counted,
        server,
        loss_ratio: loss(server, counted, agrees),
        remark,
    })
}

/// What bursts of commands showed, scaled by time alone, against INFO's lookups of the same time: whether our
/// table of commands and the server agree on what a lookup is.
fn sample(view: &View<'_>) -> Option<ControlTotal> {
    let sums = &view.sample.sums;
    if sums.seconds < LEAST_SECONDS {
        return None;
    }
    let (counted, server) = (sums.explained.value, sums.server);
    let left_out = 1.0 - sums.explained.high / server.max(1.0);
    let agrees = left_out <= TOLERATED && sums.excess() <= 0.0;
    let remark = if agrees {
        String::new()
    } else if server > counted {
        format!(
            "the sampled commands explain {:.0} % of the lookups that the server counts: figures by namespace \
             are less certain",
            counted / server * 100.0
        )
    } else {
        format!(
            "the sample shows {:.0} % more lookups than the server counts: figures by namespace are less \
             certain",
            (counted / server - 1.0) * 100.0
        )
    };
    Some(ControlTotal {
        what: "sample".to_owned(),
        counted,
        server,
        loss_ratio: loss(server, counted, agrees),
        remark,
    })
}

fn loss(server: f64, counted: f64, agrees: bool) -> Option<f64> {
    let traffic = server > 0.0;
    traffic.then(|| if agrees { 0.0 } else { (server - counted) / server })
}

/// The application's lookups and misses in Redis against INFO's over the same seconds.
fn applications(engine: &Engine, view: &View<'_>) -> Vec<ControlTotal> {
    let Ok(figures) = application::of_all(engine, view) else { return Vec::new() };
    let Some(way) = view.main_way.and_then(|way| view.ways[way as usize].as_ref()) else {
        return Vec::new();
    };
    let tally = &engine.server.tally;
    let seconds = engine.server.covered_seconds(&way.range);
    // Where one of the two knows less of these seconds than the other, there is nothing to compare.
    if seconds < LEAST_SECONDS || (seconds - figures.seconds).abs() > 0.1 * seconds.max(figures.seconds) + 1.0
    {
        return Vec::new();
    }
    let sum = |count: Count| tally.sum(count, &way.range) as f64;
    let (hits, misses) = (sum(Count::ServerHits), sum(Count::ServerMisses));
    [
        ("application lookups", figures.lookups(), hits + misses),
        ("application misses", figures.misses, misses),
    ]
    .into_iter()
    .filter(|(_, counted, server)| counted + server > 0.0)
    .map(|(what, counted, server)| {
        // Increases are spread evenly over a sampling interval: at its edges two seconds' worth may differ.
        let edges = 2.0 * (counted.max(server)) / seconds.max(2.0);
        let agrees = (server - counted).abs() <= APPLICATION_TOLERANCE * server + edges + 2.0;
        let remark = if agrees {
            String::new()
        } else if server > counted {
            format!(
                "the server counts {:.0} more than the application: other clients, or labels that are not \
                     recognised",
                server - counted
            )
        } else {
            format!(
                "the application counts {:.0} more than the server: another server, or in-process lookups \
                     counted as Redis's",
                counted - server
            )
        };
        ControlTotal {
            what: what.to_owned(),
            counted,
            server,
            loss_ratio: loss(server, counted, agrees),
            remark,
        }
    })
    .collect()
}
