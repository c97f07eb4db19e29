//! One burst: written in one go, ended by the server.
//!
//! ```text
//! HELLO 3 …          introduces us again, because the RESET before has undone it
//! SUBSCRIBE …        the exact channels of keymiss; also puts the connection in the `pubsub` class of clients,
//!                    whose output buffer is bounded (32 MB by default), while MONITOR alone is not
//! INFO cpu stats     now and then, here and behind PING: what telling costs (`calibrate`)
//! MONITOR            from here on the server tells every command
//! WAIT 2147… 20      blocks for 20 ms, because so many replicas there are not; told itself: the beginning
//! PING 2147…         told as well: the end, with the server's time
//! RESET              leaves monitor mode
//! ```
//!
//! The server reads all of this before it begins, so it stops by itself whatever happens to us: a process that is
//! stopped or killed at the worst moment leaves at most one burst in the server's output buffer. A replica refuses
//! WAIT, and a connection in MONITOR mode may not block on keys: there this can't be had.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cachescope_model::events::KeyEventKind;
use cachescope_model::sample::CommandBurst;
use redis::{ServerError, Value};
use tokio::time::timeout;

use super::calibrate::Gauge;
use super::collect::Collector;
use super::cost::{Cost, Weight};
use super::line::Line;
use super::lookups::Lookups;
use crate::error::{ErrorCode, SourceError};
use crate::redis::background::Span;
use crate::redis::command::{is_spelled, text};
use crate::redis::failure::{refusal, was_executed};
use crate::redis::feed::{Broken, Item};
use crate::redis::link::{EndsBy, Link, Manners, Request, value};
use crate::redis::node::RedisNode;

/// The server's clock counts in whole milliseconds, and clocks differ a little: a burst may end so much earlier
/// than ours says.
const EARLIER: Duration = Duration::from_millis(2);
/// An idle server looks for clients whose time is up ten times a second; a line without a command makes it look.
const POKE_EVERY: Duration = Duration::from_millis(4);
/// More replicas than any server has, and different each time, so that our lines can be recognised.
const TOKENS: std::ops::Range<u32> = 1_000_000_000..2_000_000_000;

/// What a burst is to be like.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    /// How long the server is to tell, in whole milliseconds.
    pub(super) millis: u64,
    /// Channels of keymiss, where they can be heard.
    pub(super) channels: &'a [String],
    /// What it may cost the server before it is cut short.
    pub(super) most: Cost,
    /// Whether the server's counters are to be read before and behind it.
    pub(super) gauged: bool,
}

/// The commands of a burst, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Introduce,
    Subscribe,
    Gauge,
    Monitor,
    Block,
    Mark,
    End,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Introduce => "HELLO",
            Self::Subscribe => "SUBSCRIBE",
            Self::Gauge => "INFO",
            Self::Monitor => "MONITOR",
            Self::Block => "WAIT",
            Self::Mark => "PING",
            Self::End => "RESET",
        }
    }
}

/// What a burst brought.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was seen.
    pub(super) burst: CommandBurst,
    /// What it has cost the server, as far as that can be told from what came.
    pub(super) weight: Weight,
    /// From writing to the first answer.
    pub(super) round_trip: Duration,
    /// From the moment at which the burst should have ended to its last answer.
    pub(super) late: Duration,
    /// Whether the subscription stood.
    pub(super) subscribed: bool,
    /// The server's counters before and behind it, where they were read.
    pub(super) gauges: Option<[Gauge; 2]>,
    /// Why it was cut short; the connection is of no use any more then.
    pub(super) cut: Option<&'static str>,
    /// Commands of ours that the server refused, with its words.
    pub(super) refused: Vec<(Step, SourceError, ServerError)>,
}

/// Runs one burst. Dropping this closes the connection, and the server stops telling at once.
///
/// # Errors
/// When the connection breaks or the server doesn't end the burst.
pub(super) async fn run(
    node: &RedisNode,
    link: &mut Link,
    manners: &Manners,
    plan: &Plan<'_>,
    lookups: &mut Lookups,
) -> Result<Outcome, SourceError> {
    let token = rand::random_range(TOKENS).to_string();
    let (request, steps) = request(link, manners, plan, token.as_bytes());
    let gate = node.gate().await;
    let span = node.background().span_from(Instant::now());
    drop(gate);
    let written = Instant::now();
    let mut reading = Reading {
        plan,
        lookups,
        token: token.into_bytes(),
        steps,
        manners,
        collector: Collector::default(),
        weight: Weight::default(),
        span: Some(span),
        began: None,
        ended_micros: None,
        last_micros: 0,
        monitored: false,
        subscribed: false,
        gauge: String::new(),
        gauges: Vec::new(),
        refused: Vec::new(),
    };
    link.write(&request).await?;
    let due = written + Duration::from_millis(plan.millis);
    let hard_end = due + link.deadline();
    let mut poke_at = due + Duration::from_millis(1);
    loop {
        let cut = reading.take(link, node, due)?;
        if cut.is_some() || reading.steps.is_empty() {
            return Ok(reading.finish(written, due, cut));
        }
        let now = Instant::now();
        if now >= hard_end {
            return Err(SourceError::new(
                ErrorCode::Timeout,
                format!("{} did not end a burst of MONITOR; the connection was closed", link.target()),
                "check that the server is not stalled; it is tried again by itself",
            ));
        }
        let until = poke_at.min(hard_end).saturating_duration_since(now);
        match timeout(until, link.read()).await {
            Ok(Ok(())) => {}
            // After QUIT the server closes the connection, be it with or without a word.
            Ok(Err(_)) if manners.ends_by == EndsBy::Quit && reading.steps.front() == Some(&Step::End) => {
                reading.steps.clear();
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                if manners.ends_by == EndsBy::Reset {
                    link.write(b"\r\n").await?;
                }
                poke_at = Instant::now() + POKE_EVERY;
            }
        }
    }
}

fn request(link: &Link, manners: &Manners, plan: &Plan<'_>, token: &[u8]) -> (Vec<u8>, VecDeque<Step>) {
    let mut request = Request::default();
    let mut steps = VecDeque::new();
    if request.introduction(link.target(), manners.resp3) {
        steps.push_back(Step::Introduce);
    }
    if manners.resp3 && !plan.channels.is_empty() {
        let mut words: Vec<&[u8]> = vec![b"SUBSCRIBE"];
        words.extend(plan.channels.iter().map(|channel| channel.as_bytes()));
        request.command(&words);
        steps.push_back(Step::Subscribe);
    }
    let gauge = |request: &mut Request, steps: &mut VecDeque<Step>| {
        // Several sections in one command, since Redis 7.0.
        let commands: &[&[&[u8]]] = match (plan.gauged, manners.version() >= (7, 0)) {
            (false, _) => &[],
            (true, true) => &[&[b"INFO", b"cpu", b"stats"]],
            (true, false) => &[&[b"INFO", b"cpu"], &[b"INFO", b"stats"]],
        };
        commands.iter().for_each(|command| request.command(command));
        steps.extend(commands.iter().map(|_| Step::Gauge));
    };
    gauge(&mut request, &mut steps);
    request.command(&[b"MONITOR"]);
    let millis = plan.millis.to_string();
    request.command(&[b"WAIT", token, millis.as_bytes()]);
    request.command(&[b"PING", token]);
    steps.extend([Step::Monitor, Step::Block, Step::Mark]);
    gauge(&mut request, &mut steps);
    request.command(&[match manners.ends_by {
        EndsBy::Reset => &b"RESET"[..],
        EndsBy::Quit => b"QUIT",
    }]);
    steps.push_back(Step::End);
    (request.bytes, steps)
}

/// A burst while it comes in.
struct Reading<'a> {
    plan: &'a Plan<'a>,
    lookups: &'a mut Lookups,
    token: Vec<u8>,
    steps: VecDeque<Step>,
    manners: &'a Manners,
    collector: Collector,
    weight: Weight,
    span: Option<Span>,
    /// When the line of the blocking command came, and the server's time in it.
    began: Option<(Instant, u64)>,
    ended_micros: Option<u64>,
    last_micros: u64,
    monitored: bool,
    subscribed: bool,
    /// Of counters that are being read, what has come.
    gauge: String,
    gauges: Vec<Gauge>,
    refused: Vec<(Step, SourceError, ServerError)>,
}

impl Reading<'_> {
    /// Takes everything that is complete. `Some`: it is to be cut short, for this reason.
    fn take(
        &mut self,
        link: &mut Link,
        node: &RedisNode,
        due: Instant,
    ) -> Result<Option<&'static str>, SourceError> {
        loop {
            match link.feed.take() {
                Ok(None) => return Ok(None),
                Ok(Some(Item::Line(line, bytes))) => {
                    self.weight.line(bytes);
                    self.line(&line, node, due);
                }
                Ok(Some(Item::Malformed)) => self.collector.malformed(),
                Ok(Some(Item::Event { kind: KeyEventKind::Miss, database, key })) => self.miss(database, key),
                Ok(Some(Item::Event { .. })) => {}
                Ok(Some(Item::Push)) => {
                    if self.steps.front() == Some(&Step::Subscribe) {
                        self.steps.pop_front();
                        self.subscribed = true;
                        self.ran(1);
                    }
                }
                Ok(Some(Item::Reply(bytes))) => {
                    let Some(value) = value(bytes) else { return Err(link.unreadable()) };
                    self.reply(&value, node);
                }
                Err(Broken) => return Err(link.unreadable()),
            }
            if self.collector.is_full() {
                return Ok(Some("more keys came than a burst may hold"));
            }
            if self.weight.cost() > self.plan.most {
                return Ok(Some("it cost more than planned"));
            }
        }
    }

    fn line(&mut self, line: &Line<'_>, node: &RedisNode, due: Instant) {
        self.last_micros = line.micros;
        let mut arguments = line.arguments;
        let ours = arguments.next().is_some_and(|name| is_spelled(name.escaped()));
        if !ours {
            self.collector.line(line, self.lookups);
            return;
        }
        if !arguments.any(|argument| argument.escaped().starts_with(&self.token)) {
            return;
        }
        if self.began.is_none() && self.steps.front() == Some(&Step::Block) {
            self.began = Some((Instant::now(), line.micros));
            let at_its_end = self.manners.counts_blocked_at_their_end();
            self.ran(u64::from(!at_its_end));
            // What follows is executed when the time is up: declared before the first span closes.
            let mut end = node.background().span_from(due.checked_sub(EARLIER).unwrap_or(due));
            end.ran(u64::from(at_its_end));
            self.span = Some(end);
        } else {
            self.ended_micros = Some(line.micros);
        }
    }

    fn miss(&mut self, database: u16, key: Option<&[u8]>) {
        if self.monitored {
            self.weight.event();
            self.collector.miss(database, key);
        }
    }

    fn reply(&mut self, reply: &Value, node: &RedisNode) {
        let Some(step) = self.steps.pop_front() else { return };
        if let Value::ServerError(error) = reply {
            let words = refusal(node.target(), step.name(), error);
            self.refused.push((step, words, error.clone()));
        } else if step == Step::Monitor {
            self.monitored = true;
        } else if step == Step::Gauge {
            self.weight.gauges += 1;
            self.gauge += &text(reply).unwrap_or_default();
            if self.steps.front() != Some(&Step::Gauge) {
                self.gauges.extend(Gauge::read(&std::mem::take(&mut self.gauge)));
            }
        }
        let executed = match step {
            // Counted when it began.
            Step::Block if self.began.is_some() => false,
            Step::End if matches!(reply, Value::Okay) => self.manners.counts_quit(),
            _ => was_executed(reply),
        };
        self.ran(u64::from(executed));
    }

    fn ran(&mut self, commands: u64) {
        if let Some(span) = &mut self.span {
            span.ran(commands);
        }
    }

    fn finish(self, written: Instant, due: Instant, cut: Option<&'static str>) -> Outcome {
        let now = Instant::now();
        let length = match (self.began, self.ended_micros) {
            (Some((_, from)), Some(to)) => to.saturating_sub(from),
            // It was cut short: what was read reaches to the last line.
            (Some((_, from)), None) => self.last_micros.saturating_sub(from),
            (None, _) => 0,
        };
        let told = self.subscribed && cut.is_none();
        Outcome {
            burst: self.collector.finish(length, told),
            weight: self.weight,
            round_trip: self.began.map_or(now, |(at, _)| at).saturating_duration_since(written),
            late: now.saturating_duration_since(due),
            subscribed: self.subscribed,
            gauges: <[Gauge; 2]>::try_from(self.gauges).ok(),
            cut,
            refused: self.refused,
        }
    }
}
