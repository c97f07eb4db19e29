//! Who carries a change, and why: differences between the figures since the onset and those before.

use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::time::Timestamp;
use cachescope_model::triage::{Carrier, CauseShare, MissCause, TenantShare, Triage};

use super::{Drive, Spans};
use crate::engine::Engine;
use crate::events::MISSES;
use crate::rows::Row;

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

impl Engine {
    /// Fills in carriers, tenants and causes.
    pub(super) fn share_out(&self, triage: &mut Triage, drive: Drive, about: Option<&str>, spans: Spans) {
        let (kind, carried) = match drive {
            Drive::Misses | Drive::Elsewhere => (R::MissesPerSecond, EXTRA_MISSES),
            Drive::Evictions | Drive::Memory => (R::EvictionsPerSecond, EXTRA_EVICTIONS),
            Drive::Latency(kind) => (kind, EXTRA_TIME),
            Drive::Silence => return,
        };
        let rows: Vec<&Row> = match about {
            Some(template) => self.rows.find(template).map(|row| self.rows.get(row)).into_iter().collect(),
            None => self.rows.live().map(|(_, row)| row).collect(),
        };
        let (mut all_before, mut all_now) = (0.0, 0.0);
        let mut carriers: Vec<(f64, Carrier)> = rows
            .into_iter()
            .filter_map(|row| {
                let (before, now) = self.change(row, kind, spans)?;
                (all_before, all_now) = (all_before + before, all_now + now);
                let extra = match drive {
                    // A slow namespace weighs as much as it is asked.
                    Drive::Latency(_) => {
                        let lookups = self.average(
                            Some(&row.template),
                            R::LookupsPerSecond,
                            spans.now_from,
                            spans.now_to,
                        );
                        (now - before) * lookups.unwrap_or(0.0)
                    }
                    _ => now - before,
                };
                let carrier = Carrier {
                    namespace: row.template.clone(),
                    title: if row.title.is_empty() { row.template.clone() } else { row.title.clone() },
                    share: 0.0,
                    before,
                    now,
                };
                (extra > 0.0).then_some((extra, carrier))
            })
            .collect();
        // Where all of them together did not grow, some did by chance.
        if !matches!(drive, Drive::Latency(_)) && all_now < LEAST_GROWTH * all_before {
            return;
        }
        let sum: f64 = carriers.iter().map(|(extra, _)| extra).sum();
        carriers.sort_by(|one, other| other.0.total_cmp(&one.0));
        triage.carriers = carriers
            .into_iter()
            .map(|(extra, carrier)| Carrier { share: extra / sum, ..carrier })
            .filter(|carrier| carrier.share >= LEAST_SHARE)
            .take(MOST_CARRIERS)
            .collect();
        if !triage.carriers.is_empty() {
            carried.clone_into(&mut triage.carried);
        }
        if matches!(drive, Drive::Misses | Drive::Elsewhere | Drive::Evictions) {
            triage.causes = self.causes_of_change(about, spans);
        }
        if matches!(drive, Drive::Misses | Drive::Elsewhere)
            && let Some(first) = triage.carriers.first()
        {
            triage.tenants = self.tenants_of_change(&first.namespace, spans);
        }
    }

    /// A namespace's figure before and now. What was not there before was nothing, where the reading is a rate.
    fn change(&self, row: &Row, kind: R, spans: Spans) -> Option<(f64, f64)> {
        let of = |from, to| self.average(Some(&row.template), kind, from, to);
        let now = of(spans.now_from, spans.now_to).filter(|now| *now > 0.0)?;
        let is_rate = matches!(kind, R::MissesPerSecond | R::EvictionsPerSecond);
        let before = of(spans.before_from, spans.before_to).or(is_rate.then_some(0.0))?;
        Some((before, now))
    }

    /// Which causes of misses grew, as shares of what came on top.
    fn causes_of_change(&self, about: Option<&str>, spans: Spans) -> Vec<CauseShare> {
        let counted = |from: i64, to: i64| {
            let points = self.cause_history(about, Timestamp(from), Timestamp(to), 1);
            points.first().and_then(|point| point.causes)
        };
        let Some(now) = counted(spans.now_from, spans.now_to) else { return Vec::new() };
        let before = counted(spans.before_from, spans.before_to).unwrap_or_default();
        let scale =
            (spans.now_to - spans.now_from) as f64 / (spans.before_to - spans.before_from).max(1) as f64;
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
