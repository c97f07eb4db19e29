//! How long the commands that read values run inside the server, by command: INFO's calls and microseconds, and
//! the buckets of LATENCY HISTOGRAM, both as differences.
//!
//! Buckets can be added up over commands and servers, unlike the percentiles that a server computes itself.

mod mix;
mod scale;

use std::collections::BTreeMap;

use cachescope_model::read_commands::READ_COMMANDS;
use cachescope_model::sample::CommandLatency;

pub(crate) use mix::{OTHER_READS, ReadMix, places};
pub(crate) use scale::Scale;

use crate::window::{Buckets, Column, Counts, Fold, Frame, Range, add_counts};

/// Redis counts nanoseconds up to 1024, 2048, 4096 … and reports the bounds in whole microseconds
/// (`fillCommandCDF` in its latency.c).
pub(crate) const SERVER_SCALE: Scale = Scale { first: 1.024e-6, per_octave: 1.0 };
/// Reported bounds are up to this much higher than the true ones: of its histogram's two digits.
const REPORTED_ABOVE: f64 = 1.01;
/// Two replies further apart say nothing about when commands ran in between.
const LONGEST_INTERVAL_MILLIS: i64 = 3_600_000;
/// Histograms older than this are not shown as current; a reply comes every five seconds.
pub(crate) const STALE_AFTER_MILLIS: i64 = 20_000;

/// One command's times.
#[derive(Clone, Debug, Default)]
struct Times {
    calls: Column,
    micros: Column,
    buckets: Buckets,
}

/// One command's cumulative counts: calls, our own among them, and calls by bucket (not up to it).
#[derive(Clone, Debug, Default, PartialEq)]
struct Cumulative {
    calls: u64,
    own: u64,
    buckets: Vec<(u16, u64)>,
}

#[derive(Clone, Debug, Default)]
struct NodeTimes {
    last: Option<(i64, BTreeMap<u8, Cumulative>)>,
    covered: Column,
    why_not: Option<String>,
}

/// Calls and microseconds of one read command since the last INFO, our own calls taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadIncrease {
    /// Place in [`READ_COMMANDS`].
    pub(crate) command: u8,
    pub(crate) calls: u64,
    pub(crate) micros: u64,
}

/// Times of all read commands over all servers.
#[derive(Clone, Debug)]
pub(crate) struct CommandTimes {
    commands: Vec<Times>,
    nodes: BTreeMap<u32, NodeTimes>,
}

impl Default for CommandTimes {
    fn default() -> Self {
        Self { commands: vec![Times::default(); READ_COMMANDS.len()], nodes: BTreeMap::new() }
    }
}

impl CommandTimes {
    /// INFO came, and can be compared with the one before.
    pub(crate) fn counted(&mut self, frame: &Frame, from_ms: i64, to_ms: i64, reads: &[ReadIncrease]) {
        for read in reads {
            if let Some(times) = self.commands.get_mut(usize::from(read.command)) {
                times.calls.spread(frame, from_ms, to_ms, read.calls);
                times.micros.spread(frame, from_ms, to_ms, read.micros);
            }
        }
    }

    /// The server's counters can't be compared with those before.
    pub(crate) fn interrupted(&mut self, node: u32) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.last = None;
        }
    }

    /// The server has no histograms.
    pub(crate) fn refused(&mut self, node: u32, why: &str) {
        let node = self.nodes.entry(node).or_default();
        node.last = None;
        node.why_not = Some(why.to_owned());
    }

    /// Histograms came.
    pub(crate) fn observe(&mut self, frame: &Frame, node: u32, at_ms: i64, seen: &[CommandLatency]) {
        let now: BTreeMap<u8, Cumulative> = seen.iter().filter_map(cumulative).collect();
        let node = self.nodes.entry(node).or_default();
        node.why_not = None;
        let Some((from_ms, before)) = node.last.replace((at_ms, now)) else { return };
        let Some((_, now)) = &node.last else { return };
        if at_ms <= from_ms || at_ms - from_ms > LONGEST_INTERVAL_MILLIS {
            return;
        }
        // Counts that went back began anew at an unknown time: a gap, not a spike.
        let Some(increases) = increases(&before, now) else { return };
        for (command, buckets) in increases {
            for (bucket, count) in buckets {
                self.commands[usize::from(command)].buckets.spread(frame, bucket, from_ms, at_ms, count);
            }
        }
        node.covered.spread(frame, from_ms, at_ms, (at_ms - from_ms) as u64);
    }

    /// Up to when histograms are known everywhere where they come; `None` where none came lately.
    pub(crate) fn known_to_ms(&self, now_ms: i64) -> Option<i64> {
        let newest = self.nodes.values().filter_map(|node| node.last.as_ref().map(|(at_ms, _)| *at_ms));
        newest.filter(|at_ms| now_ms - at_ms <= STALE_AFTER_MILLIS).min()
    }

    /// Why a server has none.
    pub(crate) fn why_not(&self) -> Option<&str> {
        self.nodes.values().find_map(|node| node.why_not.as_deref())
    }

    /// Seconds of these slots for which histograms are known: of the server that is known for longest.
    pub(crate) fn covered_seconds(&self, range: &Range) -> f64 {
        self.nodes.values().map(|node| node.covered.sum(range) as f64 / 1000.0).fold(0.0, f64::max)
    }

    /// The same over any interval, in milliseconds.
    pub(crate) fn covered_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let between = |node: &NodeTimes| node.covered.between(frame, from_ms, to_ms);
        self.nodes.values().map(between).fold(0.0, f64::max)
    }

    /// Counts by bucket of each command over these slots, in the order of [`READ_COMMANDS`].
    pub(crate) fn counts(&self, range: &Range) -> Vec<Counts> {
        self.commands.iter().map(|times| times.buckets.counts(range)).collect()
    }

    /// The same over any interval.
    pub(crate) fn counts_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> Vec<Counts> {
        self.commands.iter().map(|times| times.buckets.counts_between(frame, from_ms, to_ms)).collect()
    }

    /// Calls and seconds of each command over these slots.
    pub(crate) fn sums(&self, range: &Range) -> Vec<(f64, f64)> {
        let of = |times: &Times| (times.calls.sum(range) as f64, times.micros.sum(range) as f64 / 1e6);
        self.commands.iter().map(of).collect()
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for times in &mut self.commands {
            times.calls.fold(folds);
            times.micros.fold(folds);
            times.buckets.fold(folds);
        }
        for node in self.nodes.values_mut() {
            node.covered.fold(folds);
        }
    }
}

/// Every command's counts together.
pub(crate) fn merged(counts: &[Counts]) -> Counts {
    let mut all = Counts::new();
    counts.iter().for_each(|counts| add_counts(&mut all, counts, 1.0));
    all
}

/// Place of a command in [`READ_COMMANDS`].
pub(crate) fn place(command: &str) -> Option<u8> {
    READ_COMMANDS.iter().position(|known| *known == command).map(|place| place as u8)
}

fn cumulative(latency: &CommandLatency) -> Option<(u8, Cumulative)> {
    let mut buckets: Vec<(u16, u64)> = Vec::new();
    let mut below = 0;
    for (bound, calls) in &latency.buckets {
        let bucket = SERVER_SCALE.bucket(*bound as f64 / 1e6 / REPORTED_ABOVE);
        let within = calls.saturating_sub(below);
        below = below.max(*calls);
        match buckets.last_mut() {
            Some((last, count)) if *last >= bucket => *count += within,
            _ => buckets.push((bucket, within)),
        }
    }
    Some((place(&latency.command)?, Cumulative { calls: below, own: latency.own, buckets }))
}

/// Calls by bucket.
type Increase = Vec<(u16, u64)>;

/// Increases by command and bucket, our own calls taken out; `None` where any count went back.
fn increases(
    before: &BTreeMap<u8, Cumulative>,
    now: &BTreeMap<u8, Cumulative>,
) -> Option<Vec<(u8, Increase)>> {
    let vanished = before.iter().any(|(command, earlier)| earlier.calls > 0 && !now.contains_key(command));
    if vanished {
        return None;
    }
    now.iter()
        .map(|(command, now)| {
            // How many of ours there were before the first call after a reset is not told: they might be all.
            let first = Cumulative { own: 0, ..Cumulative::default() };
            let unknown = now.own > 0 && !before.contains_key(command);
            let before = before.get(command).unwrap_or(if unknown { now } else { &first });
            let mut grown = Vec::with_capacity(now.buckets.len());
            for (bucket, count) in &now.buckets {
                let earlier =
                    before.buckets.iter().find(|(of, _)| of == bucket).map_or(0, |(_, count)| *count);
                grown.push((*bucket, count.checked_sub(earlier)?));
            }
            let kept = |(bucket, _): &(u16, u64)| now.buckets.iter().any(|(of, _)| of == bucket);
            if !before.buckets.iter().all(kept) {
                return None;
            }
            Some((*command, without(grown, now.own.checked_sub(before.own)?)))
        })
        .collect()
}

/// Takes our own calls out, of which nobody knows how long they took: from every bucket its share, in whole
/// calls that add up.
fn without(mut buckets: Increase, own: u64) -> Increase {
    let all: u64 = buckets.iter().map(|(_, count)| count).sum();
    let own = own.min(all);
    let (mut up_to, mut taken) = (0u64, 0u64);
    for (_, count) in &mut buckets {
        up_to += *count;
        let due = (u128::from(up_to) * u128::from(own) / u128::from(all.max(1))) as u64;
        *count = count.saturating_sub(due - taken);
        taken = due;
    }
    buckets
}

#[cfg(test)]
mod tests;
