//! Lookups by namespace from a sample of the commands, scaled to what INFO counted.
//!
//! Bursts say which keys were looked up in a short time. Between two INFO replies of a node (`stratum`) they
//! are scaled to its exact hits, or to its lookups where a burst can't tell hits from misses; misses are
//! exact from events. `estimate` says what the sums over any window are worth.

mod estimate;
mod interval;
mod share;
mod stratum;

use cachescope_model::sample::{CommandBurst, KeyUse};
use hashbrown::HashMap;

pub(crate) use estimate::{Estimate, MOST_UNKNOWN, RowSums, Sums, TOLERATED};
pub(crate) use interval::of_total;
pub(crate) use stratum::Counted;
use stratum::{Closed, Lookups, Outcome, RowResult, Seen, Strata};

use crate::command_times;
use crate::engine::Engine;
use crate::rows::Rows;
use crate::window::{Count, Fold, Frame, Range, Tally};

/// Without a burst for this long, a node is not sampled.
const SILENT_AFTER_MILLIS: i64 = 15_000;

/// One node's sample.
#[derive(Clone, Debug, Default)]
struct NodeSample {
    strata: Strata,
    last_burst_ms: Option<i64>,
    closed_ms: Option<i64>,
    covered: Tally,
    /// What one sampled lookup stood for in the last stretch; 0 before the first.
    weight: f64,
}

/// What was rounded off a row's counts and is to be added to its next ones.
#[derive(Clone, Copy, Debug, Default)]
struct Rounding {
    lookups: f64,
    variance: f64,
    binomial: f64,
    misses: f64,
    misses_variance: f64,
    announced: f64,
}

/// The samples of all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    nodes: HashMap<u32, NodeSample>,
    /// Sums over nodes and rows.
    pub(crate) tally: Tally,
    roundings: HashMap<u32, Rounding>,
    /// Counts of the burst that is being read, by row.
    counts: Vec<(u32, u32)>,
    touched: Vec<Lookups>,
    /// Misses of the burst that is being read, by the key's hash.
    missed: HashMap<u64, u32>,
}

impl Sample {
    /// Whether any burst ever came.
    pub(crate) fn began(&self) -> bool {
        self.nodes.values().any(|node| node.last_burst_ms.is_some())
    }

    /// End of the newest stretch that every sampled node has closed; `None` where none has lately.
    pub(crate) fn closed_ms(&self, now_ms: i64) -> Option<i64> {
        let closed = self.nodes.values().filter_map(|node| node.closed_ms);
        closed.filter(|closed_ms| now_ms - closed_ms <= SILENT_AFTER_MILLIS).min()
    }

    /// Seconds of these slots that were sampled: of the node that was sampled for longest.
    pub(crate) fn covered_seconds(&self, range: &Range) -> f64 {
        let of = |node: &NodeSample| node.covered.sum(Count::CoveredMillis, range) as f64 / 1000.0;
        self.nodes.values().map(of).fold(0.0, f64::max)
    }

    /// The same over any interval, in milliseconds.
    pub(crate) fn covered_between(&self, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let of = |node: &NodeSample| node.covered.between(Count::CoveredMillis, frame, from_ms, to_ms);
        self.nodes.values().map(of).fold(0.0, f64::max)
    }

    /// A miss event of others came, or one turned out to be ours.
    pub(crate) fn announced(&mut self, node: u32, row: u32, by: i64) {
        if let Some(sample) = self.nodes.get_mut(&node) {
            sample.strata.announced(row, by);
        }
    }

    /// The node's counters can't be compared with those before.
    pub(crate) fn interrupted(&mut self, node: u32, at_ms: i64) {
        if let Some(sample) = self.nodes.get_mut(&node) {
            sample.strata.interrupted(at_ms);
        }
    }

    /// INFO came. `events` says since when miss events arrive without a gap.
    pub(crate) fn counted(
        &mut self,
        rows: &mut Rows,
        frame: &Frame,
        node: u32,
        counted: &Counted,
        events: Option<i64>,
    ) {
        let lookups = counted.hits.saturating_add(counted.misses);
        let Some(sample) = self.nodes.get_mut(&node) else {
            if self.sampled_lately(counted.to_ms) {
                let (from_ms, to_ms) = (counted.from_ms, counted.to_ms);
                self.tally.spread(Count::UnsampledLookups, frame, from_ms, to_ms, lookups);
            }
            return;
        };
        match sample.strata.counted(counted, events, |row| rows.resolve(row)) {
            Outcome::Open => {}
            Outcome::Unseen(lookups) => {
                if self.sampled_lately(counted.to_ms) {
                    let (from_ms, to_ms) = (counted.from_ms, counted.to_ms);
                    self.tally.spread(Count::UnsampledLookups, frame, from_ms, to_ms, lookups as u64);
                }
            }
            Outcome::Closed(closed, results) => {
                sample.closed_ms = Some(closed.to_ms);
                sample.weight = closed.lookup_weight;
                let millis = (closed.to_ms - closed.from_ms).max(0) as u64;
                sample.covered.spread(Count::CoveredMillis, frame, closed.from_ms, closed.to_ms, millis);
                self.record(rows, frame, &closed, &results);
            }
        }
    }

    fn sampled_lately(&self, now_ms: i64) -> bool {
        let lately = |at_ms: i64| now_ms - at_ms <= SILENT_AFTER_MILLIS;
        self.nodes.values().any(|node| node.last_burst_ms.is_some_and(lately))
    }

    fn record(&mut self, rows: &mut Rows, frame: &Frame, closed: &Closed, results: &[(u32, RowResult)]) {
        let (from_ms, to_ms) = (closed.from_ms, closed.to_ms);
        let (mut variance, mut binomial, mut announced) = (0.0, 0.0, 0i64);
        for (row, result) in results {
            variance += result.lookups.variance;
            binomial += result.lookups.binomial;
            announced += result.announced;
            let rounding = self.roundings.entry(*row).or_default();
            let tally = &mut rows.get_mut(*row).tally;
            let mut put = |count: Count, carry: &mut f64, value: f64| {
                tally.spread(count, frame, from_ms, to_ms, whole(carry, value));
            };
            if !closed.misses_known {
                let worst = result.lookups.variance.max(result.lookups.binomial);
                put(Count::BlindLookups, &mut rounding.lookups, result.lookups.value);
                put(Count::BlindVariance, &mut rounding.variance, worst);
                continue;
            }
            put(Count::SampledLookups, &mut rounding.lookups, result.lookups.value);
            put(Count::SampleVariance, &mut rounding.variance, result.lookups.variance);
            put(Count::SampleBinomial, &mut rounding.binomial, result.lookups.binomial);
            put(Count::PairedRowMisses, &mut rounding.announced, result.announced as f64);
            if result.sampled_misses.0 > 0.0 {
                put(Count::SampledMisses, &mut rounding.misses, result.sampled_misses.0);
                put(Count::SampledMissesVariance, &mut rounding.misses_variance, result.sampled_misses.1);
            }
        }
        let millis = (to_ms - from_ms).max(0) as f64;
        let (by_time, by_time_variance) = closed.by_time;
        let sums = [
            (Count::SampleVariance, variance),
            (Count::SampleBinomial, binomial),
            (Count::PairedRowMisses, announced.max(0) as f64),
            (Count::SampleServerMisses, if closed.misses_known { closed.misses } else { 0.0 }),
            (Count::SampleServerLookups, closed.lookups),
            (Count::SampleDivided, closed.divided),
            (Count::SampleWeight, closed.weight),
            (Count::SampleCommands, closed.commands as f64),
            (Count::SampleUnread, closed.unread as f64),
            (Count::SampleBursts, closed.bursts),
            (Count::SampleVarianceSquares, variance * variance / (closed.bursts - 1.0).max(1.0)),
            (Count::SampleMicros, closed.sampled_seconds * 1e6),
            (Count::SampleByTime, by_time),
            (Count::SampleByTimeVariance, by_time_variance),
            (Count::SampleMillis, millis),
            (Count::SampleUntoldMillis, if closed.told { 0.0 } else { millis }),
            (Count::SampleBlindMillis, if closed.misses_known { 0.0 } else { millis }),
        ];
        for (count, value) in sums {
            self.tally.spread(count, frame, from_ms, to_ms, value.round() as u64);
        }
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.tally.fold(folds);
        for node in self.nodes.values_mut() {
            node.covered.fold(folds);
        }
    }

    /// A burst ended: what was counted of it belongs to its node's open stretch.
    fn burst(&mut self, node: u32, at_ms: i64, seen: &Seen) {
        for row in &mut self.touched {
            (row.all, row.missed) = std::mem::take(&mut self.counts[row.row as usize]);
        }
        let node = self.nodes.entry(node).or_default();
        node.last_burst_ms = Some(at_ms);
        node.strata.burst(at_ms, seen, &self.touched);
        self.touched.clear();
    }

    fn count(&mut self, row: u32, lookups: u32, missed: u32) {
        let place = row as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, (0, 0));
        }
        let (all, misses) = &mut self.counts[place];
        if *all == 0 {
            self.touched.push(Lookups { row, ..Lookups::default() });
        }
        *all += lookups;
        *misses += missed;
    }
}

/// Rounds to whole units without losing what is rounded off.
fn whole(carry: &mut f64, value: f64) -> u64 {
    let due = *carry + value;
    if !due.is_finite() {
        return 0;
    }
    let given = due.floor().max(0.0);
    *carry = due - given;
    given as u64
}

impl Engine {
    /// Takes in every command of a short time.
    pub(crate) fn observe_commands(&mut self, node: u32, at_ms: i64, burst: &CommandBurst) {
        let weight = self.sample.nodes.get(&node).map_or(0.0, |node| node.weight);
        let mut missed = std::mem::take(&mut self.sample.missed);
        missed.clear();
        if burst.misses_told {
            for used in burst.keys.iter().filter(|used| used.used == KeyUse::Miss) {
                *missed.entry(self.hashing.key(used.database, used.key)).or_default() += 1;
            }
        }
        let reads = command_times::places(&burst.names);
        let second = at_ms.div_euclid(1000);
        for used in burst.keys.iter().filter(|used| used.used == KeyUse::Lookup) {
            let hash = self.hashing.key(used.database, used.key);
            let row = self.attribute_or_discover(used.database, used.key);
            if weight > 0.0 {
                self.hot.add(at_ms, row, used.database, (used.key, hash), weight);
            }
            // A miss that no sampled lookup explains is ours, or of a lookup just outside the burst.
            let is_miss = match missed.get_mut(&hash) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            };
            if !is_miss {
                self.may_probe(row, node, at_ms, used.database, used.key);
            }
            if let Some(Some(command)) = reads.get(usize::from(used.command)) {
                self.rows.get_mut(row).reads.add(&self.frame, second, *command);
            }
            self.sample.count(row, 1, u32::from(is_miss));
        }
        self.sample.missed = missed;
        let seen = Seen {
            micros: burst.length_micros,
            commands: burst.commands,
            unread: burst.unread.min(burst.commands),
            misses_told: burst.misses_told,
        };
        self.sample.burst(node, at_ms, &seen);
    }
}

#[cfg(test)]
mod tests;
