//! Levels of the whole deployment: memory, keys, clients.

use std::collections::BTreeMap;

use cachescope_model::server::ServerInfo;
use cachescope_model::topology::NodeRole;

use super::members::named;
use super::{LEFT_AFTER_MILLIS, Node, STALE_AFTER_MILLIS, Server};
use crate::window::Frame;

/// For so long after servers became known, levels wait for the first answer of each shard.
const FIRST_ANSWERS_MILLIS: i64 = 5_000;

/// Levels of the deployment now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Levels {
    pub(crate) used_memory: f64,
    /// `maxmemory`, or the system's memory where none is set.
    pub(crate) limit: Option<f64>,
    /// Whether `limit` is `maxmemory`.
    pub(crate) limited: bool,
    pub(crate) clients: f64,
    pub(crate) keys: f64,
    pub(crate) expires: Option<f64>,
    /// Primaries for whose keys no server answers: these are left out. Empty where all do.
    pub(crate) missing: String,
}

impl Server {
    /// Servers that answered lately, by name.
    pub(crate) fn live(&self, now_ms: i64) -> impl Iterator<Item = (&Node, &ServerInfo)> {
        let numbers = self.numbers.values().map(|number| &self.nodes[*number as usize]);
        let live = numbers.filter(move |node| {
            self.is_member(node) && !node.twin && node.answered_since(now_ms - LEFT_AFTER_MILLIS)
        });
        live.filter_map(|node| node.last.as_ref().map(|(info, _)| (node, info)))
    }

    pub(super) fn levels(&mut self, frame: &Frame, at_ms: i64) {
        let second = at_ms.div_euclid(1000);
        // Without a shard the sum would be a dent that is none: a gap says what it is.
        let Some(levels) = self.current(at_ms).filter(|levels| levels.missing.is_empty()) else { return };
        self.memory.set(frame, second, levels.used_memory);
        self.clients.set(frame, second, levels.clients);
        self.keys.set(frame, second, levels.keys);
        if let Some(limit) = levels.limit {
            self.memory_ratio.set(frame, second, levels.used_memory / limit);
        }
    }

    /// Whether some of the deployment's servers have not had the time to answer yet.
    pub(crate) fn is_young(&self, now_ms: i64) -> bool {
        self.arranged_ms.is_some_and(|at_ms| now_ms - at_ms < FIRST_ANSWERS_MILLIS)
    }

    /// Levels over the servers that hold the data now, each key once: of a shard its primary, or a replica
    /// while that does not answer. Without a topology primaries by their own word, or all where none says so.
    pub(crate) fn current(&self, now_ms: i64) -> Option<Levels> {
        let live: Vec<_> = self.live(now_ms).collect();
        let (holders, missing) = match self.topology {
            Some(_) => self.holders(now_ms, &live),
            None => {
                let primaries = live.iter().map(|(_, info)| *info).filter(|info| info.role == "master");
                let primaries: Vec<_> = primaries.collect();
                let all = || live.iter().map(|(_, info)| *info).collect();
                (if primaries.is_empty() { all() } else { primaries }, String::new())
            }
        };
        if holders.is_empty() {
            return self.exporter.levels(now_ms);
        }
        let sum = |of: fn(&ServerInfo) -> u64| holders.iter().map(|info| of(info) as f64).sum::<f64>();
        let limited = holders.iter().all(|info| info.maxmemory > 0);
        let known_system = holders.iter().all(|info| info.total_system_memory > 0);
        let limit = if limited {
            Some(sum(|info| info.maxmemory))
        } else {
            known_system.then(|| self.system_memory(&live, &holders))
        };
        let own: f64 = live.iter().map(|(_, info)| info.own.connections as f64).sum();
        let clients: f64 = live.iter().map(|(_, info)| info.connected_clients as f64).sum();
        let databases = || holders.iter().flat_map(|info| &info.databases);
        Some(Levels {
            used_memory: sum(|info| info.used_memory),
            limit,
            limited,
            clients: (clients - own).max(0.0),
            keys: databases().map(|database| database.keys as f64).sum(),
            expires: Some(databases().map(|database| database.expires as f64).sum()),
            missing,
        })
    }

    /// The server of each shard that speaks for it, and the primaries of shards for which nobody does.
    fn holders<'s>(&self, now_ms: i64, live: &[(&'s Node, &'s ServerInfo)]) -> (Vec<&'s ServerInfo>, String) {
        let mut shards: BTreeMap<u32, Option<(bool, &ServerInfo)>> = BTreeMap::new();
        let mut primaries: BTreeMap<u32, &str> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| !node.twin) {
            let Some(place) = node.place.filter(|place| !place.slotless) else { continue };
            shards.entry(place.shard).or_default();
            if place.role == NodeRole::Primary {
                primaries.insert(place.shard, &node.name);
            }
        }
        for (node, info) in live {
            let Some(place) = node.place.filter(|place| !place.failed && !place.slotless) else { continue };
            if !node.answered_since(now_ms - STALE_AFTER_MILLIS) {
                continue;
            }
            let primary = place.role == NodeRole::Primary;
            let holder = shards.entry(place.shard).or_default();
            if holder.is_none_or(|(known, _)| primary && !known) {
                *holder = Some((primary, info));
            }
        }
        let missing: Vec<&str> = shards
            .iter()
            .filter(|(_, holder)| holder.is_none())
            .map(|(shard, _)| primaries.get(shard).copied().unwrap_or("a shard"))
            .collect();
        (shards.values().flatten().map(|(_, info)| *info).collect(), named(&missing))
    }

    /// Memory of the machines: servers with one host share it.
    fn system_memory(&self, live: &[(&Node, &ServerInfo)], holders: &[&ServerInfo]) -> f64 {
        let mut machines: BTreeMap<&str, u64> = BTreeMap::new();
        for (node, info) in live {
            if holders.iter().any(|holder| std::ptr::eq(*holder, *info)) {
                let host = node.name.rsplit_once(':').map_or(&*node.name, |(host, _)| host);
                let memory = machines.entry(host).or_default();
                *memory = (*memory).max(info.total_system_memory);
            }
        }
        machines.values().map(|bytes| *bytes as f64).sum()
    }
}
