//! How fast a scan may go: measured by what others on the server feel.
//!
//! A scan works for a share of the time and rests for the remainder. Its own round trips are the probe: while
//! they are about as quick as they usually are, the share grows by a step; when they take noticeably longer,
//! someone is queueing, and the share is halved (additive increase, multiplicative decrease, as in TCP's
//! congestion avoidance).

use std::collections::VecDeque;
use std::time::Duration;

/// Share of the time to begin with.
const FIRST_SHARE: f64 = 0.05;
/// Never more than this share: the server's one thread is for its clients.
const MOST_SHARE: f64 = 0.15;
/// Never less, or a scan of a busy server would not end.
const LEAST_SHARE: f64 = 0.02;
/// Growth per undisturbed round trip.
const STEP: f64 = 0.005;
/// A round trip this many times its usual length is a sign of strain …
const STRAIN_FACTOR: f64 = 3.0;
/// … if it is also longer than this: scheduling alone may cost a millisecond.
const STRAIN_AT_LEAST: Duration = Duration::from_millis(2);
/// Commands a second that are never exceeded.
const MOST_COMMANDS: f64 = 50_000.0;
/// Rests shorter than this are saved up: timers are no finer than a millisecond, and thousands of small rests
/// that each come out too long would make a scan several times slower than it has to be.
const SHORTEST_REST: Duration = Duration::from_millis(5);
/// Rests are never longer.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How many round trips of a kind the usual length is taken from.
const REMEMBERED: usize = 64;

/// Kinds of round trips; each has its own usual length.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// SCAN, with PTTL of the keys before.
    Walk,
    /// MEMORY USAGE by sample.
    Weigh,
    /// MEMORY USAGE of every element.
    WeighAll,
}

/// The pace of one scan.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    share: f64,
    recent: [VecDeque<f64>; 3],
    /// Seconds of rest that are owed; below zero where a rest came out too long.
    owed: f64,
    unthrottled: bool,
}

impl Pace {
    pub(super) fn new(unthrottled: bool) -> Self {
        Self { share: FIRST_SHARE, recent: Default::default(), owed: 0.0, unthrottled }
    }

    /// Takes note of a round trip that carried `work` commands (a step of SCAN counts the keys it walks over)
    /// and says how long to rest; what was really rested is told to [`rested`](Self::rested).
    pub(super) fn after(&mut self, step: Step, round_trip: Duration, work: usize) -> Duration {
        if self.unthrottled {
            return Duration::ZERO;
        }
        let seconds = round_trip.as_secs_f64();
        let recent = &mut self.recent[step as usize];
        // An outlier halves the share; that it also owed a rest as many times as long would count it twice.
        let bound = median(recent).map_or(f64::INFINITY, |usual| usual * STRAIN_FACTOR);
        if seconds > bound && round_trip > STRAIN_AT_LEAST {
            self.share = (self.share / 2.0).max(LEAST_SHARE);
        } else {
            self.share = (self.share + STEP).min(MOST_SHARE);
        }
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(seconds);
        let by_share = seconds.min(bound) * (1.0 / self.share - 1.0);
        let by_commands = work as f64 / MOST_COMMANDS - seconds;
        self.owed += by_share.max(by_commands).max(0.0).min(LONGEST_REST.as_secs_f64());
        let owed = Duration::try_from_secs_f64(self.owed).unwrap_or(Duration::ZERO);
        if owed < SHORTEST_REST { Duration::ZERO } else { owed.min(LONGEST_REST) }
    }

    /// Takes note of a rest that was taken.
    pub(super) fn rested(&mut self, really: Duration) {
        self.owed = (self.owed - really.as_secs_f64()).max(-LONGEST_REST.as_secs_f64());
    }

    #[cfg(test)]
    fn share(&self) -> f64 {
        self.share
    }
}

/// `None` before there is enough to tell.
fn median(recent: &VecDeque<f64>) -> Option<f64> {
    if recent.len() < 8 {
        return None;
    }
    let mut sorted: Vec<f64> = recent.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works a number of equal steps and returns the share of the time that was worked.
    fn share_worked(pace: &mut Pace, took: Duration, steps: u32, work: usize) -> f64 {
        let mut rests = Duration::ZERO;
        for _ in 0..steps {
            let rest = pace.after(Step::Walk, took, work);
            assert!(rest.is_zero() || rest >= SHORTEST_REST && rest <= LONGEST_REST, "{rest:?}");
            pace.rested(rest);
            rests += rest;
        }
        let worked = took * steps;
        worked.as_secs_f64() / (worked + rests).as_secs_f64()
    }

    #[test]
    fn an_undisturbed_scan_speeds_up_and_strain_halves_it() {
        let mut pace = Pace::new(false);
        let quick = Duration::from_millis(4);
        share_worked(&mut pace, quick, 100, 100);
        let before = pace.share();
        assert!((before - MOST_SHARE).abs() < 1e-9);
        let worked = share_worked(&mut pace, quick, 1000, 100);
        assert!((worked - MOST_SHARE).abs() < 0.01, "{worked}");
        pace.after(Step::Walk, Duration::from_millis(20), 100);
        assert!((pace.share() - before / 2.0).abs() < 1e-9);
        for _ in 0..20 {
            pace.after(Step::Walk, Duration::from_millis(20), 100);
        }
        assert!(pace.share() >= LEAST_SHARE);
        assert!(pace.after(Step::Walk, Duration::from_secs(60), 1) <= LONGEST_REST);
    }

    #[test]
    fn a_rest_that_came_out_too_long_is_made_up_for() {
        let mut pace = Pace::new(false);
        let first =
            (0..).map(|_| pace.after(Step::Walk, Duration::from_millis(1), 1)).find(|rest| !rest.is_zero());
        pace.rested(first.expect("rests are owed sooner or later") + Duration::from_millis(100));
        let worked_on =
            (0..).take_while(|_| pace.after(Step::Walk, Duration::from_millis(1), 1).is_zero()).count();
        assert!(worked_on > 3, "{worked_on} steps without a rest");
    }

    #[test]
    fn a_distant_server_is_not_mistaken_for_a_strained_one() {
        let mut pace = Pace::new(false);
        for _ in 0..100 {
            pace.after(Step::Walk, Duration::from_millis(40), 200);
            pace.after(Step::Weigh, Duration::from_millis(38), 3);
            pace.after(Step::WeighAll, Duration::from_millis(44), 1);
        }
        assert!((pace.share() - MOST_SHARE).abs() < 1e-9);
    }

    #[test]
    fn commands_a_second_are_bounded_however_quick_the_server_is() {
        let mut pace = Pace::new(false);
        let took = Duration::from_micros(20);
        let worked = share_worked(&mut pace, took, 10_000, 100);
        let commands_a_second = 100.0 * worked / took.as_secs_f64();
        assert!(commands_a_second <= MOST_COMMANDS * 1.01, "{commands_a_second}");
    }

    #[test]
    fn unthrottled_never_rests() {
        assert_eq!(Pace::new(true).after(Step::Weigh, Duration::from_secs(1), 1), Duration::ZERO);
    }
}
