//! What really happened: the figures every reading of the product is compared with.
//!
//! Lookups are counted where the service makes them, one for each that Redis sees: a GET, each key of an
//! MGET, a version or counter read, the read inside the lock's script. In-process hits are counted apart.
//! Why a key was missing follows from what the service did with it, and, for what the service cannot know
//! (evictions, and expirations that others set), from Redis's own events.

mod causes;
mod counts;
mod listener;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::keyring::Keyring;
use crate::namespace::Namespace;
use causes::{Absence, KeyStates};

pub use counts::{Counts, LedgerSnapshot, Quantiles};
pub use listener::EventListener;

/// The name under which keys of no namespace are counted.
pub const OTHER: &str = "";

/// When a command went out and when its answer came.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Right before it was sent.
    pub sent: Instant,
    /// Right after the answer.
    pub answered: Instant,
}

impl Span {
    /// How long the caller waited.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.answered.saturating_duration_since(self.sent)
    }
}

/// The truth, kept by the service itself.
#[derive(Debug)]
pub struct Ledger {
    keyring: Keyring,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    templates: Vec<String>,
    namespaces: Vec<Counts>,
    other: Counts,
    tenants: BTreeMap<(usize, String), Counts>,
    states: KeyStates,
    /// Misses that nothing explains yet; an event may still be under way.
    unexplained: BTreeMap<Box<str>, u64>,
    /// Lookups that Redis may or may not have executed, because no answer came in time.
    unanswered: u64,
}

impl Ledger {
    /// An empty ledger over these namespaces.
    #[must_use]
    pub fn new(namespaces: &[Namespace]) -> Self {
        let templates: Vec<String> = namespaces.iter().map(|it| it.template.as_str().to_owned()).collect();
        let books = Books {
            namespaces: vec![Counts::default(); templates.len()],
            templates,
            other: Counts::default(),
            tenants: BTreeMap::new(),
            states: KeyStates::default(),
            unexplained: BTreeMap::new(),
            unanswered: 0,
        };
        Self { keyring: Keyring::new(namespaces.iter().map(|it| &it.template)), books: Mutex::new(books) }
    }

    /// Counts a lookup that Redis answered. `bytes` is the size of what it gave, `None` for a miss.
    pub fn lookup(&self, key: &str, bytes: Option<usize>, span: Span) {
        let mut books = self.books.lock();
        let cause = match bytes {
            Some(_) => {
                books.states.hit(key, span);
                None
            }
            None => Some(books.states.miss(key, span)),
        };
        if cause == Some(Absence::Unexplained) {
            *books.unexplained.entry(key.into()).or_default() += 1;
        }
        self.count(&mut books, key, |counts| {
            match cause {
                None => counts.hits += 1,
                Some(absence) => counts.missed(absence, 1),
            }
            counts.bytes_read += bytes.unwrap_or(0) as u64;
            counts.lookup_latency.record(span.duration());
        });
    }

    /// Counts a lookup that got no answer: nobody here knows whether Redis saw it.
    pub fn unanswered(&self) {
        self.books.lock().unanswered += 1;
    }

    /// Notes that a key was stored.
    pub fn stored(&self, key: &str, bytes: usize, ttl: Option<Duration>, span: Span) {
        let mut books = self.books.lock();
        books.states.stored(key, ttl, span);
        self.count(&mut books, key, |counts| counts.bytes_written += bytes as u64);
    }

    /// Notes that a key's time to live was set anew.
    pub fn expires_in(&self, key: &str, ttl: Duration, span: Span) {
        self.books.lock().states.expires_in(key, ttl, span);
    }

    /// Notes that the service deleted a key that was there.
    pub fn deleted(&self, key: &str) {
        self.books.lock().states.deleted(key);
    }

    /// Notes that everything was flushed.
    pub fn flushed(&self) {
        self.books.lock().states.flushed();
    }

    /// Counts a lookup in the in-process cache, which Redis does not see.
    pub fn in_process(&self, key: &str, hit: bool) {
        let mut books = self.books.lock();
        self.count(&mut books, key, |counts| {
            if hit { counts.in_process_hits += 1 } else { counts.in_process_misses += 1 }
        });
    }

    /// Counts a load from the database.
    pub fn loaded(&self, key: &str, took: Duration) {
        let mut books = self.books.lock();
        self.count(&mut books, key, |counts| {
            counts.loads += 1;
            counts.load_latency.record(took);
        });
    }

    /// Takes Redis's word that a key was evicted.
    pub fn evicted(&self, key: &str) {
        let mut books = self.books.lock();
        self.count(&mut books, key, |counts| counts.evictions += 1);
        self.explain(&mut books, key, Absence::Evicted);
    }

    /// Takes Redis's word that a key expired.
    pub fn expired(&self, key: &str) {
        let mut books = self.books.lock();
        self.count(&mut books, key, |counts| counts.expirations += 1);
        self.explain(&mut books, key, Absence::Expired);
    }

    /// An event that comes after the misses it explains explains them; otherwise it explains the next one.
    fn explain(&self, books: &mut Books, key: &str, absence: Absence) {
        if let Some(misses) = books.unexplained.remove(key) {
            self.count(books, key, |counts| {
                counts.misses.unknown = counts.misses.unknown.saturating_sub(misses);
                counts.missed(absence, misses);
            });
            books.states.explained(key, absence);
        } else {
            books.states.removed(key, absence);
        }
    }

    /// What is left unexplained after all events are in was removed by someone else's hand.
    pub(crate) fn settle(&self) {
        let mut books = self.books.lock();
        for (key, misses) in std::mem::take(&mut books.unexplained) {
            self.count(&mut books, &key, |counts| {
                counts.misses.unknown = counts.misses.unknown.saturating_sub(misses);
                counts.missed(Absence::Deleted, misses);
            });
            books.states.explained(&key, Absence::Deleted);
        }
    }

    fn count(&self, books: &mut Books, key: &str, change: impl Fn(&mut Counts)) {
        let Some(found) = self.keyring.find(key.as_bytes()) else {
            change(&mut books.other);
            return;
        };
        change(&mut books.namespaces[found.namespace]);
        if let Some(tenant) = found.tenant {
            let tenant = String::from_utf8_lossy(tenant).into_owned();
            change(books.tenants.entry((found.namespace, tenant)).or_default());
        }
    }

    /// The figures so far. Misses that wait for an event count as `unknown`; [`crate::Lab::ledger_snapshot`]
    /// awaits the events first.
    #[must_use]
    pub fn snapshot(&self) -> LedgerSnapshot {
        let books = self.books.lock();
        let mut namespaces: BTreeMap<String, Counts> =
            books.templates.iter().cloned().zip(books.namespaces.iter().cloned()).collect();
        namespaces.insert(OTHER.to_owned(), books.other.clone());
        let tenants = books
            .tenants
            .iter()
            .map(|((namespace, tenant), counts)| {
                ((books.templates[*namespace].clone(), tenant.clone()), counts.clone())
            })
            .collect();
        LedgerSnapshot { at: SystemTime::now(), namespaces, tenants, unanswered: books.unanswered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "user:1";

    fn ledger() -> Ledger {
        Ledger::new(&[Namespace::new("user", "user:{userId}")])
    }

    fn at(start: Instant, sent: u64, answered: u64) -> Span {
        let after = |millis| start + Duration::from_millis(millis);
        Span { sent: after(sent), answered: after(answered) }
    }

    fn misses(ledger: &Ledger) -> cachescope_model::snapshot::MissCauses {
        ledger.settle();
        ledger.snapshot().namespaces["user:{userId}"].misses
    }

    #[test]
    fn a_key_never_stored_is_cold_and_a_due_one_expired() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.lookup(KEY, None, at(start, 0, 1));
        ledger.stored(KEY, 10, Some(Duration::from_millis(100)), at(start, 2, 3));
        ledger.lookup(KEY, Some(10), at(start, 50, 51));
        ledger.lookup(KEY, None, at(start, 110, 111));
        let seen = misses(&ledger);
        assert_eq!((seen.cold, seen.expired, seen.total()), (1, 1, 2));
    }

    #[test]
    fn an_eviction_explains_the_miss_whether_its_event_comes_before_or_after() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.stored(KEY, 10, None, at(start, 0, 1));
        ledger.evicted(KEY);
        ledger.lookup(KEY, None, at(start, 2, 3));
        ledger.stored(KEY, 10, None, at(start, 4, 5));
        ledger.lookup(KEY, None, at(start, 6, 7));
        ledger.evicted(KEY);
        assert_eq!(misses(&ledger).evicted, 2);
    }

    #[test]
    fn a_key_evicted_before_it_was_due_stays_evicted_when_it_is_looked_up_late() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.stored(KEY, 10, Some(Duration::from_millis(100)), at(start, 0, 1));
        ledger.evicted(KEY);
        ledger.lookup(KEY, None, at(start, 500, 501));
        assert_eq!(misses(&ledger).evicted, 1);
    }

    #[test]
    fn deletions_by_the_service_and_by_others_and_flushes_are_told_apart() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.stored(KEY, 10, None, at(start, 0, 1));
        ledger.deleted(KEY);
        ledger.lookup(KEY, None, at(start, 2, 3));
        ledger.stored(KEY, 10, None, at(start, 4, 5));
        ledger.lookup(KEY, None, at(start, 6, 7));
        ledger.stored(KEY, 10, None, at(start, 8, 9));
        ledger.flushed();
        ledger.lookup(KEY, None, at(start, 10, 11));
        let seen = misses(&ledger);
        assert_eq!((seen.deleted, seen.flushed, seen.total()), (2, 1, 3));
    }

    #[test]
    fn a_miss_that_overlaps_a_store_has_the_cause_of_the_absence_before_it() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.stored(KEY, 10, Some(Duration::from_millis(10)), at(start, 0, 1));
        // Two instances miss the expired key; the one stores it before the other's answer is read.
        ledger.lookup(KEY, None, at(start, 20, 22));
        ledger.stored(KEY, 10, Some(Duration::from_millis(900)), at(start, 23, 24));
        ledger.lookup(KEY, None, at(start, 21, 25));
        assert_eq!(misses(&ledger).expired, 2);
    }

    #[test]
    fn snapshots_difference_over_a_window_with_their_latencies() {
        let (ledger, start) = (ledger(), Instant::now());
        ledger.lookup(KEY, None, at(start, 0, 1));
        let before = ledger.snapshot();
        ledger.stored(KEY, 10, None, at(start, 1, 2));
        ledger.lookup(KEY, Some(10), at(start, 2, 12));
        let window = ledger.snapshot().since(&before);
        let user = &window.namespaces["user:{userId}"];
        assert_eq!((user.hits, user.misses.total(), user.bytes_written), (1, 0, 10));
        let p99 = user.lookup_latency.quantile(0.99).expect("one was recorded");
        assert!((0.009..=0.011).contains(&p99.as_secs_f64()), "{p99:?}");
    }
}
