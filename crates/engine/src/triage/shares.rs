//! Who carries a change, and why: differences between the figures since the onset and those before.

use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::snapshot::MissCauses;
use cachescope_model::time::Timestamp;
use cachescope_model::triage::{Carrier, CauseShare, MissCause, TenantShare, Triage};

use super::compared::Compared;
use super::{ALONE_MILLIS, Drive, Spans, is_time};
use crate::engine::Engine;
use crate::events::MISSES;
use crate::history::Slice;

/// What the shares of carriers may be shares of.
pub(super) const EXTRA_MISSES: &str = "extra misses";
pub(super) const EXTRA_EVICTIONS: &str = "extra evictions";
pub(super) const EXTRA_TIME: &str = "extra time of lookups";

/// Namespaces and tenants that are named.
const MOST_CARRIERS: usize = 5;
const MOST_TENANTS: usize = 3;
/// Smaller shares are noise.
const LEAST_SHARE: f64 = 0.03;
/// A tenant that carries less of its namespace's change is one of many.
const LEAST_TENANT: f64 = 0.15;
/// What is now must be this many times what was before, over all namespaces.
const LEAST_GROWTH: f64 = 1.15;
/// Misses that must have come on top before their tenants or causes are told apart.
const LEAST_MISSES: f64 = 10.0;

/// A namespace's figure before and now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    row: u32,
    pub(super) before: f64,
    pub(super) now: f64,
    /// How much it adds to what is shared out.
    pub(super) extra: f64,
}

impl Engine {
    /// Fills in carriers, tenants and causes.
    pub(super) fn share_out(
        &self,
        triage: &mut Triage,
        drive: Drive,
        about: Option<&str>,
        spans: Spans,
        compared: &mut Compared,
    ) {
        let (kind, carried) = match drive {
            Drive::Misses | Drive::Elsewhere => (R::MissesPerSecond, EXTRA_MISSES),
            Drive::Evictions | Drive::Memory => (R::EvictionsPerSecond, EXTRA_EVICTIONS),
            Drive::Latency(kind) => (kind, EXTRA_TIME),
            Drive::Nothing => return,
        };
        let changes = match about {
            Some(template) => self.changes(kind, spans, self.rows.find(template)).into(),
            None => compared.changes(self, kind, spans),
        };
        let sum_of = |of: fn(&Change) -> f64| changes.iter().map(of).sum::<f64>();
        // Where all of them together did not grow, some did by chance.
        if !matches!(drive, Drive::Latency(_))
            && sum_of(|change| change.now) < LEAST_GROWTH * sum_of(|change| change.before)
        {
            return;
        }
        let mut grown: Vec<&Change> = changes.iter().filter(|change| change.extra > 0.0).collect();
        let sum: f64 = grown.iter().map(|change| change.extra).sum();
        grown.sort_by(|one, other| other.extra.total_cmp(&one.extra));
        let large = grown.into_iter().filter(|change| change.extra / sum >= LEAST_SHARE);
        triage.carriers =
            large.take(MOST_CARRIERS).map(|change| self.carrier_of(change, change.extra / sum)).collect();
        if !triage.carriers.is_empty() {
            carried.clone_into(&mut triage.carried);
            triage.carried_unit = Some(kind.spec().unit);
        }
        if matches!(drive, Drive::Misses | Drive::Elsewhere | Drive::Evictions) {
            triage.causes = match about {
                Some(_) => self.causes_of_change(about, spans),
                None => compared.causes(self, spans),
            };
        }
        if matches!(drive, Drive::Misses | Drive::Elsewhere)
            && let Some(first) = triage.carriers.first()
        {
            triage.tenants = self.tenants_of_change(&first.namespace, spans);
        }
    }

    /// The figures of these namespaces before and now, those alone that have one now.
    pub(super) fn changes(&self, kind: R, spans: Spans, rows: impl IntoIterator<Item = u32>) -> Vec<Change> {
        let (before, now) = (
            Slice::new(self, spans.before_from, spans.before_to),
            Slice::new(self, spans.now_from, spans.now_to),
        );
        // What was not there before was nothing, where the reading is a rate, and where a scan had not met it.
        let from_nothing = matches!(kind, R::MissesPerSecond | R::EvictionsPerSecond | R::MemoryBytes);
        let change = |row: u32| {
            let is = now.value(kind, Some(row)).filter(|is| *is > 0.0)?;
            let was = before.value(kind, Some(row)).or(from_nothing.then_some(0.0))?;
            let weight = match kind {
                // A slow namespace weighs as much as it is asked.
                kind if is_time(kind) => now.value(R::LookupsPerSecond, Some(row)).unwrap_or(0.0),
                _ => 1.0,
            };
            Some(Change { row, before: was, now: is, extra: (is - was) * weight })
        };
        rows.into_iter().filter_map(change).collect()
    }

    /// A change under the namespace's name.
    pub(super) fn carrier_of(&self, change: &Change, share: f64) -> Carrier {
        let row = self.rows.get(change.row);
        Carrier {
            namespace: row.template.as_ref().to_owned(),
            title: if row.title.is_empty() { row.template.as_ref().to_owned() } else { row.title.clone() },
            share,
            before: change.before,
            now: change.now,
        }
    }

    /// Misses by cause in a span of time.
    fn causes_between(&self, about: Option<&str>, from: i64, to: i64) -> Option<MissCauses> {
        let points = self.cause_history(about, Timestamp(from), Timestamp(to), 1);
        points.first().and_then(|point| point.causes)
    }

    /// Which causes the misses of the last minute have; none where that is not known of most.
    pub(super) fn causes_of_all(&self, about: Option<&str>, now: Timestamp) -> Vec<CauseShare> {
        let to = now.millis();
        let counted = self.causes_between(about, to - ALONE_MILLIS, to);
        let shares = counted.map(|now| shares_of(now, MissCauses::default(), 0.0)).unwrap_or_default();
        let told = shares.first().is_some_and(|first| first.cause != MissCause::Unknown);
        if told { shares } else { Vec::new() }
    }

    /// Which causes of misses grew, as shares of what came on top.
    pub(super) fn causes_of_change(&self, about: Option<&str>, spans: Spans) -> Vec<CauseShare> {
        let Some(now) = self.causes_between(about, spans.now_from, spans.now_to) else { return Vec::new() };
        let before = self.causes_between(about, spans.before_from, spans.before_to).unwrap_or_default();
        let scale =
            (spans.now_to - spans.now_from) as f64 / (spans.before_to - spans.before_from).max(1) as f64;
        shares_of(now, before, scale)
    }

    /// Which tenants carry the extra misses of a namespace.
    fn tenants_of_change(&self, template: &str, spans: Spans) -> Vec<TenantShare> {
        let Some(row) = self.rows.find(template).map(|row| self.rows.resolve(row)) else {
            return Vec::new();
        };
        let Some(counted) = self.tenants.of_row(row).0 else { return Vec::new() };
        let scale =
            (spans.now_to - spans.now_from) as f64 / (spans.before_to - spans.before_from).max(1) as f64;
        let extra = |tally: &crate::window::Tally| {
            let sum = |from, to| -> f64 {
                MISSES.iter().map(|count| tally.between(*count, &self.frame, from, to)).sum()
            };
            (sum(spans.now_from, spans.now_to) - scale * sum(spans.before_from, spans.before_to)).max(0.0)
        };
        let mut named: Vec<(&[u8], f64)> =
            counted.named.iter().map(|(name, tenant)| (&**name, extra(&tenant.tally))).collect();
        let sum = named.iter().map(|(_, extra)| extra).sum::<f64>() + extra(&counted.others);
        if sum < LEAST_MISSES {
            return Vec::new();
        }
        named.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        named
            .into_iter()
            .take(MOST_TENANTS)
            .filter(|(_, extra)| extra / sum >= LEAST_TENANT)
            .map(|(name, extra)| TenantShare {
                namespace: template.to_owned(),
                tenant: self.shown_tenant(row, name),
                share: extra / sum,
            })
            .collect()
    }
}

/// What came on top of `scale` times what was before, by cause, the largest share first.
fn shares_of(now: MissCauses, before: MissCauses, scale: f64) -> Vec<CauseShare> {
    let pairs = [
        (MissCause::Expired, now.expired, before.expired),
        (MissCause::Evicted, now.evicted, before.evicted),
        (MissCause::Deleted, now.deleted, before.deleted),
        (MissCause::Flushed, now.flushed, before.flushed),
        (MissCause::Cold, now.cold, before.cold),
        (MissCause::Unknown, now.unknown, before.unknown),
    ];
    let mut grown: Vec<(MissCause, f64)> = pairs
        .into_iter()
        .map(|(cause, now, before)| (cause, now as f64 - before as f64 * scale))
        .filter(|(_, extra)| *extra > 0.0)
        .collect();
    let sum: f64 = grown.iter().map(|(_, extra)| extra).sum();
    if sum < LEAST_MISSES {
        return Vec::new();
    }
    grown.sort_by(|one, other| other.1.total_cmp(&one.1));
    grown
        .into_iter()
        .map(|(cause, extra)| CauseShare { cause, share: extra / sum })
        .filter(|share| share.share >= LEAST_SHARE)
        .collect()
}
