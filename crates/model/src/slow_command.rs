//! Slow commands, as a slow log showed them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One command that took long inside the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SlowCommand {
    /// When the server ran it, by the server's clock, to the second.
    pub at: Timestamp,
    /// Which server.
    pub node: String,
    /// Template of the namespace its first key belongs to; empty for the remainder, and where no key is known.
    pub namespace: String,
    /// Its name in lower case.
    pub command: String,
    /// Its first key as one line of text; empty where none is known.
    pub key: String,
    /// Microseconds inside the server, without queue and network.
    #[ts(type = "number")]
    pub micros: u64,
}
