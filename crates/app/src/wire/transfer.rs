//! Deployments that come from a file, and endpoints that were looked for.

use serde::{Deserialize, Serialize};

/// What becomes of an entry of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// It is not here yet.
    New,
    /// It is here already, and stays as it is.
    Known,
    /// It can't be used.
    Refused,
}

/// One entry of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ImportedDeployment {
    /// Its name.
    pub name: String,
    /// Where it is, without a secret; empty where that can't be read.
    pub address: String,
    /// Its group; empty where it has none.
    pub group: String,
    /// What becomes of it.
    pub outcome: ImportOutcome,
    /// Whether the file holds a secret of it.
    pub secrets: bool,
    /// Why it is refused, and what is not taken over: sentences.
    pub notes: Vec<String>,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ImportReport {
    /// Whose file it is.
    pub format: String,
    /// Whether the new ones were added.
    pub kept: bool,
    /// Its entries, in its order.
    pub deployments: Vec<ImportedDeployment>,
}

/// What may stand at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// A Prometheus server.
    Prometheus,
    /// A page of metrics.
    Metrics,
}

/// An address that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct TriedEndpoint {
    /// The address as the form takes it.
    pub url: String,
    /// What was looked for there.
    pub kind: EndpointKind,
    /// Whether it is there.
    pub found: bool,
    /// What is there, or why nothing is: one sentence.
    pub detail: String,
}
