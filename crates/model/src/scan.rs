//! What a scan of the keyspace reports.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How thorough a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScanMode {
    /// Every key is counted and weighed.
    Exact,
    /// Every key is counted; about one key in `weigh_every` is weighed and asked for its time to live.
    Sampled {
        /// Weigh one key in this many; at least 1.
        weigh_every: u32,
    },
}

/// Time to live of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ttl {
    /// It never expires.
    None,
    /// Milliseconds left.
    Millis(u64),
}

/// One key as a scan met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedKey {
    /// The key.
    pub key: Bytes,
    /// Bytes by `MEMORY USAGE` with `SAMPLES 0` semantics where exact; `None` where not weighed.
    pub memory: Option<u64>,
    /// Its time to live; `None` where not asked.
    pub ttl: Option<Ttl>,
}

/// Some keys of one database.
#[derive(Clone, Debug, Default)]
pub struct ScanChunk {
    /// Number of the scan within the session, so that chunks of an abandoned one are told apart.
    pub scan: u64,
    /// The logical database.
    pub database: u16,
    /// The keys; SCAN may repeat a key within one scan, and the source passes repeats on.
    pub keys: Vec<ScannedKey>,
}

/// A scan begins; what earlier chunks said is replaced once it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanStarted {
    /// Its number.
    pub scan: u64,
    /// How thorough it is.
    pub mode: ScanMode,
    /// DBSIZE summed over the databases as it began.
    pub keys_expected: u64,
}

/// A scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanFinished {
    /// Its number.
    pub scan: u64,
    /// Whether every cursor came back to 0; otherwise it was stopped and its figures are dropped.
    pub complete: bool,
}
