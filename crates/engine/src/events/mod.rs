//! Keyspace events: what was missed, evicted and expired, and why it was missed.

mod awaiting;
mod delays;
mod forgotten;
mod key_table;
mod own_misses;
mod provisional;
mod standing;
mod subscription;
mod unfilled;
mod verdict;

use cachescope_model::events::{KeyEventBatch, KeyEventKind};
use cachescope_model::key::OUR_PREFIX;

pub(crate) use awaiting::Awaiting;
pub(crate) use delays::{AFTER_EVICTION, AFTER_EXPIRY, BOUNDS_MILLIS};
pub(crate) use key_table::{KeyTable, State};
pub(crate) use own_misses::{CountedMiss, OwnMisses};
pub(crate) use provisional::Provisional;
pub(crate) use standing::{Silence, Standing};
pub(crate) use subscription::{EVENT_KINDS, Subscription};
pub(crate) use unfilled::Unfilled;
pub(crate) use verdict::Cause;

use self::awaiting::Waiting;
use self::unfilled::FirstMiss;
use self::verdict::{Doubt, Verdict};
use crate::engine::Engine;
use crate::window::Count;

/// The columns that together are the misses that events showed.
pub(crate) const MISSES: [Count; 6] = [
    Count::MissExpired,
    Count::MissEvicted,
    Count::MissDeleted,
    Count::MissFlushed,
    Count::MissCold,
    Count::MissUnknown,
];

/// State of all subscriptions together.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub(crate) keys: KeyTable,
    pub(crate) own: OwnMisses,
    pub(crate) provisional: Provisional,
    pub(crate) awaiting: Awaiting,
    pub(crate) unfilled: Unfilled,
}

impl Events {
    /// Remembers up to `capacity` keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            keys: KeyTable::new(capacity),
            own: OwnMisses::default(),
            provisional: Provisional::default(),
            awaiting: Awaiting::default(),
            unfilled: Unfilled::default(),
        }
    }
}

impl Engine {
    /// Counts events, in the server's order.
    pub(crate) fn observe_events(&mut self, node: u32, at_ms: i64, batch: &KeyEventBatch) {
        let second = at_ms.div_euclid(1000);
        let (replica, twin) = (self.server.node_mut(node).is_replica(), self.server.node_mut(node).twin);
        // What a second name of a server tells has been heard by its first.
        if twin {
            self.server.node_mut(node).subscription.heard(at_ms, batch);
            return;
        }
        self.server.node_mut(node).standing.replica = replica;
        // What a replica says of its keys repeats what its primary says, later and with less in it.
        let echoes = replica && self.server.hears_a_primary();
        // A miss right after the expiry of the same key made the server remove it.
        let mut last_expired = None;
        for (kind, database, key) in batch.iter() {
            // A replica deletes what its primary evicts, expires or deletes: only its misses are its own.
            if echoes && kind != KeyEventKind::Miss {
                continue;
            }
            let hash = self.hashing.key(database, key);
            let just_expired = last_expired.take() == Some(hash);
            match kind {
                KeyEventKind::Miss => {
                    // Locks are looked for by whoever acts, and INFO's misses are counted without those.
                    if key.starts_with(OUR_PREFIX) || self.events.own.is_own(node, hash, at_ms) {
                        continue;
                    }
                    let row = self.attribute_or_discover(database, key);
                    let cause = self.miss(node, at_ms, hash, row, just_expired);
                    self.rows.count(row, cause.count(), &self.frame, second);
                    self.count_tenant(row, key, cause.count(), at_ms);
                    self.events.own.counted(CountedMiss { node, hash, at_ms, row, cause });
                    self.server.node_mut(node).since_poll[0] += 1;
                    self.sample.announced(node, row, 1);
                    self.missed.add(at_ms, row, database, (key, hash), 1.0);
                }
                KeyEventKind::Evicted => {
                    self.removed(node, at_ms, hash, State::Evicted);
                    if replica {
                        continue;
                    }
                    let row = self.attribute_or_discover(database, key);
                    self.rows.count(row, Count::Evicted, &self.frame, second);
                    self.count_tenant(row, key, Count::Evicted, at_ms);
                    self.server.node_mut(node).since_poll[1] += 1;
                }
                KeyEventKind::Expired => {
                    self.removed(node, at_ms, hash, State::Expired);
                    last_expired = Some(hash);
                    if replica {
                        continue;
                    }
                    let row = self.attribute_or_discover(database, key);
                    self.rows.count(row, Count::Expired, &self.frame, second);
                    self.count_tenant(row, key, Count::Expired, at_ms);
                    self.server.node_mut(node).since_poll[2] += 1;
                }
                KeyEventKind::Deleted => self.removed(node, at_ms, hash, State::Deleted),
                KeyEventKind::New => self.events.keys.put(hash, State::Alive, false, node, at_ms),
            }
        }
        self.server.node_mut(node).subscription.heard(at_ms, batch);
    }

    /// Why this lookup missed; remembers that it did.
    fn miss(&mut self, node: u32, at_ms: i64, hash: u64, row: u32, just_expired: bool) -> Cause {
        let events = &mut self.events;
        let nodes = self.server.nodes();
        let here = &nodes[node as usize].standing;
        let known = events.keys.get(hash);
        let verdict = match &known {
            Some(entry) if entry.state == State::Alive && here.replica => Verdict::UNKNOWN,
            Some(entry) => {
                let there = nodes.get(entry.node as usize).map_or(here, |node| &node.standing);
                let entry_ms = events.keys.millis(entry);
                if just_expired {
                    Verdict { cause: Cause::Expired, doubt: Doubt::None }
                } else {
                    verdict::of_known(entry, entry_ms, there, at_ms, events.keys.lost_alive)
                }
            }
            None if events.keys.may_have_forgotten(hash) => Verdict::UNKNOWN,
            None => verdict::never_seen(here, at_ms, events.keys.lost_alive),
        };
        let second = at_ms.div_euclid(1000);
        let followed = here.tells_additions() && !here.replica;
        let mut delay = None;
        match known {
            Some(entry) if entry.state == State::Alive => {}
            Some(entry) => {
                let entry_ms = events.keys.millis(&entry);
                if !entry.is_missed() {
                    let state = if verdict.cause == Cause::Unknown { State::Removed } else { entry.state };
                    events.keys.put(hash, state, true, u32::from(entry.node), at_ms);
                    let gone = (at_ms - entry_ms).max(0);
                    delay = match verdict.cause {
                        Cause::Evicted => Some(AFTER_EVICTION[delays::class(gone)]),
                        Cause::Expired if just_expired => Some(Count::ExpiredOnAccess),
                        Cause::Expired => Some(AFTER_EXPIRY[delays::class(gone)]),
                        _ => None,
                    };
                    if followed {
                        events.unfilled.wait(FirstMiss { hash, at_ms, row });
                    }
                } else if followed
                    && here.tells_additions_since(entry_ms)
                    && unfilled::is_due(entry_ms, at_ms)
                {
                    self.rows.count(row, Count::MissUnfilled, &self.frame, second);
                }
            }
            None if followed => {
                let cold = verdict.cause == Cause::Cold;
                let state = if cold { State::Absent } else { State::Doubtful };
                events.keys.put(hash, state, true, node, at_ms);
                events.unfilled.wait(FirstMiss { hash, at_ms, row });
            }
            None if here.replica => events.keys.put(hash, State::Doubtful, true, node, at_ms),
            None => {}
        }
        if here.replica && verdict.cause == Cause::Unknown && events.keys.set_awaited(hash) {
            events.awaiting.wait(Waiting { hash, at_ms, row });
        }
        let settled =
            verdict.doubt == Doubt::None || events.provisional.note(row, node, second, verdict, delay);
        if !settled {
            return Cause::Unknown;
        }
        if let Some(delay) = delay {
            self.rows.count(row, delay, &self.frame, second);
        }
        verdict.cause
    }

    /// A key went.
    fn removed(&mut self, node: u32, at_ms: i64, hash: u64, mut state: State) {
        let standing = &self.server.nodes()[node as usize].standing;
        let before = self.events.keys.get(hash);
        // A replica says `del` whatever the reason was.
        let by_primary = standing.replica && state == State::Deleted;
        if by_primary {
            state = State::Removed;
        }
        if let Some(entry) = before.filter(|entry| entry.is_awaited()) {
            let hidden = state == State::Expired || by_primary;
            let since_ms = self.events.keys.millis(&entry);
            if hidden && standing.tells_additions_since(since_ms) && standing.holds(since_ms) {
                state = State::Expired;
                for miss in self.events.awaiting.take(hash, at_ms) {
                    let (row, second) = (self.rows.get_mut(miss.row), miss.at_ms.div_euclid(1000));
                    let taken = row.tally.take(Count::MissUnknown, &self.frame, second, 1);
                    row.tally.add(Count::MissExpired, &self.frame, second, taken);
                }
            }
        }
        self.events.keys.put(hash, state, false, node, at_ms);
    }

    /// An INFO reply told what went without an event.
    pub(crate) fn observe_silence(&mut self, node: u32, silence: &Silence) {
        self.events.provisional.settle(node, silence, &mut self.rows, &self.frame);
        if silence.upheaval || silence.flushed {
            self.events.awaiting.clear();
        }
    }

    /// Events are missing.
    pub(crate) fn observe_loss(&mut self, node: u32, at_ms: i64) {
        self.server.node_mut(node).subscription.lose(&self.frame, at_ms);
        self.server.node_mut(node).standing.lose(at_ms);
        self.events.awaiting.clear();
        self.events.unfilled.clear();
    }

    /// Time went on: keys that were missed and are not there yet are not going to be filled.
    pub(crate) fn follow_misses(&mut self, now_ms: i64) {
        while let Some(miss) = self.events.unfilled.due(now_ms) {
            let keys = &self.events.keys;
            let still = keys.get(miss.hash).is_some_and(|entry| {
                let since_ms = keys.millis(&entry);
                entry.is_missed() && entry.state != State::Alive && (since_ms - miss.at_ms).abs() < 20
            });
            if still {
                let second = miss.at_ms.div_euclid(1000);
                self.rows.get_mut(miss.row).tally.add(Count::MissUnfilled, &self.frame, second, 1);
            }
        }
    }

    /// A scan met a key: it was there then.
    pub(crate) fn observe_existing(&mut self, node: u32, at_ms: i64, hash: u64) {
        let keys = &mut self.events.keys;
        // A removal may have been heard before the scan's answer came, or may have been heard and forgotten.
        if self.server.nodes()[node as usize].standing.tells_timed()
            && keys.get(hash).is_none()
            && !keys.may_have_forgotten(hash)
        {
            keys.put(hash, State::Alive, false, node, at_ms);
        }
    }

    /// A lookup of ours missed: its event is no traffic, whether it came already or is still to come.
    pub(crate) fn observe_own_miss(&mut self, node: u32, at_ms: i64, database: u16, key: &[u8]) {
        let hash = self.hashing.key(database, key);
        if let Some(miss) = self.events.own.own(node, hash, at_ms) {
            let second = miss.at_ms.div_euclid(1000);
            let tally = &mut self.rows.get_mut(miss.row).tally;
            // Its cause may have been put right since.
            let causes = [miss.cause, Cause::Unknown, Cause::Expired];
            let mut take = |cause: Cause| tally.take(cause.count(), &self.frame, second, 1) == 1;
            if causes.into_iter().any(&mut take) {
                self.server.node_mut(node).since_poll[0] -= 1;
                self.sample.announced(node, miss.row, -1);
                self.missed.take(miss.row, hash);
                self.take_tenant(miss.row, key, miss.cause.count(), miss.at_ms);
            }
        }
    }
}
