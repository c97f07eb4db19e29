//! What is loaded ahead of the traffic.

use std::time::Duration;

use serde::Serialize;

use super::trigger::Trigger;

/// A plan to fill the cache before it is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarmPlan {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What the document calls it.
    pub title: String,
    /// How it is filled.
    #[serde(flatten)]
    pub kind: WarmKind,
    /// What sets it off; empty for one that only an operator starts.
    pub triggers: Vec<Trigger>,
    /// What is loaded, in order.
    pub items: Vec<WarmItem>,
    /// How gently.
    pub limits: WarmLimits,
    /// Only under this condition, in the document's words; empty for always.
    pub condition: String,
    /// Not built yet by the document's own words.
    pub planned: bool,
    /// What else the document says, one sentence.
    pub note: String,
}

/// How a plan fills the cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarmKind {
    /// One HTTP request to the application, which does the rest.
    Http {
        /// Its method.
        method: String,
        /// Its URL or path; `{field}` is a parameter.
        url: String,
    },
    /// One HTTP request a key.
    HttpEach {
        /// Their method.
        method: String,
        /// The URL's template; fields are those of the key.
        url: String,
    },
    /// The application does it by itself.
    Application,
    /// Users' own requests fill it, gradually.
    Traffic,
    /// Copied from another deployment, never over an existing key, with the time to live kept.
    Copy {
        /// From where, in the document's words.
        from: String,
    },
}

/// One thing that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WarmItem {
    /// What, in the document's words.
    pub what: String,
    /// The namespaces it fills.
    pub namespaces: Vec<String>,
    /// The query that loads it, where the document gives one.
    pub query: String,
    /// How many at most.
    pub limit: Option<u64>,
    /// The time to live it is stored with, where the document gives one.
    #[serde(rename = "ttl_seconds", with = "super::seconds::optional")]
    pub ttl: Option<Duration>,
}

/// How gently the cache is filled; `None` leaves it to the runner's own defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WarmLimits {
    /// Requests a second at most.
    pub per_second: Option<f64>,
    /// Requests at a time at most.
    pub concurrency: Option<u32>,
    /// Errors after which it stops.
    pub max_errors: Option<u32>,
    /// It runs only below this many of what the condition counts.
    pub only_below: Option<u64>,
}
