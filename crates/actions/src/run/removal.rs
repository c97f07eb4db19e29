//! The one place where keys are removed.
//!
//! Without undo: `UNLINK`. With undo what is removed must be what is in the file, whoever writes meanwhile:
//!
//! 1. `MEMORY USAGE`: what is too large to be kept is left alone before anybody reads it.
//! 2. `WATCH`, `DUMP`, `PEXPIRETIME`: as they are now.
//! 3. Into the file, and onto the disk.
//! 4. `MULTI`, `UNLINK`, `EXEC`: the server refuses where one of them was written since 2. Then nothing was removed,
//!    and the keys are tried again in smaller groups, in the end one by one. A key that is written faster than that
//!    is left alone and counted.
//!
//! A Cluster runs no transaction over several slots, and nearly every key is in a slot of its own. There step 4 is a
//! script for each key, which removes it only if its dump and its time to live are what was kept. One key a script:
//! nobody waits longer for it than for a DUMP.

use std::time::Duration;

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::canonical::hex;
use crate::failure::Failure;
use crate::feed::said;
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
    /// The longest exchange: for so long others may have waited.
    pub(super) longest: Duration,
}

impl Outcome {
    pub(super) fn add(&mut self, other: Self) {
        self.removed += other.removed;
        self.gone += other.gone;
        self.too_large += other.too_large;
        self.contended += other.contended;
        self.moved += other.moved;
        self.longest = self.longest.max(other.longest);
    }
}

pub(super) struct Removal<'a> {
    pub(super) connection: &'a mut ActingConnection,
    pub(super) database: u16,
    pub(super) cluster: bool,
    pub(super) undo: Option<&'a UndoWriter>,
    pub(super) most_bytes_of_a_key: u64,
    /// PEXPIRETIME is there (7.0).
    pub(super) tells_expiry: bool,
}

impl Removal<'_> {
    /// Removes keys. What was done until a failure is in `outcome`, too.
    pub(super) async fn remove(&mut self, keys: Vec<Vec<u8>>, outcome: &mut Outcome) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        match self.undo {
            None => self.unlink(&keys, outcome).await,
            Some(undo) => self.keep_and_unlink(keys, undo, outcome).await,
        }
    }

    async fn unlink(&mut self, keys: &[Vec<u8>], outcome: &mut Outcome) -> Result<(), Failure> {
        let mut asked = Pipeline::new();
        if self.cluster {
            keys.iter().for_each(|key| {
                asked.cmd("UNLINK").arg(key);
            });
        } else {
            asked.cmd("UNLINK").arg(keys);
        }
        let answer = self.connection.ask_without_lookups(self.database, &asked).await?;
        outcome.longest = outcome.longest.max(answer.round_trip);
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

    async fn keep_and_unlink(
        &mut self,
        keys: Vec<Vec<u8>>,
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let mut groups = self.by_weight(keys, outcome).await?;
        let mut tries = 0;
        while let Some(group) = groups.pop() {
            let single = group.len() == 1;
            let changed = if self.cluster {
                self.try_by_script(group, undo, outcome).await?
            } else {
                self.try_by_transaction(group, undo, outcome).await?
            };
            match (changed.len(), single) {
                (0, _) => tries = 0,
                (_, true) if tries + 1 >= TRIES => {
                    outcome.contended += 1;
                    tries = 0;
                }
                (_, true) => {
                    tries += 1;
                    groups.push(changed);
                }
                (count, false) => {
                    groups.extend(changed.chunks(count.div_ceil(8)).map(<[_]>::to_vec));
                }
            }
        }
        Ok(())
    }

    /// Groups that are read at once, without what is too large to be kept.
    async fn by_weight(
        &mut self,
        keys: Vec<Vec<u8>>,
        outcome: &mut Outcome,
    ) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let mut asked = Pipeline::with_capacity(keys.len());
        for key in &keys {
            asked.cmd("MEMORY").arg("USAGE").arg(key);
        }
        let answer = self.connection.ask_without_lookups(self.database, &asked).await?;
        outcome.longest = outcome.longest.max(answer.round_trip);
        let (mut groups, mut group, mut weight) = (Vec::new(), Vec::new(), 0);
        for (key, reply) in keys.into_iter().zip(&answer.replies) {
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
            if weight + bytes > BYTES_AT_ONCE && !group.is_empty() {
                groups.push(std::mem::take(&mut group));
                weight = 0;
            }
            weight += bytes;
            group.push(key);
        }
        if !group.is_empty() {
            groups.push(group);
        }
        Ok(groups)
    }

    /// Gives back the keys to be tried again.
    async fn try_by_transaction(
        &mut self,
        keys: Vec<Vec<u8>>,
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let kept = self.read(&keys, true, outcome).await?;
        if kept.is_empty() {
            let mut forget = Pipeline::new();
            forget.cmd("UNWATCH");
            self.connection.ask_without_lookups(self.database, &forget).await?;
            return Ok(Vec::new());
        }
        let names: Vec<Vec<u8>> = kept.iter().map(|kept| kept.key.clone()).collect();
        undo.keep(kept).await?;
        let mut asked = Pipeline::new();
        asked.cmd("MULTI");
        asked.cmd("UNLINK").arg(&names);
        asked.cmd("EXEC");
        let answer = self.connection.ask_without_lookups(self.database, &asked).await?;
        outcome.longest = outcome.longest.max(answer.round_trip);
        match answer.replies.as_slice() {
            [_, _, Value::Nil] => Ok(names),
            [_, _, Value::Array(done)] => {
                match done.first() {
                    Some(Value::Int(removed)) => outcome.removed += u64::try_from(*removed).unwrap_or(0),
                    Some(other) => self.one_refused(other, outcome)?,
                    None => {}
                }
                Ok(Vec::new())
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
        undo: &UndoWriter,
        outcome: &mut Outcome,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let kept = self.read(&keys, false, outcome).await?;
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = Pipeline::with_capacity(kept.len());
        for kept in &kept {
            let dumped = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &kept.payload).as_ref());
            let expires = kept.expires_at_ms.map_or_else(|| "-1".to_owned(), |at| at.to_string());
            asked.cmd("EVAL").arg(COMPARE_AND_UNLINK).arg(1).arg(&kept.key).arg(dumped).arg(expires);
        }
        let names: Vec<Vec<u8>> = kept.iter().map(|kept| kept.key.clone()).collect();
        undo.keep(kept).await?;
        let lookups = |replies: &[Value]| {
            let there = replies.iter().filter(|reply| matches!(reply, Value::Int(1 | -1))).count() as u64;
            let gone = replies.iter().filter(|reply| matches!(reply, Value::Int(0))).count() as u64;
            (there * 2, gone)
        };
        let answer = self.connection.ask(self.database, &asked, lookups).await?;
        outcome.longest = outcome.longest.max(answer.round_trip);
        let mut changed = Vec::new();
        for (name, reply) in names.into_iter().zip(&answer.replies) {
            match reply {
                Value::Int(1) => outcome.removed += 1,
                Value::Int(0) => outcome.gone += 1,
                Value::Int(_) => changed.push(name),
                other => self.one_refused(other, outcome)?,
            }
        }
        Ok(changed)
    }

    /// Values and times to live as they are now; `watched`, the server remembers whether they change.
    async fn read(
        &mut self,
        keys: &[Vec<u8>],
        watched: bool,
        outcome: &mut Outcome,
    ) -> Result<Vec<Kept>, Failure> {
        let mut asked = Pipeline::with_capacity(keys.len() * 2 + 2);
        if watched {
            asked.cmd("WATCH").arg(keys);
        }
        for key in keys {
            asked.cmd("DUMP").arg(key);
            asked.cmd(if self.tells_expiry { "PEXPIRETIME" } else { "PTTL" }).arg(key);
        }
        asked.cmd("TIME");
        let lookups = |replies: &[Value]| {
            replies.iter().fold((0, 0), |(hits, misses), reply| match reply {
                Value::BulkString(_) | Value::Int(-1 | 0..) => (hits + 1, misses),
                Value::Nil | Value::Int(-2) => (hits, misses + 1),
                _ => (hits, misses),
            })
        };
        let answer = self.connection.ask(self.database, &asked, lookups).await?;
        outcome.longest = outcome.longest.max(answer.round_trip);
        let mut replies = answer.replies;
        let now_ms = replies.pop().as_ref().and_then(server_time_ms);
        if watched {
            match replies.remove(0) {
                Value::Okay => {}
                refused => {
                    self.one_refused(&refused, outcome)?;
                    return Err(self.garbled("WATCH"));
                }
            }
        }
        let mut kept = Vec::with_capacity(keys.len());
        let mut replies = replies.into_iter();
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
            kept.push(Kept { database: self.database, key: key.clone(), expires_at_ms, payload });
        }
        Ok(kept)
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
