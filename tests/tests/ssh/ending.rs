//! No `ssh` of ours outlives us.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use cachescope_tests::programs;
use cachescope_tests::waiting::wait_for;

use crate::support::{Site, ping, tunnel};

/// Processes whose command line has these words, and the words of each.
fn processes_with(words: &str) -> Result<Vec<(u32, Vec<String>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ended in the meantime has none.
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line: Vec<String> =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if line.iter().any(|word| word == words) {
            found.push((id, line));
        }
    }
    Ok(found)
}

/// The directory of a running tunnel with this configuration: the one that its socket lies in.
fn directory_of(lines: &[(u32, Vec<String>)]) -> Option<PathBuf> {
    let (_, line) = lines.iter().find(|(_, line)| line.iter().any(|word| word == "-S"))?;
    let socket = line.iter().skip_while(|word| *word != "-S").nth(1)?;
    PathBuf::from(socket).parent().map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_tunnel_leaves_no_process_and_no_file() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    let words = configuration.display().to_string();
    let node = site.through(tunnel(site.hop(None), configuration, None)?)?;
    ping(&node).await?;
    let running = processes_with(&words)?;
    let directory = directory_of(&running).context("its socket has a directory")?;
    assert!(directory.is_dir());
    drop(node);
    wait_for("the tunnel is gone", async || {
        Ok((processes_with(&words)?.is_empty() && !directory.exists()).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_command_leaves_no_process_and_no_file() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    let words = configuration.display().to_string();
    let state = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new(programs::cachescope()?)
        .args([
            "snapshot",
            "--redis",
            &site.redis.url(),
            "--ssh",
            "lab",
            "--watch-for",
            "10m",
            "--sources",
            "info",
        ])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .env("CACHESCOPE_SSH_CONFIG", &words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let directory = wait_for("the tunnel stands", async || {
        let found = directory_of(&processes_with(&words)?);
        Ok(found.filter(|directory| directory.join("c").exists()))
    })
    .await?;
    // Nothing in it can run after this (SIGKILL).
    command.kill().await?;
    wait_for("the tunnel is gone", async || {
        Ok((processes_with(&words)?.is_empty() && !directory.exists()).then_some(()))
    })
    .await
}
