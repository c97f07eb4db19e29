//! Copying small keys from one server to another with the command, and what other clients of either feel while it is
//! throttled.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

#[path = "scanning/clients.rs"]
mod clients;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::programs;
use clients::{Clients, p99};
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

const KEYS: u64 = 500_000;
/// Keys of the throttled copy: it shall be long enough to be felt, not long.
const FELT_KEYS: u64 = 60_000;
const PAIRS: usize = 3;
/// Keys a second at least.
const WANTED: f64 = 100_000.0;
/// What others may feel, as a multiple of what they felt before.
const FELT: f64 = 1.5;
const STRATEGY: &str = "name = \"copied\"\ntitle = \"Copied\"\n[[namespace]]\nname = \"bench\"\ntitle = \"Bench\"\n\
                        template = \"bench:{number}\"\n";

#[tokio::main]
async fn main() -> Result<()> {
    let strategy = tempfile::Builder::new().suffix(".toml").tempfile()?;
    std::fs::write(strategy.path(), STRATEGY)?;
    let strategy = strategy.path().to_string_lossy().into_owned();
    let source = RedisServer::start(RedisOptions::default()).await?;
    let target = RedisServer::start(RedisOptions::default()).await?;
    let (mut from, mut to) = (source.connection().await?, target.connection().await?);
    let mut missed = Vec::new();
    fill(&mut from, KEYS).await?;
    let mut rates = Vec::new();
    for _ in 0..PAIRS {
        redis::cmd("FLUSHALL").query_async::<()>(&mut to).await?;
        let took = copy(&source, &target, &strategy, "--unthrottled").await?.1;
        let there: u64 = redis::cmd("DBSIZE").query_async(&mut to).await?;
        if there < KEYS {
            bail!("{there} of {KEYS} keys came");
        }
        rates.push(KEYS as f64 / took.as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let rate = rates[PAIRS / 2];
    println!(
        "copy/{KEYS} small keys, the command's start included: {rate:.0} a second ({:.0} to {:.0}), wanted {WANTED:.0}; \
         ratio {:.2}",
        rates[0],
        rates[PAIRS - 1],
        rate / WANTED
    );
    if rate < WANTED {
        missed.push(format!("{rate:.0} keys a second"));
    }
    fill(&mut from, FELT_KEYS).await?;
    redis::cmd("FLUSHALL").query_async::<()>(&mut to).await?;
    let measured = |port: u16| -> Result<Clients> { Clients::start(port) };
    let mut before = Vec::new();
    for server in [&source, &target] {
        let clients = measured(server.port())?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        before.push(p99(&clients.end()?)?);
    }
    let (one, other) = (measured(source.port())?, measured(target.port())?);
    let took = copy(&source, &target, &strategy, "--throttled").await?.1;
    let during = [p99(&one.end()?)?, p99(&other.end()?)?];
    for ((name, before), during) in ["source", "target"].into_iter().zip(before).zip(during) {
        let ratio = during.as_secs_f64() / before.as_secs_f64();
        println!(
            "copy/p99 of others at the {name} with the throttle: {:.0} µs, {:.0} µs before; ratio {ratio:.2}, wanted at \
             most {FELT}; {FELT_KEYS} keys in {:.1} s",
            during.as_secs_f64() * 1e6,
            before.as_secs_f64() * 1e6,
            took.as_secs_f64(),
        );
        if ratio > FELT {
            missed.push(format!("others at the {name} felt {ratio:.2} times the baseline"));
        }
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

async fn fill(connection: &mut MultiplexedConnection, keys: u64) -> Result<()> {
    redis::cmd("FLUSHALL").query_async::<()>(connection).await?;
    for from in (0..keys).step_by(5_000) {
        let mut pipe = redis::pipe();
        for number in from..(from + 5_000).min(keys) {
            pipe.cmd("SET")
                .arg(format!("bench:{number}"))
                .arg(format!("value {number}"))
                .arg("EX")
                .arg(36_000)
                .ignore();
        }
        pipe.query_async::<()>(connection).await?;
    }
    Ok(())
}

/// Previews and runs a copy; gives how long each took.
async fn copy(
    source: &RedisServer,
    target: &RedisServer,
    strategy: &str,
    how: &str,
) -> Result<(Duration, Duration)> {
    let state = tempfile::tempdir()?;
    let program = programs::cachescope()?;
    let (from, url) = (source.url(), target.url());
    let began = Instant::now();
    let output = Command::new(&program)
        .args(["warm", "preview", "--json", "--redis", &url, "--environment", "development"])
        .args(["--strategy", strategy, "--namespace", "bench", "--from", &from, how])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .output()
        .await?;
    let previewed = began.elapsed();
    if !output.status.success() {
        bail!("the preview failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let json: Value = serde_json::from_slice(&output.stdout)?;
    let token = json["token"].as_str().context("a token")?;
    let began = Instant::now();
    let output = Command::new(&program)
        .args(["warm", "run", "--json", "--approve", token, "--from", &from])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .output()
        .await?;
    let took = began.elapsed();
    if !output.status.success() {
        bail!("the run failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok((previewed, took))
}
