//! From counters to rates with their intervals.

use cachescope_model::key::OUR_PREFIX;
use cachescope_model::keys::{KeyRate, MissedKey, NamespaceKeys};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use hashbrown::HashMap;

use super::sketch::Counter;
use super::{PERIOD_MILLIS, TopKeys};
use crate::engine::Engine;
use crate::events::State;
use crate::readings::Reasons;
use crate::sample::of_total;

/// Keys shown of each kind.
const SHOWN: usize = 20;

/// One key over both periods.
struct Found<'k> {
    counter: &'k Counter,
    most: f64,
    least: f64,
}

impl TopKeys {
    /// The keys of a row that come most often, and seconds behind them: of this period where it covers the
    /// window, otherwise of this and the one before.
    fn of_row(&self, engine: &Engine, row: u32, now_ms: i64, window: Window) -> (Vec<KeyRate>, f64) {
        let millis = now_ms - self.now.since_ms;
        // What nobody added to for a whole period is not about now.
        if self.now.counted == 0 || millis > 2 * PERIOD_MILLIS {
            return (Vec::new(), 0.0);
        }
        let before = self.before.as_ref().filter(|_| millis < i64::from(window.seconds()) * 1000);
        let since_ms = before.map_or(self.now.since_ms, |before| before.since_ms);
        let seconds = ((now_ms - since_ms) as f64 / 1000.0).max(1.0);
        let periods: Vec<_> = [before, Some(&self.now)].into_iter().flatten().collect();
        let mut keys = HashMap::<u64, Found<'_>>::new();
        let unseen: Vec<f64> =
            periods.iter().map(|period| period.rows.get(&row).map_or(0.0, super::Sketch::least)).collect();
        let all_unseen: f64 = unseen.iter().sum();
        for (period, unseen) in periods.iter().zip(unseen) {
            for (hash, count, counter) in period.rows.get(&row).into_iter().flat_map(super::Sketch::iter) {
                // A key that one of the two does not keep may still have come there.
                let found = keys.entry(hash).or_insert(Found { counter, most: all_unseen, least: 0.0 });
                found.most += count - unseen;
                found.least += count - counter.error;
            }
        }
        let (weight, counted) = periods
            .iter()
            .fold((0.0, 0), |(weight, counted), period| (weight + period.weight, counted + period.counted));
        // 1 for events; for a sample what one sampled lookup stands for.
        let one = (weight / counted.max(1) as f64).max(1.0);
        let sampled = one > 1.001;
        let mut rates: Vec<_> = keys
            .into_values()
            .filter(|found| found.most > 0.0)
            .map(|found| {
                let spread = |count: f64| {
                    if sampled {
                        of_total(count, count * one, one, f64::MAX)
                    } else {
                        crate::scan::Interval { value: count, low: count, high: count }
                    }
                };
                let middle = (found.most + found.least) / 2.0;
                KeyRate {
                    database: found.counter.database,
                    key: shown(engine, found.counter),
                    per_second: middle / seconds,
                    low: spread(found.least).low / seconds,
                    high: spread(found.most).high / seconds,
                }
            })
            .collect();
        rates.sort_by(|one, other| {
            let order = other.per_second.total_cmp(&one.per_second);
            order.then_with(|| (one.database, &one.key).cmp(&(other.database, &other.key)))
        });
        rates.truncate(SHOWN);
        (rates, seconds)
    }
}

/// A key's hash, its counter and the middle of what its count may be.
type Raw<'k> = (u64, &'k Counter, f64);

impl TopKeys {
    /// The keys of a row over this period and, where it does not cover the window, the one before; and seconds behind
    /// them.
    fn raw(&self, row: u32, now_ms: i64, window: Window) -> (Vec<Raw<'_>>, f64) {
        let millis = now_ms - self.now.since_ms;
        if self.now.counted == 0 || millis > 2 * PERIOD_MILLIS {
            return (Vec::new(), 1.0);
        }
        let before = self.before.as_ref().filter(|_| millis < i64::from(window.seconds()) * 1000);
        let since_ms = before.map_or(self.now.since_ms, |before| before.since_ms);
        let mut keys = HashMap::<u64, (&Counter, f64)>::new();
        for period in [before, Some(&self.now)].into_iter().flatten() {
            for (hash, count, counter) in period.rows.get(&row).into_iter().flat_map(super::Sketch::iter) {
                keys.entry(hash).or_insert((counter, 0.0)).1 += count - counter.error / 2.0;
            }
        }
        let seconds = ((now_ms - since_ms) as f64 / 1000.0).max(1.0);
        (keys.into_iter().map(|(hash, (counter, count))| (hash, counter, count)).collect(), seconds)
    }
}

fn shown(engine: &Engine, counter: &Counter) -> String {
    let text = engine.shown_key(counter.database, &counter.key);
    if counter.length() > counter.key.len() {
        format!("{text}… ({} bytes)", counter.length())
    } else {
        text
    }
}

impl Engine {
    /// Keys that are missed most, of all namespaces, with their bytes; over about the window but at most two minutes.
    /// Bounded sketches hold them: of a namespace with many missed keys, those that stand out.
    #[must_use]
    pub fn missed_keys(&self, now: Timestamp, window: Window) -> Vec<MissedKey> {
        let now_ms = now.millis().clamp(0, self.now_ms.saturating_add(86_400_000)).max(self.now_ms);
        let mut all: Vec<MissedKey> = Vec::new();
        for (row, named) in self.rows.live() {
            let namespace = named.template.as_ref();
            let (rates, seconds) = self.missed.raw(row, now_ms, window);
            for (hash, counter, count) in rates {
                // A cut name is no key.
                if counter.length() > counter.key.len() || counter.key.starts_with(OUR_PREFIX) {
                    continue;
                }
                let cause = match self.events.keys.get(hash).map(|entry| entry.state) {
                    Some(State::Expired) => "expired",
                    Some(State::Evicted) => "evicted",
                    Some(State::Deleted) => "deleted",
                    Some(State::Absent) => "cold",
                    _ => "unknown",
                };
                all.push(MissedKey {
                    namespace: namespace.to_owned(),
                    database: counter.database,
                    key: counter.key.to_vec(),
                    per_second: count / seconds,
                    cause,
                });
            }
        }
        all.sort_by(|one, other| {
            let order = other.per_second.total_cmp(&one.per_second);
            order.then_with(|| (one.database, &one.key).cmp(&(other.database, &other.key)))
        });
        all
    }

    /// Keys of a namespace that stand out, over about the window but at most two minutes: bounded sketches
    /// hold no more. `None` where the namespace is not known; the empty one is the remainder.
    #[must_use]
    pub fn keys(&self, namespace: &str, now: Timestamp, window: Window) -> Option<NamespaceKeys> {
        let row = self.rows.resolve(self.rows.find(namespace)?);
        let now_ms = now.millis().clamp(0, self.now_ms.saturating_add(86_400_000)).max(self.now_ms);
        let reasons = Reasons::new(self, now_ms);
        let (hot, hot_seconds) = self.hot.of_row(self, row, now_ms, window);
        let (missed, missed_seconds) = self.missed.of_row(self, row, now_ms, window);
        let quiet = |seconds: f64, what: &str, otherwise: &str| {
            if seconds > 0.0 { format!("none of its keys was {what} lately") } else { otherwise.to_owned() }
        };
        let why = |empty: bool, reason: String| empty.then_some(reason);
        Some(NamespaceKeys {
            hot_reason: why(hot.is_empty(), quiet(hot_seconds, "seen looked up", &reasons.sample)),
            missed_reason: why(missed.is_empty(), quiet(missed_seconds, "missed", &reasons.events[0])),
            hot,
            hot_seconds,
            missed,
            missed_seconds,
        })
    }
}
