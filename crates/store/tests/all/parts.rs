//! Parts of tests that must run in a process of their own: with other rights, on another file system, on
//! another bus, or as a second process.
//!
//! A part is an ignored test of this binary; the test that needs it runs this binary again for it alone.

use std::path::PathBuf;
use std::process::{Command, Output};

const DIRECTORY: &str = "CACHESCOPE_TEST_PART_DIRECTORY";

/// The directory a part was started for, or `None` where somebody ran the part by itself.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// `launcher` followed by this binary with the one part `name`.
pub(crate) fn command(launcher: &[&str], name: &str, directory: &std::path::Path) -> Command {
    let itself = std::env::current_exe().expect("a running test knows its own file");
    let mut command = match launcher {
        [] => Command::new(itself),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(itself);
            command
        }
    };
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]).env(DIRECTORY, directory);
    command
}

/// The part ran, and passed.
pub(crate) fn assert_passed(name: &str, output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{name}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Runs a part to its end.
#[cfg(target_os = "linux")]
pub(crate) fn run(launcher: &[&str], name: &str, directory: &std::path::Path) {
    let output = command(launcher, name, directory).output().expect("the launcher can be started");
    assert_passed(name, &output);
}

/// Whether a program this machine may lack can be run; says so where not. Where all must be tested
/// (`CACHESCOPE_TEST_ALL` is set) a lack is a failure.
#[cfg(target_os = "linux")]
pub(crate) fn can_run(command: &[&str]) -> bool {
    let status = Command::new(command[0]).args(&command[1..]).output().map(|output| output.status.success());
    let can = status.unwrap_or(false);
    assert!(
        can || std::env::var_os("CACHESCOPE_TEST_ALL").is_none(),
        "`{}` must work where all must be tested",
        command.join(" ")
    );
    if !can {
        eprintln!("not tested here: `{}` does not work on this machine", command.join(" "));
    }
    can
}
