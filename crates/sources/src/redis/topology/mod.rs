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

use cachescope_model::topology::Topology;

pub use address::RedisAddress;
pub use discovery::Discovery;

use super::node::RedisNode;

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
}
