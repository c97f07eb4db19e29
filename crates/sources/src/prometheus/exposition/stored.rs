//! Which of a page's samples Prometheus's storage keeps.

use std::hash::BuildHasher;

use cachescope_model::metrics::Sample;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Samples as stored: of one series, only samples with rising times (`memSeries.appendable` in 2.42, without
/// an out-of-order window, which is off unless configured).
///
/// What Prometheus further refuses depends on its clock and not on the page: samples more than ten minutes
/// ahead of it, or older than its storage accepts.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) samples: Vec<Sample>,
    pub(super) duplicates: u64,
    /// The place of each series' latest sample.
    latest: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Stored {
    pub(super) fn append(&mut self, sample: Sample) {
        let Self { samples, latest, hasher, .. } = self;
        let hash = |sample: &Sample| hasher.hash_one((&sample.name, &sample.labels));
        let same = |place: &usize| {
            samples
                .get(*place)
                .is_some_and(|other| other.name == sample.name && other.labels == sample.labels)
        };
        let place = samples.len();
        let of_sample = hash(&sample);
        match latest.find_mut(of_sample, same) {
            Some(last) if samples.get(*last).is_some_and(|last| last.at >= sample.at) => {
                self.duplicates += 1;
                return;
            }
            Some(last) => *last = place,
            None => {
                latest.insert_unique(of_sample, place, |place| samples.get(*place).map_or(0, hash));
            }
        }
        samples.push(sample);
    }
}
