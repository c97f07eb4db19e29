//! What INFO says about one server, as plain data.

use serde::{Deserialize, Serialize};

/// What our own connections did to a server's counters up to the moment of an INFO reply.
///
/// All figures are cumulative since the session's connection to this server was made. The source counts them
/// so that none of its commands is in flight while INFO is: subtracting their deltas is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTraffic {
    /// Lookups of ours that hit (PTTL on a key that was there).
    pub hits: u64,
    /// Lookups of ours that missed (PTTL on a key that had gone).
    pub misses: u64,
    /// Commands of ours, all kinds, as `total_commands_processed` counts them.
    pub commands: u64,
    /// GETs of ours among them, as `cmdstat_get` counts them: the only command of ours that applications use to
    /// read values.
    #[serde(default)]
    pub gets: u64,
    /// Connections of ours that are open.
    pub connections: u64,
}

/// One row of `INFO commandstats`, cumulative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStat {
    /// The command's name in lower case, with its subcommand as `config|get`.
    pub command: String,
    /// Calls, failed ones included.
    pub calls: u64,
    /// Microseconds of execution.
    pub microseconds: u64,
}

/// One row of `INFO keyspace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseKeys {
    /// The logical database.
    pub database: u16,
    /// Keys, logically expired ones included until they are removed.
    pub keys: u64,
    /// Keys with a time to live.
    pub expires: u64,
}

/// The part of INFO that the engine reads. Counters are cumulative since the server's start or the last
/// `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// `redis_version` (Valkey and others report the Redis version they are compatible with here).
    pub version: String,
    /// Engine name: `redis`, `valkey`, `keydb`, `dragonfly`.
    pub engine: String,
    /// `run_id`: changes with every start of the server.
    pub run_id: String,
    /// Seconds since the server's start.
    pub uptime_seconds: u64,
    /// `standalone`, `sentinel` or `cluster`.
    pub mode: String,
    /// `master` or `slave`, in the server's own words.
    pub role: String,
    /// Lookups that hit, ours included.
    pub keyspace_hits: u64,
    /// Lookups that missed, ours included.
    pub keyspace_misses: u64,
    /// Keys evicted.
    pub evicted_keys: u64,
    /// Keys expired.
    pub expired_keys: u64,
    /// Commands processed, ours included.
    pub commands_processed: u64,
    /// Bytes in use, the server's buffers included.
    pub used_memory: u64,
    /// Limit in bytes; 0 where none is set.
    pub maxmemory: u64,
    /// `maxmemory_policy`.
    pub maxmemory_policy: String,
    /// Memory of the machine in bytes; 0 where not reported.
    pub total_system_memory: u64,
    /// Connected clients, ours included.
    pub connected_clients: u64,
    /// Execution statistics by command; empty where not permitted.
    pub commands: Vec<CommandStat>,
    /// Keys by logical database; only databases that hold keys.
    pub databases: Vec<DatabaseKeys>,
    /// CPU time of the main thread in seconds, of all threads where the server doesn't tell them apart; `None` where it
    /// tells neither.
    #[serde(default)]
    pub main_thread_seconds: Option<f64>,
    /// What our own connections contributed to the counters above.
    pub own: OwnTraffic,
    /// Round trip of this INFO as we felt it, in seconds.
    pub round_trip_seconds: f64,
}
