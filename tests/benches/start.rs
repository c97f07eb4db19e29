//! From the start of the process to the first live figures against a local server: the command and the window.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod kept;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::driver::Driver;
use cachescope_tests::{linux, programs, window};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// What the median of the runs must not exceed.
const LIMIT: Duration = Duration::from_millis(1_500);

const RUNS: usize = 5;

/// After this long a run has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let lab = Lab::start(LabOptions { prometheus: false, ..LabOptions::new("multi-tenant-saas") }).await?;
    let mut slow = Vec::new();
    let (mut command, mut whole_command) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (first, rate) = of_command(&lab).await?;
        command.push(first);
        whole_command.push(rate);
    }
    let (mut page, mut whole_page) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (first, rate) = of_window(&lab).await?;
        page.push(first);
        whole_page.push(rate);
    }
    lab.shutdown().await;
    for (name, runs, limited) in [
        ("start/command to the first figures", command, true),
        ("start/command to the hit rate", whole_command, false),
        ("start/window to the first figures", page, true),
        ("start/window to the hit rate", whole_page, false),
    ] {
        let median = told(name, runs);
        if limited && median > LIMIT {
            slow.push(format!("{name}: {:.2} s", median.as_secs_f64()));
        }
    }
    if !slow.is_empty() {
        bail!("more than {:.1} s from the start: {}", LIMIT.as_secs_f64(), slow.join(", "));
    }
    Ok(())
}

fn told(name: &str, mut runs: Vec<Duration>) -> Duration {
    runs.sort();
    let median = runs[runs.len() / 2];
    println!(
        "{name}: {:.2} s (of {RUNS} runs, {:.2} to {:.2}); ratio {:.3} to the limit of {:.1} s",
        median.as_secs_f64(),
        runs[0].as_secs_f64(),
        runs[runs.len() - 1].as_secs_f64(),
        median.as_secs_f64() / LIMIT.as_secs_f64(),
        LIMIT.as_secs_f64()
    );
    median
}

/// Seconds to the first line with figures, and to the first with a hit rate, which takes two looks at the
/// server's counters.
async fn of_command(lab: &Lab) -> Result<(Duration, Duration)> {
    let begun = Instant::now();
    let mut command = Command::new(programs::cachescope()?)
        .args(["watch", "--json", "--redis", &lab.redis_url(), "--strategy", lab.strategy()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(command.stdout.take().context("it was asked for")?).lines();
    let mut first = None;
    let reading = async {
        while let Some(line) = lines.next_line().await? {
            let at = begun.elapsed();
            let line: Value = serde_json::from_str(&line)?;
            if line["instance"]["memory_bytes"]["value"].is_number() {
                first.get_or_insert(at);
            }
            if let (Some(first), true) = (first, line["instance"]["hit_rate"]["value"].is_number()) {
                return Ok((first, at));
            }
        }
        bail!("`cachescope watch` ended without a hit rate")
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    command.kill().await?;
    read.context("`cachescope watch` printed no hit rate")?
}

/// What the page shows: whether any figure has a value, and whether the hit rate has.
const SHOWN: &str = r#"const value = (kind) => document.querySelector(`[data-testid="figure-${kind}"]`)?.dataset.value;
    const any = [...document.querySelectorAll('[data-testid^="figure-"]')].some((it) => it.dataset.value);
    return [any, value('hit_rate') !== undefined]"#;

/// The same for the window, by the age of its process, for a deployment that is kept.
async fn of_window(lab: &Lab) -> Result<(Duration, Duration)> {
    let state = tempfile::tempdir()?;
    kept::keep(state.path(), lab, lab.strategy()).await?;
    let driver = Driver::start(&window::environment(state.path(), true))?;
    let client = driver.open(&programs::desktop()?, &[]).await?;
    let id = driver.program_id().context("the program is gone already")?;
    let age = || linux::age_seconds(id).map(Duration::from_secs_f64);
    let mut first = None;
    let looking = async {
        loop {
            let shown = client.execute(SHOWN, Vec::new()).await?;
            // Asked afterwards: what is shown may have been there a little earlier, never later.
            let age = age()?;
            if shown[0] == true {
                first.get_or_insert(age);
            }
            if let (Some(first), true) = (first, shown[1] == true) {
                return anyhow::Ok((first, age));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await.context("the window showed no hit rate")??;
    drop(driver);
    Ok(seen)
}
