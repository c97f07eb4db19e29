//! What an alert is about, computed from figures: who carries the change, why, since when, what happened near
//! its beginning, and what the document says to do. What is not known is left out.

use serde::{Deserialize, Serialize};

use crate::marks::Mark;
use crate::reading_kind::Unit;
use crate::time::Timestamp;

/// Why keys missed, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum MissCause {
    /// Its time to live had run out.
    Expired,
    /// It had been evicted.
    Evicted,
    /// It had been deleted.
    Deleted,
    /// Its database had been flushed.
    Flushed,
    /// Not seen since watching began.
    Cold,
    /// Not known.
    Unknown,
}

/// A part of what changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Carrier {
    /// The namespace's template; empty for the remainder.
    pub namespace: String,
    /// What people call it.
    pub title: String,
    /// Its share of the change, 0 to 1.
    pub share: f64,
    /// What it was before, in the unit of what is shared out.
    pub before: f64,
    /// What it is now.
    pub now: f64,
}

/// A tenant's part of what changed within a namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TenantShare {
    /// The namespace's template.
    pub namespace: String,
    /// The tenant, masked where the strategy says so.
    pub tenant: String,
    /// Its share of the namespace's change, 0 to 1.
    pub share: f64,
}

/// A cause's part of the extra misses, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct CauseShare {
    /// Which cause.
    pub cause: MissCause,
    /// Its share of them, 0 to 1.
    pub share: f64,
}

/// How the memory stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct MemoryStanding {
    /// `used_memory` ÷ `maxmemory`, or ÷ the system's memory.
    pub ratio: f64,
    /// Whether it is measured against `maxmemory`.
    pub of_maxmemory: bool,
    /// Evictions a second, now and before.
    pub evictions_per_second: f64,
    /// See `evictions_per_second`.
    pub evictions_before: f64,
}

/// Many keys that ran out at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TtlCliff {
    /// When it was steepest.
    pub at: Timestamp,
    /// Keys that expired within these seconds.
    pub keys: f64,
    /// See `keys`.
    pub seconds: f64,
    /// Expirations a second before.
    pub before_per_second: f64,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Triage {
    /// All of it in one to three plain sentences.
    pub sentence: String,
    /// When this was computed.
    pub at: Timestamp,
    /// Since when the figures are out of the ordinary, as far as that is told.
    pub onset: Option<Timestamp>,
    /// What the rule judges, in words (`hit rate`).
    pub subject: String,
    /// Its value.
    pub value: Option<f64>,
    /// What it was before the onset.
    pub before: Option<f64>,
    /// The threshold of the rule; `None` where a query says it itself.
    pub threshold: Option<f64>,
    /// Unit of value, before and threshold; `None` where a query does not say.
    pub unit: Option<Unit>,
    /// What the shares of `carriers` are shares of (`extra misses`); empty where nothing is shared out.
    pub carried: String,
    /// Unit of the carriers' `before` and `now`; `None` where nothing is shared out.
    pub carried_unit: Option<Unit>,
    /// Which namespaces carry the change, the largest first; at most five.
    pub carriers: Vec<Carrier>,
    /// Which tenants do within the first of them; at most three.
    pub tenants: Vec<TenantShare>,
    /// Which causes of misses grew, the largest first; where none did or nothing is known of before, which causes the
    /// misses of the last minute have.
    pub causes: Vec<CauseShare>,
    /// Whether `causes` are of all misses.
    #[serde(default)]
    pub causes_of_all: bool,
    /// How the memory stands, where it matters.
    pub memory: Option<MemoryStanding>,
    /// Many keys that ran out at once.
    pub ttl_cliff: Option<TtlCliff>,
    /// The namespace whose keys took most of the memory that was taken since, where scans saw it: bytes before and
    /// now, and its share of the growth.
    pub grown: Option<Carrier>,
    /// The version that the missed keys carry, where it is newer than what was there before.
    pub new_version: Option<String>,
    /// What happened near the onset, the nearest first: deploys, settings, flushes, restarts, purges, warms.
    pub near: Vec<Mark>,
    /// What the document says to do; empty where it says nothing.
    pub advice: String,
    /// Playbooks of the strategy that fit.
    pub playbooks: Vec<String>,
    /// Warm plans of the strategy that fit.
    pub warm_plans: Vec<String>,
}
