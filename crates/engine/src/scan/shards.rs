//! Which scans are put together where several servers hold the keys: one of each shard, because a replica holds
//! its primary's keys again, and only when each shard has been scanned, because the sum of some is no figure.

use std::collections::BTreeMap;

use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::topology::NodeRole;

use crate::engine::Engine;
use crate::server::named;

/// The scans whose findings add up to the deployment's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) nodes: Vec<u32>,
    /// When the oldest of them ended.
    pub(crate) at_ms: i64,
    /// Primaries whose keys are left out, because they can't be scanned; empty where all are in.
    pub(crate) without: String,
}

/// One shard's servers.
#[derive(Default)]
struct Shard<'e> {
    scanned: Option<(i64, u32)>,
    /// Whether a scan may still come.
    hope: bool,
    primary: &'e str,
}

impl Engine {
    /// Chooses, of the nodes whose complete scans ended at these times. `None` while a shard is still to come.
    pub(crate) fn choose_scans(&self, ended: impl Fn(u32) -> Option<i64>) -> Option<Chosen> {
        let nodes = (0u32..).zip(self.server.nodes());
        let mut shards: BTreeMap<u32, Shard<'_>> = BTreeMap::new();
        for (number, node) in nodes {
            let known = ended(number);
            let shard = match (self.server.topology.is_some(), node.place) {
                // Nobody tells of replicas: every server that was scanned holds keys of its own.
                (false, _) if known.is_some() => number,
                (true, Some(place)) if !node.twin => place.shard,
                _ => continue,
            };
            let entry = shards.entry(shard).or_default();
            entry.scanned = entry.scanned.max(known.map(|at_ms| (at_ms, number)));
            entry.hope |= node.place.is_some_and(|place| !place.down) && !self.cannot_scan(number);
            if entry.primary.is_empty() || node.place.is_some_and(|place| place.role == NodeRole::Primary) {
                entry.primary = &node.name;
            }
        }
        let mut chosen = Chosen { at_ms: i64::MAX, ..Chosen::default() };
        let mut without = Vec::new();
        for shard in shards.values() {
            match shard.scanned {
                Some((at_ms, number)) => {
                    chosen.nodes.push(number);
                    chosen.at_ms = chosen.at_ms.min(at_ms);
                }
                None if shard.hope => return None,
                None => without.push(shard.primary),
            }
        }
        chosen.without = named(&without);
        (!chosen.nodes.is_empty()).then_some(chosen)
    }

    fn cannot_scan(&self, node: u32) -> bool {
        let state = self.states.get(&(SourceId::Scan, node));
        state.is_some_and(|state| state.health == SourceHealth::Unavailable)
    }
}
