//! What is promised and when to alert.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::marks::MarkKind;
use crate::reading_kind::{ReadingKind, Unit};
use crate::window::Window;

/// What a target or a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// The whole cache.
    Instance {
        /// Which figure.
        reading: ReadingKind,
    },
    /// Each of these namespaces for itself.
    Namespaces {
        /// Their names; every namespace where empty.
        namespaces: Vec<String>,
        /// Which figure.
        reading: ReadingKind,
    },
    /// Each tenant of these namespaces for itself.
    Tenants {
        /// Names of the namespaces, each with a tenant field; every such namespace where empty.
        namespaces: Vec<String>,
        /// Which figure.
        reading: ReadingKind,
    },
    /// One layer.
    Layer {
        /// Its name.
        layer: String,
        /// Which figure.
        reading: ReadingKind,
    },
    /// Each server for itself.
    Nodes {
        /// Which figure.
        reading: ReadingKind,
    },
    /// A signal.
    Signal {
        /// Its name.
        signal: String,
    },
    /// Whether the cache answers: 1 where it does, 0 where it does not.
    Reachable,
    /// An expression for a Prometheus server; each series it gives is judged for itself.
    Promql {
        /// The expression.
        expr: String,
    },
}

impl Subject {
    /// Which reading it takes; `None` where it takes none.
    #[must_use]
    pub const fn reading(&self) -> Option<ReadingKind> {
        match self {
            Self::Instance { reading }
            | Self::Namespaces { reading, .. }
            | Self::Tenants { reading, .. }
            | Self::Layer { reading, .. }
            | Self::Nodes { reading } => Some(*reading),
            Self::Signal { .. } | Self::Reachable | Self::Promql { .. } => None,
        }
    }
}

/// Which side of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `>`
    Above,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
}

impl Comparison {
    /// Its sign in PromQL.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }

    /// Whether `value` is on this side of `limit`. NaN is on neither.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::Below => value < limit,
            Self::AtLeast => value >= limit,
            Self::AtMost => value <= limit,
        }
    }

    /// Whether it is the larger values that are meant.
    #[must_use]
    pub const fn upwards(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }
}

/// A side of a value, in the base unit of what is measured: seconds, bytes, ratios from 0 to 1, per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// Which side.
    pub comparison: Comparison,
    /// Of which value.
    pub value: f64,
}

impl Threshold {
    /// Whether `value` is past it. NaN never is.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.comparison.holds(value, self.value)
    }
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.comparison.sign(), self.value)
    }
}

/// What the document promises.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// Short name, unique within the strategy.
    pub name: String,
    /// Of what.
    pub subject: Subject,
    /// The side it promises to stay on.
    pub goal: Threshold,
    /// The document's own words.
    pub documented: String,
}

/// How loud an alert is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Look at it today.
    #[default]
    Warning,
    /// Wake somebody.
    Critical,
}

/// When to alert. The words are Prometheus's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// The alert's name, unique within the strategy.
    pub name: String,
    /// What is judged.
    pub subject: Subject,
    /// Over which window; a signal's window is in its query.
    pub window: Window,
    /// On which side it is pending or firing; `None` where a PromQL expression says so itself.
    pub threshold: Option<Threshold>,
    /// How long the threshold must be passed before it fires.
    #[serde(rename = "for_seconds", with = "super::seconds")]
    pub for_duration: Duration,
    /// How long it goes on firing after the threshold is no longer passed.
    #[serde(rename = "keep_firing_for_seconds", with = "super::seconds")]
    pub keep_firing_for: Duration,
    /// Lookups in the window below which it is not judged; 0 judges always.
    pub minimum_lookups: u64,
    /// How loud.
    pub severity: Severity,
    /// One sentence for the alert's head.
    pub summary: String,
    /// What the document says to do; empty where it says nothing.
    pub action: String,
    /// The playbook that does it.
    pub playbook: Option<String>,
    /// The warm plan that does it.
    pub warm: Option<String>,
    /// The expression or sentence as the document writes it.
    pub documented: String,
    /// How what is judged differs from what is written, and why; empty where it doesn't.
    pub note: String,
}

/// A figure from Prometheus that belongs to no namespace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signal {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The query; it must give one value.
    pub promql: String,
    /// Unit of its value.
    pub unit: Unit,
    /// The side that is trouble.
    pub threshold: Option<Threshold>,
    /// While it is past its threshold, no action starts and a running one halts.
    pub stops_actions: bool,
    /// What it means, one sentence.
    pub note: String,
}

/// A query to Prometheus whose changes are marks, such as the version that an application says it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MarkQuery {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The query.
    pub promql: String,
    /// What a change of its answer means.
    pub kind: MarkKind,
    /// The label whose new values are marks, such as `version`; where absent, another value of a series is one.
    pub label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_past_a_threshold_on_one_side_only_and_nan_on_none() {
        let above = Threshold { comparison: Comparison::Above, value: 0.9 };
        let below = Threshold { comparison: Comparison::Below, value: 0.8 };
        let at_most = Threshold { comparison: Comparison::AtMost, value: 0.8 };
        for (value, past_above, past_below, past_at_most) in [
            (0.95, true, false, false),
            (0.9, false, false, false),
            (0.8, false, false, true),
            (0.5, false, true, true),
            (f64::NAN, false, false, false),
        ] {
            let past = (above.holds(value), below.holds(value), at_most.holds(value));
            assert_eq!(past, (past_above, past_below, past_at_most), "{value}");
        }
    }
}
