//! What is common to the replies that tell of other servers.

use redis::Value;

use super::super::command::text;

/// A server as another one tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Host name or address; `None` means the host that was asked.
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

/// Fields of a reply: a map in RESP3, a flat list in RESP2.
pub(super) fn fields(reply: &Value) -> Vec<(String, &Value)> {
    match reply {
        Value::Map(pairs) => pairs.iter().filter_map(|(name, value)| Some((text(name)?, value))).collect(),
        Value::Array(flat) => {
            flat.chunks_exact(2).filter_map(|pair| Some((text(&pair[0])?, &pair[1]))).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn list(reply: &Value) -> &[Value] {
    match reply {
        Value::Array(all) | Value::Set(all) => all,
        _ => &[],
    }
}

pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        other => text(other)?.trim().parse().ok(),
    }
}

pub(super) fn port(value: &Value) -> Option<u16> {
    number(value).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

/// A host as servers announce it: nothing, an empty one and `?` stand for one that is not known.
pub(super) fn host(value: &Value) -> Option<String> {
    text(value).filter(|host| !host.is_empty() && host != "?")
}
