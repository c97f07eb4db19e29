//! What stands between a plan and its run. Pure: everything it judges is an argument, and what is not known counts
//! as dangerous.

use std::time::Duration;

use cachescope_model::deployment::Environment;
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::preview_result::Preview;

/// How long a production deployment stays armed.
pub const ARMED_FOR: Duration = Duration::from_secs(10 * 60);

/// The shortest reason that says something.
const SHORTEST_REASON: usize = 4;
/// The longest that is kept.
const LONGEST_REASON: usize = 500;

/// How much a run may reach without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Limits {
    /// Share of all keys, from 0 to 1.
    pub keys_ratio: f64,
    /// Share of all reads, from 0 to 1.
    pub reads_ratio: f64,
    /// So few keys are below the limit whatever their share.
    pub always_allowed_keys: u64,
}

impl Limits {
    /// The limits of an environment.
    #[must_use]
    pub const fn of(environment: Environment) -> Self {
        match environment {
            Environment::Production => Self { keys_ratio: 0.05, reads_ratio: 0.05, always_allowed_keys: 100 },
            Environment::Staging => Self { keys_ratio: 0.5, reads_ratio: 0.5, always_allowed_keys: 1_000 },
            Environment::Development => {
                Self { keys_ratio: 1.0, reads_ratio: 1.0, always_allowed_keys: 1_000 }
            }
        }
    }
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against it.
    Passed,
    /// Worth knowing; it may run.
    Remark,
    /// It may not run as it is.
    Refused,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Check {
    /// Stable name of the check: `protected`, `share-of-keys`, `share-of-reads`, `undo`, `role`, `permission`, …
    pub code: String,
    /// How it came out.
    pub verdict: Verdict,
    /// One sentence.
    pub sentence: String,
    /// What would let it pass; empty where nothing has to.
    pub remedy: String,
}

impl Check {
    fn new(code: &str, verdict: Verdict, sentence: impl Into<String>, remedy: &str) -> Self {
        Self { code: code.to_owned(), verdict, sentence: sentence.into(), remedy: remedy.to_owned() }
    }

    /// Passed.
    #[must_use]
    pub fn passed(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(code, Verdict::Passed, sentence, "")
    }

    /// Worth knowing.
    #[must_use]
    pub fn remark(code: &str, sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(code, Verdict::Remark, sentence, remedy)
    }

    /// Refused.
    #[must_use]
    pub fn refused(code: &str, sentence: impl Into<String>, remedy: &str) -> Self {
        Self::new(code, Verdict::Refused, sentence, remedy)
    }
}

/// What a preview found, compared with the limits.
#[must_use]
pub fn judge(preview: &Preview, all_reads_per_second: Option<f64>, limits: Limits) -> Vec<Check> {
    let how = &preview.plan.how;
    let mut checks = Vec::new();
    checks.push(match (preview.protected_keys, how.protected_too) {
        (0, _) => Check::passed("protected", "No key of a protected namespace"),
        (keys, true) => Check::remark(
            "protected",
            format!("{keys} keys of protected namespaces are included, as the plan says"),
            "",
        ),
        (keys, false) => Check::refused(
            "protected",
            format!("{keys} keys belong to protected namespaces (sessions, rate limits, locks, queues)"),
            "choose other keys, or have the plan include protected ones",
        ),
    });
    // A plan that only fills takes no key away: there is no share of keys, no reader who misses and nothing to keep.
    if preview.plan.only_warms() {
        return checks;
    }
    checks.push(share_of_keys(preview, limits));
    checks.push(share_of_reads(preview, all_reads_per_second, limits));
    checks.push(match (&preview.undo, how.undo) {
        (outlook, true) if outlook.possible => Check::passed("undo", outlook.sentence.clone()),
        (outlook, true) => Check::refused(
            "undo",
            outlook.sentence.clone(),
            "remove what stands in the way, or have the plan run without undo",
        ),
        (_, false) => Check::remark("undo", "What is removed can't be put back: the plan keeps nothing", ""),
    });
    checks
}

fn share_of_keys(preview: &Preview, limits: Limits) -> Check {
    let (keys, all) = (preview.touched(), preview.all_keys);
    let ratio = if all == 0 { 0.0 } else { keys as f64 / all as f64 };
    let said = format!("{keys} of {all} keys, {:.1} %", ratio * 100.0);
    let limit = format!("the limit is {:.0} %", limits.keys_ratio * 100.0);
    match (keys > limits.always_allowed_keys && ratio > limits.keys_ratio, preview.plan.how.beyond_limits) {
        (false, _) => Check::passed("share-of-keys", format!("{said}; {limit}")),
        (true, true) => {
            Check::remark("share-of-keys", format!("{said}, beyond the limit as the plan says; {limit}"), "")
        }
        (true, false) => Check::refused(
            "share-of-keys",
            format!("{said}; {limit}"),
            "choose fewer keys, or have the plan go beyond the limits",
        ),
    }
}

fn share_of_reads(preview: &Preview, all: Option<f64>, limits: Limits) -> Check {
    let reads = preview.reads_per_second.high.or(preview.reads_per_second.value);
    let (Some(reads), Some(all)) = (reads, all) else {
        // Not known, so not below the limit: it is said, and few keys or a development server may pass.
        return if preview.touched() <= limits.always_allowed_keys || limits.reads_ratio >= 1.0 {
            Check::remark("share-of-reads", "How often these keys are read is not known", "")
        } else if preview.plan.how.beyond_limits {
            Check::remark(
                "share-of-reads",
                "How often these keys are read is not known; the plan goes on all the same",
                "",
            )
        } else {
            Check::refused(
                "share-of-reads",
                "How often these keys are read is not known, so the limit counts as passed",
                "watch the deployment for a minute first, or have the plan go beyond the limits",
            )
        };
    };
    let ratio = if all <= 0.0 { 0.0 } else { (reads / all).min(1.0) };
    let said = format!("{reads:.0} reads a second, {:.1} % of all", ratio * 100.0);
    match (
        preview.touched() > limits.always_allowed_keys && ratio > limits.reads_ratio,
        preview.plan.how.beyond_limits,
    ) {
        (false, _) => Check::passed("share-of-reads", said),
        (true, true) => {
            Check::remark("share-of-reads", format!("{said}, beyond the limit as the plan says"), "")
        }
        (true, false) => Check::refused(
            "share-of-reads",
            format!("{said}; the limit is {:.0} %", limits.reads_ratio * 100.0),
            "choose fewer keys, soften instead of deleting, or have the plan go beyond the limits",
        ),
    }
}

/// What the operator does beside approving.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The deployment's name, as typed.
    pub name: Option<String>,
    /// Why, for the audit.
    pub reason: Option<String>,
    /// Until when the deployment is armed.
    pub armed_until: Option<Timestamp>,
}

/// Whether the operator has said what this environment wants to hear.
#[must_use]
pub fn said_enough(
    environment: Environment,
    deployment_name: &str,
    said: &Said,
    now: Timestamp,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let reason = said.reason.as_deref().unwrap_or_default().trim();
    if reason.len() > LONGEST_REASON {
        checks.push(Check::refused("reason", "The reason is longer than 500 bytes", "write it shorter"));
    }
    if environment != Environment::Production {
        return checks;
    }
    let armed = said.armed_until.is_some_and(|until| {
        // A time further away than arming reaches comes from a clock that was set back.
        now < until && until.seconds_since(now) <= ARMED_FOR.as_secs_f64()
    });
    if !armed {
        checks.push(Check::refused(
            "armed",
            "This production deployment is not armed",
            "arm it; it stays armed for ten minutes",
        ));
    }
    if said.name.as_deref() != Some(deployment_name) {
        checks.push(Check::refused(
            "typed-name",
            format!("The typed name is not the deployment's, {deployment_name:?}"),
            "type the name exactly",
        ));
    }
    if reason.len() < SHORTEST_REASON {
        checks.push(Check::refused(
            "reason",
            "There is no reason for the audit",
            "write why, such as the incident's number",
        ));
    }
    checks
}

/// The first check that refuses.
#[must_use]
pub fn refusal(checks: &[Check]) -> Option<&Check> {
    checks.iter().find(|check| check.verdict == Verdict::Refused)
}
