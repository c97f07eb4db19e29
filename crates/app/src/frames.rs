//! What is pushed to a window: built from the sessions, once a second; [`frame_size`](crate::frame_size) makes
//! it fit.

use std::sync::Arc;

use cachescope_model::reading::Reading;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::Snapshot;
use cachescope_model::strategy::{Strategy, Subject};
use cachescope_model::window::Window;

use crate::frame_size::shortened;
use crate::session::Session;
use crate::wire::{AlertCounts, DocumentedLimit, InstanceFrame, OverviewRow};

/// Limits in a frame: more than a strategy has for the readings of an instance.
const MOST_LIMITS: usize = 8;

/// Characters of a sentence in a row of the overview.
const MOST_CHARACTERS: usize = 300;

/// Characters of a name there; longer ones are cut on the screen in any case.
const MOST_NAME: usize = 100;

fn value(snapshot: &Snapshot, kind: ReadingKind) -> Option<f64> {
    snapshot.instance.get(&kind).and_then(|reading: &Reading| reading.value)
}

/// A deployment's row in the overview.
pub(crate) fn overview_row(session: &Session, alerts: AlertCounts, window: Window) -> OverviewRow {
    let snapshot = session.snapshot(window);
    let connection = session.connection(&snapshot.sources);
    let deployment = session.deployment();
    OverviewRow {
        id: deployment.id.clone(),
        name: shortened(&deployment.name, MOST_NAME),
        environment: deployment.environment(),
        state: connection.state,
        detail: shortened(&connection.detail, MOST_CHARACTERS),
        hit_rate: value(&snapshot, ReadingKind::HitRate),
        hit_rate_target: session.strategy().hit_rate_target,
        latency_p99_seconds: value(&snapshot, ReadingKind::LatencyP99Seconds),
        memory_ratio: value(&snapshot, ReadingKind::MemoryRatio),
        evictions_per_second: value(&snapshot, ReadingKind::EvictionsPerSecond),
        lookups_per_second: value(&snapshot, ReadingKind::LookupsPerSecond),
        commands_per_second: value(&snapshot, ReadingKind::CommandsPerSecond),
        findings: u32::try_from(snapshot.findings.len()).unwrap_or(u32::MAX),
        alerts,
    }
}

/// The documented limits of the whole deployment's readings: the thresholds of its rules, the strictest of each
/// reading. A target is what a team aims at; its rule's threshold is where trouble begins.
fn limits(strategy: &Strategy) -> Vec<DocumentedLimit> {
    let mut limits: Vec<DocumentedLimit> = Vec::new();
    for rule in &strategy.rules {
        let (Subject::Instance { reading }, Some(threshold)) = (&rule.subject, rule.threshold) else {
            continue;
        };
        let (reading, above) = (*reading, threshold.comparison.upwards());
        let limit = DocumentedLimit { kind: reading, above, value: threshold.value };
        match limits.iter_mut().find(|known| known.kind == reading && known.above == above) {
            Some(known) if above => known.value = known.value.min(limit.value),
            Some(known) => known.value = known.value.max(limit.value),
            None => limits.push(limit),
        }
    }
    limits.truncate(MOST_LIMITS);
    limits
}

/// A deployment's figures, of any length.
pub(crate) fn instance(session: &Session, alerts: AlertCounts, window: Window) -> InstanceFrame {
    let snapshot: Arc<Snapshot> = session.snapshot(window);
    let connection = session.connection(&snapshot.sources);
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    InstanceFrame {
        deployment: session.deployment().id.clone(),
        at: snapshot.at,
        window,
        state: connection.state,
        detail: connection.detail,
        last_data_at: connection.last_data_at,
        readings: snapshot.instance.clone(),
        hit_rate_target: session.strategy().hit_rate_target,
        limits: limits(session.strategy()),
        miss_causes: snapshot.miss_causes,
        nodes: snapshot.nodes.clone(),
        node_count: count(snapshot.nodes.len()),
        namespace_count: count(snapshot.namespaces.len()),
        finding_count: count(snapshot.findings.len()),
        alerts,
        sources: snapshot.sources.clone(),
        control_totals: snapshot.control_totals.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_thresholds_of_the_whole_deployment_are_limits_and_others_are_not() {
        let strategy = cachescope_strategy::built_in("task-management").expect("it is built in");
        let limits = limits(&strategy);
        let limit = |kind: ReadingKind| limits.iter().find(|limit| limit.kind == kind);
        let memory = limit(ReadingKind::MemoryRatio).expect("memory above 90 % is documented");
        assert_eq!((memory.above, memory.value), (true, 0.9));
        let evictions = limit(ReadingKind::EvictionRatio).expect("evictions above 10 % are documented");
        assert_eq!((evictions.above, evictions.value), (true, 0.1));
        assert!(limits.len() <= MOST_LIMITS);
        assert!(super::limits(&Strategy::default()).is_empty());
    }
}
