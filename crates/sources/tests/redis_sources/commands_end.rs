//! The server ends bursts by itself, whatever becomes of the process that asked for them.
//!
//! The process is this test program, run again for one ignored test alone.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_sources::redis::commands::{CommandsOptions, Limits, run};
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;

use super::watch::{Watch, node, server};

const SERVER: &str = "CACHESCOPE_TEST_SAMPLED_SERVER";

/// What the server's memory may grow by.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

#[tokio::test]
#[ignore = "a process of its own, started by the tests below"]
async fn helper_that_samples_as_much_as_it_can_until_it_is_killed() {
    let Ok(url) = std::env::var(SERVER) else { return };
    let mut watch = Watch::new();
    // A hundred times the budget, so that the worst moment is easily met.
    let limits = Limits { share: 1.0, bytes_per_second: 1e9 };
    tokio::spawn(run(watch.context.clone(), node(&url), CommandsOptions { limits, ..Default::default() }));
    loop {
        watch.next().await;
    }
}

struct Sampler(Child);

impl Sampler {
    fn start(server: &RedisServer) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command
            .args(["--ignored", "--exact"])
            .arg("commands_end::helper_that_samples_as_much_as_it_can_until_it_is_killed")
            .env(SERVER, server.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("this program starts again"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Reads and writes as fast as one connection can, some of it in large values.
async fn load(mut connection: MultiplexedConnection, end: CancellationToken) {
    let mut batch = redis::pipe();
    for number in 0..200 {
        batch.cmd("GET").arg(format!("user:{number}:profile"));
        if number % 20 == 0 {
            batch.cmd("SET").arg(format!("user:{number}:profile")).arg(vec![b'v'; 4096]);
        }
    }
    while !end.is_cancelled() {
        if batch.exec_async(&mut connection).await.is_err() {
            return;
        }
    }
}

/// The lines of CLIENT LIST about connections in MONITOR mode.
async fn monitors(lab: &mut MultiplexedConnection) -> Vec<String> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(lab).await.expect("lists");
    let monitoring = |line: &&str| {
        line.split(' ').any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('O')))
    };
    list.lines().filter(monitoring).map(str::to_owned).collect()
}

async fn used_memory(lab: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("memory").query_async(lab).await.expect("answers");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
    used.expect("INFO tells used_memory")
}

async fn ends_by_itself(signal: &str) {
    let server =
        server(RedisOptions { notify_keyspace_events: Some("Em".to_owned()), ..Default::default() }).await;
    let mut lab = server.connection().await.expect("connects");
    let end = CancellationToken::new();
    for _ in 0..2 {
        tokio::spawn(load(server.connection().await.expect("connects"), end.clone()));
    }
    let sampler = Sampler::start(&server);
    // The worst moment: a burst has just begun.
    let begun = loop {
        if let Some(monitor) = monitors(&mut lab).await.pop() {
            break monitor;
        }
    };
    let before = used_memory(&mut lab).await;
    sampler.signal(signal);
    assert!(begun.split(' ').any(|field| field.starts_with("flags=") && field.contains('P')), "{begun}");
    let mut most = before;
    loop {
        most = most.max(used_memory(&mut lab).await);
        if monitors(&mut lab).await.is_empty() {
            break;
        }
    }
    most = most.max(used_memory(&mut lab).await);
    end.cancel();
    assert!(most - before < MOST_BYTES, "used_memory grew by {} bytes", most - before);
    eprintln!("{signal}: used_memory grew by {} bytes", most - before);
    drop(sampler);
}

#[tokio::test]
async fn a_process_that_is_stopped_within_a_burst_is_told_no_more_and_costs_little_memory() {
    ends_by_itself("-STOP").await;
}

#[tokio::test]
async fn a_process_that_is_killed_within_a_burst_is_told_no_more_and_costs_little_memory() {
    ends_by_itself("-KILL").await;
}

#[tokio::test]
async fn a_source_that_is_cancelled_within_a_burst_is_told_no_more() {
    let server = server(RedisOptions::default()).await;
    let mut lab = server.connection().await.expect("connects");
    let watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), CommandsOptions::default()));
    while monitors(&mut lab).await.is_empty() {
        tokio::task::yield_now().await;
    }
    watch.context.cancel.cancel();
    tokio::time::timeout(Duration::from_secs(10), async {
        while !monitors(&mut lab).await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is told no more");
    watch.end().await;
}
