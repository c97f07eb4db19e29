//! `cargo xtask setup`: installs what is missing, and nothing that is there.

use std::path::PathBuf;

use anyhow::Result;

use crate::packages::Purpose;
use crate::workspace::target;
use crate::{packages, page, run};

/// The version that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Everything, for someone who will run every command.
pub(crate) fn run() -> Result<()> {
    prepare(Purpose::Test)?;
    install_cargo_deny()?;
    eprintln!("everything is there: `cargo xtask demo`, `cargo xtask test`");
    Ok(())
}

/// The packages of the system and of the page that `purpose` needs.
pub(crate) fn prepare(purpose: Purpose) -> Result<()> {
    packages::install(purpose)?;
    page::install_packages()
}

/// Where cargo-deny is: as installed by the developer, or else our own beside the build's results.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    let own = target().join("tools/bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    if own.is_file() {
        return Some(own);
    }
    crate::workspace::find_program("cargo-deny")
}

/// Compiles cargo-deny into `target/tools`, leaving the developer's own programs alone. Unoptimised: it runs
/// for seconds and would compile for many minutes more.
pub(crate) fn install_cargo_deny() -> Result<()> {
    if cargo_deny().is_some() {
        return Ok(());
    }
    let root = target().join("tools");
    let mut install =
        run::cargo(&["install", "--locked", "--debug", "--version", CARGO_DENY, "cargo-deny", "--root"]);
    run::foreground(install.arg(root).env("CARGO_TARGET_DIR", target().join("tools/build")))
}
