//! How fast a scan may go: measured by what others on the server feel.
//!
//! Others feel two things. Whoever comes while the server is busy with a request of ours waits for the rest of it:
//! so a request is made so small that it keeps the server busy for a fraction of what a round trip takes anyway,
//! which a probe tells. And the busier we keep it, the more of them come at such a time: so a scan works for a
//! share of the time and rests for the remainder. While its round trips are about as quick as they usually are,
//! the share grows by a step; when they take noticeably longer, someone is queueing, and the share is halved
//! (additive increase, multiplicative decrease, as in TCP's congestion avoidance).

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
/// Commands a second that are never exceeded; a request takes the server as long as a few of them.
const MOST_COMMANDS: f64 = 50_000.0;
const REQUEST: usize = 5;
/// Rests shorter than this are saved up: timers are no finer than a millisecond, and thousands of small rests
/// that each come out too long would make a scan several times slower than it has to be.
const SHORTEST_REST: Duration = Duration::from_millis(5);
/// Rests are never longer.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How many round trips of a kind the usual length is taken from.
const REMEMBERED: usize = 64;
/// A request may keep the server busy for this share of the quickest round trip.
const FELT: f64 = 0.25;
/// What a key takes of the server's time, with what is asked of it: 2 to 4 µs.
const KEY: f64 = 4e-6;
/// What a command takes at least.
const COMMAND: f64 = 1e-6;
/// Keys of one request, at least and at most: fewer cost more by the request than by the key, and for clients
/// nearer to the server than we are, 20 keys are a stall of 80 µs already.
const LEAST_KEYS: usize = 3;
const MOST_KEYS: usize = 20;
/// Where a command usually takes longer, keys are large collections of which many elements are weighed: they are
/// asked about one by one.
const SLOW_COMMAND: f64 = 30e-6;
/// Probes of which the quickest counts, and requests from one to the next.
const PROBES: usize = 8;
const PROBE_EVERY: u32 = 256;

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
    /// Seconds that requests for next to nothing took.
    probes: VecDeque<f64>,
    /// Requests until the next one.
    probe_in: u32,
    /// Seconds a command of a weighing usually takes.
    usual_command: f64,
    /// Seconds of rest that are owed; below zero where a rest came out too long.
    owed: f64,
    unthrottled: bool,
}

impl Pace {
    pub(super) fn new(unthrottled: bool) -> Self {
        Self {
            share: FIRST_SHARE,
            recent: Default::default(),
            probes: VecDeque::new(),
            probe_in: 0,
            usual_command: 0.0,
            owed: 0.0,
            unthrottled,
        }
    }

    /// Whether to ask for next to nothing before the next request, to learn how long a round trip takes.
    pub(super) fn wants_probe(&mut self) -> bool {
        if self.unthrottled {
            return false;
        }
        let now = self.probe_in == 0;
        // The first ones in a row: one alone may have been held up.
        self.probe_in = match self.probe_in.checked_sub(1) {
            Some(left) => left,
            None if self.probes.len() + 1 < PROBES => 0,
            None => PROBE_EVERY,
        };
        now
    }

    /// Takes note of the round trip of such a request.
    pub(super) fn probed(&mut self, round_trip: Duration) {
        if self.probes.len() == PROBES {
            self.probes.pop_front();
        }
        self.probes.push_back(round_trip.as_secs_f64());
    }

    /// Seconds of a round trip that asks for next to nothing.
    fn quickest(&self) -> f64 {
        self.probes.iter().copied().reduce(f64::min).unwrap_or(0.0)
    }

    /// How many keys one request may be about.
    pub(super) fn keys_at_once(&self) -> usize {
        if self.usual_command > SLOW_COMMAND {
            return 1;
        }
        ((self.quickest() * FELT / KEY) as usize).clamp(LEAST_KEYS, MOST_KEYS)
    }

    /// Takes note of a round trip that carried `work` commands (a step of SCAN counts the keys it walks over)
    /// and says how long to rest; what was really rested is told to [`rested`](Self::rested).
    pub(super) fn after(&mut self, step: Step, round_trip: Duration, work: usize) -> Duration {
        if self.unthrottled {
            return Duration::ZERO;
        }
        let seconds = round_trip.as_secs_f64();
        let quickest = self.quickest();
        let recent = &mut self.recent[step as usize];
        let usual = median(recent);
        if let (Step::Weigh, Some(usual)) = (step, usual) {
            self.usual_command = (usual - quickest) / work.max(1) as f64;
        }
        // An outlier halves the share; that it also owed a rest as many times as long would count it twice.
        let bound = usual.map_or(f64::INFINITY, |usual| usual * STRAIN_FACTOR);
        if seconds > bound && round_trip > STRAIN_AT_LEAST {
            self.share = (self.share / 2.0).max(LEAST_SHARE);
        } else {
            self.share = (self.share + STEP).min(MOST_SHARE);
        }
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(seconds);
        // The way there and back keeps nobody busy.
        let busy = (seconds - quickest).max(work as f64 * COMMAND).min(seconds).min(bound);
        let by_share = busy * (1.0 / self.share - 1.0) - (seconds - busy);
        let by_commands = (work + REQUEST) as f64 / MOST_COMMANDS - seconds;
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
    fn a_long_way_to_the_server_is_no_work_of_its() {
        let mut pace = Pace::new(false);
        while pace.wants_probe() {
            pace.probed(Duration::from_millis(20));
        }
        assert_eq!(pace.keys_at_once(), MOST_KEYS);
        let rests: Duration = (0..1_000).map(|_| pace.after(Step::Walk, Duration::from_millis(20), 40)).sum();
        assert_eq!(rests, Duration::ZERO, "40 commands in 20 ms are next to nothing");
        // A server that is busy for 20 ms each time is another matter.
        share_worked(&mut pace, Duration::from_millis(40), 100, 40);
        let worked = share_worked(&mut pace, Duration::from_millis(40), 1_000, 40);
        // 20 ms at work, 20 on the way, and rests that make the work 15 % of all.
        assert!((worked - 0.3).abs() < 0.01, "{worked}");
    }

    #[test]
    fn requests_are_as_small_as_the_server_is_near() {
        let mut pace = Pace::new(false);
        assert_eq!(pace.keys_at_once(), LEAST_KEYS, "nothing is known yet");
        for micros in [900, 40, 70] {
            assert!(pace.wants_probe());
            pace.probed(Duration::from_micros(micros));
        }
        assert_eq!(pace.keys_at_once(), LEAST_KEYS);
        let mut pace = Pace::new(false);
        pace.probed(Duration::from_micros(200));
        assert_eq!(pace.keys_at_once(), 12);
        // Hashes of which a thousand fields are weighed.
        for _ in 0..20 {
            pace.after(Step::Weigh, Duration::from_millis(4), 36);
        }
        assert_eq!(pace.keys_at_once(), 1);
        assert!(!Pace::new(true).wants_probe());
    }

    #[test]
    fn probes_are_few() {
        let mut pace = Pace::new(false);
        let probes = (0..10_000)
            .filter(|_| {
                pace.wants_probe() && {
                    pace.probed(Duration::ZERO);
                    true
                }
            })
            .count();
        assert!((PROBES..60).contains(&probes), "{probes}");
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
