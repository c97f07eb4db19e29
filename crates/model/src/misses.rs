//! What misses say beyond their number: why, over time, and what would have avoided them.

use serde::{Deserialize, Serialize};

use crate::snapshot::MissCauses;
use crate::time::Timestamp;
use crate::window::Window;

/// Misses in one class of delay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct DelayClass {
    /// The keys had been gone for less than this many seconds, and for at least the class before; `None` has
    /// no upper end.
    pub below_seconds: Option<f64>,
    /// How many.
    #[ts(type = "number")]
    pub misses: u64,
}

/// How long keys had been gone when they were next asked for. Only the first miss of each absence counts, so
/// what keeping the keys longer would have saved is at least what these classes add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Delays {
    /// By delay, shortest first.
    pub classes: Vec<DelayClass>,
    /// Misses that themselves made the server remove the expired key: it had run out before, how long is not
    /// told.
    #[ts(type = "number")]
    pub untold: u64,
}

impl Delays {
    /// First misses within a delay: a lower bound of what keeping the keys that much longer would have saved.
    #[must_use]
    pub fn within(&self, seconds: f64) -> u64 {
        let classes =
            self.classes.iter().filter(|class| class.below_seconds.is_some_and(|end| end <= seconds));
        classes.map(|class| class.misses).sum()
    }

    /// All first misses.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.untold + self.classes.iter().map(|class| class.misses).sum::<u64>()
    }
}

/// The memory that explains misses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct KeyMemory {
    /// Keys there is room for.
    #[ts(type = "number")]
    pub capacity: u64,
    /// Keys remembered.
    #[ts(type = "number")]
    pub keys: u64,
    /// Bytes held.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Removals that had to be forgotten since the beginning: misses of those keys are of unknown cause.
    #[ts(type = "number")]
    pub forgotten: u64,
}

/// Everything about the misses of one namespace, or of the whole deployment, within a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct MissInsights {
    /// Over which window.
    pub window: Window,
    /// Why they missed.
    pub causes: MissCauses,
    /// Misses on keys that nobody filled: not added within five seconds after the first miss, or missed again
    /// later without having been added. A lower bound; `None` where additions are not announced.
    #[ts(type = "number | null")]
    pub unfilled: Option<u64>,
    /// Evicted keys: how long they had been gone. More memory would have kept them.
    pub after_eviction: Delays,
    /// Expired keys: how long they had been gone. A longer time to live would have kept them.
    pub after_expiry: Delays,
    /// The figures in plain sentences, the most useful first.
    pub sentences: Vec<String>,
    /// Why some causes can't be told here, and the line that would enable it; empty where all can.
    pub limits: Vec<String>,
    /// The memory behind it, shared by all namespaces.
    pub memory: KeyMemory,
}

/// Why keys missed in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct CausePoint {
    /// End of the interval.
    pub at: Timestamp,
    /// Misses in it by cause; `None` is a gap.
    pub causes: Option<MissCauses>,
}
