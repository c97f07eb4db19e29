//! With which commands a namespace's keys are read, from the sample of the commands.

use std::sync::Arc;

use super::place;
use crate::window::{Column, Fold, Frame, Range};

/// Commands told apart for one namespace; the others are one.
const MOST_COMMANDS: usize = 8;
/// The place of all others.
pub(crate) const OTHER_READS: u8 = u8::MAX;

/// Sampled lookups by read command.
///
/// A lookup counts once however many keys its command has: who waits for a key of an MGET waits for all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadMix {
    columns: Vec<(u8, Column)>,
}

impl ReadMix {
    /// Counts a lookup.
    pub(crate) fn add(&mut self, frame: &Frame, second: i64, command: u8) {
        self.column(command).add(frame, second, 1);
    }

    fn column(&mut self, command: u8) -> &mut Column {
        let known = self.columns.iter().position(|(known, _)| *known == command);
        let place = match known {
            Some(place) => place,
            None => {
                let room =
                    self.columns.iter().filter(|(known, _)| *known != OTHER_READS).count() < MOST_COMMANDS;
                if !room && command != OTHER_READS {
                    return self.column(OTHER_READS);
                }
                self.columns.reserve_exact(1);
                self.columns.push((command, Column::default()));
                self.columns.len() - 1
            }
        };
        &mut self.columns[place].1
    }

    /// Lookups by command over these slots.
    pub(crate) fn counts(&self, range: &Range) -> Vec<(u8, f64)> {
        self.counts_by(|column| column.sum(range) as f64)
    }

    /// The same over any interval.
    pub(crate) fn counts_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> Vec<(u8, f64)> {
        self.counts_by(|column| column.between(frame, from_ms, to_ms))
    }

    fn counts_by(&self, of: impl Fn(&Column) -> f64) -> Vec<(u8, f64)> {
        let counted = self.columns.iter().map(|(command, column)| (*command, of(column)));
        counted.filter(|(_, count)| *count > 0.0).collect()
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for (_, column) in &mut self.columns {
            column.fold(folds);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (command, column) in &other.columns {
            self.column(*command).merge(column);
        }
    }
}

/// Places of a burst's commands in the table of read commands; `None` for one that reads no value.
pub(crate) fn places(names: &[Arc<str>]) -> Vec<Option<u8>> {
    names.iter().map(|name| place(name)).collect()
}
