//! The test programs of the workspace, compiled once and run one by one.
//!
//! `cargo test` would do both, but a different choice of packages or targets is a different choice of features
//! for their dependencies, and so another compilation of them. Here everything is compiled in one go, and the
//! programs are then chosen by where they live.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;
use crate::workspace::{artifacts, debug_program, root};

/// Where end-to-end tests in the real window are told from other integration tests: by their file's name.
const WINDOW_PREFIX: &str = "window_";

/// A whole run of one test program; the slowest are to take about a minute.
const PROGRAM_WITHIN: Duration = Duration::from_secs(15 * 60);

/// What a test program is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The tests that a crate brings along.
    Crate,
    /// `tests/tests`, without a window.
    Integration,
    /// `tests/tests/window_*`.
    Window,
}

/// One test program.
pub(crate) struct TestProgram {
    /// Package and target, as in `cachescope-model::cachescope_model`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    executable: PathBuf,
    /// The folder of its package, where cargo runs it too.
    package: PathBuf,
}

/// Compiles every program, test and example of the workspace, and gives the tests.
pub(crate) fn build() -> Result<Vec<TestProgram>> {
    let mut build = run::cargo(&["build", "--workspace", "--bins", "--tests", "--examples"]);
    build.args(["--message-format", "json-render-diagnostics"]).stdin(Stdio::null());
    let messages = run::output(&mut build)?;
    let mut programs = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("cargo wrote a message that is not JSON")?;
        programs.extend(test_program(&message));
    }
    if programs.is_empty() {
        bail!("cargo named no test programs; its messages may have changed");
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

/// The test program that an artifact message of cargo (The Cargo Book, "External tools") speaks of.
fn test_program(message: &Value) -> Option<TestProgram> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let executable = PathBuf::from(message["executable"].as_str()?);
    let package = Path::new(message["manifest_path"].as_str()?).parent()?.to_path_buf();
    let target = message["target"]["name"].as_str()?;
    let folder = package.strip_prefix(root()).unwrap_or(&package);
    let kind = match (folder == Path::new("tests"), target.starts_with(WINDOW_PREFIX)) {
        (true, true) => Kind::Window,
        (true, false) => Kind::Integration,
        (false, _) => Kind::Crate,
    };
    Some(TestProgram { name: format!("{}: {target}", folder.display()), kind, executable, package })
}

impl TestProgram {
    /// Runs it, through `wrapper` when it needs one, and fails when a test does.
    pub(crate) fn run(&self, wrapper: Option<Command>, arguments: &[&str]) -> Result<()> {
        let mut command = match wrapper {
            Some(mut wrapper) => {
                wrapper.arg(&self.executable);
                wrapper
            }
            None => run::command(&self.executable),
        };
        command
            .args(arguments)
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package)
            // An assertion says where it stands and what it found; the runtime's frames below it are noise.
            .env("RUST_BACKTRACE", "0")
            .env("CACHESCOPE_ARTIFACTS", artifacts())
            .env("CACHESCOPE_DESKTOP_BIN", debug_program("cachescope-desktop"))
            .env("CACHESCOPE_BIN", debug_program("cachescope"));
        run::bounded(&mut command, PROGRAM_WITHIN).with_context(|| self.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(folder: &str, target: &str, test: bool) -> Value {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": root().join(folder).join("Cargo.toml"),
            "target": { "name": target },
            "profile": { "test": test },
            "executable": "/somewhere/program",
        })
    }

    #[test]
    fn test_programs_are_told_apart_by_where_they_live() {
        for (folder, target, kind) in [
            ("crates/model", "cachescope_model", Kind::Crate),
            ("crates/lab", "window_of_time", Kind::Crate),
            ("tests", "ledger", Kind::Integration),
            ("tests", "window_first_start", Kind::Window),
        ] {
            let program = test_program(&artifact(folder, target, true)).expect("an artifact with a program");
            assert_eq!(program.kind, kind, "{folder} {target}");
        }
    }

    #[test]
    fn what_is_no_test_program_is_left_out() {
        assert!(test_program(&artifact("crates/cli", "cachescope", false)).is_none());
        assert!(test_program(&serde_json::json!({ "reason": "build-finished", "success": true })).is_none());
    }
}
