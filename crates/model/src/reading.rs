//! A figure that says how sure it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reading_kind::ReadingKind;

/// How a reading's value was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Counted, every single one.
    Exact,
    /// Sampled: the true value lies between `low` and `high` in 95 of 100 cases.
    Estimated,
    /// Computed under an assumption that `reason` names.
    Modelled,
    /// Not known: `reason` says why, and what would enable it.
    Unavailable,
}

/// A figure with its interval, certainty, source and window.
///
/// Values are in Prometheus's base units: seconds, bytes, ratios from 0 to 1, and per-second rates.
/// `value` is `None` exactly where the certainty is [`Certainty::Unavailable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Reading {
    /// The figure, in the unit of its [`ReadingKind`].
    pub value: Option<f64>,
    /// How it was come by.
    pub certainty: Certainty,
    /// Lower end of the 95 % interval; equals `value` where exact.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval; equals `value` where exact.
    pub high: Option<f64>,
    /// Which source it comes from, in words (`"application counters"`).
    pub source: Cow<'static, str>,
    /// Seconds of data behind it; less than the window asked for while the window is still filling.
    pub window_seconds: f64,
    /// Why it is unavailable and what would enable it, or what a modelled one assumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<Cow<'static, str>>,
}

impl Reading {
    /// A counted figure.
    #[must_use]
    pub fn exact(value: f64, source: impl Into<Cow<'static, str>>, window_seconds: f64) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Exact,
            low: Some(value),
            high: Some(value),
            source: source.into(),
            window_seconds,
            reason: None,
        }
    }

    /// A sampled figure with its 95 % interval.
    #[must_use]
    pub fn estimated(
        value: f64,
        low: f64,
        high: f64,
        source: impl Into<Cow<'static, str>>,
        window_seconds: f64,
    ) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Estimated,
            low: Some(low),
            high: Some(high),
            source: source.into(),
            window_seconds,
            reason: None,
        }
    }

    /// A figure that rests on `assumption`.
    #[must_use]
    pub fn modelled(
        value: f64,
        assumption: impl Into<Cow<'static, str>>,
        source: impl Into<Cow<'static, str>>,
        window_seconds: f64,
    ) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Modelled,
            low: None,
            high: None,
            source: source.into(),
            window_seconds,
            reason: Some(assumption.into()),
        }
    }

    /// No figure: `reason` says why, and what would enable it.
    #[must_use]
    pub fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            value: None,
            certainty: Certainty::Unavailable,
            low: None,
            high: None,
            source: Cow::Borrowed(""),
            window_seconds: 0.0,
            reason: Some(reason.into()),
        }
    }

    /// Adds a remark: what a figure leaves out, or under which condition it holds.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// The readings of one thing (an instance, a namespace), by kind.
pub type Readings = BTreeMap<ReadingKind, Reading>;
