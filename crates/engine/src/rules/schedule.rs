//! When rules are due.

use std::time::Duration;

use cachescope_model::time::Timestamp;

use super::machine::whole_millis;

/// Evaluation times on a fixed grid, so that they don't drift: the one after a late one is not late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval_millis: i64,
    last: Option<Timestamp>,
}

/// An evaluation that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The time to evaluate with: a multiple of the interval, at or before now.
    pub at: Timestamp,
    /// How many evaluations before it were missed.
    pub missed: u64,
}

impl Schedule {
    /// Every `interval`, at least a millisecond.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { interval_millis: whole_millis(interval).max(1), last: None }
    }

    /// The evaluation that is due at `now`; `None` while the last one still holds, and where time went back.
    pub fn due(&mut self, now: Timestamp) -> Option<Due> {
        let at = Timestamp(now.millis().div_euclid(self.interval_millis) * self.interval_millis);
        let missed = match self.last {
            Some(last) if at <= last => return None,
            Some(last) => (at.millis() - last.millis()) / self.interval_millis - 1,
            None => 0,
        };
        self.last = Some(at);
        Some(Due { at, missed: missed.unsigned_abs() })
    }

    /// How long from `now` until the next evaluation is due.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Duration {
        let next = (now.millis().div_euclid(self.interval_millis) + 1) * self.interval_millis;
        Duration::from_millis((next - now.millis()).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_evaluation_does_not_move_the_ones_after_it() {
        let mut schedule = Schedule::every(Duration::from_secs(15));
        let due = |schedule: &mut Schedule, millis| schedule.due(Timestamp(millis));
        assert_eq!(due(&mut schedule, 30_200), Some(Due { at: Timestamp(30_000), missed: 0 }));
        assert_eq!(due(&mut schedule, 44_999), None);
        assert_eq!(
            due(&mut schedule, 51_000),
            Some(Due { at: Timestamp(45_000), missed: 0 }),
            "six seconds late"
        );
        assert_eq!(due(&mut schedule, 60_001), Some(Due { at: Timestamp(60_000), missed: 0 }));
        assert_eq!(due(&mut schedule, 20_000), None, "time went back");
        assert_eq!(due(&mut schedule, 121_000), Some(Due { at: Timestamp(120_000), missed: 3 }));
        assert_eq!(schedule.wait(Timestamp(121_000)), Duration::from_secs(14));
    }
}
