//! One million keys: the command's purge beside the usual pipe of redis-cli and xargs, and what other clients feel
//! while it is throttled.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::{linux, programs};
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

const KEYS: u64 = 1_000_000;
/// Keys of the throttled purge: it shall be long enough to be felt, not long.
const FELT_KEYS: u64 = 60_000;
/// What the pipe takes at least as a multiple of ours.
const WITHOUT_UNDO: f64 = 5.0;
const WITH_UNDO: f64 = 2.0;
/// What others may feel, as a multiple of what they felt before.
const FELT: f64 = 1.5;
const MEMORY: u64 = 100_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let server = RedisServer::start(RedisOptions { config, ..RedisOptions::default() }).await?;
    let mut connection = server.connection().await?;
    let mut missed = Vec::new();
    let pipe = by_pipe(&server, &mut connection).await?;
    for (name, undo, wanted) in [("without undo", false, WITHOUT_UNDO), ("with undo", true, WITH_UNDO)] {
        fill(&mut connection, KEYS).await?;
        let ours = by_command(&server, &["--unthrottled"], undo, None).await?;
        let ratio = pipe.as_secs_f64() / ours.run.as_secs_f64();
        let whole = pipe.as_secs_f64() / (ours.run + ours.preview).as_secs_f64();
        println!(
            "purge/one million keys {name}: {:.2} s, redis-cli and xargs {:.2} s; ratio {ratio:.1}, wanted {wanted}; \
             with the preview before it ({:.2} s) {whole:.1}; {:.0} MB of memory",
            ours.run.as_secs_f64(),
            pipe.as_secs_f64(),
            ours.preview.as_secs_f64(),
            ours.memory as f64 / 1e6,
        );
        if ratio < wanted {
            missed.push(format!("{name}: {ratio:.1} times as fast, not {wanted}"));
        }
        if ours.memory > MEMORY {
            missed.push(format!("{name}: {:.0} MB", ours.memory as f64 / 1e6));
        }
    }
    fill(&mut connection, FELT_KEYS).await?;
    let others = Others::start(&server).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = others.p99();
    let ours = by_command(&server, &["--throttled"], true, Some(&others)).await?;
    let during = others.p99();
    others.stop().await?;
    let ratio = during.as_secs_f64() / before.as_secs_f64();
    println!(
        "purge/others' p99 with the throttle: {:.2} ms, {:.2} ms before; ratio {ratio:.2}, wanted at most {FELT}; \
         {FELT_KEYS} keys in {:.1} s",
        during.as_secs_f64() * 1e3,
        before.as_secs_f64() * 1e3,
        ours.run.as_secs_f64(),
    );
    if ratio > FELT {
        missed.push(format!("others' p99: {ratio:.2} times the baseline"));
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
                .arg(format!("value of {number}, some bytes long"))
                .arg("EX")
                .arg(36_000)
                .ignore();
        }
        pipe.query_async::<()>(connection).await?;
    }
    redis::cmd("SET").arg("other:1").arg("v").query_async::<()>(connection).await?;
    Ok(())
}

async fn by_pipe(server: &RedisServer, connection: &mut MultiplexedConnection) -> Result<Duration> {
    fill(connection, KEYS).await?;
    let port = server.port();
    let line = format!(
        "redis-cli -p {port} --scan --pattern 'bench:*' | xargs -n 500 redis-cli -p {port} unlink > /dev/null"
    );
    let began = Instant::now();
    let status = Command::new("sh").args(["-c", &line]).status().await?;
    let took = began.elapsed();
    let left: u64 = redis::cmd("DBSIZE").query_async(connection).await?;
    if !status.success() || left != 1 {
        bail!("the pipe left {left} keys");
    }
    Ok(took)
}

struct Ours {
    preview: Duration,
    run: Duration,
    memory: u64,
}

async fn by_command(server: &RedisServer, how: &[&str], undo: bool, others: Option<&Others>) -> Result<Ours> {
    let state = tempfile::tempdir()?;
    let program = programs::cachescope()?;
    let url = server.url();
    let mut preview = Command::new(&program);
    preview
        .args(["purge", "preview", "--json", "--redis", &url, "--environment", "development"])
        .args(["--pattern", "bench:*", "--beyond-limits"])
        .args(how)
        .env("CACHESCOPE_STATE_DIR", state.path());
    if !undo {
        preview.arg("--no-undo");
    }
    let began = Instant::now();
    let output = preview.output().await?;
    let previewed = began.elapsed();
    if !output.status.success() {
        bail!("the preview failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let json: Value = serde_json::from_slice(&output.stdout)?;
    let token = json["token"].as_str().context("a token")?.to_owned();
    if let Some(others) = others {
        others.begin_anew();
    }
    let began = Instant::now();
    let mut running = Command::new(&program)
        .args(["purge", "run", "--json", "--approve", &token])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let id = running.id().context("it runs")?;
    let mut memory = 0;
    let status = loop {
        tokio::select! {
            status = running.wait() => break status?,
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                let now = linux::memory_of_tree(id).map_or(0, |all| all.iter().map(|one| one.pss).sum());
                memory = memory.max(now);
            }
        }
    };
    let run = began.elapsed();
    if !status.success() {
        bail!("the run failed: {status}");
    }
    Ok(Ours { preview: previewed, run, memory })
}

/// Clients with a steady load of their own.
struct Others {
    samples: Arc<parking_lot::Mutex<Vec<Duration>>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Others {
    async fn start(server: &RedisServer) -> Result<Self> {
        let (samples, stop) =
            (Arc::new(parking_lot::Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let mut connection = server.connection().await?;
            let (samples, stop) = (Arc::clone(&samples), Arc::clone(&stop));
            tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    redis::cmd("GET").arg("other:1").query_async::<()>(&mut connection).await?;
                    samples.lock().push(began.elapsed());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok(())
            }));
        }
        Ok(Self { samples, stop, tasks })
    }

    fn begin_anew(&self) {
        self.samples.lock().clear();
    }

    fn p99(&self) -> Duration {
        let mut sorted = self.samples.lock().clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
    }

    async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}
