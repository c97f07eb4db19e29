//! Putting back what still is ours.

use std::fmt;

use redis::Pipeline;

use super::super::node::{Gate, RedisNode};
use super::change::{run_id, set, value};
use super::flags::{self, Flags};
use super::plan::KnownChange;
use super::setting::{Setting, config_set};
use crate::error::{ErrorCode, SourceError};

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It was put back just now, by this command.
    Done(String),
    /// The server has the operator's value already.
    AsBefore,
    /// The server has a value that is neither ours nor the old one: somebody changed it since. It stays.
    ChangedSince(String),
    /// Another Cachescope needs it; that one puts it back.
    Needed,
}

impl fmt::Display for PutBack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(command) => write!(formatter, "put back: {command}"),
            Self::AsBefore => formatter.write_str("as before already"),
            Self::ChangedSince(now) => {
                write!(formatter, "left alone, because somebody has set it to {now:?} since")
            }
            Self::Needed => {
                formatter.write_str("left to another Cachescope, which needs it and puts it back")
            }
        }
    }
}

/// Puts one change back, if the server still has our value. `others` are further changes of ours that are to
/// stay in force.
///
/// After a restart of the server a change is gone, unless CONFIG REWRITE wrote it to the server's file or
/// somebody set the same: it is put back only where the value is exactly ours. Putting the threshold of the slow
/// log back also empties it: what it holds then are the commands of the sample, and the operator's entries were
/// pushed out by them.
///
/// # Errors
/// When the server can't be asked or refuses.
pub async fn put_back(
    node: &RedisNode,
    change: &KnownChange,
    others: &[KnownChange],
) -> Result<PutBack, SourceError> {
    let mut gate = node.gate().await;
    let same_start = run_id(&mut gate).await? == change.run_id;
    let now = value(&mut gate, change.setting).await?;
    let others =
        others.iter().filter(|other| other.setting == change.setting && other.run_id == change.run_id);
    match change.setting {
        Setting::Events => {
            let needed: String = others.map(|other| flags::added(&other.old, &other.new)).collect();
            flags_back(&mut gate, change, &now, &needed, same_start).await
        }
        _ if now == change.old => Ok(PutBack::AsBefore),
        _ if now != change.new => Ok(PutBack::ChangedSince(now)),
        _ if others.count() > 0 => Ok(PutBack::Needed),
        Setting::SlowLogThreshold => {
            let commands = slow_log_commands(&change.old);
            for reply in gate.ask_many(0, &commands).await? {
                if let redis::Value::ServerError(error) = reply {
                    return Err(gate.refusal("CONFIG SET", &error));
                }
            }
            Ok(PutBack::Done(config_set(change.setting, &change.old)))
        }
        Setting::SlowLogLength => done(&mut gate, change.setting, &change.old).await,
    }
}

/// The commands that end the logging of every command: the threshold first, so that nothing of ours is logged
/// after the log is emptied.
pub(crate) fn slow_log_commands(threshold: &str) -> Pipeline {
    let mut commands = Pipeline::new();
    commands.cmd("CONFIG").arg("SET").arg(Setting::SlowLogThreshold.name()).arg(threshold);
    commands.cmd("SLOWLOG").arg("RESET");
    commands
}

async fn flags_back(
    gate: &mut Gate<'_>,
    change: &KnownChange,
    now: &str,
    needed: &str,
    same_start: bool,
) -> Result<PutBack, SourceError> {
    let found = flags::without(now, &change.old, &change.new, needed);
    let as_we_left_it = matches!(&found, Flags::Set(value) if *value == change.old);
    match found {
        Flags::Gone => Ok(PutBack::AsBefore),
        Flags::Theirs => Ok(PutBack::ChangedSince(now.to_owned())),
        Flags::Needed => Ok(PutBack::Needed),
        Flags::Set(_) if !same_start && !as_we_left_it => Ok(PutBack::ChangedSince(now.to_owned())),
        Flags::Set(value) => match done(gate, change.setting, &value).await {
            // Before 7.0 the alias A has no d, so that writing it out may name a flag that the server lacks.
            Err(error) if error.kind() == ErrorCode::Server && now.contains('A') && value.contains('d') => {
                done(gate, change.setting, &value.replace('d', "")).await
            }
            result => result,
        },
    }
}

async fn done(gate: &mut Gate<'_>, setting: Setting, value: &str) -> Result<PutBack, SourceError> {
    set(gate, setting, value).await?;
    Ok(PutBack::Done(config_set(setting, value)))
}
