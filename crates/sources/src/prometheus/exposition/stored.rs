//! Which of a page's samples Prometheus's storage keeps, and of which series they are.

use std::hash::{BuildHasher, Hash, Hasher};

use cachescope_model::metrics::{Sample, Series};
use cachescope_model::time::Timestamp;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::cursor::RawLabel;

/// The series of a page, kept from one scrape to the next: most of a page is the same every time, and tens of
/// thousands of names need not be written down anew.
#[derive(Default)]
pub struct KnownSeries {
    entries: Vec<Entry>,
    /// Places in `entries`.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    /// Names need not be read again when the table grows.
    hash: u64,
    series: Series,
    /// The place of its latest sample in this scrape, or [`NONE`].
    last: u32,
    /// Whether this scrape has it.
    seen: bool,
}

/// No sample so far.
const NONE: u32 = u32::MAX;

impl KnownSeries {
    fn place(&mut self, name: &str, labels: &[RawLabel<'_>]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        name.hash(&mut hasher);
        for label in labels {
            label.name.hash(&mut hasher);
            label.value.hash(&mut hasher);
        }
        let hash = hasher.finish();
        let entries = &mut self.entries;
        let same = |place: &u32| {
            let known = entries.get(*place as usize);
            known.is_some_and(|entry| entry.hash == hash && is(&entry.series, name, labels))
        };
        if let Some(place) = self.places.find(hash, same) {
            entries[*place as usize].seen = true;
            return *place;
        }
        let labels = labels.iter().map(|label| (label.name.as_ref(), label.value.as_ref()));
        let place = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        entries.push(Entry { hash, series: Series::new(name, labels), last: NONE, seen: true });
        self.places.insert_unique(hash, place, |place| entries[*place as usize].hash);
        place
    }

    /// Forgets what this scrape did not have, and where it had the rest.
    fn scrape_ended(&mut self) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.seen);
        for entry in &mut self.entries {
            (entry.seen, entry.last) = (false, NONE);
        }
        if self.entries.len() < before {
            self.places.clear();
            let entries = &self.entries;
            for (place, entry) in (0u32..).zip(entries) {
                self.places.insert_unique(entry.hash, place, |place| entries[*place as usize].hash);
            }
        }
    }
}

fn is(series: &Series, name: &str, labels: &[RawLabel<'_>]) -> bool {
    series.name() == name
        && series.labels().len() == labels.len()
        && series
            .labels()
            .zip(labels)
            .all(|((name, value), label)| name == label.name && value == label.value)
}

impl std::fmt::Debug for KnownSeries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KnownSeries").field("count", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Samples as stored: of one series, only samples with rising times (`memSeries.appendable` in 2.42, without
/// an out-of-order window, which is off unless configured).
///
/// What Prometheus further refuses depends on its clock and not on the page: samples more than ten minutes
/// ahead of it, or older than its storage accepts.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) samples: Vec<Sample>,
    pub(super) duplicates: u64,
    known: KnownSeries,
}

impl Stored {
    pub(super) fn knowing(known: KnownSeries) -> Self {
        // As many samples as last time, most likely.
        Self { samples: Vec::with_capacity(known.entries.len()), duplicates: 0, known }
    }

    /// The place of a series among the known ones.
    pub(super) fn series(&mut self, name: &str, labels: &[RawLabel<'_>]) -> u32 {
        self.known.place(name, labels)
    }

    pub(super) fn append(&mut self, series: u32, value: f64, at: Timestamp) {
        let Some(entry) = self.known.entries.get_mut(series as usize) else { return };
        if self.samples.get(entry.last as usize).is_some_and(|last| last.at >= at) {
            self.duplicates += 1;
            return;
        }
        entry.last = u32::try_from(self.samples.len()).unwrap_or(NONE);
        self.samples.push(Sample { series: entry.series.clone(), value, at });
    }

    /// What the page is known to hold.
    pub(super) fn end(&mut self) -> KnownSeries {
        self.known.scrape_ended();
        std::mem::take(&mut self.known)
    }
}
