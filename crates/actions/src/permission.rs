//! Whether the user may do what a plan needs, asked before anything is done.

use std::collections::HashMap;

use cachescope_sources::redis::acting::{MayRun, may_run};
use redis::Cmd;

use crate::failure::Failure;
use crate::guards::Check;
use crate::lock::LockName;
use crate::plan::{Action, Plan};
use crate::servers::{Server, Servers};
use crate::warm::WarmWay;

/// One command that is needed, and for what.
struct Needed {
    command: Cmd,
    rule: &'static str,
    /// Only undo needs it.
    undo: bool,
    /// It can't be asked about within a transaction, and the run itself shows whether it may be used.
    shows_itself: bool,
}

/// What a plan needs and its user lacks. What can't be told counts as lacking. `samples` are names of keys that the
/// plan reaches, by server: rights may depend on names.
pub(crate) async fn check(
    plan: &Plan,
    servers: &Servers,
    samples: &HashMap<&str, Vec<u8>>,
) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    for server in &servers.primaries {
        let Some(key) = samples.get(server.name.as_str()) else { continue };
        for needed in needed(plan, server, servers.cluster, key) {
            let answer = may_run(&server.node, &needed.command).await?;
            let why = match answer {
                MayRun::Yes => continue,
                MayRun::Unknown if needed.shows_itself => continue,
                MayRun::No(reason) => format!("may not: {}", reason.replace(['\n', '\r'], " ")),
                MayRun::Unknown => "can't be asked about, so it counts as not allowed".to_owned(),
            };
            let code = if needed.undo { "undo-permission" } else { "permission" };
            let user = server.node.target().user().unwrap_or("default");
            checks.push(Check::refused(
                code,
                format!("{} on {} {why}", needed.rule, server.name),
                &format!("ACL SETUSER {user} {}", needed.rule),
            ));
        }
        if !checks.is_empty() {
            return Ok(checks);
        }
    }
    checks.push(Check::passed("permission", "The user may do all that the plan needs"));
    Ok(checks)
}

fn needed(plan: &Plan, server: &Server, cluster: bool, key: &[u8]) -> Vec<Needed> {
    let mut all = Vec::new();
    let mut need = |rule: &'static str, undo: bool, words: &[&[u8]]| {
        let mut words = words.iter();
        let Some(name) = words.next().and_then(|name| std::str::from_utf8(name).ok()) else { return };
        let mut command = redis::cmd(name);
        words.for_each(|word| {
            command.arg(*word);
        });
        all.push(Needed { command, rule, undo, shows_itself: name == "WATCH" });
    };
    for step in &plan.steps {
        if step.removes() {
            need("+unlink", false, &[b"UNLINK", key]);
            if plan.how.undo {
                need("+memory|usage", true, &[b"MEMORY", b"USAGE", key]);
                need("+dump", true, &[b"DUMP", key]);
                if server.version >= (7, 0) {
                    need("+pexpiretime", true, &[b"PEXPIRETIME", key]);
                } else {
                    need("+pttl", true, &[b"PTTL", key]);
                }
                need("+restore", true, &[b"RESTORE", key, b"1", b"", b"ABSTTL"]);
                if cluster {
                    need("+eval", true, &[b"EVAL", b"return 1", b"1", key]);
                } else {
                    need("+watch", true, &[b"WATCH", key]);
                }
            }
        }
        if step.softens().is_some() {
            need("+pexpire", false, &[b"PEXPIRE", key, b"1000", b"LT"]);
        }
        match step {
            Action::BumpVersion { key, .. } => need("+incr", false, &[b"INCR", &key.0]),
            Action::Publish { channel, message } => {
                need("+publish", false, &[b"PUBLISH", channel.as_bytes(), message.as_bytes()]);
            }
            Action::Warm { warm } if matches!(warm.way, WarmWay::Copy { .. }) => {
                need("+restore", false, &[b"RESTORE", key, b"1", b"", b"ABSTTL"]);
                need("+time", false, &[b"TIME"]);
            }
            Action::Warm { .. } | Action::Refresh { .. } => {
                need("+pttl", false, &[b"PTTL", key]);
                let claim = format!("{}x", crate::warm::claims::PREFIX);
                if !cluster {
                    need("+unlink", false, &[b"UNLINK", claim.as_bytes()]);
                    need("+pexpire", false, &[b"PEXPIRE", claim.as_bytes(), b"1000"]);
                    need("+getrange", false, &[b"GETRANGE", claim.as_bytes(), b"0", b"-1"]);
                }
            }
            _ => {}
        }
    }
    if !cluster {
        let lock = LockName::deployment();
        need("+set", false, &[b"SET", lock.key(), b"", b"NX", b"PX", b"1000"]);
        need("+getrange", false, &[b"GETRANGE", lock.key(), b"0", b"-1"]);
        need("+watch", false, &[b"WATCH", lock.key()]);
        need("+pexpire", false, &[b"PEXPIRE", lock.key(), b"1000"]);
        need("+unlink", false, &[b"UNLINK", lock.key()]);
    }
    all
}
