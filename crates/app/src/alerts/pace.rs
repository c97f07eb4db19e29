//! How fast alerts are judged and told.

use std::time::Duration;

/// The rhythm of one program. Every shell keeps the default; tests of the whole are in a hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From one evaluation to the next. Five seconds are a fifth of the shortest documented duration that is not
    /// nothing, and a snapshot costs milliseconds.
    pub evaluate_every: Duration,
    /// What begins within this time of the first alert of a deployment is told with it: an incident passes several
    /// thresholds within two or three evaluations.
    pub group_for: Duration,
    /// A deployment that was told of is told of again after this time at the earliest.
    pub tell_again_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            evaluate_every: Duration::from_secs(5),
            group_for: Duration::from_secs(10),
            tell_again_after: Duration::from_secs(60),
        }
    }
}
