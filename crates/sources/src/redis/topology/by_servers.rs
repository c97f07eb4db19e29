//! Found by asking the data servers themselves.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::topology::TopologyKind;
use redis::Value;
use tokio::time::timeout;

use super::super::command::text;
use super::super::node::RedisNode;
use super::super::target::RedisTarget;
use super::discovery::{Discovery, Seen, Sighting};
use super::group::Replication;
use super::{ask, cluster, group, sentinel};
use crate::error::{ErrorCode, SourceError};

/// How long an announced address may take to be reached before the typed one is used.
const REACHED_WITHIN: Duration = Duration::from_secs(2);

/// What a server turned out to be.
enum Answer {
    Cluster(cluster::View),
    Single(Replication),
    Sentinel,
}

async fn ask_one(node: Arc<RedisNode>) -> Result<Answer, SourceError> {
    let mut gate = node.gate().await;
    let hello = match gate.hello().await {
        Err(error) if error.kind() == ErrorCode::WrongRole => return Ok(Answer::Sentinel),
        other => other?,
    };
    // Some call themselves standalone and are nodes of a cluster all the same, or say nothing.
    let told = group::ask(&mut gate).await?;
    if hello.mode == "cluster" || told.cluster {
        return Ok(Answer::Cluster(cluster::ask(&mut gate, node.target()).await?));
    }
    Ok(Answer::Single(told))
}

impl Discovery {
    /// Asks one server after the other until one tells of all.
    pub(super) async fn ask_servers(&mut self) -> Result<Sighting, SourceError> {
        // A node that was cut off or taken out of its cluster knows only itself: another one is asked then.
        let good = |answer: &Answer| match answer {
            Answer::Cluster(view) => view.ok && (view.slots > 0 || view.remark.is_some()),
            Answer::Single(_) | Answer::Sentinel => true,
        };
        let worth = |answer: &Answer| match answer {
            Answer::Cluster(view) => view.slots,
            Answer::Single(_) | Answer::Sentinel => 0,
        };
        let (asked, answer) = ask::first(self.candidates(), ask_one, good, worth).await?;
        match answer {
            Answer::Cluster(view) => Ok(self.cluster_of(&asked, view).await),
            Answer::Single(_) => Ok(self.group_of().await),
            Answer::Sentinel => {
                let sentinel = self.sentinels.get(asked.target());
                let services = sentinel::services(&sentinel).await?;
                let [service] = services.as_slice() else {
                    let at = asked.target();
                    let known = if services.is_empty() { "none".to_owned() } else { services.join(", ") };
                    return Err(SourceError::new(
                        ErrorCode::WrongRole,
                        format!(
                            "{at} is a Sentinel, and which primary is meant is not said; it knows {known}"
                        ),
                        format!("name one: redis+sentinel://{at}/NAME"),
                    ));
                };
                self.address = self.address.clone().with_service(service);
                self.ask_sentinels().await
            }
        }
    }

    async fn cluster_of(&mut self, asked: &Arc<RedisNode>, view: cluster::View) -> Sighting {
        let at = asked.target().clone();
        let myself = view.members.iter().find(|member| Some(&member.id) == view.myself.as_ref());
        if let Some(myself) = myself {
            let announced = Self::told_by(&at, &myself.at);
            let typed = self.address.seeds().iter().any(|seed| seed.node_name() == at.node_name());
            if typed && announced.node_name() != at.node_name() && !self.seats.contains_key(&myself.id) {
                let node = self.nodes.get(&announced);
                if !timeout(REACHED_WITHIN, node.check()).await.is_ok_and(|reached| reached.is_ok()) {
                    self.take_seats().await;
                }
            }
        }
        let mut servers: Vec<Seen> = Vec::new();
        for member in view.members {
            let target = match self.seats.get(&member.id).filter(|_| !member.id.is_empty()) {
                Some(seat) => seat.clone(),
                None => Self::told_by(&at, &member.at),
            };
            servers.push(Seen {
                target,
                role: member.role,
                shard: member.shard,
                failed: member.down,
                slotless: member.slotless,
            });
        }
        if servers.is_empty() {
            let role = cachescope_model::topology::NodeRole::Primary;
            servers.push(Seen { target: at, role, shard: 0, failed: false, slotless: false });
        }
        Sighting { kind: TopologyKind::Cluster, servers, remark: view.remark }
    }

    /// The announced addresses can't be reached from here: finds out which members the typed ones lead to.
    async fn take_seats(&mut self) {
        let seeds: Vec<_> = self.address.seeds().iter().map(|seed| self.nodes.get(seed)).collect();
        for (node, id) in ask::all(seeds, identity).await {
            if let Ok(Some(id)) = id {
                self.seats.insert(id, node.target().clone());
            }
        }
    }

    /// Asks the typed servers, and those they tell of.
    async fn group_of(&mut self) -> Sighting {
        let last = self.last.iter().flat_map(|last| &last.servers);
        let known: Vec<RedisTarget> =
            self.address.seeds().iter().cloned().chain(last.map(|seen| seen.target.clone())).collect();
        let mut walk = super::walk::Walk::new(self.address.seeds(), self.last.as_ref());
        let mut frontier = known;
        // The typed ones, their primary, its replicas.
        for _ in 0..3 {
            let nodes: Vec<_> = frontier.iter().map(|target| self.nodes.get(target)).collect();
            for target in &frontier {
                walk.asked(target);
            }
            for (node, answer) in ask::all(nodes, ask_one).await {
                if let Ok(Answer::Single(told)) = answer {
                    walk.answered(node.target(), told);
                }
            }
            frontier = walk.frontier();
            if frontier.is_empty() {
                break;
            }
        }
        Sighting { kind: TopologyKind::Standalone, servers: walk.servers(), remark: None }
    }
}

async fn identity(node: Arc<RedisNode>) -> Result<Option<String>, SourceError> {
    let reply = node.gate().await.ask(redis::cmd("CLUSTER").arg("MYID")).await?;
    Ok(text(&reply).filter(|_| !matches!(reply, Value::Okay)))
}
