//! A wall clock that is set while Cachescope watches makes no figure wrong: back, nothing happens; ahead, it may have
//! slept, and says so.
#![cfg(target_os = "linux")]

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::linux::FakeClock;
use cachescope_tests::programs;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

const HOUR: i64 = 3_600;

/// Four of five keys are there.
const KEYS: u64 = 100;
const FILLED: u64 = 80;
/// Lookups at once, and how often: some hundred a second.
const AT_ONCE: u64 = 50;
const EVERY: Duration = Duration::from_millis(500);

/// Asks for keys until it is aborted.
async fn ask(server: RedisServer) -> Result<()> {
    let mut connection = server.connection().await?;
    for key in 0..FILLED {
        let () = redis::cmd("SET").arg(format!("user:{key}")).arg("v").query_async(&mut connection).await?;
    }
    for first in (0..).step_by(AT_ONCE as usize) {
        let mut lookups = redis::pipe();
        (first..first + AT_ONCE).for_each(|number| {
            lookups.cmd("GET").arg(format!("user:{}", number % KEYS)).ignore();
        });
        let () = lookups.query_async(&mut connection).await?;
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

/// What `cachescope watch --json` writes a second.
struct Watched {
    lines: Lines<BufReader<ChildStdout>>,
    last_at: i64,
}

impl Watched {
    /// The next one. Its time has not gone back, and what it says of lookups and hits is near the truth, or unknown.
    async fn next(&mut self) -> Result<Value> {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line())
            .await
            .context("nothing was written for a minute")??
            .context("`cachescope watch` has ended")?;
        let line: Value = serde_json::from_str(&line)?;
        let at = line["at"].as_i64().context("each line has its time")?;
        ensure!(at >= self.last_at, "the time went back from {} to {at}", self.last_at);
        self.last_at = at;
        if let Some(rate) = line["instance"]["hit_rate"]["value"].as_f64() {
            ensure!((0.55..=1.0).contains(&rate), "a hit rate of {rate} where it is 0.8");
        }
        if let Some(lookups) = line["instance"]["lookups_per_second"]["value"].as_f64() {
            ensure!(
                (1.0..=400.0).contains(&lookups),
                "{lookups} lookups a second where there are 100 or fewer"
            );
        }
        Ok(line)
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        for _ in 0..60 {
            let line = self.next().await?;
            if wanted(&line) {
                return Ok(line);
            }
        }
        anyhow::bail!("what was waited for did not come within 60 lines")
    }

    /// So many seconds of known rates.
    async fn steadily(&mut self, lines: usize) -> Result<()> {
        for _ in 0..lines {
            let line = self.until(|line| !line["instance"]["hit_rate"]["value"].is_null()).await?;
            let reason = &line["instance"]["lookups_per_second"]["reason"];
            ensure!(reason.is_null(), "nothing is remarked: {reason}");
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_makes_no_figure_wrong_and_an_hour_ahead_is_a_gap_in_words() -> Result<()> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let url = server.url();
    let asking = tokio::spawn(ask(server));
    let (clock, state) = (FakeClock::new()?, tempfile::tempdir()?);
    let mut observer = Command::new(programs::cachescope()?)
        .args(["watch", "--json", "--redis", &url, "--sources", "info"])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .envs(clock.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let lines = BufReader::new(observer.stdout.take().context("it was asked for")?).lines();
    let mut watched = Watched { lines, last_at: 0 };
    watched.steadily(3).await?;

    clock.set(-HOUR)?;
    watched.steadily(4).await?;

    let before = watched.last_at;
    clock.set(HOUR)?;
    let ahead = watched.until(|line| line["at"].as_i64().is_some_and(|at| at - before > HOUR * 900)).await?;
    // What was counted before is not said to be of the last ten seconds.
    ensure!(ahead["instance"]["hit_rate"]["value"].is_null(), "{}", ahead["instance"]["hit_rate"]);
    let told = |line: &Value| {
        let reason = line["instance"]["lookups_per_second"]["reason"].as_str().unwrap_or_default();
        reason.contains("was not asked for more than an hour")
    };
    watched.until(told).await?;
    ensure!(!asking.is_finished(), "the load went on: {:?}", asking.await);
    asking.abort();
    observer.kill().await?;
    Ok(())
}
