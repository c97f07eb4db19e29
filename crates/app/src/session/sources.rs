//! The tasks of a session's sources: started, stopped, and counted when off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::deployment::TlsFiles;
use cachescope_model::observation::Observation;
use cachescope_model::scan::ScanMode;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::time::Timestamp;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::http::HttpOptions;
use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::prometheus::names;
use cachescope_sources::prometheus::source::{self as prometheus, PrometheusQueries, PrometheusTarget};
use cachescope_sources::redis::ConnectOptions;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::TlsOptions;
use cachescope_sources::redis::events::{self, EventsOptions};
use cachescope_sources::redis::info::{self, InfoOptions};
use cachescope_sources::redis::scan::{self, ScanOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::SessionPlan;
use crate::deployments;

/// How often metrics are asked for.
const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// One key in this many is weighed unless a scan is exact.
const WEIGH_EVERY: u32 = 20;

struct Task {
    cancel: CancellationToken,
    handles: Vec<JoinHandle<()>>,
}

/// The sources of a session.
pub(super) struct Running {
    clock: SessionClock,
    sink: mpsc::Sender<Observation>,
    cancel: CancellationToken,
    node: Option<Arc<RedisNode>>,
    tasks: BTreeMap<SourceId, Task>,
    /// Since when a source is off.
    off: BTreeMap<SourceId, Timestamp>,
    /// Tasks that were told to end and may still be at it.
    ending: Vec<JoinHandle<()>>,
}

impl Running {
    pub(super) fn new(
        clock: SessionClock,
        sink: mpsc::Sender<Observation>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            clock,
            sink,
            cancel,
            node: None,
            tasks: BTreeMap::new(),
            off: BTreeMap::new(),
            ending: Vec::new(),
        }
    }

    pub(super) fn on(&self) -> Vec<SourceId> {
        self.tasks.keys().copied().collect()
    }

    pub(super) fn set(&mut self, source: SourceId, on: bool, plan: &SessionPlan) {
        match (on, self.tasks.contains_key(&source)) {
            (true, false) => {
                let cancel = self.cancel.child_token();
                let handles = self.start(source, &cancel, plan);
                self.tasks.insert(source, Task { cancel, handles });
                self.off.remove(&source);
            }
            (false, running) => {
                if let Some(task) = self.tasks.remove(&source).filter(|_| running) {
                    task.cancel.cancel();
                    self.ending.retain(|handle| !handle.is_finished());
                    self.ending.extend(task.handles);
                }
                let now = self.clock.now();
                self.off.entry(source).or_insert(now);
            }
            (true, true) => {}
        }
    }

    /// Every task, for waiting until it has ended.
    pub(super) fn take_tasks(&mut self) -> Vec<JoinHandle<()>> {
        let tasks = std::mem::take(&mut self.tasks);
        let mut handles = std::mem::take(&mut self.ending);
        handles.extend(tasks.into_values().flat_map(|task| task.handles));
        handles
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
        cancel: &CancellationToken,
        plan: &SessionPlan,
    ) -> Vec<JoinHandle<()>> {
        match source {
            SourceId::Metrics => self.start_metrics(cancel, plan),
            SourceId::Prometheus => self.start_prometheus(cancel, plan).into_iter().collect(),
            _ => self.start_redis(source, cancel, plan).into_iter().collect(),
        }
    }

    fn start_redis(
        &mut self,
        source: SourceId,
        cancel: &CancellationToken,
        plan: &SessionPlan,
    ) -> Option<JoinHandle<()>> {
        let node = self.node(plan)?;
        let context = self.context(&node.name(), cancel);
        Some(match source {
            SourceId::Events => tokio::spawn(events::run(context, node, EventsOptions::default())),
            SourceId::Scan => {
                let mode = match plan.scan.exact {
                    true => ScanMode::Exact,
                    false => ScanMode::Sampled { weigh_every: WEIGH_EVERY },
                };
                let options =
                    ScanOptions { mode, repeat_every: plan.scan.repeat_every, ..ScanOptions::default() };
                tokio::spawn(scan::run(context, node, options))
            }
            SourceId::Commands | SourceId::SlowLog | SourceId::Probe => return None,
            _ => tokio::spawn(info::run(context, node, InfoOptions::default())),
        })
    }

    /// The one node that the Redis sources share, so that its gate sees all of our traffic.
    fn node(&mut self, plan: &SessionPlan) -> Option<Arc<RedisNode>> {
        if let Some(node) = &self.node {
            return Some(Arc::clone(node));
        }
        // The address was read when the deployment was made; one that can't be read any more has no source.
        let target = deployments::redis_target(plan).ok().flatten()?;
        let node = Arc::new(RedisNode::new(target, connect_options(&plan.deployment.tls, plan.timeout)));
        self.node = Some(Arc::clone(&node));
        Some(node)
    }

    fn start_metrics(&self, cancel: &CancellationToken, plan: &SessionPlan) -> Vec<JoinHandle<()>> {
        let run = |url: &String| {
            let mut target = MetricsTarget::new(url);
            target.http.tls = tls_options(&plan.deployment.tls);
            target.http.timeout = plan.timeout;
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

/// Deadlines and certificates of the Redis connections.
pub(super) fn connect_options(tls: &TlsFiles, timeout: Duration) -> ConnectOptions {
    ConnectOptions { tls: tls_options(tls), connect_timeout: timeout, command_timeout: timeout }
}

pub(super) fn tls_options(files: &TlsFiles) -> TlsOptions {
    let path = |file: &Option<String>| file.as_ref().map(Into::into);
    TlsOptions { ca: path(&files.ca), cert: path(&files.cert), key: path(&files.key) }
}

/// The Prometheus of a plan with its authentication; `None` where it has none.
pub(super) fn prometheus_target(plan: &SessionPlan) -> Option<PrometheusTarget> {
    let url = plan.deployment.prometheus_url.as_ref()?;
    // The address was read when the deployment was made; one that can't be read any more has no source.
    let (url, credentials) =
        deployments::http_endpoint(url, plan.prometheus_token.as_ref(), plan.prometheus_password.as_ref())
            .ok()?;
    let tls = tls_options(&plan.deployment.tls);
    let http = HttpOptions { credentials, tls, timeout: plan.timeout, ..HttpOptions::default() };
    Some(PrometheusTarget { url, http, interval: METRICS_INTERVAL })
}
