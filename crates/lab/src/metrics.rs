//! The service's metrics, in each of the three dialects that the strategy documents define.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, Registry, TextEncoder,
};

/// The layer label's value for what Redis answers.
pub const REDIS_LAYER: &str = "redis";
/// The layer label's value for what the in-process cache answers.
pub const MEMORY_LAYER: &str = "memory";

/// Seconds. Caches answer within 50 µs to 1 s; steps of a third or less keep quantiles honest.
const CACHE_BUCKETS: [f64; 25] = [
    0.000_05, 0.000_075, 0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_4, 0.000_5, 0.000_75, 0.001, 0.001_5,
    0.002, 0.003, 0.004, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0,
];

/// Seconds, for databases and requests.
const SERVICE_BUCKETS: [f64; 16] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Above this many namespaces the latency histogram does without the namespace: a page would have hundreds
/// of thousands of lines.
const MOST_HISTOGRAMS: usize = 200;

/// How a service names its cache metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `cache_hit_count`, `cache_miss_count`, `cache_latency_ms`, `redis_error_count`. The document names no
    /// labels; the hotspot's name and the layer are what a team would add.
    Hotspot,
    /// `cache_hits_total{layer,type}` and `cache_latency_seconds{layer,operation}`.
    LayerType,
    /// `cache_hits_total{cache_layer,entity_type}` and `cache_operation_duration_seconds`.
    CacheLayerEntityType,
}

impl Dialect {
    /// Names of hits, misses and latency, of the layer label and the namespace label, and the latency unit
    /// in seconds.
    #[must_use]
    pub fn names(self) -> Names {
        match self {
            Self::Hotspot => Names {
                hits: "cache_hit_count",
                misses: "cache_miss_count",
                latency: "cache_latency_ms",
                layer: "layer",
                namespace: "hotspot",
                unit: 0.001,
            },
            Self::LayerType => Names {
                hits: "cache_hits_total",
                misses: "cache_misses_total",
                latency: "cache_latency_seconds",
                layer: "layer",
                namespace: "type",
                unit: 1.0,
            },
            Self::CacheLayerEntityType => Names {
                hits: "cache_hits_total",
                misses: "cache_misses_total",
                latency: "cache_operation_duration_seconds",
                layer: "cache_layer",
                namespace: "entity_type",
                unit: 1.0,
            },
        }
    }
}

/// The names of one dialect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Names {
    /// Counter of hits.
    pub hits: &'static str,
    /// Counter of misses.
    pub misses: &'static str,
    /// Histogram of operation times.
    pub latency: &'static str,
    /// Label of the layer.
    pub layer: &'static str,
    /// Label of the namespace.
    pub namespace: &'static str,
    /// One unit of the histogram in seconds.
    pub unit: f64,
}

/// The metrics of one service instance.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Names,
    hits: IntCounterVec,
    misses: IntCounterVec,
    latency: HistogramVec,
    latency_by_namespace: bool,
    errors: Option<IntCounter>,
    size: Option<GaugeVec>,
    evictions: Option<CounterVec>,
    database_cpu: Gauge,
    database_latency: Histogram,
    requests: HistogramVec,
}

impl Metrics {
    /// Registers the metrics of a dialect for a service with `namespaces` namespaces.
    ///
    /// # Panics
    /// When a name or label is none: they are written in this file.
    #[must_use]
    pub fn new(dialect: Dialect, namespaces: usize) -> Self {
        let registry = Registry::new();
        let names = dialect.names();
        let labels = [names.layer, names.namespace];
        let latency_by_namespace = namespaces <= MOST_HISTOGRAMS;
        let timed: Vec<&str> = if latency_by_namespace {
            vec![names.layer, names.namespace, "operation"]
        } else {
            vec![names.layer, "operation"]
        };
        let latency = HistogramOpts::new(names.latency, "Time of cache operations")
            .buckets(CACHE_BUCKETS.iter().map(|seconds| seconds / names.unit).collect());
        let hits = Opts::new(names.hits, "Lookups that found a value");
        let misses = Opts::new(names.misses, "Lookups that found nothing");
        let service =
            |name: &str, help: &str| HistogramOpts::new(name, help).buckets(SERVICE_BUCKETS.to_vec());
        let errors = IntCounter::new("redis_error_count", "Redis commands that failed");
        let size = GaugeVec::new(Opts::new("cache_size_bytes", "Memory in use"), &["layer"]);
        let evictions = Opts::new("cache_evictions_total", "Entries dropped for want of space");
        let counted = dialect == Dialect::Hotspot;
        let sized = dialect == Dialect::LayerType;
        let metrics = Self {
            names,
            hits: IntCounterVec::new(hits, &labels).expect(VALID),
            misses: IntCounterVec::new(misses, &labels).expect(VALID),
            latency: HistogramVec::new(latency, &timed).expect(VALID),
            latency_by_namespace,
            errors: counted.then(|| errors.expect(VALID)),
            size: sized.then(|| size.expect(VALID)),
            evictions: sized.then(|| CounterVec::new(evictions, &["layer", "reason"]).expect(VALID)),
            database_cpu: Gauge::new("db_cpu_ratio", "Share of the database's CPU in use").expect(VALID),
            database_latency: Histogram::with_opts(service(
                "db_query_duration_seconds",
                "Time of database queries",
            ))
            .expect(VALID),
            requests: HistogramVec::new(
                service("http_request_duration_seconds", "Time of requests"),
                &["route", "status"],
            )
            .expect(VALID),
            registry,
        };
        metrics.register(&metrics.hits);
        metrics.register(&metrics.misses);
        metrics.register(&metrics.latency);
        metrics.register(&metrics.database_cpu);
        metrics.register(&metrics.database_latency);
        metrics.register(&metrics.requests);
        metrics.errors.iter().for_each(|it| metrics.register(it));
        metrics.size.iter().for_each(|it| metrics.register(it));
        metrics.evictions.iter().for_each(|it| metrics.register(it));
        metrics
    }

    fn register(&self, collector: &(impl Collector + Clone + 'static)) {
        self.registry.register(Box::new(collector.clone())).expect(VALID);
    }

    /// Makes the counters of a namespace appear with zero, as Prometheus advises, so that the first increase
    /// is seen.
    pub fn announce(&self, layer: &str, namespace: &str) {
        self.hits.with_label_values(&[layer, namespace]);
        self.misses.with_label_values(&[layer, namespace]);
    }

    /// Counts a lookup.
    pub fn lookup(&self, layer: &str, namespace: &str, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.with_label_values(&[layer, namespace]).inc();
    }

    /// Records how long an operation took.
    pub fn operation(&self, layer: &str, namespace: &str, operation: &str, took: Duration) {
        let histogram = if self.latency_by_namespace {
            self.latency.with_label_values(&[layer, namespace, operation])
        } else {
            self.latency.with_label_values(&[layer, operation])
        };
        histogram.observe(took.as_secs_f64() / self.names.unit);
    }

    /// Counts a Redis command that failed.
    pub fn redis_error(&self) {
        if let Some(errors) = &self.errors {
            errors.inc();
        }
    }

    /// Sets the memory in use of a layer, in bytes.
    pub fn size(&self, layer: &str, bytes: f64) {
        if let Some(size) = &self.size {
            size.with_label_values(&[layer]).set(bytes);
        }
    }

    /// Counts evictions of a layer.
    pub fn evicted(&self, layer: &str, reason: &str, entries: f64) {
        if let Some(evictions) = &self.evictions {
            evictions.with_label_values(&[layer, reason]).inc_by(entries.max(0.0));
        }
    }

    /// Sets the share of the database's CPU in use, 0 to 1.
    pub fn database_cpu(&self, ratio: f64) {
        self.database_cpu.set(ratio);
    }

    /// Records how long a database query took.
    pub fn database_query(&self, took: Duration) {
        self.database_latency.observe(took.as_secs_f64());
    }

    /// Records how long a request took.
    pub fn request(&self, route: &str, status: u16, took: Duration) {
        let status = status.to_string();
        self.requests.with_label_values(&[route, &status]).observe(took.as_secs_f64());
    }

    /// The page, in Prometheus's text format.
    ///
    /// # Errors
    /// When two metrics disagree about a name, which is a defect of this file.
    pub fn page(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(page)
    }
}

const VALID: &str = "metric names and labels of the lab are valid and unique";

#[cfg(test)]
mod tests {
    use super::*;

    fn page(dialect: Dialect) -> String {
        let metrics = Metrics::new(dialect, 3);
        metrics.lookup(REDIS_LAYER, "organization", true);
        metrics.lookup(REDIS_LAYER, "organization", false);
        metrics.operation(REDIS_LAYER, "organization", "get", Duration::from_micros(400));
        metrics.redis_error();
        metrics.evicted(REDIS_LAYER, "maxmemory", 2.0);
        metrics.size(REDIS_LAYER, 1024.0);
        metrics.request("/api/organization", 404, Duration::from_millis(1));
        String::from_utf8(metrics.page().expect("the page is consistent")).expect("the page is text")
    }

    #[test]
    fn each_dialect_uses_the_documented_names_and_labels() {
        let cases: [(Dialect, &[&str]); 3] = [
            (
                Dialect::Hotspot,
                &[
                    r#"cache_hit_count{hotspot="organization",layer="redis"} 1"#,
                    r#"cache_miss_count{hotspot="organization",layer="redis"} 1"#,
                    r#"cache_latency_ms_bucket{hotspot="organization",layer="redis",operation="get",le="0.4"} 1"#,
                    "redis_error_count 1",
                ],
            ),
            (
                Dialect::LayerType,
                &[
                    r#"cache_hits_total{layer="redis",type="organization"} 1"#,
                    r#"cache_misses_total{layer="redis",type="organization"} 1"#,
                    r#"cache_latency_seconds_count{layer="redis",operation="get",type="organization"} 1"#,
                    r#"cache_size_bytes{layer="redis"} 1024"#,
                    r#"cache_evictions_total{layer="redis",reason="maxmemory"} 2"#,
                ],
            ),
            (
                Dialect::CacheLayerEntityType,
                &[
                    r#"cache_hits_total{cache_layer="redis",entity_type="organization"} 1"#,
                    r#"cache_misses_total{cache_layer="redis",entity_type="organization"} 1"#,
                    r#"cache_operation_duration_seconds_count{cache_layer="redis",entity_type="organization",operation="get"} 1"#,
                ],
            ),
        ];
        for (dialect, lines) in cases {
            let page = page(dialect);
            for line in lines {
                assert!(page.lines().any(|it| it == *line), "{line} is missing in\n{page}");
            }
            assert!(page.contains(r#"route="/api/organization",status="404""#), "{page}");
        }
    }
}
