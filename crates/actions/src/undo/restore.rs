//! Putting back what a run removed: value, type and absolute time to live, never over a key that exists.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cachescope_model::time::Timestamp;
use cachescope_sources::redis::acting::{ActingConnection, spelled};
use redis::{Pipeline, Value};

use super::file::UndoReader;
use super::record::Kept;
use crate::failure::{Failure, FailureKind};
use crate::feed::said;
use crate::lock::{Lock, LockName};
use crate::run_state::UndoResult;
use crate::selection::Attribution;
use crate::servers::Servers;

/// Keys of one exchange, and their bytes.
const AT_ONCE: usize = 200;
const BYTES_AT_ONCE: usize = 4 << 20;
/// Names of conflicts that are shown.
const CONFLICTS_SHOWN: usize = 100;

/// What of a run is put back.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Only keys of this namespace.
    pub namespace: Option<String>,
    /// Only these keys.
    pub keys: Option<Vec<Vec<u8>>>,
}

impl Part {
    fn takes(&self, kept: &Kept, attribution: &Attribution) -> bool {
        let of_namespace = self.namespace.as_ref().is_none_or(|wanted| {
            let own = attribution.namespace(kept.database, &kept.key);
            own.map(|own| own.template.as_str()).unwrap_or_default() == wanted
        });
        of_namespace && self.keys.as_ref().is_none_or(|keys| keys.contains(&kept.key))
    }
}

/// How far an undo is; readable while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Keys in the file; 0 until they are counted.
    pub all: AtomicU64,
    /// Keys that were dealt with, or are not wanted.
    pub done: AtomicU64,
}

/// Puts back what of a file is wanted. A key that was kept twice, because somebody wrote it while it was being
/// removed, comes back as it was last: the file is read twice.
///
/// # Errors
/// Where a server can't be asked; what was put back until then stays, and doing it again is harmless.
pub async fn restore(
    (reader, again): (UndoReader, UndoReader),
    (run, operator): (&str, &str),
    servers: &Servers,
    attribution: &Attribution,
    part: &Part,
    progress: &Progress,
    now: impl Fn() -> Timestamp,
) -> Result<UndoResult, Failure> {
    // Nobody purges what is being put back. A lock that the run itself left behind is taken over.
    let lock = Lock::acquire(servers, &LockName::deployment(), operator, run).await?;
    let result =
        restore_locked((reader, again), run, servers, attribution, part, (progress, now, &lock)).await;
    lock.release().await;
    result
}

async fn restore_locked(
    (reader, again): (UndoReader, UndoReader),
    run: &str,
    servers: &Servers,
    attribution: &Attribution,
    part: &Part,
    (progress, now, lock): (&Progress, impl Fn() -> Timestamp, &Lock),
) -> Result<UndoResult, Failure> {
    let mut result = UndoResult { run: run.to_owned(), ..UndoResult::default() };
    let mut connections: Vec<_> =
        servers.primaries.iter().map(|server| ActingConnection::new(Arc::clone(&server.node))).collect();
    let (last, _, all) = off_thread(move || last_places(reader)).await?;
    progress.all.store(all, Ordering::Relaxed);
    let (mut reader, mut place) = (again, 0_u64);
    loop {
        let (read, back) = off_thread(move || (reader.next_batch(), reader)).await?;
        reader = back;
        let Some(batch) = read else { break };
        if !lock.is_ours() {
            return Err(Failure::new(
                FailureKind::Locked,
                "the lock in the deployment is not ours any more; what is back already stays",
                "see who else is at it, then undo again",
            ));
        }
        let mut wanted = batch;
        wanted.retain(|kept| {
            let is_last = last.is_last(kept, place);
            place += 1;
            is_last && part.takes(kept, attribution)
        });
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(AT_ONCE).take_while(|kept| {
                bytes += kept.len();
                bytes <= BYTES_AT_ONCE
            });
            let (some, others) = rest.split_at(fits.count().max(1));
            rest = others;
            put_back(some, &mut connections, attribution, now().millis(), &mut result).await?;
        }
        progress.done.store(place, Ordering::Relaxed);
    }
    result.complete = reader.is_complete();
    Ok(result)
}

/// Reading and decrypting, off the runtime's threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::storage(format!("reading the undo file was broken off: {error}"), ""))
}

/// Where each key was kept last, by hashes: some 24 bytes a key.
struct LastPlaces {
    hashing: RandomState,
    places: HashMap<u64, u64>,
}

impl LastPlaces {
    fn is_last(&self, kept: &Kept, place: u64) -> bool {
        let hash = self.hashing.hash_one((kept.database, &kept.key));
        self.places.get(&hash).is_none_or(|last| *last == place)
    }
}

fn last_places(mut reader: UndoReader) -> (LastPlaces, UndoReader, u64) {
    let (hashing, mut places, mut place) = (RandomState::new(), HashMap::new(), 0);
    while let Some(batch) = reader.next_batch() {
        for kept in batch {
            places.insert(hashing.hash_one((kept.database, &kept.key)), place);
            place += 1;
        }
    }
    (LastPlaces { hashing, places }, reader, place)
}

async fn put_back(
    records: &[Kept],
    connections: &mut [ActingConnection],
    attribution: &Attribution,
    now_ms: i64,
    result: &mut UndoResult,
) -> Result<(), Failure> {
    // By database, since an exchange is in one; in a Cluster there is but one.
    let mut open: Vec<&Kept> = Vec::new();
    for kept in records {
        let over = kept.expires_at_ms.is_some_and(|at| i64::try_from(at).is_ok_and(|at| at <= now_ms));
        if over {
            result.expired += 1;
        } else {
            open.push(kept);
        }
    }
    for connection in connections {
        if open.is_empty() {
            return Ok(());
        }
        let mut elsewhere = Vec::new();
        let mut databases: Vec<u16> = open.iter().map(|kept| kept.database).collect();
        databases.sort_unstable();
        databases.dedup();
        for database in databases {
            let here: Vec<&Kept> = open.iter().copied().filter(|kept| kept.database == database).collect();
            elsewhere.extend(on_one(&here, database, connection, attribution, result).await?);
        }
        open = elsewhere;
    }
    if !open.is_empty() {
        result.failed += open.len() as u64;
        note(result, "no server answers for their slot");
    }
    Ok(())
}

/// Restores at one server; gives back those that another one answers for.
async fn on_one<'k>(
    records: &[&'k Kept],
    database: u16,
    connection: &mut ActingConnection,
    attribution: &Attribution,
    result: &mut UndoResult,
) -> Result<Vec<&'k Kept>, Failure> {
    let mut asked = Pipeline::with_capacity(records.len());
    for kept in records {
        asked
            .cmd(spelled::RESTORE)
            .arg(&kept.key)
            .arg(kept.expires_at_ms.unwrap_or(0))
            .arg(&kept.payload)
            .arg("ABSTTL");
    }
    let answer = connection.ask_without_lookups(database, &asked).await?;
    let (mut elsewhere, mut busy) = (Vec::new(), Vec::new());
    for (kept, reply) in records.iter().zip(&answer.replies) {
        match reply {
            Value::Okay => result.restored += 1,
            Value::ServerError(error) => match error.code() {
                "BUSYKEY" => busy.push(*kept),
                "MOVED" | "ASK" => elsewhere.push(*kept),
                // Not tried a million times: what is in the way is in the way of all.
                "OOM" => {
                    return Err(Failure::server(
                        format!(
                            "{} is out of memory; {} keys came back before ({})",
                            connection.node().name(),
                            result.restored,
                            said(error)
                        ),
                        "make room or raise maxmemory, then undo again: what is back stays",
                    ));
                }
                _ => {
                    result.failed += 1;
                    note(result, &said(error));
                }
            },
            _ => result.failed += 1,
        }
    }
    compare(&busy, database, connection, attribution, result).await?;
    Ok(elsewhere)
}

/// A key that exists is a conflict, unless it is what was kept.
async fn compare(
    records: &[&Kept],
    database: u16,
    connection: &mut ActingConnection,
    attribution: &Attribution,
    result: &mut UndoResult,
) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    let mut asked = Pipeline::with_capacity(records.len());
    for kept in records {
        asked.cmd(spelled::DUMP).arg(&kept.key);
    }
    let lookups = |replies: &[Value]| {
        let hits = replies.iter().filter(|reply| matches!(reply, Value::BulkString(_))).count() as u64;
        (hits, replies.iter().filter(|reply| matches!(reply, Value::Nil)).count() as u64)
    };
    let answer = connection.ask(database, &asked, lookups).await?;
    for (kept, reply) in records.iter().zip(&answer.replies) {
        if matches!(reply, Value::BulkString(payload) if *payload == kept.payload) {
            result.unchanged += 1;
            continue;
        }
        result.conflicts += 1;
        if result.conflicting.len() < CONFLICTS_SHOWN {
            result.conflicting.push(attribution.shown(kept.database, &kept.key));
        }
    }
    Ok(())
}

fn note(result: &mut UndoResult, why: &str) {
    if result.why.is_empty() {
        why.clone_into(&mut result.why);
    }
}
