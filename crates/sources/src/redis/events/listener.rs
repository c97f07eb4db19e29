//! The task that reads a subscription, and renews it where it is a lease.
//!
//! What the server runs of a lease it runs when the lease's time is up, so those commands can't be asked under the gate:
//! they run in spans of time that are declared before (see `background`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cachescope_model::events::KeyEventKind;
use redis::Value;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::inbox::{Inbox, announced_on};
use super::lease::{self, Step};
use super::shedding::{MissLimits, Shedding};
use crate::error::{ErrorCode, SourceError};
use crate::redis::background::Span;
use crate::redis::failure::{refusal, was_executed};
use crate::redis::feed::{Broken, Item};
use crate::redis::leisurely;
use crate::redis::link::{Link, Manners, Purpose, value};
use crate::redis::node::{Gate, RedisNode};
use crate::redis::stream::no_answer;

const PURPOSE: Purpose = Purpose { does: "listens to events" };

/// The server's clock counts in whole milliseconds, and clocks differ a little: a lease may end so much earlier than
/// ours says.
const EARLIER: Duration = Duration::from_millis(2);
/// An idle server looks for clients whose time is up ten times a second; a line without a command makes it look.
const POKE_AFTER: Duration = Duration::from_millis(2);
const POKE_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// What a message has beside its key, about.
const AROUND_A_KEY: usize = 55;
/// Leases that were not renewed in time, one after the other, until they are given up.
const MOST_LAPSES: u32 = 3;

/// How often leases of a node lapsed. Kept from one subscription to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Lapses {
    in_a_row: Arc<AtomicU32>,
    ever: Arc<AtomicBool>,
}

impl Lapses {
    fn too_many(&self) -> bool {
        self.in_a_row.load(Ordering::Relaxed) >= MOST_LAPSES
    }

    /// One more; how many in a row that makes.
    fn note(&self) -> u32 {
        self.ever.store(true, Ordering::Relaxed);
        self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How long a lease is where little is told: longer on a machine that has been held up before.
    fn longest(&self) -> Duration {
        if self.ever.load(Ordering::Relaxed) { lease::TERM_OF_THE_LATE } else { lease::TERM }
    }
}

/// A subscription that stands for as long as this lives; its events go to the inbox.
pub(super) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Subscribes, and listens from then on.
///
/// # Errors
/// Why the subscription can't be made.
pub(super) async fn listen(
    node: &Arc<RedisNode>,
    gate: &mut Gate<'_>,
    inbox: &Arc<Inbox>,
    channels: Vec<String>,
    options: Options,
) -> Result<Listening, SourceError> {
    let mut link = Link::connect(node, gate, PURPOSE).await?;
    let manners = link.greet(gate).await?;
    if !manners.resp3 {
        return Err(SourceError::new(
            ErrorCode::Unsupported,
            format!("{} knows no RESP3, which keyspace events are received with", node.target()),
            "events need Redis 6.0 or later",
        ));
    }
    let leased = !options.lapses.too_many() && lease::to_be_had(gate, &manners, channels.len()).await?;
    let now = Instant::now();
    let mut listener = Listener {
        node: Arc::clone(node),
        link,
        inbox: Arc::clone(inbox),
        manners,
        channels,
        leased,
        term: options.lapses.longest(),
        shedding: Shedding::new(options.miss_limits),
        without_misses: false,
        options,
        steps: VecDeque::new(),
        span: None,
        executed: 0,
        written: 0,
        unread: 0,
        looked: now,
        round_trip: Duration::ZERO,
        due: now,
        renewed: true,
        told: (now, 0),
    };
    listener.begin(gate).await?;
    Ok(Listening(tokio::spawn(listener.run())))
}

/// How to listen.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) lapses: Lapses,
    /// How often a subscription without an end is asked whether it still stands.
    pub(super) ping_every: Duration,
    /// Until when misses are told; only a lease can be taken without them.
    pub(super) miss_limits: MissLimits,
}

struct Listener {
    node: Arc<RedisNode>,
    link: Link,
    inbox: Arc<Inbox>,
    manners: Manners,
    channels: Vec<String>,
    leased: bool,
    shedding: Shedding,
    /// Whether misses are left out of what was written last.
    without_misses: bool,
    options: Options,
    /// Replies to come.
    steps: VecDeque<Step>,
    /// In which the server runs what is left of the lease.
    span: Option<Span>,
    /// Commands that were run while the gate was held.
    executed: u64,
    /// Bytes of the request that was written last, and what the server had unread when the lease ended.
    written: usize,
    unread: usize,
    /// When the socket was last looked at in vain, or somewhat later.
    looked: Instant,
    /// Of the first exchange.
    round_trip: Duration,
    /// When the lease may end, or when the subscription is to be asked whether it stands.
    due: Instant,
    /// Whether the next lease is written.
    renewed: bool,
    /// How long what was written last is.
    term: Duration,
    /// Since when how many bytes were told, about.
    told: (Instant, usize),
}

impl Listener {
    /// Subscribes under the gate.
    async fn begin(&mut self, gate: &mut Gate<'_>) -> Result<(), SourceError> {
        let written = Instant::now();
        self.looked = written;
        self.write().await?;
        while matches!(self.steps.front(), Some(Step::Introduce | Step::Subscribe)) {
            self.read_in_time().await?;
        }
        self.round_trip = written.elapsed();
        gate.count_commands(std::mem::take(&mut self.executed));
        if !self.leased {
            self.due = Instant::now() + self.options.ping_every;
        }
        Ok(())
    }

    async fn run(mut self) {
        let error = loop {
            if let Err(error) = self.turn().await {
                break error;
            }
        };
        self.inbox.end(error);
    }

    async fn turn(&mut self) -> Result<(), SourceError> {
        if self.leased && !self.renewed {
            self.renewed = true;
            let (since, bytes) = std::mem::replace(&mut self.told, (Instant::now(), 0));
            let told = bytes as f64 / since.elapsed().as_secs_f64();
            self.term = lease::term(told, self.options.lapses.longest());
            self.without_misses = self.shedding.next(self.node.load(), self.term);
            self.write().await?;
        }
        let now = Instant::now();
        // What is read next was not there when the socket was looked at before.
        self.looked = now.checked_sub(leisurely::EVERY).unwrap_or(now);
        let late = now.saturating_duration_since(self.due);
        if self.leased && late > self.link.deadline() {
            return Err(no_answer(&self.node.target().to_string(), self.link.deadline()));
        }
        let wake = if self.leased {
            // The longer it takes the less often.
            (self.due + POKE_AFTER).max(now + late.clamp(POKE_AFTER, POKE_AT_MOST_EVERY))
        } else {
            self.due
        };
        tokio::select! {
            read = self.link.read() => {
                read?;
                self.take()
            }
            () = tokio::time::sleep_until(wake.into()) => {
                if self.leased { self.link.write(b"\r\n").await } else { self.ping().await }
            }
        }
    }

    /// Writes a subscription.
    async fn write(&mut self) -> Result<(), SourceError> {
        let told = |channel: &&String| {
            !self.without_misses || !matches!(announced_on(channel.as_bytes()), Some((KeyEventKind::Miss, _)))
        };
        let channels: Vec<_> = self.channels.iter().filter(told).map(String::as_str).collect();
        let (bytes, steps) = lease::request(self.node.target(), &channels, self.leased.then_some(self.term));
        self.link.write(&bytes).await?;
        self.written = bytes.len();
        self.steps.extend(steps);
        Ok(())
    }

    /// Reads what comes, which it has to within the deadline.
    async fn read_in_time(&mut self) -> Result<(), SourceError> {
        let deadline = self.link.deadline();
        timeout(deadline, self.link.read())
            .await
            .map_err(|_| no_answer(&self.node.target().to_string(), deadline))??;
        self.take()
    }

    /// Asks a subscription without an end whether it still stands.
    async fn ping(&mut self) -> Result<(), SourceError> {
        let node = Arc::clone(&self.node);
        let gate = node.gate();
        tokio::pin!(gate);
        // Events are read while others hold the gate.
        let mut gate = loop {
            tokio::select! {
                gate = &mut gate => break gate,
                read = self.link.read() => {
                    read?;
                    self.take()?;
                }
            }
        };
        self.link.ping().await?;
        self.steps.push_back(Step::Ping);
        while !self.steps.is_empty() {
            self.read_in_time().await?;
        }
        gate.count_commands(std::mem::take(&mut self.executed));
        self.due = Instant::now() + self.options.ping_every;
        Ok(())
    }

    /// Takes everything that is complete.
    fn take(&mut self) -> Result<(), SourceError> {
        loop {
            let reply = match self.link.feed.take() {
                Ok(None) => return Ok(()),
                Ok(Some(Item::Event { kind, database, key })) => {
                    self.told.1 += AROUND_A_KEY + key.map_or(0, <[u8]>::len);
                    self.inbox.event(kind, database, key);
                    continue;
                }
                Ok(Some(Item::Push)) => None,
                Ok(Some(Item::Reply(bytes))) => Some(value(bytes)),
                Ok(Some(Item::Line(..) | Item::Malformed)) => continue,
                Err(Broken) => return Err(self.link.unreadable()),
            };
            match reply {
                Some(Some(reply)) => self.reply(&reply)?,
                Some(None) => return Err(self.link.unreadable()),
                // Of many confirmations the first: all come at once.
                None if self.steps.front() == Some(&Step::Subscribe) => {
                    self.steps.pop_front();
                    self.subscribed();
                }
                None => {}
            }
        }
    }

    /// The subscription is in force.
    fn subscribed(&mut self) {
        self.ran(1);
        self.inbox.hears_misses(!self.without_misses);
        if !self.leased {
            return;
        }
        let at_its_end = self.manners.counts_blocked_at_their_end();
        self.ran(u64::from(!at_its_end));
        // It began after the socket was last found empty, and what has come since was on its way for a while.
        let began = self.looked.checked_sub(self.round_trip).unwrap_or(self.looked);
        self.due = began + self.term;
        let from = self.due.checked_sub(EARLIER).unwrap_or(self.due);
        // Declared before the one before is closed.
        let mut span = self.node.background().span_from(from);
        span.ran(u64::from(at_its_end));
        self.span = Some(span);
        self.renewed = false;
    }

    fn reply(&mut self, reply: &Value) -> Result<(), SourceError> {
        let Some(step) = self.steps.pop_front() else { return Err(self.link.unreadable()) };
        if let Value::ServerError(error) = reply {
            return Err(refusal(self.node.target(), step.name(), error));
        }
        match step {
            // Counted when the subscription began.
            Step::Block => {}
            Step::Look => {
                self.ran(1);
                self.unread = lease::unread(reply).unwrap_or(0);
            }
            Step::End => {
                self.ran(1);
                return self.ended();
            }
            Step::Introduce | Step::Subscribe | Step::Ping => self.ran(u64::from(was_executed(reply))),
        }
        Ok(())
    }

    /// A lease has ended: without a gap where the server had the next one by then.
    fn ended(&mut self) -> Result<(), SourceError> {
        if self.unread >= self.written && self.renewed {
            self.options.lapses.in_a_row.store(0, Ordering::Relaxed);
            return Ok(());
        }
        tracing::warn!(target = %self.node.target(), "a subscription was renewed too late");
        self.inbox.lapsed();
        if self.options.lapses.note() >= MOST_LAPSES {
            return Err(SourceError::new(
                ErrorCode::Closed,
                format!("{} ended the event subscription before it could be renewed", self.node.target()),
                "it is made again by itself, without an end",
            ));
        }
        Ok(())
    }

    fn ran(&mut self, commands: u64) {
        match &mut self.span {
            Some(span) => span.ran(commands),
            None => self.executed += commands,
        }
    }
}
