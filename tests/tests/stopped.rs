//! A Cachescope that is stopped or killed at the worst moment costs the server little memory.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::programs;
use cachescope_tests::waiting::wait_for;
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;

/// What the server's memory may grow by.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// A subscriber that doesn't read is told on for so long at most: until it is cut, or until the server gives up.
const TOLD_FOR: Duration = Duration::from_secs(10);

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

struct Observer(Child);

impl Observer {
    fn signal(&self, name: &str) -> Result<()> {
        ensure!(Command::new("kill").args([name, &self.0.id().to_string()]).status()?.success());
        Ok(())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
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
    let state = tempfile::tempdir()?;
    let mut command = Command::new(programs::cachescope()?);
    command
        .args(["watch", "--json", "--environment", "development", "--redis", &server.server.url()])
        .args(["--sources", "info,events,commands"])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let observer = Observer(command.spawn()?);
    // What is usual while it is well, over some bursts.
    let (mut usual, mut bursts, mut within) = (0, 0, false);
    wait_for("bursts come and go", async || {
        usual = usual.max(server.used_memory().await?);
        let bursting = server.ours().await?.iter().any(|client| monitors(client));
        bursts += u32::from(bursting && !within);
        within = bursting;
        // The worst moment: a burst has just begun.
        Ok((bursts >= 3 && bursting).then_some(()))
    })
    .await?;
    observer.signal(signal)?;
    let (begun, mut most) = (Instant::now(), usual);
    while begun.elapsed() < TOLD_FOR && !server.ours().await?.is_empty() {
        most = most.max(server.used_memory().await?);
    }
    let left = server.ours().await?;
    end.cancel();
    let grown = most - usual;
    eprintln!("{signal}: used_memory grew by {grown} bytes; {} clients are left", left.len());
    assert!(!left.iter().any(|client| monitors(client)), "the burst has ended: {left:?}");
    assert!(grown < MOST_BYTES, "{signal}: used_memory grew by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_while_the_server_is_busy_costs_less_than_32_megabytes() -> Result<()> {
    costs_little_memory("-STOP").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_the_server_is_busy_costs_less_than_32_megabytes() -> Result<()> {
    costs_little_memory("-KILL").await
}
