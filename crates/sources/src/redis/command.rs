//! Commands as they are sent and replies as they are read, for every source alike.

use redis::{Cmd, Pipeline, Value};

/// What is sent in one go.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    One(&'a Cmd),
    Many(&'a Pipeline),
}

impl Asked<'_> {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Many(pipeline) => pipeline.len() as u64,
        }
    }

    /// The command's name for sentences; of a pipeline, its first command's.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::One(command) => command_name(command),
            Self::Many(pipeline) => pipeline.cmd_iter().next().map(command_name).unwrap_or_default(),
        }
    }
}

/// `INFO`, `CONFIG GET`: the subcommand belongs to the name where the command is a container.
pub(crate) fn command_name(command: &Cmd) -> String {
    let mut words = command.args_iter().filter_map(|arg| match arg {
        redis::Arg::Simple(word) => Some(String::from_utf8_lossy(word).to_uppercase()),
        _ => None,
    });
    let first = words.next().unwrap_or_default();
    match (first.as_str(), words.next()) {
        (
            "ACL" | "CLIENT" | "CLUSTER" | "CONFIG" | "LATENCY" | "MEMORY" | "SENTINEL" | "SLOWLOG",
            Some(second),
        ) => {
            format!("{first} {second}")
        }
        _ => first,
    }
}

/// A reply as text, where it is one.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Okay => Some("OK".to_owned()),
        _ => None,
    }
}
