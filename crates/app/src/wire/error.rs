//! Errors as the page sees them: a stable code to decide on, a sentence to show, a remedy to offer.

use serde::{Deserialize, Serialize};

/// Why a request failed. The page decides by this code, never by the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum WireErrorCode {
    /// What was asked for does not exist (any more).
    NotFound,
    /// What was typed can't be used.
    BadInput,
    /// A server can't be reached or refuses.
    Unreachable,
    /// The approval is missing, used, too old, or for something else; nothing was changed.
    NotApproved,
    /// A guard refuses; nothing was changed.
    Refused,
    /// Somebody else acts on this deployment.
    Locked,
    /// The local store failed.
    Storage,
    /// The demo can't run here.
    DemoUnavailable,
    /// A defect of ours.
    Internal,
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, thiserror::Error)]
#[error("{message}")]
pub struct WireError {
    /// What kind of failure.
    pub code: WireErrorCode,
    /// What failed, on what: one sentence, never with a secret.
    pub message: String,
    /// What to do; empty where nothing helps.
    pub remedy: String,
}

impl WireError {
    /// An error without a remedy.
    #[must_use]
    pub fn new(code: WireErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: String::new() }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}
