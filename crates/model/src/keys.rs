//! Which keys of a namespace stand out: looked up most, missed most.

use serde::{Deserialize, Serialize};

/// A key with how often something happened to it, and how sure that is.
///
/// A bounded sketch keeps the keys that stand out. A key that came into it late may have taken over the count
/// of another: `low` leaves that out, and includes what a sample may be off by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct KeyRate {
    /// The logical database.
    pub database: u16,
    /// The key as one line of text ([`crate::key::printable`]); a long one is cut, which its end says.
    pub key: String,
    /// Times a second.
    pub per_second: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// A key that is missed, whole and not for showing: what fills the cache needs its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct MissedKey {
    /// The template of its namespace; empty for what belongs to none.
    pub namespace: String,
    /// The logical database.
    pub database: u16,
    /// The key.
    pub key: Vec<u8>,
    /// Misses a second.
    pub per_second: f64,
    /// Why it was not there when it was last heard of: `expired`, `evicted`, `deleted`, `cold` or `unknown`.
    pub cause: &'static str,
}

/// Keys of a namespace that stand out, most often first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct NamespaceKeys {
    /// Keys that are looked up most, by a sample of the commands.
    pub hot: Vec<KeyRate>,
    /// Seconds of sampling behind them; 0 where there is none.
    pub hot_seconds: f64,
    /// Why there are none, and what would enable it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hot_reason: Option<String>,
    /// Keys whose lookups miss most, by keyspace events.
    pub missed: Vec<KeyRate>,
    /// Seconds of events behind them; 0 where there are none.
    pub missed_seconds: f64,
    /// Why there are none, and what would enable it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub missed_reason: Option<String>,
}
