//! Counts over time: bounded rings of four resolutions, sparse and as narrow as their values.
//!
//! A busy counter costs about 1 kB for a whole day, one that counts now and then a tenth of that, an idle one 16
//! bytes or nothing.

mod buckets;
mod cells;
mod column;
mod frame;
mod gauge;
mod packed;
mod tally;

pub(crate) use buckets::{Buckets, Counts, add_counts, total};
pub(crate) use column::Column;
pub(crate) use frame::{Fold, Frame, Range};
pub(crate) use gauge::Gauge;
pub(crate) use tally::{Count, Tally};

#[cfg(test)]
mod tests;
