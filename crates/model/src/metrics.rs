//! Series as an exposition page or a Prometheus server gives them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One sample of one series. Histograms and summaries come as their component series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Metric name.
    pub name: String,
    /// Labels without `__name__`, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Its value; NaN and infinities are allowed, as in Prometheus.
    pub value: f64,
    /// When it was taken: the page's own timestamp, Prometheus's sample time, or else the time of the fetch.
    pub at: Timestamp,
}

impl Sample {
    /// The value of a label, or `None`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
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
