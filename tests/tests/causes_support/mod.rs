//! The engine behind the real sources of one server, without a session around them, so that its bounds can be chosen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use cachescope_engine::{Engine, EngineOptions};
use cachescope_lab::servers::RedisServer;
use cachescope_model::observation::Observed;
use cachescope_model::snapshot::MissCauses;
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::Template;
use cachescope_model::window::Window;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::redis::events::{self, EventsOptions};
use cachescope_sources::redis::info::{self, InfoOptions};
use cachescope_sources::redis::{ConnectOptions, RedisNode, RedisTarget};
use cachescope_tests::waiting::wait_for;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// After so many readings of INFO nothing that happened before is still open: a flush shows in the second at latest,
/// and what it overturns is put right then.
const SETTLED_AFTER: u64 = 5;

#[derive(Default)]
struct Seen {
    infos: u64,
    /// Subscriptions that began, and that were lost.
    began: u64,
    lost: u64,
}

/// INFO and keyspace events of a server, and what the engine makes of them.
pub(crate) struct Observer {
    shared: Arc<Mutex<(Engine, Seen)>>,
    clock: SessionClock,
    cancel: CancellationToken,
}

impl Observer {
    /// Watches; the keys are documented, each as a namespace.
    pub(crate) async fn start(server: &RedisServer, keys: &[String], capacity: usize) -> Result<Self> {
        let namespaces =
            keys.iter().map(|key| Template::parse(key).map(Namespace::new)).collect::<Result<_, _>>()?;
        let strategy = Strategy { namespaces, ..Strategy::default() };
        let options = EngineOptions { tombstones: capacity, ..EngineOptions::default() };
        let shared = Arc::new(Mutex::new((Engine::new(&strategy, options), Seen::default())));
        let (sink, mut observations) = mpsc::channel(512);
        let (clock, cancel) = (SessionClock::start(), CancellationToken::new());
        let node = Arc::new(RedisNode::new(RedisTarget::parse(&server.url())?, ConnectOptions::default()));
        let context = SourceContext::new(node.name(), clock, sink, cancel.clone());
        tokio::spawn(info::run(context.clone(), Arc::clone(&node), InfoOptions::default()));
        tokio::spawn(events::run(context, node, EventsOptions::default()));
        let feeding = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Some(observation) = observations.recv().await {
                let mut shared = feeding.lock().unwrap_or_else(PoisonError::into_inner);
                match observation.what {
                    Observed::Info(_) => shared.1.infos += 1,
                    Observed::EventsBegan(_) => shared.1.began += 1,
                    Observed::EventsLost => shared.1.lost += 1,
                    _ => {}
                }
                shared.0.observe(&observation);
            }
        });
        let mut observer = Self { shared, clock, cancel };
        observer.listens_again(0).await?;
        Ok(observer)
    }

    fn seen<T>(&self, of: impl Fn(&Seen) -> T) -> T {
        of(&self.shared.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// How often a subscription was lost.
    pub(crate) fn gaps(&self) -> u64 {
        self.seen(|seen| seen.lost)
    }

    /// Waits until a subscription stands that so many were lost before, and INFO was read since.
    pub(crate) async fn listens_again(&mut self, lost: u64) -> Result<()> {
        wait_for("the subscription stands", async || {
            Ok(self.seen(|seen| seen.lost >= lost && seen.began > lost).then_some(()))
        })
        .await?;
        self.settle().await
    }

    /// Waits until everything that has happened is counted for good.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        let enough = self.seen(|seen| seen.infos) + SETTLED_AFTER;
        wait_for("INFO was read often enough", async || {
            Ok(self.seen(|seen| seen.infos >= enough).then_some(()))
        })
        .await
    }

    /// Causes by key.
    pub(crate) fn causes(&self) -> BTreeMap<String, MissCauses> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        shared.0.advance(now);
        let snapshot = shared.0.snapshot(now, Window::OneDay);
        snapshot.namespaces.into_iter().map(|row| (row.namespace, row.miss_causes)).collect()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Expired, evicted, deleted, flushed, cold, unknown.
pub(crate) fn parts(causes: &MissCauses) -> [u64; 6] {
    [causes.expired, causes.evicted, causes.deleted, causes.flushed, causes.cold, causes.unknown]
}
