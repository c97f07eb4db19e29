//! Found by asking Sentinels.

use std::sync::Arc;

use cachescope_model::topology::{NodeRole, TopologyKind};

use super::super::node::RedisNode;
use super::discovery::{Discovery, Seen, Sighting};
use super::reply::Told;
use super::sentinel::{self, Listening};
use super::{RedisAddress, ask};
use crate::error::{ErrorCode, SourceError};

/// Sentinels that are asked; a group has three or five.
const MOST_SENTINELS: usize = 16;

impl Discovery {
    /// Asks every Sentinel; of their views the one holds that has seen the most failovers.
    pub(super) async fn ask_sentinels(&mut self) -> Result<Sighting, SourceError> {
        let Some(service) = self.address.sentinel().map(|known| known.service.clone()) else {
            return Err(SourceError::new(ErrorCode::BadUrl, "no Sentinel service is named", ""));
        };
        let sentinels = self.sentinels_known();
        let asked = |node: Arc<RedisNode>| {
            let service = service.clone();
            async move { sentinel::ask(&node, &service).await }
        };
        let mut best: Option<(Arc<RedisNode>, sentinel::View)> = None;
        let mut failure: Option<SourceError> = None;
        for (node, answer) in ask::all(sentinels, asked).await {
            match answer {
                Ok(view) => {
                    if best.as_ref().is_none_or(|(_, known)| view.epoch > known.epoch) {
                        best = Some((node, view));
                    }
                }
                // That a Sentinel doesn't know the primary says more than that another one can't be reached.
                Err(error) if failure.is_none() || error.kind() == ErrorCode::WrongRole => {
                    failure = Some(error);
                }
                Err(_) => {}
            }
        }
        let Some((node, view)) = best else {
            return Err(failure.unwrap_or_else(|| {
                SourceError::new(ErrorCode::Timeout, format!("no Sentinel of {service} answers"), "")
            }));
        };
        self.remember_sentinels(&node, &view.sentinels);
        self.listen_to(&node).await;
        Ok(self.group_seen(&node, view))
    }

    fn group_seen(&self, node: &RedisNode, view: sentinel::View) -> Sighting {
        let data = self.address.seeds().first().cloned().unwrap_or_else(|| node.target().clone());
        let seen = |(at, down): (Told, bool), role| Seen {
            target: Self::told_by(&data, &at),
            role,
            shard: 0,
            failed: down,
            slotless: false,
        };
        let primary = seen(view.primary, NodeRole::Primary);
        let replicas = view.replicas.into_iter().map(|replica| seen(replica, NodeRole::Replica));
        let servers = std::iter::once(primary).chain(replicas).collect();
        Sighting { kind: TopologyKind::Sentinel, servers, remark: None }
    }

    fn sentinels_known(&self) -> Vec<Arc<RedisNode>> {
        let typed = self.address.seeds().iter().map(|seed| self.address.sentinel_at(seed));
        let all: Vec<_> = typed.chain(self.further_sentinels.iter().cloned()).collect();
        all.iter().take(MOST_SENTINELS).map(|target| self.sentinels.get(target)).collect()
    }

    fn remember_sentinels(&mut self, asked: &RedisNode, told: &[Told]) {
        for told in told {
            let target = Self::told_by(asked.target(), told);
            let known = self.sentinels_known();
            if known.len() < MOST_SENTINELS && !known.iter().any(|node| node.name() == target.node_name()) {
                self.further_sentinels.push(target);
            }
        }
    }

    /// Another primary is heard of at once; where that can't be, it is asked for now and then.
    async fn listen_to(&mut self, node: &RedisNode) {
        if self.listening.as_ref().is_some_and(Listening::stands) {
            return;
        }
        self.listening = match Listening::begin(node, self.nodes.company()).await {
            Ok(listening) => Some(listening),
            Err(error) => {
                tracing::debug!(%error, "failovers are asked for, not heard of");
                None
            }
        };
    }
}

impl RedisAddress {
    /// The same with the typed servers known to be Sentinels of this primary; the login is for both.
    pub(super) fn with_service(mut self, service: &str) -> Self {
        let first = self.seeds().first();
        let user = first.and_then(|seed| seed.user()).map(str::to_owned);
        let password = self.password().cloned();
        self.set_service(service, user, password);
        self
    }
}
