//! Frames: what the core pushes, once a second, to a window that asked for a view. Small by construction
//! (below 8 kB, whatever the number of namespaces); tables and histories are fetched by request.

use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::reading::Readings;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{ControlTotal, MissCauses, NodeSnapshot};
use cachescope_model::source::SourceStatus;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use serde::{Deserialize, Serialize};

use super::alerts::AlertCounts;
use super::places::Place;
use super::views::ConnectionState;

/// What a window looks at. A window has one view; a new one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum View {
    /// A row a deployment.
    Overview {
        /// Over which window.
        window: Window,
    },
    /// One deployment; overview rows come with it, for the side bar.
    Deployment {
        /// Which one.
        deployment: DeploymentId,
        /// Over which window.
        window: Window,
    },
    /// Nothing: the window is hidden.
    None,
}

/// One push.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Frame {
    /// The state of every deployment, or a part of it.
    Overview(OverviewFrame),
    /// The figures of one deployment.
    Instance(Box<InstanceFrame>),
    /// The list of deployments changed: fetch it again.
    DeploymentsChanged,
    /// Somebody followed a link or clicked on a notification: show this place.
    Open {
        /// Which one.
        place: Place,
    },
}

/// The state of every deployment, or a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct OverviewFrame {
    /// When.
    pub at: Timestamp,
    /// Over which window.
    pub window: Window,
    /// How many rows came in earlier frames: an overview of many deployments comes in parts.
    pub offset: u32,
    /// How many rows there are in all parts.
    pub total: u32,
    /// A row a deployment, in the order they were added.
    pub rows: Vec<OverviewRow>,
}

/// One deployment in the overview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct OverviewRow {
    /// Which one.
    pub id: DeploymentId,
    /// Its name.
    pub name: String,
    /// Its environment; an unset one is production.
    pub environment: Environment,
    /// Whether it is reached.
    pub state: ConnectionState,
    /// What is the matter, one sentence; empty where nothing is.
    pub detail: String,
    /// Hit rate, 0 to 1.
    pub hit_rate: Option<f64>,
    /// Documented target of the hit rate.
    pub hit_rate_target: Option<f64>,
    /// p99 latency in seconds.
    pub latency_p99_seconds: Option<f64>,
    /// Memory share, 0 to 1.
    pub memory_ratio: Option<f64>,
    /// Evictions a second.
    pub evictions_per_second: Option<f64>,
    /// Lookups a second.
    pub lookups_per_second: Option<f64>,
    /// Commands a second.
    pub commands_per_second: Option<f64>,
    /// Number of findings.
    pub findings: u32,
    /// Its alerts.
    pub alerts: AlertCounts,
}

/// A threshold that the strategy documents for the whole deployment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct DocumentedLimit {
    /// Of which reading.
    pub kind: ReadingKind,
    /// Whether being above it is the trouble, rather than being below it.
    pub above: bool,
    /// The threshold, in the reading's unit.
    pub value: f64,
}

/// The figures of one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct InstanceFrame {
    /// Which one.
    pub deployment: DeploymentId,
    /// When the figures were taken.
    pub at: Timestamp,
    /// Over which window.
    pub window: Window,
    /// Whether it is reached.
    pub state: ConnectionState,
    /// What is the matter, one sentence; empty where nothing is.
    pub detail: String,
    /// When data last arrived; `None` before the first.
    pub last_data_at: Option<Timestamp>,
    /// Readings of the whole deployment.
    #[ts(as = "cachescope_model::reading::ReadingMap")]
    pub readings: Readings,
    /// Documented target of the hit rate.
    pub hit_rate_target: Option<f64>,
    /// Documented limits of its other readings; at most eight.
    pub limits: Vec<DocumentedLimit>,
    /// Why its lookups missed.
    pub miss_causes: MissCauses,
    /// Its servers; at most sixteen of them, fewer where the frame would grow too large.
    pub nodes: Vec<NodeSnapshot>,
    /// How many servers there are.
    pub node_count: u32,
    /// How many namespaces there are.
    pub namespace_count: u32,
    /// How many findings there are.
    pub finding_count: u32,
    /// Its alerts.
    pub alerts: AlertCounts,
    /// How the sources are doing.
    pub sources: Vec<SourceStatus>,
    /// Counted against the server's totals.
    pub control_totals: Vec<ControlTotal>,
}
