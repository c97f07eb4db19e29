//! Snapshots: every reading of every namespace, each with its certainty or the reason why it is missing.

mod application;
mod contents;
mod control;
mod event_rates;
mod execution;
mod execution_model;
mod execution_times;
mod findings;
mod instance;
mod keys;
mod latency;
mod layers;
mod misses;
mod namespace;
mod nodes;
mod probed;
mod reasons;
mod repeated;
mod sampled;
mod scanned;
mod statuses;
mod tenants;
mod view;

use cachescope_model::reading::Readings;
use cachescope_model::snapshot::{MissCauses, NamespaceSnapshot, NodeSnapshot, Snapshot};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;

pub(crate) use execution_model::mixed;
pub(crate) use reasons::Reasons;
pub(crate) use view::View;

use crate::engine::Engine;
use crate::window::{Count, Range};

impl Engine {
    /// Everything at one moment over one window.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp, window: Window) -> Snapshot {
        self.snapshot_in(Vec::new(), now, window)
    }

    /// The same in the memory of an earlier snapshot's namespaces: thousands of rows a second would otherwise
    /// be allocated on one thread and freed on another, which allocators answer with several times the memory.
    #[must_use]
    pub fn snapshot_in(&self, used: Vec<NamespaceSnapshot>, now: Timestamp, window: Window) -> Snapshot {
        let view = View::new(self, now, window);
        let control_totals = control::totals(self, &view);
        let namespaces = self.namespaces_in(used, &view);
        let miss_causes =
            namespaces.iter().fold(MissCauses::default(), |sum, row| add(sum, &row.miss_causes));
        Snapshot {
            at: now,
            window,
            instance: instance::readings(self, &view),
            miss_causes,
            nodes: self.nodes(&view),
            layers: layers::layers(self, &view),
            by_node: nodes::by_node(self, &view),
            findings: findings::findings(self, &control_totals, &view),
            namespaces,
            signals: self.signals.clone(),
            sources: self.sources(),
            control_totals,
        }
    }

    fn namespaces_in(&self, mut rows: Vec<NamespaceSnapshot>, view: &View<'_>) -> Vec<NamespaceSnapshot> {
        let mut filled = 0;
        let mut readings = Readings::new();
        rows.reserve_exact((self.rows.len() + 1).saturating_sub(rows.len()));
        for (number, row) in self.rows.live() {
            if filled == rows.len() {
                rows.push(NamespaceSnapshot::empty());
            }
            namespace::fill(self, view, (number, row), &mut readings, &mut rows[filled]);
            filled += 1;
        }
        rows.truncate(filled);
        rows
    }

    fn nodes(&self, view: &View<'_>) -> Vec<NodeSnapshot> {
        self.server
            .live(view.now_ms)
            .map(|(node, info)| NodeSnapshot {
                node: node.name.to_string(),
                role: info.role.clone(),
                engine: format!("{} {}", info.engine, info.version),
                mode: info.mode.clone(),
                uptime_seconds: info.uptime_seconds,
                maxmemory: info.maxmemory,
                maxmemory_policy: info.maxmemory_policy.clone(),
            })
            .collect()
    }
}

fn add(one: MissCauses, other: &MissCauses) -> MissCauses {
    MissCauses {
        expired: one.expired + other.expired,
        evicted: one.evicted + other.evicted,
        deleted: one.deleted + other.deleted,
        flushed: one.flushed + other.flushed,
        cold: one.cold + other.cold,
        unknown: one.unknown + other.unknown,
    }
}

/// Causes of the misses that events showed for one row.
fn causes(tally: &crate::window::Tally, range: &Range) -> MissCauses {
    MissCauses {
        expired: tally.sum(Count::MissExpired, range),
        evicted: tally.sum(Count::MissEvicted, range),
        deleted: tally.sum(Count::MissDeleted, range),
        flushed: tally.sum(Count::MissFlushed, range),
        cold: tally.sum(Count::MissCold, range),
        unknown: tally.sum(Count::MissUnknown, range),
    }
}
