//! The counters of one thing (a namespace, the instance, an endpoint), each present only once it has counted.

use super::column::Column;
use super::frame::{Fold, Frame, Range};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Count {
    /// The application's hits in Redis.
    AppHits,
    /// The application's misses in Redis.
    AppMisses,
    /// Evictions as the application counts them.
    AppEvictions,
    /// Nanoseconds that the application's reads took.
    LatencyNanos,
    /// Reads that the application timed.
    TimedReads,
    /// Milliseconds lost between a sample and a restart of the application.
    AppLostMillis,
    /// Miss events of a key that had expired.
    MissExpired,
    /// Miss events of a key that had been evicted.
    MissEvicted,
    /// Miss events of a key that had been deleted.
    MissDeleted,
    /// Miss events of unknown cause.
    MissUnknown,
    /// Eviction events.
    Evicted,
    /// Expiration events.
    Expired,
    /// INFO's hits, our own taken out; likewise below.
    ServerHits,
    /// INFO's misses.
    ServerMisses,
    /// INFO's evictions.
    ServerEvicted,
    /// INFO's expirations.
    ServerExpired,
    /// INFO's commands.
    ServerCommands,
    /// Calls of read commands.
    ReadCalls,
    /// Microseconds of read commands.
    ReadMicros,
    /// Milliseconds for which the counters of this source are known.
    CoveredMillis,
    /// INFO's misses in intervals in which events were due.
    PairedServerMisses,
    /// Miss events in the same intervals.
    PairedMisses,
    /// INFO's evictions, likewise.
    PairedServerEvicted,
    /// Eviction events, likewise.
    PairedEvicted,
    /// INFO's expirations, likewise.
    PairedServerExpired,
    /// Expiration events, likewise.
    PairedExpired,
    /// A row's lookups, estimated from bursts of commands.
    SampledLookups,
    /// Their variance, from the differences between bursts; over all rows in the sample's own tally.
    SampleVariance,
    /// Their variance as if every lookup had been drawn on its own.
    SampleBinomial,
    /// Miss events in the stretches of time that were sampled.
    PairedRowMisses,
    /// Misses estimated from bursts, in stretches without miss events.
    SampledMisses,
    /// Their variance.
    SampledMissesVariance,
    /// Lookups estimated in stretches in which nobody told misses.
    BlindLookups,
    /// Their variance.
    BlindVariance,
    /// Of the sampled stretches: INFO's lookups.
    SampleServerLookups,
    /// INFO's misses where misses by row are known.
    SampleServerMisses,
    /// What was divided among the rows by the sample.
    SampleDivided,
    /// The same times what one more sampled count would add.
    SampleWeight,
    /// Commands seen.
    SampleCommands,
    /// Commands among them whose keys can't be told.
    SampleUnread,
    /// Bursts.
    SampleBursts,
    /// Squared variance of all rows over its degrees of freedom, a stretch each (Satterthwaite 1946).
    SampleVarianceSquares,
    /// Microseconds that bursts lasted.
    SampleMicros,
    /// Lookups seen, scaled by time alone.
    SampleByTime,
    /// Their variance between bursts.
    SampleByTimeVariance,
    /// Milliseconds sampled, summed over nodes.
    SampleMillis,
    /// Milliseconds in which bursts did not tell misses.
    SampleUntoldMillis,
    /// Milliseconds in which neither bursts nor events told misses.
    SampleBlindMillis,
    /// INFO's lookups of nodes that are not sampled while others are.
    UnsampledLookups,
    /// Commands that a sample of the slow log showed.
    ExecutionsSeen,
    /// Commands that were logged meanwhile and not read.
    ExecutionsMissed,
    /// Miss events of a key whose database had been flushed.
    MissFlushed,
    /// Miss events of a key not seen since watching began.
    MissCold,
    /// Miss events of a key that nobody filled, of whatever cause.
    MissUnfilled,
    /// First misses of an evicted key, less than a second after the eviction; likewise below.
    EvictedSecond,
    /// Less than ten seconds.
    EvictedTenSeconds,
    /// Less than a minute.
    EvictedMinute,
    /// Less than ten minutes.
    EvictedTenMinutes,
    /// Less than an hour.
    EvictedHour,
    /// An hour or more.
    EvictedLonger,
    /// First misses of an expired key, less than a second after the server removed it; likewise below.
    ExpiredSecond,
    /// Less than ten seconds.
    ExpiredTenSeconds,
    /// Less than a minute.
    ExpiredMinute,
    /// Less than ten minutes.
    ExpiredTenMinutes,
    /// Less than an hour.
    ExpiredHour,
    /// An hour or more.
    ExpiredLonger,
    /// Misses that themselves made the server remove the key: how long ago its time ran out is not told.
    ExpiredOnAccess,
}

/// Columns by what they count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    columns: Vec<(Count, Column)>,
}

impl Tally {
    fn column(&mut self, count: Count) -> &mut Column {
        let place = match self.columns.binary_search_by_key(&count, |(count, _)| *count) {
            Ok(place) => place,
            Err(place) => {
                self.columns.reserve_exact(1);
                self.columns.insert(place, (count, Column::default()));
                place
            }
        };
        &mut self.columns[place].1
    }

    /// Adds to the slot of one second.
    pub(crate) fn add(&mut self, count: Count, frame: &Frame, second: i64, amount: u64) {
        self.column(count).add(frame, second, amount);
    }

    /// Takes back from the slot of one second.
    pub(crate) fn take(&mut self, count: Count, frame: &Frame, second: i64, amount: u64) -> u64 {
        self.column(count).take(frame, second, amount)
    }

    /// Spreads over an interval.
    pub(crate) fn spread(&mut self, count: Count, frame: &Frame, from_ms: i64, to_ms: i64, amount: u64) {
        if amount > 0 {
            self.column(count).spread(frame, from_ms, to_ms, amount);
        }
    }

    /// Empties an interval.
    pub(crate) fn erase(&mut self, count: Count, frame: &Frame, from_ms: i64, to_ms: i64) {
        self.column(count).erase(frame, from_ms, to_ms);
    }

    /// The sum over whole slots.
    pub(crate) fn sum(&self, count: Count, range: &Range) -> u64 {
        self.get(count).map_or(0, |column| column.sum(range))
    }

    /// The sum over any interval.
    pub(crate) fn between(&self, count: Count, frame: &Frame, from_ms: i64, to_ms: i64) -> f64 {
        self.get(count).map_or(0.0, |column| column.between(frame, from_ms, to_ms))
    }

    fn get(&self, count: Count) -> Option<&Column> {
        let place = self.columns.binary_search_by_key(&count, |(count, _)| *count).ok()?;
        Some(&self.columns[place].1)
    }

    /// Carries out what the frame asked for.
    pub(crate) fn fold(&mut self, folds: &[Fold]) {
        for (_, column) in &mut self.columns {
            column.fold(folds);
        }
    }

    /// Adds another tally.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, column) in &other.columns {
            self.column(*count).merge(column);
        }
    }

    /// Bytes held on the heap.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.columns.capacity() * size_of::<(Count, Column)>()
            + self.columns.iter().map(|(_, column)| column.heap_bytes()).sum::<usize>()
    }
}
