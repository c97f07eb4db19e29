//! Series as an exposition page or a Prometheus server gives them.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What tells a series from the others of its endpoint: its name and its labels.
///
/// All of it is one text and where its parts end, because tens of thousands are kept from scrape to scrape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Series {
    text: Box<str>,
    /// Where the name ends, then each label's name and value in turn.
    ends: Box<[u32]>,
}

impl Series {
    /// A series of this name with these labels, without `__name__`, sorted by name. What has no place within four
    /// gigabytes is left out.
    #[must_use]
    pub fn new<'a>(name: &'a str, labels: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let parts = || {
            std::iter::once(name).chain(labels.clone().into_iter().flat_map(|(name, value)| [name, value]))
        };
        let mut text = String::with_capacity(parts().map(str::len).sum());
        let mut ends = Vec::with_capacity(parts().count());
        for part in parts() {
            text.push_str(part);
            let Ok(end) = u32::try_from(text.len()) else { break };
            ends.push(end);
        }
        Self { text: text.into(), ends: ends.into() }
    }

    fn part(&self, number: usize) -> Option<&str> {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start as usize..*self.ends.get(number)? as usize)
    }

    /// Metric name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.part(0).unwrap_or_default()
    }

    /// Labels without `__name__`, sorted by name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        (0..self.ends.len().saturating_sub(1) / 2).map(|label| {
            let part = |number: usize| self.part(number).unwrap_or_default();
            (part(2 * label + 1), part(2 * label + 2))
        })
    }

    /// The value of a label, or `None`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// One sample of one series. Histograms and summaries come as their component series.
///
/// The series is shared: pages have tens of thousands of them, the same ones every few seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Of which series; its name and labels can be asked for as if they were the sample's.
    pub series: Arc<Series>,
    /// Its value; NaN and infinities are allowed, as in Prometheus.
    pub value: f64,
    /// When it was taken: the page's own timestamp, Prometheus's sample time, or else the time of the fetch.
    pub at: Timestamp,
}

impl Sample {
    /// A sample of a series of its own.
    #[must_use]
    pub fn new(name: &str, labels: &[(String, String)], value: f64, at: Timestamp) -> Self {
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Self { series: Arc::new(Series::new(name, labels)), value, at }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_gives_back_its_name_and_its_labels() {
        for labels in [vec![], vec![("le", "+Inf")], vec![("", ""), ("a", ""), ("ä", "1,\"}")]] {
            for name in ["", "cache_hits_total"] {
                let series = Series::new(name, labels.iter().copied());
                assert_eq!((series.name(), series.labels().collect::<Vec<_>>()), (name, labels.clone()));
                assert_eq!(series.labels().len(), labels.len());
                for (label, value) in &labels {
                    assert_eq!(series.label(label), Some(*value));
                }
                assert_eq!(series.label("absent"), None);
            }
        }
        assert_eq!(Series::default(), Series::default());
        assert_eq!(Series::default().name(), "");
        assert_ne!(Series::new("ab", [("c", "d")]), Series::new("a", [("bc", "d")]));
    }
}
