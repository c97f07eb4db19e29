//! One million keys: the command's purge beside the usual pipe of redis-cli and xargs, and what other clients feel
//! while it is throttled, the command having no CPU that they want. Beside each figure its floor: what the server alone
//! needs for the commands that keep and remove a key, and what clients of another server on the same machine feel of the
//! same run.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod acting;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use acting::{Before, FELT, FELT_KEYS, Felt, command};
use anyhow::{Context, Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::linux;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

const KEYS: u64 = 1_000_000;
/// What the pipe takes at least as a multiple of ours.
const WITHOUT_UNDO: f64 = 5.0;
const WITH_UNDO: f64 = 2.0;
const MEMORY: u64 = 100_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    let mut missed = Vec::new();
    for (name, undo, wanted) in [("without undo", false, WITHOUT_UNDO), ("with undo", true, WITH_UNDO)] {
        let pipe = by_pipe(&server, &mut connection).await?;
        fill(&mut connection, KEYS).await?;
        let before = busy(&mut connection).await?;
        let ours = by_command(&server, undo).await?;
        let busy = busy(&mut connection).await? - before;
        let ratio = pipe.as_secs_f64() / ours.run.as_secs_f64();
        let whole = pipe.as_secs_f64() / (ours.run + ours.preview).as_secs_f64();
        println!(
            "purge/one million keys {name}: {:.2} s, redis-cli and xargs {:.2} s; ratio {ratio:.1}, wanted {wanted}; \
             with the preview before it ({:.2} s) {whole:.1}; the server worked for {busy:.2} s of both; \
             {:.0} MB of memory",
            ours.run.as_secs_f64(),
            pipe.as_secs_f64(),
            ours.preview.as_secs_f64(),
            ours.memory as f64 / 1e6,
        );
        if undo {
            fill(&mut connection, KEYS).await?;
            let floor = by_a_loop(server.port())?;
            println!(
                "purge/floor with undo, the server's own commands from a loop that does nothing else: {:.2} s; \
                 ratio {:.1}",
                floor.as_secs_f64(),
                pipe.as_secs_f64() / floor.as_secs_f64(),
            );
        }
        if ratio < wanted {
            missed.push(format!("{name}: {ratio:.1} times as fast, not {wanted}"));
        }
        if ours.memory > MEMORY {
            missed.push(format!("{name}: {:.0} MB", ours.memory as f64 / 1e6));
        }
    }
    let other = RedisServer::start(RedisOptions::default()).await?;
    for (name, undo) in [("without undo", false), ("with undo", true)] {
        let felt = felt(&server, &mut connection, server.port(), undo).await?;
        println!("purge/others' p99 with the throttle {name}: {}, wanted at most {FELT}", felt.said());
        let floor = self::felt(&server, &mut connection, other.port(), undo).await?;
        println!("purge/floor of that {name}, clients of another server on this machine: {}", floor.said());
        if felt.is_too_much(&floor) {
            missed.push(format!("others' p99 {name}: {:.2} times the baseline", felt.ratio()));
        }
    }
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

/// Purges `server` with the throttle, and listens to clients of the server at `port`.
async fn felt(
    server: &RedisServer,
    connection: &mut MultiplexedConnection,
    port: u16,
    undo: bool,
) -> Result<Felt> {
    fill(connection, FELT_KEYS).await?;
    let before = Before::listen(&[port]).await?;
    let prepared = prepare(server, true, undo).await?;
    let felt = before.during(async { Ok(prepared.run().await?.run) }).await?;
    felt.into_iter().next().context("one server was listened to")
}

/// Seconds that the server's main thread has worked.
async fn busy(connection: &mut MultiplexedConnection) -> Result<f64> {
    let told: String = redis::cmd("INFO").arg("cpu").query_async(connection).await?;
    let seconds =
        |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let user = seconds("used_cpu_user_main_thread:").context("the server tells its time")?;
    Ok(user + seconds("used_cpu_sys_main_thread:").unwrap_or(0.0))
}

/// Watches, reads and removes every key, 64 at a time, without looking at what comes back.
fn by_a_loop(port: u16) -> Result<Duration> {
    const MARK: &[u8] = b"the end of the loop";
    let mut requests = TcpStream::connect(("127.0.0.1", port))?;
    let mut replies = requests.try_clone()?;
    let began = Instant::now();
    let reading = std::thread::spawn(move || -> Result<()> {
        let (mut bytes, mut kept) = (vec![0; 1 << 20], 0);
        loop {
            let read = replies.read(&mut bytes[kept..])?;
            if read == 0 {
                bail!("the server went away");
            }
            let all = kept + read;
            if bytes[..all].windows(MARK.len()).any(|window| window == MARK) {
                return Ok(());
            }
            let from = all.saturating_sub(MARK.len());
            bytes.copy_within(from..all, 0);
            kept = all - from;
        }
    });
    let keys: Vec<u64> = (0..KEYS).collect();
    for some in keys.chunks(64) {
        let names: Vec<String> = some.iter().map(|number| format!("bench:{number}")).collect();
        let mut pipe = redis::pipe();
        pipe.cmd("WATCH").arg(&names);
        for name in &names {
            pipe.cmd("DUMP").arg(name).cmd("PEXPIRETIME").arg(name);
        }
        pipe.cmd("MULTI").cmd("UNLINK").arg(&names).cmd("EXEC");
        requests.write_all(&pipe.get_packed_pipeline())?;
    }
    requests.write_all(&redis::cmd("ECHO").arg(MARK).get_packed_command())?;
    reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    Ok(began.elapsed())
}

async fn fill(connection: &mut MultiplexedConnection, keys: u64) -> Result<()> {
    acting::fill(connection, keys, |number| format!("value of {number}, some bytes long")).await?;
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

/// A run that was previewed and approved.
struct Prepared {
    state: tempfile::TempDir,
    token: String,
    preview: Duration,
    throttled: bool,
}

async fn by_command(server: &RedisServer, undo: bool) -> Result<Ours> {
    prepare(server, false, undo).await?.run().await
}

async fn prepare(server: &RedisServer, throttled: bool, undo: bool) -> Result<Prepared> {
    let state = tempfile::tempdir()?;
    let url = server.url();
    let mut preview = command(throttled)?;
    preview
        .args(["purge", "preview", "--json", "--redis", &url, "--environment", "development"])
        .args(["--pattern", "bench:*", "--beyond-limits"])
        .arg(if throttled { "--throttled" } else { "--unthrottled" })
        .env("CACHESCOPE_STATE_DIR", state.path());
    if !undo {
        preview.arg("--no-undo");
    }
    let began = Instant::now();
    let output = preview.output().await?;
    let preview = began.elapsed();
    if !output.status.success() {
        bail!("the preview failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let json: Value = serde_json::from_slice(&output.stdout)?;
    let token = json["token"].as_str().context("a token")?.to_owned();
    Ok(Prepared { state, token, preview, throttled })
}

impl Prepared {
    async fn run(self) -> Result<Ours> {
        let began = Instant::now();
        let mut running = command(self.throttled)?
            .args(["purge", "run", "--json", "--approve", &self.token])
            .env("CACHESCOPE_STATE_DIR", self.state.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let id = running.id().context("it runs")?;
        let mut memory = 0;
        let status = loop {
            tokio::select! {
                status = running.wait() => break status?,
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    let now = linux::memory_of_tree(id).map_or(0, |all| all.iter().map(|one| one.pss).sum());
                    memory = memory.max(now);
                }
            }
        };
        let run = began.elapsed();
        if !status.success() {
            bail!("the run failed: {status}");
        }
        Ok(Ours { preview: self.preview, run, memory })
    }
}
