//! What the application counted for a row, over the window.

use cachescope_model::reading::Reading;

use super::reasons::Reason;
use super::view::{LEAST_SECONDS, View, words};
use crate::applications::Carrier;
use crate::engine::Engine;
use crate::rows::Row;
use crate::window::{Count, Range, Tally};

/// The source's name of these figures.
pub(super) const SOURCE: &str = "application counters";
/// What is said where nothing was looked up.
pub(super) const NO_TRAFFIC: &str = "no traffic in this window";

const SAMPLED_ONCE: &str = "the application's metrics were sampled once; a rate needs a second sample";

/// Counts of a row or of everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) hits: f64,
    pub(super) misses: f64,
    pub(super) evictions: f64,
    pub(super) nanos: f64,
    pub(super) timed: f64,
    /// Seconds for which they are known.
    pub(super) seconds: f64,
    /// Share of the lookups that may be lost, because counters began anew.
    pub(super) lost_seconds: f64,
    pub(super) remark: Option<String>,
    /// The label under which several rows are counted together.
    pub(super) shared: Option<String>,
}

impl Figures {
    fn add(&mut self, tally: &Tally, range: &Range) {
        let sum = |count: Count| tally.sum(count, range) as f64;
        self.hits += sum(Count::AppHits);
        self.misses += sum(Count::AppMisses);
        self.evictions += sum(Count::AppEvictions);
        self.nanos += sum(Count::LatencyNanos);
        self.timed += sum(Count::TimedReads);
    }

    pub(super) fn lookups(&self) -> f64 {
        self.hits + self.misses
    }

    /// Hits ÷ lookups. Lookups lost at a restart may all have been hits, or all misses: that is its interval.
    pub(super) fn hit_rate(&self) -> Reading {
        let lookups = self.lookups();
        if lookups <= 0.0 {
            return Reading::unavailable(NO_TRAFFIC);
        }
        let value = self.hits / lookups;
        match (&self.shared, &self.remark) {
            (Some(label), _) => Reading::modelled(
                value,
                format!("it hits as often as everything the application counts under {label:?}"),
                SOURCE,
                self.seconds,
            ),
            (None, Some(remark)) => {
                let lost = lookups * self.lost_seconds / self.seconds.max(LEAST_SECONDS);
                let (low, high) = (self.hits / (lookups + lost), (self.hits + lost) / (lookups + lost));
                let estimate = Reading::estimated(value, low, high, SOURCE, self.seconds);
                estimate.with_reason(remark.clone())
            }
            (None, None) => Reading::exact(value, SOURCE, self.seconds),
        }
    }

    /// A count per second.
    pub(super) fn rate(&self, count: f64) -> Reading {
        let value = count / self.seconds;
        if let Some(label) = &self.shared {
            return Reading::unavailable(format!(
                "the application counts it together with other namespaces under {label:?}; give it a label of \
                 its own"
            ));
        }
        match &self.remark {
            Some(remark) => {
                let high = value * (1.0 + self.lost_seconds / self.seconds.max(LEAST_SECONDS));
                Reading::estimated(value, value, high, SOURCE, self.seconds).with_reason(remark.clone())
            }
            None => Reading::exact(value, SOURCE, self.seconds),
        }
    }
}

/// What some labels count together.
struct Gathered {
    /// `None` where none of them was counted lately.
    figures: Option<Figures>,
    /// When one that is silent now was last heard.
    silent_ms: Option<i64>,
}

fn gather<'c>(view: &View<'_>, carriers: impl Iterator<Item = &'c Carrier>) -> Gathered {
    let mut gathered = Gathered { figures: None, silent_ms: None };
    for carrier in carriers {
        let Some(way) = carrier.origin.chosen() else { continue };
        let Some(way_view) = &view.ways[way as usize] else { continue };
        if carrier.origin.is_silent(view.now_ms) && !way_view.fresh {
            gathered.silent_ms = carrier.origin.heard_ms();
            continue;
        }
        let figures = gathered.figures.get_or_insert_with(Figures::default);
        figures.add(&carrier.tally, &way_view.range);
        let since = carrier
            .origin
            .since_ms
            .map_or(f64::INFINITY, |since_ms| (way_view.end_ms - since_ms).max(0) as f64 / 1000.0);
        figures.seconds = figures.seconds.max(way_view.seconds.min(since));
        if let Some(remark) = &way_view.remark {
            figures.remark = Some(remark.clone());
            figures.lost_seconds = figures.lost_seconds.max(way_view.lost_seconds);
        }
        if carrier.rows.len() > 1 {
            figures.shared = Some(carrier.label.as_ref().to_owned());
        }
    }
    gathered
}

impl Gathered {
    /// The figures, or why there are none although the labels have been met.
    fn known(self, view: &View<'_>, seen: bool) -> Option<Result<Figures, Reason>> {
        if let Some(figures) = self.figures {
            return Some(if figures.seconds >= LEAST_SECONDS {
                Ok(figures)
            } else {
                Err(SAMPLED_ONCE.into())
            });
        }
        if let Some(heard_ms) = self.silent_ms {
            let ago = words((view.now_ms - heard_ms) as f64 / 1000.0);
            return Some(Err(format!(
                "the application's metrics brought nothing new for {ago}; {}",
                view.reasons.metrics
            )
            .into()));
        }
        seen.then(|| Err(SAMPLED_ONCE.into()))
    }
}

/// What the application counted for this row; otherwise why that is not known.
pub(super) fn of_row(engine: &Engine, view: &View<'_>, row: &Row) -> Result<Figures, Reason> {
    let apps = &engine.applications;
    let carriers = || row.carriers.iter().map(|number| &apps.carriers[*number as usize]);
    let seen = carriers().any(|carrier| carrier.origin.was_seen());
    if let Some(known) = gather(view, carriers()).known(view, seen) {
        return known;
    }
    if view.main_way.is_some() && row.carriers.is_empty() {
        return Err("the application counts nothing under a label of this namespace: name its label in the \
                    strategy (metric_labels)"
            .into());
    }
    if view.main_way.is_some() {
        let labels: Vec<_> = carriers().map(|carrier| format!("{:?}", carrier.label)).collect();
        return Err(
            format!("the application's metrics have no series labelled {} yet", labels.join(" or ")).into()
        );
    }
    Err(view.reasons.metrics.clone())
}

/// What the application counted in another layer than Redis; otherwise why that is not known.
pub(super) fn of_layer(view: &View<'_>, carrier: &Carrier) -> Result<Figures, Reason> {
    let known = gather(view, std::iter::once(carrier)).known(view, carrier.origin.was_seen());
    known.unwrap_or_else(|| Err(view.reasons.metrics.clone()))
}

/// What applications counted in Redis altogether.
pub(super) fn of_all(engine: &Engine, view: &View<'_>) -> Result<Figures, Reason> {
    let apps = &engine.applications;
    let Some(way) = view.main_way else { return Err(view.reasons.metrics.clone()) };
    let Some(way_view) = &view.ways[way as usize] else { return Err(view.reasons.metrics.clone()) };
    if !way_view.fresh {
        return Err(format!("the application's metrics have stopped; {}", view.reasons.metrics).into());
    }
    let mut figures = Figures {
        seconds: way_view.seconds,
        lost_seconds: way_view.lost_seconds,
        remark: way_view.remark.clone(),
        ..Figures::default()
    };
    figures.add(&apps.total, &way_view.range);
    if figures.seconds < LEAST_SECONDS {
        return Err(SAMPLED_ONCE.into());
    }
    Ok(figures)
}
