//! `cargo xtask bench`: the benchmarks in release builds, and their ratios to a peer or to a limit.
//!
//! Each bench prints what it measured on standard output, a line a figure, with `ratio` where there is something
//! to compare with; how it got there goes to standard error. A bench that misses its limit fails.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::packages::Purpose;
use crate::workspace::target;
use crate::{display, page, run, setup};

/// The packages with benches, and whether those open windows.
const PACKAGES: [(&str, bool); 3] =
    [("cachescope-engine", false), ("cachescope-sources", false), ("cachescope-tests", true)];

/// Runs all of them, also after one has failed, and prints their figures together.
pub(crate) fn run() -> Result<()> {
    setup::prepare(Purpose::Test)?;
    page::build()?;
    let programs = ["-p", "cachescope-desktop", "-p", "cachescope-cli", "--bins", "--examples"];
    run::foreground(run::cargo(&["build", "--release"]).args(programs))?;

    let mut figures = Vec::new();
    let mut failed = Vec::new();
    for (package, windows) in PACKAGES {
        eprintln!("\n━━ {package}");
        if !bench(package, windows, &mut figures)? {
            failed.push(package);
        }
    }
    eprintln!("\n━━ results");
    for line in &figures {
        say(line);
    }
    if !failed.is_empty() {
        bail!("benches of {} failed", failed.join(", "));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results are what this command is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Runs the benches of a package and keeps their figures; `false` when one failed.
fn bench(package: &str, windows: bool, figures: &mut Vec<String>) -> Result<bool> {
    let cargo = run::cargo(&["bench", "-p", package, "--bench", "*", "--no-fail-fast"]);
    let mut command = if windows {
        let mut command = display::virtual_display("env");
        command.arg(cargo.get_program()).args(cargo.get_args());
        command
    } else {
        cargo
    };
    let mut child = command
        .env("CACHESCOPE_DESKTOP_BIN", release("cachescope-desktop"))
        .env("CACHESCOPE_BIN", release("cachescope"))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("the benches of {package} could not be started"))?;
    let output = child.stdout.take().context("standard output was asked for")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        eprintln!("{line}");
        if !line.trim().is_empty() {
            figures.push(line);
        }
    }
    Ok(child.wait()?.success())
}

fn release(name: &str) -> PathBuf {
    target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
