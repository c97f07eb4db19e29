//! How the command fails: one line and an exit status.

use std::process::ExitCode;

use cachescope_app::wire::{WireError, WireErrorCode};
use cachescope_sources::error::SourceError;

/// A failure with its exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    sentence: String,
    remedy: String,
}

impl Failure {
    /// A check failed: exit status 1.
    pub(crate) fn check(sentence: impl Into<String>) -> Self {
        Self { status: 1, sentence: sentence.into(), remedy: String::new() }
    }

    /// Bad usage or input: exit status 2.
    pub(crate) fn input(sentence: impl Into<String>) -> Self {
        Self { status: 2, sentence: sentence.into(), remedy: String::new() }
    }

    /// A server can't be reached or refuses: exit status 3.
    pub(crate) fn server(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: 3, sentence: sentence.into(), remedy: remedy.into() }
    }

    /// The same with what to do about it.
    pub(crate) fn with_remedy(mut self, remedy: &str) -> Self {
        remedy.clone_into(&mut self.remedy);
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.sentence.trim_end_matches('.'))?;
        if !self.remedy.is_empty() {
            write!(formatter, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let status = match error.code {
            WireErrorCode::Unreachable | WireErrorCode::DemoUnavailable => 3,
            WireErrorCode::Refused | WireErrorCode::Locked => 1,
            _ => 2,
        };
        Self { status, sentence: error.message, remedy: error.remedy }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::from(WireError::from(error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::input(format!("the result can't be written: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::input(format!("the result can't be written as JSON: {error}"))
    }
}
