//! What a namespace holds, and whose: kinds of keys, the biggest ones, tenants.

use serde::{Deserialize, Serialize};

use crate::reading::Readings;
use crate::time::Timestamp;

/// How many of the keys asked gave the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct KindCount {
    /// The server's word, such as `hash` or `listpack`.
    pub name: String,
    /// How many of the keys asked.
    #[ts(type = "number")]
    pub keys: u64,
}

/// Where a span of time lies, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Quantiles {
    /// A tenth is shorter.
    pub p10: f64,
    /// Half are shorter.
    pub p50: f64,
    /// Nine tenths are shorter.
    pub p90: f64,
    /// 99 of 100 are shorter.
    pub p99: f64,
}

/// One of a namespace's biggest keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct BigKey {
    /// The key as one line of text ([`crate::key::printable`]), cut where it is very long.
    pub key: String,
    /// The logical database.
    pub database: u16,
    /// Its bytes by MEMORY USAGE.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Only some of its elements were weighed: the bytes are the server's estimate.
    pub estimated: bool,
    /// `string`, `hash`, …; `None` where not known.
    pub kind: Option<String>,
    /// Seconds left when it was scanned; `None` where it never expires or was not asked.
    pub ttl_seconds: Option<f64>,
    /// Whether it expires; `None` where it was not asked.
    pub expires: Option<bool>,
}

/// What the last complete scan found in a namespace, beside its readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct NamespaceContents {
    /// When that scan ended.
    pub scanned_at: Timestamp,
    /// Keys it met.
    #[ts(type = "number")]
    pub met: u64,
    /// Keys it weighed: the biggest keys are the biggest of these.
    #[ts(type = "number")]
    pub weighed: u64,
    /// Keys it asked for their time to live.
    #[ts(type = "number")]
    pub asked: u64,
    /// Types of a sample of its keys, most frequent first.
    pub types: Vec<KindCount>,
    /// Encodings of the same sample.
    pub encodings: Vec<KindCount>,
    /// Seconds since the last use of the same sample; `None` where the server does not tell, as under an LFU
    /// policy.
    pub idle_seconds: Option<Quantiles>,
    /// Times to live of the keys that have one.
    pub ttl_seconds: Option<Quantiles>,
    /// Its biggest keys, biggest first; at most 20.
    pub biggest: Vec<BigKey>,
}

/// One tenant's part of a namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TenantSnapshot {
    /// The tenant as it stands in the keys, as one line of text; empty for the others together.
    pub tenant: String,
    /// Whether this is everybody who has no row of their own.
    pub others: bool,
    /// Its readings: keys and bytes by scan, misses, evictions and expirations by event.
    #[ts(as = "crate::reading::ReadingMap")]
    pub readings: Readings,
}
