//! Copying small keys from one server to another with the command, and what other clients of either feel while it is
//! throttled, the command having no CPU that they want. Beside that its floor: what clients of two other servers on the same
//! machine feel of the same run, to whom nothing is done.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

#[path = "scanning/clients.rs"]
mod clients;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::{linux, programs};
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
/// For how long they are listened to before.
const BEFORE: Duration = Duration::from_secs(5);
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
    let elsewhere = [
        RedisServer::start(RedisOptions::default()).await?,
        RedisServer::start(RedisOptions::default()).await?,
    ];
    fill(&mut from, FELT_KEYS).await?;
    let mut felt = Vec::new();
    for listened in [[&source, &target], [&elsewhere[0], &elsewhere[1]]] {
        redis::cmd("FLUSHALL").query_async::<()>(&mut to).await?;
        // Clients of both, before as during.
        let clients =
            || anyhow::Ok([Clients::start(listened[0].port())?, Clients::start(listened[1].port())?]);
        let ended = |[one, other]: [Clients; 2]| anyhow::Ok([p99(&one.end()?)?, p99(&other.end()?)?]);
        let listening = clients()?;
        tokio::time::sleep(BEFORE).await;
        let before = ended(listening)?;
        let listening = clients()?;
        let took = copy(&source, &target, &strategy, "--throttled").await?.1;
        felt.push((before, ended(listening)?, took));
    }
    for (place, name) in ["source", "target"].into_iter().enumerate() {
        let [ours, floor] = [0, 1].map(|of| {
            let (before, during, took): &([Duration; 2], [Duration; 2], Duration) = &felt[of];
            let [before, during] = [before, during].map(|p99| p99[place].as_secs_f64() * 1e6);
            let said = format!("{during:.0} µs, {before:.0} µs before; ratio {:.2}", during / before);
            (during / before, format!("{said}; {FELT_KEYS} keys in {:.1} s", took.as_secs_f64()))
        });
        println!("copy/p99 of others at the {name} with the throttle: {}, wanted at most {FELT}", ours.1);
        println!("copy/floor of that, clients of two other servers on this machine: {}", floor.1);
        if ours.0 > floor.0.max(FELT) {
            missed.push(format!("others at the {name} felt {:.2} times the baseline", ours.0));
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
    let command = || match how {
        "--throttled" => linux::on_a_machine_of_its_own(&program).into(),
        _ => Command::new(&program),
    };
    let (from, url) = (source.url(), target.url());
    let began = Instant::now();
    let output = command()
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
    let output = command()
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
