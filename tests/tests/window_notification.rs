//! From a notification of the desktop to its cause and to a purge, in the real window, with a real notification daemon.

mod missed;
mod shop;
mod watched;

use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use missed::{miss_products, watched};
use shop::{KEYS, keys};

/// Shows notifications until it is dropped.
struct Dunst(Child);

impl Dunst {
    fn start() -> Result<Self> {
        let mut daemon = Command::new("dunst");
        daemon.args(["-conf", "/dev/null"]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(daemon.spawn().context("dunst is installed by cargo xtask setup")?))
    }
}

impl Drop for Dunst {
    fn drop(&mut self) {
        // It may have ended with its display.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn dunstctl(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new("dunstctl").args(arguments).output()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_leads_to_the_cause_with_one_click_and_to_a_purge_with_two_more() -> Result<()> {
    let _dunst = Dunst::start()?;
    let (_server, connection, window) = watched("warning").await?;
    window
        .until("the daemon answers", async || Ok(dunstctl(&["count"])?.status.success().then_some(())))
        .await?;
    let misses = miss_products(connection.clone());
    let mut connection = connection;
    window
        .until("somebody is told", async || {
            let shown = dunstctl(&["count", "displayed"])?.stdout;
            Ok((shown.trim_ascii() != b"0").then_some(()))
        })
        .await?;
    window.screenshot("notification-before").await?;

    // One: a click on the notification.
    ensure!(dunstctl(&["action", "0"])?.status.success());
    window.wait_for("[data-testid='alert-detail'][data-namespace='product:{id}']").await?;
    let sentence = window.wait_for_text("[data-testid='alert-sentence']", "deleted").await?;
    ensure!(sentence.contains("Products"), "{sentence}");
    window.screenshot("notification-alert").await?;
    misses.abort();

    // Two more: its namespace's purge, and that it is to run.
    window.click("[data-testid='alert-purge']").await?;
    window.click("[data-testid='run']:enabled").await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    ensure!(keys(&mut connection, "product:").await? == 0);
    ensure!(keys(&mut connection, "session:").await? == KEYS, "nothing outside the scope is gone");
    window.terminate().await.map(drop)
}
