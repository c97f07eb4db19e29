//! A histogram over time: counts by bucket, of which only those exist that ever counted.

use super::column::Column;
use super::frame::{Fold, Frame, Range};

/// Counts by bucket, ascending; each bucket once, those without counts left out.
pub(crate) type Counts = Vec<(u16, f64)>;

/// Counts by the number of their bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    cells: Vec<(u16, Column)>,
}

impl Buckets {
    fn column(&mut self, bucket: u16) -> &mut Column {
        let place = match self.cells.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => place,
            Err(place) => {
                self.cells.reserve_exact(1);
                self.cells.insert(place, (bucket, Column::default()));
                place
            }
        };
        &mut self.cells[place].1
    }

    /// Adds to the slot of one second.
    pub(crate) fn add(&mut self, frame: &Frame, second: i64, bucket: u16, amount: u64) {
        self.column(bucket).add(frame, second, amount);
    }

    /// Spreads over an interval.
    pub(crate) fn spread(&mut self, frame: &Frame, bucket: u16, from_ms: i64, to_ms: i64, amount: u64) {
        if amount > 0 {
            self.column(bucket).spread(frame, from_ms, to_ms, amount);
        }
    }

    /// Counts over whole slots.
    pub(crate) fn counts(&self, range: &Range) -> Counts {
        self.counts_by(|column| column.sum(range) as f64)
    }

    /// Counts over any interval.
    pub(crate) fn counts_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> Counts {
        self.counts_by(|column| column.between(frame, from_ms, to_ms))
    }

    fn counts_by(&self, of: impl Fn(&Column) -> f64) -> Counts {
        let counted = self.cells.iter().map(|(bucket, column)| (*bucket, of(column)));
        counted.filter(|(_, count)| *count > 0.0).collect()
    }

    /// Carries out what the frame asked for.
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for (_, column) in &mut self.cells {
            column.fold(folds);
        }
    }

    /// Adds another histogram over the same buckets.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, column) in &other.cells {
            self.column(*bucket).merge(column);
        }
    }
}

/// Adds counts to others, each times `weight`.
pub(crate) fn add_counts(into: &mut Counts, more: &Counts, weight: f64) {
    for (bucket, count) in more {
        match into.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
            Ok(place) => into[place].1 += count * weight,
            Err(place) => into.insert(place, (*bucket, count * weight)),
        }
    }
}

/// All counts together.
pub(crate) fn total(counts: &Counts) -> f64 {
    counts.iter().map(|(_, count)| count).sum()
}
