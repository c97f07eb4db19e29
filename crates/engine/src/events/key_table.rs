//! What the last word about each key was: a bounded table from a key's hash to what is known of it.

use super::forgotten::Forgotten;

/// The unit of [`Entry::at`], in milliseconds.
const TICK_MILLIS: i64 = 10;
/// Slots of a table that has just begun.
const FIRST_SLOTS: usize = 1_024;
/// How many entries are compared when one has to give way.
const COMPARED: usize = 8;

/// The last word about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// No entry.
    Empty,
    /// It was added, or a scan met it.
    Alive,
    /// A lookup missed it, and it had not been there before.
    Absent,
    /// A lookup missed it, and nobody can tell whether it had been there before.
    Doubtful,
    /// It expired.
    Expired,
    /// It was evicted.
    Evicted,
    /// A command removed it.
    Deleted,
    /// It went, and nobody can tell why.
    Removed,
}

impl State {
    /// Whether losing this entry would lose a removal. What is weak gives way first.
    fn is_strong(self) -> bool {
        !matches!(self, Self::Empty | Self::Alive | Self::Absent | Self::Doubtful)
    }
}

/// A key that was heard of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    at: u32,
    /// The node that said so.
    pub(crate) node: u16,
    pub(crate) state: State,
    marks: u8,
}

const MISSED: u8 = 1;
const AWAITED: u8 = 2;

impl Entry {
    /// Whether a lookup missed it since; its time is then that of the first such miss.
    pub(crate) fn is_missed(&self) -> bool {
        self.marks & MISSED != 0
    }

    /// Whether a replica's miss waits for the reason ([`super::awaiting`]).
    pub(crate) fn is_awaited(&self) -> bool {
        self.marks & AWAITED != 0
    }
}

const EMPTY: Entry = Entry { hash: 0, at: 0, node: 0, state: State::Empty, marks: 0 };

/// An open-addressing table (linear probing, at most three quarters full), 16 bytes a slot, which grows up to
/// its capacity. Up to that many keys nothing is dropped; beyond, an old entry gives way, and a removal that is
/// dropped is noted, so that its key is never taken for one that was never heard of.
///
/// Keys are told apart by 64 bits of a seeded hash: with n keys remembered, a lookup of another key meets one
/// of them by chance with a probability of n ÷ 2⁶⁴ (below 10⁻¹³ at the default capacity).
#[derive(Clone, Debug)]
pub(crate) struct KeyTable {
    capacity: usize,
    slots: Vec<Entry>,
    len: usize,
    hand: usize,
    /// The moment of tick zero, in milliseconds.
    base_ms: Option<i64>,
    forgotten: Forgotten,
    /// Removals dropped since the beginning.
    pub(crate) dropped: u64,
    /// Whether a key that exists, or existed, found no place.
    pub(crate) lost_alive: bool,
}

impl KeyTable {
    /// For `capacity` keys of about 24 bytes each, filter included; allocated as they come.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            slots: Vec::new(),
            len: 0,
            hand: 0,
            base_ms: None,
            forgotten: Forgotten::new(capacity),
            dropped: 0,
            lost_alive: false,
        }
    }

    /// How many keys have a place.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many keys are remembered.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Entry>() + self.forgotten.bytes()
    }

    /// When this entry was made, in milliseconds, never later than it was.
    pub(crate) fn millis(&self, entry: &Entry) -> i64 {
        self.base_ms.unwrap_or(0) + i64::from(entry.at) * TICK_MILLIS
    }

    fn tick(&mut self, at_ms: i64) -> u32 {
        let base = *self.base_ms.get_or_insert(at_ms);
        // After 497 days entries look older than they are: then nothing is concluded from them.
        u32::try_from((at_ms - base).max(0) / TICK_MILLIS).unwrap_or(u32::MAX)
    }

    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 == self.slots.len() { 0 } else { place + 1 }
    }

    fn find(&self, hash: u64) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut place = self.home(hash);
        loop {
            let entry = &self.slots[place];
            if entry.state == State::Empty {
                return None;
            }
            if entry.hash == hash {
                return Some(place);
            }
            place = self.next(place);
        }
    }

    /// What is known of a key.
    pub(crate) fn get(&self, hash: u64) -> Option<Entry> {
        self.find(hash).map(|place| self.slots[place])
    }

    /// Whether a removal of this key may have been dropped: surely so if it was, by chance otherwise.
    pub(crate) fn may_have_forgotten(&self, hash: u64) -> bool {
        self.forgotten.contains(hash)
    }

    /// The last word about a key. Without room, one that merely says that a key exists is not kept in place
    /// of a removal.
    pub(crate) fn put(&mut self, hash: u64, state: State, missed: bool, node: u32, at_ms: i64) {
        let at = self.tick(at_ms);
        let entry = Entry { hash, at, node: node as u16, state, marks: if missed { MISSED } else { 0 } };
        if let Some(place) = self.find(hash) {
            self.slots[place] = entry;
            return;
        }
        if self.len >= self.capacity && !self.make_room(state.is_strong()) {
            self.lost_alive = true;
            return;
        }
        self.grow();
        let mut place = self.home(hash);
        while self.slots[place].state != State::Empty {
            place = self.next(place);
        }
        self.slots[place] = entry;
        self.len += 1;
    }

    /// A replica's miss of this key waits for its reason.
    pub(crate) fn set_awaited(&mut self, hash: u64) -> bool {
        let Some(place) = self.find(hash) else { return false };
        self.slots[place].marks |= AWAITED;
        true
    }

    fn grow(&mut self) {
        if (self.len + 1) * 4 <= self.slots.len() * 3 {
            return;
        }
        let most = self.capacity + self.capacity / 3 + 2;
        let slots = (self.slots.len() * 2).max(FIRST_SLOTS).min(most.max(FIRST_SLOTS));
        if slots == self.slots.len() {
            return;
        }
        let before = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for entry in before.into_iter().filter(|entry| entry.state != State::Empty) {
            let mut place = self.home(entry.hash);
            while self.slots[place].state != State::Empty {
                place = self.next(place);
            }
            self.slots[place] = entry;
        }
        self.hand = 0;
    }

    /// Drops one of a few neighbours: a weak one if there is one, otherwise the oldest.
    fn make_room(&mut self, for_strong: bool) -> bool {
        let (mut seen, mut chosen): (usize, Option<usize>) = (0, None);
        let mut place = self.hand % self.slots.len();
        while seen < COMPARED.min(self.len) {
            let entry = &self.slots[place];
            if entry.state != State::Empty {
                seen += 1;
                let rank = |place: usize| (self.slots[place].state.is_strong(), self.slots[place].at);
                if chosen.is_none_or(|chosen| rank(place) < rank(chosen)) {
                    chosen = Some(place);
                }
            }
            place = self.next(place);
        }
        self.hand = place;
        let Some(chosen) = chosen else { return false };
        let gone = self.slots[chosen];
        if gone.state.is_strong() {
            if !for_strong {
                return false;
            }
            self.forgotten.insert(gone.hash);
            self.dropped += 1;
        } else {
            self.lost_alive = true;
        }
        self.remove(chosen);
        true
    }

    /// Empties a slot and moves what had to pass it closer to home.
    fn remove(&mut self, place: usize) {
        let mut hole = place;
        let mut next = self.next(place);
        while self.slots[next].state != State::Empty {
            let home = self.home(self.slots[next].hash);
            // Whether its home lies in (hole, next], wrapped around: then it may not move before it.
            let stays = if hole <= next { hole < home && home <= next } else { hole < home || home <= next };
            if !stays {
                self.slots[hole] = self.slots[next];
                hole = next;
            }
            next = self.next(next);
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn spread(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    #[test]
    fn up_to_its_capacity_nothing_is_dropped_and_beyond_it_nothing_is_confused() {
        let mut table = KeyTable::new(1_000);
        let state = |number: u64| if number.is_multiple_of(2) { State::Expired } else { State::Evicted };
        for number in 1..=1_000 {
            table.put(spread(number), state(number), false, 0, number as i64);
        }
        assert!((1..=1_000).all(|number| table.get(spread(number)).is_some()));
        assert_eq!((table.len(), table.dropped), (1_000, 0));
        for number in 1_001..=3_000 {
            table.put(spread(number), state(number), false, 0, 10 * number as i64);
        }
        assert_eq!((table.len(), table.dropped), (1_000, 2_000));
        let mut known = 0;
        for number in 1..=3_000 {
            match table.get(spread(number)) {
                Some(entry) => {
                    known += 1;
                    assert_eq!(entry.state, state(number));
                }
                None => assert!(table.may_have_forgotten(spread(number)), "a dropped removal is noted"),
            }
        }
        assert_eq!(known, 1_000);
        let strangers = (10_000..20_000).filter(|number| table.may_have_forgotten(spread(*number))).count();
        assert!(strangers < 1_000, "{strangers} of 10,000 keys that were never heard of are in doubt");
    }

    #[test]
    fn a_key_that_exists_never_takes_the_place_of_a_removal() {
        let mut table = KeyTable::new(100);
        for number in 0..100 {
            table.put(spread(number), State::Evicted, false, 0, 0);
        }
        table.put(spread(500), State::Alive, false, 0, 1);
        assert!(table.get(spread(500)).is_none() && table.lost_alive && table.dropped == 0);
        // The other way round it does.
        let mut table = KeyTable::new(100);
        for number in 0..100 {
            table.put(spread(number), State::Alive, false, 0, 0);
        }
        for number in 100..200 {
            table.put(spread(number), State::Evicted, false, 0, 1);
        }
        assert!((100..200).filter(|number| table.get(spread(*number)).is_some()).count() > 85);
    }

    #[test]
    fn an_entry_takes_sixteen_bytes_and_a_full_table_less_than_24_a_key() {
        assert_eq!(size_of::<Entry>(), 16);
        let mut table = KeyTable::new(262_144);
        for number in 0..600_000 {
            table.put(spread(number), State::Evicted, false, 0, 0);
        }
        assert!(table.bytes() <= 24 * 262_144, "{} bytes", table.bytes());
    }

    proptest! {
        #[test]
        fn it_says_what_a_map_says_as_long_as_there_is_room(
            puts in prop::collection::vec((0u64..400, 0..4usize), 0..600),
            crowded in prop::bool::ANY,
        ) {
            let states = [State::Alive, State::Absent, State::Evicted, State::Deleted];
            // Hashes that share their home, too, and homes at the end that wrap around.
            let hash = |number: u64| if crowded { u64::MAX - (number << 40) } else { spread(number) };
            let capacity = if crowded { 50 } else { 400 };
            let mut table = KeyTable::new(capacity);
            let mut map = HashMap::new();
            for (time, (number, state)) in puts.iter().enumerate() {
                table.put(hash(*number), states[*state], false, 0, time as i64 * 10);
                map.insert(*number, states[*state]);
            }
            prop_assert!(table.len() <= capacity);
            let mut found = 0;
            for (number, state) in &map {
                match table.get(hash(*number)) {
                    Some(entry) => {
                        found += 1;
                        prop_assert!(crowded || entry.state == *state);
                    }
                    None => prop_assert!(crowded && (table.lost_alive || table.may_have_forgotten(hash(*number)))),
                }
            }
            prop_assert_eq!(found, table.len());
        }
    }
}
