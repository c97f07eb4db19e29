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

/// The name of a command as we spell it: in capitals, but for the last letter. Servers take names in any case and
/// MONITOR repeats them as they were sent, so that is how a command of ours is told from those of others, on any
/// connection and whatever stands between here and the server.
pub(crate) fn spelled(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_ascii_uppercase();
    if let Some(last) = name.last_mut() {
        last.make_ascii_lowercase();
    }
    name
}

/// Whether a command's name is spelled as ours are.
pub(crate) fn is_spelled(name: &[u8]) -> bool {
    let Some((last, rest)) = name.split_last() else { return false };
    last.is_ascii_lowercase()
        && rest.iter().any(u8::is_ascii_uppercase)
        && !rest.iter().any(u8::is_ascii_lowercase)
}

/// Whether a command can be sent as it is.
pub(crate) fn is_ours(command: &Cmd) -> bool {
    matches!(command.args_iter().next(), Some(redis::Arg::Simple(name)) if is_spelled(name))
}

/// Names of commands that are sent by the thousand, spelled as ours are: a pipeline of nothing but such is sent as it
/// is, where any other is copied first.
pub mod spelled {
    /// `DUMP`.
    pub const DUMP: &str = "DUMp";
    /// `EVAL`.
    pub const EVAL: &str = "EVAl";
    /// `EXEC`.
    pub const EXEC: &str = "EXEc";
    /// `MEMORY`.
    pub const MEMORY: &str = "MEMORy";
    /// `MULTI`.
    pub const MULTI: &str = "MULTi";
    /// `PEXPIRETIME`.
    pub const PEXPIRETIME: &str = "PEXPIRETIMe";
    /// `PTTL`.
    pub const PTTL: &str = "PTTl";
    /// `RESTORE`.
    pub const RESTORE: &str = "RESTORe";
    /// `SCAN`.
    pub const SCAN: &str = "SCAn";
    /// `TIME`.
    pub const TIME: &str = "TIMe";
    /// `UNLINK`.
    pub const UNLINK: &str = "UNLINk";
    /// `UNWATCH`.
    pub const UNWATCH: &str = "UNWATCh";
    /// `WATCH`.
    pub const WATCH: &str = "WATCh";
}

/// The same command with its name spelled as ours are.
pub(crate) fn as_ours(command: &Cmd) -> Cmd {
    let mut ours = Cmd::new();
    for (place, argument) in command.args_iter().enumerate() {
        match argument {
            redis::Arg::Simple(name) if place == 0 => ours.arg(spelled(name)),
            redis::Arg::Simple(argument) => ours.arg(argument),
            // Nothing here iterates with the crate's own cursor.
            _ => ours.cursor_arg(0),
        };
    }
    ours
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_ours_are_spelled_as_nobody_spells_them() {
        let ours = as_ours(redis::cmd("config").arg("GET").arg("a key"));
        assert_eq!(ours.get_packed_command(), b"*3\r\n$6\r\nCONFIg\r\n$3\r\nGET\r\n$5\r\na key\r\n");
        assert!(is_spelled(b"CONFIg") && is_spelled(b"SORT_Ro"));
        for name in [spelled::DUMP, spelled::EXEC, spelled::PEXPIRETIME, spelled::TIME, spelled::UNLINK] {
            assert!(is_spelled(name.as_bytes()), "{name}");
        }
        for other in ["CONFIG", "config", "Config", "cONFIG", "g", "", "SORT_"] {
            assert!(!is_spelled(other.as_bytes()), "{other}");
        }
    }
}
