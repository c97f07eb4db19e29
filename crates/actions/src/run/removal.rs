//! The one place where keys are removed.
//!
//! Without undo: `UNLINK`. With undo what is removed must be what is in the file, whoever writes meanwhile:
//!
//! 1. `MEMORY USAGE`: what is too large to be kept is left alone before anybody reads it.
//! 2. `WATCH`, `DUMP`, `PEXPIRETIME`: as they are now. Several short exchanges may be needed for what is removed by
//!    one.
//! 3. Into the file, and onto the disk, together with what else waits for that.
//! 4. `MULTI`, `UNLINK`, `EXEC`: the server refuses where one of them was written since 2. Then nothing was removed,
//!    and the keys are tried again in smaller groups, in the end one by one. A key that is written faster than that
//!    is left alone and counted.
//!
//! A Cluster runs no transaction over several slots, and nearly every key is in a slot of its own; and a server that is
//! full and evicts nothing queues no command for a transaction, not even one that makes room. There step 4 is a script
//! for each key, which removes it only if its dump and its time to live are what was kept. One key a script:
//! nobody waits longer for it than for a DUMP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cachescope_sources::redis::acting::{ActingConnection, Answer, Packed, spelled};
use redis::Value;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::driver::{VALUE_UNIT, VALUES_AT_ONCE};
use super::ending::{Ended, Ending};
use super::turns::Turns;
use crate::canonical::hex;
use crate::failure::{Failure, FailureKind};
use crate::feed::said;
use crate::pace::Work;
use crate::undo::{Kept, UndoWriter};

/// Bytes of values that are read at once.
const BYTES_AT_ONCE: u64 = 4 << 20;
/// How often a single key is tried that others write again and again.
const TRIES: u32 = 6;

/// Both are read before they are compared, so that what the script adds to the lookups is known.
const COMPARE_AND_UNLINK: &str = "local d=redis.call('DUMP',KEYS[1]) if not d then return 0 end \
     local e=redis.call('PEXPIRETIME',KEYS[1]) \
     if redis.sha1hex(d)~=ARGV[1] or e~=tonumber(ARGV[2]) then return -1 end \
     return redis.call('UNLINK',KEYS[1])";

/// What became of some keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) removed: u64,
    pub(super) gone: u64,
    pub(super) too_large: u64,
    pub(super) contended: u64,
    pub(super) moved: u64,
}

pub(super) struct Removal<'a> {
    pub(super) connection: &'a mut ActingConnection,
    pub(super) turns: &'a Turns<'a>,
    pub(super) database: u16,
    pub(super) cluster: bool,
    pub(super) undo: Option<&'a UndoWriter>,
    pub(super) most_bytes_of_a_key: u64,
    /// PEXPIRETIME is there (7.0).
    pub(super) tells_expiry: bool,
    /// What has not been removed when the run ends stays.
    pub(super) ending: &'a Ending,
    /// Room for values in memory.
    pub(super) values: &'a Semaphore,
    /// A server was found to be full.
    pub(super) full: &'a AtomicBool,
    /// Keys whose removal was sent and not answered.
    pub(super) in_doubt: &'a AtomicU64,
}

/// Keys that are read at once, and about how many bytes they are.
struct Group {
    keys: Vec<Vec<u8>>,
    bytes: u64,
}

/// Room in memory for so many bytes of values; a value that is larger than all of it gets all of it.
async fn room_for<'v>(
    bytes: u64,
    values: &'v Semaphore,
    ending: &Ending,
) -> Result<SemaphorePermit<'v>, Failure> {
    let units = u32::try_from(bytes / VALUE_UNIT + 1).unwrap_or(VALUES_AT_ONCE).min(VALUES_AT_ONCE);
    let room = ending.or(values.acquire_many(units)).await.map_err(ended)?;
    room.map_err(|_closed| ended(Ended))
}

/// The run ends: what had not been removed stays.
pub(super) fn ended(_ended: Ended) -> Failure {
    Failure::new(FailureKind::Cancelled, "the run ended", "")
}

/// Keys as they are sent.
fn names(keys: &[Vec<u8>]) -> impl ExactSizeIterator<Item = &[u8]> {
    keys.iter().map(Vec::as_slice)
}

impl Removal<'_> {
    /// Removes keys. What was done until a failure is in `outcome`, too.
    pub(super) async fn remove(&mut self, keys: &[Vec<u8>], outcome: &mut Outcome) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        match self.undo {
            None => self.unlink(keys, outcome).await,
            Some(undo) => self.keep_and_unlink(keys, undo, outcome).await,
        }
    }

    async fn unlink(&mut self, keys: &[Vec<u8>], outcome: &mut Outcome) -> Result<(), Failure> {
        let mut asked = Packed::default();
        if self.cluster {
            names(keys).for_each(|key| asked.add(spelled::UNLINK, std::iter::once(key)));
        } else {
            asked.add(spelled::UNLINK, names(keys));
        }
        let answer = self.remove_by(&asked, (keys.len(), 0), |_| (0, 0)).await?;
        let before = outcome.removed + outcome.moved;
        for reply in &answer.replies {
            match reply {
                Value::Int(removed) => outcome.removed += u64::try_from(*removed).unwrap_or(0),
                other => self.one_refused(other, outcome)?,
            }
        }
        outcome.gone += (keys.len() as u64).saturating_sub(outcome.removed + outcome.moved - before);
        Ok(())
    }

    /// Sends what removes so many keys of so many bytes. Whoever is dropped before the answer, or gets none, leaves them
    /// in doubt.
    async fn remove_by(
        &mut self,
        commands: &Packed,
        (keys, bytes): (usize, u64),
        lookups: impl FnOnce(&[Value]) -> (u64, u64),
    ) -> Result<Answer, Failure> {
        let turn = self.turns.take().await.map_err(ended)?;
        self.in_doubt.fetch_add(keys as u64, Ordering::AcqRel);
        let answer = self.connection.ask_packed(self.database, commands, lookups).await?;
        self.in_doubt.fetch_sub(keys as u64, Ordering::AcqRel);
        turn.took(Work::Change, keys, bytes, answer.round_trip);
        Ok(answer)
    }

    /// Asks for something that changes nothing; given up where the run ends.
    async fn ask(
        &mut self,
        work: Work,
        commands: &Packed,
        (keys, bytes): (usize, u64),
        lookups: impl FnOnce(&[Value]) -> (u64, u64),
    ) -> Result<Answer, Failure> {
        let turn = self.turns.take().await.map_err(ended)?;
        let asked = self.connection.ask_packed(self.database, commands, lookups);
        let answer = self.ending.or(asked).await.map_err(ended)??;
        turn.took(work, keys, bytes, answer.round_trip);
        Ok(answer)
    }

    async fn keep_and_unlink(
        &mut self,
        keys: &[Vec<u8>],
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let mut groups = self.by_weight(keys, outcome).await?;
        let mut tries = 0;
        while let Some(Group { keys, bytes }) = groups.pop() {
            let single = keys.len() == 1;
            let _room = room_for(bytes, self.values, self.ending).await?;
            let changed = if self.cluster || self.full.load(Ordering::Relaxed) {
                self.try_by_script(keys, bytes, undo, outcome).await?
            } else {
                self.try_by_transaction(keys, bytes, undo, outcome).await?
            };
            match (changed.len(), single) {
                (0, _) => tries = 0,
                (_, true) if tries + 1 >= TRIES => {
                    outcome.contended += 1;
                    tries = 0;
                }
                (_, true) => {
                    tries += 1;
                    groups.push(Group { keys: changed, bytes });
                }
                (count, false) => {
                    let smaller = changed.chunks(count.div_ceil(8));
                    groups.extend(smaller.map(|keys| Group { keys: keys.to_vec(), bytes }));
                }
            }
        }
        Ok(())
    }

    /// Groups that are read at once, without what is too large to be kept.
    async fn by_weight(&mut self, keys: &[Vec<u8>], outcome: &mut Outcome) -> Result<Vec<Group>, Failure> {
        let most = BYTES_AT_ONCE.min(self.turns.light_bytes());
        let (mut groups, mut group, mut weight) = (Vec::new(), Vec::new(), 0_u64);
        for some in keys.chunks(self.turns.keys(Work::Weigh)) {
            let mut asked = Packed::default();
            for key in names(some) {
                asked.add(spelled::MEMORY, [&b"USAGE"[..], key].into_iter());
            }
            let answer = self.ask(Work::Weigh, &asked, (some.len(), 0), |_| (0, 0)).await?;
            for (key, reply) in some.iter().zip(&answer.replies) {
                let bytes = match reply {
                    Value::Int(bytes) => u64::try_from(*bytes).unwrap_or(0),
                    Value::Nil => {
                        outcome.gone += 1;
                        continue;
                    }
                    other => {
                        self.one_refused(other, outcome)?;
                        continue;
                    }
                };
                if bytes > self.most_bytes_of_a_key {
                    outcome.too_large += 1;
                    continue;
                }
                if weight + bytes > most && !group.is_empty() {
                    groups.push(Group { keys: std::mem::take(&mut group), bytes: weight });
                    weight = 0;
                }
                weight += bytes;
                group.push(key.clone());
            }
        }
        if !group.is_empty() {
            groups.push(Group { keys: group, bytes: weight });
        }
        Ok(groups)
    }

    /// Gives back the keys to be tried again.
    async fn try_by_transaction(
        &mut self,
        keys: Vec<Vec<u8>>,
        bytes: u64,
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let kept = Arc::new(self.read(keys, bytes, true, outcome).await?);
        if kept.is_empty() {
            let mut forget = Packed::default();
            forget.add(spelled::UNWATCH, std::iter::empty());
            self.ask(Work::Read, &forget, (0, 0), |_| (0, 0)).await?;
            return Ok(Vec::new());
        }
        self.ending.or(undo.keep(Arc::clone(&kept))).await.map_err(ended)??;
        let mut asked = Packed::default();
        asked.add(spelled::MULTI, std::iter::empty());
        asked.add(spelled::UNLINK, kept.iter().map(|kept| kept.key.as_slice()));
        asked.add(spelled::EXEC, std::iter::empty());
        let answer = self.remove_by(&asked, (kept.len(), 0), |_| (0, 0)).await?;
        match answer.replies.as_slice() {
            [_, _, Value::Nil] => Ok(kept.iter().map(|kept| kept.key.clone()).collect()),
            [_, _, Value::Array(done)] => {
                match done.first() {
                    Some(Value::Int(removed)) => outcome.removed += u64::try_from(*removed).unwrap_or(0),
                    Some(other) => self.one_refused(other, outcome)?,
                    None => {}
                }
                Ok(Vec::new())
            }
            [_, Value::ServerError(error), _] if error.code() == "OOM" => {
                self.full.store(true, Ordering::Relaxed);
                let keys = kept.iter().map(|kept| kept.key.clone()).collect();
                self.try_by_script(keys, bytes, undo, outcome).await
            }
            [_, refused @ Value::ServerError(_), _] | [refused @ Value::ServerError(_), ..] => {
                self.one_refused(refused, outcome)?;
                Ok(Vec::new())
            }
            _ => Err(self.garbled("MULTI")),
        }
    }

    async fn try_by_script(
        &mut self,
        keys: Vec<Vec<u8>>,
        bytes: u64,
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let kept = Arc::new(self.read(keys, bytes, false, outcome).await?);
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = Packed::default();
        for kept in kept.iter() {
            let dumped = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &kept.payload).as_ref());
            let expires = kept.expires_at_ms.map_or_else(|| "-1".to_owned(), |at| at.to_string());
            let arguments = [
                COMPARE_AND_UNLINK.as_bytes(),
                b"1",
                kept.key.as_slice(),
                dumped.as_bytes(),
                expires.as_bytes(),
            ];
            asked.add(spelled::EVAL, arguments.into_iter());
        }
        self.ending.or(undo.keep(Arc::clone(&kept))).await.map_err(ended)??;
        let lookups = |replies: &[Value]| {
            let there = replies.iter().filter(|reply| matches!(reply, Value::Int(1 | -1))).count() as u64;
            let gone = replies.iter().filter(|reply| matches!(reply, Value::Int(0))).count() as u64;
            (there * 2, gone)
        };
        let answer = self.remove_by(&asked, (kept.len(), bytes), lookups).await?;
        let mut changed = Vec::new();
        for (kept, reply) in kept.iter().zip(&answer.replies) {
            match reply {
                Value::Int(1) => outcome.removed += 1,
                Value::Int(0) => outcome.gone += 1,
                Value::Int(_) => changed.push(kept.key.clone()),
                other => self.one_refused(other, outcome)?,
            }
        }
        Ok(changed)
    }

    /// Values and times to live as they are now; `watched`, the server remembers whether they change.
    async fn read(
        &mut self,
        keys: Vec<Vec<u8>>,
        bytes: u64,
        watched: bool,
        outcome: &mut Outcome,
    ) -> Result<Vec<Kept>, Failure> {
        let mut kept = Vec::with_capacity(keys.len());
        let mut keys = keys.into_iter();
        loop {
            let some: Vec<Vec<u8>> = keys.by_ref().take(self.turns.keys(Work::Read)).collect();
            if some.is_empty() {
                return Ok(kept);
            }
            self.read_some(some, bytes, watched, outcome, &mut kept).await?;
        }
    }

    /// The same for what one exchange takes.
    async fn read_some(
        &mut self,
        keys: Vec<Vec<u8>>,
        bytes: u64,
        watched: bool,
        outcome: &mut Outcome,
        kept: &mut Vec<Kept>,
    ) -> Result<(), Failure> {
        let mut asked = Packed::default();
        if watched {
            asked.add(spelled::WATCH, names(&keys));
        }
        let lives = if self.tells_expiry { spelled::PEXPIRETIME } else { spelled::PTTL };
        for key in names(&keys) {
            asked.add(spelled::DUMP, std::iter::once(key));
            asked.add(lives, std::iter::once(key));
        }
        if !self.tells_expiry {
            asked.add(spelled::TIME, std::iter::empty());
        }
        let lookups = |replies: &[Value]| {
            replies.iter().fold((0, 0), |(hits, misses), reply| match reply {
                Value::BulkString(_) | Value::Int(-1 | 0..) => (hits + 1, misses),
                Value::Nil | Value::Int(-2) => (hits, misses + 1),
                _ => (hits, misses),
            })
        };
        let mut replies = self.ask(Work::Read, &asked, (keys.len(), bytes), lookups).await?.replies;
        let now_ms = if self.tells_expiry { None } else { replies.pop().as_ref().and_then(server_time_ms) };
        let mut replies = replies.into_iter();
        if watched {
            match replies.next() {
                Some(Value::Okay) => {}
                Some(refused) => {
                    self.one_refused(&refused, outcome)?;
                    return Err(self.garbled("WATCH"));
                }
                None => return Err(self.garbled("WATCH")),
            }
        }
        for key in keys {
            let (Some(dump), Some(expiry)) = (replies.next(), replies.next()) else {
                return Err(self.garbled("DUMP"));
            };
            let payload = match dump {
                Value::BulkString(payload) => payload,
                Value::Nil => {
                    outcome.gone += 1;
                    continue;
                }
                other => {
                    self.one_refused(&other, outcome)?;
                    continue;
                }
            };
            let expires_at_ms = match (expiry, now_ms) {
                (Value::Int(-1), _) => None,
                (Value::Int(-2), _) => {
                    outcome.gone += 1;
                    continue;
                }
                (Value::Int(at), _) if self.tells_expiry && at >= 0 => u64::try_from(at).ok(),
                (Value::Int(left), Some(now)) if left >= 0 => Some(now + left.unsigned_abs()),
                (other, _) => {
                    self.one_refused(&other, outcome)?;
                    continue;
                }
            };
            kept.push(Kept { database: self.database, key, expires_at_ms, payload });
        }
        Ok(())
    }

    /// A reply that is none of the expected: a key that another server answers for is counted, anything else halts.
    fn one_refused(&self, reply: &Value, outcome: &mut Outcome) -> Result<(), Failure> {
        match reply {
            Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN") => {
                outcome.moved += 1;
                Ok(())
            }
            Value::ServerError(error) => Err(refused(&self.connection.node().name(), error)),
            _ => Err(self.garbled("it")),
        }
    }

    fn garbled(&self, command: &str) -> Failure {
        Failure::server(
            format!("{} answers {command} with something else", self.connection.node().name()),
            "",
        )
    }
}

/// A server's refusal in one sentence.
pub(super) fn refused(node: &str, error: &redis::ServerError) -> Failure {
    let (what, remedy) = match error.code() {
        "READONLY" => {
            ("takes no writes any more: it has become a replica", "preview it again on the new primary")
        }
        "NOPERM" => ("does not permit it", "give the user the right, then resume the run"),
        "CLUSTERDOWN" => ("belongs to a Cluster that is down", "wait until it is back, then resume the run"),
        "OOM" => ("is out of memory", "resume the run when it has room"),
        "LOADING" => ("is loading its data", "resume the run when it is done"),
        "MISCONF" => ("takes no writes, because it can't save its data", "see its log, then resume the run"),
        "NOREPLICAS" => {
            ("takes no writes, because it has too few replicas", "resume the run when they are back")
        }
        _ => ("refuses", "see what the server says, then resume the run"),
    };
    Failure::server(format!("{node} {what} ({})", said(error)), remedy)
}

fn server_time_ms(reply: &Value) -> Option<u64> {
    let Value::Array(parts) = reply else { return None };
    let number = |part: &Value| match part {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    Some(number(parts.first()?)? * 1_000 + number(parts.get(1)?)? / 1_000)
}
