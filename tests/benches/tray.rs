//! What the program takes of a core while no window is open and it stays in the tray: all its processes, beside an idle
//! deployment and beside a busy one.
//!
//! `CACHESCOPE_BENCH_MINUTES` shortens the three minutes for which each is measured.
#![expect(clippy::print_stdout, reason = "the results are what this program is for")]

mod kept;
mod many;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_store::Store;
use cachescope_tests::bench;
use cachescope_tests::linux;
use cachescope_tests::undriven::Undriven;
use many::Many;

/// Share of a core that all processes together may take.
const LIMIT: f64 = 0.02;

/// Minutes for which each is measured, unless `CACHESCOPE_BENCH_MINUTES` says otherwise.
const MINUTES: f64 = 3.0;

/// How long a window is open before, and how long it has been closed when measuring begins: beginnings cost more.
const SETTLE: Duration = Duration::from_secs(30);

/// Namespaces of the busy deployment, which is asked for 500 keys a second and shows two metrics pages.
const NAMESPACES: usize = 300;

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let minutes = bench::minutes(MINUTES)?;
    let time = Duration::from_secs_f64(minutes * 60.0);
    let idle = beside_an_idle_server(time).await?;
    let busy = beside_a_busy_one(time).await?;
    let mut over = Vec::new();
    for (what, share) in [
        ("an idle deployment".to_owned(), idle),
        (format!("a deployment with {NAMESPACES} namespaces and 500 requests a second"), busy),
    ] {
        println!(
            "tray/{what}: {:.2} % of a core over {minutes} min; ratio {:.3} to the limit of {:.0} %",
            share * 100.0,
            share / LIMIT,
            LIMIT * 100.0
        );
        if share > LIMIT {
            over.push(format!("{what}: {:.2} %", share * 100.0));
        }
    }
    if !over.is_empty() {
        bail!("more than {:.0} % of a core in the tray: {}", LIMIT * 100.0, over.join(", "));
    }
    Ok(())
}

/// A server with a thousand keys that nobody asks for, and every source that is on by default.
async fn beside_an_idle_server(time: Duration) -> Result<f64> {
    let server = RedisServer::start(RedisOptions {
        notify_keyspace_events: Some("AEm".to_owned()),
        ..RedisOptions::default()
    })
    .await?;
    let mut connection = server.connection().await?;
    let mut fill = redis::pipe();
    for id in 0..1_000 {
        fill.cmd("SET").arg(format!("session:{id}")).arg("x").ignore();
    }
    let () = fill.query_async(&mut connection).await?;
    let state = tempfile::tempdir()?;
    kept::keep_as(state.path(), server.url(), Vec::new(), None).await?;
    share_in_the_tray(state.path(), time).await
}

async fn beside_a_busy_one(time: Duration) -> Result<f64> {
    let many = Many::start(NAMESPACES).await?;
    let state = tempfile::tempdir()?;
    let strategy = many.strategy_file()?.display().to_string();
    kept::keep(state.path(), &many.lab, &strategy).await?;
    let share = share_in_the_tray(state.path(), time).await?;
    many.lab.shutdown().await;
    Ok(share)
}

/// The share of a core that the program takes on this state once its window was closed to the tray.
async fn share_in_the_tray(state: &Path, time: Duration) -> Result<f64> {
    Store::open(state)?.set_setting("stay-in-tray", "yes").await?;
    let mut program = Undriven::start(state, &[])?;
    program.looks_again(0).await?;
    tokio::time::sleep(SETTLE).await;
    program.close_window().await?;
    tokio::time::sleep(SETTLE).await;
    let (begun, before) = (Instant::now(), linux::cpu_seconds_of_tree(program.id())?);
    tokio::time::sleep(time).await;
    let taken = linux::cpu_seconds_of_tree(program.id())? - before;
    Ok(taken / begun.elapsed().as_secs_f64())
}
