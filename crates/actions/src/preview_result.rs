//! What a preview found: what a plan would do, and what it would cost.

use std::collections::BTreeMap;

use cachescope_model::reading::Reading;
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guards::Check;
use crate::plan::Plan;
use crate::warm::WarmOutlook;

/// What a plan would do now. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Preview {
    /// What was previewed.
    pub plan: Plan,
    /// Its hash.
    pub plan_hash: String,
    /// When the counting ended.
    pub at: Timestamp,
    /// The steps in words, in order, with what each reaches.
    pub steps: Vec<StepPreview>,
    /// Keys that would be removed or shortened, each counted once a step.
    pub keys: u64,
    /// Keys of all the deployment's primaries.
    pub all_keys: u64,
    /// Their bytes at the server.
    pub bytes: Reading,
    /// Keys by type; counted on `types_of` keys and scaled where that is fewer than all.
    pub types: BTreeMap<String, u64>,
    /// How many keys were asked for their type and time to live.
    pub types_of: u64,
    /// How long the keys would still live.
    pub ttl: TtlSpread,
    /// Keys by server.
    pub nodes: Vec<NodeShare>,
    /// Keys by namespace, most first; an empty name is what belongs to none.
    pub namespaces: Vec<NamespaceShare>,
    /// Names of some of the keys; values of masked fields are replaced.
    pub sample: Vec<String>,
    /// The heaviest of the weighed keys, with their bytes.
    pub biggest: Vec<WeighedKey>,
    /// Those of the weighed keys that nobody has read or written for longest.
    pub oldest: Vec<UsedKey>,
    /// Those that are used most: read or written last or, where the server counts uses, most often.
    pub hottest: Vec<UsedKey>,
    /// Why there are none of these; empty where there are.
    pub no_uses: String,
    /// Keys of protected namespaces that the scope covers. They are left alone unless the plan says otherwise.
    pub protected_keys: u64,
    /// Keys that are too large for the undo file, and so would be left alone.
    pub too_large_for_undo: u64,
    /// Whether what is removed could be put back, and why not.
    pub undo: UndoOutlook,
    /// Reads a second that these keys get now.
    pub reads_per_second: Reading,
    /// Misses a second that removing them would add.
    pub predicted_extra_misses_per_second: Reading,
    /// What each step that fills keys would do, in order.
    #[serde(default)]
    pub warms: Vec<WarmOutlook>,
    /// What was compared with the limits, and what else speaks for or against it.
    pub checks: Vec<Check>,
}

impl Preview {
    /// Keys that are there and would be removed or shortened; what is only filled touches nothing.
    #[must_use]
    pub fn touched(&self) -> u64 {
        self.keys.saturating_sub(self.warms.iter().map(|warm| warm.due).sum())
    }
}

/// One step, previewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct StepPreview {
    /// In words.
    pub what: String,
    /// Keys it reaches.
    pub keys: u64,
    /// Whether it is done from here.
    pub done_here: bool,
}

/// Times to live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TtlSpread {
    /// Keys without one, of those asked.
    pub without: u64,
    /// The shortest, in seconds.
    pub shortest_seconds: Option<f64>,
    /// The median, in seconds.
    pub median_seconds: Option<f64>,
    /// The longest, in seconds.
    pub longest_seconds: Option<f64>,
    /// Counts in equal parts from now to the longest.
    pub histogram: Vec<u64>,
}

/// What a server holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct NodeShare {
    /// Which server.
    pub node: String,
    /// Keys there.
    pub keys: u64,
    /// Slots of a Cluster that hold some of them; 0 elsewhere.
    pub slots: u32,
}

/// What a namespace has of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct NamespaceShare {
    /// Its template.
    pub namespace: String,
    /// Keys of it.
    pub keys: u64,
    /// Whether the strategy protects it.
    pub protected: bool,
}

/// A key that was weighed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct WeighedKey {
    /// As it may be shown.
    pub key: String,
    /// Its bytes at the server.
    pub bytes: u64,
}

/// A key, and how it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct UsedKey {
    /// As it may be shown.
    pub key: String,
    /// Seconds since it was read or written last; `None` where the server counts uses instead.
    pub idle_seconds: Option<f64>,
    /// The server's logarithmic count of uses, up to 255; `None` where it keeps the time instead.
    pub uses: Option<u64>,
}

/// Whether a run could be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct UndoOutlook {
    /// Whether it can.
    pub possible: bool,
    /// How, or why not, in one sentence.
    pub sentence: String,
}
