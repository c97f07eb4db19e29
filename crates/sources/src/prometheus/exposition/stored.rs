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
    /// The place of each series' latest sample, with the series' hash: names need not be read again when the
    /// table grows.
    latest: HashTable<(u64, usize)>,
    hasher: DefaultHashBuilder,
}

impl Stored {
    pub(super) fn append(&mut self, sample: Sample) {
        let hash = self.hasher.hash_one((&sample.name, &sample.labels));
        let samples = &mut self.samples;
        let same = |(other_hash, place): &(u64, usize)| {
            let same = |other: &Sample| other.name == sample.name && other.labels == sample.labels;
            *other_hash == hash && samples.get(*place).is_some_and(same)
        };
        match self.latest.find_mut(hash, same) {
            Some((_, last)) if samples.get(*last).is_some_and(|last| last.at >= sample.at) => {
                self.duplicates += 1;
                return;
            }
            Some((_, last)) => *last = samples.len(),
            None => {
                self.latest.insert_unique(hash, (hash, samples.len()), |(hash, _)| *hash);
            }
        }
        samples.push(sample);
    }
}
