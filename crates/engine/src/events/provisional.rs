//! Causes that the next INFO replies may still overturn: a flush shows up to a second after it happened.
//!
//! A miss is counted under its most likely cause at once and put right when INFO says otherwise, so that the
//! parts add up to the misses at every moment.

use hashbrown::HashMap;

use super::standing::{APART_MILLIS, Silence};
use super::verdict::{Cause, Doubt, Verdict};
use crate::rows::Rows;
use crate::window::{Count, Frame};

/// More of these at once are counted as unknown from the start.
const MOST: usize = 131_072;
/// When no INFO reply has settled them for this long, they become unknown.
const WAIT_MILLIS: i64 = 30_000;

/// Misses of one row in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    row: u32,
    node: u32,
    second: i64,
    cause: Cause,
    doubt: Doubt,
    /// Where the time since the key went is counted, which stands only as long as the cause does.
    delay: Option<Count>,
}

/// All misses whose cause is in doubt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provisional {
    counts: HashMap<Place, u64>,
}

impl Provisional {
    /// Notes a miss about to be counted, and says whether there was room; otherwise it is of unknown cause.
    #[must_use]
    pub(super) fn note(
        &mut self,
        row: u32,
        node: u32,
        second: i64,
        verdict: Verdict,
        delay: Option<Count>,
    ) -> bool {
        let place = Place { row, node, second, cause: verdict.cause, doubt: verdict.doubt, delay };
        if let Some(count) = self.counts.get_mut(&place) {
            *count += 1;
            return true;
        }
        if self.counts.len() >= MOST {
            return false;
        }
        self.counts.insert(place, 1);
        true
    }

    /// An INFO reply came.
    pub(crate) fn settle(&mut self, node: u32, silence: &Silence, rows: &mut Rows, frame: &Frame) {
        self.counts.retain(|place, count| {
            if place.node != node {
                return true;
            }
            let (from_ms, to_ms) = (place.second * 1000, place.second * 1000 + 1000);
            let covered = silence.may_cover(from_ms, to_ms);
            let past = to_ms + APART_MILLIS <= silence.to_ms;
            let (overturned, settled) = match place.doubt {
                _ if silence.upheaval => (true, true),
                Doubt::None => (false, true),
                Doubt::Flush => (covered && silence.flushed, past),
                Doubt::FlushOrRemovers => (covered && (silence.flushed || silence.removers), past),
                Doubt::NoFlush => {
                    let shown = covered && silence.flushed;
                    (past && !shown, past || shown)
                }
            };
            if overturned {
                overturn(*place, *count, rows, frame);
            }
            !(overturned || settled)
        });
    }

    /// Time went on.
    pub(crate) fn expire(&mut self, now_ms: i64, rows: &mut Rows, frame: &Frame) {
        self.counts.retain(|place, count| {
            let waits = now_ms - place.second * 1000 < WAIT_MILLIS;
            if !waits {
                overturn(*place, *count, rows, frame);
            }
            waits
        });
    }
}

fn overturn(place: Place, count: u64, rows: &mut Rows, frame: &Frame) {
    let tally = &mut rows.get_mut(place.row).tally;
    let taken = tally.take(place.cause.count(), frame, place.second, count);
    tally.add(Cause::Unknown.count(), frame, place.second, taken);
    if let Some(delay) = place.delay {
        tally.take(delay, frame, place.second, count);
    }
}
