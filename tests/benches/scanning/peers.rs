//! What else scans a Redis: `redis-cli --memkeys`, the analyser `rma` and the exporter with its key groups.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cachescope_lab::servers::RedisExporter;
use tempfile::TempDir;
use tokio::process::Command;

/// A peer that takes longer than this is stopped.
const PATIENCE: Duration = Duration::from_secs(150);

/// Runs a program to its end with nothing to read; how long it took.
pub(crate) async fn timed(mut command: Command) -> Result<Duration> {
    let begun = Instant::now();
    let running = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{command:?} could not be started"))?
        .wait_with_output();
    let output = tokio::time::timeout(PATIENCE, running)
        .await
        .with_context(|| format!("{command:?} took longer than {} s", PATIENCE.as_secs()))??;
    let took = begun.elapsed();
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(took)
}

/// `redis-cli --memkeys`, by five elements of each collection as it does by default.
pub(crate) async fn memkeys(port: u16) -> Result<Duration> {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port.to_string(), "--memkeys"]);
    timed(command).await
}

/// `rma` in a folder of its own.
pub(crate) struct Rma {
    folder: TempDir,
}

impl Rma {
    /// Installs it from PyPI, with the last client library that it works with.
    pub(crate) async fn install() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(folder.path());
        timed(python).await?;
        let rma = Self { folder };
        let mut pip = Command::new(rma.program("pip"));
        pip.args(["install", "--quiet", "rma", "redis<4"]);
        timed(pip).await?;
        Ok(rma)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join("bin").join(name)
    }

    /// The memory of strings by pattern: of collections it knows the encodings up to Redis 6 only, and gives up at
    /// the first listpack.
    pub(crate) async fn run(&self, port: u16) -> Result<Duration> {
        let mut command = Command::new(self.program("rma"));
        command.args(["-s", "127.0.0.1", "-p", &port.to_string(), "-b", "ram", "-t", "string", "-f", "json"]);
        timed(command).await
    }
}

/// The exporter's page with bytes and keys by group, the group being what stands before the first `:`.
pub(crate) async fn key_groups(url: &str) -> Result<Duration> {
    let flags = ["-check-key-groups=^([^:]+):.*$", "-connection-timeout=140s"];
    let exporter = RedisExporter::start_with(url, &flags).await?;
    let page = format!("{}/metrics", exporter.url());
    let begun = Instant::now();
    let text = reqwest::Client::builder().timeout(PATIENCE).build()?.get(page).send().await?.text().await?;
    let took = begun.elapsed();
    if !text.contains("redis_key_group_memory_usage_bytes{") {
        bail!("the exporter gave no memory by key group: its version may not have -check-key-groups");
    }
    Ok(took)
}
