//! What the tests share.

pub(crate) mod generate;

use std::process::Command;

/// What promtool said.
pub(crate) struct Answer {
    /// Whether it was content.
    pub(crate) passed: bool,
    /// Its words.
    pub(crate) text: String,
}

/// Runs promtool.
pub(crate) fn promtool(arguments: &[&str]) -> Answer {
    let output =
        Command::new("promtool").args(arguments).output().expect("promtool is installed with prometheus");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Answer { passed: output.status.success(), text }
}
