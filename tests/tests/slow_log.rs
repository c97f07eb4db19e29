//! Execution times by namespace, held against a complete slow log of the same run that is read independently.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::command;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, Value};
use tokio::sync::watch;

/// Enough room for every command of the run; the server's own memory is of no matter here.
const COMPLETE: &str = "2000000";
/// Commands of one client's round trip: what makes the server busy on a machine of two cores.
const PIPELINED: u64 = 8;
/// The acceptance of the design.
const TOLERANCE: f64 = 0.15;
/// A microsecond is the slow log's own grain: where 99 % of the commands take one and the rest two, one more command or
/// one less decides between them. A hair more, for the rounding of a difference.
const GRAIN: f64 = 1.001e-6;

/// One namespace holds large values and another small ones.
async fn fill(connection: &mut MultiplexedConnection) -> Result<()> {
    for number in 0..40u64 {
        let mut pipeline = redis::pipe();
        // From 32 KiB to 670 KiB, so that the large namespace has a tail of its own.
        let large = "v".repeat(32_768 + 16_384 * usize::try_from(number)?);
        pipeline.cmd("SET").arg(format!("large:{number}")).arg(large).ignore();
        for small in 0..25 {
            pipeline.cmd("SET").arg(format!("small:{}", number * 25 + small)).arg("v").ignore();
        }
        let () = pipeline.query_async(connection).await?;
    }
    Ok(())
}

/// Reads small and large values until told to stop.
async fn load(server: &RedisServer, seed: u64, mut stop: watch::Receiver<bool>) -> Result<()> {
    let mut connection = server.connection().await?;
    let mut state = seed;
    while !*stop.borrow_and_update() {
        let mut pipeline = redis::pipe();
        for _ in 0..PIPELINED {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let drawn = state >> 33;
            let key = match drawn % 8 {
                0 => format!("large:{}", (drawn / 8) % 40),
                _ => format!("small:{}", (drawn / 8) % 1_000),
            };
            pipeline.cmd("GET").arg(key).ignore();
        }
        let () = pipeline.query_async(&mut connection).await?;
    }
    Ok(())
}

/// Microseconds by namespace of entries newer than `after`, and the newest id.
#[derive(Default)]
struct Complete {
    micros: BTreeMap<String, Vec<u64>>,
    seen: BTreeSet<u64>,
}

impl Complete {
    /// Reads every entry that is new. The sample empties the log after its burst: this must come sooner.
    async fn read(&mut self, connection: &mut MultiplexedConnection) -> Result<()> {
        let known = self.seen.last().copied();
        let newest = ids(&slow_log(connection, 1).await?)?;
        let (Some(known), Some(newest)) = (known, newest.first()) else {
            return self.take(slow_log(connection, 1_000).await?);
        };
        // As many as are new, and what comes while this is asked.
        let new = newest.saturating_sub(known);
        self.take(slow_log(connection, new + 1_000).await?)
    }

    fn take(&mut self, entries: Vec<Vec<Value>>) -> Result<()> {
        for entry in entries {
            let mut fields = entry.into_iter();
            let mut next = || fields.next().context("an entry has four fields");
            let id = u64::from_redis_value(next()?)?;
            next()?;
            let micros = u64::from_redis_value(next()?)?;
            let words = Vec::<String>::from_redis_value(next()?)?;
            if !self.seen.insert(id) || words.first().is_none_or(|name| name != "GET") {
                continue;
            }
            let namespace = words.get(1).and_then(|key| key.split(':').next()).context("a GET has a key")?;
            self.micros.entry(namespace.to_owned()).or_default().push(micros);
        }
        Ok(())
    }

    fn p99(&mut self, namespace: &str) -> Result<f64> {
        let values = self.micros.get_mut(namespace).context("the namespace was read")?;
        values.sort_unstable();
        let rank = (0.99 * values.len() as f64).ceil() as usize;
        Ok(values[rank - 1] as f64 / 1e6)
    }

    fn gaps(&self) -> u64 {
        match (self.seen.first(), self.seen.last()) {
            (Some(first), Some(last)) => last - first + 1 - self.seen.len() as u64,
            _ => 0,
        }
    }
}

async fn slow_log(connection: &mut MultiplexedConnection, count: u64) -> Result<Vec<Vec<Value>>> {
    Ok(redis::cmd("SLOWLOG").arg("GET").arg(count).query_async(connection).await?)
}

fn ids(entries: &[Vec<Value>]) -> Result<Vec<u64>> {
    let id = |entry: &Vec<Value>| Ok(u64::from_redis_value(entry.first().context("an id")?.clone())?);
    entries.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn p99_execution_times_of_large_and_small_values_are_those_of_the_complete_slow_log() -> Result<()> {
    // The log is long enough already, so that the sample leaves its length alone and nothing is pushed out.
    let config = vec![("slowlog-max-len".to_owned(), COMPLETE.to_owned())];
    let server = RedisServer::start(RedisOptions { config, ..Default::default() }).await?;
    let mut connection = server.connection().await?;
    fill(&mut connection).await?;
    let (stop, stopped) = watch::channel(false);
    let url = server.url();
    let arguments = [
        "snapshot",
        "--environment",
        "development",
        "--redis",
        &url,
        "--sources",
        "info,slowlog",
        "--watch-for",
        "9s",
    ];
    let (printed, complete) = tokio::join!(
        async {
            let printed = command::json(&arguments).await;
            stop.send(true).map(|()| printed).context("the load runs")
        },
        async {
            let reading = async {
                let mut complete = Complete::default();
                while !*stopped.borrow() {
                    complete.read(&mut connection).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                anyhow::Ok(complete)
            };
            let (complete, first, second) =
                tokio::join!(reading, load(&server, 1, stopped.clone()), load(&server, 2, stopped.clone()));
            first.and(second)?;
            complete
        },
    );
    let (printed, mut complete) = (printed??, complete?);
    let seen = complete.seen.len() as u64;
    assert!(
        complete.gaps() * 100 < seen,
        "the independent log is complete: {} of {seen} missing",
        complete.gaps()
    );
    for namespace in ["large", "small"] {
        let truth = complete.p99(namespace)?;
        let rows = printed["namespaces"].as_array().context("a snapshot has namespaces")?;
        let row = rows
            .iter()
            .find(|row| row["namespace"].as_str().is_some_and(|name| name.starts_with(namespace)))
            .with_context(|| format!("{namespace} is discovered: {printed:#}"))?;
        let reading = &row["readings"]["execution_p99_seconds"];
        assert_eq!(reading["certainty"], "estimated", "{reading}");
        let found = reading["value"].as_f64().with_context(|| format!("a value: {reading}"))?;
        eprintln!(
            "{namespace}: p99 {:.1} µs ({:.1} to {:.1}) of {:.1} µs, {} reads; {}",
            found * 1e6,
            reading["low"].as_f64().unwrap_or_default() * 1e6,
            reading["high"].as_f64().unwrap_or_default() * 1e6,
            truth * 1e6,
            complete.micros[namespace].len(),
            reading["source"]
        );
        assert!(
            (found - truth).abs() <= (TOLERANCE * truth).max(GRAIN),
            "{namespace}: {found} is not within 15 % of {truth}: {reading}"
        );
        let (low, high) =
            (reading["low"].as_f64().unwrap_or(0.0), reading["high"].as_f64().unwrap_or(f64::MAX));
        assert!(
            low <= truth + GRAIN && truth - GRAIN <= high,
            "{namespace}: {truth} is not inside of {reading}"
        );
    }
    Ok(())
}
