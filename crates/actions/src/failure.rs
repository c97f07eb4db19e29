//! Why an action can't be planned, previewed, run or undone: one sentence, and what to do.

use cachescope_sources::error::SourceError;

/// What kind of failure; stable, so that shells decide by it and never by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// What was asked for can't be used.
    BadInput,
    /// A guard refuses.
    Refused,
    /// The approval is missing, used, too old, or for something else.
    NotApproved,
    /// Somebody else is at it.
    Locked,
    /// A server can't be reached or refuses.
    Server,
    /// The local disk, keychain or store.
    Storage,
    /// There is no such run.
    NotFound,
    /// It was called off.
    Cancelled,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// What failed, on what: one sentence, never with a secret.
    pub sentence: String,
    /// What to do; empty where nothing helps.
    pub remedy: String,
}

impl Failure {
    /// A failure with what to do about it.
    #[must_use]
    pub fn new(kind: FailureKind, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), remedy: remedy.into() }
    }

    pub(crate) fn bad(sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(FailureKind::BadInput, sentence, remedy)
    }

    pub(crate) fn refused(sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(FailureKind::Refused, sentence, remedy)
    }

    pub(crate) fn server(sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(FailureKind::Server, sentence, remedy)
    }

    pub(crate) fn storage(sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(FailureKind::Storage, sentence, remedy)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::new(FailureKind::Server, error.to_string(), error.remedy())
    }
}
