//! What a sampled command costs on the server at hand, by its own account of its CPU.
//!
//! The constants of `cost` were measured on one machine and one version. Some bursts therefore read the server's
//! CPU and its count of commands right before MONITOR and right behind its end, within the burst's own write. Two
//! such bursts in a row enclose a stretch without MONITOR: what a command costs there, taken off what the commands
//! within a burst cost, leaves what telling them has cost. Its ratio to the constants' estimate is the factor.
//!
//! Until enough was seen the constants hold. What is measured is used with twice its standard error on top: a noisy
//! measurement makes sampling dearer, never cheaper than the budget allows.

use super::cost::Weight;
use crate::redis::info_reply::main_thread_seconds;

/// Of so many bursts …
const CYCLE: u32 = 10;
/// … the first two are gauged, so that a stretch without MONITOR lies in between.
const GAUGED: u32 = 2;
/// Stretches of fewer commands say nothing.
const LEAST_COMMANDS: f64 = 200.0;
/// Bursts that weigh less say nothing: the clock of CPU time has its grain.
const LEAST_SECONDS: f64 = 100e-6;
/// So many measurements make a figure.
const ENOUGH: f64 = 8.0;
/// How much of the past a new measurement leaves.
const KEPT: f64 = 0.97;
/// A single burst that seems to cost more than so many times the estimate was disturbed.
const MOST: f64 = 6.0;
/// Cheaper than this no server was seen to be.
const LEAST: f64 = 0.25;

/// The server's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gauge {
    /// Seconds of its main thread; of all its threads before Redis 7.0.
    pub(super) cpu: f64,
    /// Commands it has processed.
    pub(super) commands: f64,
}

impl Gauge {
    /// Reads the sections `cpu` and `stats` of INFO.
    pub(super) fn read(info: &str) -> Option<Self> {
        let find = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<f64>().ok())
        };
        Some(Self { cpu: main_thread_seconds(info)?, commands: find("total_commands_processed")? })
    }

    /// What came since; nothing where a counter went back.
    fn since(self, before: Self) -> Option<Self> {
        let (cpu, commands) = (self.cpu - before.cpu, self.commands - before.commands);
        (cpu >= 0.0 && commands >= 0.0).then_some(Self { cpu, commands })
    }
}

/// What is known of one server's cost.
#[derive(Clone, Debug, Default)]
pub(super) struct Calibration {
    bursts: u32,
    /// The end of the burst before, where it was gauged.
    last: Option<Gauge>,
    /// Stretches without MONITOR, the older the less they count.
    quiet: Gauge,
    /// Sums over measured bursts of their weight, weight × ratio and weight × ratio², and their number.
    weight: f64,
    ratio: f64,
    square: f64,
    number: f64,
    refused: bool,
}

impl Calibration {
    /// Whether the next burst is to read the server's counters; `paused` tells that bursts do not follow each other
    /// without an end: only then the budget binds, and there are stretches without MONITOR.
    pub(super) fn wants(&mut self, paused: bool) -> bool {
        if self.refused || !paused {
            return false;
        }
        let place = self.bursts % CYCLE;
        self.bursts = self.bursts.wrapping_add(1);
        place < GAUGED || self.factor().is_none()
    }

    /// A burst came that did not read them, or was cut short: the next stretch is not without MONITOR.
    pub(super) fn not_gauged(&mut self) {
        self.last = None;
    }

    /// Enters a burst that read them.
    pub(super) fn burst(&mut self, from: Gauge, to: Gauge, weight: &Weight) {
        if let Some(stretch) = self.last.and_then(|last| from.since(last))
            && stretch.commands >= LEAST_COMMANDS
        {
            self.quiet.cpu = self.quiet.cpu * 0.7 + stretch.cpu;
            self.quiet.commands = self.quiet.commands * 0.7 + stretch.commands;
        }
        self.last = Some(to);
        let estimate = weight.cost().0;
        let Some(burst) = to.since(from).filter(|burst| burst.commands >= LEAST_COMMANDS) else { return };
        if self.quiet.commands < LEAST_COMMANDS || estimate < LEAST_SECONDS {
            return;
        }
        let usual = burst.commands * self.quiet.cpu / self.quiet.commands;
        let ratio = ((burst.cpu - usual) / estimate).clamp(0.0, MOST);
        for (sum, added) in [
            (&mut self.weight, estimate),
            (&mut self.ratio, estimate * ratio),
            (&mut self.square, estimate * ratio * ratio),
            (&mut self.number, 1.0),
        ] {
            *sum = *sum * KEPT + added;
        }
    }

    /// The server doesn't tell.
    pub(super) fn give_up(&mut self) {
        self.refused = true;
    }

    /// How many times the constants' estimate telling a command costs here; `None` while that isn't known.
    pub(super) fn factor(&self) -> Option<f64> {
        if self.number < ENOUGH {
            return None;
        }
        let mean = self.ratio / self.weight;
        let variance = (self.square / self.weight - mean * mean).max(0.0);
        Some((mean + 2.0 * (variance / self.number).sqrt()).clamp(LEAST, MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server whose commands take `usual` seconds and `factor` times the estimate more when they are told; each
    /// burst is off by up to `noise` of its CPU.
    fn calibrated(usual: f64, factor: f64, noise: f64, bursts: u32) -> Calibration {
        let (mut calibration, mut at) = (Calibration::default(), Gauge::default());
        let mut dice = 0.0f64;
        for _ in 0..bursts {
            let gauged = calibration.wants(true);
            let weight = Weight { lines: 1_000, bytes: 30_000, ..Weight::default() };
            let from = at;
            dice = (dice + 0.618_034).fract();
            let cpu = 1_000.0 * usual + weight.cost().0 * factor;
            at.cpu += cpu * (1.0 + noise * (2.0 * dice - 1.0));
            at.commands += 1_000.0;
            if gauged {
                calibration.burst(from, at, &weight);
            } else {
                calibration.not_gauged();
            }
            at.cpu += 20_000.0 * usual;
            at.commands += 20_000.0;
        }
        calibration
    }

    #[test]
    fn the_cost_of_telling_a_command_is_found_whatever_the_command_itself_costs() {
        for usual in [0.7e-6, 8e-6, 40e-6] {
            for factor in [0.4, 1.0, 3.0] {
                let found = calibrated(usual, factor, 0.0, 60).factor().expect("enough was seen");
                assert!((found - factor).abs() < 0.01, "{usual} {factor}: {found}");
            }
        }
    }

    #[test]
    fn noise_makes_it_dearer_and_never_cheaper() {
        let found = calibrated(8e-6, 1.0, 0.1, 60).factor().expect("enough was seen");
        assert!((1.0..1.6).contains(&found), "{found}");
    }

    #[test]
    fn until_enough_was_seen_and_where_the_server_does_not_tell_nothing_is_known() {
        assert_eq!(calibrated(1e-6, 2.0, 0.0, 7).factor(), None);
        let mut silent = Calibration::default();
        silent.give_up();
        assert!(!silent.wants(true));
        assert!(!Calibration::default().wants(false), "without pauses there is nothing to compare with");
    }

    #[test]
    fn a_burst_that_something_else_disturbed_and_counters_that_go_back_do_little() {
        let mut calibration = calibrated(1e-6, 1.0, 0.0, 60);
        let weight = Weight { lines: 1_000, bytes: 30_000, ..Weight::default() };
        let at = Gauge { cpu: 1e3, commands: 1e9 };
        calibration.burst(at, Gauge { cpu: at.cpu + 5.0, commands: at.commands + 1e3 }, &weight);
        calibration.burst(at, Gauge::default(), &weight);
        let found = calibration.factor().expect("enough was seen");
        assert!(found < 3.0, "{found}");
    }

    #[test]
    fn counters_are_read_of_the_main_thread_where_the_server_tells_it() {
        let old =
            "# CPU\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.0\r\n# Stats\r\ntotal_commands_processed:12\r\n";
        assert_eq!(Gauge::read(old), Some(Gauge { cpu: 3.5, commands: 12.0 }));
        let new = format!("{old}used_cpu_sys_main_thread:1.0\r\nused_cpu_user_main_thread:0.5\r\n");
        assert_eq!(Gauge::read(&new), Some(Gauge { cpu: 1.5, commands: 12.0 }));
        assert_eq!(Gauge::read("# CPU\r\n"), None);
    }
}
