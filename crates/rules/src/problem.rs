//! What is wrong with a text.

use serde::Serialize;

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to write instead, one sentence.
    pub what: String,
}

impl Problem {
    /// Something wrong on a line.
    #[must_use]
    pub fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}
