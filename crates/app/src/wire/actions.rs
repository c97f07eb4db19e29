//! Actions at the wire: what a plan is made of, how a run stands, and what was done.

use std::collections::BTreeMap;

use cachescope_actions::guards::Limits;
use cachescope_actions::preview_result::Preview;
use cachescope_actions::run_state::{RunCounts, RunPhase, StopRuleState};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{IssuedApproval, WarmDraft, WireError};

/// What a plan is made from. The core makes the plan; the page only says what is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActionDraft {
    /// Named keys, each as one line with `\xHH` where it holds what can't be printed.
    Keys {
        /// The keys.
        keys: Vec<String>,
        /// Their logical database.
        database: u16,
    },
    /// Keys that a Redis glob matches.
    Pattern {
        /// The glob.
        pattern: String,
        /// Only in this logical database.
        database: Option<u16>,
    },
    /// Keys of a namespace; with a tenant, those of the tenant alone.
    Namespace {
        /// Its template.
        template: String,
        /// The value of the template's tenant field.
        tenant: Option<String>,
        /// Only keys whose version is below this one.
        stale_below: Option<u64>,
    },
    /// Keys that carry a tag.
    Tag {
        /// The tag, such as `tenant:7`.
        tag: String,
    },
    /// Keys of a pattern whose time to live is shortened instead.
    Soften {
        /// The glob.
        pattern: String,
        /// The longest that is left, in seconds.
        ttl_seconds: f64,
        /// How much less it may be, at random, in seconds.
        jitter_seconds: f64,
    },
    /// Keys that are filled, or whose values are replaced.
    Warm {
        /// How.
        warm: Box<WarmDraft>,
    },
    /// A playbook of the strategy.
    Playbook {
        /// Its name.
        name: String,
        /// Its parameters.
        parameters: BTreeMap<String, String>,
    },
}

/// A playbook that can be planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct PlaybookView {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What sets it off, in words.
    pub triggers: Vec<String>,
    /// What is done, in order, in words.
    pub steps: Vec<PlaybookStepView>,
    /// Names of the parameters that the operator fills in.
    pub parameters: Vec<String>,
    /// What else the document says.
    pub note: String,
}

/// A step of a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct PlaybookStepView {
    /// In words.
    pub what: String,
    /// Whether it is done from here.
    pub done_here: bool,
    /// Who does it otherwise, or when it applies; may be empty.
    pub note: String,
}

/// A preview under way. It goes on by itself; ask for its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct PreviewStarted {
    /// Its identity.
    pub preview: String,
}

/// How far a preview is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct PreviewProgress {
    /// Its identity.
    pub preview: String,
    /// Keys examined.
    pub scanned: u64,
    /// Keys there are.
    pub all_keys: u64,
    /// Keys that the plan reaches, so far.
    pub keys: u64,
    /// The result, once it is there.
    pub finished: Option<PreviewedAction>,
    /// Why there will be none.
    pub failed: Option<WireError>,
}

/// A finished preview with what is needed to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct PreviewedAction {
    /// What was found.
    pub preview: Preview,
    /// The limits it was compared with.
    pub limits: Limits,
    /// To be sent with the request that runs it; `None` where a check refuses.
    pub approval: Option<IssuedApproval>,
    /// What the deployment's environment wants besides.
    pub wants: Wanted,
    /// What will halt the run, as it stands now; others' round trips come with the run.
    pub stop_rules: Vec<StopRuleState>,
}

/// What an operator has to do beside clicking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Wanted {
    /// The environment, with an unset one as production.
    pub environment: Environment,
    /// Whether the deployment must be armed.
    pub armed: bool,
    /// The name to be typed, where one is.
    pub typed_name: Option<String>,
    /// Whether a reason must be given.
    pub reason: bool,
}

/// Whether a deployment is armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Armed {
    /// Until when; `None` where it is not.
    pub until: Option<Timestamp>,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RunSummary {
    /// Its identity.
    pub run: String,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// What the deployment was called.
    pub deployment_name: String,
    /// What was done.
    pub title: String,
    /// Who approved it.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub began: Timestamp,
    /// When it was last written down.
    pub at: Timestamp,
    /// How it stands.
    pub phase: RunPhase,
    /// Why, where it was halted or interrupted.
    pub why: String,
    /// Keys that the preview counted.
    pub expected: u64,
    /// What was counted.
    pub counts: RunCounts,
    /// Whether its keys can be put back.
    pub undo: UndoState,
    /// Bytes of its undo file.
    pub undo_bytes: u64,
}

/// Whether a run can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum UndoState {
    /// The plan kept nothing.
    None,
    /// It can, until its file is removed.
    Possible {
        /// When that is.
        until: Timestamp,
    },
    /// It was.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Its file was removed at the end of its time, or is missing.
    Gone,
}

/// What of a run is put back; everything where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default)]
pub struct UndoPart {
    /// Only keys of this namespace.
    pub namespace: Option<String>,
    /// Only these keys.
    pub keys: Option<Vec<String>>,
}

/// How far an undo is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct UndoProgress {
    /// Whether one is under way in this program.
    pub under_way: bool,
    /// Keys in the undo file; 0 until they are counted.
    pub keys: u64,
    /// Keys that were dealt with.
    pub done: u64,
}

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct AuditRow {
    /// Its number, without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who, as `user@host`.
    pub operator: String,
    /// Of which deployment.
    pub deployment: String,
    /// What the deployment was called.
    pub deployment_name: String,
    /// What happened: `purge.previewed`, `purge.refused`, `purge.started`, `warm.finished`, …
    pub event: String,
    /// The run it belongs to; empty where there is none yet.
    pub run: String,
    /// Why, as the operator said.
    pub reason: String,
    /// Counts and results as JSON.
    pub details: String,
    /// The hash of the row before.
    pub previous_hash: String,
    /// The hash of this row.
    pub hash: String,
}

/// Whether the audit is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct AuditVerdict {
    /// Whether every row follows from the one before.
    pub intact: bool,
    /// Rows that were looked at.
    pub rows: u64,
    /// The last row's hash: written down elsewhere, it shows later that nothing was cut off.
    pub last_hash: String,
    /// What is wrong and where; empty where nothing is.
    pub problem: String,
}

/// How the audit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum AuditFormat {
    /// JSON Lines.
    Jsonl,
    /// CSV.
    Csv,
}

/// Where the application and the CDN are asked over HTTP, as typed. Tokens travel inwards only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default)]
pub struct EndpointsDraft {
    /// Base address of the application; empty for none.
    pub application_url: String,
    /// Its bearer token; `None` keeps the one that is known, an empty one forgets it.
    pub application_token: Option<String>,
    /// It may be in a private network.
    pub application_private: bool,
    /// Address that invalidates at the CDN, where `{path}` stands for one path; empty for none.
    pub cdn_url: String,
    /// Its method; empty for POST.
    pub cdn_method: String,
    /// Its body, where `{paths}` stands for a JSON list of the paths; empty for `{"paths": {paths}}`.
    pub cdn_body: String,
    /// Its bearer token; `None` keeps the one that is known, an empty one forgets it.
    pub cdn_token: Option<String>,
    /// It may be in a private network.
    pub cdn_private: bool,
}

impl std::fmt::Debug for EndpointsDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointsDraft").finish_non_exhaustive()
    }
}

/// The same as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct EndpointsView {
    /// Base address of the application; empty for none.
    pub application_url: String,
    /// Whether its token is known. It is never sent to the page.
    pub has_application_token: bool,
    /// It may be in a private network.
    pub application_private: bool,
    /// Address that invalidates at the CDN; empty for none.
    pub cdn_url: String,
    /// Its method; empty for POST.
    pub cdn_method: String,
    /// Its body.
    pub cdn_body: String,
    /// Whether its token is known. It is never sent to the page.
    pub has_cdn_token: bool,
    /// It may be in a private network.
    pub cdn_private: bool,
}

/// What Settings say about undo files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct UndoSettings {
    /// Days after which a run's undo file is removed; 1 to 90.
    pub keep_days: u32,
    /// Bytes that one run's file may have.
    pub most_bytes_of_a_run: u64,
    /// Bytes that all files together may have.
    pub most_bytes: u64,
}
