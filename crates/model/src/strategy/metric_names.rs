//! How an application's own counters are named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an application names its cache metrics: one of the three documented dialects, or a team's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricNames {
    /// Counter of hits.
    pub hits: String,
    /// Counter of misses.
    pub misses: String,
    /// Histogram or summary of operation times, its base name.
    pub latency: Option<String>,
    /// What one unit of the latency metric is in seconds: 1 for seconds, 0.001 for milliseconds.
    pub latency_unit_seconds: f64,
    /// Label and value that select reads (`operation`, `get`).
    pub read_operation: Option<(String, String)>,
    /// Label that holds the layer.
    pub layer_label: Option<String>,
    /// The layer that is Redis.
    pub redis_layer: Option<String>,
    /// Label that holds what [`Namespace::metric_labels`](super::Namespace::metric_labels) lists.
    pub namespace_label: Option<String>,
    /// Counter of evictions, where the application has one.
    pub evictions: Option<String>,
    /// Counter of errors, where the application has one.
    pub errors: Option<String>,
    /// Labels that every series must carry (`job` = `api`), to tell deployments on one Prometheus apart.
    #[serde(default)]
    pub matchers: BTreeMap<String, String>,
    /// Gauge of the cache's bytes, where the application has one.
    #[serde(default)]
    pub size: Option<String>,
}
