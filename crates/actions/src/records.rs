//! What actions have written down for them. The app keeps it in its store; this crate knows no database.

use std::pin::Pin;

use cachescope_model::deployment::DeploymentId;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::run_state::RunRecord;

/// The answer of a keeper of records.
pub type Recorded<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Who keeps records. What it was given is on disk when it answers.
pub trait Records: Send + Sync {
    /// Keeps what a token approves, under the token's hash.
    fn keep_approval<'a>(&'a self, token_hash: String, document: String) -> Recorded<'a, ()>;
    /// Takes it out again: the second to ask gets nothing.
    fn take_approval<'a>(&'a self, token_hash: String) -> Recorded<'a, Option<String>>;
    /// Writes a run down, in place of what was written before.
    fn save_run<'a>(&'a self, record: &'a RunRecord) -> Recorded<'a, ()>;
    /// Adds a row to the audit.
    fn audit<'a>(&'a self, entry: AuditEntry) -> Recorded<'a, ()>;
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who.
    pub operator: String,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// What it was called.
    pub deployment_name: String,
    /// What happened, such as `purge.started`.
    pub event: String,
    /// The run; empty where there is none yet.
    pub run: String,
    /// Why, as the operator said.
    pub reason: String,
    /// Counts and results. Never a value, nor a masked name.
    pub details: serde_json::Value,
}
