//! What applications count themselves, by the label under which they count it.

mod ingest;
pub(crate) mod latency;
mod names;
mod origin;
mod series;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::window::{Count, Fold, Frame, Range, Tally};
pub(crate) use ingest::Intake;
use latency::Histogram;
pub(crate) use names::Names;
pub(crate) use origin::{Origin, Way};
use series::SeriesTable;

/// Endpoints kept: a deployment names a handful.
const MOST_ENDPOINTS: usize = 64;
/// Other layers kept (browser, CDN, in-process …).
const MOST_LAYERS: usize = 16;

/// What the application counts under one label, of a namespace or of another layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carrier {
    pub(crate) label: Arc<str>,
    pub(crate) tally: Tally,
    pub(crate) histogram: Histogram,
    pub(crate) origin: Origin,
    /// Rows that this label stands for; more than one can't be told apart.
    pub(crate) rows: Vec<u32>,
}

/// One page or server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    name: String,
    way: Way,
    covered: Tally,
    covered_to_ms: Option<i64>,
    /// Up to here every series that lives has been sampled.
    complete_to_ms: i64,
    origin: Origin,
    /// Usual time between two samples of one process behind it.
    interval_ms: Option<i64>,
    /// By how much its clock is ahead of ours, in milliseconds.
    ahead_ms: i64,
    pub(crate) bad_lines: u64,
    targets: HashMap<u64, series::Target>,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Applications {
    names: Names,
    series: SeriesTable,
    endpoints: Vec<Endpoint>,
    /// Number 0 counts what carries no label for a namespace.
    pub(crate) carriers: Vec<Carrier>,
    by_label: HashMap<Arc<str>, u32>,
    /// Sums over all labels, Redis alone.
    pub(crate) total: Tally,
    /// What is counted in other layers, by the layer's label.
    pub(crate) layers: BTreeMap<String, Carrier>,
    pub(crate) server_origin: Origin,
    /// Endpoints beyond the bound.
    pub(crate) endpoints_left_out: u64,
}

/// How far the counters of one way reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reach {
    /// Up to here they are complete, in milliseconds.
    pub(crate) end_ms: i64,
    /// Whether any of its endpoints still delivers.
    pub(crate) fresh: bool,
}

impl Applications {
    pub(crate) fn new(names: Names, max_series: usize) -> Self {
        Self {
            names,
            series: SeriesTable::new(max_series),
            endpoints: Vec::new(),
            carriers: vec![Carrier::default()],
            by_label: HashMap::new(),
            total: Tally::default(),
            layers: BTreeMap::new(),
            server_origin: Origin::default(),
            endpoints_left_out: 0,
        }
    }

    /// Makes room for this many labels, and for no more.
    pub(crate) fn expect(&mut self, labels: usize) {
        self.carriers.reserve_exact(labels);
        self.by_label.reserve(labels);
    }

    /// Says that the application counts a row under this label.
    pub(crate) fn bind(&mut self, label: &str, row: u32) -> u32 {
        let number = match self.by_label.get(label) {
            Some(number) => *number,
            None => {
                let number = self.carriers.len() as u32;
                self.add_carrier(label);
                number
            }
        };
        let carrier = &mut self.carriers[number as usize];
        if !carrier.rows.contains(&row) {
            carrier.rows.push(row);
        }
        number
    }

    fn add_carrier(&mut self, label: &str) {
        let label: Arc<str> = label.into();
        self.by_label.insert(Arc::clone(&label), self.carriers.len() as u32);
        self.carriers.push(Carrier { label, ..Carrier::default() });
    }

    /// How far one way's counters reach: to where the slowest of its endpoints that still deliver is complete.
    pub(crate) fn reach(&self, way: Way, now_ms: i64) -> Option<Reach> {
        let of_way = || self.endpoints.iter().filter(|endpoint| endpoint.way == way);
        let fresh = of_way().filter(|endpoint| !endpoint.origin.is_silent(now_ms));
        let end_ms = fresh.map(|endpoint| endpoint.complete_to_ms).min();
        let last = || of_way().map(|endpoint| endpoint.complete_to_ms).max();
        end_ms.or_else(last).map(|latest_ms| Reach { end_ms: latest_ms, fresh: end_ms.is_some() })
    }

    /// Seconds of these slots for which one way's counters are known.
    pub(crate) fn covered_seconds(&self, way: Way, range: &Range) -> f64 {
        let of_way = self.endpoints.iter().filter(|endpoint| endpoint.way == way);
        of_way.map(|endpoint| endpoint.covered.sum(Count::CoveredMillis, range) as f64).fold(0.0, f64::max)
            / 1000.0
    }

    /// The same over any interval, in milliseconds.
    pub(crate) fn covered_between(&self, way: Way, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        let of_way = self.endpoints.iter().filter(|endpoint| endpoint.way == way);
        let between =
            |endpoint: &Endpoint| endpoint.covered.between(Count::CoveredMillis, frame, from_ms, to_ms);
        of_way.map(between).fold(0.0, f64::max)
    }

    /// Milliseconds within these slots that were lost because an application was restarted.
    pub(crate) fn lost_millis(&self, way: Way, range: &Range) -> u64 {
        let of_way = self.endpoints.iter().filter(|endpoint| endpoint.way == way);
        of_way.map(|endpoint| endpoint.covered.sum(Count::AppLostMillis, range)).max().unwrap_or(0)
    }

    /// The way by which most labels are counted now.
    pub(crate) fn main_way(&self) -> Option<Way> {
        let by =
            |way: Way| self.carriers.iter().filter(|carrier| carrier.origin.chosen() == Some(way)).count();
        let best = Way::ALL.into_iter().max_by_key(|way| by(*way))?;
        (by(best) > 0).then_some(best)
    }

    /// Series that found no place.
    pub(crate) fn series_left_out(&self) -> u64 {
        self.series.left_out()
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Drops series that have not been sampled for an hour.
    pub(crate) fn forget_old_series(&mut self, now_ms: i64) {
        self.series.forget_before(now_ms - 3_600_000);
    }

    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        self.total.fold(folds);
        for carrier in self.carriers.iter_mut().chain(self.layers.values_mut()) {
            carrier.tally.fold(folds);
            carrier.histogram.fold(folds);
        }
        for endpoint in &mut self.endpoints {
            endpoint.covered.fold(folds);
        }
    }
}

impl Endpoint {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
