//! The registry of sources: every way of observing, what it needs, costs and yields.
//!
//! `cachescope doctor`, `--sources`, the capability screen, `docs/sources.md` and the tests are made from
//! [`SourceId::ALL`].

use serde::{Deserialize, Serialize};

use crate::reading_kind::ReadingKind;
use crate::time::Timestamp;

/// A way of observing. The serialised name is what `--sources` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceId {
    /// INFO by sections.
    Info,
    /// Keyspace events.
    Events,
    /// A sample of the commands, by short bursts of MONITOR.
    Commands,
    /// A sample of execution times, by a slow log that logs everything for a while.
    #[serde(rename = "slowlog")]
    SlowLog,
    /// SCAN with MEMORY USAGE and TTL.
    Scan,
    /// Our own reads of keys that are there.
    Probe,
    /// Exposition pages, fetched by us.
    Metrics,
    /// Queries to a Prometheus server.
    Prometheus,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ts_rs::TS)]
pub struct SourceSpec {
    /// Which source.
    pub id: SourceId,
    /// Its name in the window.
    pub title: &'static str,
    /// What it reads, one sentence.
    pub reads: &'static str,
    /// Oldest Redis version it works with; empty where it reads no Redis.
    pub since: &'static str,
    /// ACL rules it needs, as `ACL SETUSER` takes them.
    pub acl: &'static [&'static str],
    /// Server configuration it needs, as `CONFIG SET` takes it; empty where none.
    pub config: &'static str,
    /// What it costs the server, measured.
    pub cost: &'static str,
    /// Whether it is off on production until switched on.
    pub costly: bool,
    /// Whether it is off everywhere until switched on, because it changes the server's settings for a while.
    pub by_hand: bool,
    /// Which readings it yields.
    pub yields: &'static [ReadingKind],
}

use ReadingKind as R;

impl SourceId {
    /// Every source there is.
    pub const ALL: &'static [SourceSpec] = &[
        SourceSpec {
            id: Self::Info,
            title: "INFO",
            reads: "Counters, memory and clients of the server, once a second, by sections, and LATENCY HISTOGRAM of the commands that read values.",
            since: "2.8",
            acl: &[
                "+info",
                "+ping",
                "+client|setname",
                "+client|id",
                "+hello",
                "+config|get",
                "+latency|histogram",
            ],
            config: "",
            cost: "about 0.1 ms of the server's main thread a second, and 0.2 ms every five seconds for execution times",
            costly: false,
            by_hand: false,
            yields: &[
                R::HitRate,
                R::LookupsPerSecond,
                R::MissesPerSecond,
                R::ExecutionMeanSeconds,
                R::ExecutionP50Seconds,
                R::ExecutionP95Seconds,
                R::ExecutionP99Seconds,
                R::MemoryBytes,
                R::MemoryRatio,
                R::Keys,
                R::EvictionsPerSecond,
                R::EvictionRatio,
                R::ExpirationsPerSecond,
                R::CommandsPerSecond,
                R::ConnectedClients,
            ],
        },
        SourceSpec {
            id: Self::Events,
            title: "Keyspace events",
            reads: "Every miss, eviction and expiration, by key, as the server announces them.",
            since: "6.0",
            acl: &[
                "+subscribe",
                "+unsubscribe",
                "+ping",
                "+wait",
                "+reset",
                "+client|info",
                "resetchannels",
                "&__keyevent@*",
            ],
            config: "notify-keyspace-events Emxe",
            cost: "nothing on a hit, 0.5 to 1.3 µs of server time a miss; where that is more than 1 % of the core of a \
                   server that has no CPU to spare, misses are not listened to until it has",
            costly: false,
            by_hand: false,
            yields: &[R::MissesPerSecond, R::EvictionsPerSecond, R::EvictionRatio, R::ExpirationsPerSecond],
        },
        SourceSpec {
            id: Self::Commands,
            title: "Command sample",
            reads: "Which keys are looked up, in short bursts of MONITOR that the server itself ends.",
            since: "6.2",
            acl: &["+monitor", "+wait", "+reset", "+client|list", "+command", "+subscribe", "&__keyevent@*"],
            config: "",
            cost: "0.7 µs of server time a sampled command and 0.07 µs a byte of its arguments, at most 1 % of a \
                   core by default",
            costly: true,
            by_hand: false,
            yields: &[
                R::HitRate,
                R::LookupsPerSecond,
                R::EvictionRatio,
                R::ExecutionMeanSeconds,
                R::ExecutionP50Seconds,
                R::ExecutionP95Seconds,
                R::ExecutionP99Seconds,
            ],
        },
        SourceSpec {
            id: Self::SlowLog,
            title: "Slow-log sample",
            reads: "How long single commands run inside the server, by key.",
            since: "4.0",
            acl: &["+slowlog|get", "+slowlog|reset", "+config|get", "+config|set"],
            config: "slowlog-log-slower-than 0",
            cost: "0.35 µs of server time on every command while it samples; the operator's own slow log is pushed out",
            costly: true,
            by_hand: true,
            yields: &[
                R::ExecutionMeanSeconds,
                R::ExecutionP50Seconds,
                R::ExecutionP95Seconds,
                R::ExecutionP99Seconds,
            ],
        },
        SourceSpec {
            id: Self::Scan,
            title: "Scan",
            reads: "Which keys there are, their bytes and how long they live, and of a sample their types and idle times.",
            since: "4.0",
            acl: &[
                "~*",
                "+scan",
                "+memory|usage",
                "+pttl",
                "+dbsize",
                "+select",
                "+type",
                "+object|encoding",
                "+object|idletime",
            ],
            config: "",
            cost: "1 to 4 µs of server time a key, a few keys at a time and at most 15 % of the time",
            costly: true,
            by_hand: false,
            yields: &[R::MemoryBytes, R::Keys, R::TtlP50Seconds, R::NoTtlRatio],
        },
        SourceSpec {
            id: Self::Probe,
            title: "Probe",
            reads: "How long our own reads of a namespace's keys take, from here: GET where the server can keep it from making a key look used (CLIENT NO-TOUCH, Redis 7.2), TYPE elsewhere.",
            since: "2.8",
            acl: &["~*", "+get", "+type", "+memory|usage", "+select"],
            config: "",
            cost: "at most 20 lookups a second altogether and 1 % of the server's time; values above 64 KiB are never fetched",
            costly: true,
            by_hand: false,
            yields: &[
                R::LatencyP50Seconds,
                R::LatencyP95Seconds,
                R::LatencyP99Seconds,
                R::LatencyMeanSeconds,
            ],
        },
        SourceSpec {
            id: Self::Metrics,
            title: "Metrics page",
            reads: "The application's or an exporter's own counters and histograms, fetched directly.",
            since: "",
            acl: &[],
            config: "",
            cost: "one page every five seconds",
            costly: false,
            by_hand: false,
            yields: &[
                R::HitRate,
                R::LookupsPerSecond,
                R::MissesPerSecond,
                R::LatencyP50Seconds,
                R::LatencyP95Seconds,
                R::LatencyP99Seconds,
                R::LatencyMeanSeconds,
                R::EvictionsPerSecond,
            ],
        },
        SourceSpec {
            id: Self::Prometheus,
            title: "Prometheus",
            reads: "The same counters and histograms as Prometheus stores them, and the strategy's signals.",
            since: "",
            acl: &[],
            config: "",
            cost: "a few queries every five seconds",
            costly: false,
            by_hand: false,
            yields: &[
                R::HitRate,
                R::LookupsPerSecond,
                R::MissesPerSecond,
                R::LatencyP50Seconds,
                R::LatencyP95Seconds,
                R::LatencyP99Seconds,
                R::LatencyMeanSeconds,
                R::EvictionsPerSecond,
            ],
        },
    ];

    /// Its row in the registry.
    #[must_use]
    pub const fn spec(self) -> &'static SourceSpec {
        &Self::ALL[self as usize]
    }

    /// Its name, as `--sources` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Events => "events",
            Self::Commands => "commands",
            Self::SlowLog => "slowlog",
            Self::Scan => "scan",
            Self::Probe => "probe",
            Self::Metrics => "metrics",
            Self::Prometheus => "prometheus",
        }
    }
}

/// How a source is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum SourceHealth {
    /// Started, nothing received yet.
    Starting,
    /// Delivering.
    Ok,
    /// Delivering part of what it could; `detail` says what is missing.
    Partial,
    /// Not switched on.
    Off,
    /// Can't work here; `remedy` says what would enable it.
    Unavailable,
    /// Was or should be working and is not; it is tried again by itself.
    Failed,
}

/// A source's state as it reports it, in words for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct SourceStatus {
    /// Which source.
    pub source: SourceId,
    /// How it is doing.
    pub health: SourceHealth,
    /// Since when it has been doing so.
    pub since: Timestamp,
    /// What is the matter, one clear sentence; empty where nothing is.
    pub detail: String,
    /// What to do about it: the exact line to run or the thing to change; empty where nothing helps.
    pub remedy: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_stands_at_its_own_place_in_the_registry() {
        for (place, spec) in SourceId::ALL.iter().enumerate() {
            assert_eq!(spec.id as usize, place, "{:?} stands out of order", spec.id);
        }
        assert_eq!(SourceId::ALL.len(), SourceId::Prometheus as usize + 1);
    }
}
