//! What kinds of keys a namespace holds, and its biggest.

use std::borrow::Cow;

use cachescope_model::scan::{KeyDetails, ScannedKey, Ttl};

use super::spread::Spread;
use crate::short_list::make_room;

/// The biggest keys kept of a namespace.
pub(crate) const BIGGEST: usize = 20;
/// Types and encodings told apart; servers have a dozen.
const MOST_WORDS: usize = 24;
/// Bytes kept of a big key's name.
const NAME_BYTES: usize = 512;

/// One of the biggest keys.
#[derive(Clone, Debug)]
pub(crate) struct Big {
    pub(crate) bytes: u64,
    pub(crate) partly_weighed: bool,
    pub(crate) database: u16,
    pub(crate) name: Box<[u8]>,
    /// Bytes of the name that were cut off.
    pub(crate) cut: usize,
    pub(crate) kind: Option<Cow<'static, str>>,
    pub(crate) ttl: Option<Ttl>,
}

/// How often which word was given.
pub(crate) type Words = Vec<(Cow<'static, str>, u64)>;

/// What a scan found in one namespace beside sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) kinds: Words,
    pub(crate) encodings: Words,
    pub(crate) idle: Spread,
    /// Biggest first.
    pub(crate) biggest: Vec<Big>,
}

impl Contents {
    /// Takes a key in; of the biggest, at most `most` are kept.
    pub(crate) fn add(&mut self, database: u16, key: &ScannedKey, most: usize) {
        if let Some(details) = key.details.as_deref().filter(|details| details.by_lot) {
            self.count(details);
        }
        let Some(bytes) = key.memory else { return };
        let full = self.biggest.len() >= most;
        if full && self.biggest.last().is_none_or(|least| bytes <= least.bytes) {
            return;
        }
        let kept = key.key.len().min(NAME_BYTES);
        self.insert(
            Big {
                bytes,
                partly_weighed: key.partly_weighed,
                database,
                name: key.key[..kept].into(),
                cut: key.key.len() - kept,
                kind: key.details.as_ref().and_then(|details| details.kind.clone()),
                ttl: key.ttl,
            },
            most,
        );
    }

    fn count(&mut self, details: &KeyDetails) {
        if let Some(kind) = &details.kind {
            count(&mut self.kinds, kind, 1);
        }
        if let Some(encoding) = &details.encoding {
            count(&mut self.encodings, encoding, 1);
        }
        if let Some(seconds) = details.idle_seconds {
            self.idle.add(seconds.saturating_mul(1000));
        }
    }

    fn insert(&mut self, big: Big, most: usize) {
        let place = self.biggest.partition_point(|known| known.bytes >= big.bytes);
        make_room(&mut self.biggest);
        self.biggest.insert(place, big);
        self.biggest.truncate(most);
    }

    /// Adds another's; of the biggest, at most `most` are kept.
    pub(crate) fn merge(&mut self, other: &Self, most: usize) {
        for (word, times) in &other.kinds {
            count(&mut self.kinds, word, *times);
        }
        for (word, times) in &other.encodings {
            count(&mut self.encodings, word, *times);
        }
        self.idle.merge(&other.idle, 1.0);
        for big in &other.biggest {
            if self.biggest.len() < most || self.biggest.last().is_some_and(|least| big.bytes > least.bytes) {
                self.insert(big.clone(), most);
            }
        }
    }
}

#[expect(clippy::ptr_arg, reason = "a clone of the usual words takes no memory")]
fn count(words: &mut Words, word: &Cow<'static, str>, times: u64) {
    match words.iter().position(|(known, _)| known == word) {
        Some(place) => words[place].1 += times,
        None if words.len() < MOST_WORDS => {
            make_room(words);
            words.push((word.clone(), times));
        }
        None => {}
    }
}
