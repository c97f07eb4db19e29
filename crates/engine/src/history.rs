//! A reading as a series: as many points as a chart wants, gaps left as gaps.

use std::cell::OnceCell;

use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::snapshot::HistoryPoint;
use cachescope_model::time::Timestamp;

use crate::applications::latency::{self, merge_counts};
use crate::command_times::{SERVER_SCALE, merged};
use crate::engine::Engine;
use crate::events::{EVENT_KINDS, MISSES};
use crate::probes::{TRIP_SCALE, bounds_of, least_samples};
use crate::readings::mixed;
use crate::rows::{OTHER, Row};
use crate::sample::{RowSums, Sums};
use crate::scan::PastScan;
use crate::server::Node;
use crate::server::PAIRS;
use crate::window::{Count, Counts, Gauge, Tally, add_counts, total};

/// More points than a chart can show.
const MOST_POINTS: usize = 10_000;
/// An interval of which less than this share is known is a gap.
const LEAST_KNOWN: f64 = 0.5;
/// Two days: more is not kept.
const LONGEST_MILLIS: i64 = 172_800_000;

/// Which series is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The namespace by its template, the empty one for the remainder; `None` for the whole deployment.
    pub namespace: Option<String>,
    /// Which reading.
    pub kind: R,
    /// Start of the first interval.
    pub from: Timestamp,
    /// End of the last interval; what lies in the future is a gap.
    pub to: Timestamp,
    /// How many intervals of equal length, at most 10,000.
    pub points: usize,
}

impl Engine {
    /// The points of a reading, one an interval, oldest first. Empty where the namespace is not known or the
    /// span is empty.
    ///
    /// Resolution is one second for the last 110 seconds, ten for 15 minutes, a minute for an hour, ten
    /// minutes beyond.
    #[must_use]
    pub fn history(&self, query: &HistoryQuery) -> Vec<HistoryPoint> {
        let latest = self.now_ms.saturating_add(LONGEST_MILLIS);
        let to_ms = query.to.millis().clamp(0, latest);
        let from_ms = query.from.millis().clamp(to_ms.saturating_sub(LONGEST_MILLIS).max(0), latest);
        let points = query.points.min(MOST_POINTS) as i64;
        let row = match &query.namespace {
            None => None,
            Some(template) => match self.rows.find(template) {
                Some(number) => Some(number),
                None => return Vec::new(),
            },
        };
        if points == 0 || to_ms - from_ms < points {
            return Vec::new();
        }
        let end = |point: i64| from_ms + (to_ms - from_ms) * point / points;
        (1..=points)
            .map(|point| {
                let value = Slice::new(self, end(point - 1), end(point)).point(query.kind, row);
                HistoryPoint {
                    at: Timestamp(end(point)),
                    value: value.map(|(value, ..)| value),
                    low: value.and_then(|(_, low, _)| low),
                    high: value.and_then(|(_, _, high)| high),
                }
            })
            .collect()
    }
}

/// A value with the ends of its interval, where it has one.
type Point = Option<(f64, Option<f64>, Option<f64>)>;

/// One interval, of which the figures of many namespaces may be asked.
pub(crate) struct Slice<'a> {
    engine: &'a Engine,
    from_ms: i64,
    to_ms: i64,
    /// Seconds for which each kind of events is known: the same for every namespace.
    event_seconds: [OnceCell<Option<f64>>; EVENT_KINDS],
}

fn exact(value: f64) -> Point {
    Some((value, None, None))
}

fn ratio(part: f64, whole: f64) -> Point {
    if whole > 1e-9 { exact((part / whole).min(1.0)) } else { None }
}

impl<'a> Slice<'a> {
    /// The interval, as far as there can be anything in it.
    pub(crate) fn new(engine: &'a Engine, from_ms: i64, to_ms: i64) -> Self {
        let latest = engine.now_ms.saturating_add(LONGEST_MILLIS);
        let to_ms = to_ms.clamp(0, latest);
        let from_ms = from_ms.clamp(to_ms.saturating_sub(LONGEST_MILLIS).max(0), latest);
        Self { engine, from_ms, to_ms, event_seconds: Default::default() }
    }

    /// A figure of a namespace (by its number), or of the whole deployment.
    pub(crate) fn value(&self, kind: R, row: Option<u32>) -> Option<f64> {
        if self.to_ms <= self.from_ms {
            return None;
        }
        self.point(kind, row).map(|(value, ..)| value)
    }

    fn point(&self, kind: R, row: Option<u32>) -> Point {
        let point = match row {
            None => self.instance(kind),
            Some(number) => self.namespace(kind, number, self.engine.rows.get(number)),
        };
        point.filter(|(value, ..)| value.is_finite())
    }

    fn sum(&self, tally: &Tally, count: Count) -> f64 {
        tally.between(count, &self.engine.frame, self.from_ms, self.to_ms)
    }

    /// Seconds that are known, where they are enough of the interval.
    fn known(&self, millis: f64) -> Option<f64> {
        let length = (self.to_ms - self.from_ms) as f64;
        (millis >= LEAST_KNOWN * length).then_some(millis / 1000.0)
    }

    fn server_seconds(&self) -> Option<f64> {
        self.known(self.engine.server.covered_between(&self.engine.frame, self.from_ms, self.to_ms))
    }

    fn event_seconds(&self, kind: usize) -> Option<f64> {
        *self.event_seconds[kind].get_or_init(|| self.count_event_seconds(kind))
    }

    fn count_event_seconds(&self, kind: usize) -> Option<f64> {
        let frame = &self.engine.frame;
        let nodes = || self.engine.server.serving_kind(kind).filter(|node| node.subscription.began);
        let sinces = nodes().map(|node| node.subscription.since(kind)).collect::<Option<Vec<_>>>()?;
        let began_ms = self.from_ms.max(sinces.iter().copied().min()?);
        let gap = |(node, since_ms): (&Node, &i64)| {
            let expected = (self.to_ms - began_ms.max(node.since_ms())).max(0) as f64;
            let known = node.subscription.covered_between(frame, began_ms.max(*since_ms), self.to_ms);
            (expected - known).max(0.0)
        };
        let gaps: f64 = nodes().zip(&sinces).map(gap).sum();
        let millis = (self.to_ms - began_ms) as f64 - gaps / sinces.len() as f64;
        self.known(millis)
    }

    fn application_seconds(&self, carriers: &[u32]) -> Option<f64> {
        let apps = &self.engine.applications;
        let mut ways = carriers.iter().filter_map(|number| apps.carriers[*number as usize].origin.chosen());
        let way = ways.next_back().or_else(|| if carriers.is_empty() { apps.main_way() } else { None })?;
        self.known(apps.covered_between(way, &self.engine.frame, self.from_ms, self.to_ms))
    }

    fn level(&self, gauge: &Gauge) -> Point {
        gauge.last(&self.engine.frame, self.from_ms, self.to_ms).and_then(exact)
    }

    fn instance(&self, kind: R) -> Point {
        let engine = self.engine;
        let server = &engine.server;
        let sum = |count: Count| self.sum(&server.tally, count);
        let rate = |count: Count| exact(sum(count) / self.server_seconds()?);
        let lookups = || sum(Count::ServerHits) + sum(Count::ServerMisses);
        let known = self.server_seconds().is_some();
        let all = || engine.rows.live().map(|(_, row)| row);
        let everywhere = || (0..engine.applications.carriers.len() as u32).collect::<Vec<_>>();
        match kind {
            R::HitRate if known => ratio(sum(Count::ServerHits), lookups()),
            R::LookupsPerSecond if known => exact(lookups() / self.server_seconds()?),
            R::MissesPerSecond if known => rate(Count::ServerMisses),
            R::HitRate | R::LookupsPerSecond | R::MissesPerSecond => {
                self.application(kind, &engine.applications.total, &[])
            }
            R::EvictionsPerSecond => rate(Count::ServerEvicted),
            R::EvictionRatio if known => ratio(sum(Count::ServerEvicted), lookups()),
            R::ExpirationsPerSecond => rate(Count::ServerExpired),
            R::CommandsPerSecond => rate(Count::ServerCommands),
            R::ExecutionMeanSeconds if sum(Count::ReadCalls) > 0.0 => {
                exact(sum(Count::ReadMicros) / sum(Count::ReadCalls) / 1e6)
            }
            R::ExecutionP50Seconds => self.execution(0.5, None),
            R::ExecutionP95Seconds => self.execution(0.95, None),
            R::ExecutionP99Seconds => self.execution(0.99, None),
            R::MemoryBytes => self.level(&server.memory),
            R::MemoryRatio => self.level(&server.memory_ratio),
            R::Keys => self.level(&server.keys),
            R::ConnectedClients => self.level(&server.clients),
            R::LatencyMeanSeconds => {
                self.application_seconds(&[])?;
                self.application(kind, &engine.applications.total, &[])
            }
            R::LatencyP50Seconds => self.quantile(0.5, &everywhere()).or_else(|| self.probed(0.5, all())),
            R::LatencyP95Seconds => self.quantile(0.95, &everywhere()).or_else(|| self.probed(0.95, all())),
            R::LatencyP99Seconds => self.quantile(0.99, &everywhere()).or_else(|| self.probed(0.99, all())),
            _ => None,
        }
    }

    fn namespace(&self, kind: R, number: u32, row: &Row) -> Point {
        let misses = || MISSES.iter().map(|count| self.sum(&row.tally, *count)).sum::<f64>();
        match kind {
            R::MissesPerSecond => match self.event_seconds(0) {
                Some(seconds) => exact(misses() / seconds),
                None => self.of_carriers(kind, row),
            },
            R::EvictionsPerSecond => exact(self.sum(&row.tally, Count::Evicted) / self.event_seconds(1)?),
            R::ExpirationsPerSecond => exact(self.sum(&row.tally, Count::Expired) / self.event_seconds(2)?),
            R::EvictionRatio => {
                let (lookups, few, many) = self.lookups(R::LookupsPerSecond, row)?;
                let evictions = self.sum(&row.tally, Count::Evicted) / self.event_seconds(1)?;
                let over = |lookups: f64| Some(evictions / lookups).filter(|_| lookups > 1e-9);
                Some((over(lookups)?, many.and_then(over), few.and_then(over)))
            }
            R::HitRate | R::LookupsPerSecond => self.lookups(kind, row),
            R::LatencyMeanSeconds => self.of_carriers(kind, row),
            R::LatencyP50Seconds => self.quantile(0.5, &row.carriers).or_else(|| self.probed(0.5, [row])),
            R::LatencyP95Seconds => self.quantile(0.95, &row.carriers).or_else(|| self.probed(0.95, [row])),
            R::LatencyP99Seconds => self.quantile(0.99, &row.carriers).or_else(|| self.probed(0.99, [row])),
            R::ExecutionP50Seconds => self.execution(0.5, Some(row)),
            R::ExecutionP95Seconds => self.execution(0.95, Some(row)),
            R::ExecutionP99Seconds => self.execution(0.99, Some(row)),
            // The remainder's memory follows from everything else: it has no history of its own.
            R::MemoryBytes if number != OTHER => self.scanned(row, |scan| scan.bytes),
            R::Keys => self.scanned(row, |scan| scan.keys),
            _ => None,
        }
    }

    /// What the last scan before the interval's end found.
    fn scanned(&self, row: &Row, of: impl Fn(PastScan) -> f32) -> Point {
        if self.from_ms > self.engine.now_ms {
            return None;
        }
        row.scans.at(self.to_ms).map(|scan| f64::from(of(scan))).and_then(exact)
    }

    /// Lookups or hit rate: as the application counts them, otherwise by the sample of the commands.
    fn lookups(&self, kind: R, row: &Row) -> Point {
        self.of_carriers(kind, row).or_else(|| self.sampled(kind, row))
    }

    fn sampled(&self, kind: R, row: &Row) -> Point {
        let sample = &self.engine.sample;
        let millis = sample.covered_between(&self.engine.frame, self.from_ms, self.to_ms);
        let seconds = self.known(millis)?;
        let sums = Sums::new(seconds, |count| self.sum(&sample.tally, count));
        let (server, announced) = (
            self.sum(&self.engine.server.tally, PAIRS[0].0),
            self.sum(&self.engine.server.tally, PAIRS[0].1),
        );
        // Within a short interval INFO and events are apart by timing alone.
        let missing = (server - announced - 0.02 * server).max(0.0);
        let estimate = sums.estimate(&RowSums::new(|count| self.sum(&row.tally, count)), missing);
        let (found, per) = match kind {
            R::HitRate => (estimate.hit_rate?, 1.0),
            _ => (estimate.lookups, seconds),
        };
        sums.usable().then_some((found.value / per, Some(found.low / per), Some(found.high / per)))
    }

    fn of_carriers(&self, kind: R, row: &Row) -> Point {
        if row.carriers.is_empty() {
            return None;
        }
        let mut tally = Tally::default();
        for number in &row.carriers {
            let carrier = &self.engine.applications.carriers[*number as usize];
            if row.carriers.len() == 1 {
                return self.application(kind, &carrier.tally, &row.carriers);
            }
            tally.merge(&carrier.tally);
        }
        self.application(kind, &tally, &row.carriers)
    }

    fn application(&self, kind: R, tally: &Tally, carriers: &[u32]) -> Point {
        let seconds = self.application_seconds(carriers)?;
        let (hits, misses) = (self.sum(tally, Count::AppHits), self.sum(tally, Count::AppMisses));
        match kind {
            R::HitRate => ratio(hits, hits + misses),
            R::LookupsPerSecond => exact((hits + misses) / seconds),
            R::MissesPerSecond => exact(misses / seconds),
            R::LatencyMeanSeconds => {
                let timed = self.sum(tally, Count::TimedReads);
                if timed > 1e-9 { exact(self.sum(tally, Count::LatencyNanos) / timed / 1e9) } else { None }
            }
            _ => None,
        }
    }

    /// Our own round trips, where they are enough for this quantile.
    fn probed<'r>(&self, quantile: f64, rows: impl IntoIterator<Item = &'r Row>) -> Point {
        let mut counts = Counts::new();
        for probed in rows.into_iter().filter_map(|row| row.probed.as_deref()) {
            let more = probed.trips.counts_between(&self.engine.frame, self.from_ms, self.to_ms);
            add_counts(&mut counts, &more, 1.0);
        }
        let samples = total(&counts);
        if samples < least_samples(quantile) {
            return None;
        }
        let found = TRIP_SCALE.quantile(quantile, &counts)?;
        let (low, high) = bounds_of(quantile, samples as u64);
        let at = |rank: u64| TRIP_SCALE.at_rank(rank as f64, &counts);
        Some((found.seconds, low.and_then(at).map(|at| at.low), high.and_then(at).map(|at| at.high)))
    }

    /// Execution time: of all keys from the server's histograms, of a row by model, which has no interval.
    fn execution(&self, quantile: f64, row: Option<&Row>) -> Point {
        let times = &self.engine.command_times;
        let (frame, from_ms, to_ms) = (&self.engine.frame, self.from_ms, self.to_ms);
        self.known(times.covered_between(frame, from_ms, to_ms))?;
        let by_command = times.counts_between(frame, from_ms, to_ms);
        let all = merged(&by_command);
        let Some(row) = row else {
            let found = SERVER_SCALE.quantile(quantile, &all)?;
            return Some((found.seconds, Some(found.low), Some(found.high)));
        };
        let mix = row.reads.counts_between(frame, from_ms, to_ms);
        let reads = mix.iter().map(|(_, count)| count).sum();
        exact(SERVER_SCALE.quantile(quantile, &mixed(&mix, reads, &by_command, &all)?)?.seconds)
    }

    fn quantile(&self, quantile: f64, carriers: &[u32]) -> Point {
        let mut counts = Vec::new();
        for number in carriers {
            let histogram = &self.engine.applications.carriers[*number as usize].histogram;
            merge_counts(&mut counts, histogram.counts_between(&self.engine.frame, self.from_ms, self.to_ms));
        }
        let found = latency::quantile(quantile, &counts).filter(|found| found.seconds >= 0.0)?;
        Some((found.seconds, Some(found.low), found.high))
    }
}
