//! Pictures of the real window in several sizes and both themes: `cargo xtask screenshots`.

use std::time::Duration;

use anyhow::Result;
use cachescope_tests::window::{Options, Window};

/// Widths and heights in CSS pixels: the smallest that is supported, the one it opens with, a large monitor.
const SIZES: [(u32, u32); 3] = [(1024, 640), (1440, 900), (2200, 1240)];

/// How long the demo runs before it is looked at, so that charts have something to show.
const HISTORY: Duration = Duration::from_secs(75);

#[tokio::main]
async fn main() -> Result<()> {
    for dark in [true, false] {
        let theme = if dark { "dark" } else { "light" };
        let window = Window::open(Options { dark, ..Options::default() }).await?;
        take(&window, "first-start", theme).await?;
        window.click("[data-testid='start-demo']").await?;
        // The page is whole when every source has answered: the counters' columns and the scan's are there.
        window.wait_for("[data-testid='deployment'][data-state='live']").await?;
        for kind in ["hit_rate", "memory_bytes"] {
            window.wait_for(&format!("[data-testid='row'] [data-kind='{kind}'][data-value]")).await?;
        }
        tokio::time::sleep(HISTORY).await;
        take(&window, "deployment", theme).await?;
        window.click("[data-testid='row']").await?;
        window.wait_for("[data-testid='namespace-panel']").await?;
        take(&window, "namespace", theme).await?;
        window.click("[data-testid='purge-namespace']").await?;
        window.wait_for("[data-testid='action-sheet'][data-step='guards']").await?;
        take(&window, "purge", theme).await?;
        window.click("[data-testid='sheet-cancel']").await?;
        window.click("[data-testid='alerts-link']").await?;
        window.wait_for("[data-testid='alerts']").await?;
        take(&window, "alerts", theme).await?;
        window.click("[data-testid='add-deployment']").await?;
        window.wait_for("[data-testid='connection-form']").await?;
        take(&window, "connection", theme).await?;
        window.terminate().await?;
    }
    Ok(())
}

async fn take(window: &Window, screen: &str, theme: &str) -> Result<()> {
    for (width, height) in SIZES {
        window.resize(width, height).await?;
        window.screenshot(&format!("{screen}-{theme}-{width}x{height}")).await?;
    }
    Ok(())
}
