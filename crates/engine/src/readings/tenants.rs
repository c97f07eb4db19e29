//! A namespace by its tenants.

use cachescope_model::contents::TenantSnapshot;
use cachescope_model::key::printable;
use cachescope_model::reading::{Certainty, Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use hashbrown::HashMap;

use super::view::{View, words};
use super::{causes, event_rates, scanned};
use crate::engine::Engine;
use crate::scan::{Interval, scaled_up};
use crate::tenants::{MOST_OF_A_ROW, ScannedTenant};
use crate::window::{Count, Tally};

/// One tenant, or the others, before its readings are made.
#[derive(Clone, Default)]
struct Gathered<'e> {
    tally: Option<&'e Tally>,
    /// Tallies of those who fell among the others only here.
    more: Vec<&'e Tally>,
    since_ms: i64,
    scanned: ScannedTenant,
}

impl Engine {
    /// The tenants of a namespace with the most bytes, and after them those with the most misses; the others
    /// together last. Empty where there is no such namespace or its template has no tenant.
    #[must_use]
    pub fn tenants(&self, namespace: &str, now: Timestamp, window: Window) -> Vec<TenantSnapshot> {
        let Some(row) = self.rows.find(namespace).map(|row| self.rows.resolve(row)) else {
            return Vec::new();
        };
        if self.rows.get(row).tenant_field.is_none() {
            return Vec::new();
        }
        let view = View::new(self, now, window);
        let (counted, scans) = self.tenants.of_row(row);
        let mut named: HashMap<&[u8], Gathered<'_>> = HashMap::new();
        let mut others = Gathered::default();
        if let Some(counted) = counted {
            others.tally = Some(&counted.others);
            for (name, tenant) in &counted.named {
                let gathered = named.entry(name).or_default();
                (gathered.tally, gathered.since_ms) = (Some(&tenant.tally), tenant.since_ms);
            }
        }
        if let Some(found) = scans.of_row(row) {
            others.scanned = found.others.clone();
            for (name, tenant) in &found.named {
                named.entry(name).or_default().scanned = tenant.clone();
            }
        }
        let share = self.rows.get(row).scanned.as_deref().map_or(1.0, |found| {
            if found.keys.value > 0.0 { found.met as f64 / found.keys.value } else { 1.0 }
        });
        let mut sorted: Vec<_> = named.into_iter().collect();
        let weight = |gathered: &Gathered<'_>| {
            let misses = gathered.tally.map_or(0, |tally| causes(tally, &view.events_range).total());
            (gathered.scanned.keys, misses)
        };
        let bytes = |gathered: &Gathered<'_>| mean_bytes(gathered) * gathered.scanned.keys as f64;
        sorted.sort_by(|one, other| {
            let by_bytes = bytes(&other.1).total_cmp(&bytes(&one.1));
            by_bytes.then_with(|| weight(&other.1).cmp(&weight(&one.1))).then_with(|| one.0.cmp(other.0))
        });
        for (_, gathered) in sorted.drain(sorted.len().min(MOST_OF_A_ROW)..) {
            others.scanned.merge(&gathered.scanned);
            others.more.extend(gathered.tally);
        }
        let rest = others.scanned.keys > 0 || others.tally.is_some_and(|_| counted_any(&others, &view));
        let mut snapshots: Vec<_> = sorted
            .iter()
            .map(|(name, gathered)| TenantSnapshot {
                tenant: self.shown_tenant(row, name),
                others: false,
                readings: readings(&view, gathered, share),
            })
            .collect();
        if rest {
            snapshots.push(TenantSnapshot {
                tenant: String::new(),
                others: true,
                readings: readings(&view, &others, share),
            });
        }
        snapshots
    }

    /// A tenant of this row as one line of text, masked where the strategy says so.
    pub(crate) fn shown_tenant(&self, row: u32, name: &[u8]) -> String {
        let row = self.rows.get(row);
        let field = row.tenant_field.as_deref().unwrap_or_default();
        let masked = self.masked(&row.template).is_some_and(|fields| fields.iter().any(|it| it == field));
        if masked {
            format!("‹masked {:04x}›", self.hashing.key(0, name) & 0xffff)
        } else {
            printable(name)
        }
    }
}

fn mean_bytes(gathered: &Gathered<'_>) -> f64 {
    gathered.scanned.memory.sum / gathered.scanned.memory.count.max(1) as f64
}

fn counted_any(gathered: &Gathered<'_>, view: &View<'_>) -> bool {
    [Count::Evicted, Count::Expired].iter().any(|count| sum(gathered, *count, view) > 0)
        || misses(gathered, view) > 0
        || !gathered.more.is_empty()
}

fn sum(gathered: &Gathered<'_>, count: Count, view: &View<'_>) -> u64 {
    let tallies = gathered.tally.iter().chain(&gathered.more);
    tallies.map(|tally| tally.sum(count, &view.events_range)).sum()
}

fn misses(gathered: &Gathered<'_>, view: &View<'_>) -> u64 {
    let tallies = gathered.tally.iter().chain(&gathered.more);
    tallies.map(|tally| causes(tally, &view.events_range).total()).sum()
}

fn readings(view: &View<'_>, gathered: &Gathered<'_>, share: f64) -> Readings {
    let mut readings = Readings::new();
    let events = [
        (R::MissesPerSecond, misses(gathered, view)),
        (R::EvictionsPerSecond, sum(gathered, Count::Evicted, view)),
        (R::ExpirationsPerSecond, sum(gathered, Count::Expired, view)),
    ];
    for (kind, (reading, count)) in events.into_iter().enumerate() {
        let rate = event_rates::rate(&view.events[kind], count as f64)
            .map(|rate| with_its_beginning(rate, gathered.since_ms, view))
            .unwrap_or_else(|| Reading::unavailable(view.reasons.events[kind].clone()));
        readings.insert(reading, rate);
    }
    let Some((source, _)) = &view.scan else {
        for kind in [R::Keys, R::MemoryBytes] {
            readings.insert(kind, Reading::unavailable(view.reasons.scan.clone()));
        }
        return readings;
    };
    let keys = scaled_up(gathered.scanned.keys, share);
    readings.insert(R::Keys, scanned::reading(keys, source.clone()));
    let bytes = match gathered.scanned.memory.mean(keys.value) {
        Some(_) if gathered.scanned.memory.count as f64 >= keys.value => {
            scanned::reading(Interval::exact(gathered.scanned.memory.sum), source.clone())
        }
        Some(mean) => {
            let bytes = keys.times(&mean);
            let low = bytes.low.max(gathered.scanned.memory.sum).min(bytes.value);
            scanned::reading(Interval { low, ..bytes }, source.clone())
        }
        None if gathered.scanned.keys == 0 => scanned::reading(Interval::default(), source.clone()),
        None => Reading::unavailable("too few of its keys were weighed: an exact scan weighs all"),
    };
    readings.insert(R::MemoryBytes, bytes);
    readings
}

/// A tenant that got its own counts within the window had some before, among the others.
fn with_its_beginning(rate: Reading, since_ms: i64, view: &View<'_>) -> Reading {
    let seconds = (view.now_ms - since_ms).max(0) as f64 / 1000.0;
    if since_ms == 0 || seconds >= rate.window_seconds || rate.value.is_none() {
        return rate;
    }
    let reason = format!(
        "at least this much: it has counts of its own since {} and was among the others before",
        words(seconds)
    );
    Reading { certainty: Certainty::Modelled, low: None, high: None, ..rate }.with_reason(reason)
}
