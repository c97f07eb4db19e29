//! What the window with 5,000 live namespaces takes more than an empty Tauri window, all processes together.
//!
//! `CACHESCOPE_BENCH_MINUTES` shortens the ten minutes after which it counts.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod kept;
mod many;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_tests::bench;
use cachescope_tests::driver::Driver;
use cachescope_tests::waiting::wait_at_most;
use cachescope_tests::window::{self, Options, Window};
use cachescope_tests::{linux, programs};
use many::Many;

/// How many namespaces are live.
const NAMESPACES: usize = 5_000;

/// Bytes that the window may take more than the empty one.
const LIMIT: f64 = 120e6;

/// Minutes for which the namespaces are live, unless `CACHESCOPE_BENCH_MINUTES` says otherwise.
const MINUTES: f64 = 10.0;

/// How long the empty window has to become quiet.
const SETTLE: Duration = Duration::from_secs(30);

/// How often memory is looked at.
const EVERY: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let minutes = bench::minutes(MINUTES)?;
    let empty = empty_window().await?;
    let full = full_window(Duration::from_secs_f64(minutes * 60.0)).await?;
    let more = full as f64 - empty as f64;
    println!(
        "memory/window with {NAMESPACES} namespaces after {minutes} min: {:.1} MB above an empty window \
         ({:.1} MB and {:.1} MB); ratio {:.3} to the limit of {:.0} MB",
        more / 1e6,
        full as f64 / 1e6,
        empty as f64 / 1e6,
        more / LIMIT,
        LIMIT / 1e6
    );
    if more > LIMIT {
        bail!("the window takes {:.1} MB more than an empty one", more / 1e6);
    }
    Ok(())
}

/// Bytes of all processes, told with their parts.
fn taken(what: &str, id: u32) -> Result<u64> {
    let processes = linux::memory_of_tree(id)?;
    let parts: Vec<String> = processes
        .iter()
        .map(|it| {
            format!("{} {:.1} ({:.1} anonymous)", it.name, it.pss as f64 / 1e6, it.anonymous as f64 / 1e6)
        })
        .collect();
    let sum = processes.iter().map(|it| it.pss).sum();
    eprintln!("{what}: {:.1} MB: {}", sum as f64 / 1e6, parts.join(", "));
    Ok(sum)
}

/// A Tauri window with a blank page, driven in the same way.
async fn empty_window() -> Result<u64> {
    let state = tempfile::tempdir()?;
    let program = programs::desktop()?.with_file_name("examples").join("empty_window");
    if !program.is_file() {
        bail!(
            "{} has not been built: `cargo build --release -p cachescope-desktop --example empty_window`",
            program.display()
        );
    }
    let driver = Driver::start(&window::environment(state.path(), true))?;
    let client = driver.open(&program, &[]).await?;
    client.set_window_size(1440, 900).await?;
    tokio::time::sleep(SETTLE).await;
    let id = driver.program_id().context("the empty window is gone")?;
    taken("empty window", id)
}

async fn full_window(time: Duration) -> Result<u64> {
    let many = Many::start(NAMESPACES).await?;
    let state = tempfile::tempdir()?;
    let strategy = many.strategy_file()?.display().to_string();
    kept::keep(state.path(), &many.lab, &strategy).await?;
    let window = Window::open_again(state, Options::default()).await?;
    wait_at_most(Duration::from_secs(120), "every namespace is in the table", async || {
        let total = window.attribute("[data-testid='row-count']", "data-total").await?;
        let total: usize = total.and_then(|text| text.parse().ok()).unwrap_or_default();
        let rate = window.value("[data-testid='figure-hit_rate']").await?;
        Ok((total > NAMESPACES && rate.is_some()).then_some(()))
    })
    .await?;
    let id = window.program_id().context("the window is gone")?;
    let begun = Instant::now();
    let mut last = taken("0 s", id)?;
    while begun.elapsed() < time {
        tokio::time::sleep(EVERY.min(time.saturating_sub(begun.elapsed()))).await;
        last = taken(&format!("{:.0} s", begun.elapsed().as_secs_f64()), id)?;
    }
    window.screenshot("bench-memory").await?;
    let rate = window.value("[data-testid='figure-hit_rate']").await?;
    if rate.is_none() {
        bail!("the figures are no longer live");
    }
    window.terminate().await?;
    many.lab.shutdown().await;
    Ok(last)
}
