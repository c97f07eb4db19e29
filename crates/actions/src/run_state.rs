//! How a run stands: what is shown while it runs, and what is kept so that it can go on after a crash.

use std::collections::BTreeMap;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::stretch::Stretch;
use crate::warm::candidates::Candidate;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Keys are being removed or filled.
    Running,
    /// It waits between waves and watches the server.
    Watching,
    /// The operator paused it.
    Paused,
    /// A stop rule, an error or a lost lock halted it. It can be resumed.
    Halted,
    /// The process that ran it is gone. It can be resumed.
    Interrupted,
    /// The operator ended it.
    Cancelled,
    /// Everything was done.
    Finished,
}

impl RunPhase {
    /// Whether nothing more will happen by itself or by resuming.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Finished)
    }

    /// Whether something is being done.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Watching | Self::Paused)
    }
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RunState {
    /// Its identity.
    pub run: String,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// What the deployment was called.
    pub deployment_name: String,
    /// What is done.
    pub plan: Plan,
    /// The plan's hash.
    pub plan_hash: String,
    /// Who approved it.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub began: Timestamp,
    /// When this was last written down.
    pub at: Timestamp,
    /// What it is doing.
    pub phase: RunPhase,
    /// Why, where it was halted or interrupted: one sentence.
    pub why: String,
    /// What to do about that.
    pub remedy: String,
    /// Keys that the preview counted.
    pub expected: u64,
    /// Misses a second that the preview predicted; `None` where it could not.
    pub predicted_extra_misses_per_second: Option<f64>,
    /// Which step, from 0.
    pub step: u32,
    /// What was counted.
    pub counts: RunCounts,
    /// The waves, the first first.
    pub waves: Vec<WaveState>,
    /// By server.
    pub nodes: Vec<NodeProgress>,
    /// Keys a second, at present.
    pub keys_per_second: f64,
    /// Seconds that are left at this rate; `None` while it can't be told.
    pub seconds_left: Option<f64>,
    /// What others feel: the 99th percentile of round trips, in seconds, before the run.
    pub baseline_p99_seconds: Option<f64>,
    /// The same at present.
    pub p99_seconds: Option<f64>,
    /// What halts it, and how it stands.
    pub stop_rules: Vec<StopRuleState>,
    /// The undo file's name; `None` where nothing is kept.
    pub undo: Option<String>,
    /// Its bytes.
    pub undo_bytes: u64,
    /// The hit rate of the namespaces that are filled, before; `None` where it is not known.
    #[serde(default)]
    pub hit_rate_before: Option<f64>,
    /// The same as last seen.
    #[serde(default)]
    pub hit_rate: Option<f64>,
    /// What was answered to requests, one line each.
    #[serde(default)]
    pub answers: Vec<String>,
}

impl RunState {
    /// Keys that are dealt with, in the sense in which the preview counted them: a plan that only fills counts what it
    /// tried to fill, any other what it takes away.
    #[must_use]
    pub fn worked_off(&self) -> u64 {
        let counts = &self.counts;
        if self.plan.only_warms() {
            counts.filled + counts.failed + counts.unfilled + counts.claimed
        } else {
            counts.removed
        }
    }
}

/// What is kept of a run, so that it can go on after a crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// How it stands.
    pub state: RunState,
    /// The primaries' `run_id` by server: cursors of another start are of no use.
    pub run_ids: BTreeMap<String, String>,
    /// Where each list of what is to be warmed is to go on, by step.
    pub cursors: BTreeMap<String, u64>,
    /// What each scan has left, by step, server and logical database.
    #[serde(default)]
    pub places: BTreeMap<String, Vec<Stretch>>,
    /// Scans that are at their end, named alike.
    pub ended: Vec<String>,
    /// Keys of the present step that somebody else was loading when their turn came.
    #[serde(default)]
    pub waiting: Vec<Candidate>,
    /// When what was removed was put back.
    #[serde(default)]
    pub undone_at: Option<Timestamp>,
}

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default)]
pub struct RunCounts {
    /// Keys that were removed, or whose time to live was shortened.
    pub removed: u64,
    /// Keys that were gone before we came to them, or that a shorter time to live was left to.
    pub gone: u64,
    /// Keys left alone because they are protected.
    pub protected: u64,
    /// Keys left alone because they are too large to be kept.
    pub too_large: u64,
    /// Keys left alone because somebody wrote them again and again meanwhile.
    pub contended: u64,
    /// Keys that another server answers for now.
    pub moved: u64,
    /// Keys of which a server did not say whether it removed them, because it broke off or took too long.
    #[serde(default)]
    pub in_doubt: u64,
    /// Keys that the server examined.
    pub scanned: u64,
    /// Other steps that were done: versions counted up, messages published, requests sent.
    pub other_steps: u64,
    /// Instances that received published messages.
    pub receivers: u64,
    /// Keys that were filled and are there.
    pub filled: u64,
    /// Keys that were to be filled and were there already.
    pub there: u64,
    /// Keys that somebody else is loading. Over, those that were still being loaded by somebody else at the end.
    pub claimed: u64,
    /// Keys whose request failed.
    pub failed: u64,
    /// Keys that are not there although the endpoint says that it is done.
    pub unfilled: u64,
    /// Keys that were filled with another time to live than the documented one.
    pub wrong_ttl: u64,
    /// Requests that were sent, repetitions among them.
    pub requests: u64,
    /// Bytes that were copied, or that endpoints answered.
    pub bytes: u64,
}

/// A wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct WaveState {
    /// Up to which share of the keys, from 0 to 1.
    pub up_to_ratio: f64,
    /// Keys it ends at.
    pub up_to_keys: u64,
    /// Whether it is done.
    pub done: bool,
    /// What was seen while watching after it; empty before.
    pub remark: String,
}

/// A server's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct NodeProgress {
    /// Which.
    pub node: String,
    /// Keys that the preview counted there.
    pub expected: u64,
    /// Keys removed there.
    pub removed: u64,
}

/// A stop rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct StopRuleState {
    /// What is watched: `others' p99`, a rule's or signal's title.
    pub name: String,
    /// Its value and limit in words.
    pub sentence: String,
    /// Its value now, in the base unit of what is watched (seconds for round trips); `None` while it is not known.
    pub value: Option<f64>,
    /// What it halts at, in the same unit; `None` while that is not known.
    pub limit: Option<f64>,
    /// Whether it is breached.
    pub breached: bool,
    /// Whether its value is known.
    pub known: bool,
}

/// What an undo did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct UndoResult {
    /// Of which run.
    pub run: String,
    /// Keys that were put back.
    pub restored: u64,
    /// Keys that exist with another value meanwhile, which was left alone.
    pub conflicts: u64,
    /// Names of some of them.
    pub conflicting: Vec<String>,
    /// Keys that are there with the value that was kept, such as those that a crash kept from being removed.
    pub unchanged: u64,
    /// Keys whose time to live has run out meanwhile.
    pub expired: u64,
    /// Keys that the server refused, such as for want of memory.
    pub failed: u64,
    /// Why, of the first of them.
    pub why: String,
    /// Whether every batch of the file could be read.
    pub complete: bool,
}
