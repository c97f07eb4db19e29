//! How rules and their alerts stand. The words and their transitions are Prometheus's; whether a rule could be
//! judged at all (its health) is kept apart from the states of its alerts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::strategy::Severity;
use crate::time::Timestamp;

/// What an alert is about, such as `namespace`, `tenant`, `layer` and `node`, with their values. Together with
/// the rule's name they identify it.
pub type AlertLabels = BTreeMap<String, String>;

/// State of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The threshold is not passed.
    Inactive,
    /// It has fired and does no longer; kept for 15 minutes.
    Resolved,
    /// The threshold is passed, but not for long enough or not certainly.
    Pending,
    /// Passed for as long as the rule wants.
    Firing,
}

/// Whether a rule could be judged at its last evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum RuleHealth {
    /// It was.
    Ok,
    /// There is nothing to judge: no traffic, a source that is off, too few lookups.
    NoData,
    /// It failed, such as a query that the Prometheus server rejects. The alerts keep their states.
    Error,
}

/// One alert: a rule and one thing it judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Alert {
    /// The rule's name.
    pub rule: String,
    /// What it is about.
    pub labels: AlertLabels,
    /// How it stands.
    pub state: AlertState,
    /// Since when the threshold is passed.
    pub active_at: Timestamp,
    /// Since when it fires, or fired before it was resolved.
    pub fired_at: Option<Timestamp>,
    /// Since when it is resolved.
    pub resolved_at: Option<Timestamp>,
    /// The figure at the last evaluation, in the base unit of what is judged.
    pub value: Option<f64>,
    /// Lower end of the figure's 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the figure's 95 % interval.
    pub high: Option<f64>,
    /// Why it is pending though it was passed for long enough (the interval reaches over the threshold), or goes
    /// on firing though it is not passed; empty where there is nothing to say.
    pub reason: String,
}

/// A rule with its alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RuleStatus {
    /// The rule's name.
    pub rule: String,
    /// How loud.
    pub severity: Severity,
    /// Whether it could be judged.
    pub health: RuleHealth,
    /// Why not, one sentence with what would enable it; empty where it could.
    pub detail: String,
    /// When it was last evaluated.
    pub evaluated_at: Option<Timestamp>,
    /// How many things it judged, and how many of those had no data.
    pub judged: u32,
    /// See `judged`.
    pub without_data: u32,
    /// Its alerts that are pending, firing or resolved.
    pub alerts: Vec<Alert>,
}
