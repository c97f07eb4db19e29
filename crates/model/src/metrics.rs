//! Series as an exposition page or a Prometheus server gives them.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What tells a series from the others of its endpoint: its name and its labels. Cloning it copies no text.
///
/// All of it is one text, because tens of thousands are kept from scrape to scrape: how many parts there are, how long
/// each is, then the name and each label's name and value in turn.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Series(Arc<str>);

/// Marks a character of a number that goes on: numbers are written as ASCII, six bits a character, lowest first.
const MORE: u8 = 0x40;

fn write_number(text: &mut String, mut number: usize) {
    while number >= usize::from(MORE) {
        text.push(char::from(number as u8 & (MORE - 1) | MORE));
        number >>= 6;
    }
    text.push(char::from(number as u8));
}

/// The number at the front, which is taken off.
fn read_number(text: &mut &[u8]) -> usize {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(6) {
        let Some((byte, rest)) = text.split_first() else { break };
        *text = rest;
        number |= usize::from(byte & (MORE - 1)) << shift;
        if byte & MORE == 0 {
            break;
        }
    }
    number
}

impl Series {
    /// A series of this name with these labels, without `__name__`, sorted by name.
    #[must_use]
    pub fn new<'a>(name: &'a str, labels: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let parts = || {
            std::iter::once(name).chain(labels.clone().into_iter().flat_map(|(name, value)| [name, value]))
        };
        // Usual numbers take one character each.
        let mut text = String::with_capacity(1 + parts().map(|part| 1 + part.len()).sum::<usize>());
        write_number(&mut text, parts().count());
        parts().for_each(|part| write_number(&mut text, part.len()));
        parts().for_each(|part| text.push_str(part));
        Self(text.into())
    }

    fn parts(&self) -> Parts<'_> {
        let mut lengths = self.0.as_bytes();
        let left = read_number(&mut lengths);
        let mut behind = lengths;
        for _ in 0..left {
            read_number(&mut behind);
        }
        let text = self.0.get(self.0.len() - behind.len()..).unwrap_or_default();
        Parts { left, lengths, text }
    }

    /// Metric name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// Labels without `__name__`, sorted by name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        let mut parts = self.parts();
        parts.next();
        Labels(parts)
    }

    /// The value of a label, or `None`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

impl std::fmt::Debug for Series {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())?;
        formatter.debug_map().entries(self.labels()).finish()
    }
}

/// The parts that are left of a series.
#[derive(Clone)]
struct Parts<'s> {
    left: usize,
    lengths: &'s [u8],
    text: &'s str,
}

impl<'s> Iterator for Parts<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        self.left = self.left.checked_sub(1)?;
        let (part, rest) = self.text.split_at_checked(read_number(&mut self.lengths))?;
        self.text = rest;
        Some(part)
    }
}

/// The same as pairs of name and value.
#[derive(Clone)]
struct Labels<'s>(Parts<'s>);

impl<'s> Iterator for Labels<'s> {
    type Item = (&'s str, &'s str);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left / 2, Some(self.0.left / 2))
    }
}

impl ExactSizeIterator for Labels<'_> {}

/// One sample of one series. Histograms and summaries come as their component series.
///
/// The series is shared: pages have tens of thousands of them, the same ones every few seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Of which series; its name and labels can be asked for as if they were the sample's.
    pub series: Series,
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
        Self { series: Series::new(name, labels), value, at }
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
        let long = "ß".repeat(40_000);
        for labels in [
            vec![],
            vec![("le", "+Inf")],
            vec![("", ""), ("a", &long), ("ä", "1,\"}\u{1}"), ("b", &long[..64])],
        ] {
            for name in ["", "cache_hits_total", &long[..126]] {
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
