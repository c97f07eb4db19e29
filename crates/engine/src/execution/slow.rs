//! The slowest commands of a row: few, and not for ever.

use cachescope_model::observation::NodeName;
use cachescope_model::sample::Execution;

/// Commands remembered of one row.
const MOST: usize = 10;
/// For how long, in milliseconds.
const HOUR: i64 = 3_600_000;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Slow {
    pub(crate) node: NodeName,
    pub(crate) execution: Execution,
    seen_ms: i64,
}

/// The slowest ones of the last hour, in no order.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlowList(Vec<Slow>);

impl SlowList {
    /// Whether a command of this duration has a place.
    pub(crate) fn takes(&self, micros: u64, at_ms: i64) -> bool {
        self.0.len() < MOST || self.0.iter().any(|slow| slow.execution.micros < micros || is_old(slow, at_ms))
    }

    /// Adds one in the place of an old one, or else the fastest.
    pub(crate) fn add(&mut self, at_ms: i64, node: &NodeName, execution: &Execution) {
        self.0.retain(|slow| !is_old(slow, at_ms));
        if self.0.len() == MOST {
            let fastest = (0..MOST).min_by_key(|place| self.0[*place].execution.micros).unwrap_or(0);
            self.0.swap_remove(fastest);
        }
        self.0.push(Slow { node: NodeName::clone(node), execution: execution.clone(), seen_ms: at_ms });
    }

    /// Those that are not too old.
    pub(crate) fn since_an_hour(&self, now_ms: i64) -> impl Iterator<Item = &Slow> {
        self.0.iter().filter(move |slow| !is_old(slow, now_ms))
    }

    /// Adds those of another row.
    pub(crate) fn merge(&mut self, other: Self) {
        for slow in other.0 {
            if self.takes(slow.execution.micros, slow.seen_ms) {
                self.add(slow.seen_ms, &slow.node, &slow.execution);
            }
        }
    }
}

fn is_old(slow: &Slow, now_ms: i64) -> bool {
    now_ms - slow.seen_ms > HOUR
}
