//! An action on what is behind an SSH server.

use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::support::{Site, command};

async fn purge(state: &Path, configuration: &Path, arguments: &[&str]) -> Result<Output> {
    command(state, configuration, None, &[&["purge"], arguments, &["--json", "--timeout", "20s"]].concat())
        .await
}

fn printed(output: &Output) -> Result<Value> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Whether a failure says that it is the SSH server that is away, in one line with what to do.
fn names_the_tunnel(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the SSH server lab can't be reached") && said.contains("`ssh lab`"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_whose_ssh_server_is_away_says_that_this_is_why() -> Result<()> {
    let mut site = Site::new().await?;
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    let directory = tempfile::tempdir()?;
    let url = site.redis.url();
    site.ssh.stop();
    let there = ["--redis", &url, "--ssh", "lab", "--environment", "development", "--timeout", "20s"];
    for action in [
        &["purge", "preview", "--pattern", "in:*"][..],
        &["warm", "preview", "--from", &url, "--key-name", "in:1"],
    ] {
        let output = command(directory.path(), &configuration, None, &[action, &there].concat()).await?;
        names_the_tunnel(&output);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_was_previewed_through_an_ssh_server_runs_and_is_undone_through_it_alone() -> Result<()>
{
    let mut site = Site::new().await?;
    for number in 0..20 {
        site.redis.typed(&format!("SET in:{number} value EX 36000")).await?;
    }
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    let directory = tempfile::tempdir()?;
    let (state, url) = (directory.path(), site.redis.url());
    let preview =
        ["preview", "--redis", &url, "--ssh", "lab", "--environment", "development", "--pattern", "in:*"];
    let preview = printed(&purge(state, &configuration, &preview).await?)?;
    assert_eq!(preview["keys"], 20);
    let token = preview["token"].as_str().context("a token")?;
    // The address leads there directly, too; it is not taken where the way is away.
    site.ssh.stop();
    let away = purge(state, &configuration, &["run", "--approve", token]).await?;
    names_the_tunnel(&away);
    site.ssh.restart().await?;
    let run = printed(&purge(state, &configuration, &["run", "--approve", token]).await?)?;
    assert_eq!(run["removed"], 20);
    let name = run["run"].as_str().context("a name")?;
    let undone = printed(&purge(state, &configuration, &["undo", name]).await?)?;
    assert_eq!(undone["restored"], 20);
    // Without the SSH server the same address is another deployment, with runs of its own.
    let preview = ["preview", "--redis", &url, "--environment", "development", "--pattern", "in:*"];
    let direct = printed(&purge(state, &configuration, &preview).await?)?;
    assert_eq!(direct["keys"], 20);
    Ok(())
}
