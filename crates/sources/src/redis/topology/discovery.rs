//! Looking for the servers of a deployment, again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::NodeName;
use cachescope_model::topology::{NodeRole, Topology, TopologyKind, TopologyNode};

use super::super::connect::ConnectOptions;
use super::super::node::RedisNode;
use super::super::nodes::RedisNodes;
use super::super::target::RedisTarget;
use super::reply::Told;
use super::sentinel::Listening;
use super::{Discovered, RedisAddress};
use crate::error::SourceError;

/// How often one looks while everything is well …
const EVERY: Duration = Duration::from_secs(5);
/// … while something is not …
const EVERY_IN_TROUBLE: Duration = Duration::from_secs(1);
/// … and at most, whatever happens.
const AT_MOST_EVERY: Duration = Duration::from_millis(200);
/// Servers that are watched; a cluster of more is watched in part, which is said.
const MOST_NODES: usize = 500;

/// A server as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) target: RedisTarget,
    pub(super) role: NodeRole,
    pub(super) shard: u32,
    /// Whether others call it failed.
    pub(super) failed: bool,
    /// Whether its shard has no slot of a Cluster.
    pub(super) slotless: bool,
}

/// What one look brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Sighting {
    pub(super) kind: TopologyKind,
    pub(super) servers: Vec<Seen>,
    /// What keeps it from being complete, and what to do about it.
    pub(super) remark: Option<(String, String)>,
}

/// Finds the servers of one deployment and keeps track of them.
#[derive(Debug)]
pub struct Discovery {
    pub(super) address: RedisAddress,
    pub(super) nodes: RedisNodes,
    pub(super) sentinels: RedisNodes,
    /// Sentinels that others told of.
    pub(super) further_sentinels: Vec<RedisTarget>,
    pub(super) listening: Option<Listening>,
    /// Where members of a cluster are reached that announce an address which can't be, by their identity.
    pub(super) seats: BTreeMap<String, RedisTarget>,
    pub(super) last: Option<Sighting>,
}

impl Discovery {
    /// Nothing is connected by this.
    #[must_use]
    pub fn new(address: RedisAddress, options: ConnectOptions) -> Self {
        let nodes = RedisNodes::new(options);
        Self {
            address,
            sentinels: nodes.sentinels(),
            nodes,
            further_sentinels: Vec::new(),
            listening: None,
            seats: BTreeMap::new(),
            last: None,
        }
    }

    /// The name of what it begins from.
    #[must_use]
    pub fn from(&self) -> NodeName {
        Arc::from(self.address.to_string())
    }

    /// Looks which servers there are now. Where nobody answers they are those of the last look, and before the
    /// first answer those of the address; the topology's remark says so where there are none.
    pub async fn look(&mut self) -> Discovered {
        match self.try_to_look().await {
            Ok(found) => found,
            Err(error) => {
                let remark = Some((error.to_string(), error.remedy().to_owned()));
                match self.last.clone() {
                    Some(last) => self.settle(&last),
                    // Sentinels hold no keys: without their word there is nothing to watch.
                    None if self.address.sentinel().is_some() => {
                        self.settle(&Sighting { kind: TopologyKind::Sentinel, remark, ..Sighting::default() })
                    }
                    None => self.settle(&self.as_typed()),
                }
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// Why none of the addresses answers.
    pub async fn try_to_look(&mut self) -> Result<Discovered, SourceError> {
        let sighting = if self.address.direct() {
            self.as_typed()
        } else if self.address.sentinel().is_some() {
            self.ask_sentinels().await?
        } else {
            self.ask_servers().await?
        };
        let found = self.settle(&sighting);
        self.last = Some(sighting);
        Ok(found)
    }

    /// Waits until a server stops answering, answers again or changes its role, Sentinels agree on another
    /// primary, or it is time to look again.
    pub async fn until_worth_another_look(&self, found: &Discovered) {
        tokio::time::sleep(AT_MOST_EVERY).await;
        let well =
            found.topology.remark.is_empty() && found.topology.nodes.iter().all(|node| !node.is_down());
        let pause = if well { EVERY } else { EVERY_IN_TROUBLE };
        tokio::select! {
            () = self.nodes.news() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// The typed addresses, each taken for a server of its own.
    fn as_typed(&self) -> Sighting {
        let one = |(shard, seed): (u32, &RedisTarget)| Seen {
            target: seed.clone(),
            role: NodeRole::Primary,
            shard,
            failed: false,
            slotless: false,
        };
        Sighting { servers: (0..).zip(self.address.seeds()).map(one).collect(), ..Sighting::default() }
    }

    /// A server that `asked` told of.
    pub(super) fn told_by(asked: &RedisTarget, told: &Told) -> RedisTarget {
        match &told.host {
            Some(host) => asked.at(host, told.port),
            None => match asked.endpoint() {
                super::super::target::Endpoint::Tcp { host, .. } => asked.at(host, told.port),
                super::super::target::Endpoint::Unix(_) => asked.clone(),
            },
        }
    }

    /// Servers to ask, those first that are known to answer, each once.
    pub(super) fn candidates(&self) -> Vec<Arc<RedisNode>> {
        let last = self.last.iter().flat_map(|last| &last.servers).map(|seen| &seen.target);
        let mut candidates: Vec<Arc<RedisNode>> = Vec::new();
        for target in last.chain(self.address.seeds()) {
            let node = self.nodes.get(target);
            if !candidates.iter().any(|known| Arc::ptr_eq(known, &node)) {
                candidates.push(node);
            }
        }
        candidates.sort_by_key(|node| node.trouble().is_some());
        candidates
    }

    /// What was seen as a topology, with its nodes.
    fn settle(&self, sighting: &Sighting) -> Discovered {
        let mut servers: Vec<(NodeName, &Seen)> =
            sighting.servers.iter().map(|seen| (seen.target.node_name(), seen)).collect();
        servers.sort_by(|(one, a), (other, b)| {
            (a.role == NodeRole::Replica, one).cmp(&(b.role == NodeRole::Replica, other))
        });
        servers.dedup_by(|(one, _), (other, _)| one == other);
        let left_out = servers.len().saturating_sub(MOST_NODES);
        servers.truncate(MOST_NODES);
        let (mut remark, remedy) = sighting.remark.clone().unwrap_or_default();
        if left_out > 0 && remark.is_empty() {
            remark = format!("{MOST_NODES} of {} servers are watched", MOST_NODES + left_out);
        }
        let mut found = Discovered {
            topology: Topology { kind: sighting.kind, nodes: Vec::new(), left_out, remark, remedy },
            nodes: Vec::new(),
        };
        for (name, seen) in servers {
            let node = self.nodes.get(&seen.target);
            found.topology.nodes.push(TopologyNode {
                node: name,
                role: seen.role,
                shard: seen.shard,
                failed: seen.failed,
                unreachable: node.trouble().is_some(),
                slotless: seen.slotless,
            });
            found.nodes.push(node);
        }
        for seed in self.address.seeds().iter().filter(|_| !found.nodes.is_empty()) {
            if found.topology.find(&seed.node_name()).is_none() {
                // The same server is watched under another name: two connections of ours would count each
                // other as somebody else's.
                self.nodes.get(seed).let_go();
            }
        }
        found
    }
}
