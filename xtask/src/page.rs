//! The page: its packages, its checks, its build.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{find_program, path};
use crate::{display, run};

/// The oldest Node that the page's tools run on.
const NODE_MAJOR: u32 = 20;

/// Installs the page's packages exactly as locked, unless that was done for this very lock file.
pub(crate) fn install_packages() -> Result<()> {
    check_node()?;
    let locked = fs::read(path("ui/package-lock.json")).context("ui/package-lock.json can't be read")?;
    let stamp = path("ui/node_modules/.installed-from-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == locked) {
        return Ok(());
    }
    run::foreground(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, locked).with_context(|| format!("{} can't be written", stamp.display()))
}

/// Builds the page into `ui/dist`, from where the desktop program takes it.
pub(crate) fn build() -> Result<()> {
    run::foreground(&mut npm(&["run", "--silent", "build"]))
}

/// The tests of the page in the webview, with invented figures: they need no program of ours.
pub(crate) fn webview_tests() -> Command {
    let mut tests = display::virtual_display("npm");
    tests.args(["run", "--silent", "test:webview"]).current_dir(path("ui")).env("NO_UPDATE_NOTIFIER", "1");
    tests
}

/// `npm` in the page's folder.
pub(crate) fn npm(arguments: &[&str]) -> Command {
    let mut npm = run::command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args(arguments).current_dir(path("ui")).env("NO_UPDATE_NOTIFIER", "1");
    npm
}

fn check_node() -> Result<()> {
    let advice = format!("install Node {NODE_MAJOR} or newer with npm (https://nodejs.org) and try again");
    if find_program("node").is_none() && cfg!(not(windows)) {
        bail!("node is not installed: {advice}");
    }
    let version = run::output(run::command("node").arg("--version"))?;
    let first = version.trim().trim_start_matches('v').split('.').next();
    let major: Option<u32> = first.and_then(|number| number.parse().ok());
    match major {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        Some(_) | None => bail!("node is {}, which is too old: {advice}", version.trim()),
    }
}
