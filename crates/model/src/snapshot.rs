//! What the engine says at one moment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reading::Readings;
use crate::row_readings::RowReadings;
use crate::source::SourceStatus;
use crate::time::Timestamp;
use crate::window::Window;

/// Why lookups missed, counted over the window. The parts add up to the misses that events showed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ts_rs::TS,
)]
pub struct MissCauses {
    /// Its time to live had run out.
    #[ts(type = "number")]
    pub expired: u64,
    /// It had been evicted.
    #[ts(type = "number")]
    pub evicted: u64,
    /// It had been deleted.
    #[ts(type = "number")]
    pub deleted: u64,
    /// Its database had been flushed.
    #[ts(type = "number")]
    pub flushed: u64,
    /// Not seen since watching began.
    #[ts(type = "number")]
    pub cold: u64,
    /// Not known.
    #[ts(type = "number")]
    pub unknown: u64,
}

impl MissCauses {
    /// All misses.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.expired + self.evicted + self.deleted + self.flushed + self.cold + self.unknown
    }
}

/// What a row of the namespace table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceOrigin {
    /// A strategy documents it.
    Documented,
    /// Found in the keys or in the application's labels.
    Discovered,
    /// What belongs to no namespace.
    Other,
}

/// A namespace with its readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct NamespaceSnapshot {
    /// The template, which identifies it; empty for [`NamespaceOrigin::Other`].
    pub namespace: String,
    /// What people call it.
    pub title: String,
    /// Where it comes from.
    pub origin: NamespaceOrigin,
    /// Documented time to live in seconds.
    pub documented_ttl_seconds: Option<f64>,
    /// Documented target hit rate.
    pub hit_rate_target: Option<f64>,
    /// Its readings by kind.
    #[ts(as = "crate::reading::ReadingMap")]
    pub readings: RowReadings,
    /// Why its lookups missed; all zero where events are not received.
    pub miss_causes: MissCauses,
}

impl NamespaceSnapshot {
    /// A row that says nothing yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            namespace: String::new(),
            title: String::new(),
            origin: NamespaceOrigin::Other,
            documented_ttl_seconds: None,
            hit_rate_target: None,
            readings: RowReadings::new(),
            miss_causes: MissCauses::default(),
        }
    }
}

/// A comparison of what sources counted with what the server says in total, over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ControlTotal {
    /// What is compared (`"misses"`).
    pub what: String,
    /// What the events, or the application's counters, add up to.
    pub counted: f64,
    /// INFO's total, our own taken out.
    pub server: f64,
    /// (server − counted) ÷ server: the share that was lost, negative where more was counted; `None` without
    /// traffic.
    pub loss_ratio: Option<f64>,
    /// What the difference means, one sentence; empty where there is none.
    pub remark: String,
}

/// Something the strategy and the observed keys disagree about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Finding {
    /// Stable code (`"no-ttl"`).
    pub code: String,
    /// The namespace it is about; empty for the whole deployment.
    pub namespace: String,
    /// One sentence with the figures.
    pub summary: String,
    /// What to do.
    pub remedy: String,
}

/// One server as INFO shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct NodeSnapshot {
    /// `host:port`.
    pub node: String,
    /// Its role in Redis's own words.
    pub role: String,
    /// Engine and version, such as `redis 7.0.15`.
    pub engine: String,
    /// Its mode: `standalone`, `sentinel`, `cluster`.
    pub mode: String,
    /// Seconds since its start.
    #[ts(type = "number")]
    pub uptime_seconds: u64,
    /// Bytes of `maxmemory`; 0 where none is set.
    #[ts(type = "number")]
    pub maxmemory: u64,
    /// Its eviction policy.
    pub maxmemory_policy: String,
}

/// A part of the deployment other than a namespace, with its readings: a layer, or a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct PartSnapshot {
    /// Its name: a layer's in the strategy, or its label where the strategy does not document it; a server's
    /// `host:port`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Its readings by kind.
    #[ts(as = "crate::reading::ReadingMap")]
    pub readings: Readings,
}

/// Everything at one moment over one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// Over which window.
    pub window: Window,
    /// Readings of the whole deployment.
    #[ts(as = "crate::reading::ReadingMap")]
    pub instance: Readings,
    /// Why lookups missed, over all namespaces.
    pub miss_causes: MissCauses,
    /// Its servers.
    pub nodes: Vec<NodeSnapshot>,
    /// Its namespaces: documented ones in the document's order, then discovered ones, then the remainder.
    pub namespaces: Vec<NamespaceSnapshot>,
    /// The layers that a request passes on its way to the data, as the application counts them: documented ones in
    /// the document's order, then those that only the application's labels name.
    pub layers: Vec<PartSnapshot>,
    /// Its servers with their readings, in the order of `nodes`.
    pub by_node: Vec<PartSnapshot>,
    /// The strategy's signals by name; `None` where a query gave nothing.
    pub signals: BTreeMap<String, Option<f64>>,
    /// How the sources are doing.
    pub sources: Vec<SourceStatus>,
    /// Counted against the server's totals.
    pub control_totals: Vec<ControlTotal>,
    /// What the strategy and the observed disagree about.
    pub findings: Vec<Finding>,
}

/// A point of a reading's history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct HistoryPoint {
    /// End of its interval.
    pub at: Timestamp,
    /// Its value; `None` is a gap.
    pub value: Option<f64>,
    /// Lower end of the interval where estimated.
    pub low: Option<f64>,
    /// Upper end of the interval where estimated.
    pub high: Option<f64>,
}
