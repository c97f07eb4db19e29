//! Series in memory.

use std::collections::BTreeMap;

use cachescope_model::alert::AlertLabels;
use cachescope_model::time::Timestamp;

use super::expr::{MatchKind, Selector};

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The value that ends a series: a NaN with the bits that Prometheus stores.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// How far back the latest sample may lie, in milliseconds.
const LOOKBACK_MILLIS: i64 = 5 * 60 * 1000;

/// Whether this is [`STALE`] and not another NaN.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// One series: its samples in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, with [`METRIC_NAME`].
    pub labels: AlertLabels,
    /// Milliseconds and values.
    pub samples: Vec<(i64, f64)>,
}

/// Milliseconds and values.
pub(super) type Points = Vec<(i64, f64)>;
/// A selected series with the samples that matter.
type Selected<'s, Samples> = (&'s AlertLabels, Samples);

/// Series to evaluate over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storage {
    series: BTreeMap<AlertLabels, Points>,
}

impl Storage {
    /// Adds a series; one with the same labels is replaced.
    pub fn insert(&mut self, series: Series) {
        self.series.insert(series.labels, series.samples);
    }

    /// The time of the last sample.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.series.values().filter_map(|samples| samples.last()).map(|(at, _)| Timestamp(*at)).max()
    }

    /// The latest sample of each selected series at `at`.
    pub(super) fn instant(&self, selector: &Selector, at: i64) -> Result<Vec<(&AlertLabels, f64)>, String> {
        Ok(self
            .select(selector)?
            .filter_map(|(labels, samples)| {
                let end = samples.partition_point(|(time, _)| *time <= at);
                let (time, value) = *samples[..end].last()?;
                (time >= at - LOOKBACK_MILLIS && !is_stale(value)).then_some((labels, value))
            })
            .collect())
    }

    /// The samples of each selected series from `from` to `to`, both included, without stale ones.
    pub(super) fn range(
        &self,
        selector: &Selector,
        from: i64,
        to: i64,
    ) -> Result<Vec<Selected<'_, Points>>, String> {
        let within = |samples: &[(i64, f64)]| -> Points {
            let begin = samples.partition_point(|(time, _)| *time < from);
            let end = samples.partition_point(|(time, _)| *time <= to);
            samples[begin..end.max(begin)].iter().copied().filter(|(_, value)| !is_stale(*value)).collect()
        };
        Ok(self.select(selector)?.map(|(labels, samples)| (labels, within(samples))).collect())
    }

    fn select<'s>(
        &'s self,
        selector: &Selector,
    ) -> Result<impl Iterator<Item = Selected<'s, &'s [(i64, f64)]>> + use<'s>, String> {
        let mut tests = Vec::new();
        if !selector.name.is_empty() {
            tests.push((METRIC_NAME.to_owned(), Test::Is(selector.name.clone(), true)));
        }
        for matcher in &selector.matchers {
            let test = match matcher.kind {
                MatchKind::Equal => Test::Is(matcher.value.clone(), true),
                MatchKind::NotEqual => Test::Is(matcher.value.clone(), false),
                MatchKind::Matches => Test::Fits(whole(&matcher.value)?, true),
                MatchKind::MatchesNot => Test::Fits(whole(&matcher.value)?, false),
            };
            tests.push((matcher.label.clone(), test));
        }
        let fits = move |labels: &AlertLabels| {
            tests.iter().all(|(label, test)| test.passes(labels.get(label).map_or("", String::as_str)))
        };
        Ok(self
            .series
            .iter()
            .filter(move |(labels, _)| fits(labels))
            .map(|(labels, samples)| (labels, samples.as_slice())))
    }
}

enum Test {
    Is(String, bool),
    Fits(regex::Regex, bool),
}

impl Test {
    /// A label that is not there counts as empty.
    fn passes(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted, same) => (wanted == value) == *same,
            Self::Fits(pattern, fits) => pattern.is_match(value) == *fits,
        }
    }
}

fn whole(pattern: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| format!("{pattern:?} is no regular expression, or too large a one"))
}
