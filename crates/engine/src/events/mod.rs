//! Keyspace events: what was missed, evicted and expired, and why it was missed.

mod own_misses;
mod subscription;
mod tombstones;

use cachescope_model::events::{KeyEventBatch, KeyEventKind};

pub(crate) use own_misses::{CountedMiss, OwnMisses};
pub(crate) use subscription::{EVENT_KINDS, Subscription};
pub(crate) use tombstones::Tombstones;

use crate::engine::Engine;
use crate::window::Count;

/// Why a lookup missed, as far as events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Expired,
    Evicted,
    Deleted,
    Unknown,
}

impl Cause {
    /// The column that counts it.
    pub(crate) fn count(self) -> Count {
        match self {
            Self::Expired => Count::MissExpired,
            Self::Evicted => Count::MissEvicted,
            Self::Deleted => Count::MissDeleted,
            Self::Unknown => Count::MissUnknown,
        }
    }
}

/// The columns that together are the misses that events showed.
pub(crate) const MISSES: [Count; 4] =
    [Count::MissExpired, Count::MissEvicted, Count::MissDeleted, Count::MissUnknown];

/// State of all subscriptions together.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub(crate) tombstones: Tombstones,
    pub(crate) own: OwnMisses,
}

impl Engine {
    /// Counts events, in the server's order.
    pub(crate) fn observe_events(&mut self, node: u32, at_ms: i64, batch: &KeyEventBatch) {
        let second = at_ms.div_euclid(1000);
        let lasting = self.server.node_mut(node).subscription.removals_last();
        let (replica, twin) = (self.server.node_mut(node).is_replica(), self.server.node_mut(node).twin);
        for (kind, database, key) in batch.iter() {
            // A replica deletes what its primary evicts, expires or deletes: only its misses are its own. What a
            // second name of a server tells has been heard by its first.
            if twin || replica && kind != KeyEventKind::Miss {
                continue;
            }
            let hash = self.hashing.key(database, key);
            match kind {
                KeyEventKind::Miss => {
                    if self.events.own.is_own(node, hash, at_ms) {
                        continue;
                    }
                    let cause = self.events.tombstones.cause(hash, second, lasting);
                    let row = self.attribute_or_discover(database, key);
                    self.rows.count(row, cause.count(), &self.frame, second);
                    self.events.own.counted(CountedMiss { node, hash, at_ms, row, cause });
                    self.server.node_mut(node).since_poll[0] += 1;
                    self.sample.announced(node, row, 1);
                    self.missed.add(at_ms, row, database, (key, hash), 1.0);
                }
                KeyEventKind::Evicted => {
                    self.events.tombstones.bury(hash, Cause::Evicted, second);
                    let row = self.attribute_or_discover(database, key);
                    self.rows.count(row, Count::Evicted, &self.frame, second);
                    self.server.node_mut(node).since_poll[1] += 1;
                }
                KeyEventKind::Expired => {
                    self.events.tombstones.bury(hash, Cause::Expired, second);
                    let row = self.attribute_or_discover(database, key);
                    self.rows.count(row, Count::Expired, &self.frame, second);
                    self.server.node_mut(node).since_poll[2] += 1;
                }
                KeyEventKind::Deleted => self.events.tombstones.bury(hash, Cause::Deleted, second),
                KeyEventKind::New => self.events.tombstones.unearth(hash),
            }
        }
        self.server.node_mut(node).subscription.heard(at_ms, batch);
    }

    /// A lookup of ours missed: its event is no traffic, whether it came already or is still to come.
    pub(crate) fn observe_own_miss(&mut self, node: u32, at_ms: i64, database: u16, key: &[u8]) {
        let hash = self.hashing.key(database, key);
        if let Some(miss) = self.events.own.own(node, hash, at_ms) {
            let second = miss.at_ms.div_euclid(1000);
            let row = self.rows.get_mut(miss.row);
            if row.tally.take(miss.cause.count(), &self.frame, second, 1) == 1 {
                self.server.node_mut(node).since_poll[0] -= 1;
                self.sample.announced(node, miss.row, -1);
                self.missed.take(miss.row, hash);
            }
        }
    }
}
