//! When the next burst is due and how long it may be: so that all of them together take no more of the server's
//! CPU than a given share of one core, whatever the traffic.
//!
//! An account is credited with that share of the time that passes and debited with what each burst has cost. On
//! a quiet server the credit is never used up and bursts follow each other without a pause; on a busy one they
//! are short, several a second, and at random distances, so that traffic with a rhythm of its own is not always
//! met at the same beat.

use std::time::{Duration, Instant};

use super::cost::{Cost, Weight};

/// The first burst tells what the traffic is like, so it is short.
const FIRST: Duration = Duration::from_millis(5);
/// The shortest that is worth its own commands.
const SHORTEST: Duration = Duration::from_millis(2);
/// The longest while there are pauses between bursts.
const LONGEST: Duration = Duration::from_millis(50);
/// The longest without pauses: traffic may rise meanwhile, and this long it isn't noticed.
const CONTINUOUS: Duration = Duration::from_millis(500);
/// Bursts a second that are aimed at, while there are pauses.
const A_SECOND: f64 = 5.0;
/// Credit that can be saved up, in seconds.
const SAVED_UP: f64 = 0.5;
/// A burst is cut short when it costs so many times what it was expected to.
const SURPRISE: f64 = 4.0;
/// The longest pause: what the traffic is like has to be seen again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What sampling may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Share of one core of the server, 0 to 1.
    pub share: f64,
    /// Bytes a second from the server.
    pub bytes_per_second: f64,
}

impl Default for Limits {
    /// 1 % of a core, 4 MB a second.
    fn default() -> Self {
        Self { share: 0.01, bytes_per_second: 4e6 }
    }
}

/// The next burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Due {
    /// How long to wait for it.
    pub(super) wait: Duration,
    /// How long it is to be, whole milliseconds.
    pub(super) length: Duration,
    /// What it may cost before it is cut short.
    pub(super) most: Cost,
}

/// The account of one server.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: Limits,
    /// Measured cost by estimated cost.
    factor: f64,
    at: Instant,
    seconds: f64,
    bytes: f64,
    rate: Option<Rate>,
}

/// What a second of MONITOR costs.
#[derive(Clone, Copy, Debug)]
struct Rate {
    cost: f64,
    bytes: f64,
}

impl Budget {
    /// A fresh account.
    #[must_use]
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, factor: 1.0, at: now, seconds: 0.0, bytes: 0.0, rate: None }
    }

    /// Costs on this server are so many times what they were on the one that was measured for `cost`.
    pub(super) fn set_factor(&mut self, factor: f64) {
        self.factor = factor;
    }

    /// Enters a burst that took so long and has brought so much.
    pub(super) fn spent(&mut self, weight: &Weight, length: Duration, now: Instant, part: f64) {
        self.credit(now, part);
        let cost = weight.cost().0 * self.factor;
        self.seconds -= cost + Cost::of_a_burst().0 + weight.gauges();
        self.bytes -= weight.bytes as f64;
        let length = length.as_secs_f64().max(1e-4);
        let seen = Rate { cost: cost / length, bytes: weight.bytes as f64 / length };
        self.rate = Some(match self.rate {
            None => seen,
            Some(before) => {
                // More is believed sooner than less.
                let follow =
                    |before: f64, seen: f64| before + (seen - before) * if seen > before { 0.5 } else { 0.2 };
                Rate { cost: follow(before.cost, seen.cost), bytes: follow(before.bytes, seen.bytes) }
            }
        });
    }

    /// When the next burst is due and what it is to be like. `part` of the limits is used (strain, effort); `dice`
    /// is a random number from 0 to 1.
    pub(super) fn next(&mut self, now: Instant, part: f64, dice: f64) -> Due {
        self.credit(now, part);
        let share = (self.limits.share * part).max(1e-9);
        let bytes = (self.limits.bytes_per_second * part).max(1.0);
        let Some(rate) = self.rate else {
            return Due { wait: Duration::ZERO, length: FIRST, most: self.most(0.0) };
        };
        let duty = (share / rate.cost.max(1e-9)).min(bytes / rate.bytes.max(1e-9));
        let length = if duty >= 1.0 {
            CONTINUOUS
        } else {
            Duration::from_secs_f64(duty / A_SECOND).clamp(SHORTEST, LONGEST)
        };
        let price = rate.cost * length.as_secs_f64() + Cost::of_a_burst().0;
        let volume = rate.bytes * length.as_secs_f64();
        let (balance, volume_left) =
            if duty >= 1.0 { (0.0, 0.0) } else { (price * (dice - 0.5), volume * (dice - 0.5)) };
        let wait = ((balance - self.seconds) / share).max((volume_left - self.bytes) / bytes).max(0.0);
        Due {
            wait: Duration::try_from_secs_f64(wait).map_or(LONGEST_PAUSE, |wait| wait.min(LONGEST_PAUSE)),
            length: Duration::from_millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            most: self.most(price),
        }
    }

    fn most(&self, expected: f64) -> Cost {
        Cost((expected * SURPRISE).max(self.limits.share * SAVED_UP * 2.0) / self.factor)
    }

    fn credit(&mut self, now: Instant, part: f64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64() * part;
        self.at = now;
        self.seconds = (self.seconds + passed * self.limits.share).min(SAVED_UP * self.limits.share);
        self.bytes =
            (self.bytes + passed * self.limits.bytes_per_second).min(SAVED_UP * self.limits.bytes_per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples a server with this traffic for a minute; gives the share of a core that it cost, the share of the
    /// time that was sampled, and how many bursts that took.
    fn minute(commands_per_second: f64, bytes: u64, part: f64) -> (f64, f64, u32) {
        let start = Instant::now();
        let mut budget = Budget::new(Limits::default(), start);
        let (mut now, mut cost, mut sampled, mut bursts) = (start, 0.0, Duration::ZERO, 0);
        let mut dice = 0.0f64;
        while now - start < Duration::from_secs(60) {
            dice = (dice + 0.618_034).fract();
            let due = budget.next(now, part, dice);
            now += due.wait;
            let lines = (commands_per_second * due.length.as_secs_f64()) as u64;
            let weight = Weight { lines, bytes: lines * bytes, longest: bytes, ..Weight::default() };
            assert!(bursts == 0 || weight.cost() <= due.most, "steady traffic is no surprise");
            now += due.length + Duration::from_micros(500);
            budget.spent(&weight, due.length, now, part);
            cost += weight.cost().0 + Cost::of_a_burst().0;
            sampled += due.length;
            bursts += 1;
        }
        (cost / 60.0, sampled.as_secs_f64() / 60.0, bursts)
    }

    #[test]
    fn quiet_servers_are_sampled_all_the_time_and_busy_ones_for_their_share() {
        for (commands, bytes, most, least_sampled) in [
            (0.0, 30, 0.001, 0.99),
            (500.0, 30, 0.010, 0.99),
            (3_000.0, 30, 0.0105, 0.95),
            (15_000.0, 30, 0.0105, 0.20),
            (100_000.0, 30, 0.0105, 0.025),
            (1_000_000.0, 30, 0.0105, 0.0015),
            (1_000.0, 10_000, 0.0115, 0.005),
        ] {
            let (cost, sampled, bursts) = minute(commands, bytes, 1.0);
            assert!(cost <= most, "{commands}/s of {bytes} bytes cost {cost}");
            assert!(sampled >= least_sampled, "{commands}/s of {bytes} bytes: {sampled} of the time");
            assert!(bursts < 60 * 30, "{commands}/s of {bytes} bytes: {bursts} bursts");
        }
    }

    #[test]
    fn a_part_of_the_effort_costs_a_part_of_the_budget() {
        let (cost, _, _) = minute(100_000.0, 30, 0.25);
        assert!(cost <= 0.0027, "{cost}");
    }

    #[test]
    fn bursts_come_at_random_distances() {
        let now = Instant::now();
        let waits: Vec<_> = [0.0, 0.5, 1.0]
            .iter()
            .map(|dice| {
                let mut budget = Budget::new(Limits::default(), now);
                let weight = Weight { lines: 5_000, bytes: 150_000, longest: 30, ..Weight::default() };
                budget.spent(&weight, Duration::from_millis(50), now, 1.0);
                budget.next(now, 1.0, *dice).wait
            })
            .collect();
        assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
    }

    #[test]
    fn traffic_that_rises_within_a_burst_is_cut_short() {
        let now = Instant::now();
        let mut budget = Budget::new(Limits::default(), now);
        budget.spent(&Weight { lines: 10, bytes: 300, ..Weight::default() }, CONTINUOUS, now, 1.0);
        let due = budget.next(now, 1.0, 0.5);
        assert_eq!(due.length, CONTINUOUS);
        let flood = Weight { lines: 100_000, bytes: 3_000_000, ..Weight::default() };
        assert!(flood.cost() > due.most);
        assert!(due.most.0 <= 0.01, "{:?}", due.most);
    }
}
