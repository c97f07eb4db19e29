//! How fast: as much at once, and as long a rest in between, as others don't feel.
//!
//! What others wait for is the time in which the server works on what we sent. So the size of an exchange is what is
//! steered first, by its own measured time; rests come second, and grow when round trips that we make while
//! nothing of ours is under way get longer. Additive increase, multiplicative decrease, in both.

use std::collections::VecDeque;
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
/// Round trips that count as what others feel now.
const RECENT: Duration = Duration::from_millis(500);
/// What others feel may grow by this factor over the baseline …
pub(crate) const FELT_LIMIT: f64 = 1.5;
/// … and a halt needs this much more than the baseline, in absolute terms: scheduling on a busy machine alone makes
/// differences of a millisecond.
const FELT_SLACK: Duration = Duration::from_millis(5);

/// Steers one server's part of a run.
#[derive(Debug)]
pub(crate) struct Pace {
    throttled: bool,
    keys: usize,
    rest: f64,
    target: Duration,
    baseline: Option<Duration>,
    felt: VecDeque<(Instant, Duration)>,
}

impl Pace {
    /// Without a baseline the shortest exchanges are aimed at.
    pub(crate) fn new(throttled: bool, baseline: Option<Duration>) -> Self {
        let target = baseline
            .map_or(SHORTEST_TARGET, |baseline| baseline.mul_f64(0.4).clamp(SHORTEST_TARGET, LONGEST_TARGET));
        let keys = if throttled { FIRST } else { MOST };
        Self { throttled, keys, rest: LEAST_REST, target, baseline, felt: VecDeque::new() }
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

    /// A round trip, made while nothing of ours was under way, took so long.
    pub(crate) fn felt(&mut self, at: Instant, took: Duration) {
        self.felt.push_back((at, took));
        while self.felt.front().is_some_and(|(then, _)| at.duration_since(*then) > RECENT) {
            self.felt.pop_front();
        }
        let (Some(p99), Some(baseline)) = (self.p99(), self.baseline) else { return };
        let calm = p99 <= baseline.mul_f64(1.2);
        self.rest = if calm { (self.rest - 0.1).max(LEAST_REST) } else { (self.rest * 1.5).min(MOST_REST) };
    }

    /// The 99th percentile of what was felt lately.
    pub(crate) fn p99(&self) -> Option<Duration> {
        percentile(self.felt.iter().map(|(_, took)| *took), 0.99)
    }

    /// What halts a run: others feel more than the limit over the baseline.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.baseline.map(|baseline| baseline.mul_f64(FELT_LIMIT).max(baseline + FELT_SLACK))
    }

    /// Whether it is past that.
    pub(crate) fn is_breached(&self) -> bool {
        // One slow answer out of a handful is no percentile.
        const ENOUGH: usize = 10;
        self.throttled
            && self.felt.len() >= ENOUGH
            && matches!((self.p99(), self.limit()), (Some(p99), Some(limit)) if p99 > limit)
    }
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
        (0..20_u32).for_each(|i| pace.felt(now + MS * i, MS * 3));
        let strained = pace.exchanged(MS);
        assert!(strained > calm * 10, "{strained:?}");
        // Half a second later nothing slow is remembered.
        (0..2_000_u32).for_each(|i| pace.felt(now + MS * (1_000 + i), MS));
        assert_eq!(pace.exchanged(MS), calm);
    }

    #[test]
    fn a_breach_needs_more_than_one_slow_answer_and_more_than_the_limit() {
        let mut pace = Pace::new(true, Some(MS));
        let now = Instant::now();
        pace.felt(now, MS * 100);
        assert!(!pace.is_breached());
        (0..20_u32).for_each(|i| pace.felt(now + MS * i, MS * 7));
        assert!(pace.is_breached());
        let mut free = Pace::new(false, Some(MS));
        (0..20_u32).for_each(|i| free.felt(now + MS * i, MS * 7));
        assert!(!free.is_breached() && free.exchanged(MS).is_zero());
    }
}
