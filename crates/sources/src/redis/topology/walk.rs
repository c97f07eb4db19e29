//! From servers that tell of their neighbours to a group, each server once.

use std::collections::{BTreeMap, BTreeSet};

use cachescope_model::observation::NodeName;
use cachescope_model::topology::NodeRole;

use super::super::target::RedisTarget;
use super::discovery::{Discovery, Seen, Sighting};
use super::group::Replication;

/// What has been asked and answered so far.
pub(super) struct Walk {
    seeds: BTreeSet<NodeName>,
    last_roles: BTreeMap<NodeName, NodeRole>,
    /// In the order of asking: the typed ones first, so that theirs is the name of a server with several.
    asked: Vec<(NodeName, RedisTarget)>,
    told: BTreeMap<NodeName, Replication>,
}

impl Walk {
    pub(super) fn new(seeds: &[RedisTarget], last: Option<&Sighting>) -> Self {
        let last = last.into_iter().flat_map(|last| &last.servers);
        Self {
            seeds: seeds.iter().map(RedisTarget::node_name).collect(),
            last_roles: last.map(|seen| (seen.target.node_name(), seen.role)).collect(),
            asked: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    pub(super) fn asked(&mut self, target: &RedisTarget) {
        let name = target.node_name();
        if !self.asked.iter().any(|(known, _)| *known == name) {
            self.asked.push((name, target.clone()));
        }
    }

    pub(super) fn answered(&mut self, target: &RedisTarget, told: Replication) {
        self.told.insert(target.node_name(), told);
    }

    /// Servers that were told of and not asked yet.
    pub(super) fn frontier(&self) -> Vec<RedisTarget> {
        let mut frontier: Vec<RedisTarget> = Vec::new();
        for (name, target) in &self.asked {
            for (neighbour, _) in self.neighbours(name, target) {
                let known = |name: &NodeName| {
                    self.asked.iter().any(|(asked, _)| asked == name)
                        || frontier.iter().any(|target| target.node_name() == *name)
                };
                if !known(&neighbour.node_name()) {
                    frontier.push(neighbour);
                }
            }
        }
        frontier
    }

    /// Whom a server tells of, and what they are.
    fn neighbours(&self, name: &NodeName, target: &RedisTarget) -> Vec<(RedisTarget, NodeRole)> {
        let Some(told) = self.told.get(name) else { return Vec::new() };
        let primary = told.primary.iter().map(|at| (Discovery::told_by(target, at), NodeRole::Primary));
        let replicas = told.replicas.iter().map(|at| (Discovery::told_by(target, at), NodeRole::Replica));
        primary.chain(replicas).collect()
    }

    /// The name under which a server goes: of several that answer with the same run id, the first asked.
    fn canonical(&self) -> BTreeMap<NodeName, NodeName> {
        let mut by_run: BTreeMap<&str, &NodeName> = BTreeMap::new();
        let mut canonical = BTreeMap::new();
        for (name, _) in &self.asked {
            let run = self.told.get(name).map_or("", |told| told.run_id.as_str());
            let known = if run.is_empty() { name } else { *by_run.entry(run).or_insert(name) };
            canonical.insert(name.clone(), known.clone());
        }
        canonical
    }

    /// The group: the typed servers, and everyone who can be found from those of them that answer; from those of
    /// the last look where none does.
    pub(super) fn servers(&self) -> Vec<Seen> {
        let canonical = self.canonical();
        let name_of = |name: &NodeName| canonical.get(name).unwrap_or(name).clone();
        let mut links: BTreeSet<(NodeName, NodeName)> = BTreeSet::new();
        let mut guessed: BTreeMap<NodeName, NodeRole> = BTreeMap::new();
        for (name, target) in &self.asked {
            for (neighbour, role) in self.neighbours(name, target) {
                let (one, other) = (name_of(name), name_of(&neighbour.node_name()));
                guessed.entry(other.clone()).or_insert(role);
                links.insert((one.clone(), other.clone()));
                links.insert((other, one));
            }
        }
        let answers = |name: &NodeName| self.told.contains_key(name);
        let mut roots: Vec<NodeName> = self.seeds.iter().filter(|name| answers(name)).map(name_of).collect();
        if roots.is_empty() {
            roots = self.last_roles.keys().filter(|name| answers(name)).map(name_of).collect();
        }
        let shards = shards(&self.seeds.iter().map(name_of).collect::<Vec<_>>(), &roots, &links);
        let mut servers: Vec<Seen> = Vec::new();
        for (name, target) in self.asked.iter().filter(|(name, _)| name_of(name) == *name) {
            let Some(shard) = shards.get(name) else { continue };
            let role = match self.told.get(name) {
                Some(told) if told.replica => NodeRole::Replica,
                Some(_) => NodeRole::Primary,
                None => {
                    let known = guessed.get(name).or_else(|| self.last_roles.get(name));
                    known.copied().unwrap_or(NodeRole::Primary)
                }
            };
            servers.push(Seen {
                target: target.clone(),
                role,
                shard: *shard,
                failed: false,
                slotless: false,
            });
        }
        servers
    }
}

/// Numbers the groups of servers that are linked, beginning at `roots` and then at the `others`.
fn shards(
    others: &[NodeName],
    roots: &[NodeName],
    links: &BTreeSet<(NodeName, NodeName)>,
) -> BTreeMap<NodeName, u32> {
    let mut shards = BTreeMap::new();
    let mut next = 0;
    for root in roots.iter().chain(others) {
        if shards.contains_key(root) {
            continue;
        }
        let mut reached = vec![root.clone()];
        while let Some(name) = reached.pop() {
            if shards.insert(name.clone(), next).is_none() {
                let neighbours = links.iter().filter(|(one, _)| *one == name);
                reached.extend(neighbours.map(|(_, other)| other.clone()));
            }
        }
        next += 1;
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::super::reply::Told;
    use super::*;

    fn at(address: &str) -> RedisTarget {
        RedisTarget::parse(address).expect("an address")
    }

    fn told(run: &str, primary: &str, replicas: &[&str]) -> Replication {
        let address = |address: &&str| {
            let (host, port) = address.split_once(':').expect("a port");
            Told { host: Some(host.to_owned()), port: port.parse().expect("a number") }
        };
        Replication {
            run_id: run.to_owned(),
            replica: !primary.is_empty(),
            primary: (!primary.is_empty()).then(|| address(&primary)),
            replicas: replicas.iter().map(address).collect(),
            cluster: false,
        }
    }

    /// Walks until nobody new is told of; returns name, role and shard.
    fn walked(seeds: &[&str], last: &[&str], world: &[(&str, Replication)]) -> Vec<String> {
        let seeds: Vec<_> = seeds.iter().map(|seed| at(seed)).collect();
        let seen = |address: &&str| Seen {
            target: at(address),
            role: NodeRole::Replica,
            shard: 0,
            failed: false,
            slotless: false,
        };
        let last = Sighting { servers: last.iter().map(seen).collect(), ..Sighting::default() };
        let mut walk = Walk::new(&seeds, Some(&last));
        let mut frontier = seeds;
        frontier.extend(last.servers.iter().map(|seen| seen.target.clone()));
        while !frontier.is_empty() {
            for target in &frontier {
                walk.asked(target);
                if let Some((_, told)) = world.iter().find(|(name, _)| *name == target.to_string()) {
                    walk.answered(target, told.clone());
                }
            }
            frontier = walk.frontier();
        }
        let mut servers: Vec<_> = walk.servers();
        servers.sort_by_key(|seen| seen.target.node_name());
        let word = |seen: &Seen| {
            let role = if seen.role == NodeRole::Primary { "primary" } else { "replica" };
            format!("{} {role} {}", seen.target, seen.shard)
        };
        servers.iter().map(word).collect()
    }

    #[test]
    fn a_group_is_found_from_any_of_its_servers_and_each_is_there_once() {
        let world = [
            ("a:1", told("A", "", &["b:1", "c:1"])),
            ("localhost:1", told("A", "", &["b:1", "c:1"])),
            ("b:1", told("B", "a:1", &[])),
            ("d:1", told("D", "", &[])),
        ];
        for (seeds, last, expected) in [
            (&["a:1"][..], &[][..], &["a:1 primary 0", "b:1 replica 0", "c:1 replica 0"][..]),
            (&["b:1"], &[], &["a:1 primary 0", "b:1 replica 0", "c:1 replica 0"]),
            // The typed name is kept for a server that announces another one.
            (&["localhost:1"], &[], &["b:1 replica 0", "c:1 replica 0", "localhost:1 primary 0"]),
            (
                &["d:1", "a:1"],
                &["b:1"],
                &["a:1 primary 0", "b:1 replica 0", "c:1 replica 0", "d:1 primary 1"],
            ),
            // The typed one is gone: those that were found from it before lead on.
            (&["x:1"], &["b:1"], &["a:1 primary 0", "b:1 replica 0", "c:1 replica 0", "x:1 primary 1"]),
            // A server that no longer belongs to the typed one is left.
            (&["d:1"], &["b:1"], &["d:1 primary 0"]),
            (&["x:1"], &[], &["x:1 primary 0"]),
        ] {
            assert_eq!(walked(seeds, last, &world), expected, "{seeds:?}");
        }
    }
}
