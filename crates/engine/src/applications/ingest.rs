//! A batch of samples becomes counts.

use std::hash::BuildHasher;

use cachescope_model::metrics::{MetricsBatch, Sample};

use super::names::{Recognised, Role};
use super::series::Increase;
use super::{Applications, Carrier, Endpoint, MOST_ENDPOINTS, MOST_LAYERS, Origin, Way};
use crate::hash::Hashing;
use crate::rows::Rows;
use crate::server::{ExporterMetric, Server};
use crate::window::{Count, Frame, Tally};

/// A series whose newest sample is older than this belongs to a target that is gone: it holds nobody back.
const GONE_AFTER_MILLIS: i64 = 60_000;
/// Processes remembered behind one endpoint.
const MOST_TARGETS: usize = 1_024;
/// Labels without a row of their own that are counted all the same, for the sums.
const MOST_CARRIERS: usize = 20_000;
/// Timestamps outside of this are nonsense: year 1970 to 9999.
const LATEST_MILLIS: i64 = 253_402_300_800_000;

/// Where a batch is taken in: the parts of the engine that it touches.
pub(crate) struct Intake<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) hashing: &'a Hashing,
    pub(crate) rows: &'a mut Rows,
    pub(crate) server: &'a mut Server,
    pub(crate) now_ms: i64,
}

struct Met<'a> {
    sample: &'a Sample,
    recognised: Recognised<'a>,
    at_ms: i64,
}

/// Where a series is counted.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// Under this label in Redis: the place of its carrier.
    Label(usize),
    /// In another layer.
    Layer(&'a str),
}

impl Applications {
    /// Takes in what one endpoint gave.
    pub(crate) fn observe(&mut self, intake: &mut Intake<'_>, batch: &MetricsBatch) {
        let Some(number) = self.endpoint(batch) else { return };
        let names = std::mem::replace(&mut self.names, super::Names::none());
        let mut met: Vec<Met<'_>> = batch
            .samples
            .iter()
            .filter_map(|sample| {
                let recognised = names.recognise(sample)?;
                Some(Met { sample, recognised, at_ms: sample.at.millis().clamp(0, LATEST_MILLIS) })
            })
            .collect();
        met.sort_by_key(|met| met.at_ms);
        self.settle_times(number, &mut met, intake.now_ms);
        for met in &met {
            self.take(number, met, intake);
        }
        drop(met);
        self.names = names;
        self.series.batch_ended();
    }

    fn endpoint(&mut self, batch: &MetricsBatch) -> Option<usize> {
        let place = match self.endpoints.iter().position(|endpoint| endpoint.name == batch.endpoint) {
            Some(place) => place,
            None if self.endpoints.len() >= MOST_ENDPOINTS => {
                self.endpoints_left_out += 1;
                return None;
            }
            None => {
                self.endpoints.push(Endpoint {
                    name: batch.endpoint.clone(),
                    way: Way::Pages,
                    covered: Tally::default(),
                    covered_to_ms: None,
                    complete_to_ms: 0,
                    origin: Origin::default(),
                    interval_ms: None,
                    ahead_ms: 0,
                    bad_lines: 0,
                    targets: hashbrown::HashMap::new(),
                });
                self.endpoints.len() - 1
            }
        };
        self.endpoints[place].bad_lines = batch.bad_lines;
        Some(place)
    }

    /// Which way this endpoint is, how its clock stands to ours, and how far its series are complete.
    fn settle_times(&mut self, number: usize, met: &mut [Met<'_>], now_ms: i64) {
        let endpoint = &mut self.endpoints[number];
        let Some(newest) = met.last().map(|met| met.at_ms) else { return };
        // Prometheus attaches both to everything it scrapes; an application attaches neither to its own page.
        if met.iter().any(|met| met.sample.label("instance").is_some() && met.sample.label("job").is_some()) {
            endpoint.way = Way::Prometheus;
        }
        // A clock that is ahead of ours can't be right for us: its samples are not from the future.
        endpoint.ahead_ms = endpoint.ahead_ms.max(newest - now_ms).max(0);
        let ahead = endpoint.ahead_ms;
        for met in met.iter_mut() {
            met.at_ms -= ahead;
        }
        let newest = newest - ahead;
        endpoint.origin.see(endpoint.way, newest, now_ms, endpoint.interval_ms);
        endpoint.origin.admit(endpoint.way, newest, now_ms);
        // Sorted by time: of each series the last one stays.
        let last: hashbrown::HashMap<_, i64> =
            met.iter().map(|met| (&met.sample.series, met.at_ms)).collect();
        let alive = last.into_values().filter(|at_ms| *at_ms >= newest - GONE_AFTER_MILLIS);
        endpoint.complete_to_ms = endpoint.complete_to_ms.max(alive.min().unwrap_or(newest));
    }

    fn take(&mut self, number: usize, met: &Met<'_>, intake: &mut Intake<'_>) {
        let series = intake.hashing.series(number, &met.sample.series);
        let value = met.sample.value;
        match met.recognised.role {
            Role::Quantile(quantile, unit) => {
                if let Some(whose) = self.whose(&met.recognised, intake.rows)
                    && let Some(carrier) = self.carrier_mut(whose)
                {
                    carrier.histogram.note(series, quantile, value * unit, intake.now_ms);
                }
                return;
            }
            Role::Exporter(metric) if metric.count().is_none() => {
                self.exporter_level(number, met, series, metric, intake);
                return;
            }
            _ => {}
        }
        let target = self.target(number, met.sample, met.at_ms);
        let (way, interval_ms) = (self.endpoints[number].way, self.endpoints[number].interval_ms);
        let whose = match met.recognised.role {
            Role::Exporter(_) => None,
            _ => self.whose(&met.recognised, intake.rows),
        };
        if let Some(carrier) = whose.and_then(|whose| self.carrier_mut(whose)) {
            carrier.origin.see(way, met.at_ms, intake.now_ms, interval_ms);
        }
        let Some(increase) = self.series.sample(series, value, met.at_ms, target) else { return };
        self.endpoints[number].cover(intake.frame, &increase);
        if let Role::Exporter(metric) = met.recognised.role {
            self.server_origin.see(way, met.at_ms, intake.now_ms, interval_ms);
            self.exporter_counter(way, series, metric, &increase, intake);
            return;
        }
        let Some(whose) = whose else { return };
        let Some(carrier) = self.carrier_mut(whose) else { return };
        if increase.born {
            carrier.origin.born();
        }
        let Some(from_ms) = carrier.origin.admit(way, increase.from_ms, intake.now_ms) else { return };
        self.count(whose, met.recognised.role, series, &increase, from_ms, intake.frame);
    }

    /// Adds an increase to its label's counts and, in Redis, to the sums.
    fn count(
        &mut self,
        whose: Whose<'_>,
        role: Role,
        series: u128,
        increase: &Increase,
        from_ms: i64,
        frame: &Frame,
    ) {
        let length = increase.to_ms - increase.from_ms;
        let left = increase.to_ms - from_ms;
        let to_ms = increase.to_ms;
        if left <= 0 || increase.amount <= 0.0 {
            // Nothing to add; a bucket that stays at 0 has to be known all the same.
            if let Role::Bucket(bound) = role
                && let Some(carrier) = self.carrier_mut(whose)
            {
                carrier.histogram.spread(frame, bound, to_ms, to_ms, 0);
            }
            return;
        }
        let amount = increase.amount * (left as f64 / length as f64);
        let (count, amount) = match role {
            Role::Hits => (Count::AppHits, amount),
            Role::Misses => (Count::AppMisses, amount),
            Role::Evictions => (Count::AppEvictions, amount),
            Role::Timed => (Count::TimedReads, amount),
            Role::Sum(unit) => (Count::LatencyNanos, amount * unit * 1e9),
            Role::Bucket(bound) => {
                let whole = self.series.whole(series, amount);
                if let Some(carrier) = self.carrier_mut(whose) {
                    carrier.histogram.spread(frame, bound, from_ms, to_ms, whole);
                }
                return;
            }
            Role::Quantile(..) | Role::Exporter(_) => return,
        };
        let whole = self.series.whole(series, amount);
        if let Some(carrier) = self.carrier_mut(whose) {
            carrier.tally.spread(count, frame, from_ms, to_ms, whole);
        }
        if matches!(whose, Whose::Label(_)) {
            self.total.spread(count, frame, from_ms, to_ms, whole);
        }
    }

    /// Where a series is counted; `None` where there is no place left.
    fn whose<'a>(&mut self, recognised: &Recognised<'a>, rows: &mut Rows) -> Option<Whose<'a>> {
        let Some(layer) = recognised.other_layer else {
            return self.carrier(recognised.label, rows).map(|number| Whose::Label(number as usize));
        };
        // A layer that is not Redis makes no row of Redis's table.
        if !self.layers.contains_key(layer) {
            if self.layers.len() >= MOST_LAYERS {
                return None;
            }
            let carrier = Carrier { label: layer.into(), ..Carrier::default() };
            self.layers.insert(layer.to_owned(), carrier);
        }
        Some(Whose::Layer(layer))
    }

    fn carrier_mut(&mut self, whose: Whose<'_>) -> Option<&mut Carrier> {
        match whose {
            Whose::Label(place) => self.carriers.get_mut(place),
            Whose::Layer(layer) => self.layers.get_mut(layer),
        }
    }

    /// The carrier of a series' label; a label that nobody knows becomes a row, or is counted without one.
    fn carrier(&mut self, label: Option<&str>, rows: &mut Rows) -> Option<u32> {
        let Some(label) = label else { return Some(0) };
        if let Some(known) = self.by_label.get(label) {
            return Some(*known);
        }
        if self.carriers.len() >= MOST_CARRIERS {
            return None;
        }
        match rows.discover(label, label) {
            Some(row) => {
                let number = self.bind(label, row);
                rows.get_mut(row).carriers.push(number);
                Some(number)
            }
            None => {
                let number = self.carriers.len() as u32;
                self.add_carrier(label);
                Some(number)
            }
        }
    }

    /// Notes a scrape of the process behind a series, and gives the time of the one before.
    fn target(&mut self, number: usize, sample: &Sample, at_ms: i64) -> Option<i64> {
        let targets = &mut self.endpoints[number].targets;
        let target = targets.hasher().hash_one((sample.label("instance"), sample.label("job")));
        if targets.len() >= MOST_TARGETS && !targets.contains_key(&target) {
            return None;
        }
        let target = targets.entry(target).or_default();
        let known = target.newest();
        let before = target.scraped(at_ms);
        if let (Some(known), true) = (known, known < Some(at_ms)) {
            // Smoothed: one scrape that failed does not make a slow target.
            let apart = (at_ms - known).min(300_000);
            let endpoint = &mut self.endpoints[number];
            endpoint.interval_ms = Some(endpoint.interval_ms.map_or(apart, |usual| (3 * usual + apart) / 4));
        }
        before
    }

    fn exporter_level(
        &mut self,
        number: usize,
        met: &Met<'_>,
        series: u128,
        metric: ExporterMetric,
        intake: &mut Intake<'_>,
    ) {
        let (way, interval_ms) = (self.endpoints[number].way, self.endpoints[number].interval_ms);
        self.server_origin.see(way, met.at_ms, intake.now_ms, interval_ms);
        let usable = met.sample.value.is_finite() && met.sample.value >= 0.0;
        let admitted = self.server_origin.admit(way, met.at_ms, intake.now_ms).is_some();
        if usable && admitted {
            intake.server.exporter.level(series, metric, met.sample.value, met.at_ms);
        }
    }

    fn exporter_counter(
        &mut self,
        way: Way,
        series: u128,
        metric: ExporterMetric,
        increase: &Increase,
        intake: &mut Intake<'_>,
    ) {
        let Some(from_ms) = self.server_origin.admit(way, increase.from_ms, intake.now_ms) else { return };
        if increase.to_ms <= from_ms || intake.server.is_direct(intake.now_ms) {
            return;
        }
        let share = (increase.to_ms - from_ms) as f64 / (increase.to_ms - increase.from_ms) as f64;
        let whole = self.series.whole(series, increase.amount * share);
        if let Some(count) = metric.count() {
            intake.server.tally.spread(count, intake.frame, from_ms, increase.to_ms, whole);
            intake.server.exporter.cover(intake.frame, from_ms, increase.to_ms);
        }
    }
}

impl Endpoint {
    /// An increase is known for this interval, so the counters are.
    fn cover(&mut self, frame: &Frame, increase: &Increase) {
        let from_ms = self.covered_to_ms.map_or(increase.from_ms, |covered| covered.max(increase.from_ms));
        if increase.to_ms > from_ms {
            let millis = (increase.to_ms - from_ms) as u64;
            self.covered.spread(Count::CoveredMillis, frame, from_ms, increase.to_ms, millis);
            if increase.reset {
                self.covered.spread(Count::AppLostMillis, frame, from_ms, increase.to_ms, millis);
            }
            self.covered_to_ms = Some(increase.to_ms);
        }
    }
}
