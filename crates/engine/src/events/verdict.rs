//! Why a lookup missed: what may be concluded from the last word about the key.
//!
//! The rules, by what the server announces, stand in `docs/miss-causes.md`. They share one thought: a key that
//! was there and is not must have gone in a way that is announced, or in one that INFO shows.

use super::key_table::{Entry, State};
use super::standing::{Flushed, Standing};
use crate::window::Count;

/// Without news of deletions and additions, a removal explains the misses up to this long after the first:
/// readers that come while the value is loaded.
const FIRST_MISSES_MILLIS: i64 = 1_000;

/// Why a lookup missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cause {
    Expired,
    Evicted,
    Deleted,
    Flushed,
    Cold,
    Unknown,
}

impl Cause {
    /// The column that counts it.
    pub(crate) fn count(self) -> Count {
        match self {
            Self::Expired => Count::MissExpired,
            Self::Evicted => Count::MissEvicted,
            Self::Deleted => Count::MissDeleted,
            Self::Flushed => Count::MissFlushed,
            Self::Cold => Count::MissCold,
            Self::Unknown => Count::MissUnknown,
        }
    }
}

/// What the next INFO replies may still say against a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Doubt {
    /// It stands, whatever they say.
    None,
    /// It falls if they show a flush.
    Flush,
    /// It falls if they show a flush, or a command that can remove keys.
    FlushOrRemovers,
    /// It falls unless they show a flush.
    NoFlush,
}

/// A cause and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) cause: Cause,
    pub(crate) doubt: Doubt,
}

impl Verdict {
    pub(super) const UNKNOWN: Self = Self { cause: Cause::Unknown, doubt: Doubt::None };
}

const UNKNOWN: Verdict = Verdict::UNKNOWN;

fn sure(cause: Cause) -> Verdict {
    Verdict { cause, doubt: Doubt::None }
}

fn unless(cause: Cause, doubt: Doubt) -> Verdict {
    Verdict { cause, doubt }
}

/// A miss of a key of which something was heard: `at_ms` is the entry's time, `standing` that of the node it
/// came from.
///
/// `lost_alive`: whether a key that exists may be missing from the table.
pub(super) fn of_known(
    entry: &Entry,
    at_ms: i64,
    standing: &Standing,
    now_ms: i64,
    lost_alive: bool,
) -> Verdict {
    if !standing.holds(at_ms) {
        return UNKNOWN;
    }
    match entry.state {
        State::Empty | State::Doubtful | State::Removed => UNKNOWN,
        State::Alive => vanished(at_ms, standing, now_ms),
        State::Absent => still_absent(at_ms, standing, now_ms, lost_alive),
        State::Expired => removed(Cause::Expired, entry, at_ms, standing, now_ms),
        State::Evicted => removed(Cause::Evicted, entry, at_ms, standing, now_ms),
        State::Deleted => removed(Cause::Deleted, entry, at_ms, standing, now_ms),
    }
}

/// Its removal was announced: did it come back and go another way since?
fn removed(cause: Cause, entry: &Entry, at_ms: i64, standing: &Standing, now_ms: i64) -> Verdict {
    if standing.tells_additions_since(at_ms) {
        return sure(cause);
    }
    let flush = match standing.flushed_since(at_ms, now_ms) {
        Flushed::Yes => return UNKNOWN,
        Flushed::NotYet => Doubt::Flush,
        // Whoever forbids INFO has no flush noticed: the documented limit.
        Flushed::Untold if !standing.is_informed() => Doubt::None,
        Flushed::Untold => return UNKNOWN,
    };
    if standing.tells_removals_since(at_ms) {
        return unless(cause, flush);
    }
    if !entry.is_missed() || now_ms - at_ms <= FIRST_MISSES_MILLIS {
        return unless(cause, flush);
    }
    if flush == Doubt::Flush && standing.tells_timed_since(at_ms) && standing.removers_silent_since(at_ms) {
        return unless(cause, Doubt::FlushOrRemovers);
    }
    UNKNOWN
}

/// It was there and no removal was announced.
fn vanished(at_ms: i64, standing: &Standing, now_ms: i64) -> Verdict {
    let flushed = standing.flushed_since(at_ms, now_ms);
    if standing.tells_removals_since(at_ms) {
        return match flushed {
            Flushed::Yes => sure(Cause::Flushed),
            Flushed::NotYet => unless(Cause::Flushed, Doubt::NoFlush),
            Flushed::Untold => UNKNOWN,
        };
    }
    if standing.tells_timed_since(at_ms) && flushed == Flushed::NotYet {
        // It neither expired nor was evicted, and nothing was flushed: what remains is a command.
        return unless(Cause::Deleted, Doubt::Flush);
    }
    UNKNOWN
}

/// It was missed before, nothing was heard of it before that, and it has not come since.
fn still_absent(at_ms: i64, standing: &Standing, now_ms: i64, lost_alive: bool) -> Verdict {
    let settled = standing.is_informed_of(at_ms) && standing.unflushed_until(at_ms);
    let watched = standing.watched_since(true).is_some_and(|since_ms| since_ms < at_ms);
    if standing.tells_additions_since(at_ms) && settled && watched {
        return sure(Cause::Cold);
    }
    never_seen(standing, now_ms, lost_alive)
}

/// A miss of a key of which nothing was heard since watching began, and nothing forgotten.
pub(super) fn never_seen(standing: &Standing, now_ms: i64, lost_alive: bool) -> Verdict {
    if standing.replica {
        return UNKNOWN;
    }
    if standing.is_whole() && !lost_alive {
        return sure(Cause::Cold);
    }
    if let Some(since_ms) = standing.watched_since(true)
        && since_ms < now_ms
    {
        return match standing.flushed_since(since_ms, now_ms) {
            Flushed::NotYet => unless(Cause::Cold, Doubt::Flush),
            Flushed::Yes | Flushed::Untold => UNKNOWN,
        };
    }
    if let Some(since_ms) = standing.watched_since(false)
        && since_ms < now_ms
        && standing.removers_silent_since(since_ms)
        && standing.flushed_since(since_ms, now_ms) == Flushed::NotYet
    {
        return unless(Cause::Cold, Doubt::FlushOrRemovers);
    }
    UNKNOWN
}
