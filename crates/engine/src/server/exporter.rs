//! The server as a redis_exporter shows it, where only Prometheus or a metrics page can be reached.

use crate::window::{Count, Fold, Frame, Range, Tally};

/// A level older than this is not shown: Prometheus keeps the last sample of a dead target for 5 minutes.
const STALE_AFTER_MILLIS: i64 = 150_000;
/// Series of levels kept; one an instance, `redis_db_keys` one a database.
const MOST_LEVELS: usize = 4_096;

/// What redis_exporter's metrics are. Counters are cumulative as INFO's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExporterMetric {
    Hits,
    Misses,
    Evicted,
    Expired,
    Commands,
    UsedMemory,
    MaxMemory,
    Clients,
    Keys,
}

impl ExporterMetric {
    /// By the exporter's name for it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "redis_keyspace_hits_total" => Self::Hits,
            "redis_keyspace_misses_total" => Self::Misses,
            "redis_evicted_keys_total" => Self::Evicted,
            "redis_expired_keys_total" => Self::Expired,
            "redis_commands_processed_total" => Self::Commands,
            "redis_memory_used_bytes" => Self::UsedMemory,
            "redis_memory_max_bytes" => Self::MaxMemory,
            "redis_connected_clients" => Self::Clients,
            "redis_db_keys" => Self::Keys,
            _ => return None,
        })
    }

    /// The column of a counter; `None` for a level.
    pub(crate) fn count(self) -> Option<Count> {
        match self {
            Self::Hits => Some(Count::ServerHits),
            Self::Misses => Some(Count::ServerMisses),
            Self::Evicted => Some(Count::ServerEvicted),
            Self::Expired => Some(Count::ServerExpired),
            Self::Commands => Some(Count::ServerCommands),
            Self::UsedMemory | Self::MaxMemory | Self::Clients | Self::Keys => None,
        }
    }
}

/// Its last levels by series, and the time its counters cover.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exporter {
    levels: Vec<(u128, ExporterMetric, f64, i64)>,
    covered: Tally,
    covered_to_ms: Option<i64>,
}

impl Exporter {
    /// Notes a level of one series.
    pub(crate) fn level(&mut self, series: u128, metric: ExporterMetric, value: f64, at_ms: i64) {
        if let Some(entry) = self.levels.iter_mut().find(|(of, ..)| *of == series) {
            (entry.2, entry.3) = (value, at_ms);
        } else if self.levels.len() < MOST_LEVELS {
            self.levels.push((series, metric, value, at_ms));
        }
    }

    /// A counter's increase is known for this interval.
    pub(crate) fn cover(&mut self, frame: &Frame, from_ms: i64, to_ms: i64) {
        let from_ms = self.covered_to_ms.map_or(from_ms, |covered| covered.max(from_ms));
        if to_ms > from_ms {
            self.covered.spread(Count::CoveredMillis, frame, from_ms, to_ms, (to_ms - from_ms) as u64);
            self.covered_to_ms = Some(to_ms);
        }
    }

    /// Time up to which counters are known.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.covered_to_ms
    }

    pub(crate) fn covered_seconds(&self, range: &Range) -> f64 {
        self.covered.sum(Count::CoveredMillis, range) as f64 / 1000.0
    }

    pub(crate) fn covered_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        self.covered.between(Count::CoveredMillis, frame, from_ms, to_ms)
    }

    /// Levels summed over instances; `None` without a fresh figure of memory.
    pub(crate) fn levels(&self, now_ms: i64) -> Option<super::Levels> {
        let sum = |wanted: ExporterMetric| {
            let fresh = self
                .levels
                .iter()
                .filter(|(_, metric, _, at_ms)| *metric == wanted && now_ms - at_ms <= STALE_AFTER_MILLIS);
            fresh.map(|(_, _, value, _)| *value).reduce(|one, other| one + other)
        };
        let limit = sum(ExporterMetric::MaxMemory).filter(|limit| *limit > 0.0);
        Some(super::Levels {
            used_memory: sum(ExporterMetric::UsedMemory)?,
            limit,
            limited: limit.is_some(),
            clients: sum(ExporterMetric::Clients).unwrap_or(f64::NAN),
            keys: sum(ExporterMetric::Keys).unwrap_or(f64::NAN),
            expires: None,
            missing: String::new(),
        })
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.covered.fold(folds);
    }
}
