//! How fast: as much at once, and as long a rest in between, as others don't feel.
//!
//! What others wait for is the time in which the server works on what we sent. So the size of an exchange is what is
//! steered first, by its own measured time; rests come second, and grow when the round trips that others have get
//! longer. Additive increase, multiplicative decrease of the size; rests double, and shrink by a fifth.

use std::time::{Duration, Instant};

/// The fewest and most keys of one exchange.
const FEWEST: usize = 4;
const MOST: usize = 1_000;
/// Keys of the first exchange.
const FIRST: usize = 32;
/// How many keys more after an exchange that was short enough.
const STEP: usize = 4;
/// The time of one exchange lies between these, whatever the baseline.
const SHORTEST_TARGET: Duration = Duration::from_micros(120);
const LONGEST_TARGET: Duration = Duration::from_millis(1);
/// Rests, as multiples of the time of the exchange before.
const LEAST_REST: f64 = 1.0;
const MOST_REST: f64 = 64.0;
/// How often rests are steered, and over how long what was felt counts for that.
const STEERED_EVERY: Duration = Duration::from_millis(100);
const FELT_OVER: Duration = Duration::from_millis(200);
/// Up to this factor over the baseline, and this much more, nobody feels it: round trips differ by as much anyway.
const CALM: f64 = 1.2;
const CALM_SLACK: Duration = Duration::from_micros(50);
/// What others feel may grow by this factor over the baseline …
pub(crate) const FELT_LIMIT: f64 = 1.5;
/// … and a halt needs this much more than the baseline, in absolute terms: scheduling alone makes differences of many
/// milliseconds on a machine that is busy with other things.
const FELT_SLACK: Duration = Duration::from_millis(25);

/// Steers one server's part of a run.
#[derive(Debug)]
pub(crate) struct Pace {
    throttled: bool,
    keys: usize,
    rest: f64,
    target: Duration,
    baseline: Option<Duration>,
    steered: Option<Instant>,
}

impl Pace {
    /// Without a baseline the shortest exchanges are aimed at.
    pub(crate) fn new(throttled: bool, baseline: Option<Duration>) -> Self {
        let target = baseline
            .map_or(SHORTEST_TARGET, |baseline| baseline.mul_f64(0.4).clamp(SHORTEST_TARGET, LONGEST_TARGET));
        let keys = if throttled { FIRST } else { MOST };
        Self { throttled, keys, rest: LEAST_REST, target, baseline, steered: None }
    }

    /// Keys of the next exchange.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// An exchange took so long; how long to rest.
    pub(crate) fn exchanged(&mut self, took: Duration) -> Duration {
        if !self.throttled {
            return Duration::ZERO;
        }
        self.keys =
            if took > self.target { (self.keys / 2).max(FEWEST) } else { (self.keys + STEP).min(MOST) };
        took.mul_f64(self.rest)
    }

    /// Adapts the rests to what others feel, where it is time: `p99` says it over a span.
    pub(crate) fn steer(&mut self, now: Instant, p99: impl FnOnce(Duration) -> Option<Duration>) {
        let Some(baseline) = self.baseline.filter(|_| self.throttled) else { return };
        if self.steered.is_some_and(|then| now.duration_since(then) < STEERED_EVERY) {
            return;
        }
        self.steered = Some(now);
        let Some(p99) = p99(FELT_OVER) else { return };
        let calm = p99 <= baseline.mul_f64(CALM).max(baseline + CALM_SLACK);
        self.rest = if calm { (self.rest * 0.8).max(LEAST_REST) } else { (self.rest * 2.0).min(MOST_REST) };
    }
}

/// What others feel halts a run when it is past this.
pub(crate) fn halts_at(baseline: Duration) -> Duration {
    baseline.mul_f64(FELT_LIMIT).max(baseline + FELT_SLACK)
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

    #[test]
    fn exchanges_shrink_at_once_when_they_are_long_and_grow_slowly_when_they_are_short() {
        let mut pace = Pace::new(true, Some(MS));
        let before = pace.keys();
        pace.exchanged(MS * 3);
        assert_eq!(pace.keys(), before / 2);
        pace.exchanged(Duration::from_micros(50));
        assert_eq!(pace.keys(), before / 2 + STEP);
        for _ in 0..1_000 {
            pace.exchanged(MS * 3);
        }
        assert_eq!(pace.keys(), FEWEST);
    }

    #[test]
    fn rests_grow_while_others_feel_it_and_shrink_when_they_do_not() {
        let mut pace = Pace::new(true, Some(MS));
        let now = Instant::now();
        let calm = pace.exchanged(MS);
        (0..5_u32).for_each(|i| pace.steer(now + MS * 100 * i, |_| Some(MS * 3)));
        let strained = pace.exchanged(MS);
        assert!(strained > calm * 10, "{strained:?}");
        // Asked more often, it is not steered more often.
        (0..20_u32).for_each(|i| pace.steer(now + MS * (401 + i), |_| Some(MS)));
        assert_eq!(pace.exchanged(MS), strained);
        (5..30_u32).for_each(|i| pace.steer(now + MS * 100 * i, |_| Some(MS)));
        assert_eq!(pace.exchanged(MS), calm);
        let mut free = Pace::new(false, Some(MS));
        free.steer(now, |_| Some(MS * 7));
        assert!(free.exchanged(MS).is_zero());
    }

    #[test]
    fn a_halt_needs_half_as_much_again_and_some_milliseconds() {
        assert_eq!((halts_at(MS), halts_at(MS * 100)), (MS * 26, MS * 150));
    }
}
