//! Which servers a deployment consists of: found from the addresses an operator typed, and followed as they
//! come, go and change roles.

mod address;
mod ask;
mod by_sentinels;
mod by_servers;
mod cluster;
mod discovery;
mod group;
mod reply;
mod sentinel;
mod walk;

use std::sync::Arc;

use cachescope_model::observation::NodeName;
use cachescope_model::topology::Topology;
use futures::StreamExt as _;

pub use address::RedisAddress;
pub use discovery::Discovery;

use super::node::RedisNode;
use crate::error::SourceError;

/// Servers that are connected to at once when all are checked.
const CHECKED_AT_ONCE: usize = 32;

/// A topology with its servers, in the same order.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// Which there are.
    pub topology: Topology,
    /// The servers themselves.
    pub nodes: Vec<Arc<RedisNode>>,
}

impl Discovered {
    /// The server of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<Arc<RedisNode>> {
        let place = self.topology.nodes.iter().position(|node| &*node.node == name)?;
        self.nodes.get(place).cloned()
    }

    /// Connects to every server, several at once, and returns those that can't be reached, with the reason.
    pub async fn unreachable(&self) -> Vec<(NodeName, SourceError)> {
        let check = |node: Arc<RedisNode>| async move {
            let failed = node.check().await.err()?;
            Some((node.name(), failed))
        };
        let checks = futures::stream::iter(self.nodes.iter().cloned().map(check));
        let mut failed: Vec<_> =
            checks.buffer_unordered(CHECKED_AT_ONCE).filter_map(std::future::ready).collect().await;
        failed.sort_by(|(one, _), (other, _)| one.cmp(other));
        failed
    }
}
