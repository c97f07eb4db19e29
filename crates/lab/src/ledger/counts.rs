//! The figures of one namespace, and of all at one moment.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cachescope_model::snapshot::MissCauses;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::json;

use super::causes::Absence;

/// Durations with two significant digits, in microseconds.
#[derive(Clone, Debug)]
pub struct Quantiles {
    histogram: Histogram<u64>,
}

impl Default for Quantiles {
    fn default() -> Self {
        let histogram = Histogram::new(2).expect("two significant digits are allowed");
        Self { histogram }
    }
}

impl Quantiles {
    /// Adds a duration.
    pub(super) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // The range grows as needed, so only a duration of centuries is refused.
        let _recorded = self.histogram.record(micros.max(1));
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration below which the share `quantile` (0 to 1) lies; `None` when nothing was recorded.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let micros = self.histogram.value_at_quantile(quantile);
        (!self.histogram.is_empty()).then(|| Duration::from_micros(micros))
    }

    /// The mean; `None` when nothing was recorded.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (!self.histogram.is_empty()).then(|| Duration::from_secs_f64(self.histogram.mean() / 1e6))
    }

    fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        // It fails only when `earlier` holds what this does not; then this is the better answer.
        if difference.histogram.subtract(&earlier.histogram).is_err() {
            difference = self.clone();
        }
        difference
    }

    fn add(&mut self, other: &Self) {
        // It fails only for values beyond a fixed range, and these ranges grow.
        let _grown = self.histogram.add(&other.histogram);
    }

    fn to_json(&self) -> serde_json::Value {
        let at = |quantile| self.quantile(quantile).map(|it| it.as_secs_f64());
        json!({
            "count": self.count(),
            "mean_seconds": self.mean().map(|it| it.as_secs_f64()),
            "p50_seconds": at(0.5),
            "p95_seconds": at(0.95),
            "p99_seconds": at(0.99),
        })
    }
}

/// The figures of one namespace, or of one tenant in it.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Lookups that Redis answered with a value.
    pub hits: u64,
    /// Lookups that Redis answered with nothing, by true cause.
    pub misses: MissCauses,
    /// Lookups that the in-process cache answered; Redis did not see them.
    pub in_process_hits: u64,
    /// Lookups that went past the in-process cache.
    pub in_process_misses: u64,
    /// Loads from the database.
    pub loads: u64,
    /// Bytes of values that Redis gave, as stored.
    pub bytes_read: u64,
    /// Bytes of values that Redis took, as stored.
    pub bytes_written: u64,
    /// Keys that Redis evicted.
    pub evictions: u64,
    /// Keys that Redis expired.
    pub expirations: u64,
    /// How long lookups in Redis took, as the service felt it.
    pub lookup_latency: Quantiles,
    /// How long loads took.
    pub load_latency: Quantiles,
}

impl Counts {
    pub(super) fn missed(&mut self, absence: Absence, misses: u64) {
        let cause = match absence {
            Absence::Cold => &mut self.misses.cold,
            Absence::Expired => &mut self.misses.expired,
            Absence::Evicted => &mut self.misses.evicted,
            Absence::Deleted => &mut self.misses.deleted,
            Absence::Flushed => &mut self.misses.flushed,
            Absence::Unexplained => &mut self.misses.unknown,
        };
        *cause += misses;
    }

    /// Lookups that Redis saw.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        self.hits + self.misses.total()
    }

    /// Hits ÷ lookups, a ratio from 0 to 1; `None` without lookups.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        (self.lookups() > 0).then(|| self.hits as f64 / self.lookups() as f64)
    }

    /// What was added since an earlier snapshot of the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let misses = MissCauses {
            expired: self.misses.expired.saturating_sub(earlier.misses.expired),
            evicted: self.misses.evicted.saturating_sub(earlier.misses.evicted),
            deleted: self.misses.deleted.saturating_sub(earlier.misses.deleted),
            flushed: self.misses.flushed.saturating_sub(earlier.misses.flushed),
            cold: self.misses.cold.saturating_sub(earlier.misses.cold),
            unknown: self.misses.unknown.saturating_sub(earlier.misses.unknown),
        };
        Self {
            hits: self.hits.saturating_sub(earlier.hits),
            misses,
            in_process_hits: self.in_process_hits.saturating_sub(earlier.in_process_hits),
            in_process_misses: self.in_process_misses.saturating_sub(earlier.in_process_misses),
            loads: self.loads.saturating_sub(earlier.loads),
            bytes_read: self.bytes_read.saturating_sub(earlier.bytes_read),
            bytes_written: self.bytes_written.saturating_sub(earlier.bytes_written),
            evictions: self.evictions.saturating_sub(earlier.evictions),
            expirations: self.expirations.saturating_sub(earlier.expirations),
            lookup_latency: self.lookup_latency.since(&earlier.lookup_latency),
            load_latency: self.load_latency.since(&earlier.load_latency),
        }
    }

    fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses.expired += other.misses.expired;
        self.misses.evicted += other.misses.evicted;
        self.misses.deleted += other.misses.deleted;
        self.misses.flushed += other.misses.flushed;
        self.misses.cold += other.misses.cold;
        self.misses.unknown += other.misses.unknown;
        self.in_process_hits += other.in_process_hits;
        self.in_process_misses += other.in_process_misses;
        self.loads += other.loads;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.evictions += other.evictions;
        self.expirations += other.expirations;
        self.lookup_latency.add(&other.lookup_latency);
        self.load_latency.add(&other.load_latency);
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "hits": self.hits,
            "misses": self.misses.total(),
            "miss_causes": self.misses,
            "hit_rate": self.hit_rate(),
            "in_process_hits": self.in_process_hits,
            "in_process_misses": self.in_process_misses,
            "loads": self.loads,
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "evictions": self.evictions,
            "expirations": self.expirations,
            "lookup_latency": self.lookup_latency.to_json(),
            "load_latency": self.load_latency.to_json(),
        })
    }
}

/// The ledger at one moment, or over a window.
#[derive(Clone, Debug)]
pub struct LedgerSnapshot {
    /// When it was taken.
    pub at: SystemTime,
    /// By template; keys of no namespace are under [`super::OTHER`].
    pub namespaces: BTreeMap<String, Counts>,
    /// By template and tenant.
    pub tenants: BTreeMap<(String, String), Counts>,
    /// Lookups without an answer: Redis may have counted them, nobody here did.
    pub unanswered: u64,
}

impl LedgerSnapshot {
    /// What was added since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let nothing = Counts::default();
        let namespaces = self.namespaces.iter().map(|(template, counts)| {
            let before = earlier.namespaces.get(template).unwrap_or(&nothing);
            (template.clone(), counts.since(before))
        });
        let tenants = self.tenants.iter().map(|(tenant, counts)| {
            (tenant.clone(), counts.since(earlier.tenants.get(tenant).unwrap_or(&nothing)))
        });
        Self {
            at: self.at,
            namespaces: namespaces.collect(),
            tenants: tenants.collect(),
            unanswered: self.unanswered.saturating_sub(earlier.unanswered),
        }
    }

    /// All namespaces together.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.namespaces.values() {
            total.add(counts);
        }
        total
    }

    /// As JSON, in base units: an object of namespaces by template, of tenants by template and tenant, and
    /// the total.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let object = |counts: &BTreeMap<String, Counts>| -> serde_json::Map<String, serde_json::Value> {
            counts.iter().map(|(template, counts)| (template.clone(), counts.to_json())).collect()
        };
        let mut tenants: BTreeMap<&str, serde_json::Map<String, serde_json::Value>> = BTreeMap::new();
        for ((template, tenant), counts) in &self.tenants {
            tenants.entry(template).or_default().insert(tenant.clone(), counts.to_json());
        }
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        json!({
            "at": at,
            "total": self.total().to_json(),
            "namespaces": object(&self.namespaces),
            "tenants": tenants,
            "unanswered": self.unanswered,
        })
    }
}

impl Serialize for LedgerSnapshot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
