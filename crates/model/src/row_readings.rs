//! The readings of one of thousands of rows, in as little memory as they need.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::reading::{Certainty, Reading, ReadingMap, Readings};
use crate::reading_kind::ReadingKind;
use crate::words::Words;

/// What a reading says in words. Thousands of rows say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Told {
    /// Which source it comes from.
    pub source: Words,
    /// Why it is unavailable, or what it assumes.
    pub reason: Option<Words>,
}

impl Told {
    /// What this reading says.
    #[must_use]
    pub fn of(reading: &Reading) -> Self {
        Self { source: reading.source.clone(), reason: reading.reason.clone() }
    }

    fn is_of(&self, reading: &Reading) -> bool {
        self.source == reading.source && self.reason == reading.reason
    }
}

/// Readings by kind, at the wire a map as [`Readings`] is.
///
/// Written here are only numbers that don't follow from others: of an exact figure one instead of three, of an
/// unavailable one none, and the window once. A [`Reading`] is made when it is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowReadings {
    heads: Vec<Head>,
    numbers: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
struct Head {
    told: Arc<Told>,
    kind: ReadingKind,
    certainty: Certainty,
    shape: Shape,
}

/// Which numbers of a reading are there, and which are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape(u8);

impl Shape {
    const VALUE: u8 = 1;
    const LOW: u8 = 2;
    const HIGH: u8 = 4;
    const LOW_WRITTEN: u8 = 8;
    const HIGH_WRITTEN: u8 = 16;
    const WINDOW: u8 = 32;
    const WINDOW_WRITTEN: u8 = 64;

    fn set(&mut self, bits: u8, when: bool) {
        self.0 |= if when { bits } else { 0 };
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

fn same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits()
}

impl RowReadings {
    /// No readings yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { heads: Vec::new(), numbers: Vec::new() }
    }

    /// Takes other readings in the place of these. What they say in words and these did not is asked for, so that
    /// rows can share it.
    pub fn fill(&mut self, readings: &Readings, mut shared: impl FnMut(&Reading) -> Arc<Told>) {
        self.numbers.clear();
        self.heads.truncate(readings.len());
        self.heads.reserve_exact(readings.len() - self.heads.len());
        let mut window = 0.0;
        for (place, (kind, reading)) in readings.iter().enumerate() {
            let shape = self.write(reading, &mut window);
            let head = |told| Head { told, kind, certainty: reading.certainty, shape };
            match self.heads.get_mut(place) {
                Some(known) if known.told.is_of(reading) => *known = head(Arc::clone(&known.told)),
                Some(known) => *known = head(shared(reading)),
                None => self.heads.push(head(shared(reading))),
            }
        }
    }

    fn write(&mut self, reading: &Reading, window: &mut f64) -> Shape {
        let mut shape = Shape::default();
        // Without a value nothing follows from it.
        let value = reading.value.unwrap_or(f64::NAN);
        let follows = |end: Option<f64>| reading.value.is_some() && end.is_some_and(|end| same(end, value));
        shape.set(Shape::VALUE, reading.value.is_some());
        shape.set(Shape::LOW, reading.low.is_some());
        shape.set(Shape::HIGH, reading.high.is_some());
        shape.set(Shape::LOW_WRITTEN, reading.low.is_some() && !follows(reading.low));
        shape.set(Shape::HIGH_WRITTEN, reading.high.is_some() && !follows(reading.high));
        let windowed = !same(reading.window_seconds, 0.0);
        shape.set(Shape::WINDOW, windowed);
        shape.set(Shape::WINDOW_WRITTEN, windowed && !same(reading.window_seconds, *window));
        let low = reading.low.filter(|_| shape.has(Shape::LOW_WRITTEN));
        let high = reading.high.filter(|_| shape.has(Shape::HIGH_WRITTEN));
        let length = shape.has(Shape::WINDOW_WRITTEN).then_some(reading.window_seconds);
        if let Some(length) = length {
            *window = length;
        }
        let written = [reading.value, low, high, length];
        self.numbers.reserve_exact(written.iter().flatten().count());
        self.numbers.extend(written.into_iter().flatten());
        shape
    }

    /// The reading of a kind.
    #[must_use]
    pub fn get(&self, kind: &ReadingKind) -> Option<Reading> {
        self.iter().find(|(known, _)| known == kind).map(|(_, reading)| reading)
    }

    /// The value of a kind, where there is one.
    #[must_use]
    pub fn value(&self, kind: ReadingKind) -> Option<f64> {
        self.read().find(|(head, ..)| head.kind == kind).and_then(|(_, numbers)| numbers.value)
    }

    /// Every reading with its kind, in the registry's order.
    pub fn iter(&self) -> impl Iterator<Item = (ReadingKind, Reading)> {
        self.read().map(|(head, numbers)| {
            let reading = Reading {
                value: numbers.value,
                certainty: head.certainty,
                low: numbers.low,
                high: numbers.high,
                source: head.told.source.clone(),
                window_seconds: numbers.window,
                reason: head.told.reason.clone(),
            };
            (head.kind, reading)
        })
    }

    fn read(&self) -> impl Iterator<Item = (&Head, Numbers)> {
        let mut written = self.numbers.iter().copied();
        let mut window = 0.0;
        self.heads.iter().map(move |head| {
            let has = |bit: u8| head.shape.has(bit);
            let value = if has(Shape::VALUE) { written.next() } else { None };
            let mut end = |there: u8, own: u8| match (has(there), has(own)) {
                (true, true) => written.next(),
                (true, false) => value,
                (false, _) => None,
            };
            let low = end(Shape::LOW, Shape::LOW_WRITTEN);
            let high = end(Shape::HIGH, Shape::HIGH_WRITTEN);
            if has(Shape::WINDOW_WRITTEN) {
                window = written.next().unwrap_or_default();
            }
            (head, Numbers { value, low, high, window: if has(Shape::WINDOW) { window } else { 0.0 } })
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

struct Numbers {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    window: f64,
}

impl From<&Readings> for RowReadings {
    fn from(readings: &Readings) -> Self {
        let mut row = Self::new();
        row.fill(readings, |reading| Arc::new(Told::of(reading)));
        row
    }
}

impl FromIterator<(ReadingKind, Reading)> for RowReadings {
    fn from_iter<T: IntoIterator<Item = (ReadingKind, Reading)>>(readings: T) -> Self {
        Self::from(&readings.into_iter().collect::<Readings>())
    }
}

impl Serialize for RowReadings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RowReadings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadingMap::deserialize(deserializer).map(|map| map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading_kind::ReadingKind as R;

    fn readings() -> Readings {
        let halves = [None, Some(0.25), Some(0.5), Some(f64::INFINITY)];
        let windows = [0.0, 60.0, 60.0, 59.5, 0.0, 59.5];
        let kinds = R::ALL.iter().map(|spec| spec.kind);
        kinds
            .enumerate()
            .map(|(number, kind)| {
                let reading = Reading {
                    value: halves[number % 4],
                    certainty: Certainty::Estimated,
                    low: halves[(number / 2) % 4],
                    high: halves[(number / 3) % 4],
                    source: if number % 5 == 0 { "INFO".into() } else { format!("scan {number}").into() },
                    window_seconds: windows[number % windows.len()],
                    reason: (number % 3 == 0).then(|| "a reason".into()),
                };
                (kind, reading)
            })
            .collect()
    }

    #[test]
    fn every_reading_comes_out_as_it_went_in() {
        let fat = readings();
        let row = RowReadings::from(&fat);
        assert_eq!(row.iter().collect::<Readings>(), fat);
        assert_eq!((row.len(), row.is_empty()), (fat.len(), false));
        for (kind, reading) in fat.iter() {
            assert_eq!(row.get(&kind).as_ref(), Some(reading));
            assert_eq!(row.value(kind), reading.value);
        }
        assert_eq!(RowReadings::new().get(&R::Keys), None);
        let written = serde_json::to_value(&row).expect("readings are JSON");
        assert_eq!(written, serde_json::to_value(&fat).expect("readings are JSON"));
    }

    #[test]
    fn a_row_that_is_filled_again_holds_the_new_readings_and_keeps_words_that_stayed() {
        let exact =
            |value: f64| Readings::from_iter([(R::Keys, Reading::exact(value, "scan".to_owned(), 60.0))]);
        let mut row = RowReadings::from(&readings());
        row.fill(&exact(3.0), |reading| Arc::new(Told::of(reading)));
        row.fill(&exact(4.0), |_| panic!("these words are there already"));
        assert_eq!(row.iter().collect::<Readings>(), exact(4.0));
        assert_eq!(row.numbers.len(), 2, "a value and its window");
    }
}
