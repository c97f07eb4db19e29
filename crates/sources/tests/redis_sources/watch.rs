//! What a test holds of a running source: its observations, awaited by condition.

use std::sync::Arc;
use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::{Observation, Observed};
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::redis::{ConnectOptions, RedisNode, RedisTarget};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Nothing here takes this long; it only keeps a broken test from hanging.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn server(options: RedisOptions) -> RedisServer {
    RedisServer::start(options).await.expect("redis-server starts")
}

pub(crate) fn node(url: &str) -> Arc<RedisNode> {
    node_with(url, ConnectOptions::default())
}

pub(crate) fn node_with(url: &str, options: ConnectOptions) -> Arc<RedisNode> {
    Arc::new(RedisNode::new(RedisTarget::parse(url).expect("a good URL"), options))
}

/// The receiving end of the sources under test.
pub(crate) struct Watch {
    pub(crate) context: SourceContext,
    observations: mpsc::Receiver<Observation>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self::with_room(4096)
    }

    pub(crate) fn with_room(room: usize) -> Self {
        let (sink, observations) = mpsc::channel(room);
        let cancel = CancellationToken::new();
        Self {
            context: SourceContext::new("test:1".into(), SessionClock::start(), sink, cancel),
            observations,
        }
    }

    pub(crate) async fn next(&mut self) -> Observation {
        timeout(PATIENCE, self.observations.recv())
            .await
            .expect("an observation comes in time")
            .expect("the sources still run")
    }

    /// The first observation that `pick` takes; the ones before are dropped.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Observed) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.next().await.what) {
                return picked;
            }
        }
    }

    pub(crate) async fn status(&mut self, source: SourceId, health: SourceHealth) -> SourceStatus {
        self.until(|what| match what {
            Observed::Status(status) if status.source == source && status.health == health => Some(status),
            _ => None,
        })
        .await
    }

    /// Everything that is still under way once the sources have ended.
    pub(crate) async fn end(mut self) -> Vec<Observed> {
        self.context.cancel.cancel();
        let Self { context, observations, .. } = &mut self;
        let mut rest = Vec::new();
        // Our own sender must go, or the channel never ends.
        let (sink, _) = mpsc::channel(1);
        context.sink = sink;
        while let Some(observation) =
            timeout(PATIENCE, observations.recv()).await.expect("the sources end when cancelled")
        {
            rest.push(observation.what);
        }
        rest
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.context.cancel.cancel();
    }
}
