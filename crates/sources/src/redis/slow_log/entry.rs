//! One entry of the reply to SLOWLOG GET.

use std::sync::Arc;

use bytes::Bytes;
use cachescope_model::sample::Execution;
use cachescope_model::time::Timestamp;
use hashbrown::HashMap;
use redis::Value;

use super::super::connect::CLIENT_NAME;
use super::keys::{FirstKey, first_key};

/// Longer arguments are cut, with words that say so behind (`SLOWLOG_ENTRY_MAX_STRING` in Redis's slowlog.h).
const LONGEST_ARGUMENT: usize = 128;
/// Names of commands that are remembered; a server has a few hundred.
const MOST_NAMES: usize = 1_024;

/// An entry: `[id, time, microseconds, [argument…], address, client name]`, the last two since 4.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Gapless; begins anew with each start of the server.
    pub(super) id: u64,
    pub(super) at: Timestamp,
    pub(super) micros: u64,
    pub(super) arguments: Vec<Bytes>,
    pub(super) client: Bytes,
}

/// Reads a reply, newest entry first as the server gives it. What can't be read is left out.
pub(super) fn parse(reply: Value) -> Vec<Entry> {
    let Value::Array(entries) = reply else { return Vec::new() };
    entries.into_iter().filter_map(parse_entry).collect()
}

fn parse_entry(value: Value) -> Option<Entry> {
    let Value::Array(fields) = value else { return None };
    let mut fields = fields.into_iter();
    let mut number = || match fields.next() {
        Some(Value::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    let (id, seconds, micros) = (number()?, number()?, number()?);
    let Some(Value::Array(arguments)) = fields.next() else { return None };
    let arguments = arguments.into_iter().filter_map(bytes).collect();
    let _address = fields.next();
    let client = fields.next().and_then(bytes).unwrap_or_default();
    let at = Timestamp::from_seconds(i64::try_from(seconds).ok()?.min(i64::MAX / 1000));
    Some(Entry { id, at, micros, arguments, client })
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        Value::SimpleString(text) => Some(text.into()),
        _ => None,
    }
}

impl Entry {
    /// Whether it is a command of a Cachescope. Reading the slow log and settings is what we do while it is
    /// sampled, also where the server keeps no client names.
    fn is_ours(&self) -> bool {
        self.client == CLIENT_NAME
            || self.arguments.first().is_some_and(|name| {
                name.eq_ignore_ascii_case(b"SLOWLOG") || name.eq_ignore_ascii_case(b"CONFIG")
            })
    }
}

/// Turns entries into executions; keeps names, so that a busy command's is held once.
#[derive(Debug, Default)]
pub(super) struct Reader {
    names: HashMap<Bytes, Arc<str>>,
    /// Keys so far that the server cut short.
    pub(super) cut: u64,
}

impl Reader {
    /// The executions of others among the entries, which come newest first; oldest first.
    pub(super) fn executions(&mut self, entries: &[Entry]) -> Vec<Execution> {
        entries
            .iter()
            .rev()
            .filter(|entry| !entry.is_ours())
            .filter_map(|entry| self.execution(entry))
            .collect()
    }

    fn execution(&mut self, entry: &Entry) -> Option<Execution> {
        let command = self.name(entry.arguments.first()?);
        let key = match first_key(&command, &entry.arguments[1..]) {
            FirstKey::Argument(key) if key.len() > LONGEST_ARGUMENT => {
                self.cut += 1;
                None
            }
            FirstKey::Argument(key) => Some(key.clone()),
            FirstKey::None => None,
        };
        Some(Execution { command, key, micros: entry.micros, at: entry.at })
    }

    fn name(&mut self, raw: &Bytes) -> Arc<str> {
        if let Some(known) = self.names.get(raw) {
            return Arc::clone(known);
        }
        let name: Arc<str> = String::from_utf8_lossy(raw).to_ascii_lowercase().into();
        if self.names.len() < MOST_NAMES {
            self.names.insert(raw.clone(), Arc::clone(&name));
        }
        name
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn word(word: &[u8]) -> Value {
        Value::BulkString(word.to_vec())
    }

    pub(in super::super) fn entry(id: u64, words: &[&str], client: &str) -> Entry {
        Entry {
            id,
            at: Timestamp::from_seconds(7),
            micros: 5,
            arguments: words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect(),
            client: Bytes::copy_from_slice(client.as_bytes()),
        }
    }

    #[test]
    fn entries_are_read_with_and_without_the_fields_of_4_0_and_odd_ones_are_left_out() {
        let arguments = || Value::Array(vec![word(b"GET"), word(b"a b\n\xff")]);
        let old = Value::Array(vec![Value::Int(1), Value::Int(7), Value::Int(5), arguments()]);
        let new = Value::Array(vec![
            Value::Int(2),
            Value::Int(7),
            Value::Int(6),
            arguments(),
            word(b"127.0.0.1:1"),
            word(b"app"),
        ]);
        let odd = Value::Array(vec![Value::Int(-1), Value::Int(7), Value::Int(6), arguments()]);
        let read = parse(Value::Array(vec![new, odd, Value::Nil, old]));
        assert_eq!(read.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(read[0].client, "app");
        assert_eq!(read[1].arguments[1], &b"a b\n\xff"[..]);
        assert!(parse(Value::Nil).is_empty());
    }

    #[test]
    fn our_own_commands_are_left_out_and_cut_keys_are_not_guessed() {
        let long = format!("{}... (3 more bytes)", "k".repeat(128));
        let exact = "k".repeat(128);
        let mut reader = Reader::default();
        let executions = reader.executions(&[
            entry(1, &["GET", "ours"], "cachescope"),
            entry(2, &["slowlog", "get", "10"], ""),
            entry(3, &["GET", &long], "app"),
            entry(4, &["GET", &exact], "app"),
            entry(5, &["PING"], ""),
        ]);
        let keys: Vec<_> =
            executions.iter().map(|execution| execution.key.as_ref().map(Bytes::len)).collect();
        assert_eq!(keys, [None, Some(128), None], "oldest first");
        assert_eq!(reader.cut, 1);
    }
}
