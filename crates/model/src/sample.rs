//! What sampling a server's commands reports: which keys were looked up in a short, bounded time, how long single
//! commands ran, and how long our own took. Packed as event batches are: one buffer of key bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::observation::NodeName;
use crate::time::Timestamp;

/// What a sampled command did with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// A lookup as `keyspace_hits` and `keyspace_misses` count it; whether it hit is not told.
    Lookup,
    /// A `keymiss` event that came within the burst: one of the burst's lookups missed.
    Miss,
    /// Any other use: a write, or a lookup that the server does not count.
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    used: KeyUse,
    database: u16,
    command: u16,
    end: u32,
}

/// The keys of one burst, in the server's order.
#[derive(Clone, Debug, Default)]
pub struct SampledKeys {
    keys: Vec<u8>,
    uses: Vec<Packed>,
}

/// One use of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampledKey<'b> {
    /// What was done with it.
    pub used: KeyUse,
    /// The logical database.
    pub database: u16,
    /// Place of the command's name in [`CommandBurst::names`]; of no meaning for [`KeyUse::Miss`].
    pub command: u16,
    /// The key.
    pub key: &'b [u8],
}

impl SampledKeys {
    /// Adds one use.
    pub fn push(&mut self, used: KeyUse, database: u16, command: u16, key: &[u8]) {
        self.keys.extend_from_slice(key);
        let end = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.uses.push(Packed { used, database, command, end });
    }

    /// Uses in order.
    pub fn iter(&self) -> impl Iterator<Item = SampledKey<'_>> {
        let mut start = 0usize;
        self.uses.iter().map(move |packed| {
            let end = (packed.end as usize).min(self.keys.len());
            let key = self.keys.get(start..end).unwrap_or_default();
            start = end;
            SampledKey { used: packed.used, database: packed.database, command: packed.command, key }
        })
    }

    /// Number of uses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.uses.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// Bytes of key data held. A source ends a burst before this passes its bound (at most 4 GiB).
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        self.keys.len()
    }
}

/// Every command that a server executed for others within a short time.
#[derive(Clone, Debug, Default)]
pub struct CommandBurst {
    /// How long it lasted by the server's clock, in microseconds.
    pub length_micros: u64,
    /// Commands of others that were seen.
    pub commands: u64,
    /// Commands among them whose keys can't be told (a module's, a line that can't be read): where there are
    /// many, shares are not to be trusted.
    pub unread: u64,
    /// Whether `keymiss` events were received within the burst, so that hits and misses can be told apart.
    pub misses_told: bool,
    /// Names of the commands, in lower case, in the order of their first use.
    pub names: Vec<Arc<str>>,
    /// The keys they used.
    pub keys: SampledKeys,
}

/// One command's execution time, from the slow log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The command's name in lower case.
    pub command: Arc<str>,
    /// Its first key; `None` where it has none, none can be told, or the server cut it short (beyond 128 bytes):
    /// half a key may belong to another namespace than the whole one.
    pub key: Option<Bytes>,
    /// Microseconds inside the server, without queue and network.
    pub micros: u64,
    /// When the server ran it, by the server's clock, to the second.
    pub at: Timestamp,
}

/// Executions as a slow log showed them: with a threshold of 0 a fair sample of all commands, otherwise the slow
/// ones only, which say nothing about the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionBatch {
    /// Those that were read.
    pub executions: Vec<Execution>,
    /// Commands that were logged meanwhile and overwritten before they could be read: entries have gapless
    /// numbers.
    pub missed: u64,
    /// Only commands that ran at least this many microseconds are in it; 0 where they were taken regardless.
    pub threshold_micros: u64,
}

/// Cumulative counts of one command's execution times, as `LATENCY HISTOGRAM` has them (since 7.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLatency {
    /// The command's name in lower case.
    pub command: Arc<str>,
    /// Calls since the server's start or the last CONFIG RESETSTAT.
    pub calls: u64,
    /// Calls of ours since the session's connection to this server was made: its deltas are part of those of
    /// `calls`.
    pub own: u64,
    /// Upper bounds in microseconds, ascending, each with the calls up to it.
    pub buckets: Vec<(u64, u64)>,
}

/// A key that may be probed, because it was seen to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeCandidate {
    /// The server that showed it.
    pub node: NodeName,
    /// The logical database.
    pub database: u16,
    /// The key.
    pub key: Bytes,
}

/// A round trip of our own on a key.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbedKey {
    /// The logical database.
    pub database: u16,
    /// The key.
    pub key: Bytes,
    /// Seconds from sending to the whole answer.
    pub seconds: f64,
    /// Whether the key was there; the seconds of one that was not are of no meaning.
    pub hit: bool,
    /// Whether the value came with the answer (GET), or only word that it is there (TYPE).
    pub with_value: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_come_back_in_order_with_their_bytes() {
        let mut keys = SampledKeys::default();
        keys.push(KeyUse::Lookup, 0, 1, b"a b\n\xff");
        keys.push(KeyUse::Miss, 3, 0, b"");
        keys.push(KeyUse::Other, 15, 2, b"z");
        let back: Vec<_> = keys.iter().map(|key| (key.used, key.database, key.command, key.key)).collect();
        assert_eq!(
            back,
            [
                (KeyUse::Lookup, 0, 1, &b"a b\n\xff"[..]),
                (KeyUse::Miss, 3, 0, &b""[..]),
                (KeyUse::Other, 15, 2, &b"z"[..])
            ]
        );
    }
}
