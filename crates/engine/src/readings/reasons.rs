//! Why a figure is missing and what would bring it, in words.

use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::words::Words;

use crate::engine::Engine;
use crate::server::STALE_AFTER_MILLIS;

/// Words that cost nothing to repeat where they are always the same.
pub(crate) type Reason = Words;

/// Reasons that hold for the whole snapshot, made once.
pub(crate) struct Reasons<'e> {
    engine: &'e Engine,
    now_ms: i64,
    pub(super) info: Reason,
    pub(crate) events: [Reason; 3],
    pub(super) scan: Reason,
    pub(super) metrics: Reason,
    pub(crate) sample: Reason,
    pub(super) slow_log: Reason,
    pub(super) probe: Reason,
}

/// Kinds of events in the order of the engine's columns: what, and the flag that announces it.
const KINDS: [(&str, &str); 3] = [("misses", "m"), ("evictions", "e"), ("expirations", "x")];

impl<'e> Reasons<'e> {
    pub(crate) fn new(engine: &'e Engine, now_ms: i64) -> Self {
        let mut reasons = Self {
            engine,
            now_ms,
            info: Reason::default(),
            events: Default::default(),
            scan: Reason::default(),
            metrics: Reason::default(),
            sample: Reason::default(),
            slow_log: Reason::default(),
            probe: Reason::default(),
        };
        reasons.info = reasons.of_info();
        reasons.events = [0, 1, 2].map(|kind| reasons.of_events(kind));
        reasons.scan = reasons.of_scan();
        reasons.metrics = reasons.of_metrics();
        reasons.sample = reasons.of_sample();
        reasons.slow_log = reasons.of_slow_log();
        reasons.probe = reasons.of_probe();
        reasons
    }

    /// What a source says about itself, where it is not well.
    fn state(&self, source: SourceId) -> Option<String> {
        let worst = self.engine.source(source)?;
        let title = source.spec().title;
        let remedy = if worst.remedy.is_empty() { String::new() } else { format!("; {}", worst.remedy) };
        match worst.health {
            SourceHealth::Ok => None,
            SourceHealth::Starting => Some(format!("{title} is starting{remedy}")),
            SourceHealth::Off => Some(if worst.detail.is_empty() {
                format!("{title} is off; switch it on with --sources {}{remedy}", source.name())
            } else {
                format!("{title} is off: {}{remedy}", worst.detail)
            }),
            SourceHealth::Partial | SourceHealth::Unavailable | SourceHealth::Failed => {
                if worst.detail.is_empty() {
                    return None;
                }
                Some(format!("{title}: {}{remedy}", worst.detail))
            }
        }
    }

    fn of_info(&self) -> Reason {
        if let Some(state) = self.state(SourceId::Info) {
            return state.into();
        }
        match self.engine.server.newest_ms() {
            None => {
                "no INFO from the server: connect to Redis, or to a Prometheus that scrapes redis_exporter"
                    .into()
            }
            Some(newest) if self.now_ms - newest > STALE_AFTER_MILLIS => {
                let ago = super::view::words((self.now_ms - newest) as f64 / 1000.0);
                format!("the server's last INFO came {ago} ago").into()
            }
            Some(_) => "INFO has answered once; a rate needs a second answer".into(),
        }
    }

    fn of_events(&self, kind: usize) -> Reason {
        let (what, flag) = KINDS[kind];
        let nodes = self.engine.server.nodes();
        let listening = nodes.iter().any(|node| node.subscription.began);
        let doubtful = nodes.iter().any(|node| node.subscription.doubtful(kind));
        let state = self.state(SourceId::Events);
        let words = match state {
            Some(state) => state,
            None if doubtful => format!(
                "whether the server announces {what} is not known and none came so far; allow CONFIG GET \
                 (+config|get) or see that notify-keyspace-events includes E and {flag}"
            ),
            None if listening => format!(
                "the server does not announce {what}: CONFIG SET notify-keyspace-events with E and {flag} added"
            ),
            None => format!("{what} by key need keyspace events: switch on the source events"),
        };
        words.into()
    }

    fn of_scan(&self) -> Reason {
        let scans = &self.engine.scans;
        if scans.complete.is_none() && scans.is_running() {
            return "no scan yet: the first one is under way".into();
        }
        match self.state(SourceId::Scan) {
            Some(state) => state.into(),
            None => "no scan yet: switch on the source scan, or run cachescope scan".into(),
        }
    }

    fn of_slow_log(&self) -> Reason {
        match self.state(SourceId::SlowLog) {
            Some(state) => state.into(),
            None => "no server tells execution time by key; it needs a sample of the slow log: switch on the source \
                     slowlog and approve its price, or name it with --sources slowlog"
                .into(),
        }
    }

    fn of_metrics(&self) -> Reason {
        let states = [SourceId::Metrics, SourceId::Prometheus];
        let known = states.into_iter().filter_map(|source| self.state(source)).collect::<Vec<_>>();
        if known.is_empty() {
            "needs the application's own metrics: connect its metrics page or a Prometheus that scrapes it"
                .into()
        } else {
            known.join("; ").into()
        }
    }

    fn of_sample(&self) -> Reason {
        if self.engine.sample.began() {
            return match self.state(SourceId::Commands) {
                Some(state) => state.into(),
                None => "the first sample of the commands is being taken".into(),
            };
        }
        match self.state(SourceId::Commands) {
            Some(state) => state.into(),
            None => "no sample of the commands: switch on the source commands".into(),
        }
    }

    fn of_probe(&self) -> Reason {
        match self.state(SourceId::Probe) {
            Some(state) => state.into(),
            None => "no round trips of our own on its keys: switch on the source probe".into(),
        }
    }

    /// Why there are neither the application's counters nor a sample.
    pub(super) fn neither(&self, application: &Reason, sample: &Reason) -> Reason {
        format!("{application}; {sample}").into()
    }
}
