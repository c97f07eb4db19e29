//! What the service knows about each key, and why it is absent when it is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Span;

/// Redis counts milliseconds by a cached clock: a key may go this much before the service's clock says so.
const CLOCK_SLACK: Duration = Duration::from_millis(2);

/// Why a key is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It never was.
    #[default]
    Cold,
    /// Its time ran out.
    Expired,
    /// Redis needed the memory.
    Evicted,
    /// It was deleted.
    Deleted,
    /// Its database was emptied.
    Flushed,
    /// It should be there.
    Unexplained,
}

#[derive(Clone, Copy, Debug)]
struct KeyState {
    /// When the last store or hit showed it present; `None` when it is known to be absent.
    present: Option<Presence>,
    /// Why it is, or was before it came, absent.
    absence: Absence,
    /// The last removal by Redis itself, and when its event was read.
    removed: Option<(Absence, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Presence {
    /// When the store was answered: a lookup sent before that may have come before it.
    known_at: Instant,
    /// The earliest time at which it can be gone by its time to live.
    due: Option<Instant>,
}

/// A key nothing is known about.
const UNKNOWN: KeyState = KeyState { present: None, absence: Absence::Cold, removed: None };

/// One entry for every key the service ever touched: the lab's keyspaces are small.
#[derive(Debug, Default)]
pub(crate) struct KeyStates {
    keys: HashMap<Box<str>, KeyState>,
}

impl KeyStates {
    pub(super) fn stored(&mut self, key: &str, ttl: Option<Duration>, span: Span) {
        let due = ttl.map(|ttl| span.sent + ttl - ttl.min(CLOCK_SLACK));
        let mut absence = self.keys.get(key).map_or(Absence::Cold, |state| state.absence);
        if let Some(KeyState { present: Some(before), .. }) = self.keys.get(key)
            && before.due.is_some_and(|due| due <= span.sent)
        {
            absence = Absence::Expired;
        }
        let removed = self.keys.get(key).and_then(|state| state.removed);
        let mut present = Some(Presence { known_at: span.answered, due });
        // Under pressure a key can be evicted again before the answer to its store is read here.
        if let Some((cause, at)) = removed
            && at > span.sent
        {
            (present, absence) = (None, cause);
        }
        self.keys.insert(key.into(), KeyState { present, absence, removed });
    }

    pub(super) fn expires_in(&mut self, key: &str, ttl: Duration, span: Span) {
        if let Some(KeyState { present: Some(presence), .. }) = self.keys.get_mut(key) {
            presence.due = Some(span.sent + ttl - ttl.min(CLOCK_SLACK));
        }
    }

    /// A hit proves presence: it corrects a deletion and a store whose answers were read in the other order.
    pub(super) fn hit(&mut self, key: &str, span: Span) {
        let presence = Presence { known_at: span.sent, due: None };
        let fresh = KeyState { present: Some(presence), absence: Absence::Cold, removed: None };
        let state = self.keys.entry(key.into()).or_insert(fresh);
        state.present.get_or_insert(presence);
    }

    /// Why a lookup missed; remembers that the key is absent.
    pub(super) fn miss(&mut self, key: &str, span: Span) -> Absence {
        let state = self.keys.entry(key.into()).or_insert(UNKNOWN);
        let Some(presence) = state.present else { return state.absence };
        if span.sent <= presence.known_at {
            return state.absence;
        }
        let due = presence.due.is_some_and(|due| due <= span.answered);
        state.absence = if due { Absence::Expired } else { Absence::Unexplained };
        state.present = None;
        state.absence
    }

    pub(super) fn deleted(&mut self, key: &str) {
        if let Some(state) = self.keys.get_mut(key)
            && state.present.take().is_some()
        {
            state.absence = Absence::Deleted;
        }
    }

    /// Redis removed it. Of a key that is absent already, the first cause stands.
    pub(super) fn removed(&mut self, key: &str, absence: Absence) {
        let state = self.keys.entry(key.into()).or_insert(UNKNOWN);
        state.removed = Some((absence, Instant::now()));
        if state.present.take().is_some() {
            state.absence = absence;
        }
    }

    /// The cause of an absence that was unexplained so far.
    pub(super) fn explained(&mut self, key: &str, absence: Absence) {
        if let Some(state) = self.keys.get_mut(key)
            && state.absence == Absence::Unexplained
        {
            state.absence = absence;
        }
    }

    pub(super) fn flushed(&mut self) {
        for state in self.keys.values_mut() {
            if state.present.take().is_some() {
                state.absence = Absence::Flushed;
            }
        }
    }
}
