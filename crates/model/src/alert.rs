//! How rules and their alerts stand. The words and their transitions are Prometheus's; whether a rule could be
//! judged at all (its health) is kept apart from the states of its alerts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::strategy::Severity;
use crate::time::Timestamp;

/// What an alert is about, such as `namespace`, `tenant`, `layer` and `node`, with their values. Together with
/// the rule's name they identify it.
pub type AlertLabels = BTreeMap<String, String>;

/// Names of the labels that our own rules give their alerts.
pub mod label {
    /// The namespace: its name in the strategy, or its template where it was discovered.
    pub const NAMESPACE: &str = "namespace";
    /// The tenant, as it stands in the keys.
    pub const TENANT: &str = "tenant";
    /// The layer: its name in the strategy.
    pub const LAYER: &str = "layer";
    /// The server: its `host:port`.
    pub const NODE: &str = "node";
}

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

/// A time in which rules were not evaluated: the program did not run, or the machine slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct EvaluationGap {
    /// The last evaluation before it.
    pub from: Timestamp,
    /// The first evaluation after it.
    pub to: Timestamp,
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
    /// Since when the threshold is passed. After a gap it is later than the truth by as much as the gap took from
    /// the rule's `for`.
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
    /// Since when it goes on firing though the threshold is no longer passed, by the rule's `keep_firing_for`.
    pub keep_firing_since: Option<Timestamp>,
    /// The latest gap within its life.
    pub gap: Option<EvaluationGap>,
    /// Why it is pending though it was passed for long enough (the interval reaches over the threshold), goes on
    /// firing though it is not passed, or what a modelled figure assumes; empty where there is nothing to say.
    pub reason: String,
}

/// An alert went from one state to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Transition {
    /// At which evaluation.
    pub at: Timestamp,
    /// The state before; [`AlertState::Inactive`] where there was no alert.
    pub from: AlertState,
    /// The state now; [`AlertState::Inactive`] where a pending alert is gone, or a resolved one's time is over.
    pub to: AlertState,
    /// The alert as it is now, or as it last was.
    pub alert: Alert,
}

/// The alerts of all rules, to be kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedAlerts {
    /// The last evaluation.
    pub evaluated_at: Option<Timestamp>,
    /// Every alert that is pending, firing or resolved.
    pub alerts: Vec<Alert>,
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
