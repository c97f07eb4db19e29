//! Copying small keys from one server to another with the command, and what other clients of either feel while it is
//! throttled, the command having no CPU that they want. Beside that its floor: what clients of two other servers on the same
//! machine feel of the same run, to whom nothing is done.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod acting;

use std::time::{Duration, Instant};

use acting::{Before, FELT, FELT_KEYS, command, fill};
use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use serde_json::Value;

const KEYS: u64 = 500_000;
const PAIRS: usize = 3;
/// Keys a second at least.
const WANTED: f64 = 100_000.0;
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
    fill(&mut from, KEYS, value).await?;
    let mut rates = Vec::new();
    for _ in 0..PAIRS {
        redis::cmd("FLUSHALL").query_async::<()>(&mut to).await?;
        let took = copy(&source, &target, &strategy, false).await?;
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
    fill(&mut from, FELT_KEYS, value).await?;
    let mut felt = Vec::new();
    for [one, other] in [[&source, &target], [&elsewhere[0], &elsewhere[1]]] {
        redis::cmd("FLUSHALL").query_async::<()>(&mut to).await?;
        let before = Before::listen(&[one.port(), other.port()]).await?;
        felt.push(before.during(copy(&source, &target, &strategy, true)).await?);
    }
    for ((name, ours), floor) in ["source", "target"].into_iter().zip(&felt[0]).zip(&felt[1]) {
        println!(
            "copy/p99 of others at the {name} with the throttle: {}, wanted at most {FELT}",
            ours.said()
        );
        println!("copy/floor of that, clients of two other servers on this machine: {}", floor.said());
        if ours.is_too_much(floor) {
            missed.push(format!("others at the {name} felt {:.2} times the baseline", ours.ratio()));
        }
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn value(number: u64) -> String {
    format!("value {number}")
}

/// Previews and runs a copy; gives how long the run took.
async fn copy(
    source: &RedisServer,
    target: &RedisServer,
    strategy: &str,
    throttled: bool,
) -> Result<Duration> {
    let state = tempfile::tempdir()?;
    let (from, url) = (source.url(), target.url());
    let output = command(throttled)?
        .args(["warm", "preview", "--json", "--redis", &url, "--environment", "development"])
        .args(["--strategy", strategy, "--namespace", "bench", "--from", &from])
        .arg(if throttled { "--throttled" } else { "--unthrottled" })
        .env("CACHESCOPE_STATE_DIR", state.path())
        .output()
        .await?;
    if !output.status.success() {
        bail!("the preview failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let json: Value = serde_json::from_slice(&output.stdout)?;
    let token = json["token"].as_str().context("a token")?;
    let began = Instant::now();
    let output = command(throttled)?
        .args(["warm", "run", "--json", "--approve", token, "--from", &from])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .output()
        .await?;
    let took = began.elapsed();
    if !output.status.success() {
        bail!("the run failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}
