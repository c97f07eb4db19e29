//! Changing what was planned, if it is still as it was shown.

use redis::Value;

use super::super::command::text;
use super::super::info_reply;
use super::super::node::{Gate, RedisNode};
use super::plan::{ChangePlan, PlannedChange};
use super::setting::Setting;
use crate::error::{ErrorCode, SourceError};

/// Makes the changes of a plan. Where one is refused, those before it are undone.
///
/// # Errors
/// When the server was restarted or a value is another one than the plan says: then nothing is written. When the
/// server refuses.
pub async fn change(node: &RedisNode, plan: &ChangePlan) -> Result<(), SourceError> {
    let mut gate = node.gate().await;
    if run_id(&mut gate).await? != plan.run_id {
        return Err(changed_since(node, "it was restarted"));
    }
    for change in &plan.changes {
        let now = value(&mut gate, change.setting).await?;
        if now != change.found {
            return Err(changed_since(node, &format!("{} is {now:?} now", change.setting.name())));
        }
    }
    for (place, change) in plan.changes.iter().enumerate() {
        if let Err(error) = set(&mut gate, change.setting, &change.new).await {
            undo(&mut gate, &plan.changes[..place]).await;
            return Err(error);
        }
    }
    Ok(())
}

async fn undo(gate: &mut Gate<'_>, made: &[PlannedChange]) {
    for change in made.iter().rev() {
        if let Err(error) = set(gate, change.setting, &change.found).await {
            // It stays recorded, so it is put back with everything else that is recorded.
            tracing::warn!(setting = change.setting.name(), %error, "a change could not be undone at once");
        }
    }
}

fn changed_since(node: &RedisNode, what: &str) -> SourceError {
    SourceError::new(
        ErrorCode::Busy,
        format!("nothing was changed on {}: {what}, which is not what was shown", node.target()),
        "look at what would be changed again",
    )
}

/// The server's `run_id`, which changes with each of its starts.
///
/// # Errors
/// When it can't be asked, or doesn't tell.
pub async fn run_id_of(node: &RedisNode) -> Result<String, SourceError> {
    run_id(&mut node.gate().await).await
}

/// The same under a gate.
pub(crate) async fn run_id(gate: &mut Gate<'_>) -> Result<String, SourceError> {
    let reply = gate.ask(redis::cmd("INFO").arg("server")).await?;
    let told = info_reply::parse(&text(&reply).unwrap_or_default());
    if told.run_id.is_empty() {
        return Err(SourceError::new(
            ErrorCode::Unsupported,
            "the server does not tell its run_id, by which a restart is seen: its settings are not changed",
            "",
        ));
    }
    Ok(told.run_id)
}

/// What a setting is now.
pub(crate) async fn value(gate: &mut Gate<'_>, setting: Setting) -> Result<String, SourceError> {
    let name = setting.name();
    let reply = gate.ask(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
    let told = match &reply {
        Value::Array(pair) => pair.get(1).and_then(text),
        Value::Map(pairs) => pairs.first().and_then(|(_, value)| text(value)),
        _ => None,
    };
    told.ok_or_else(|| {
        SourceError::new(
            ErrorCode::Unsupported,
            format!("the server does not tell {name}; what can't be put back is not changed"),
            "where the service is managed, change it in the provider's console",
        )
    })
}

pub(super) async fn set(gate: &mut Gate<'_>, setting: Setting, value: &str) -> Result<(), SourceError> {
    gate.ask(redis::cmd("CONFIG").arg("SET").arg(setting.name()).arg(value)).await.map(drop)
}
