//! Series as an exposition page or a Prometheus server gives them.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What tells a series from the others of its endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Series {
    /// Metric name.
    pub name: String,
    /// Labels without `__name__`, sorted by name.
    pub labels: Vec<(String, String)>,
}

impl Series {
    /// The value of a label, or `None`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// One sample of one series. Histograms and summaries come as their component series.
///
/// The series is shared: pages have tens of thousands of them, the same ones every few seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Of which series; its fields can be reached as if they were the sample's.
    pub series: Arc<Series>,
    /// Its value; NaN and infinities are allowed, as in Prometheus.
    pub value: f64,
    /// When it was taken: the page's own timestamp, Prometheus's sample time, or else the time of the fetch.
    pub at: Timestamp,
}

impl Sample {
    /// A sample of a series of its own.
    #[must_use]
    pub fn new(name: String, labels: Vec<(String, String)>, value: f64, at: Timestamp) -> Self {
        Self { series: Arc::new(Series { name, labels }), value, at }
    }
}

impl Deref for Sample {
    type Target = Series;

    fn deref(&self) -> &Series {
        &self.series
    }
}

/// What one endpoint gave.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsBatch {
    /// Whose samples these are: the endpoint's URL without password. Series of different endpoints are
    /// different series, even when their labels agree.
    pub endpoint: String,
    /// The samples. A sample that was already delivered (same series, same time) may come again.
    pub samples: Vec<Sample>,
    /// Lines of the page that could not be read.
    pub bad_lines: u64,
}

/// The latest value of a strategy's signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalValue {
    /// The signal's name in the strategy.
    pub signal: String,
    /// Its value; `None` where the query gave nothing.
    pub value: Option<f64>,
    /// When it was taken.
    pub at: Timestamp,
}
