//! What a scan of the keyspace reports.

use std::borrow::Cow;

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
    /// Keys are met in the order of their hashes until the bytes of every namespace are known within `half_width`
    /// of all bytes.
    Precise {
        /// Half the width of the 95 % interval as a ratio, such as 0.02.
        half_width: f64,
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

/// What is asked of a few keys only, because asking counts as a lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyDetails {
    /// It was chosen by its order alone and may stand for others, and not for its weight.
    pub by_lot: bool,
    /// `string`, `hash`, …, or a module's own word; `None` where the server does not tell.
    pub kind: Option<Cow<'static, str>>,
    /// `embstr`, `listpack`, …; `None` where the server does not tell.
    pub encoding: Option<Cow<'static, str>>,
    /// Seconds since its last use; `None` where the server does not tell, as under an LFU policy.
    pub idle_seconds: Option<u64>,
}

/// One key as a scan met it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannedKey {
    /// The key.
    pub key: Bytes,
    /// Keys of one stratum were chosen for weighing alike, by their order alone; between strata the share that
    /// was weighed differs. A number of the scan's own.
    pub stratum: u16,
    /// Bytes by `MEMORY USAGE`; `None` where not weighed.
    pub memory: Option<u64>,
    /// It is a collection of which only some elements were weighed, because weighing all would have stalled
    /// the server, or the scan is no exact one: `memory` is extrapolated by the server. `false` also where
    /// nobody asked what it is, outside of exact scans.
    pub partly_weighed: bool,
    /// Its time to live; `None` where not asked.
    pub ttl: Option<Ttl>,
    /// What else is known; `None` where not asked.
    pub details: Option<Box<KeyDetails>>,
}

/// Some keys of one database.
#[derive(Clone, Debug, Default)]
pub struct ScanChunk {
    /// Number of the scan within the session, so that chunks of an abandoned one are told apart.
    pub scan: u64,
    /// The logical database.
    pub database: u16,
    /// How many keys the database holds, as far as is known by now.
    pub database_keys: u64,
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
    /// Whether it found what it was to find; otherwise it was stopped and its figures are dropped.
    pub complete: bool,
    /// Whether every key was met: every cursor came back to 0. A precise scan may end before.
    pub whole: bool,
}
