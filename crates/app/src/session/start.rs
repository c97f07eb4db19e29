//! Where a source of a Redis server runs, and how it is started there.

use std::sync::Arc;

use cachescope_model::source::SourceId;
use cachescope_model::topology::{NodeRole, Topology, TopologyNode};
use cachescope_sources::context::SourceContext;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::commands::{self, CommandsOptions};
use cachescope_sources::redis::events::{self, EventsOptions};
use cachescope_sources::redis::info::{self, InfoOptions};
use cachescope_sources::redis::probe::{self, ProbeOptions};
use cachescope_sources::redis::scan::{self, ScanOptions, Steering};
use tokio::task::JoinHandle;

use super::{ScanPlan, SessionPlan};

/// On which servers of a deployment a source runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On each: each serves clients of its own.
    EveryNode,
    /// On one of those that hold the same keys, on a replica where there is one.
    OnceAShard,
}

/// Where a source runs; `None` for one that reads no Redis.
fn place(source: SourceId) -> Option<Place> {
    match source {
        SourceId::Scan => Some(Place::OnceAShard),
        SourceId::Metrics | SourceId::Prometheus => None,
        _ => Some(Place::EveryNode),
    }
}

/// Whether a source reads a Redis server.
pub(super) fn reads_redis(source: SourceId) -> bool {
    place(source).is_some()
}

/// Starts a source on one server; it ends when its context is cancelled. `None` for one that can't run yet.
pub(super) fn on_node(
    source: SourceId,
    context: SourceContext,
    node: Arc<RedisNode>,
    plan: &SessionPlan,
    probe: &ProbeOptions,
    steering: &Steering,
) -> Option<JoinHandle<()>> {
    Some(match source {
        SourceId::Info => tokio::spawn(info::run(context, node, InfoOptions::default())),
        SourceId::Events => tokio::spawn(events::run(context, node, EventsOptions::default())),
        SourceId::Commands => tokio::spawn(commands::run(context, node, CommandsOptions::default())),
        SourceId::Probe => tokio::spawn(probe::run(context, node, probe.clone())),
        SourceId::Scan => tokio::spawn(scan::run(context, node, scan_options(plan, steering))),
        _ => return None,
    })
}

fn scan_options(plan: &SessionPlan, steering: &Steering) -> ScanOptions {
    let ScanPlan { mode, unthrottled, repeat_every } = plan.scan;
    ScanOptions { mode, repeat_every, unthrottled, steering: steering.clone() }
}

/// Whether a source runs on a node, given where it `runs` already: a scan stays where it is while that is as
/// good a place as any, because moving it begins it anew.
pub(super) fn belongs(
    source: SourceId,
    node: &TopologyNode,
    topology: &Topology,
    runs: impl Fn(&TopologyNode) -> bool,
) -> bool {
    match place(source) {
        None => false,
        Some(Place::EveryNode) => true,
        Some(Place::OnceAShard) => {
            let shard = topology.nodes.iter().filter(|other| other.shard == node.shard);
            let preferred =
                shard.min_by_key(|other| (other.is_down(), other.role != NodeRole::Replica, !runs(other)));
            preferred.is_some_and(|preferred| preferred.node == node.node)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_runs_once_a_shard_on_a_replica_that_is_there_and_stays_where_it_is() {
        use NodeRole::{Primary, Replica};
        let node = |name: &str, role, shard, failed| TopologyNode {
            node: name.into(),
            role,
            shard,
            failed,
            unreachable: false,
            slotless: false,
        };
        for (nodes, runs, expected) in [
            (vec![node("a", Primary, 0, false)], "", "a"),
            (vec![node("a", Primary, 0, false), node("b", Replica, 0, false)], "a", "b"),
            (vec![node("a", Primary, 0, false), node("b", Replica, 0, true)], "b", "a"),
            (vec![node("a", Primary, 0, true), node("b", Replica, 0, true)], "", "b"),
            (vec![node("b", Replica, 0, false), node("c", Replica, 0, false)], "c", "c"),
            (vec![node("a", Primary, 0, false), node("b", Primary, 1, true)], "", "ab"),
        ] {
            let topology = Topology { nodes, ..Topology::default() };
            let place = |source| -> String {
                let runs = |node: &TopologyNode| &*node.node == runs;
                let chosen = topology.nodes.iter().filter(|node| belongs(source, node, &topology, runs));
                chosen.map(|node| &*node.node).collect()
            };
            assert_eq!(place(SourceId::Scan), expected, "{topology:?}");
            assert_eq!(place(SourceId::Info).len(), topology.nodes.len(), "everyone is asked");
            assert_eq!(place(SourceId::Prometheus), "");
        }
    }
}
