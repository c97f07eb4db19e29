//! The engine: observations in, snapshots out.

use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_model::key::OUR_PREFIX;
use cachescope_model::observation::{Observation, Observed};
use cachescope_model::scan::ScanStarted;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::strategy::Strategy;
use cachescope_model::time::Timestamp;

use crate::applications::{Applications, Names};
use crate::command_times::CommandTimes;
use crate::discovery::Discovery;
use crate::events::Events;
use crate::execution::Executions;
use crate::hash::Hashing;
use crate::keys::TopKeys;
use crate::matcher::Matcher;
use crate::rows::{OTHER, Rows};
use crate::sample::Sample;
use crate::scan::Scans;
use crate::server::Server;
use crate::tenants::Tenants;
use crate::window::Frame;

/// Series of the application's metrics kept, about 64 bytes each.
const MOST_SERIES: usize = 50_000;
/// Signals kept; a strategy names a handful.
const MOST_SIGNALS: usize = 1_000;
/// Source states kept, one a source and node.
const MOST_STATES: usize = 4_096;
/// Our own clock outside of this is nonsense: year 1970 to 9999.
const LATEST_MILLIS: i64 = 253_402_300_800_000;

/// Bounds of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// How many namespaces may be discovered; what does not fit is part of the remainder.
    pub max_discovered: usize,
    /// How many keys are remembered to explain misses, at most 24 bytes each and taken as they come: those that
    /// went, and, while there is room, those that are there. Up to this number none is forgotten; beyond it
    /// misses of forgotten keys are of unknown cause.
    pub tombstones: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_discovered: 500, tombstones: 524_288 }
    }
}

/// Keeps what was observed of one deployment and says what it means.
///
/// It has no clock: [`Observation::at`] and the `now` of its methods are the only time it knows. Times that
/// go back are taken as the latest one seen.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) strategy: Arc<Strategy>,
    pub(crate) frame: Frame,
    pub(crate) hashing: Hashing,
    pub(crate) matcher: Matcher,
    pub(crate) rows: Rows,
    pub(crate) discovery: Discovery,
    pub(crate) server: Server,
    pub(crate) events: Events,
    pub(crate) sample: Sample,
    pub(crate) command_times: CommandTimes,
    /// Keys that are looked up most, and that miss most.
    pub(crate) hot: TopKeys,
    pub(crate) missed: TopKeys,
    pub(crate) applications: Applications,
    pub(crate) scans: Scans,
    pub(crate) executions: Executions,
    pub(crate) tenants: Tenants,
    pub(crate) signals: BTreeMap<String, Option<f64>>,
    pub(crate) states: BTreeMap<(SourceId, u32), SourceStatus>,
    pub(crate) now_ms: i64,
    swept_ms: i64,
}

impl Engine {
    /// An engine for a deployment with this strategy; `Strategy::default()` where it has none.
    #[must_use]
    pub fn new(strategy: &Strategy, options: EngineOptions) -> Self {
        Self::sharing(Arc::new(strategy.clone()), options)
    }

    /// The same with a strategy that others hold too.
    #[must_use]
    pub fn sharing(strategy: Arc<Strategy>, options: EngineOptions) -> Self {
        let templates: Vec<_> = strategy
            .namespaces
            .iter()
            .map(|namespace| (namespace.template.clone(), namespace.database))
            .collect();
        let mut rows = Rows::new(&strategy, options.max_discovered);
        let mut applications = Applications::new(Names::new(strategy.metrics.as_ref()), MOST_SERIES);
        applications.expect(strategy.namespaces.len());
        for (row, namespace) in (OTHER + 1..).zip(&strategy.namespaces) {
            let own_name = std::slice::from_ref(&namespace.name);
            let labels = if namespace.metric_labels.is_empty() { own_name } else { &namespace.metric_labels };
            for label in labels {
                let carrier = applications.bind(label, row);
                rows.get_mut(row).carriers.push(carrier);
            }
        }
        Self {
            strategy,
            frame: Frame::default(),
            hashing: Hashing::default(),
            matcher: Matcher::new(&templates),
            rows,
            discovery: Discovery::new(options.max_discovered),
            server: Server::default(),
            events: Events::new(options.tombstones),
            sample: Sample::default(),
            command_times: CommandTimes::default(),
            hot: TopKeys::default(),
            missed: TopKeys::default(),
            applications,
            scans: Scans::default(),
            executions: Executions::default(),
            tenants: Tenants::default(),
            signals: BTreeMap::new(),
            states: BTreeMap::new(),
            now_ms: 0,
            swept_ms: 0,
        }
    }

    /// Takes in one observation. Nothing that a source can send makes it panic.
    pub fn observe(&mut self, observation: &Observation) {
        self.advance(observation.at);
        // Something seen before the latest second belongs to where it was seen, as far as that is kept.
        let at_ms = observation.at.millis().clamp(0, self.now_ms);
        let node = self.server.number(&observation.node);
        match &observation.what {
            Observed::Info(info) => {
                match self.server.reads_since(node, at_ms, info) {
                    Some((from_ms, reads)) => {
                        self.command_times.counted(&self.frame, from_ms, at_ms, &reads);
                    }
                    None => self.command_times.interrupted(node),
                }
                let told = self.server.observe(&self.frame, node, at_ms, info);
                if let Some(silence) = &told.silence {
                    self.observe_silence(node, silence);
                }
                match told.counted {
                    Some(counted) => {
                        let events = self.server.node_mut(node).subscription.unbroken_since(0);
                        self.sample.counted(&mut self.rows, &self.frame, node, &counted, events);
                    }
                    None => self.sample.interrupted(node, at_ms),
                }
            }
            Observed::Topology(topology) => {
                self.server.arrange(at_ms, topology);
                self.choose_scans_anew(at_ms);
            }
            Observed::EventsBegan(channels) => {
                self.server.node_mut(node).subscription.begin(at_ms, *channels);
                self.server.node_mut(node).standing.begin(at_ms, *channels);
            }
            Observed::Events(batch) => self.observe_events(node, at_ms, batch),
            Observed::EventsLost => self.observe_loss(node, at_ms),
            Observed::Commands(burst) => self.observe_commands(node, at_ms, burst),
            Observed::CommandLatencies(latencies) => {
                self.command_times.observe(&self.frame, node, at_ms, latencies);
            }
            Observed::NoCommandLatencies(why) => self.command_times.refused(node, why),
            Observed::Probes(probes) => self.observe_probes(node, at_ms, probes),
            Observed::OwnMiss { database, key } => self.observe_own_miss(node, at_ms, *database, key),
            Observed::ScanStarted(ScanStarted { scan, mode, .. }) => self.scans.started(node, *scan, *mode),
            Observed::ScanChunk(chunk) => self.observe_scan(node, at_ms, chunk),
            Observed::ScanFinished(finished) => self.observe_scan_end(node, at_ms, *finished),
            Observed::Executions(batch) => self.observe_executions(&observation.node, at_ms, batch),
            Observed::Metrics(batch) => {
                let mut intake = crate::applications::Intake {
                    frame: &self.frame,
                    hashing: &self.hashing,
                    rows: &mut self.rows,
                    server: &mut self.server,
                    now_ms: at_ms,
                };
                self.applications.observe(&mut intake, batch);
            }
            Observed::Signals(signals) => {
                for signal in signals {
                    let known = self.signals.contains_key(&signal.signal);
                    if known || self.signals.len() < MOST_SIGNALS {
                        let value = signal.value.filter(|value| value.is_finite());
                        self.signals.insert(signal.signal.clone(), value);
                    }
                }
            }
            // Ended there, because another server serves as well or this one has left: nothing to be said of it.
            Observed::Status(status) if status.health == SourceHealth::Off && status.detail.is_empty() => {
                self.states.remove(&(status.source, node));
            }
            Observed::Status(status) => {
                let key = (status.source, node);
                if self.states.contains_key(&key) || self.states.len() < MOST_STATES {
                    self.states.insert(key, status.clone());
                }
                if status.source == SourceId::Scan && status.health == SourceHealth::Unavailable {
                    self.choose_scans_anew(at_ms);
                }
            }
            // A kind of observation that this engine does not know says nothing to it.
            _ => {}
        }
    }

    /// Time goes on: closes the seconds before `now`. To be called about once a second.
    pub fn advance(&mut self, now: Timestamp) {
        let now_ms = now.millis().clamp(0, LATEST_MILLIS);
        if now_ms < self.now_ms {
            return;
        }
        self.now_ms = now_ms;
        let folds = self.frame.advance(now_ms.div_euclid(1000));
        if !folds.is_empty() {
            self.rows.fold(&folds);
            self.tenants.fold(&folds);
            self.server.fold(&folds);
            self.applications.fold(&folds);
            self.sample.fold(&folds);
            self.executions.fold(&folds);
            self.events.provisional.expire(now_ms, &mut self.rows, &self.frame);
            self.command_times.fold(&folds);
        }
        self.server.cover_events(&self.frame, now_ms);
        self.follow_misses(now_ms);
        if now_ms - self.swept_ms > 600_000 {
            self.swept_ms = now_ms;
            self.applications.forget_old_series(now_ms);
            self.events.own.forget(now_ms);
        }
    }

    /// The template that a key belongs to, documented or discovered so far; for tools and tests.
    #[must_use]
    pub fn attribute(&self, database: u16, key: &[u8]) -> Option<&str> {
        let row = match self.matcher.find(database, key) {
            Some(found) => found.index as u32 + 1,
            None => self.discovery.find(key)?,
        };
        Some(self.rows.get(row).template.as_ref()).filter(|template| !template.is_empty())
    }

    /// How many namespaces there are, the remainder left out.
    #[must_use]
    pub fn namespaces(&self) -> usize {
        self.rows.len()
    }

    /// The row of a key; one that nobody documents is discovered, unless it is ours.
    pub(crate) fn attribute_or_discover(&mut self, database: u16, key: &[u8]) -> u32 {
        if key.starts_with(OUR_PREFIX) {
            return OTHER;
        }
        match self.matcher.find(database, key) {
            Some(found) => found.index as u32 + 1,
            None => self.discovery.attribute(&mut self.rows, key),
        }
    }
}
