//! Values as DUMP gives them, read from a source ahead of their being written, and whether a target can read them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::{ActingConnection, spelled};
use redis::{Pipeline, Value};
use tokio::sync::mpsc;

use super::server_clock::{ServerClock, micros_of};
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
    /// Until this moment.
    Until(Instant),
    /// Until this moment of the target's own clock, in milliseconds since 1970.
    UntilThere(u64),
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
    /// When its life ends by the target's clock, as RESTORE … ABSTTL is given it: milliseconds since 1970, 0 for never. Up
    /// to `jitter_percent` of what is left at `now` are taken away. `None` where its time has run out on the way.
    pub(crate) fn ends_at_ms(&self, now: Instant, clock: &ServerClock, jitter_percent: u32) -> Option<u64> {
        let ends = match self.lives {
            Lives::Forever => return Some(0),
            Lives::Until(moment) => clock.ms_at(moment),
            Lives::UntilThere(ms) => ms,
        };
        let left = ends.checked_sub(clock.ms_at(now)).filter(|left| *left > 0)?;
        let most = left / 100 * u64::from(jitter_percent.min(90));
        let less = if most == 0 { 0 } else { rand::random_range(0..=most) };
        Some(ends - less)
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
        let mut clock = None;
        for database in databases(server, selection) {
            let mut feed = Feed::new(database);
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
                    let now = ServerClock::look(clock, &mut connection).await?;
                    clock = Some(now);
                    let tells_expiry = server.version >= (7, 0);
                    let (dumped, took) = dump(&mut connection, &now, database, some, tells_expiry).await?;
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

/// Reads values and when their lives end by the server's clock. Before PEXPIRETIME (7.0), what is left is added to the
/// server's own time, asked right before it.
async fn dump(
    connection: &mut ActingConnection,
    clock: &ServerClock,
    database: u16,
    keys: &[Vec<u8>],
    tells_expiry: bool,
) -> Result<(Vec<Dumped>, Duration), Failure> {
    let mut asked = Pipeline::with_capacity(keys.len() * 3);
    for key in keys {
        asked.cmd(spelled::DUMP).arg(key);
        if tells_expiry {
            asked.cmd(spelled::PEXPIRETIME).arg(key);
        } else {
            asked.cmd(spelled::TIME).cmd(spelled::PTTL).arg(key);
        }
    }
    let lookups = |replies: &[Value]| {
        replies.iter().fold((0, 0), |(hits, misses), reply| match reply {
            Value::BulkString(_) | Value::Int(-1 | 0..) => (hits + 1, misses),
            Value::Nil | Value::Int(-2) => (hits, misses + 1),
            _ => (hits, misses),
        })
    };
    let answer = connection.ask(database, &asked, lookups).await?;
    let mut dumped = Vec::with_capacity(keys.len());
    let mut replies = answer.replies.into_iter();
    for key in keys {
        let payload = replies.next();
        let asked_at_ms = if tells_expiry { Some(0) } else { replies.next().as_ref().and_then(ms_of) };
        let (Some(payload), Some(asked_at_ms), Some(ends)) = (payload, asked_at_ms, replies.next()) else {
            return Err(Failure::server("the source answers DUMP with something else", ""));
        };
        let payload = match payload {
            Value::BulkString(payload) => payload,
            Value::Nil => continue,
            Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN") => continue,
            Value::ServerError(error) => {
                return Err(Failure::server(
                    format!("{} does not give its values: {}", connection.node().name(), said(&error)),
                    "let the user run DUMP, PEXPIRETIME and PTTL at the source",
                ));
            }
            _ => return Err(Failure::server("the source answers DUMP with something else", "")),
        };
        let lives = match ends {
            Value::Int(-1) => Lives::Forever,
            Value::Int(ends) if ends > 0 => match clock.moment(asked_at_ms + ends.unsigned_abs()) {
                Some(moment) => Lives::Until(moment),
                // Beyond what can be told: thousands of centuries.
                None => Lives::Forever,
            },
            _ => continue,
        };
        dumped.push(Dumped { database, key: key.clone(), payload, lives });
    }
    Ok((dumped, answer.round_trip))
}

fn ms_of(time: &Value) -> Option<u64> {
    u64::try_from(micros_of(time)? / 1_000).ok()
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
    let lives = kept.expires_at_ms.map_or(Lives::Forever, Lives::UntilThere);
    Dumped { database: kept.database, key: kept.key, payload: kept.payload, lives }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(lives: Lives) -> Dumped {
        Dumped { database: 0, key: Vec::new(), payload: Vec::new(), lives }
    }

    #[test]
    fn an_end_of_life_stays_where_it_is_and_what_ran_out_on_the_way_is_left_out() {
        let now = Instant::now();
        let clock = ServerClock::for_tests(now, 4_000);
        let later = now + Duration::from_millis(30);
        let ends = |lives, at, jitter| dumped(lives).ends_at_ms(at, &clock, jitter);
        assert_eq!(ends(Lives::Until(now + Duration::from_secs(1)), later, 0), Some(5_000));
        assert_eq!(ends(Lives::Until(later), later, 0), None);
        assert_eq!(ends(Lives::Forever, later, 50), Some(0));
        assert_eq!(ends(Lives::UntilThere(5_000), later, 0), Some(5_000));
        assert_eq!(ends(Lives::UntilThere(4_030), later, 0), None);
        for _ in 0..200 {
            let end = ends(Lives::Until(now + Duration::from_secs(10)), now, 20).expect("it lives");
            assert!((12_000..=14_000).contains(&end), "{end}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_tell_when_a_key_expires_is_asked_what_is_left_and_what_time_it_is() {
        cachescope_lab::servers::install_crypto();
        let options = cachescope_lab::servers::RedisOptions::default();
        let server = cachescope_lab::servers::RedisServer::start(options).await.expect("it is installed");
        let mut connection = server.connection().await.expect("it answers");
        let keys = [b"a".to_vec(), b"b".to_vec(), b"gone".to_vec()];
        let mut set = redis::pipe();
        set.cmd("SET").arg("a").arg("v").arg("PX").arg(600_000).cmd("SET").arg("b").arg("v");
        let () = set.query_async(&mut connection).await.expect("set");
        let address = cachescope_sources::redis::RedisAddress::parse(&server.url()).expect("an address");
        let options = cachescope_sources::redis::ConnectOptions::default();
        let found = cachescope_sources::redis::topology::Discovery::new(address, options).look().await;
        let servers = Servers::inspect(&found).await.expect("it is a primary");
        let mut connection = ActingConnection::new(Arc::clone(&servers.primaries[0].node));
        let clock = ServerClock::look(None, &mut connection).await.expect("it tells the time");
        let mut ends = Vec::new();
        for tells_expiry in [true, false] {
            let (dumped, _) = dump(&mut connection, &clock, 0, &keys, tells_expiry).await.expect("dumped");
            assert_eq!(dumped.len(), 2);
            assert_eq!(dumped[1].lives, Lives::Forever);
            ends.push(dumped[0].ends_at_ms(Instant::now(), &clock, 0).expect("it lives"));
        }
        // Both numbers are cut off at the millisecond.
        assert!(ends[0].abs_diff(ends[1]) <= 2, "{ends:?}");
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
