//! How fast: as much as others don't feel.
//!
//! Others feel two things of ours: how long a request of theirs waits behind an exchange, and how many of their requests
//! do. Their p99 can't rise by more than the longest of those waits, and it is blind to what fewer than one request in
//! a hundred meets. So:
//!
//! 1. An exchange is kept short against what a round trip takes anyway. Then the next one may follow at once. How many
//!    keys make it short is found by its own measured time, for each kind of work by itself.
//! 2. One that can't be short, because a single value is large, is followed by a rest of two hundred times its length:
//!    one request in two hundred meets such a one.
//! 3. Where others feel it nonetheless, because the server is busy or our own process takes the CPU from them, everything
//!    is followed by rests, which double while it is felt and shrink by a fifth when it is not.

use std::time::{Duration, Instant};

/// The fewest and most keys of one exchange.
const FEWEST: usize = 1;
const MOST: usize = 1_000;
/// Keys of the first exchange.
const FIRST: usize = 8;
/// So many exchanges are measured before the next ones get another size: a single round trip says little.
const ROUND: usize = 16;
/// One that takes so many times as long as it may is believed at once.
const SUDDEN: u32 = 6;
/// What an exchange may add to a round trip: this share of the baseline's p99, at most this much of its median …
const SHARE_OF_P99: f64 = 0.3;
const SHARE_OF_MEDIAN: f64 = 0.75;
/// … and never more than this, nor less, since no round trip is measured better.
const MOST_ADDED: Duration = Duration::from_millis(1);
const LEAST_ADDED: Duration = Duration::from_micros(10);
/// Without a baseline an exchange may take so much longer than the quickest one, and rests as long as it took.
const SHORT: Duration = Duration::from_micros(120);
const EVEN: f64 = 1.0;
/// Bytes of values that a server packs and sends in a second, on a slow machine: about so many make an exchange long.
const BYTES_PER_SECOND: f64 = 250e6;
/// The rest after an exchange that can't be short, in multiples of its time, and the longest.
const AFTER_LONG: f64 = 200.0;
const LONGEST_REST: Duration = Duration::from_secs(3);
/// Rests after all others, in the same multiples: at the beginning, the least that is one, and the most.
const FIRST_REST: f64 = 1.0;
const LEAST_REST: f64 = 0.1;
const MOST_REST: f64 = 200.0;
/// How often rests are steered, over how long what was felt counts for that, and for how long more rest is given time
/// to show.
const STEERED_EVERY: Duration = Duration::from_millis(100);
const FELT_OVER: Duration = Duration::from_millis(500);
/// Rests that a timer can keep.
const TIMED: Duration = Duration::from_millis(1);

/// What others feel may grow by this factor over the baseline …
pub(crate) const FELT_LIMIT: f64 = 1.5;
/// … and a halt needs this much more than the baseline, in absolute terms: scheduling alone makes differences of many
/// milliseconds on a machine that is busy with other things.
const FELT_SLACK: Duration = Duration::from_millis(25);

/// What round trips took before the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

/// What an exchange does; each has a size of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Looks for keys.
    Scan,
    /// Asks what they weigh.
    Weigh,
    /// Reads them.
    Read,
    /// Removes, shortens or writes them.
    Change,
}

/// Steers one server's part of a run.
#[derive(Debug)]
pub(crate) struct Pace {
    throttled: bool,
    sizes: [Size; 4],
    /// What an exchange may take.
    limit: Duration,
    /// What a round trip takes without work: before the run, or else the quickest one that was seen.
    median: Duration,
    measured: bool,
    /// Bytes of values beyond which an exchange is long.
    light_bytes: u64,
    rest: f64,
    /// Rests that were not kept yet.
    owed: Duration,
    steered: Option<Instant>,
    patient_until: Option<Instant>,
}

impl Pace {
    /// Without a baseline rests are not steered.
    pub(crate) fn new(throttled: bool, baseline: Option<Baseline>) -> Self {
        let added = baseline.map_or(SHORT, |Baseline { median, p99 }| {
            let added = p99.mul_f64(SHARE_OF_P99).min(median.mul_f64(SHARE_OF_MEDIAN));
            added.clamp(LEAST_ADDED, MOST_ADDED)
        });
        let median = baseline.map_or(Duration::MAX, |baseline| baseline.median);
        Self {
            throttled,
            sizes: std::array::from_fn(|_| Size::new(if throttled { FIRST } else { MOST })),
            limit: median.saturating_add(added),
            median,
            measured: baseline.is_some(),
            light_bytes: (added.as_secs_f64() * BYTES_PER_SECOND) as u64,
            rest: if baseline.is_some() { FIRST_REST } else { EVEN },
            owed: Duration::ZERO,
            steered: None,
            patient_until: None,
        }
    }

    /// Keys of the next exchange.
    pub(crate) fn keys(&self, work: Work) -> usize {
        self.sizes[work as usize].keys
    }

    /// Bytes of values that an exchange may have without being a long one; all of them where nobody is to be spared.
    pub(crate) fn light_bytes(&self) -> u64 {
        if self.throttled { self.light_bytes } else { u64::MAX }
    }

    /// An exchange about so many keys took so long; how long to rest before the next. `bytes` are those of the values
    /// in it, where they are known.
    pub(crate) fn exchanged(&mut self, work: Work, keys: usize, bytes: u64, took: Duration) -> Duration {
        if !self.throttled {
            return Duration::ZERO;
        }
        if !self.measured {
            self.median = self.median.min(took);
            self.limit = self.median + SHORT;
        }
        let size = &mut self.sizes[work as usize];
        if bytes > self.light_bytes {
            if keys > 1 {
                size.halve();
            }
            let rest = took.saturating_sub(self.median).mul_f64(AFTER_LONG).min(LONGEST_REST);
            self.owed = self.owed.max(rest);
        } else {
            size.exchanged(took, self.limit);
            self.owed += took.mul_f64(self.rest);
        }
        if self.owed < TIMED { Duration::ZERO } else { std::mem::take(&mut self.owed) }
    }

    /// Adapts the rests to whether others feel it, where it is time; `strained` says so over a span.
    pub(crate) fn steer(&mut self, now: Instant, strained: impl FnOnce(Duration) -> Option<bool>) {
        if !self.throttled || self.steered.is_some_and(|then| now.duration_since(then) < STEERED_EVERY) {
            return;
        }
        self.steered = Some(now);
        match strained(FELT_OVER) {
            None => {}
            Some(false) => {
                self.rest *= 0.8;
                if self.rest < LEAST_REST {
                    self.rest = 0.0;
                }
            }
            // What was felt before the last step counts for the step after it no more.
            Some(true) if self.patient_until.is_some_and(|until| now < until) => {}
            Some(true) => {
                self.rest = (self.rest * 2.0).clamp(LEAST_REST * 4.0, MOST_REST);
                self.patient_until = Some(now + FELT_OVER);
            }
        }
    }
}

/// Keys of one exchange, by what the last ones took.
#[derive(Debug)]
struct Size {
    keys: usize,
    took: Vec<Duration>,
}

impl Size {
    fn new(keys: usize) -> Self {
        Self { keys, took: Vec::with_capacity(ROUND) }
    }

    fn halve(&mut self) {
        self.keys = (self.keys / 2).max(FEWEST);
        self.took.clear();
    }

    fn exchanged(&mut self, took: Duration, limit: Duration) {
        if took > limit * SUDDEN {
            self.halve();
            return;
        }
        self.took.push(took);
        if self.took.len() < ROUND {
            return;
        }
        self.took.sort_unstable();
        let median = self.took[ROUND / 2];
        self.took.clear();
        self.keys = if median > limit {
            (self.keys * 3 / 4).max(FEWEST)
        } else {
            (self.keys + self.keys / 8 + 1).min(MOST)
        };
    }
}

/// Rests, where that is not for no time.
pub(crate) async fn rest(rest: Duration) {
    if !rest.is_zero() {
        tokio::time::sleep(rest).await;
    }
}

/// From here on others feel it: one request in a hundred took no longer than the baseline's p99 before.
pub(crate) fn felt_from(baseline: Baseline) -> Duration {
    baseline.p99.mul_f64(1.3)
}

/// What others feel halts a run when it is past this.
pub(crate) fn halts_at(p99: Duration) -> Duration {
    p99.mul_f64(FELT_LIMIT).max(p99 + FELT_SLACK)
}

/// A quantile of durations, the nearest rank.
pub(crate) fn percentile(samples: impl Iterator<Item = Duration>, quantile: f64) -> Option<Duration> {
    let mut sorted: Vec<_> = samples.collect();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LOCAL: Baseline = Baseline { median: Duration::from_micros(60), p99: Duration::from_micros(150) };

    fn many(pace: &mut Pace, work: Work, took: Duration) {
        for _ in 0..ROUND * 40 {
            pace.exchanged(work, 1, 0, took);
        }
    }

    #[test]
    fn exchanges_become_as_large_as_is_short_against_the_baseline_each_kind_by_itself() {
        let mut pace = Pace::new(true, Some(LOCAL));
        // Two microseconds a key, and a round trip: short is up to 45 µs more.
        for _ in 0..ROUND * 200 {
            let took = LOCAL.median + Duration::from_micros(2) * pace.keys(Work::Read) as u32;
            pace.exchanged(Work::Read, 1, 0, took);
        }
        let keys = pace.keys(Work::Read);
        assert!((12..=26).contains(&keys), "{keys}");
        assert_eq!(pace.keys(Work::Scan), FIRST, "nothing was looked for yet");
        many(&mut pace, Work::Read, MS * 3);
        assert_eq!(pace.keys(Work::Read), FEWEST);
        let far = Baseline { median: MS * 20, p99: MS * 30 };
        let mut pace = Pace::new(true, Some(far));
        many(&mut pace, Work::Change, MS * 20);
        assert_eq!(pace.keys(Work::Change), MOST, "from afar nobody feels a fraction of a millisecond");
    }

    #[test]
    fn now_and_then_a_long_round_trip_makes_exchanges_no_smaller() {
        let mut pace = Pace::new(true, Some(LOCAL));
        for number in 0..ROUND * 100 {
            let took = if number % 5 == 0 { MS / 5 } else { LOCAL.median };
            pace.exchanged(Work::Scan, 1, 0, took);
        }
        assert_eq!(pace.keys(Work::Scan), MOST);
    }

    #[test]
    fn after_what_can_not_be_short_comes_a_rest_that_leaves_it_half_a_percent_of_the_time() {
        let mut pace = Pace::new(true, Some(LOCAL));
        let rest = pace.exchanged(Work::Read, 1, 10 << 20, LOCAL.median + MS * 10);
        assert_eq!(rest, MS * 2_000);
        let endless = pace.exchanged(Work::Read, 1, 10 << 20, MS * 900);
        assert_eq!(endless, LONGEST_REST);
        assert_eq!(pace.keys(Work::Read), FIRST, "a large value says nothing of small ones");
        pace.exchanged(Work::Read, 2, 10 << 20, MS);
        assert_eq!(pace.keys(Work::Read), FIRST / 2, "two of them at once do");
        let mut free = Pace::new(false, Some(LOCAL));
        assert!(free.exchanged(Work::Read, 1, 10 << 20, MS * 10).is_zero());
    }

    #[test]
    fn rests_grow_while_others_feel_it_and_end_when_they_do_not() {
        let mut pace = Pace::new(true, Some(LOCAL));
        let rests =
            |pace: &mut Pace| (0..100).map(|_| pace.exchanged(Work::Scan, 1, 0, MS / 10)).sum::<Duration>();
        let now = Instant::now();
        let first = rests(&mut pace);
        (0..60_u32).for_each(|i| pace.steer(now + MS * 100 * i, |_| Some(true)));
        let strained = rests(&mut pace);
        assert!(strained > first * 50, "{first:?} {strained:?}");
        // Asked more often, it is not steered more often.
        (0..20_u32).for_each(|i| pace.steer(now + MS * (5_901 + i), |_| Some(false)));
        assert_eq!(rests(&mut pace), strained);
        (60..120_u32).for_each(|i| pace.steer(now + MS * 100 * i, |_| Some(false)));
        assert!(rests(&mut pace) <= MS, "what was owed");
    }

    #[test]
    fn without_a_baseline_the_quickest_exchange_is_one() {
        let mut pace = Pace::new(true, None);
        many(&mut pace, Work::Scan, MS * 20);
        assert_eq!(pace.keys(Work::Scan), MOST, "from afar");
        pace.exchanged(Work::Scan, 1, 0, MS);
        many(&mut pace, Work::Scan, MS * 20);
        assert_eq!(pace.keys(Work::Scan), FEWEST);
    }

    #[test]
    fn one_strain_is_answered_once() {
        let mut pace = Pace::new(true, Some(LOCAL));
        let now = Instant::now();
        (0..5_u32).for_each(|i| pace.steer(now + MS * 100 * i, |_| Some(true)));
        assert!((pace.rest - FIRST_REST * 2.0).abs() < 1e-9, "{}", pace.rest);
    }

    #[test]
    fn a_halt_needs_half_as_much_again_and_some_milliseconds() {
        assert_eq!((halts_at(MS), halts_at(MS * 100)), (MS * 26, MS * 150));
    }
}
