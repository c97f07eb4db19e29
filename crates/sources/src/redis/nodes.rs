//! The servers of one deployment: each is one [`RedisNode`], whoever asks for it, so that one gate sees all of
//! our traffic there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachescope_model::observation::NodeName;
use tokio::sync::{Notify, Semaphore};

use super::connect::ConnectOptions;
use super::node::RedisNode;
use super::target::RedisTarget;

/// Connections that are being made at once, over all nodes: a cluster of hundreds shall not be greeted by
/// hundreds of handshakes in the same moment.
const CONNECTING_AT_ONCE: usize = 16;

/// What the nodes of a deployment share.
#[derive(Debug)]
pub(crate) struct Company {
    /// Rights to make a connection.
    pub(crate) connecting: Semaphore,
    /// Woken when a node stops answering, answers again or changes its role.
    pub(crate) news: Notify,
}

impl Default for Company {
    fn default() -> Self {
        Self { connecting: Semaphore::new(CONNECTING_AT_ONCE), news: Notify::new() }
    }
}

/// Every server that a deployment was ever seen to have. They are kept when they leave: the count of our own
/// traffic must go on where it ended when one comes back.
#[derive(Debug)]
pub struct RedisNodes {
    options: ConnectOptions,
    company: Arc<Company>,
    nodes: Mutex<BTreeMap<NodeName, Arc<RedisNode>>>,
    sentinels: bool,
}

impl RedisNodes {
    /// No nodes yet.
    #[must_use]
    pub fn new(options: ConnectOptions) -> Self {
        Self { options, company: Arc::default(), nodes: Mutex::default(), sentinels: false }
    }

    /// The Sentinels of the same deployment.
    pub(crate) fn sentinels(&self) -> Self {
        let (options, company) = (self.options.clone(), Arc::clone(&self.company));
        Self { options, company, nodes: Mutex::default(), sentinels: true }
    }

    /// The node at this address, made where it is asked for the first time. It is not connected by that.
    #[must_use]
    pub fn get(&self, target: &RedisTarget) -> Arc<RedisNode> {
        let make = || {
            let node = RedisNode::new(target.clone(), self.options.clone());
            let node = node.in_company(Arc::clone(&self.company));
            Arc::new(if self.sentinels { node.taken_for_sentinel() } else { node })
        };
        Arc::clone(self.lock().entry(target.node_name()).or_insert_with(make))
    }

    pub(crate) fn company(&self) -> &Arc<Company> {
        &self.company
    }

    /// Waits until a node stops answering, answers again or changes its role.
    pub async fn news(&self) {
        self.company.news.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeName, Arc<RedisNode>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
