//! The last sample of every series that matters, bounded.

use hashbrown::HashTable;

/// A longer gap between two samples says nothing about when things happened in between.
const LONGEST_INTERVAL_MILLIS: i64 = 3_600_000;
/// A scrape before a series' first one that is older than this does not prove that the series began at 0.
const BIRTH_WITHIN_MILLIS: i64 = 300_000;

#[derive(Clone, Copy, Debug)]
struct Last {
    /// Both halves of the series' hash: as one number it would stand at multiples of 16 bytes.
    series: [u64; 2],
    value: f64,
    at_ms: i64,
    /// What whole counts have left over of fractional values.
    remainder: f64,
}

/// One process behind an endpoint: the times of its last two scrapes. Its series share them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    before: Option<i64>,
    newest: Option<i64>,
}

impl Target {
    /// Time of the last scrape.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Notes a scrape and gives the time of the one before it.
    pub(crate) fn scraped(&mut self, at_ms: i64) -> Option<i64> {
        if self.newest.is_none_or(|newest| at_ms > newest) {
            self.before = self.newest.replace(at_ms);
        }
        if self.newest == Some(at_ms) { self.before } else { None }
    }
}

/// An increase and when it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Increase {
    pub(crate) amount: f64,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// The counter began anew: what it counted between its last sample and that is lost.
    pub(crate) reset: bool,
    /// The series was not there at the scrape before: it began at 0.
    pub(crate) born: bool,
}

fn halves(series: u128) -> [u64; 2] {
    [series as u64, (series >> 64) as u64]
}

/// Series by the hash of endpoint, name and labels.
#[derive(Clone, Debug)]
pub(crate) struct SeriesTable {
    series: Vec<Last>,
    /// Places in `series`: a table of all of it would be a third free and take that up too.
    places: HashTable<u32>,
    bound: usize,
    left_out: u64,
    left_out_now: u64,
}

impl SeriesTable {
    pub(crate) fn new(bound: usize) -> Self {
        Self { series: Vec::new(), places: HashTable::new(), bound, left_out: 0, left_out_now: 0 }
    }

    fn find(&mut self, series: u128) -> Option<&mut Last> {
        let same = |place: &u32| self.series[*place as usize].series == halves(series);
        let place = *self.places.find(series as u64, same)?;
        self.series.get_mut(place as usize)
    }

    /// Takes a counter's sample; `scrape_before` is the time of the target's scrape before this one.
    ///
    /// The rules are Prometheus's: a sample that is not newer than the last is ignored, so is NaN; a value
    /// below the last one means that the counter began again at 0.
    pub(crate) fn sample(
        &mut self,
        series: u128,
        value: f64,
        at_ms: i64,
        scrape_before: Option<i64>,
    ) -> Option<Increase> {
        if !value.is_finite() || value < 0.0 {
            return None;
        }
        if let Some(last) = self.find(series) {
            if at_ms <= last.at_ms {
                return None;
            }
            let reset = value < last.value;
            let amount = if reset { value } else { value - last.value };
            let from_ms = last.at_ms;
            *last = Last { value, at_ms, ..*last };
            let near = at_ms - from_ms <= LONGEST_INTERVAL_MILLIS;
            return near.then_some(Increase { amount, from_ms, to_ms: at_ms, reset, born: false });
        }
        if self.series.len() >= self.bound {
            self.left_out_now += 1;
            return None;
        }
        self.places.insert_unique(series as u64, self.series.len() as u32, |place| {
            self.series[*place as usize].series[0]
        });
        self.series.push(Last { series: halves(series), value, at_ms, remainder: 0.0 });
        let from_ms = scrape_before.filter(|before| at_ms - before <= BIRTH_WITHIN_MILLIS)?;
        Some(Increase { amount: value, from_ms, to_ms: at_ms, reset: false, born: true })
    }

    /// Whole counts of a series' increase; the rest is kept for its next one.
    pub(crate) fn whole(&mut self, series: u128, amount: f64) -> u64 {
        let Some(last) = self.find(series) else { return amount as u64 };
        let due = amount + last.remainder;
        // Counters are whole numbers in all but odd cases: 1e-6 forgives what adding floats costs.
        let whole = (due + 1e-6).floor().max(0.0);
        last.remainder = (due - whole).clamp(0.0, 1.0);
        whole as u64
    }

    /// A batch ended: what was left out in it is what is left out now.
    pub(crate) fn batch_ended(&mut self) {
        self.left_out = std::mem::take(&mut self.left_out_now);
    }

    /// Series that found no place in the last batch.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(crate) fn forget_before(&mut self, at_ms: i64) {
        let before = self.series.len();
        self.series.retain(|last| last.at_ms >= at_ms);
        if self.series.len() < before {
            self.places.clear();
            for (place, last) in (0u32..).zip(&self.series) {
                self.places
                    .insert_unique(last.series[0], place, |place| self.series[*place as usize].series[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_increases_by_prometheus_rules() {
        let increase =
            |amount, from_ms, to_ms, reset| Some(Increase { amount, from_ms, to_ms, reset, born: false });
        let mut table = SeriesTable::new(10);
        for (value, at_ms, expected) in [
            (100.0, 1_000, None),
            (130.0, 6_000, increase(30.0, 1_000, 6_000, false)),
            (130.0, 6_000, None),
            (120.0, 4_000, None),
            (f64::NAN, 7_000, None),
            (f64::INFINITY, 7_000, None),
            (-1.0, 7_000, None),
            (130.0, 11_000, increase(0.0, 6_000, 11_000, false)),
            (7.0, 16_000, increase(7.0, 11_000, 16_000, true)),
            (9.0, 4_000_000, None),
            (10.0, 4_005_000, increase(1.0, 4_000_000, 4_005_000, false)),
        ] {
            assert_eq!(table.sample(1, value, at_ms, None), expected, "{value} at {at_ms}");
        }
    }

    #[test]
    fn a_series_that_was_not_there_at_the_scrape_before_began_at_0() {
        let mut target = Target::default();
        assert_eq!(target.scraped(5_000), None);
        assert_eq!(target.scraped(10_000), Some(5_000));
        assert_eq!(target.scraped(10_000), Some(5_000), "every series of a scrape has its time");
        assert_eq!(target.scraped(5_000), None, "older ones prove nothing");
        let mut table = SeriesTable::new(10);
        let born = table.sample(2, 3.0, 10_000, Some(5_000));
        assert_eq!(
            born,
            Some(Increase { amount: 3.0, from_ms: 5_000, to_ms: 10_000, reset: false, born: true })
        );
        assert_eq!(table.sample(3, 3.0, 1_000_000, Some(5_000)), None, "too long ago to know");
    }

    #[test]
    fn what_is_forgotten_makes_room_and_the_others_are_found_where_they_are_now() {
        let mut table = SeriesTable::new(100);
        for series in 0..100u128 {
            table.sample(series << 64 | series, 1.0, 1_000 * (series % 3) as i64, None);
        }
        table.forget_before(1_000);
        for series in 0..100u128 {
            let increase = table.sample(series << 64 | series, 3.0, 5_000, None);
            assert_eq!(increase.map(|increase| increase.amount), (series % 3 > 0).then_some(2.0), "{series}");
        }
        assert_eq!(table.sample(1_000, 1.0, 5_000, None), None);
        table.batch_ended();
        assert_eq!(table.left_out(), 1, "all hundred places are taken again");
    }

    #[test]
    fn fractions_are_not_lost_and_the_bound_holds() {
        let mut table = SeriesTable::new(1);
        table.sample(1, 0.0, 0, None);
        let total: u64 = (0..10).map(|_| table.whole(1, 0.3)).sum();
        assert_eq!(total, 3);
        assert_eq!(table.sample(2, 1.0, 0, None), None);
        table.batch_ended();
        assert_eq!(table.left_out(), 1);
    }
}
