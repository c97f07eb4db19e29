//! The registry of readings: every figure Cachescope shows, what it means and in which unit.
//!
//! Tables, tooltips, the command's columns, `docs/readings.md` and the tests are made from [`ReadingKind::ALL`].

use serde::{Deserialize, Serialize};

/// Unit of a reading, as Prometheus names base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share from 0 to 1.
    Ratio,
    /// Events per second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A plain count.
    Count,
}

/// Which way is trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: it describes.
    Neither,
}

/// What a reading measures. The serialised name is the key in `snapshot --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadingKind {
    /// Hits ÷ (hits + misses) in the window.
    HitRate,
    /// Hits + misses a second.
    LookupsPerSecond,
    /// Misses a second.
    MissesPerSecond,
    /// Median latency of GET-like commands as a client feels it.
    LatencyP50Seconds,
    /// 95th percentile of the same.
    LatencyP95Seconds,
    /// 99th percentile of the same.
    LatencyP99Seconds,
    /// Mean of the same.
    LatencyMeanSeconds,
    /// Mean time inside the server, without queue and network.
    ExecutionMeanSeconds,
    /// Median of the same.
    ExecutionP50Seconds,
    /// 95th percentile of the same.
    ExecutionP95Seconds,
    /// 99th percentile of the same.
    ExecutionP99Seconds,
    /// Bytes of its keys; for the instance `used_memory`.
    MemoryBytes,
    /// `used_memory` ÷ `maxmemory`, or ÷ system memory where none is set. Instance only.
    MemoryRatio,
    /// Number of keys.
    Keys,
    /// Median time to live of the keys that have one.
    TtlP50Seconds,
    /// Share of keys without a time to live.
    NoTtlRatio,
    /// Keys evicted a second.
    EvictionsPerSecond,
    /// Evictions ÷ lookups in the window.
    EvictionRatio,
    /// Keys expired a second.
    ExpirationsPerSecond,
    /// Commands a second, our own taken out. Instance only.
    CommandsPerSecond,
    /// Connected clients, our own taken out. Instance only.
    ConnectedClients,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ts_rs::TS)]
pub struct ReadingSpec {
    /// Which reading.
    pub kind: ReadingKind,
    /// Title in tables and charts.
    pub title: &'static str,
    /// Unit of its value.
    pub unit: Unit,
    /// Which way is trouble.
    pub better: Better,
    /// Whether a namespace has it, or the instance alone.
    pub per_namespace: bool,
    /// Definition, one sentence.
    pub meaning: &'static str,
}

macro_rules! registry {
    ($($kind:ident, $title:literal, $unit:ident, $better:ident, $per:literal, $meaning:literal;)*) => {
        impl ReadingKind {
            /// Every reading there is, in the order tables show them.
            pub const ALL: &'static [ReadingSpec] = &[$(ReadingSpec {
                kind: ReadingKind::$kind, title: $title, unit: Unit::$unit, better: Better::$better,
                per_namespace: $per, meaning: $meaning,
            }),*];

            /// How many of them a namespace has.
            pub const PER_NAMESPACE: usize = {
                let (mut count, mut place) = (0, 0);
                while place < Self::ALL.len() {
                    count += Self::ALL[place].per_namespace as usize;
                    place += 1;
                }
                count
            };

            /// Its row in the registry.
            #[must_use]
            pub const fn spec(self) -> &'static ReadingSpec {
                &Self::ALL[self as usize]
            }
        }
    };
}

registry! {
    HitRate, "Hit rate", Ratio, Higher, true, "Hits divided by hits plus misses within the window; no traffic is no data.";
    LookupsPerSecond, "Lookups", PerSecond, Neither, true, "Hits plus misses per second, our own taken out; summed over all servers, replicas that serve reads included.";
    MissesPerSecond, "Misses", PerSecond, Lower, true, "Lookups per second that found no key.";
    LatencyP50Seconds, "Latency p50", Seconds, Lower, true, "Median duration of GET-like commands as a client feels it.";
    LatencyP95Seconds, "Latency p95", Seconds, Lower, true, "95th percentile of the duration of GET-like commands as a client feels it.";
    LatencyP99Seconds, "Latency p99", Seconds, Lower, true, "99th percentile of the duration of GET-like commands as a client feels it.";
    LatencyMeanSeconds, "Latency mean", Seconds, Lower, true, "Mean duration of GET-like commands as a client feels it.";
    ExecutionMeanSeconds, "Execution mean", Seconds, Lower, true, "Mean duration of read commands inside the server, without queue and network.";
    ExecutionP50Seconds, "Execution p50", Seconds, Lower, true, "Median duration of read commands inside the server, without queue and network.";
    ExecutionP95Seconds, "Execution p95", Seconds, Lower, true, "95th percentile of the duration of read commands inside the server, without queue and network.";
    ExecutionP99Seconds, "Execution p99", Seconds, Lower, true, "99th percentile of the duration of read commands inside the server, without queue and network.";
    MemoryBytes, "Memory", Bytes, Lower, true, "Bytes its keys occupy, by MEMORY USAGE, each key once; used_memory for the instance, summed over primaries.";
    MemoryRatio, "Memory share", Ratio, Lower, false, "used_memory divided by maxmemory, or by system memory where no maxmemory is set; of several servers the sums over primaries.";
    Keys, "Keys", Count, Neither, true, "Number of keys, those of replicas not counted again.";
    TtlP50Seconds, "TTL p50", Seconds, Neither, true, "Median time to live of the keys that have one.";
    NoTtlRatio, "Without TTL", Ratio, Lower, true, "Share of its keys that never expire.";
    EvictionsPerSecond, "Evictions", PerSecond, Lower, true, "Keys removed per second because memory was short; on primaries, because replicas only repeat it.";
    EvictionRatio, "Eviction rate", Ratio, Lower, true, "Evictions divided by lookups within the window.";
    ExpirationsPerSecond, "Expirations", PerSecond, Neither, true, "Keys removed per second because their time to live ran out; on primaries, because replicas only repeat it.";
    CommandsPerSecond, "Commands", PerSecond, Neither, false, "Commands per second, our own taken out; of replicas the reads alone, because the rest comes from their primary.";
    ConnectedClients, "Clients", Count, Neither, false, "Connected clients, our own taken out; summed over all servers.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_stands_at_its_own_place_in_the_registry() {
        for (place, spec) in ReadingKind::ALL.iter().enumerate() {
            assert_eq!(spec.kind as usize, place, "{:?} stands out of order", spec.kind);
            assert_eq!(spec.kind.spec(), spec);
        }
        assert_eq!(ReadingKind::ALL.len(), ReadingKind::ConnectedClients as usize + 1);
    }
}
