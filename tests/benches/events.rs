//! Keyspace events end to end: from a real server that announces misses as fast as it can, through the source, into
//! the engine. Says who was the limit.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_engine::{Engine, EngineOptions};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::strategy::Strategy;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::redis::events::{self, EventsOptions};
use cachescope_sources::redis::{ConnectOptions, RedisNode, RedisTarget};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Events a second that have to get through.
const LIMIT: f64 = 300_000.0;
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    let options = RedisOptions { notify_keyspace_events: Some("Em".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let mut connection = server.connection().await?;
    let (sink, mut observations) = mpsc::channel(512);
    let cancel = CancellationToken::new();
    let node = Arc::new(RedisNode::new(RedisTarget::parse(&server.url())?, ConnectOptions::default()));
    let context = SourceContext::new(node.name(), SessionClock::start(), sink, cancel.clone());
    tokio::spawn(events::run(context, node, EventsOptions::default()));
    let mut engine = Engine::new(&Strategy::default(), EngineOptions::default());
    while !matches!(observations.recv().await.context("the source runs")?.what, Observed::EventsBegan(_)) {}

    let mut load = Command::new("redis-benchmark")
        .args(["-p", &server.port().to_string(), "-P", "64", "-r", "1000000", "-q", "-n", "2000000000"])
        .args(["GET", "session:__rand_int__"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("redis-benchmark could not be started: `cargo xtask setup` installs it")?;
    let begun = Instant::now();
    let (mut events, mut lost, mut from) = (0u64, 0u64, None);
    let (mut engine_seconds, mut server_from) = (0.0, (0.0, 0.0));
    while from.is_none_or(|from: Instant| from.elapsed() < MEASURED) {
        let observation = observations.recv().await.context("the source runs")?;
        if from.is_none() && begun.elapsed() >= WARM_UP {
            server_from = told(&mut connection).await?;
            (from, events, lost, engine_seconds) = (Some(Instant::now()), 0, 0, 0.0);
        }
        match &observation.what {
            Observed::Events(batch) => events += batch.len() as u64,
            Observed::EventsLost => lost += 1,
            _ => {}
        }
        let before = Instant::now();
        engine.observe(&observation);
        engine_seconds += before.elapsed().as_secs_f64();
    }
    let seconds = from.map_or(0.0, |from| from.elapsed().as_secs_f64());
    let server_to = told(&mut connection).await?;
    load.kill().await?;
    cancel.cancel();
    let per_second = events as f64 / seconds;
    println!(
        "events/end to end: {:.0} thousand/s of {:.0} thousand/s that the server announced, lost {lost} times; the \
         server at {:.0} % of a core, the engine at {:.0} %; ratio {:.2} to the limit of 300 thousand/s",
        per_second / 1e3,
        (server_to.0 - server_from.0) / seconds / 1e3,
        (server_to.1 - server_from.1) / seconds * 100.0,
        engine_seconds / seconds * 100.0,
        per_second / LIMIT
    );
    if per_second < LIMIT {
        bail!("{per_second:.0} events a second of {LIMIT}");
    }
    Ok(())
}

/// Misses that the server has counted, and seconds of its CPU.
async fn told(connection: &mut redis::aio::MultiplexedConnection) -> Result<(f64, f64)> {
    let info: String = redis::cmd("INFO").arg("everything").query_async(connection).await?;
    let find = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<f64>().ok())
            .with_context(|| format!("INFO tells no {name}"))
    };
    Ok((find("keyspace_misses")?, find("used_cpu_user")? + find("used_cpu_sys")?))
}
