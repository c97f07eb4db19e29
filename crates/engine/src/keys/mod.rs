//! Hot and most-missed keys by row, about now: two sketches of which the older is dropped every minute.

mod rates;
mod sketch;

use hashbrown::HashMap;

use sketch::{COUNTERS, Sketch};

/// A sketch collects for so long.
const PERIOD_MILLIS: i64 = 60_000;
/// Counters of all rows of one period together, some 70 bytes each with a usual key.
const MOST_COUNTERS: usize = 16_384;

/// The sketches of one period.
#[derive(Clone, Debug, Default)]
struct Period {
    since_ms: i64,
    rows: HashMap<u32, Sketch>,
    counters: usize,
    /// Weights and how many, for what a single count stands for.
    weight: f64,
    counted: u64,
}

/// What comes most often by row, over the last one to two minutes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopKeys {
    now: Period,
    before: Option<Period>,
}

impl TopKeys {
    /// Counts a key `weight` times. The more counters are given out, the fewer a row gets; in the end none.
    pub(crate) fn add(
        &mut self,
        at_ms: i64,
        row: u32,
        database: u16,
        (key, hash): (&[u8], u64),
        weight: f64,
    ) {
        if at_ms - self.now.since_ms >= PERIOD_MILLIS {
            self.rotate(at_ms);
        }
        let period = &mut self.now;
        let room = match MOST_COUNTERS.saturating_sub(period.counters) {
            0 => 0,
            left if left < MOST_COUNTERS / 4 => COUNTERS / 16,
            left if left < MOST_COUNTERS / 2 => COUNTERS / 4,
            _ => COUNTERS,
        };
        let sketch = match period.rows.get_mut(&row) {
            Some(sketch) => sketch,
            None if room > 0 => period.rows.entry(row).or_default(),
            None => return,
        };
        period.counters += usize::from(sketch.add(hash, database, key, weight, room));
        period.weight += weight;
        period.counted += 1;
    }

    /// Takes back one count.
    pub(crate) fn take(&mut self, row: u32, hash: u64) {
        if let Some(sketch) = self.now.rows.get_mut(&row) {
            sketch.take(hash, 1.0);
        }
    }

    fn rotate(&mut self, at_ms: i64) {
        // After a pause the last period is not the one before this.
        let fresh = self.now.counted > 0 && at_ms - self.now.since_ms < 2 * PERIOD_MILLIS;
        let ended = std::mem::replace(&mut self.now, Period { since_ms: at_ms, ..Period::default() });
        self.before = fresh.then_some(ended);
    }
}
