//! A figure that says how sure it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reading_kind::ReadingKind;
use crate::words::Words;

/// How a reading's value was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Counted, every single one.
    Exact,
    /// Sampled: the true value lies between `low` and `high` in 95 of 100 cases.
    Estimated,
    /// Computed under an assumption that `reason` names.
    Modelled,
    /// Not known: `reason` says why, and what would enable it.
    Unavailable,
}

/// A figure with its interval, certainty, source and window.
///
/// Values are in Prometheus's base units: seconds, bytes, ratios from 0 to 1, and per-second rates.
/// `value` is `None` exactly where the certainty is [`Certainty::Unavailable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Reading {
    /// The figure, in the unit of its [`ReadingKind`].
    pub value: Option<f64>,
    /// How it was come by.
    pub certainty: Certainty,
    /// Lower end of the 95 % interval; equals `value` where exact.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval; equals `value` where exact.
    pub high: Option<f64>,
    /// Which source it comes from, in words (`"application counters"`).
    #[ts(type = "string")]
    pub source: Words,
    /// Seconds of data behind it; less than the window asked for while the window is still filling.
    pub window_seconds: f64,
    /// Why it is unavailable and what would enable it, or what a modelled one assumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub reason: Option<Words>,
}

impl Reading {
    /// A counted figure.
    #[must_use]
    pub fn exact(value: f64, source: impl Into<Words>, window_seconds: f64) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Exact,
            low: Some(value),
            high: Some(value),
            source: source.into(),
            window_seconds,
            reason: None,
        }
    }

    /// A sampled figure with its 95 % interval.
    #[must_use]
    pub fn estimated(value: f64, low: f64, high: f64, source: impl Into<Words>, window_seconds: f64) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Estimated,
            low: Some(low),
            high: Some(high),
            source: source.into(),
            window_seconds,
            reason: None,
        }
    }

    /// A figure that rests on `assumption`.
    #[must_use]
    pub fn modelled(
        value: f64,
        assumption: impl Into<Words>,
        source: impl Into<Words>,
        window_seconds: f64,
    ) -> Self {
        Self {
            value: Some(value),
            certainty: Certainty::Modelled,
            low: None,
            high: None,
            source: source.into(),
            window_seconds,
            reason: Some(assumption.into()),
        }
    }

    /// No figure: `reason` says why, and what would enable it.
    #[must_use]
    pub fn unavailable(reason: impl Into<Words>) -> Self {
        Self {
            value: None,
            certainty: Certainty::Unavailable,
            low: None,
            high: None,
            source: Words::default(),
            window_seconds: 0.0,
            reason: Some(reason.into()),
        }
    }

    /// Adds a remark: what a figure leaves out, or under which condition it holds.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Words>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// What [`Readings`] are at the wire.
pub type ReadingMap = BTreeMap<ReadingKind, Reading>;

/// The readings of one thing (an instance, a namespace), by kind; at the wire a map ([`ReadingMap`]).
///
/// A sorted list in one allocation: thousands of namespaces have a dozen and a half of them each, anew every
/// second, and a tree of nodes would take twice the memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings(Vec<(ReadingKind, Reading)>);

impl Readings {
    /// No readings yet, with room for all that a namespace has.
    #[must_use]
    pub fn new() -> Self {
        Self(Vec::with_capacity(ReadingKind::PER_NAMESPACE))
    }

    /// Takes all readings out and keeps their room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts a reading in the place of the one of its kind, where there is one.
    pub fn insert(&mut self, kind: ReadingKind, reading: Reading) {
        match self.place(kind) {
            Ok(place) => self.0[place].1 = reading,
            Err(place) => self.0.insert(place, (kind, reading)),
        }
    }

    /// The reading of a kind.
    #[must_use]
    pub fn get(&self, kind: &ReadingKind) -> Option<&Reading> {
        self.place(*kind).ok().map(|place| &self.0[place].1)
    }

    /// Every reading with its kind, in the registry's order.
    pub fn iter(&self) -> impl Iterator<Item = (ReadingKind, &Reading)> {
        self.0.iter().map(|(kind, reading)| (*kind, reading))
    }

    /// Every reading, in the registry's order.
    pub fn values(&self) -> impl Iterator<Item = &Reading> {
        self.0.iter().map(|(_, reading)| reading)
    }

    /// Every reading, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Reading> {
        self.0.iter_mut().map(|(_, reading)| reading)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, kind: ReadingKind) -> Result<usize, usize> {
        self.0.binary_search_by_key(&kind, |(kind, _)| *kind)
    }
}

impl FromIterator<(ReadingKind, Reading)> for Readings {
    fn from_iter<T: IntoIterator<Item = (ReadingKind, Reading)>>(readings: T) -> Self {
        let mut collected = Self::new();
        for (kind, reading) in readings {
            collected.insert(kind, reading);
        }
        collected
    }
}

impl std::ops::Index<&ReadingKind> for Readings {
    type Output = Reading;

    fn index(&self, kind: &ReadingKind) -> &Reading {
        self.get(kind).expect("a reading that is indexed was inserted before")
    }
}

impl Serialize for Readings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Readings {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadingMap::deserialize(deserializer).map(|map| map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_kept_by_kind_in_the_registrys_order_and_travel_as_a_map() {
        let mut readings = Readings::new();
        readings.insert(ReadingKind::Keys, Reading::exact(3.0, "scan", 0.0));
        readings.insert(ReadingKind::HitRate, Reading::exact(0.5, "INFO", 60.0));
        readings.insert(ReadingKind::Keys, Reading::exact(4.0, "scan", 0.0));
        let kinds: Vec<_> = readings.iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [ReadingKind::HitRate, ReadingKind::Keys]);
        assert_eq!(readings[&ReadingKind::Keys].value, Some(4.0));
        assert_eq!(readings.get(&ReadingKind::MemoryRatio), None);
        let written = serde_json::to_value(&readings).expect("readings are JSON");
        assert_eq!(written["hit_rate"]["value"], 0.5);
        assert_eq!(serde_json::from_value::<Readings>(written).expect("and back"), readings);
    }
}
