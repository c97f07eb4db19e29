//! Marks: what people and machines did to a deployment, at a moment that the figures should be read against.

use serde::{Deserialize, Serialize};

use crate::deployment::DeploymentId;
use crate::time::Timestamp;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A new version of the application went live.
    #[default]
    Deploy,
    /// A setting was changed.
    Config,
    /// Keys were purged.
    Purge,
    /// Keys were warmed.
    Warm,
    /// Anything else.
    Note,
}

impl MarkKind {
    /// Every kind with its name in commands.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Deploy, "deploy"),
        (Self::Config, "config"),
        (Self::Purge, "purge"),
        (Self::Warm, "warm"),
        (Self::Note, "note"),
    ];

    /// Its name in commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Config => "config",
            Self::Purge => "purge",
            Self::Warm => "warm",
            Self::Note => "note",
        }
    }
}

/// Who said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum MarkSource {
    /// A person, in the window.
    #[default]
    Window,
    /// A script, by `cachescope mark`.
    Command,
    /// A query to Prometheus whose changes are marks.
    Prometheus,
    /// Seen by Cachescope itself, such as a setting that it changed.
    Observed,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Mark {
    /// Its number; 0 for one that is not kept.
    #[ts(type = "number")]
    pub id: i64,
    /// Of which deployment; `None` of all.
    pub deployment: Option<DeploymentId>,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub kind: MarkKind,
    /// In words, such as `4f21c8`; at most 200 characters.
    pub text: String,
    /// Who said so.
    pub source: MarkSource,
}
