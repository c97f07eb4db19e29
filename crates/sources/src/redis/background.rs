//! Commands of ours that the server runs when it comes to them, and not when we wait for them.
//!
//! The gate makes our traffic exact because nothing of ours is under way while INFO is. A burst of the command
//! sample would hold the gate for as long as it lasts, so it takes another way: it declares the two spans of
//! time in which commands of its own may be executed, from sending its request until the first answer, and from
//! the moment at which the server may end it until the last answer. Within a span nobody knows what the server
//! has counted already, and outside both everybody does. INFO is read outside: it waits for a span to close, and
//! where one opened while INFO was under way, it is read again. A burst begins under the gate, so while INFO
//! holds it, at most the burst under way can open a span: INFO is read twice at most.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cachescope_model::server::OwnTraffic;
use tokio::sync::Notify;

/// What is known of the commands that the server runs by itself.
#[derive(Debug, Default)]
pub(crate) struct Background {
    state: Mutex<State>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    own: OwnTraffic,
    /// Spans that are open, or will be from a moment on.
    spans: BTreeMap<u64, Instant>,
    /// Spans ever declared; the number of the next.
    next: u64,
    /// Spans that have been open and are closed.
    closed: u64,
}

impl State {
    fn open(&self, now: Instant) -> bool {
        self.spans.values().any(|from| *from <= now)
    }
}

/// How many spans had been closed at a moment when none was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calm(u64);

impl Background {
    /// From this moment on commands of ours may be executed, until the span is closed or dropped.
    pub(crate) fn span_from(self: &Arc<Self>, from: Instant) -> Span {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.spans.insert(number, from);
        Span { background: Arc::clone(self), number, commands: 0 }
    }

    /// What they did to the server's counters up to now.
    pub(crate) fn own(&self) -> OwnTraffic {
        self.lock().own
    }

    /// Counts what an exchange beside the gate's owner does to the server's counters.
    pub(crate) fn count(&self, commands: u64, hits: u64, misses: u64) {
        let own = &mut self.lock().own;
        own.commands += commands;
        own.hits += hits;
        own.misses += misses;
    }

    /// Takes back commands that were counted before they were answered, and were not executed.
    pub(crate) fn uncount(&self, commands: u64) {
        let own = &mut self.lock().own;
        own.commands = own.commands.saturating_sub(commands);
    }

    /// Waits until no span is open. Whoever waits holds the gate, so that no new burst begins.
    pub(crate) async fn calm(&self) -> Calm {
        loop {
            let notified = self.closed.notified();
            {
                let state = self.lock();
                if !state.open(Instant::now()) {
                    return Calm(state.closed);
                }
            }
            notified.await;
        }
    }

    /// Whether no span has been open since.
    pub(crate) fn undisturbed(&self, since: Calm) -> bool {
        let state = self.lock();
        state.closed == since.0 && !state.open(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A span of time in which the server may run commands of ours. Dropping it closes it, with what is known then.
#[derive(Debug)]
pub(crate) struct Span {
    background: Arc<Background>,
    number: u64,
    commands: u64,
}

impl Span {
    /// So many commands are known to have been run.
    pub(crate) fn ran(&mut self, commands: u64) {
        self.commands += commands;
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let mut state = self.background.lock();
        state.own.commands += self.commands;
        // One that never opened disturbs nobody.
        if state.spans.remove(&self.number).is_some_and(|from| from <= Instant::now()) {
            state.closed += 1;
        }
        drop(state);
        self.background.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn calm_comes_when_the_last_open_span_is_closed_and_a_later_one_does_not_count_yet() {
        let background = Arc::new(Background::default());
        let now = Instant::now();
        let (mut first, second) = (background.span_from(now), background.span_from(now));
        let later = background.span_from(now + Duration::from_secs(3600));
        let waiting = tokio::spawn({
            let background = Arc::clone(&background);
            async move { background.calm().await }
        });
        tokio::task::yield_now().await;
        first.ran(3);
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "the second is open still");
        drop(second);
        let calm = waiting.await.expect("it becomes calm");
        assert_eq!(background.own().commands, 3);
        assert!(background.undisturbed(calm));
        drop(later);
        assert!(background.undisturbed(calm), "it never opened");
        drop(background.span_from(now));
        assert!(!background.undisturbed(calm), "one was open meanwhile");
        assert_eq!(background.calm().await, Calm(3));
    }
}
