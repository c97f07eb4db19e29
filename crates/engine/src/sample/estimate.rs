//! What sums over a window's stretches are worth: lookups and hit rate of a row with 95 % intervals.
//!
//! With misses M known exactly and hits H estimated, the hit rate is H ÷ (H + M): its error is (1 − h)·h times
//! the relative error of H, so a namespace that nearly always or nearly never hits is known well from few
//! samples. On the scale of the odds H ÷ M the error of H is all there is, so the interval is that of H.

use super::interval::{self, Z95};
use crate::scan::Interval;
use crate::window::Count;

/// Events, bursts and INFO are not read at the same instant: seconds by which their edges may differ.
const EDGE_SECONDS: f64 = 0.1;
/// The variance with which an interval reaches one up and down.
const ONE_DISPLACED: f64 = 1.0 / (Z95 * Z95);
/// Where the sampled lookups, scaled by time, are within this share of INFO's, they agree.
pub(crate) const TOLERATED: f64 = 0.03;

/// Above this share of commands that can't be read, or of lookups on nodes that are not sampled, shares of the
/// rest say nothing.
pub(crate) const MOST_UNKNOWN: f64 = 0.2;

/// One row's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowSums {
    lookups: f64,
    variance: f64,
    binomial: f64,
    misses: f64,
    sampled_misses: f64,
    sampled_misses_variance: f64,
    blind: f64,
    blind_variance: f64,
}

impl RowSums {
    pub(crate) fn new(sum: impl Fn(Count) -> f64) -> Self {
        Self {
            lookups: sum(Count::SampledLookups),
            variance: sum(Count::SampleVariance),
            binomial: sum(Count::SampleBinomial),
            misses: sum(Count::PairedRowMisses),
            sampled_misses: sum(Count::SampledMisses),
            sampled_misses_variance: sum(Count::SampledMissesVariance),
            blind: sum(Count::BlindLookups),
            blind_variance: sum(Count::BlindVariance),
        }
    }
}

/// What is the same for every row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// Seconds that were sampled.
    pub(crate) seconds: f64,
    /// Commands of others that bursts showed.
    pub(crate) commands: f64,
    /// Share of them whose keys can't be told.
    pub(crate) unread: f64,
    /// INFO's lookups of the same stretches.
    pub(crate) server: f64,
    /// Sampled lookups scaled by time alone: what the sample explains of them.
    pub(crate) explained: Interval,
    /// Share of INFO's lookups on nodes that are not sampled while others are.
    pub(crate) unsampled: f64,
    /// Share of the time in which nobody told misses.
    pub(crate) blind: f64,
    /// Every burst told misses.
    told: bool,
    /// What one more sampled count would add.
    weight: f64,
    freedom: f64,
    /// How many times the variance is what it would be if lookups came one by one: how long runs are.
    runs: f64,
    /// Seconds by which a burst's edges differ from INFO's.
    edge_seconds: f64,
    /// |INFO's misses − events| of the same stretches, and their share.
    misaligned: f64,
}

/// A row's figures as counts over the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) lookups: Interval,
    /// `None` without lookups or where misses are not known.
    pub(crate) hit_rate: Option<Interval>,
    /// Misses by the sample, where events did not tell them.
    pub(crate) sampled_misses: Option<Interval>,
}

impl Sums {
    pub(crate) fn new(seconds: f64, sum: impl Fn(Count) -> f64) -> Self {
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let (bursts, server) = (sum(Count::SampleBursts), sum(Count::SampleServerLookups));
        let (by_time, spread) = (sum(Count::SampleByTime), sum(Count::SampleByTimeVariance));
        let (variance, squares) = (sum(Count::SampleVariance), sum(Count::SampleVarianceSquares));
        let freedom = if squares > 0.0 { variance * variance / squares } else { f64::MAX };
        let unsampled = sum(Count::UnsampledLookups);
        let runs = ratio(variance, sum(Count::SampleBinomial)).max(1.0);
        let announced = sum(Count::PairedRowMisses);
        let server_misses = sum(Count::SampleServerMisses);
        Self {
            seconds,
            commands: sum(Count::SampleCommands),
            unread: ratio(sum(Count::SampleUnread), sum(Count::SampleCommands)).min(1.0),
            server,
            explained: interval::of_total(by_time, spread, 0.0, freedom),
            unsampled: ratio(unsampled, unsampled + server),
            blind: ratio(sum(Count::SampleBlindMillis), sum(Count::SampleMillis)).min(1.0),
            told: sum(Count::SampleUntoldMillis) < 1.0,
            weight: ratio(sum(Count::SampleWeight), sum(Count::SampleDivided)) * runs,
            freedom,
            runs,
            edge_seconds: EDGE_SECONDS + ratio(sum(Count::SampleMicros) / 1e6, bursts),
            misaligned: if announced > 0.0 {
                ratio((server_misses - announced).abs(), announced)
            } else {
                0.0
            },
        }
    }

    /// Share of INFO's lookups that may belong to any row: of commands that can't be read, or that the table
    /// of commands leaves out.
    pub(crate) fn unattributed(&self) -> f64 {
        let left_out = if self.server > 0.0 { 1.0 - self.explained.high / self.server } else { 0.0 };
        let left_out = if left_out > TOLERATED { left_out } else { 0.0 };
        self.unread.max(left_out)
    }

    /// Share by which the sample shows more lookups than INFO counts.
    pub(crate) fn excess(&self) -> f64 {
        let excess = if self.server > 0.0 { self.explained.low / self.server - 1.0 } else { 0.0 };
        if excess > TOLERATED { excess } else { 0.0 }
    }

    /// Whether shares of what was seen stand for the whole.
    pub(crate) fn usable(&self) -> bool {
        self.unread <= MOST_UNKNOWN && self.unsampled <= MOST_UNKNOWN
    }

    /// The figures of one row. `missing` is the number of miss events that were lost, whosever they were.
    pub(crate) fn estimate(&self, row: &RowSums, missing: f64) -> Estimate {
        let misses = self.misses(row);
        let known = row.lookups.max(misses.value);
        // What the bursts divided: hits where they told misses, otherwise lookups.
        let divided = if self.told { known - misses.value } else { known };
        // At least one lookup may be on the other side of an edge, where that is not unlikely.
        let edge = divided * self.edge_seconds / self.seconds.max(self.edge_seconds) * self.runs;
        let edge = if edge > 0.05 { edge.max(ONE_DISPLACED) } else { edge };
        let variance = row.variance.max(row.binomial) + edge;
        let found = self.widened(interval::of_total(divided, variance, self.weight, self.freedom));
        let (lookups, hit_rate) = if self.told {
            let lookups = sum(found, misses);
            (Interval { high: lookups.high + missing, ..lookups }, share(found, misses, missing))
        } else {
            let low = found.low.max(misses.low);
            let lookups = Interval { low, ..found };
            let hits = |lookups: f64, misses: f64| (lookups - misses).max(0.0);
            let hits = Interval {
                value: hits(known, misses.value),
                low: hits(low, misses.high + missing),
                high: hits(found.high, misses.low),
            };
            // What misses may be off by is in the hits already.
            let misses = Interval { low: misses.value, high: misses.value, ..misses };
            (lookups, share(hits, misses, missing))
        };
        let blind = self.widened(interval::of_total(row.blind, row.blind_variance, 0.0, self.freedom));
        let lookups = if row.blind > 0.0 { sum(lookups, blind) } else { lookups };
        let hit_rate = hit_rate.filter(|_| self.blind < 1.0).map(|rate| self.with_unsampled(rate));
        Estimate {
            lookups: self.scaled(lookups),
            hit_rate,
            sampled_misses: (row.sampled_misses > 0.0).then_some(self.scaled(misses)),
        }
    }

    /// Misses of the row: by events up to what their edges differ from INFO's, or by the sample.
    fn misses(&self, row: &RowSums) -> Interval {
        let exact = row.misses;
        // Events that may be on the other side of an edge; where that is not unlikely, at least one.
        let displaced = exact * 2.0 * EDGE_SECONDS / self.seconds.max(EDGE_SECONDS);
        let half = (Z95 * displaced.sqrt()).max(exact * self.misaligned.min(0.05));
        let half = if displaced > 0.05 { half.max(1.0) } else { half };
        let by_events = Interval { value: exact, low: (exact - half).max(0.0), high: exact + half };
        if row.sampled_misses <= 0.0 {
            return by_events;
        }
        let variance = row.sampled_misses_variance;
        sum(by_events, interval::of_total(row.sampled_misses, variance, 0.0, self.freedom))
    }

    fn widened(&self, found: Interval) -> Interval {
        let (lost, excess) = (self.unattributed(), self.excess());
        if lost <= 0.0 && excess <= 0.0 {
            return found;
        }
        Interval {
            low: found.low * (1.0 - lost).max(0.0) / (1.0 + excess),
            high: found.high * (1.0 + excess) + lost * self.server,
            ..found
        }
    }

    /// Nodes that are not sampled are taken to have the same mix; their share may be anything.
    fn scaled(&self, found: Interval) -> Interval {
        if self.unsampled <= 0.0 {
            return found;
        }
        let scale = 1.0 / (1.0 - self.unsampled).max(0.01);
        let others = self.server * (scale - 1.0);
        Interval { value: found.value * scale, low: found.low, high: found.high + others }
    }

    fn with_unsampled(&self, rate: Interval) -> Interval {
        let others = self.unsampled;
        Interval { low: rate.low * (1.0 - others), high: rate.high * (1.0 - others) + others, ..rate }
    }
}

/// A sum of two independent figures: the distances to the ends add up as variances do (Zou and Donner 2008,
/// Statistics in Medicine 27:1693).
fn sum(one: Interval, other: Interval) -> Interval {
    let value = one.value + other.value;
    Interval {
        value,
        low: (value - (one.value - one.low).hypot(other.value - other.low)).max(0.0),
        high: value + (one.high - one.value).hypot(other.high - other.value),
    }
}

/// Hits ÷ (hits + misses), with the interval made on the scale of the odds as above. `missing` more may have
/// missed.
fn share(hits: Interval, misses: Interval, missing: f64) -> Option<Interval> {
    let (h, m) = (hits.value, misses.value);
    if h + m <= 0.0 {
        return None;
    }
    let of = |hits: f64, misses: f64| if hits + misses > 0.0 { hits / (hits + misses) } else { 0.0 };
    let value = of(h, m);
    let (low, high) = if h > 0.0 && m > 0.0 && hits.low > 0.0 && misses.low > 0.0 {
        let odds = h / m;
        let down = (h / hits.low).ln().hypot((misses.high / m).ln());
        let up = (hits.high / h).ln().hypot((m / misses.low).ln());
        (odds * (-down).exp() * m, odds * up.exp() * m)
    } else {
        (hits.low, hits.high)
    };
    let high = if m > 0.0 { of(high, m) } else { 1.0 };
    Some(Interval { value, low: of(low, m + missing).min(value), high: high.max(value) })
}
