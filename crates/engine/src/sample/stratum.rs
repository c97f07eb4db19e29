//! A stretch of time between INFO replies of one node: what bursts saw in it, held against what INFO counted.
//!
//! Totals are known only from one INFO to another, and the mix of namespaces changes with time. So the sample
//! is scaled stretch by stretch, each to its own known totals, and only the results are added up.

use hashbrown::HashMap;

use super::share::{Division, Part, Shared, Totals};

/// Fewer lookups than this are not divided: the stretch goes on.
const LEAST_LOOKUPS: f64 = 50.0;
/// A stretch does not get longer than this, however little was seen.
const LONGEST_MILLIS: i64 = 10_000;

/// Something is always unseen: at the edges. Also lets runs be seen where everything else is.
const LEAST_UNSEEN: f64 = 0.005;

/// What one burst counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) micros: u64,
    pub(crate) commands: u64,
    pub(crate) unread: u64,
    pub(crate) misses_told: bool,
}

/// Lookups of one row in one burst, and how many of them missed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lookups {
    pub(crate) row: u32,
    pub(crate) all: u32,
    pub(crate) missed: u32,
}

/// What INFO counted over an interval, our own taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

#[derive(Clone, Debug, Default)]
struct RowSample {
    lookups: Part,
    hits: Part,
    misses: Part,
    /// Miss events.
    announced: i64,
}

/// One stretch while it is counted.
#[derive(Clone, Debug, Default)]
struct Stratum {
    from_ms: Option<i64>,
    to_ms: i64,
    hits: f64,
    misses: f64,
    bursts: f64,
    commands: u64,
    unread: u64,
    /// Bursts that told misses, and lookups in them. One that was cut short tells none.
    told_bursts: f64,
    told: f64,
    seen: Totals,
    seen_hits: Totals,
    seen_misses: Totals,
    seconds: Totals,
    seen_by_seconds: f64,
    /// The middle of each burst in milliseconds, and lookups a second in it.
    rates: Vec<(f64, f64)>,
    rows: HashMap<u32, RowSample>,
}

/// A node's stretches: one that is open, and one that has ended and waits for the burst across its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strata {
    open: Stratum,
    ended: Option<Stratum>,
}

/// What one row did in a closed stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowResult {
    pub(crate) lookups: Shared,
    /// Misses by events.
    pub(crate) announced: i64,
    /// Misses by the sample, where events were not received; their variance.
    pub(crate) sampled_misses: (f64, f64),
}

/// What all rows did in a closed stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Closed {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// INFO's lookups.
    pub(crate) lookups: f64,
    /// INFO's misses.
    pub(crate) misses: f64,
    pub(crate) bursts: f64,
    pub(crate) commands: u64,
    pub(crate) unread: u64,
    pub(crate) sampled_seconds: f64,
    /// What was divided (hits, or lookups where bursts do not tell) times what one sampled count adds.
    pub(crate) weight: f64,
    pub(crate) divided: f64,
    /// What one sampled lookup stands for.
    pub(crate) lookup_weight: f64,
    /// What was seen, scaled by time alone; its variance.
    pub(crate) by_time: (f64, f64),
    /// Hits and misses were told apart by the bursts.
    pub(crate) told: bool,
    /// Misses are known: by events, or told by the bursts.
    pub(crate) misses_known: bool,
}

/// What became of a stretch at an INFO reply.
#[derive(Clone, Debug, Default)]
pub(crate) enum Outcome {
    /// It goes on.
    #[default]
    Open,
    /// It was divided.
    Closed(Closed, Vec<(u32, RowResult)>),
    /// There were so many lookups and none was sampled.
    Unseen(f64),
}

impl Strata {
    /// INFO's counters of this moment can't be compared with those before.
    pub(crate) fn interrupted(&mut self, at_ms: i64) {
        if self.open.from_ms.is_some() && at_ms > self.open.to_ms {
            self.open = Stratum::from(at_ms);
        }
    }

    /// A burst that ended at this moment. One that began before the open stretch belongs to both in part: an
    /// even rate within so short a time is all that is assumed.
    pub(crate) fn burst(&mut self, at_ms: i64, seen: &Seen, lookups: &[Lookups]) {
        let Some(from_ms) = self.open.from_ms else { return };
        let length_ms = (seen.micros as f64 / 1e3).max(0.001);
        let within = ((at_ms - from_ms).max(0) as f64 / length_ms).min(1.0);
        if let Some(ended) = self.ended.as_mut().filter(|_| within < 1.0) {
            let middle_ms = from_ms as f64 - (1.0 - within) * length_ms / 2.0;
            ended.add(seen, lookups, 1.0 - within, middle_ms);
        }
        if within > 0.0 {
            self.open.add(seen, lookups, within, at_ms as f64 - within * length_ms / 2.0);
        }
        self.open.commands = self.open.commands.saturating_add(seen.commands);
        self.open.unread = self.open.unread.saturating_add(seen.unread);
    }

    /// A miss event came, or turned out to be ours.
    pub(crate) fn announced(&mut self, row: u32, by: i64) {
        if self.open.from_ms.is_some() {
            self.open.rows.entry(row).or_default().announced += by;
        }
    }

    /// Takes in INFO's counts; ends the stretch where enough of it was seen, and divides the one that had ended
    /// before. `events` says since when miss events arrive without a gap, `resolve` which row a row has become.
    pub(crate) fn counted(
        &mut self,
        counted: &Counted,
        events: Option<i64>,
        resolve: impl Fn(u32) -> u32,
    ) -> Outcome {
        let outcome = match self.ended.take() {
            Some(mut ended) => ended.close(events, resolve),
            None => Outcome::Open,
        };
        let open = &mut self.open;
        let Some(from_ms) = open.from_ms else {
            self.open = Stratum::from(counted.to_ms);
            return outcome;
        };
        open.to_ms = counted.to_ms;
        open.hits += counted.hits as f64;
        open.misses += counted.misses as f64;
        let enough = open.bursts >= 2.0 && open.seen.sum >= LEAST_LOOKUPS;
        if enough || open.to_ms - from_ms >= LONGEST_MILLIS {
            self.ended = Some(std::mem::replace(open, Stratum::from(counted.to_ms)));
        }
        outcome
    }
}

impl Stratum {
    /// The stretch that begins with this INFO reply.
    fn from(at_ms: i64) -> Self {
        Self { from_ms: Some(at_ms), to_ms: at_ms, ..Self::default() }
    }

    fn close(&mut self, events: Option<i64>, resolve: impl Fn(u32) -> u32) -> Outcome {
        let lookups = self.hits + self.misses;
        let Some(from_ms) = self.from_ms else { return Outcome::Open };
        if lookups > 0.0 && self.seen.sum <= 0.0 {
            Outcome::Unseen(lookups)
        } else {
            self.divide(from_ms, events.is_some_and(|since_ms| since_ms <= from_ms), resolve)
        }
    }

    /// Adds a share of a burst.
    fn add(&mut self, seen: &Seen, lookups: &[Lookups], part: f64, middle_ms: f64) {
        let total =
            |of: fn(&Lookups) -> u32| lookups.iter().map(|row| f64::from(of(row))).sum::<f64>() * part;
        let (all, missed) = (total(|row| row.all), total(|row| row.missed));
        self.bursts += 1.0;
        self.seen.add(all);
        if seen.misses_told {
            self.told_bursts += 1.0;
            self.told += all;
            self.seen_hits.add(all - missed);
            self.seen_misses.add(missed);
        }
        let seconds = seen.micros as f64 / 1e6 * part;
        self.seconds.add(seconds);
        self.seen_by_seconds += all * seconds;
        if seconds > 0.0 {
            self.rates.push((middle_ms, all / seconds));
        }
        for row in lookups {
            let (of_all, of_missed) = (f64::from(row.all) * part, f64::from(row.missed) * part);
            let sample = self.rows.entry(row.row).or_default();
            sample.lookups.add(of_all, all);
            if seen.misses_told {
                sample.hits.add(of_all - of_missed, all - missed);
                sample.misses.add(of_missed, missed);
            }
        }
    }

    fn divide(&mut self, from_ms: i64, events: bool, resolve: impl Fn(u32) -> u32) -> Outcome {
        let lookups = self.hits + self.misses;
        let length = (self.to_ms - from_ms) as f64 / 1000.0;
        // A few bursts that do not tell misses are left out rather than all that tell them.
        let told = if self.bursts > 0.0 { self.told > 0.5 * self.seen.sum } else { events };
        let [all, hits, misses] = self.divisions();
        let mut by_row = HashMap::<u32, RowSample>::with_capacity(self.rows.len());
        for (row, sample) in self.rows.drain() {
            let known = by_row.entry(resolve(row)).or_default();
            known.lookups.merge(&sample.lookups);
            known.hits.merge(&sample.hits);
            known.misses.merge(&sample.misses);
            known.announced += sample.announced;
        }
        let rows = by_row.into_iter().map(|(row, sample)| {
            let mut result = RowResult::default();
            if events {
                result.announced = sample.announced;
            }
            if told {
                result.lookups = hits.part(&sample.hits);
                if !events {
                    let missed = misses.part(&sample.misses);
                    result.sampled_misses = (missed.value, missed.variance.max(missed.binomial));
                }
                result.lookups.value += result.announced as f64 + result.sampled_misses.0;
            } else {
                result.lookups = all.part(&sample.lookups);
            }
            (row, result)
        });
        let rows = rows.collect();
        let divided = if told { hits } else { all };
        let closed = Closed {
            from_ms,
            to_ms: self.to_ms,
            lookups,
            misses: self.misses,
            bursts: self.bursts,
            commands: self.commands,
            unread: self.unread,
            sampled_seconds: self.seconds.sum,
            weight: divided.weight() * divided.total * divided.unseen,
            divided: divided.total,
            lookup_weight: all.weight(),
            by_time: self.by_time(from_ms, length),
            told,
            misses_known: events || told,
        };
        Outcome::Closed(closed, rows)
    }

    /// How INFO's lookups, hits and misses are divided.
    fn divisions(&self) -> [Division; 3] {
        let lookups = self.hits + self.misses;
        let unseen =
            |seen: f64| if lookups > 0.0 { (1.0 - seen / lookups).clamp(LEAST_UNSEEN, 1.0) } else { 0.0 };
        let division =
            |total, seen, bursts, of_seen| Division { total, seen, bursts, unseen: unseen(of_seen) };
        [
            division(lookups, self.seen, self.bursts, self.seen.sum),
            division(self.hits, self.seen_hits, self.told_bursts, self.told),
            division(self.misses, self.seen_misses, self.told_bursts, self.told),
        ]
    }

    /// Lookups of the stretch where each burst stands for the time up to half the way to its neighbours: a busy time
    /// is sampled more seldom than a quiet one, because bursts in it cost more.
    fn integrated(&self, from_ms: i64) -> f64 {
        let (mut total, mut from) = (0.0, from_ms as f64);
        for (place, (middle, rate)) in self.rates.iter().enumerate() {
            let to = match self.rates.get(place + 1) {
                Some((next, _)) => f64::midpoint(*middle, *next),
                None => self.to_ms as f64,
            };
            total += rate * (to - from).max(0.0) / 1000.0;
            from = from.max(to);
        }
        total
    }

    /// What was seen, scaled to the stretch by time alone, and the variance of that between bursts.
    fn by_time(&self, from_ms: i64, length: f64) -> (f64, f64) {
        if self.seconds.sum <= 0.0 {
            return (0.0, 0.0);
        }
        let (rate, scale) = (self.seen.sum / self.seconds.sum, length / self.seconds.sum);
        let residuals =
            self.seen.squares - 2.0 * rate * self.seen_by_seconds + rate * rate * self.seconds.squares;
        let unseen = (1.0 - 1.0 / scale).max(0.0);
        let variance = if self.bursts >= 2.0 {
            scale * scale * unseen * self.bursts / (self.bursts - 1.0) * residuals.max(0.0)
        } else {
            scale * scale * unseen * self.seen.sum
        };
        (self.integrated(from_ms), variance)
    }
}
