//! What sources tell the engine: plain data, no verdicts.

use std::sync::Arc;

use crate::events::KeyEventBatch;
use crate::metrics::{MetricsBatch, SignalValue};
use crate::sample::{CommandBurst, CommandLatency, ExecutionBatch, ProbedKey};
use crate::scan::{ScanChunk, ScanFinished, ScanStarted};
use crate::server::ServerInfo;
use crate::source::SourceStatus;
use crate::time::Timestamp;
use crate::topology::Topology;

/// A server or endpoint within a deployment, as `host:port` or a URL without password.
pub type NodeName = Arc<str>;

/// One thing that one source saw.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When it was seen.
    pub at: Timestamp,
    /// Where.
    pub node: NodeName,
    /// What.
    pub what: Observed,
}

/// What was seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Observed {
    /// An INFO reply.
    Info(Box<ServerInfo>),
    /// The event subscription stands; from here on every event of these kinds arrives, or a loss is reported.
    EventsBegan(EventChannels),
    /// Events, in the server's order.
    Events(KeyEventBatch),
    /// The subscription broke: events since `Observation::at` of the last batch are missing.
    EventsLost,
    /// A lookup of ours missed this key: the server announces a `keymiss` for it that is not traffic.
    OwnMiss {
        /// The logical database.
        database: u16,
        /// The key.
        key: bytes::Bytes,
    },
    /// Every command of a short time.
    Commands(CommandBurst),
    /// Single commands' execution times.
    Executions(ExecutionBatch),
    /// Execution times of the commands that read values ([`READ_COMMANDS`](crate::read_commands::READ_COMMANDS))
    /// since the server's start; of each that was ever called.
    CommandLatencies(Vec<CommandLatency>),
    /// Execution times by command can't be had here: why, and what would enable it.
    NoCommandLatencies(String),
    /// Round trips of our own.
    Probes(Vec<ProbedKey>),
    /// A scan begins.
    ScanStarted(ScanStarted),
    /// Some of its keys.
    ScanChunk(ScanChunk),
    /// It ended.
    ScanFinished(ScanFinished),
    /// Samples of an application's or exporter's metrics.
    Metrics(MetricsBatch),
    /// Values of the strategy's signals.
    Signals(Vec<SignalValue>),
    /// Which servers there are from now on. `Observation::node` is the address they were found from.
    Topology(Box<Topology>),
    /// How the source is doing.
    Status(SourceStatus),
}

/// Which kinds of events a subscription receives, from `notify-keyspace-events`.
///
/// `Option` because CONFIG GET may be refused: then nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventChannels {
    /// Flag `m`.
    pub misses: Option<bool>,
    /// Flag `e`.
    pub evictions: Option<bool>,
    /// Flag `x`.
    pub expirations: Option<bool>,
    /// Flag `g`.
    pub deletions: Option<bool>,
    /// Flag `n`.
    pub additions: Option<bool>,
}
