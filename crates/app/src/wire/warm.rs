//! Warms at the wire: what one is made of, the documented ones, and when they run.

use std::collections::BTreeMap;

use cachescope_actions::warm::WarmLimits;
use cachescope_actions::warm::schedule::MissedRuns;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a warm is made from. The core makes the plan; what is left out follows from the strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(default, deny_unknown_fields)]
pub struct WarmDraft {
    /// A warm plan of the strategy.
    pub plan: Option<String>,
    /// Without a plan: the namespace, by its template or its name.
    pub namespace: Option<String>,
    /// Only this tenant's keys.
    pub tenant: Option<String>,
    /// Which keys.
    pub keys: WarmKeys,
    /// Parameters of the plan's URL that are not fields of keys.
    pub parameters: BTreeMap<String, String>,
    /// The application's address, where the plan's URL is a path.
    pub base_url: Option<String>,
    /// The URL, in place of the plan's; `{field}` is a field of the key, `{query}` are all of them as a query,
    /// `{namespace}` is the namespace's name.
    pub url: Option<String>,
    /// The method, in place of the plan's.
    pub method: Option<String>,
    /// Headers without secrets.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// The name of the secret that is sent as a bearer's token.
    pub secret: Option<String>,
    /// Whether the endpoint may be in a private network or on this machine.
    pub private_addresses: bool,
    /// Copy instead of calling an endpoint.
    pub copy_from: Option<CopyFromDraft>,
    /// By how much copied times to live are shortened at most, at random, in percent.
    pub jitter_percent: u32,
    /// How gently, in place of the plan's limits and the usual ones.
    pub limits: Option<WarmLimits>,
    /// Replace the namespace's values a few keys at a time, instead of filling what is missing.
    pub refresh: bool,
    /// With `refresh`: let keys live so many seconds instead of removing them.
    pub soften_seconds: Option<f64>,
}

/// Which keys a warm fills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "which", rename_all = "snake_case", deny_unknown_fields)]
pub enum WarmKeys {
    /// Those that are missed most.
    #[default]
    Missed,
    /// Those that a run has removed.
    Run {
        /// The run.
        run: String,
    },
    /// Those that expire soon.
    Expiring {
        /// Within so many seconds.
        within_seconds: u32,
    },
    /// Just these, each as one line with `\xHH` where it holds what can't be printed.
    Named {
        /// The keys.
        keys: Vec<String>,
    },
}

/// Where a copy is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum CopyFromDraft {
    /// Another deployment that is watched.
    Deployment {
        /// Which one.
        deployment: DeploymentId,
    },
    /// A deployment that was made known under this name.
    Named {
        /// The name.
        name: String,
    },
    /// The undo file of a run.
    Undo {
        /// The run.
        run: String,
    },
}

/// A documented warm plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct WarmPlanView {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// How it fills the cache, in words.
    pub way: String,
    /// What is loaded, in words.
    pub items: Vec<String>,
    /// What sets it off, in words.
    pub triggers: Vec<String>,
    /// Whether it can be run from here as it stands.
    pub runnable: bool,
    /// What it lacks, or who does it otherwise; may be empty.
    pub lacks: String,
    /// Under which condition, and what else the document says.
    pub note: String,
    /// Its schedule, where it has one.
    pub schedule: Option<ScheduleView>,
}

/// When a plan runs by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ScheduleView {
    /// The expression, in UTC.
    pub cron: String,
    /// The next times.
    pub next_runs: Vec<Timestamp>,
    /// The line for a server's crontab.
    pub crontab: String,
    /// How it stands where this program starts it by itself; `None` where it is not armed.
    pub armed: Option<ArmedSchedule>,
}

/// A schedule that this program starts by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ArmedSchedule {
    /// Who armed it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// What becomes of missed runs.
    pub missed: MissedRuns,
    /// Runs that were left out.
    pub missed_runs: u32,
    /// What became of the last one.
    pub last: Option<ScheduledRun>,
}

/// What became of a scheduled run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ScheduledRun {
    /// The time that it was for.
    pub at: Timestamp,
    /// The run; empty where none was started.
    pub run: String,
    /// In words.
    pub said: String,
}
