//! Copying: what the source gives is written as it is, never over a key that exists. One batch is read while the one
//! before is written; each of the two servers is spared by a pace of its own.

use std::time::{Duration, Instant};

use redis::{Pipeline, Value};

use super::{Driver, Stop};
use crate::failure::Failure;
use crate::plan::Scope;
use crate::run::removal::refused;
use crate::selection::Selection;
use crate::servers::slot_of;
use crate::warm::dump::{Dumped, Reading, check_version, version_of, version_read_by};
use crate::warm::placed::{Placed, is_elsewhere};
use crate::warm::strain::Strain;

/// How often evictions are asked for.
const STRAIN_EVERY: Duration = Duration::from_secs(1);
/// How long the source may take for a batch before the run looks up again.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

impl Driver {
    pub(super) async fn copy(&mut self, scope: Option<&Scope>, jitter_percent: u32) -> Result<(), Stop> {
        let throttle = self.shared.record.lock().state.plan.how.throttle;
        let protected_too = self.shared.record.lock().state.plan.how.protected_too;
        let selection =
            scope.map(|scope| Selection::new(scope, self.context.attribution.strategy())).transpose()?;
        let mut reading = Reading::begin(self.context.warm.source()?, selection, throttle)?;
        let mut placed = Placed::new(&self.context.servers).await?;
        let evicted = Strain::of(&self.context.servers).await?.evicted;
        let (began, mut looked) = (Instant::now(), Instant::now());
        let mut checked = false;
        loop {
            self.look_up().await?;
            let next = tokio::time::timeout(LOOK_UP_EVERY, reading.next()).await;
            let Ok(next) = next else { continue };
            let Some(mut batch) = next? else { return Ok(()) };
            if !protected_too {
                let before = batch.len();
                batch.retain(|dumped| !self.context.attribution.is_protected(dumped.database, &dumped.key));
                self.shared.record.lock().state.counts.protected += (before - batch.len()) as u64;
            }
            if let Some(written) = batch.first().and_then(|dumped| version_of(&dumped.payload))
                && !checked
            {
                checked = true;
                for server in &self.context.servers.primaries {
                    check_version(written, version_read_by(server).await?, &server.name)?;
                }
            }
            let mut rest = batch;
            while !rest.is_empty() {
                self.look_up().await?;
                let room = self.watch_between_waves().await?;
                let count = rest.len().min(self.pace.keys()).min(room.max(1));
                let now = rest.split_off(rest.len() - count);
                let took = self.write(&mut placed, now, jitter_percent).await?;
                let pause = self.pace.exchanged(took);
                self.rest(pause).await?;
            }
            if looked.elapsed() > STRAIN_EVERY {
                looked = Instant::now();
                self.look_at_strain(evicted, began).await?;
                self.save().await?;
            }
        }
    }

    async fn write(
        &mut self,
        placed: &mut Placed,
        batch: Vec<Dumped>,
        jitter_percent: u32,
    ) -> Result<Duration, Stop> {
        let mut longest = Duration::ZERO;
        let mut by_database: std::collections::BTreeMap<u16, Vec<Dumped>> = Default::default();
        for dumped in batch {
            by_database.entry(dumped.database).or_default().push(dumped);
        }
        for (database, mut some) in by_database {
            // Until here a value was on its way; what is lost of its life is lost by now.
            let (now, now_ms) = (Instant::now(), self.context.now().millis());
            let mut lives = Vec::with_capacity(some.len());
            some.retain(|dumped| match dumped.ttl_ms(now, now_ms, jitter_percent) {
                Some(ttl) => {
                    lives.push(ttl);
                    true
                }
                None => {
                    self.shared.record.lock().state.counts.gone += 1;
                    false
                }
            });
            let keys: Vec<&[u8]> = some.iter().map(|dumped| dumped.key.as_slice()).collect();
            let command = |pipe: &mut Pipeline, place: usize| {
                pipe.cmd("RESTORE").arg(keys[place]).arg(lives[place]).arg(&some[place].payload);
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
                        return Err(refused(&node, error).into());
                    }
                    _ => {
                        return Err(
                            Failure::server("a server answers RESTORE with something else", "").into()
                        );
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
