//! Whether the server shows strain, and how far to hold back then.

use std::time::Duration;

/// Round trips several times as long as usual are strain, but not below this.
const NOTICED: Duration = Duration::from_millis(3);
/// So many times as long.
const TIMES: f64 = 4.0;
/// So many slow ones in a row are no accident.
const IN_A_ROW: u32 = 3;
/// So many good ones in a row make up for one step back.
const GOOD_IN_A_ROW: u32 = 20;
/// Held back further than this, nothing is left to sample with.
const LEAST: f64 = 1.0 / 32.0;
/// A burst whose end comes so late was not taken as fast as it was told.
const LATE: Duration = Duration::from_millis(250);

/// What is known of the server's usual pace.
#[derive(Clone, Debug)]
pub(super) struct Strain {
    usual: Option<f64>,
    last: f64,
    slow: u32,
    good: u32,
    part: f64,
}

impl Default for Strain {
    fn default() -> Self {
        Self { usual: None, last: 0.0, slow: 0, good: 0, part: 1.0 }
    }
}

impl Strain {
    /// Takes a burst's round trip, and how late its end came.
    pub(super) fn burst(&mut self, round_trip: Duration, late: Duration) {
        let seconds = round_trip.as_secs_f64();
        self.last = seconds;
        let usual = *self.usual.get_or_insert(seconds);
        let strained = seconds > (usual * TIMES).max(usual + NOTICED.as_secs_f64()) || late > LATE;
        // A server that has become slower for good is its new usual after a while.
        let follow = match (strained, seconds < usual) {
            (true, _) => 0.02,
            (false, true) => 0.3,
            (false, false) => 0.1,
        };
        self.usual = Some(usual + (seconds - usual) * follow);
        if strained {
            self.good = 0;
            self.slow += 1;
            if self.slow >= IN_A_ROW {
                self.back_off();
            }
        } else {
            self.slow = 0;
            self.good += 1;
            if self.good >= GOOD_IN_A_ROW {
                self.good = 0;
                self.part = (self.part * 2.0).min(1.0);
            }
        }
    }

    /// Takes half a step back.
    pub(super) fn back_off(&mut self) {
        self.slow = 0;
        self.good = 0;
        self.part = (self.part / 2.0).max(LEAST);
    }

    /// What part of the budget may be used.
    #[must_use]
    pub(super) fn part(&self) -> f64 {
        self.part
    }

    /// What to say of it; `None` where there is nothing to say.
    #[must_use]
    pub(super) fn words(&self) -> Option<String> {
        (self.part < 1.0).then(|| {
            format!(
                "sampling is held back to {:.0} % of its budget because the server was slow to answer \
                 ({:.1} ms, usually {:.1} ms)",
                self.part * 100.0,
                self.last * 1e3,
                self.usual.unwrap_or_default() * 1e3
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(300);
    const SLOW: Duration = Duration::from_millis(30);

    fn after(bursts: &[(Duration, u32)]) -> Strain {
        let mut strain = Strain::default();
        for (round_trip, count) in bursts {
            (0..*count).for_each(|_| strain.burst(*round_trip, Duration::ZERO));
        }
        strain
    }

    #[test]
    fn three_slow_answers_in_a_row_halve_the_budget_and_twenty_good_ones_double_it() {
        assert_eq!(after(&[(FAST, 10), (SLOW, 2), (FAST, 1), (SLOW, 2)]).part(), 1.0);
        let strained = after(&[(FAST, 10), (SLOW, 3)]);
        assert_eq!(strained.part(), 0.5);
        assert!(strained.words().is_some_and(|words| words.contains("50 %")));
        assert_eq!(after(&[(FAST, 10), (SLOW, 6), (FAST, 20)]).part(), 0.5);
        assert_eq!(after(&[(FAST, 10), (SLOW, 6), (FAST, 40)]).part(), 1.0);
        assert!(after(&[(FAST, 100)]).words().is_none());
    }

    #[test]
    fn a_distant_server_is_not_strained_and_one_that_became_slow_for_good_is_usual_after_a_while() {
        let mut distant = Strain::default();
        for number in 0..100 {
            distant.burst(Duration::from_millis(80 + number % 7), Duration::ZERO);
        }
        assert_eq!(distant.part(), 1.0);
        let moved = after(&[(FAST, 100), (SLOW, 60)]);
        assert!(moved.part() >= LEAST && moved.part() < 1.0);
        assert_eq!(after(&[(FAST, 100), (SLOW, 300)]).part(), 1.0);
    }

    #[test]
    fn an_end_that_comes_late_is_strain() {
        let mut strain = Strain::default();
        (0..3).for_each(|_| strain.burst(FAST, Duration::from_millis(400)));
        assert_eq!(strain.part(), 0.5);
    }
}
