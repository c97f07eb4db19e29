//! A session: one deployment being watched. It owns the engine, the tasks of the sources and the clock.

mod follow;
mod health;
mod settings;
mod slow_log;
mod sources;
mod start;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;

use cachescope_engine::triage::{Compared, Question};
use cachescope_engine::{Engine, EngineOptions, HistoryQuery};
use cachescope_model::contents::{NamespaceContents, TenantSnapshot};
use cachescope_model::deployment::{Deployment, Environment};
use cachescope_model::keys::NamespaceKeys;
use cachescope_model::misses::{CausePoint, MissInsights};
use cachescope_model::scan::ScanMode;
use cachescope_model::slow_command::SlowCommand;
use cachescope_model::snapshot::{HistoryPoint, Snapshot};
use cachescope_model::source::{SourceId, SourceStatus};
use cachescope_model::strategy::Strategy;
use cachescope_model::time::Timestamp;
use cachescope_model::triage::Triage;
use cachescope_model::window::Window;
use cachescope_sources::context::SessionClock;
use cachescope_sources::http::{Credentials, HttpOptions};
use cachescope_sources::prometheus::source::PrometheusTarget;
use cachescope_sources::redis::ConnectOptions;
use cachescope_sources::redis::probe::ProbeOptions;
use cachescope_sources::redis::scan::Steering;
use cachescope_sources::redis::topology::Discovery;
use cachescope_sources::ssh::{TrustedKey, Tunnel};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::health::Connection;
use self::sources::Running;
pub(crate) use self::sources::connect_options;
use crate::custody::{Custody, Held};
use crate::deployments;
use crate::secrets::DeploymentSecrets;

/// What a session needs to begin.
pub struct SessionPlan {
    /// What is watched.
    pub deployment: Deployment,
    /// The tunnel to it; every connection of every part goes through this one.
    pub ssh: Option<Arc<Tunnel>>,
    /// The strategy it follows; the default one documents nothing.
    pub strategy: Arc<Strategy>,
    /// Something the operator should know from the start, such as a strategy file that can't be read.
    pub notice: String,
    /// What it is let in with; the tunnel has its own already.
    pub secrets: DeploymentSecrets,
    /// Which sources are on; `None` takes the defaults of the environment.
    pub sources: Option<BTreeSet<SourceId>>,
    /// How thorough scans are, and how often they repeat.
    pub scan: ScanPlan,
    /// How long one request of a source may take.
    pub timeout: std::time::Duration,
    /// Who keeps what is changed in the server; `None` where nothing may be changed.
    pub custody: Option<Custody>,
}

impl SessionPlan {
    pub(crate) fn connect_options(&self) -> ConnectOptions {
        sources::connect_options(&self.deployment.tls, self.ssh.clone(), self.timeout)
    }

    /// Has the tunnel add this key to the operator's known hosts, where it is not known yet.
    pub fn trust(&mut self, key: TrustedKey) {
        let trusting = |tunnel: &Arc<Tunnel>| {
            Tunnel::new(tunnel.hop().clone(), tunnel.secret().cloned()).trusting(key.clone())
        };
        self.ssh = self.ssh.as_ref().map(trusting).map(Arc::new);
    }

    /// How its Prometheus and metrics pages are reached.
    pub(crate) fn http_options(&self, credentials: Credentials) -> HttpOptions {
        HttpOptions {
            credentials,
            ssh: self.ssh.clone().filter(|_| self.deployment.ssh_http),
            tls: sources::tls_options(&self.deployment.tls),
            timeout: self.timeout,
            ..HttpOptions::default()
        }
    }

    pub(crate) fn prometheus_target(&self) -> Option<PrometheusTarget> {
        sources::prometheus_target(self)
    }
}

/// How a session scans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanPlan {
    /// How thorough scans are.
    pub mode: ScanMode,
    /// Keep the server busy instead of resting: for servers that serve nobody else.
    pub unthrottled: bool,
    /// Pause from the end of a scan to the beginning of the next; `None` scans once.
    pub repeat_every: Option<std::time::Duration>,
}

impl Default for ScanPlan {
    fn default() -> Self {
        let mode = ScanMode::Sampled { weigh_every: WEIGH_EVERY };
        Self { mode, unthrottled: false, repeat_every: Some(std::time::Duration::from_secs(60)) }
    }
}

/// One key in this many is weighed unless a scan is to be more thorough.
const WEIGH_EVERY: u32 = 20;

/// The sources that are on by default: everything the deployment has an address for, except that costly ones
/// wait for the operator on production, and those that change settings wait everywhere.
#[must_use]
pub fn default_sources(deployment: &Deployment) -> BTreeSet<SourceId> {
    let production = deployment.environment() == Environment::Production;
    SourceId::ALL
        .iter()
        .filter(|spec| !(spec.by_hand || spec.costly && production))
        .map(|spec| spec.id)
        .filter(|id| has_address(deployment, *id))
        .collect()
}

/// This machine's wall clock, for what no session's clock has seen.
#[must_use]
pub fn wall_clock_now() -> Timestamp {
    SessionClock::start().now()
}

fn has_address(deployment: &Deployment, source: SourceId) -> bool {
    match source {
        SourceId::Metrics => !deployment.metrics_urls.is_empty(),
        SourceId::Prometheus => deployment.prometheus_url.is_some(),
        _ => deployment.redis_url.is_some(),
    }
}

/// A snapshot over a window for which nobody has asked for this many ticks is dropped.
const UNASKED_TICKS: u64 = 5;

/// A deployment being watched. Dropping it ends its tasks.
pub struct Session {
    plan: Arc<SessionPlan>,
    clock: SessionClock,
    engine: Arc<Mutex<Engine>>,
    cache: Mutex<Vec<CachedSnapshot>>,
    last_data: Arc<Mutex<Option<Timestamp>>>,
    ticks: watch::Receiver<u64>,
    running: Arc<Mutex<Running>>,
    /// Changes of the servers' events setting that are in force.
    held_events: tokio::sync::Mutex<Vec<Held>>,
    cancel: CancellationToken,
}

struct CachedSnapshot {
    tick: u64,
    window: Window,
    snapshot: Arc<Snapshot>,
}

impl Session {
    /// Begins to watch. Must be called within a tokio runtime; never blocks and never fails: what can't be
    /// reached shows as a source's status.
    #[must_use]
    pub fn start(plan: SessionPlan) -> Arc<Self> {
        let clock = SessionClock::start();
        let engine =
            Arc::new(Mutex::new(Engine::sharing(Arc::clone(&plan.strategy), EngineOptions::default())));
        let cancel = CancellationToken::new();
        let last_data = Arc::new(Mutex::new(None));
        let (sink, observations) = worker::channel();
        let (candidates, to_probe) = watch::channel(Arc::default());
        let steering = Steering::default();
        let ticks = worker::spawn(worker::Worker {
            engine: Arc::clone(&engine),
            clock,
            observations,
            last_data: Arc::clone(&last_data),
            cancel: cancel.clone(),
            infos: 0,
            candidates,
            steering: steering.clone(),
        });
        let probe = ProbeOptions { candidates: to_probe, budget: Arc::default(), may_touch: false };
        let on = plan.sources.clone().unwrap_or_else(|| default_sources(&plan.deployment));
        let plan = Arc::new(plan);
        let running = Arc::new(Mutex::new(Running::new(clock, sink, cancel.clone(), probe, steering)));
        let session = Arc::new(Self {
            plan,
            clock,
            engine,
            cache: Mutex::new(Vec::new()),
            last_data,
            ticks,
            running,
            held_events: tokio::sync::Mutex::default(),
            cancel,
        });
        for spec in SourceId::ALL {
            session.set_source(spec.id, on.contains(&spec.id));
        }
        // The address was read when the deployment was made; one that can't be read any more has no servers.
        if let Some(address) = deployments::redis_address(&session.plan).ok().flatten() {
            let discovery = Discovery::new(address, session.plan.connect_options());
            let following = follow::spawn(discovery, Arc::clone(&session.running), Arc::clone(&session.plan));
            session.running.lock().keep(following);
        }
        session.recover();
        session
    }

    /// What is watched.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.plan.deployment
    }

    /// What it was started with.
    pub(crate) fn plan(&self) -> &SessionPlan {
        &self.plan
    }

    /// The strategy it follows.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.plan.strategy
    }

    /// The same, to be kept.
    pub(crate) fn shared_strategy(&self) -> Arc<Strategy> {
        Arc::clone(&self.plan.strategy)
    }

    /// Switches a source on or off. One without an address stays off.
    pub fn set_source(&self, source: SourceId, on: bool) {
        let possible = has_address(&self.plan.deployment, source);
        self.running.lock().set(source, on && possible, &self.plan);
    }

    /// Which sources are on.
    #[must_use]
    pub fn sources_on(&self) -> Vec<SourceId> {
        self.running.lock().on()
    }

    /// A receiver that changes once a second, after the engine has closed that second.
    #[must_use]
    pub fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.clone()
    }

    /// Everything over a window, as of the last tick. Computed at most once a tick and window, in the memory of
    /// the last one over that window, where nobody holds it any more.
    #[must_use]
    pub fn snapshot(&self, window: Window) -> Arc<Snapshot> {
        let tick = *self.ticks.borrow();
        let mut cache = self.cache.lock();
        if let Some(cached) = cache.iter().find(|cached| cached.tick == tick && cached.window == window) {
            return Arc::clone(&cached.snapshot);
        }
        cache.retain(|cached| cached.window == window || cached.tick + UNASKED_TICKS > tick);
        let last = cache.iter().position(|cached| cached.window == window);
        let last = last.and_then(|place| Arc::into_inner(cache.swap_remove(place).snapshot));
        let room = last.map(|last| last.namespaces).unwrap_or_default();
        let mut snapshot = self.engine.lock().snapshot_in(room, self.clock.now(), window);
        self.running.lock().add_switched_off(&mut snapshot.sources, self.clock.now());
        let snapshot = Arc::new(snapshot);
        cache.push(CachedSnapshot { tick, window, snapshot: Arc::clone(&snapshot) });
        snapshot
    }

    /// Keys of a namespace that stand out.
    #[must_use]
    pub fn keys(&self, namespace: &str, window: Window) -> NamespaceKeys {
        self.engine.lock().keys(namespace, self.clock.now(), window).unwrap_or_default()
    }

    /// Keys that are missed most, with their bytes: for filling, not for showing.
    #[must_use]
    pub fn missed_keys(&self, window: Window) -> Vec<cachescope_model::keys::MissedKey> {
        self.engine.lock().missed_keys(self.clock.now(), window)
    }

    /// A reading's history.
    #[must_use]
    pub fn history(&self, query: &HistoryQuery) -> Vec<HistoryPoint> {
        self.engine.lock().history(query)
    }

    /// The slowest commands of the last hour, slowest first, at most ten a namespace; `None` is all namespaces.
    #[must_use]
    pub fn slow_commands(&self, namespace: Option<&str>) -> Vec<SlowCommand> {
        self.engine.lock().slow_commands(self.clock.now(), namespace)
    }

    /// Misses by cause over time; see [`Engine::cause_history`].
    #[must_use]
    pub fn cause_history(
        &self,
        namespace: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        points: usize,
    ) -> Vec<CausePoint> {
        self.engine.lock().cause_history(namespace, from, to, points)
    }

    /// What misses say beyond their number; `None` where the namespace is not known.
    #[must_use]
    pub fn misses(&self, namespace: Option<&str>, window: Window) -> Option<MissInsights> {
        self.engine.lock().misses(namespace, self.clock.now(), window)
    }

    /// What the last complete scan found in a namespace beside its readings.
    #[must_use]
    pub fn contents(&self, namespace: &str) -> Option<NamespaceContents> {
        self.engine.lock().contents(namespace)
    }

    /// A namespace by its tenants; empty where its template has none.
    #[must_use]
    pub fn tenants(&self, namespace: &str, window: Window) -> Vec<TenantSnapshot> {
        self.engine.lock().tenants(namespace, self.clock.now(), window)
    }

    /// What an alert is about; see [`Engine::triage`].
    #[must_use]
    pub fn triage(&self, question: &Question<'_>, compared: &mut Compared) -> Triage {
        self.engine.lock().triage(question, compared)
    }

    /// The session's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether the deployment is reached, judged by its sources.
    #[must_use]
    pub fn connection(&self, sources: &[SourceStatus]) -> Connection {
        let mut connection = health::judge(&self.plan.deployment, sources, *self.last_data.lock());
        if connection.detail.is_empty() {
            connection.detail.clone_from(&self.plan.notice);
        }
        connection
    }

    /// Whether the first data has arrived.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.last_data.lock().is_some()
    }

    /// Ends every task of the session, waits until they have, and puts back what was changed.
    pub async fn stop(&self) {
        self.cancel.cancel();
        let tasks = self.running.lock().take_tasks();
        for task in tasks {
            if let Err(error) = task.await
                && error.is_panic()
            {
                tracing::error!("a source panicked: {error}");
            }
        }
        self.put_everything_back().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
