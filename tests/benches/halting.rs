//! How soon a run stands still: after it was cancelled, and after a stop rule was breached, with large batches under way,
//! with a large value being read, and on a server that hangs.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

#[expect(dead_code, reason = "what the actions' own tests need besides")]
#[path = "../../crates/actions/tests/actions/support.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cachescope_actions::run::{RunHandle, StopRules};
use cachescope_actions::run_state::StopRuleState;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use redis::aio::MultiplexedConnection;
use support::{Bench, fast, until};

/// What is wanted.
const CANCELLED_WITHIN: Duration = Duration::from_millis(200);
const HALTED_WITHIN: Duration = Duration::from_secs(1);
/// Rounds of each; the slowest counts.
const ROUNDS: usize = 5;
const KEYS: usize = 300_000;
const VALUE: usize = 100_000_000;

#[derive(Default)]
struct Breached(AtomicBool);

impl StopRules for Breached {
    fn judge(&self) -> Vec<StopRuleState> {
        vec![StopRuleState {
            name: "Database CPU".to_owned(),
            sentence: "82 %, halts above 70 %".to_owned(),
            value: Some(0.82),
            limit: Some(0.7),
            breached: self.0.load(Ordering::Relaxed),
            known: true,
        }]
    }
}

#[derive(Clone, Copy)]
enum Under {
    LargeBatches,
    LargeValue,
    HangingServer,
}

#[tokio::main]
async fn main() -> Result<()> {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let server = RedisServer::start(RedisOptions { config, ..RedisOptions::default() }).await?;
    let mut connection = server.connection().await?;
    let mut missed = Vec::new();
    for (name, under) in [
        ("large batches under way", Under::LargeBatches),
        ("a value of 100 MB being read", Under::LargeValue),
        ("a server that hangs", Under::HangingServer),
    ] {
        for (what, by_rule, limit) in
            [("cancelled", false, CANCELLED_WITHIN), ("halted by a stop rule", true, HALTED_WITHIN)]
        {
            let mut slowest = Duration::ZERO;
            for _ in 0..ROUNDS {
                slowest = slowest.max(round(&server, &mut connection, under, by_rule).await?);
            }
            let ratio = slowest.as_secs_f64() / limit.as_secs_f64();
            println!(
                "halting/{what} with {name}: {:.0} ms, the slowest of {ROUNDS}; limit {} ms; ratio {ratio:.2}",
                slowest.as_secs_f64() * 1e3,
                limit.as_millis(),
            );
            if ratio > 1.0 {
                missed.push(format!("{what} with {name}: {ratio:.2} times the limit"));
            }
        }
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

async fn round(
    server: &RedisServer,
    connection: &mut MultiplexedConnection,
    under: Under,
    by_rule: bool,
) -> Result<Duration> {
    fill(connection, under).await?;
    let rule = Arc::new(Breached::default());
    let mut bench = Bench::on(&server.url()).await;
    bench.rules = Arc::clone(&rule) as Arc<dyn StopRules>;
    bench.most_bytes_of_a_key = 1 << 30;
    let run = bench.start("1", bench.pattern("k:*", fast())).await?;
    let mut hanging = None;
    match under {
        Under::LargeBatches => until(|| run.state().counts.removed > 20_000).await,
        // It is read as soon as the run begins.
        Under::LargeValue => tokio::time::sleep(Duration::from_millis(30)).await,
        Under::HangingServer => {
            until(|| run.state().counts.removed > 20_000).await;
            let mut other = server.connection().await?;
            hanging = Some(tokio::spawn(async move {
                let slept: redis::RedisResult<()> =
                    redis::cmd("DEBUG").arg("SLEEP").arg(2.5).query_async(&mut other).await;
                slept
            }));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let took = stands_still(&run, &rule, by_rule).await?;
    run.ended().await;
    if let Some(hanging) = hanging {
        hanging.await??;
    }
    Ok(took)
}

async fn stands_still(run: &RunHandle, rule: &Breached, by_rule: bool) -> Result<Duration> {
    if run.has_ended() {
        bail!("the run ended before it was stopped: {}", run.state().why);
    }
    let began = Instant::now();
    if by_rule {
        rule.0.store(true, Ordering::Relaxed);
    } else {
        run.cancel();
    }
    until(|| !run.state().phase.is_alive()).await;
    Ok(began.elapsed())
}

async fn fill(connection: &mut MultiplexedConnection, under: Under) -> Result<()> {
    let () = redis::cmd("FLUSHALL").query_async(connection).await?;
    if matches!(under, Under::LargeValue) {
        // Several, so that one is being read whenever it is stopped.
        for number in 0..4 {
            let key = format!("k:{number}");
            let () = redis::cmd("SETRANGE").arg(key).arg(VALUE - 1).arg("x").query_async(connection).await?;
        }
        return Ok(());
    }
    for from in (0..KEYS).step_by(5_000) {
        let mut pipe = redis::pipe();
        for number in from..from + 5_000 {
            pipe.cmd("SET").arg(format!("k:{number}")).arg("some bytes").ignore();
        }
        pipe.exec_async(connection).await?;
    }
    Ok(())
}
