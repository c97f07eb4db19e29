//! HELLO: what a server says of itself when a connection is made.

use redis::Value;

use super::command::text;

/// What a server says of itself when a connection is made (the reply to HELLO).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// `redis`, `valkey`, …, in the server's own word; empty where it knows no HELLO.
    pub server: String,
    /// Its version; empty where it knows no HELLO.
    pub version: String,
    /// `standalone`, `sentinel` or `cluster`; empty where it knows no HELLO.
    pub mode: String,
    /// `master` or `replica`; empty where it knows no HELLO.
    pub role: String,
}

impl ServerHello {
    /// Major version, where it is known.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

/// The connection's number at the server, from HELLO's reply.
pub(super) fn client_id(reply: &Value) -> Option<i64> {
    let number = |(name, value): (&Value, &Value)| match (text(name)?.as_str(), value) {
        ("id", Value::Int(id)) => Some(*id),
        _ => None,
    };
    match reply {
        Value::Map(pairs) => pairs.iter().find_map(|(name, value)| number((name, value))),
        Value::Array(flat) => flat.chunks_exact(2).find_map(|pair| number((&pair[0], &pair[1]))),
        _ => None,
    }
}

/// Reads HELLO's reply, a map in RESP3 and a flat list in RESP2; unknown fields are skipped.
pub(super) fn parse_hello(reply: &Value) -> ServerHello {
    let mut hello = ServerHello::default();
    let mut take = |name: &Value, value: &Value| {
        let (Some(name), Some(value)) = (text(name), text(value)) else { return };
        match name.as_str() {
            "server" => hello.server = value,
            "version" => hello.version = value,
            "mode" => hello.mode = value,
            "role" => hello.role = value,
            _ => {}
        }
    };
    match reply {
        Value::Map(pairs) => pairs.iter().for_each(|(name, value)| take(name, value)),
        Value::Array(flat) => flat.chunks_exact(2).for_each(|pair| take(&pair[0], &pair[1])),
        _ => {}
    }
    hello
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_say_the_same_and_the_unknown_is_skipped() {
        let word = |word: &str| Value::BulkString(word.as_bytes().to_vec());
        let fields = [
            ("server", word("valkey")),
            ("version", word("8.1.0")),
            ("proto", Value::Int(3)),
            ("mode", word("cluster")),
            ("role", word("replica")),
            ("modules", Value::Array(Vec::new())),
        ];
        let flat = fields.iter().flat_map(|(name, value)| [word(name), value.clone()]).collect();
        let map = fields.iter().map(|(name, value)| (word(name), value.clone())).collect();
        let hello = parse_hello(&Value::Array(flat));
        assert_eq!(hello, parse_hello(&Value::Map(map)));
        assert_eq!(
            (hello.server.as_str(), hello.mode.as_str(), hello.major()),
            ("valkey", "cluster", Some(8))
        );
        assert_eq!(parse_hello(&Value::Nil), ServerHello::default());
    }
}
