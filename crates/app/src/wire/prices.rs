//! What a costly source costs, shown before it is switched on, and the approval that goes with it.

use cachescope_model::source::SourceId;
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The price of switching a source on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SourcePrice {
    /// Which source.
    pub source: SourceId,
    /// What it costs and what it does to others, in words.
    pub sentence: String,
    /// The exact commands that would be sent to change something on the server; empty where nothing is changed.
    pub commands: Vec<String>,
    /// The settings that would be changed, with what they are and what they would be.
    pub settings: Vec<SettingPreview>,
    /// What is put back, and when; empty where nothing is changed.
    pub put_back: String,
    /// To be sent with the request that switches it on. `None` where nothing has to be approved, because nothing
    /// would be changed.
    pub approval: Option<IssuedApproval>,
}

/// A setting that would be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SettingPreview {
    /// On which server.
    pub node: String,
    /// Its name, as `CONFIG SET` takes it.
    pub setting: String,
    /// What it is now.
    pub current: String,
    /// What it would be.
    pub new: String,
}

/// Stands for the operator's approval of exactly what was shown: of use once, for five minutes, for one
/// deployment, and only while the server is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct IssuedApproval {
    /// The token.
    pub token: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What became of a changed setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SettingOutcome {
    /// On which server.
    pub node: String,
    /// Its name, as `CONFIG SET` takes it.
    pub setting: String,
    /// In words.
    pub outcome: String,
}
