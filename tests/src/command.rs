//! The `cachescope` command, run as a user would.

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::programs;

/// No command of the tests takes longer than its `--watch-for` and this.
const WITHIN: Duration = Duration::from_secs(120);

/// Runs `cachescope` with `arguments`, in a state directory of its own, and gives what came of it.
///
/// # Errors
/// When it can't be started or does not end.
pub async fn run(arguments: &[&str]) -> Result<Output> {
    let state = tempfile::tempdir()?;
    let running = Command::new(programs::cachescope()?)
        .args(arguments)
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let said = || format!("cachescope {}", arguments.join(" "));
    tokio::time::timeout(WITHIN, running)
        .await
        .with_context(|| format!("{} did not end within {} s", said(), WITHIN.as_secs()))?
        .with_context(|| format!("{} could not be started", said()))
}

/// What `cachescope … --json` prints.
///
/// # Errors
/// When it fails, with what it said; or when it does not print JSON.
pub async fn json(arguments: &[&str]) -> Result<Value> {
    let mut all = arguments.to_vec();
    all.push("--json");
    let output = run(&all).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cachescope {} failed ({}): {}", all.join(" "), output.status, said.trim());
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("cachescope {} printed something that is not JSON", all.join(" ")))
}
