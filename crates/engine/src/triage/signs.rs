//! Signs beside the shares: many keys that ran out at once, memory, a new version in the keys.

use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::time::Timestamp;
use cachescope_model::triage::{Carrier, MemoryStanding, MissCause, Triage, TtlCliff};
use cachescope_model::window::Window;

use super::compared::Compared;
use super::{Drive, Spans};
use crate::engine::Engine;
use crate::history::HistoryQuery;

/// Keys that run out within so short a time are a cliff …
const CLIFF_STEP_MILLIS: i64 = 5_000;
/// … where they are so many times what ran out before, and in most steps since …
const CLIFF_TIMES: f64 = 4.0;
/// … and at least so many.
const CLIFF_LEAST: f64 = 20.0;
/// Steps on either side of the steepest one that may belong to it.
const CLIFF_WIDEST: usize = 6;
/// Memory is worth a word from here on.
const HIGH_MEMORY: f64 = 0.85;
/// A version that most missed keys carry.
const MOST_OF_MISSED: f64 = 0.6;

impl Engine {
    pub(super) fn read_signs(
        &self,
        triage: &mut Triage,
        drive: Drive,
        about: Option<&str>,
        spans: Spans,
        now: Timestamp,
        compared: &mut Compared,
    ) {
        let main = triage.causes.first().map(|share| share.cause);
        triage.memory = self.memory_standing(drive, spans, main);
        if matches!(drive, Drive::Memory | Drive::Evictions) || main == Some(MissCause::Evicted) {
            triage.grown = self.grown(spans, compared);
        }
        if main == Some(MissCause::Expired) {
            triage.ttl_cliff = self.cliff(about, spans);
        }
        let cold = triage.causes.iter().any(|share| share.cause == MissCause::Cold && share.share > 0.3);
        if cold && let Some(first) = triage.carriers.first() {
            triage.new_version = self.new_version(&first.namespace, now);
        }
    }

    fn memory_standing(&self, drive: Drive, spans: Spans, main: Option<MissCause>) -> Option<MemoryStanding> {
        let ratio = self.average(None, R::MemoryRatio, spans.now_from, spans.now_to)?;
        let rate = |from, to| self.average(None, R::EvictionsPerSecond, from, to).unwrap_or(0.0);
        let evictions_per_second = rate(spans.now_from, spans.now_to);
        let matters = matches!(drive, Drive::Memory | Drive::Evictions)
            || main == Some(MissCause::Evicted)
            || (ratio >= HIGH_MEMORY && evictions_per_second > 0.0);
        matters.then(|| MemoryStanding {
            ratio,
            of_maxmemory: self.has_maxmemory(),
            evictions_per_second,
            evictions_before: rate(spans.before_from, spans.before_to),
        })
    }

    fn has_maxmemory(&self) -> bool {
        self.server.current(self.now_ms).is_some_and(|levels| levels.limited)
    }

    /// The namespace whose bytes grew most between the last scans before and after.
    fn grown(&self, spans: Spans, compared: &mut Compared) -> Option<Carrier> {
        let changes = compared.changes(self, R::MemoryBytes, spans);
        let grown = || changes.iter().filter(|change| change.extra > 0.0);
        let sum: f64 = grown().map(|change| change.extra).sum();
        let most = grown().max_by(|one, other| one.extra.total_cmp(&other.extra))?;
        let share = most.extra / sum;
        (share >= 0.3).then(|| self.carrier_of(most, share))
    }

    /// Many expirations within a few seconds around the onset.
    fn cliff(&self, about: Option<&str>, spans: Spans) -> Option<TtlCliff> {
        let before =
            self.average(about, R::ExpirationsPerSecond, spans.before_from, spans.before_to).unwrap_or(0.0);
        let from = spans.now_from - 60_000;
        let points = usize::try_from((spans.now_to - from) / CLIFF_STEP_MILLIS).ok()?;
        let series = self.history(&HistoryQuery {
            namespace: about.map(str::to_owned),
            kind: R::ExpirationsPerSecond,
            from: Timestamp(spans.now_to - points as i64 * CLIFF_STEP_MILLIS),
            to: Timestamp(spans.now_to),
            points,
        });
        let seconds = CLIFF_STEP_MILLIS as f64 / 1000.0;
        let rates: Vec<f64> = series.iter().map(|point| point.value.unwrap_or(0.0)).collect();
        let (steepest, most) = rates.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        // Neither before nor in most of the time since: more of them all the time is a slope.
        let mut sorted = rates.clone();
        sorted.sort_by(f64::total_cmp);
        let ordinary = before.max(sorted[sorted.len() / 2]);
        let high = |rate: f64| rate > ordinary * CLIFF_TIMES && rate > most / 10.0;
        if !high(most) {
            return None;
        }
        let left = rates[..steepest].iter().rev().take(CLIFF_WIDEST).take_while(|rate| high(**rate)).count();
        let right = rates[steepest + 1..].iter().take(CLIFF_WIDEST).take_while(|rate| high(**rate)).count();
        let within = &rates[steepest - left..=steepest + right];
        let keys = within.iter().sum::<f64>() * seconds;
        (keys >= CLIFF_LEAST).then(|| TtlCliff {
            at: series[steepest].at.plus_millis(-CLIFF_STEP_MILLIS),
            keys: keys.round(),
            seconds: within.len() as f64 * seconds,
            before_per_second: before,
        })
    }

    /// The version that most of the missed keys carry, where it is newer than what the last scan found or, without a
    /// scan, than what the other keys carry.
    fn new_version(&self, template: &str, now: Timestamp) -> Option<String> {
        let number = self.rows.resolve(self.rows.find(template)?);
        let row = self.rows.get(number);
        let field = row.version_field.as_deref()?;
        let keys = self.keys(template, now, Window::FiveMinutes)?;
        let version = |database: u16, key: &str| -> Option<u64> {
            let found = self.matcher.find(database, key.as_bytes())?;
            let value = self.matcher.field(found, key.as_bytes(), field)?;
            std::str::from_utf8(value).ok()?.parse().ok()
        };
        let mut weights: std::collections::BTreeMap<u64, f64> = std::collections::BTreeMap::new();
        for key in &keys.missed {
            if let Some(version) = version(key.database, &key.key) {
                *weights.entry(version).or_default() += key.per_second;
            }
        }
        let sum: f64 = weights.values().sum();
        let (newest, weight) = weights.last_key_value()?;
        let scanned = row.scanned.as_deref().map(|found| found.stale.newest).filter(|newest| *newest > 0);
        let oldest_hot = keys.hot.iter().filter_map(|key| version(key.database, &key.key)).min();
        let known = scanned.into_iter().chain(oldest_hot).min()?;
        (weight / sum >= MOST_OF_MISSED && *newest > known).then(|| newest.to_string())
    }
}
