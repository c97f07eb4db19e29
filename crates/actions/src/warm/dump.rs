//! Values as DUMP gives them, read from a source ahead of their being written, and whether a target can read them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};
use tokio::sync::mpsc;

use super::source::{CopySource, OpensUndo};
use crate::failure::Failure;
use crate::feed::{Feed, said};
use crate::pace::{self, Pace, Work, halts_at};
use crate::preview::{databases, existing};
use crate::run::Felt;
use crate::selection::Selection;
use crate::servers::{Server, Servers};
use crate::undo::Kept;

/// Batches that wait to be written: one is written while the next is read.
const AHEAD: usize = 2;
/// Bytes of values in one batch; a batch ends beyond.
const BYTES_AT_ONCE: usize = 4 << 20;
/// Keys of one batch of an undo file.
const KEPT_AT_ONCE: usize = 500;

/// Others' round trips at the source are judged so often, each time over what was felt since, and halt the copy after so
/// many times in a row.
const JUDGED_EVERY: Duration = Duration::from_millis(200);
const STRIKES: u32 = 3;

/// How long a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lives {
    /// For ever.
    Forever,
    /// So many milliseconds from this moment on.
    For(u64, Instant),
    /// Until this moment of the servers' clocks, in milliseconds since 1970.
    Until(u64),
}

/// One value on its way.
#[derive(Clone, Debug)]
pub(crate) struct Dumped {
    pub(crate) database: u16,
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) lives: Lives,
}

impl Dumped {
    /// The milliseconds to live that RESTORE is given at `now`, of which up to `jitter_percent` are taken away; 0 is for
    /// ever. `None` where its time has run out on the way.
    pub(crate) fn ttl_ms(&self, now: Instant, now_ms: i64, jitter_percent: u32) -> Option<u64> {
        let left = match self.lives {
            Lives::Forever => return Some(0),
            Lives::For(left, since) => {
                // Rounded, so that what is lost on the way is right to half a millisecond.
                let passed = (now.saturating_duration_since(since).as_micros() + 500) / 1_000;
                left.checked_sub(u64::try_from(passed).unwrap_or(u64::MAX))?
            }
            Lives::Until(at) => at.checked_sub(now_ms.unsigned_abs())?,
        };
        let most = left / 100 * u64::from(jitter_percent.min(90));
        let less = if most == 0 { 0 } else { rand::random_range(0..=most) };
        Some(left - less).filter(|left| *left > 0)
    }
}

/// The version of the format of a dump: two bytes before its checksum
/// (<https://redis.io/docs/latest/commands/dump/>).
pub(crate) fn version_of(payload: &[u8]) -> Option<u16> {
    let at = payload.len().checked_sub(10)?;
    let bytes = payload.get(at..at + 2)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// The newest version of the format that a server reads: what it writes itself, or, where it holds no key to show it,
/// what is known of its version.
pub(crate) async fn version_read_by(server: &Server) -> Result<u16, Failure> {
    let mut connection = ActingConnection::new(Arc::clone(&server.node));
    if let Some(database) = server.databases.keys().next() {
        let mut asked = Pipeline::new();
        asked.cmd("RANDOMKEY");
        let answer = connection.ask_without_lookups(*database, &asked).await?;
        if let Some(Value::BulkString(key)) = answer.replies.first() {
            let mut asked = Pipeline::new();
            // A large value would be a large answer for two bytes of it.
            asked.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(1);
            let weighed = connection.ask_without_lookups(*database, &asked).await?;
            if matches!(weighed.replies.first(), Some(Value::Int(bytes)) if *bytes < 1 << 20) {
                let mut asked = Pipeline::new();
                asked.cmd("DUMP").arg(key);
                let answer = connection.ask(*database, &asked, lookups_of_dumps).await?;
                if let Some(Value::BulkString(payload)) = answer.replies.first()
                    && let Some(version) = version_of(payload)
                {
                    return Ok(version);
                }
            }
        }
    }
    Ok(match server.version {
        (..=4, _) => 8,
        (5 | 6, _) => 9,
        (7, 0 | 1) => 10,
        (7, 2 | 3) => 11,
        _ => 12,
    })
}

/// Whether a target reads dumps of this version.
pub(crate) fn check_version(written: u16, read: u16, target: &str) -> Result<(), Failure> {
    if written <= read {
        return Ok(());
    }
    Err(Failure::refused(
        format!("the source writes dumps of version {written}, and {target} reads up to version {read}"),
        "copy into a server of the same or a newer version",
    ))
}

fn lookups_of_dumps(replies: &[Value]) -> (u64, u64) {
    let hits = replies.iter().filter(|reply| matches!(reply, Value::BulkString(_))).count() as u64;
    (hits, replies.iter().filter(|reply| matches!(reply, Value::Nil)).count() as u64)
}

/// What reads ahead. Dropping it ends the reading.
#[derive(Debug)]
pub(crate) struct Reading {
    batches: mpsc::Receiver<Result<Vec<Dumped>, Failure>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reading {
    /// Begins to read the keys of a selection, all of an undo file where there is none.
    pub(crate) fn begin(
        source: &CopySource,
        selection: Option<Selection>,
        throttled: bool,
    ) -> Result<Self, Failure> {
        let (batches, received) = mpsc::channel(AHEAD);
        let task = match source {
            CopySource::Servers(servers) => {
                let selection = selection.ok_or_else(|| {
                    Failure::bad("it is not said which keys are copied", "name a namespace")
                })?;
                let servers = servers.clone();
                tokio::spawn(async move {
                    if let Err(failure) = read_servers(&servers, &selection, throttled, &batches).await {
                        // Nobody listens any more: then nobody needs to know.
                        let _ = batches.send(Err(failure)).await;
                    }
                })
            }
            CopySource::Undo(opens) => {
                let opens = Arc::clone(opens);
                tokio::task::spawn_blocking(move || {
                    if let Err(failure) = read_undo(&opens, selection.as_ref(), &batches) {
                        let _ = batches.blocking_send(Err(failure));
                    }
                })
            }
        };
        Ok(Self { batches: received, task })
    }

    /// The next batch; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Dumped>>, Failure> {
        self.batches.recv().await.transpose()
    }
}

type Batches = mpsc::Sender<Result<Vec<Dumped>, Failure>>;

async fn read_servers(
    servers: &Servers,
    selection: &Selection,
    throttled: bool,
    batches: &Batches,
) -> Result<(), Failure> {
    for server in &servers.primaries {
        let felt = if throttled { Some(Felt::start(server).await?) } else { None };
        let mut pace = Pace::new(throttled, felt.as_ref().map(Felt::baseline));
        let (mut strikes, mut judged) = (0, Instant::now());
        let mut connection = ActingConnection::new(Arc::clone(&server.node));
        for database in databases(server, selection) {
            let mut feed = Feed::new(database, 0);
            loop {
                let count = pace.keys(Work::Scan);
                let page = feed.next(&mut connection, selection, count).await?;
                pace::rest(pace.exchanged(Work::Scan, count, 0, page.took)).await;
                let mut keys = page.keys;
                if selection.named().is_some() {
                    keys = existing(&mut connection, database, keys).await?;
                }
                let mut rest = keys.as_slice();
                while !rest.is_empty() {
                    let (some, others) = rest.split_at(pace.keys(Work::Read).min(rest.len()));
                    rest = others;
                    let (dumped, took) = dump(&mut connection, database, some).await?;
                    let bytes = dumped.iter().map(|dumped| dumped.payload.len() as u64).sum();
                    if batches.send(Ok(dumped)).await.is_err() {
                        return Ok(());
                    }
                    pace::rest(pace.exchanged(Work::Read, some.len(), bytes, took)).await;
                    let Some(felt) = &felt else { continue };
                    pace.steer(Instant::now(), |span| felt.strained(span));
                    if judged.elapsed() < JUDGED_EVERY {
                        continue;
                    }
                    judged = Instant::now();
                    let past = felt.p99(JUDGED_EVERY).is_some_and(|p99| p99 > halts_at(felt.baseline().p99));
                    strikes = if past { strikes + 1 } else { 0 };
                    if strikes >= STRIKES {
                        return Err(Failure::refused(
                            format!(
                                "halted by a stop rule: others wait too long at the source, {}",
                                server.name
                            ),
                            "resume the run when the source is calmer",
                        ));
                    }
                }
                if page.last {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn dump(
    connection: &mut ActingConnection,
    database: u16,
    keys: &[Vec<u8>],
) -> Result<(Vec<Dumped>, Duration), Failure> {
    let mut asked = Pipeline::with_capacity(keys.len() * 2);
    for key in keys {
        asked.cmd("DUMP").arg(key);
        asked.cmd("PTTL").arg(key);
    }
    let lookups = |replies: &[Value]| {
        replies.chunks(2).fold((0, 0), |(hits, misses), two| match two {
            [Value::BulkString(_), Value::Int(-2)] => (hits + 1, misses + 1),
            [Value::BulkString(_), Value::Int(_)] => (hits + 2, misses),
            [Value::Nil, Value::Int(_)] => (hits, misses + 2),
            _ => (hits, misses),
        })
    };
    let answer = connection.ask(database, &asked, lookups).await?;
    let since = Instant::now();
    let mut dumped = Vec::with_capacity(keys.len());
    let mut replies = answer.replies.into_iter();
    for key in keys {
        let (Some(payload), Some(left)) = (replies.next(), replies.next()) else { break };
        let payload = match payload {
            Value::BulkString(payload) => payload,
            Value::Nil => continue,
            Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN") => continue,
            Value::ServerError(error) => {
                return Err(Failure::server(
                    format!("{} does not give its values: {}", connection.node().name(), said(&error)),
                    "let the user run DUMP and PTTL at the source",
                ));
            }
            _ => return Err(Failure::server("the source answers DUMP with something else", "")),
        };
        let lives = match left {
            Value::Int(-1) => Lives::Forever,
            Value::Int(left) if left > 0 => Lives::For(left.unsigned_abs(), since),
            _ => continue,
        };
        dumped.push(Dumped { database, key: key.clone(), payload, lives });
    }
    Ok((dumped, answer.round_trip))
}

fn read_undo(opens: &OpensUndo, selection: Option<&Selection>, batches: &Batches) -> Result<(), Failure> {
    let mut reader = opens()?;
    while let Some(batch) = reader.next_batch() {
        let wanted = batch
            .into_iter()
            .filter(|kept| selection.is_none_or(|selection| selection.takes(kept.database, &kept.key)));
        let mut some: Vec<Dumped> = Vec::new();
        let mut bytes = 0;
        for kept in wanted {
            bytes += kept.payload.len();
            some.push(of_kept(kept));
            if some.len() >= KEPT_AT_ONCE || bytes >= BYTES_AT_ONCE {
                bytes = 0;
                if batches.blocking_send(Ok(std::mem::take(&mut some))).is_err() {
                    return Ok(());
                }
            }
        }
        if !some.is_empty() && batches.blocking_send(Ok(some)).is_err() {
            return Ok(());
        }
    }
    if reader.is_complete() {
        return Ok(());
    }
    Err(Failure::storage("a part of the undo file can't be read", "what could be read was copied"))
}

fn of_kept(kept: Kept) -> Dumped {
    let lives = kept.expires_at_ms.map_or(Lives::Forever, Lives::Until);
    Dumped { database: kept.database, key: kept.key, payload: kept.payload, lives }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(lives: Lives) -> Dumped {
        Dumped { database: 0, key: Vec::new(), payload: Vec::new(), lives }
    }

    #[test]
    fn a_time_to_live_loses_what_passed_on_the_way_and_what_ran_out_is_left_out() {
        let now = Instant::now();
        let later = now + Duration::from_millis(30);
        assert_eq!(dumped(Lives::For(1_000, now)).ttl_ms(later, 0, 0), Some(970));
        assert_eq!(dumped(Lives::For(30, now)).ttl_ms(later, 0, 0), None);
        assert_eq!(dumped(Lives::Forever).ttl_ms(later, 0, 50), Some(0));
        assert_eq!(dumped(Lives::Until(5_000)).ttl_ms(now, 4_000, 0), Some(1_000));
        assert_eq!(dumped(Lives::Until(5_000)).ttl_ms(now, 5_000, 0), None);
        for _ in 0..200 {
            let left = dumped(Lives::For(10_000, now)).ttl_ms(now, 0, 20).expect("it lives");
            assert!((8_000..=10_000).contains(&left), "{left}");
        }
    }

    #[test]
    fn a_newer_format_than_the_target_reads_is_refused() {
        // DUMP of "v" by Redis 7.0: version 10, then eight bytes of checksum.
        let payload = b"\x00\x01v\x0a\x00\x01\x02\x03\x04\x05\x06\x07\x08";
        assert_eq!(version_of(payload), Some(10));
        assert_eq!(version_of(b"short"), None);
        assert!(check_version(10, 10, "b:1").is_ok() && check_version(9, 10, "b:1").is_ok());
        let failure = check_version(11, 9, "b:1").expect_err("newer");
        assert!(failure.sentence.contains("version 11"), "{failure}");
    }
}
