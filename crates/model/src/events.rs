//! Batches of keyspace events, packed: one buffer of key bytes instead of an allocation a key.

use serde::{Deserialize, Serialize};

/// What happened to a key. Names are Redis's event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyEventKind {
    /// `keymiss`: a lookup found nothing (flag `m`, since 6.0).
    Miss,
    /// `evicted`: removed because memory was short (flag `e`).
    Evicted,
    /// `expired`: removed because its time ran out (flag `x`).
    Expired,
    /// `del`, `rename_from`, `move_from`: removed by a command, such as DEL, UNLINK, an expiry in the past, the
    /// removal of a collection's last element, RENAME or MOVE (flag `g`).
    Deleted,
    /// `new`: added (flag `n`, since 7.0).
    New,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    kind: KeyEventKind,
    database: u16,
    end: u32,
}

/// Events in the order in which one server sent them.
#[derive(Clone, Debug, Default)]
pub struct KeyEventBatch {
    keys: Vec<u8>,
    events: Vec<Packed>,
}

impl KeyEventBatch {
    /// Adds one event.
    pub fn push(&mut self, kind: KeyEventKind, database: u16, key: &[u8]) {
        self.keys.extend_from_slice(key);
        let end = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.events.push(Packed { kind, database, end });
    }

    /// Events in order: kind, database, key.
    pub fn iter(&self) -> impl Iterator<Item = (KeyEventKind, u16, &[u8])> {
        let mut start = 0usize;
        self.events.iter().map(move |event| {
            let end = (event.end as usize).min(self.keys.len());
            let key = self.keys.get(start..end).unwrap_or_default();
            start = end;
            (event.kind, event.database, key)
        })
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of key data held. A source hands a batch on before this passes its bound (at most 4 GiB).
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_in_order_with_their_bytes() {
        let mut batch = KeyEventBatch::default();
        batch.push(KeyEventKind::Expired, 0, b"a b\n\xff");
        batch.push(KeyEventKind::Miss, 3, b"");
        batch.push(KeyEventKind::Evicted, 15, b"z");
        let back: Vec<_> = batch.iter().collect();
        assert_eq!(
            back,
            [
                (KeyEventKind::Expired, 0, &b"a b\n\xff"[..]),
                (KeyEventKind::Miss, 3, &b""[..]),
                (KeyEventKind::Evicted, 15, &b"z"[..])
            ]
        );
    }
}
