//! Copying: what the source gives is written as it is, never over a key that exists. One batch is read while the one
//! before is written; each of the two servers is spared by a pace of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::spelled;
use redis::{Pipeline, Value};

use super::driver::Driver;
use super::ending::Ended;
use super::felt::Felt;
use super::removal::refused;
use crate::failure::Failure;
use crate::pace::{Baseline, Pace, Work};
use crate::plan::Scope;
use crate::selection::Selection;
use crate::servers::slot_of;
use crate::warm::dump::{Dumped, Reading, check_version, version_of, version_read_by};
use crate::warm::placed::{Placed, is_elsewhere};
use crate::warm::strain::Strain;

/// How often evictions are asked for.
const STRAIN_EVERY: Duration = Duration::from_secs(1);

/// How many of the last values one exchange takes, and their bytes: at least one, whatever it weighs.
fn fitting(rest: &[Dumped], most: usize, light_bytes: u64) -> (usize, u64) {
    let (mut keys, mut bytes) = (0, 0);
    for dumped in rest.iter().rev().take(most.max(1)) {
        let more = bytes + dumped.payload.len() as u64;
        if keys > 0 && more > light_bytes {
            break;
        }
        (keys, bytes) = (keys + 1, more);
    }
    (keys, bytes)
}

impl Driver {
    pub(super) async fn copy(&self, scope: Option<&Scope>, jitter_percent: u32) -> Result<(), Ended> {
        let how = self.shared.record.lock().state.plan.how.clone();
        let selection =
            scope.map(|scope| Selection::new(scope, self.context.attribution.strategy())).transpose();
        let selection = self.ending.unless(selection)?;
        let source = self.ending.unless(self.context.warm.source())?;
        let mut reading = self.ending.unless(Reading::begin(source, selection, how.throttle))?;
        let mut placed = self.ask(Placed::new(&self.context.servers)).await?;
        let evicted = self.ask(Strain::of(&self.context.servers)).await?.evicted;
        let felt = self.felt_of_all(how.throttle).await?;
        // Of several servers the quickest counts.
        let quickest = |one: Baseline, other: Baseline| Baseline {
            median: one.median.min(other.median),
            p99: one.p99.min(other.p99),
        };
        let baseline = felt.iter().map(|felt| felt.baseline()).reduce(quickest);
        let mut pace = Pace::new(how.throttle, baseline);
        let (began, mut looked) = (Instant::now(), Instant::now());
        let mut checked = false;
        loop {
            // Read beside the floor: the source is not what is acted on.
            let next = self.ending.or(reading.next()).await?;
            let Some(mut batch) = self.ending.unless(next)? else { return Ok(()) };
            if !how.protected_too {
                let before = batch.len();
                batch.retain(|dumped| !self.context.attribution.is_protected(dumped.database, &dumped.key));
                self.shared.record.lock().state.counts.protected += (before - batch.len()) as u64;
            }
            if let Some(written) = batch.first().and_then(|dumped| version_of(&dumped.payload))
                && !checked
            {
                checked = true;
                for server in &self.context.servers.primaries {
                    let read = self.ask(version_read_by(server)).await?;
                    self.ending.unless(check_version(written, read, &server.name))?;
                }
            }
            let mut rest = batch;
            while !rest.is_empty() {
                let (keys, bytes) = fitting(&rest, pace.keys(Work::Change), pace.light_bytes());
                let reserved = self.reserve(keys);
                if reserved.keys == 0 {
                    drop(reserved);
                    self.watch_between_waves().await?;
                    continue;
                }
                let now = rest.split_off(rest.len() - reserved.keys);
                let took = self.ask(self.write(&mut placed, now, jitter_percent)).await?;
                drop(reserved);
                pace.steer(Instant::now(), |span| felt.iter().filter_map(|felt| felt.strained(span)).max());
                let pause = pace.exchanged(Work::Change, keys, bytes, took);
                if !pause.is_zero() {
                    self.ending.or(tokio::time::sleep(pause)).await?;
                }
            }
            if looked.elapsed() > STRAIN_EVERY {
                looked = Instant::now();
                self.look_at_strain(evicted, began).await?;
            }
        }
    }

    async fn felt_of_all(&self, throttled: bool) -> Result<Vec<Arc<Felt>>, Ended> {
        let mut all = Vec::new();
        if throttled {
            for server in &self.context.servers.primaries {
                all.push(self.felt(server).await?);
            }
        }
        Ok(all)
    }

    async fn write(
        &self,
        placed: &mut Placed,
        batch: Vec<Dumped>,
        jitter_percent: u32,
    ) -> Result<Duration, Failure> {
        let mut longest = Duration::ZERO;
        let mut by_database: std::collections::BTreeMap<u16, Vec<Dumped>> = Default::default();
        for dumped in batch {
            by_database.entry(dumped.database).or_default().push(dumped);
        }
        for (database, mut some) in by_database {
            placed.look_at_clocks().await?;
            let (now, before) = (Instant::now(), some.len());
            let mut ends = Vec::with_capacity(some.len());
            some.retain(|dumped| {
                let clock = placed.clock_of(&dumped.key);
                let end = clock.and_then(|clock| dumped.ends_at_ms(now, &clock, jitter_percent));
                ends.extend(end);
                end.is_some()
            });
            self.shared.record.lock().state.counts.gone += (before - some.len()) as u64;
            let keys: Vec<&[u8]> = some.iter().map(|dumped| dumped.key.as_slice()).collect();
            let command = |pipe: &mut Pipeline, place: usize| {
                pipe.cmd(spelled::RESTORE)
                    .arg(keys[place])
                    .arg(ends[place])
                    .arg(&some[place].payload)
                    .arg("ABSTTL");
            };
            let replies = placed.each(database, &keys, command, |_| (0, 0)).await?;
            longest = longest.max(replies.longest);
            let mut record = self.shared.record.lock();
            let counts = &mut record.state.counts;
            for (dumped, value) in some.iter().zip(&replies.values) {
                match value {
                    Value::Okay => {
                        counts.filled += 1;
                        counts.bytes += dumped.payload.len() as u64;
                    }
                    Value::ServerError(error) if error.code() == "BUSYKEY" => counts.there += 1,
                    moved if is_elsewhere(moved) => counts.moved += 1,
                    Value::ServerError(error) => {
                        let node = self.server_of(&dumped.key);
                        return Err(refused(&node, error));
                    }
                    _ => {
                        return Err(Failure::server("a server answers RESTORE with something else", ""));
                    }
                }
            }
        }
        Ok(longest)
    }

    /// The name of a server for a sentence: the only one, or whichever has the slot.
    fn server_of(&self, key: &[u8]) -> String {
        match self.context.servers.primaries.as_slice() {
            [only] => only.name.clone(),
            _ => format!("the server of slot {}", slot_of(key)),
        }
    }
}
