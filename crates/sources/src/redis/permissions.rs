//! Which ACL rules a user lacks.
//!
//! Probing leaves nothing behind and looks up no key: `ACL DRYRUN` (7.0) asks the server without executing;
//! where it may not be used, a command is queued in a transaction that is discarded, which the server checks
//! as if it were to run; where neither is allowed, forms without effect are run.

use std::sync::Arc;

use cachescope_model::source::SourceSpec;
use redis::{Cmd, Pipeline, Value};

use super::acting::MayRun;
use super::command::{command_name, text};
use super::connect::CLIENT_NAME;
use super::link;
use super::node::Gate;
use crate::error::{ErrorCode, SourceError};

/// A channel that the events source subscribes to.
const PROBED_CHANNEL: &str = "__keyevent@0__:keymiss";

/// Whether the server answered, and would not do it.
pub(super) fn is_refusal(error: &SourceError) -> bool {
    matches!(
        error.kind(),
        ErrorCode::Permission | ErrorCode::Unsupported | ErrorCode::Server | ErrorCode::Busy
    )
}

/// The rules of a source that this user lacks. Rules that can't be tested without effect count as given.
pub(super) async fn missing_rules(
    gate: &mut Gate<'_>,
    user: &str,
    spec: &SourceSpec,
) -> Result<Vec<String>, SourceError> {
    missing_of(gate, user, spec.acl).await
}

/// The same of any rules.
pub(super) async fn missing_of(
    gate: &mut Gate<'_>,
    user: &str,
    rules: &[&str],
) -> Result<Vec<String>, SourceError> {
    let mut missing = Vec::new();
    for rule in rules {
        let Some(command) = probe_for(rule) else { continue };
        if let Some(lacking) = lacking(gate, user, rule, &command).await?
            && !missing.contains(&lacking)
        {
            missing.push(lacking);
        }
    }
    Ok(missing)
}

/// Which rule a refusal is about: the command's own, or the pattern of keys or channels.
fn rule_behind(rule: &str, refusal: &str) -> String {
    if refusal.contains("channel") {
        "&__keyevent@*".to_owned()
    } else if refusal.contains("key") && !refusal.contains("to run") {
        "~*".to_owned()
    } else {
        rule.to_owned()
    }
}

/// A well-formed command that needs just this rule, besides those it can't do without.
fn probe_for(rule: &str) -> Option<Cmd> {
    const KEY: &str = "cachescope:probe";
    let words: &[&str] = match rule {
        "+info" => &["INFO", "server"],
        "+ping" => &["PING"],
        "+client|setname" => &["CLIENT", "SETNAME", CLIENT_NAME],
        "+client|id" => &["CLIENT", "ID"],
        "+client|info" => &["CLIENT", "INFO"],
        "+config|get" => &["CONFIG", "GET", "notify-keyspace-events"],
        "+config|set" => &["CONFIG", "SET", "cachescope-probe", "0"], // no such setting: permitted, it fails
        "+slowlog|get" => &["SLOWLOG", "GET", "0"],
        "+slowlog|reset" => &["SLOWLOG", "RESET"],
        "+subscribe" => &["SUBSCRIBE", PROBED_CHANNEL],
        "+unsubscribe" => &["UNSUBSCRIBE", PROBED_CHANNEL],
        "+latency|histogram" => &["LATENCY", "HISTOGRAM", "get"],
        "+scan" => &["SCAN", "0", "COUNT", "1"],
        "+memory|usage" => &["MEMORY", "USAGE", KEY],
        "+get" => &["GET", KEY],
        "+type" => &["TYPE", KEY],
        "+object|encoding" => &["OBJECT", "ENCODING", KEY],
        "+object|idletime" => &["OBJECT", "IDLETIME", KEY],
        "+pttl" => &["PTTL", KEY],
        "+dbsize" => &["DBSIZE"],
        "+select" => &["SELECT", "0"],
        "+monitor" => &["MONITOR"],
        "+wait" => &["WAIT", "0", "1"],
        "+reset" => &["RESET"],
        "+client|list" => &["CLIENT", "LIST", "TYPE", "master"],
        "+command" => &["COMMAND", "INFO", "get"],
        // HELLO is open to everyone; channel and key patterns show in the commands that use them.
        _ => return None,
    };
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    Some(command)
}

/// The rule that the user lacks for a command; `None` where nothing is lacking or it can't be found out without
/// effect.
async fn lacking(
    gate: &mut Gate<'_>,
    user: &str,
    rule: &str,
    command: &Cmd,
) -> Result<Option<String>, SourceError> {
    match by_dry_run(gate, user, command).await? {
        Probed::Allowed => return Ok(None),
        Probed::Refused(reason) => return Ok(Some(rule_behind(rule, &reason))),
        Probed::Unknown => {}
    }
    match by_transaction(gate, command).await? {
        Probed::Allowed => return Ok(None),
        Probed::Refused(reason) => return Ok(Some(rule_behind(rule, &reason))),
        Probed::Unknown => {}
    }
    let tried = match command_name(command).as_str() {
        // These would leave a trace.
        "GET" | "TYPE" | "OBJECT" | "PTTL" | "UNSUBSCRIBE" | "SELECT" | "RESET" | "SLOWLOG RESET" => {
            return Ok(None);
        }
        "MONITOR" => link::monitor_for_a_moment(gate).await,
        "SUBSCRIBE" => subscribe_for_a_moment(gate).await,
        _ => gate.ask(command).await.map(drop),
    };
    match tried {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorCode::Permission => {
            let pattern =
                ["~*", "&__keyevent@*"].into_iter().find(|pattern| error.remedy().ends_with(pattern));
            Ok(Some(pattern.unwrap_or(rule).to_owned()))
        }
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Subscribes on a connection of its own, which is closed at once.
async fn subscribe_for_a_moment(gate: &mut Gate<'_>) -> Result<(), SourceError> {
    let ignore = |_push: redis::PushInfo| Ok::<(), redis::aio::SendError>(());
    let mut connection = gate.connect_for_push(Arc::new(ignore)).await?;
    gate.subscribe_on(&mut connection, &[PROBED_CHANNEL.to_owned()]).await
}

/// What a probe found.
enum Probed {
    Allowed,
    Refused(String),
    Unknown,
}

/// Whether the user may run a command, without running it.
pub(super) async fn may_run(gate: &mut Gate<'_>, command: &Cmd) -> Result<MayRun, SourceError> {
    let user = super::failure::user_of(gate.node().target());
    let mut probed = by_dry_run(gate, user, command).await?;
    if matches!(probed, Probed::Unknown) {
        probed = by_transaction(gate, command).await?;
    }
    Ok(match probed {
        Probed::Allowed => MayRun::Yes,
        Probed::Refused(reason) => MayRun::No(reason),
        Probed::Unknown => MayRun::Unknown,
    })
}

async fn by_dry_run(gate: &mut Gate<'_>, user: &str, command: &Cmd) -> Result<Probed, SourceError> {
    let mut dry_run = redis::cmd("ACL");
    dry_run.arg("DRYRUN").arg(user);
    for arg in command.args_iter() {
        if let redis::Arg::Simple(arg) = arg {
            dry_run.arg(arg);
        }
    }
    match gate.ask(&dry_run).await {
        // Allowed: OK. Refused: a reply with the reason (documentation of ACL DRYRUN).
        Ok(Value::Okay) => Ok(Probed::Allowed),
        Ok(reply) => Ok(text(&reply).map_or(Probed::Unknown, Probed::Refused)),
        Err(error) if is_refusal(&error) => Ok(Probed::Unknown),
        Err(error) => Err(error),
    }
}

async fn by_transaction(gate: &mut Gate<'_>, command: &Cmd) -> Result<Probed, SourceError> {
    // Not allowed in transactions by every version, or not queued but run.
    if matches!(command_name(command).as_str(), "SUBSCRIBE" | "UNSUBSCRIBE" | "MONITOR" | "RESET") {
        return Ok(Probed::Unknown);
    }
    match gate.ask(&redis::cmd("MULTI")).await {
        Ok(_) => {}
        Err(error) if is_refusal(&error) => return Ok(Probed::Unknown),
        Err(error) => return Err(error),
    }
    let mut queued = Pipeline::new();
    queued.add_command(command.clone());
    queued.cmd("DISCARD");
    let replies = gate.ask_many(gate.database(), &queued).await?;
    match replies.as_slice() {
        [Value::ServerError(error), Value::Okay] if error.code() == "NOPERM" => {
            Ok(Probed::Refused(error.details().unwrap_or_default().to_owned()))
        }
        // A server that is full looks at rights before it refuses what needs room.
        [Value::ServerError(error), Value::Okay] if error.code() == "OOM" => Ok(Probed::Allowed),
        [Value::ServerError(_), Value::Okay] => Ok(Probed::Unknown),
        [_, Value::Okay] => Ok(Probed::Allowed),
        _ => {
            // DISCARD is not permitted: only a new connection gets out of the transaction.
            gate.disconnect();
            Ok(Probed::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::capabilities::REDIS_SOURCES;
    use super::*;

    #[test]
    fn every_command_rule_of_the_registry_can_be_probed() {
        for rule in REDIS_SOURCES.iter().flat_map(|id| id.spec().acl) {
            let probed = probe_for(rule).is_some();
            assert_eq!(probed, rule.starts_with('+') && *rule != "+hello", "{rule}");
        }
    }
}
