//! A server that nobody uses shows no traffic, though everything that observes it is switched on.
//!
//! `CACHESCOPE_IDLE_MINUTES=10 cargo test -p cachescope-tests --test idle -- --nocapture` watches for so long.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::programs;
use cachescope_tests::waiting::wait_for;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Long enough for a sample of the slow log, a scan and the first probes.
const SHORT: Duration = Duration::from_secs(16);

/// What must be zero or unavailable of the server and of every namespace.
const OF_TRAFFIC: [&str; 6] = [
    "lookups_per_second",
    "misses_per_second",
    "evictions_per_second",
    "expirations_per_second",
    "commands_per_second",
    "hit_rate",
];

async fn settings(connection: &mut MultiplexedConnection) -> Result<BTreeMap<String, String>> {
    Ok(redis::cmd("CONFIG").arg("GET").arg("*").query_async(connection).await?)
}

async fn slow_log(connection: &mut MultiplexedConnection) -> Result<u64> {
    Ok(redis::cmd("SLOWLOG").arg("LEN").query_async(connection).await?)
}

fn traffic(line: &Value) -> Vec<String> {
    let rows = line["namespaces"].as_array().into_iter().flatten();
    let readings = rows.map(|row| (row["namespace"].as_str().unwrap_or_default(), &row["readings"]));
    let mut found = Vec::new();
    for (name, readings) in readings.chain([("the server", &line["instance"])]) {
        for kind in OF_TRAFFIC {
            let value = readings[kind]["value"].as_f64().unwrap_or_default();
            if value != 0.0 {
                found.push(format!("{kind} of {name}: {}", readings[kind]));
            }
        }
    }
    for row in line["namespaces"].as_array().into_iter().flatten() {
        let name = row["namespace"].as_str().unwrap_or_default();
        let misses = row["miss_causes"].as_object().into_iter().flat_map(|causes| causes.values());
        if misses.filter_map(Value::as_u64).sum::<u64>() > 0 {
            found.push(format!("misses of {name}: {}", row["miss_causes"]));
        }
        if !name.is_empty() && !["user:{id}", "session:{id}"].contains(&name) {
            found.push(format!("a namespace of ours: {name}"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_with_everything_switched_on_shows_no_traffic_and_is_as_before_afterwards()
-> Result<()> {
    let minutes =
        std::env::var("CACHESCOPE_IDLE_MINUTES").ok().map(|text| text.parse::<u64>()).transpose()?;
    let watched = minutes.map_or(SHORT, |minutes| Duration::from_secs(60 * minutes));
    let options =
        RedisOptions { notify_keyspace_events: Some("Emxegn".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let mut connection = server.connection().await?;
    let mut pipe = redis::pipe();
    for number in 0..500 {
        pipe.cmd("SET").arg(format!("user:{number}")).arg("a value").ignore();
        pipe.cmd("HSET").arg(format!("session:{number}")).arg("field").arg("value").ignore();
    }
    pipe.exec_async(&mut connection).await?;
    let before = (settings(&mut connection).await?, slow_log(&mut connection).await?);

    let state = tempfile::tempdir()?;
    let mut observer = Command::new(programs::cachescope()?)
        .args(["watch", "--json", "--environment", "development", "--redis", &server.url()])
        .args(["--sources", "info,events,commands,slowlog,scan,probe"])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(observer.stdout.take().context("it was asked for")?).lines();
    let (begun, mut seen, mut sources) = (Instant::now(), 0, BTreeMap::new());
    while begun.elapsed() < watched {
        let line = lines.next_line().await?.context("`cachescope watch` has ended")?;
        let line: Value = serde_json::from_str(&line)?;
        // The first rates need two readings; what was done before we came is no traffic of ours or anybody's.
        let found = traffic(&line);
        if !found.is_empty() {
            bail!("after {} s: {}", begun.elapsed().as_secs(), found.join("\n"));
        }
        for source in line["sources"].as_array().into_iter().flatten() {
            let name = source["source"].as_str().unwrap_or_default().to_owned();
            let health = source["health"].as_str().unwrap_or_default();
            sources.insert(name, format!("{health} {}", source["detail"].as_str().unwrap_or_default()));
        }
        seen += 1;
    }
    eprintln!("{seen} readings over {:?}; sources {sources:?}", begun.elapsed());
    assert!(seen as u64 >= watched.as_secs() / 2, "it was watched all the time: {seen}");
    for name in ["info", "events", "commands", "slowlog", "scan", "probe"] {
        assert!(
            // A busy machine looks like strain, and GET is not asked of a server that would take it for use.
            sources.get(name).is_some_and(|health| health.starts_with("ok") || health.starts_with("partial")),
            "{name} works: {sources:?}"
        );
    }

    let id = observer.id().context("it runs")?.to_string();
    anyhow::ensure!(std::process::Command::new("kill").args(["-INT", &id]).status()?.success());
    // It writes until it ends.
    while lines.next_line().await?.is_some() {}
    observer.wait().await?;
    let after = (settings(&mut connection).await?, slow_log(&mut connection).await?);
    assert_eq!(after, before, "settings and slow log are as before");
    wait_for("no client of ours is left", async || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await?;
        Ok((list.lines().count() == 1).then_some(()))
    })
    .await
}
