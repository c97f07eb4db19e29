//! What would be changed, from what, under which start of the server.

use cachescope_model::observation::NodeName;

use super::super::capabilities::whoami;
use super::super::event_flags::EventFlags;
use super::super::failure::user_of;
use super::super::node::{Gate, RedisNode};
use super::super::permissions::missing_of;
use super::change::{run_id, value};
use super::flags;
use super::setting::{Setting, config_set};
use crate::error::{ErrorCode, SourceError};

/// Entries the slow log holds while it is sampled: twice what is read at once. At most some megabytes, because
/// the server keeps at most 32 arguments of 128 bytes each of a command.
const SAMPLED_LENGTH: u64 = 1_024;

/// A change of ours that is in force, of this process or another one that shares our records. What it set is
/// not the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownChange {
    /// The start of the server it was made under.
    pub run_id: String,
    /// Of what.
    pub setting: Setting,
    /// The operator's value.
    pub old: String,
    /// Ours.
    pub new: String,
}

/// One setting of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// Which one.
    pub setting: Setting,
    /// What the server has now.
    pub found: String,
    /// What the operator has set: `found`, less what is known to be ours. It is put back.
    pub old: String,
    /// What will be set.
    pub new: String,
}

impl PlannedChange {
    /// The command that makes the change, as it is typed.
    #[must_use]
    pub fn command(&self) -> String {
        config_set(self.setting, &self.new)
    }

    /// The command that puts it back, if nobody changes it meanwhile.
    #[must_use]
    pub fn undo(&self) -> String {
        config_set(self.setting, &self.old)
    }
}

/// What would be changed on one server. Empty where nothing has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePlan {
    /// Which server.
    pub node: NodeName,
    /// Its `run_id`: the plan is void after a restart.
    pub run_id: String,
    /// Setting by setting, in the order in which they are changed.
    pub changes: Vec<PlannedChange>,
}

impl ChangePlan {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What it sets one setting to.
    #[must_use]
    pub fn of(&self, setting: Setting) -> Option<&PlannedChange> {
        self.changes.iter().find(|change| change.setting == setting)
    }
}

/// What has to be set so that misses, evictions and expirations are announced, and the deletions and additions
/// that tell why keys miss: the missing flags added to what is set, none taken away. Writes nothing.
///
/// # Errors
/// When the value can't be read (then it must not be written either), or may not be set.
pub async fn plan_events(node: &RedisNode, known: &[KnownChange]) -> Result<ChangePlan, SourceError> {
    let mut gate = node.gate().await;
    let run_id = run_id(&mut gate).await?;
    let found = value(&mut gate, Setting::Events).await?;
    allow(&mut gate, node, &["+config|get", "+config|set"]).await?;
    let ours: String =
        of(known, &run_id, Setting::Events).map(|change| flags::added(&change.old, &change.new)).collect();
    let old = if ours.is_empty() { found.clone() } else { flags::less(&found, &ours) };
    // `n` came with 7.0; a version that nobody knows is taken for an old one, which refuses it.
    let tells_additions = gate.hello().await?.major().is_some_and(|major| major >= 7);
    let new = EventFlags::new(&found).merged_for_causes(tells_additions);
    let mut plan = ChangePlan { node: node.name(), run_id, changes: Vec::new() };
    // What another of us switched on counts as missing: it will go when that one ends.
    if EventFlags::new(&old).merged_for_causes(tells_additions) != old {
        plan.changes.push(PlannedChange { setting: Setting::Events, found, old, new });
    }
    Ok(plan)
}

/// What has to be set while the slow log is sampled: every command is logged, and enough of them are held.
/// Writes nothing.
///
/// # Errors
/// As [`plan_events`]; also when another Cachescope samples the same server: what one switches off the other
/// would not see.
pub async fn plan_slow_log(node: &RedisNode, known: &[KnownChange]) -> Result<ChangePlan, SourceError> {
    let mut gate = node.gate().await;
    let run_id = run_id(&mut gate).await?;
    if of(known, &run_id, Setting::SlowLogThreshold).next().is_some() {
        return Err(SourceError::new(
            ErrorCode::Busy,
            format!("another Cachescope samples the slow log of {} already", node.target()),
            "end it there, or wait: it samples for 15 minutes at most",
        ));
    }
    let threshold = value(&mut gate, Setting::SlowLogThreshold).await?;
    let length = value(&mut gate, Setting::SlowLogLength).await?;
    allow(&mut gate, node, &["+config|get", "+config|set", "+slowlog|get", "+slowlog|reset"]).await?;
    let longer = length.parse::<u64>().is_ok_and(|length| length < SAMPLED_LENGTH);
    let mut plan = ChangePlan { node: node.name(), run_id, changes: Vec::new() };
    let mut change = |setting, found: &str, new: String| {
        let (found, old) = (found.to_owned(), found.to_owned());
        plan.changes.push(PlannedChange { setting, found, old, new });
    };
    if longer {
        change(Setting::SlowLogLength, &length, SAMPLED_LENGTH.to_string());
    }
    if threshold != "0" {
        change(Setting::SlowLogThreshold, &threshold, "0".to_owned());
    }
    Ok(plan)
}

fn of<'k>(known: &'k [KnownChange], run_id: &str, setting: Setting) -> impl Iterator<Item = &'k KnownChange> {
    known.iter().filter(move |change| change.run_id == run_id && change.setting == setting)
}

/// Fails with the rules that the user lacks.
async fn allow(gate: &mut Gate<'_>, node: &RedisNode, rules: &[&str]) -> Result<(), SourceError> {
    let user = whoami(gate, user_of(node.target())).await;
    let missing = missing_of(gate, &user, rules).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(SourceError::new(
        ErrorCode::Permission,
        format!("user {user} may not change settings of {}: it lacks {}", node.target(), missing.join(" ")),
        format!("ACL SETUSER {user} {}", missing.join(" ")),
    ))
}
