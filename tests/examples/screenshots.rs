//! Pictures of the real window in several sizes and both themes, with an incident that is made: `cargo xtask screenshots`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cachescope_tests::window::{Options, Window};
use cachescope_tests::x11::park_pointer;

/// Widths and heights in CSS pixels: the smallest that is supported, the one it opens with, a large monitor.
const SIZES: [(u32, u32); 3] = [(1024, 640), (1440, 900), (2200, 1240)];

/// How long the demo runs before its memory is made short, so that charts have something to show.
const QUIET: Duration = Duration::from_secs(6 * 60);

/// An alert of the demo's strategy waits ten minutes; it takes some until there is something to wait for.
const UNTIL_IT_FIRES: Duration = Duration::from_secs(18 * 60);

#[tokio::main]
async fn main() -> Result<()> {
    // Over a table it would hold the order of its rows.
    park_pointer()?;
    let (dark, light) = tokio::join!(pictures(true), pictures(false));
    dark.and(light)
}

async fn pictures(dark: bool) -> Result<()> {
    let theme = if dark { "dark" } else { "light" };
    let window = Window::open(Options { dark, ..Options::default() }).await?;
    take(&window, "first-start", theme).await?;
    window.click("[data-testid='start-demo']").await?;
    // The page is whole when every source has answered: the counters' columns and the scan's are there.
    window.wait_for("[data-testid='deployment'][data-state='live']").await?;
    for kind in ["hit_rate", "memory_bytes"] {
        window.wait_for(&format!("[data-testid='row'] [data-kind='{kind}'][data-value]")).await?;
    }
    // The driver's pointer, likewise.
    window.click("[data-testid='deployment-name']").await?;
    tokio::time::sleep(QUIET).await;
    take(&window, "deployment", theme).await?;
    make_memory_short(&window).await?;
    until_sessions_fire(&window).await?;
    window.wait_for("[data-testid='triage-open']").await?;
    if window.visible("[data-testid='release-order']").await? {
        window.click("[data-testid='release-order']").await?;
    }
    take(&window, "triage", theme).await?;
    window.click("[data-testid='row']").await?;
    window.wait_for("[data-testid='namespace-panel']").await?;
    take(&window, "namespace", theme).await?;
    window.click("[data-testid='purge-namespace']").await?;
    window.wait_for("[data-testid='action-sheet'][data-step='guards']").await?;
    take(&window, "purge", theme).await?;
    window.click("[data-testid='sheet-cancel']").await?;
    for (screen, page) in [("layers", "layers-page"), ("strategy", "strategy"), ("actions", "actions-page")] {
        window.click(&format!("[data-testid='{screen}-link']")).await?;
        window.wait_for(&format!("[data-testid='{page}']")).await?;
        take(&window, screen, theme).await?;
    }
    window.click("[data-testid='alerts-link']").await?;
    window.wait_for("[data-testid='alert-detail']").await?;
    take(&window, "alerts", theme).await?;
    window.click("[data-testid='add-deployment']").await?;
    window.wait_for("[data-testid='connection-form']").await?;
    take(&window, "connection", theme).await?;
    window.terminate().await?;
    Ok(())
}

/// Half the memory that the demo's Redis uses: it evicts from now on, and misses follow.
async fn make_memory_short(window: &Window) -> Result<()> {
    let server = window.text("[data-testid='server']").await?.context("the bar names the server")?;
    let address = server.split(", ").find(|part| part.starts_with("127.0.0.1:"));
    let client = redis::Client::open(format!("redis://{}", address.context("the demo is on this machine")?))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.parse::<u64>().ok());
    let half = used.context("INFO says what is used")? / 2;
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(half).exec_async(&mut connection).await?;
    Ok(())
}

/// Longer than a window is waited for otherwise. Sessions lose most by an eviction, and their alert says so.
async fn until_sessions_fire(window: &Window) -> Result<()> {
    let fires = "[data-testid='row'][data-namespace='session:{sessionId}'] [data-testid='row-alerts']";
    let began = tokio::time::Instant::now();
    while began.elapsed() < UNTIL_IT_FIRES {
        if window.value(fires).await?.is_some_and(|alerts| alerts > 0.0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bail!("no alert fired though memory is short")
}

async fn take(window: &Window, screen: &str, theme: &str) -> Result<()> {
    for (width, height) in SIZES {
        window.resize(width, height).await?;
        window.screenshot(&format!("{screen}-{theme}-{width}x{height}")).await?;
    }
    Ok(())
}
