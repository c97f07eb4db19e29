//! A Cachescope that is stopped or killed at the worst moment costs the server little memory.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::programs;
use cachescope_tests::waiting::{PATIENCE, wait_for};
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;

/// What the server's memory may grow by, and what it leaves to a subscriber that doesn't read until it cuts it.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// What the buffers of redis-benchmark's fifty connections take.
const OF_THE_LOAD: u64 = 3 * 1024 * 1024;
/// A burst has ended long before.
const TOLD_FOR: Duration = Duration::from_secs(5);

/// Reads that miss and hit, and writes of large values, as fast as one connection can.
async fn load(mut connection: MultiplexedConnection, seed: usize, end: CancellationToken) -> Result<()> {
    let mut batch = redis::pipe();
    for number in 0..200 {
        let number = number + 200 * seed;
        match number % 20 {
            0 => batch.cmd("SET").arg(format!("user:{}:profile", number % 100)).arg(vec![b'v'; 16 * 1024]),
            1..=9 => batch.cmd("STRLEN").arg(format!("user:{}:profile", number % 100)),
            _ => batch.cmd("GET").arg(format!("nobody:{number}:has:such:a:key:{}", "x".repeat(40))),
        };
    }
    while !end.is_cancelled() {
        batch.exec_async(&mut connection).await?;
    }
    Ok(())
}

struct Server {
    server: RedisServer,
    connection: MultiplexedConnection,
}

impl Server {
    async fn used_memory(&mut self) -> Result<u64> {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut self.connection).await?;
        info.lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
            .context("INFO tells used_memory")
    }

    /// Fields of CLIENT LIST of our connections.
    async fn ours(&mut self) -> Result<Vec<String>> {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut self.connection).await?;
        Ok(list.lines().filter(|line| line.contains(" name=cachescope")).map(str::to_owned).collect())
    }
}

fn monitors(client: &str) -> bool {
    client.split(' ').any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('O')))
}

struct Observer {
    child: Child,
    _state: tempfile::TempDir,
}

impl Observer {
    fn start(server: &RedisServer, sources: &str) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let child = Command::new(programs::cachescope()?)
            .args(["watch", "--json", "--environment", "development", "--redis", &server.url()])
            .args(["--sources", sources])
            .env("CACHESCOPE_STATE_DIR", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, _state: state })
    }

    fn signal(&self, name: &str) -> Result<()> {
        ensure!(Command::new("kill").args([name, &self.child.id().to_string()]).status()?.success());
        Ok(())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

async fn costs_little_memory(signal: &str) -> Result<()> {
    let options = RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let connection = server.connection().await?;
    let mut server = Server { server, connection };
    let end = CancellationToken::new();
    for seed in 0..4 {
        tokio::spawn(load(server.server.connection().await?, seed, end.clone()));
    }
    let observer = Observer::start(&server.server, "info,commands")?;
    // What is usual while it is well, over some bursts.
    let (mut usual, mut bursts, mut within) = (0, 0, false);
    let begun = Instant::now();
    // The worst moment: a burst has just begun.
    let mut looks = 0;
    while bursts < 2 {
        ensure!(begun.elapsed() < PATIENCE, "no bursts came");
        looks += 1;
        if looks % 8 == 0 {
            usual = usual.max(server.used_memory().await?);
        }
        let bursting = server.ours().await?.iter().any(|client| monitors(client));
        bursts += u32::from(bursting && !within);
        within = bursting;
    }
    observer.signal(signal)?;
    let (begun, mut most) = (Instant::now(), usual);
    let mut left = server.ours().await?;
    while begun.elapsed() < TOLD_FOR && left.iter().any(|client| monitors(client)) {
        most = most.max(server.used_memory().await?);
        left = server.ours().await?;
    }
    most = most.max(server.used_memory().await?);
    end.cancel();
    let grown = most - usual;
    eprintln!("{signal}: used_memory grew by {grown} bytes; {} clients are left", left.len());
    assert!(!left.iter().any(|client| monitors(client)), "the burst has ended: {left:?}");
    assert!(grown < MOST_BYTES, "{signal}: used_memory grew by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_within_a_burst_of_a_busy_server_costs_less_than_32_mebibytes() -> Result<()>
{
    costs_little_memory("-STOP").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_within_a_burst_of_a_busy_server_costs_less_than_32_mebibytes() -> Result<()>
{
    costs_little_memory("-KILL").await
}

/// Stops a process that listens, within a flood of misses or right before one begins; by how much `used_memory` grew
/// until the server had ended the subscription.
async fn stopped_while_listening(flooded: bool) -> Result<u64> {
    let options = RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let connection = server.connection().await?;
    let mut server = Server { server, connection };
    // Events alone: beside INFO it would let misses go where the server is full.
    let observer = Observer::start(&server.server, "events")?;
    let listens = |client: &String| !client.contains(" sub=0 ");
    wait_for("it listens", async || Ok(server.ours().await?.iter().any(listens).then_some(()))).await?;
    let mut usual = server.used_memory().await?;
    if !flooded {
        observer.signal("-STOP")?;
    }
    let mut load = Command::new("redis-benchmark")
        .args([
            "-p",
            &server.server.port().to_string(),
            "-P",
            "16",
            "-r",
            "1000000",
            "-q",
            "-n",
            "2000000000",
        ])
        .args(["GET", "nobody:has:such:a:long:key:as:this:one:is:__rand_int__"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if flooded {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            usual = usual.max(server.used_memory().await?);
        }
        observer.signal("-STOP")?;
    }
    let (begun, mut most, mut ended) = (Instant::now(), usual, false);
    while begun.elapsed() < PATIENCE && !ended {
        most = most.max(server.used_memory().await?);
        ended = !server.ours().await?.iter().any(listens);
    }
    load.kill()?;
    load.wait()?;
    eprintln!(
        "{}: used_memory grew by {} bytes in {:?}",
        if flooded { "stopped within a flood" } else { "stopped before a flood" },
        most - usual,
        begun.elapsed()
    );
    assert!(ended, "the server has ended the subscription");
    Ok(most - usual)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_within_a_flood_of_misses_it_listens_to_costs_less_than_32_mebibytes()
-> Result<()> {
    let grown = stopped_while_listening(true).await?;
    assert!(grown < MOST_BYTES, "used_memory grew by {grown} bytes");
    Ok(())
}

/// It has had no time to take a shorter lease: where the flood is so large, the server's own limit comes first.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_right_before_a_flood_of_misses_costs_no_more_than_the_servers_own_limit()
-> Result<()> {
    let grown = stopped_while_listening(false).await?;
    assert!(grown < MOST_BYTES + OF_THE_LOAD, "used_memory grew by {grown} bytes");
    Ok(())
}
