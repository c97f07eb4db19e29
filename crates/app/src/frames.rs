//! What is pushed to a window: built from the sessions, once a second, small by construction.

use std::sync::Arc;

use cachescope_model::reading::Reading;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::Snapshot;
use cachescope_model::window::Window;

use crate::session::Session;
use crate::wire::{InstanceFrame, OverviewRow};

/// Servers named in a frame: a cluster of hundreds would outgrow it.
const MOST_NODES: usize = 16;

/// Characters of a sentence in a frame; the whole one is fetched by request.
const MOST_CHARACTERS: usize = 300;

fn value(snapshot: &Snapshot, kind: ReadingKind) -> Option<f64> {
    snapshot.instance.get(&kind).and_then(|reading: &Reading| reading.value)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A deployment's row in the overview.
pub(crate) fn overview_row(session: &Session, window: Window) -> OverviewRow {
    let snapshot = session.snapshot(window);
    let connection = session.connection(&snapshot.sources);
    let deployment = session.deployment();
    OverviewRow {
        id: deployment.id.clone(),
        name: shortened(&deployment.name),
        environment: deployment.environment(),
        state: connection.state,
        detail: shortened(&connection.detail),
        hit_rate: value(&snapshot, ReadingKind::HitRate),
        hit_rate_target: session.strategy().hit_rate_target,
        latency_p99_seconds: value(&snapshot, ReadingKind::LatencyP99Seconds),
        memory_ratio: value(&snapshot, ReadingKind::MemoryRatio),
        evictions_per_second: value(&snapshot, ReadingKind::EvictionsPerSecond),
        lookups_per_second: value(&snapshot, ReadingKind::LookupsPerSecond),
        commands_per_second: value(&snapshot, ReadingKind::CommandsPerSecond),
        findings: u32::try_from(snapshot.findings.len()).unwrap_or(u32::MAX),
    }
}

/// A deployment's figures.
pub(crate) fn instance(session: &Session, window: Window) -> InstanceFrame {
    let snapshot: Arc<Snapshot> = session.snapshot(window);
    let connection = session.connection(&snapshot.sources);
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let mut readings = snapshot.instance.clone();
    for reading in readings.values_mut() {
        if let Some(reason) = &reading.reason {
            reading.reason = Some(shortened(reason).into());
        }
    }
    let mut sources = snapshot.sources.clone();
    for status in &mut sources {
        status.detail = shortened(&status.detail);
        status.remedy = shortened(&status.remedy);
    }
    InstanceFrame {
        deployment: session.deployment().id.clone(),
        at: snapshot.at,
        window,
        state: connection.state,
        detail: shortened(&connection.detail),
        last_data_at: connection.last_data_at,
        readings,
        hit_rate_target: session.strategy().hit_rate_target,
        miss_causes: snapshot.miss_causes,
        nodes: snapshot.nodes.iter().take(MOST_NODES).cloned().collect(),
        node_count: count(snapshot.nodes.len()),
        namespace_count: count(snapshot.namespaces.len()),
        finding_count: count(snapshot.findings.len()),
        sources,
        control_totals: snapshot.control_totals.clone(),
    }
}
