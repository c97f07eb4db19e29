//! A documented caching strategy as data. The file format and its loader are `cachescope-strategy`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What one strategy document says, complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strategy {
    /// Short name, as `--strategy` takes it.
    pub name: String,
    /// The document's title.
    pub title: String,
    /// One paragraph: what is cached and why.
    pub summary: String,
    /// Namespaces, in the document's order.
    pub namespaces: Vec<Namespace>,
    /// How the application's metrics are named.
    pub metrics: Option<MetricNames>,
    /// Hit-rate target of the whole cache, a ratio from 0 to 1.
    pub hit_rate_target: Option<f64>,
}

/// One documented namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Which keys it holds.
    pub template: Template,
    /// The logical database, where the document names one; otherwise every database.
    pub database: Option<u16>,
    /// The field that holds the tenant.
    pub tenant: Option<String>,
    /// The field that holds the version.
    pub version: Option<String>,
    /// Documented time to live; `None` where the document gives none.
    pub ttl: Option<Duration>,
    /// Target hit rate, a ratio from 0 to 1.
    pub hit_rate_target: Option<f64>,
    /// Label values under which the application counts this namespace.
    pub metric_labels: Vec<String>,
    /// Purging it needs an explicit override: sessions, rate limits, locks, queues.
    pub protected: bool,
    /// What the document says drops it.
    pub invalidated_on: Vec<String>,
}

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
    /// Label that holds what [`Namespace::metric_labels`] lists.
    pub namespace_label: Option<String>,
    /// Counter of evictions, where the application has one.
    pub evictions: Option<String>,
    /// Counter of errors, where the application has one.
    pub errors: Option<String>,
    /// Labels that every series must carry (`job` = `api`), to tell deployments on one Prometheus apart.
    #[serde(default)]
    pub matchers: BTreeMap<String, String>,
}
