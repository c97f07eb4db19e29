//! The tasks of a session's sources: started, stopped, and counted when off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::deployment::TlsFiles;
use cachescope_model::observation::{NodeName, Observation, Observed};
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::time::Timestamp;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::http::Credentials;
use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::prometheus::names;
use cachescope_sources::prometheus::source::{self as prometheus, PrometheusQueries, PrometheusTarget};
use cachescope_sources::redis::ConnectOptions;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::TlsOptions;
use cachescope_sources::redis::probe::ProbeOptions;
use cachescope_sources::redis::scan::Steering;
use cachescope_sources::redis::topology::Discovered;
use cachescope_sources::ssh::Tunnel;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{SessionPlan, slow_log, start};
use crate::custody::Held;
use crate::deployments;

/// How often metrics are asked for.
const METRICS_INTERVAL: Duration = Duration::from_secs(5);

struct Task {
    cancel: CancellationToken,
    handles: Vec<JoinHandle<()>>,
}

/// The sources of a session.
pub(super) struct Running {
    pub(super) clock: SessionClock,
    pub(super) sink: mpsc::Sender<Observation>,
    pub(super) cancel: CancellationToken,
    pub(super) steering: Steering,
    on: BTreeSet<SourceId>,
    /// Which keys may be probed, and the turns of all servers.
    probe: ProbeOptions,
    /// The servers that are there now.
    servers: Discovered,
    /// By source and server; sources that read no Redis run at a server without name.
    tasks: BTreeMap<(SourceId, NodeName), Task>,
    /// Since when a source is off.
    off: BTreeMap<SourceId, Timestamp>,
    /// Tasks that were told to end and may still be at it.
    ending: Vec<JoinHandle<()>>,
    /// Approved samples of slow logs, for the tasks that are about to start.
    sampled: Vec<Held>,
    followed: Arc<Notify>,
}

impl Running {
    pub(super) fn new(
        clock: SessionClock,
        sink: mpsc::Sender<Observation>,
        cancel: CancellationToken,
        probe: ProbeOptions,
        steering: Steering,
    ) -> Self {
        Self {
            clock,
            sink,
            cancel,
            steering,
            on: BTreeSet::new(),
            probe,
            servers: Discovered::default(),
            tasks: BTreeMap::new(),
            off: BTreeMap::new(),
            ending: Vec::new(),
            sampled: Vec::new(),
            followed: Arc::default(),
        }
    }

    /// The servers that can be asked now; all, where none seems to be, so that asking says why. None before the
    /// first look at them.
    pub(super) fn redis_nodes(&self) -> Vec<Arc<RedisNode>> {
        let up = self.servers.topology.nodes.iter().filter(|node| !node.failed && !node.unreachable);
        let up: Vec<_> = up.filter_map(|node| self.servers.node(&node.node)).collect();
        if up.is_empty() { self.servers.nodes.clone() } else { up }
    }

    /// The servers that are there now.
    pub(super) fn servers(&self) -> Discovered {
        self.servers.clone()
    }

    /// Woken whenever other servers are there than before.
    pub(super) fn followed(&self) -> Arc<Notify> {
        Arc::clone(&self.followed)
    }

    /// Samples these servers' slow logs from the next start of that source on.
    pub(super) fn sample_slow_log(&mut self, approved: Vec<Held>) {
        self.sampled.extend(approved);
    }

    /// Approved samples that no task took up, because their server is gone.
    pub(super) fn take_unused(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.sampled)
    }

    fn take_sampled(&mut self, node: &RedisNode) -> Option<Held> {
        let place = self.sampled.iter().position(|held| held.plan().node == node.name())?;
        Some(self.sampled.remove(place))
    }

    pub(super) fn on(&self) -> Vec<SourceId> {
        self.on.iter().copied().collect()
    }

    pub(super) fn set(&mut self, source: SourceId, on: bool, plan: &SessionPlan) {
        if on {
            self.on.insert(source);
            self.off.remove(&source);
        } else {
            self.on.remove(&source);
            let now = self.clock.now();
            self.off.entry(source).or_insert(now);
        }
        self.arrange(source, plan);
    }

    /// Other servers than before: starts what is on where it belongs now, ends it where it does not any more.
    /// Returns what is to be said about what ended.
    pub(super) fn follow(&mut self, servers: Discovered, plan: &SessionPlan) -> Vec<Observation> {
        self.servers = servers;
        self.followed.notify_waiters();
        let on: Vec<_> = self.on.iter().copied().filter(|source| start::reads_redis(*source)).collect();
        on.into_iter().flat_map(|source| self.arrange(source, plan)).collect()
    }

    /// Lets a source run where it belongs, and nowhere else. Returns where it was ended.
    fn arrange(&mut self, source: SourceId, plan: &SessionPlan) -> Vec<Observation> {
        if self.cancel.is_cancelled() {
            return Vec::new();
        }
        let wanted = self.wanted(source);
        let superfluous: Vec<_> =
            self.tasks.keys().filter(|(of, at)| *of == source && !wanted.contains(at)).cloned().collect();
        let mut ended = Vec::new();
        for key in superfluous {
            if let Some(task) = self.tasks.remove(&key) {
                task.cancel.cancel();
                self.ending.retain(|handle| !handle.is_finished());
                self.ending.extend(task.handles);
                ended.push(self.ended(source, key.1));
            }
        }
        for at in wanted {
            if !self.tasks.contains_key(&(source, Arc::clone(&at))) {
                let cancel = self.cancel.child_token();
                let handles = self.start(source, &at, &cancel, plan);
                self.tasks.insert((source, at), Task { cancel, handles });
            }
        }
        ended
    }

    /// Where a source is to run now.
    fn wanted(&self, source: SourceId) -> BTreeSet<NodeName> {
        if !self.on.contains(&source) {
            return BTreeSet::new();
        }
        if !start::reads_redis(source) {
            return BTreeSet::from([NodeName::default()]);
        }
        let runs = |node: &cachescope_model::topology::TopologyNode| {
            self.tasks.contains_key(&(source, Arc::clone(&node.node)))
        };
        let topology = &self.servers.topology;
        let here = topology.nodes.iter().filter(|node| start::belongs(source, node, topology, runs));
        here.map(|node| Arc::clone(&node.node)).collect()
    }

    fn ended(&self, source: SourceId, node: NodeName) -> Observation {
        let at = self.clock.now();
        let (detail, remedy) = (String::new(), String::new());
        let status = SourceStatus { source, health: SourceHealth::Off, since: at, detail, remedy };
        Observation { at, node, what: Observed::Status(status) }
    }

    /// Every task, for waiting until it has ended.
    pub(super) fn take_tasks(&mut self) -> Vec<JoinHandle<()>> {
        let tasks = std::mem::take(&mut self.tasks);
        let mut handles = std::mem::take(&mut self.ending);
        handles.extend(tasks.into_values().flat_map(|task| task.handles));
        handles
    }

    /// Takes a further task of the session, to be waited for at its end.
    pub(super) fn keep(&mut self, handle: JoinHandle<()>) {
        self.ending.push(handle);
    }

    /// Says of the sources that are off that they are, in the place of what they said last.
    pub(super) fn add_switched_off(&self, statuses: &mut Vec<SourceStatus>, now: Timestamp) {
        for spec in SourceId::ALL {
            let off = self.off.get(&spec.id);
            let known = statuses.iter().position(|status| status.source == spec.id);
            let said = |health, since| SourceStatus {
                source: spec.id,
                health,
                since,
                detail: String::new(),
                remedy: String::new(),
            };
            match (off, known) {
                (Some(since), Some(place)) => statuses[place] = said(SourceHealth::Off, *since),
                (Some(since), None) => statuses.push(said(SourceHealth::Off, *since)),
                (None, None) => statuses.push(said(SourceHealth::Starting, now)),
                (None, Some(_)) => {}
            }
        }
        statuses.sort_by_key(|status| status.source);
    }

    fn context(&self, node: &str, cancel: &CancellationToken) -> SourceContext {
        SourceContext::new(node.into(), self.clock, self.sink.clone(), cancel.clone())
    }

    fn start(
        &mut self,
        source: SourceId,
        at: &NodeName,
        cancel: &CancellationToken,
        plan: &SessionPlan,
    ) -> Vec<JoinHandle<()>> {
        match source {
            SourceId::Metrics => self.start_metrics(cancel, plan),
            SourceId::Prometheus => self.start_prometheus(cancel, plan).into_iter().collect(),
            _ => {
                let Some(node) = self.servers.node(at) else { return Vec::new() };
                if source == SourceId::SlowLog {
                    let held = self.take_sampled(&node);
                    return vec![tokio::spawn(slow_log::run(self.context(at, cancel), node, held))];
                }
                start::on_node(source, self.context(at, cancel), node, plan, &self.probe, &self.steering)
                    .into_iter()
                    .collect()
            }
        }
    }

    fn start_metrics(&self, cancel: &CancellationToken, plan: &SessionPlan) -> Vec<JoinHandle<()>> {
        let run = |url: &String| {
            let mut target = MetricsTarget::new(url);
            target.http = plan.http_options(Credentials::None);
            target.interval = METRICS_INTERVAL;
            target.accept = names::accepts(plan.strategy.metrics.as_ref());
            tokio::spawn(metrics::run(self.context(url, cancel), target))
        };
        plan.deployment.metrics_urls.iter().map(run).collect()
    }

    fn start_prometheus(&self, cancel: &CancellationToken, plan: &SessionPlan) -> Option<JoinHandle<()>> {
        let target = prometheus_target(plan)?;
        let selectors = match &plan.strategy.metrics {
            Some(own) => names::selectors_for(own),
            None => names::default_selectors(),
        };
        let signals =
            plan.strategy.signals.iter().map(|signal| (signal.name.clone(), signal.promql.clone())).collect();
        let context = self.context(plan.deployment.prometheus_url.as_deref().unwrap_or_default(), cancel);
        Some(tokio::spawn(prometheus::run(context, target, PrometheusQueries { selectors, signals })))
    }
}

/// Deadlines, certificates and the way of the Redis connections.
pub(crate) fn connect_options(tls: &TlsFiles, ssh: Option<Arc<Tunnel>>, timeout: Duration) -> ConnectOptions {
    ConnectOptions { ssh, tls: tls_options(tls), connect_timeout: timeout, command_timeout: timeout }
}

pub(super) fn tls_options(files: &TlsFiles) -> TlsOptions {
    let path = |file: &Option<String>| file.as_ref().map(Into::into);
    TlsOptions { ca: path(&files.ca), cert: path(&files.cert), key: path(&files.key) }
}

/// The Prometheus of a plan with its authentication; `None` where it has none.
pub(super) fn prometheus_target(plan: &SessionPlan) -> Option<PrometheusTarget> {
    let url = plan.deployment.prometheus_url.as_ref()?;
    let secrets = &plan.secrets;
    // The address was read when the deployment was made; one that can't be read any more has no source.
    let (url, credentials) = deployments::http_endpoint(
        url,
        secrets.prometheus_token.as_ref(),
        secrets.prometheus_password.as_ref(),
    )
    .ok()?;
    Some(PrometheusTarget { url, http: plan.http_options(credentials), interval: METRICS_INTERVAL })
}
