//! Keyspace events: every miss, eviction and expiration by key, as the server announces them.
//!
//! One connection subscribes to the exact channels of every kind in every database. Channels whose flag is off
//! stay silent, so a flag that is switched on later is heard at once. The setting itself is never changed.
//!
//! The subscription is a `lease`: it ends by itself when this process is stopped. `listener` reads and renews it, and
//! leaves what came in the `inbox`.

mod inbox;
mod lease;
mod listener;
mod shedding;

use std::sync::Arc;
use std::time::Duration;

pub(super) use inbox::announced_on;
pub use shedding::MissLimits;

use cachescope_model::observation::{EventChannels, Observed};
use cachescope_model::source::{SourceHealth, SourceId};
use redis::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::inbox::{Inbox, KINDS, channel};
use self::listener::{Lapses, Listening};
use super::backoff::Backoff;
use super::command::text;
use super::event_flags::EventFlags;
use super::info::report;
use super::node::{Gate, RedisNode};
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// Databases a server has where it doesn't tell (Redis's default).
const DEFAULT_DATABASES: u16 = 16;
/// More databases than this are not subscribed to one by one.
const MOST_DATABASES: u16 = 4096;

/// How the events source is to run.
#[derive(Clone, Copy, Debug)]
pub struct EventsOptions {
    /// Events are handed on at least this often, and earlier when 64 KiB have come together.
    pub hand_on_every: Duration,
    /// How often the server is asked which events are switched on, and whether the connection still stands.
    pub recheck_every: Duration,
    /// Until when misses are listened to.
    pub miss_limits: MissLimits,
}

impl Default for EventsOptions {
    fn default() -> Self {
        Self {
            hand_on_every: Duration::from_millis(100),
            recheck_every: Duration::from_secs(30),
            miss_limits: MissLimits::DEFAULT,
        }
    }
}

/// Listens until cancelled. A broken subscription is reported as a loss and made again by itself.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: EventsOptions) {
    let listening = listen_on(&context, &node, options);
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => {}
        () = listening => {}
    }
}

/// Why a subscription ended.
enum Ended {
    /// Nobody listens to us any more.
    Unwanted,
    /// It can't be made or it broke; `began` tells which.
    Broken { error: SourceError, began: bool },
}

async fn listen_on(context: &SourceContext, node: &Arc<RedisNode>, options: EventsOptions) {
    let (mut backoff, lapses) = (Backoff::default(), Lapses::default());
    context.status(SourceId::Events, SourceHealth::Starting, "", "").await;
    loop {
        match listen(context, node, options, &lapses, &mut backoff).await {
            Ended::Unwanted => return,
            Ended::Broken { error, began } => {
                if began && !context.send(Observed::EventsLost).await {
                    return;
                }
                if !report(context, SourceId::Events, &error).await || !context.sleep(backoff.pause()).await {
                    return;
                }
            }
        }
    }
}

/// What is known of the server's setting. `None`: it may not be read.
type Setting = Option<EventFlags>;

async fn listen(
    context: &SourceContext,
    node: &Arc<RedisNode>,
    options: EventsOptions,
    lapses: &Lapses,
    backoff: &mut Backoff,
) -> Ended {
    let inbox = Arc::new(Inbox::new(context.clock));
    let how = listener::Options {
        lapses: lapses.clone(),
        ping_every: options.recheck_every,
        miss_limits: options.miss_limits,
    };
    let (listening, setting) = match subscribe(node, &inbox, how).await {
        Ok(made) => made,
        Err(error) => return Ended::Broken { error, began: false },
    };
    backoff.reset();
    let mut subscription = Subscription {
        context,
        node,
        inbox,
        _listening: listening,
        setting,
        announced: None,
        without_misses: false,
        dropped: 0,
    };
    if !subscription.announce().await {
        return Ended::Unwanted;
    }
    subscription.run(options).await
}

async fn subscribe(
    node: &Arc<RedisNode>,
    inbox: &Arc<Inbox>,
    how: listener::Options,
) -> Result<(Listening, Setting), SourceError> {
    let mut gate = node.gate().await;
    let hello = gate.hello().await?;
    let setting = read_setting(&mut gate).await?;
    let databases = if hello.mode == "cluster" { 1 } else { count_databases(&mut gate).await? };
    let channels: Vec<_> =
        (0..databases).flat_map(|database| KINDS.map(|(_, event)| channel(database, event))).collect();
    let listening = listener::listen(node, &mut gate, inbox, channels, how).await?;
    Ok((listening, setting))
}

/// Which flags are set; `None` where the server doesn't let us know.
pub(super) async fn read_setting(gate: &mut Gate<'_>) -> Result<Setting, SourceError> {
    Ok(config(gate, "notify-keyspace-events").await?.map(|flags| EventFlags::new(&flags)))
}

/// The channels that misses are announced on.
pub(super) fn miss_channels(databases: u16) -> Vec<String> {
    let (_, keymiss) = KINDS[0];
    (0..databases).map(|database| channel(database, keymiss)).collect()
}

pub(super) async fn count_databases(gate: &mut Gate<'_>) -> Result<u16, SourceError> {
    let told = config(gate, "databases").await?.and_then(|text| text.parse::<u32>().ok());
    Ok(told
        .map_or(DEFAULT_DATABASES, |told| u16::try_from(told).unwrap_or(u16::MAX).clamp(1, MOST_DATABASES)))
}

/// One setting; `None` where CONFIG GET is refused, unknown or empty-handed.
async fn config(gate: &mut Gate<'_>, name: &str) -> Result<Option<String>, SourceError> {
    let command = redis::cmd("CONFIG").arg("GET").arg(name).clone();
    match gate.ask(&command).await {
        Ok(Value::Array(pair)) => Ok(pair.get(1).and_then(text)),
        Ok(Value::Map(pairs)) => Ok(pairs.first().and_then(|(_, value)| text(value))),
        Ok(_) => Ok(None),
        Err(error)
            if matches!(
                error.kind(),
                ErrorCode::Permission | ErrorCode::Unsupported | ErrorCode::Server | ErrorCode::Busy
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A subscription that stands.
struct Subscription<'a> {
    context: &'a SourceContext,
    node: &'a RedisNode,
    inbox: Arc<Inbox>,
    _listening: Listening,
    setting: Setting,
    announced: Option<EventChannels>,
    /// Misses are left out for now.
    without_misses: bool,
    dropped: u64,
}

impl Subscription<'_> {
    async fn run(&mut self, options: EventsOptions) -> Ended {
        let mut hand_on = interval(options.hand_on_every);
        hand_on.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut recheck = Instant::now() + options.recheck_every;
        loop {
            tokio::select! {
                _ = hand_on.tick() => {}
                () = self.inbox.ready.notified() => {}
            }
            match self.hand_on().await {
                Ok(true) => {}
                Ok(false) => return Ended::Unwanted,
                Err(error) => return Ended::Broken { error, began: true },
            }
            if Instant::now() >= recheck {
                match self.recheck().await {
                    Ok(true) => {}
                    Ok(false) => return Ended::Unwanted,
                    Err(error) => return Ended::Broken { error, began: true },
                }
                recheck = Instant::now() + options.recheck_every;
            }
        }
    }

    /// Hands on what has come. `Ok(false)`: stop.
    async fn hand_on(&mut self) -> Result<bool, SourceError> {
        let taken = self.inbox.take();
        if !taken.batches.is_empty() && !self.hears_what_it_announced() {
            // Something speaks that was thought to be off: the setting has changed.
            self.setting = read_setting(&mut self.node.gate().await).await?;
            if !self.announce().await {
                return Ok(false);
            }
        }
        for (at, batch) in taken.batches {
            if !self.context.send_at(at, Observed::Events(batch)).await {
                return Ok(false);
            }
        }
        self.without_misses = taken.without_misses;
        if taken.dropped > 0 || taken.lapsed {
            // What came right behind a lapse was dropped with it, and not because we were too slow.
            if !taken.lapsed {
                self.dropped += taken.dropped;
                tracing::warn!(dropped = taken.dropped, "events came faster than they were taken");
            }
            self.announced = None;
            if !self.context.send(Observed::EventsLost).await || !self.announce().await {
                return Ok(false);
            }
        }
        taken.ended.map_or(Ok(true), Err)
    }

    /// Whether any kind of events is known, or may be, to be on.
    fn hears_what_it_announced(&self) -> bool {
        self.announced.is_some_and(|on| {
            [on.misses, on.evictions, on.expirations, on.deletions, on.additions]
                .iter()
                .any(|kind| *kind != Some(false))
        })
    }

    /// Asks again which events are on.
    async fn recheck(&mut self) -> Result<bool, SourceError> {
        self.setting = read_setting(&mut self.node.gate().await).await?;
        Ok(self.announce().await)
    }

    /// Says which events arrive from now on, if that is news, and how the source is doing.
    async fn announce(&mut self) -> bool {
        let mut channels = self.setting.as_ref().map(EventFlags::channels).unwrap_or_default();
        if self.without_misses {
            channels.misses = Some(false);
        }
        if self.announced != Some(channels) {
            // What was on and is off now may have been off for a while: nobody knows which events are missing.
            let lost = self.announced.is_some_and(|before| switched_off(before, channels));
            if lost && !self.context.send(Observed::EventsLost).await {
                return false;
            }
            if !self.context.send(Observed::EventsBegan(channels)).await {
                return false;
            }
            self.announced = Some(channels);
        }
        let (health, detail, remedy) = self.words();
        self.context.status(SourceId::Events, health, detail, remedy).await
    }

    fn words(&self) -> (SourceHealth, String, String) {
        let target = self.node.target();
        let Some(flags) = &self.setting else {
            return (
                SourceHealth::Partial,
                format!("which keyspace events {target} announces is unknown: CONFIG GET is refused"),
                format!(
                    "ACL SETUSER {} +config|get; or make sure that notify-keyspace-events includes Emxe",
                    super::failure::user_of(target)
                ),
            );
        };
        match flags.missing() {
            None if self.without_misses => (
                SourceHealth::Partial,
                format!(
                    "{target} has no CPU to spare, and telling every miss would take more than 1 % of a core: \
                     misses are not listened to until it has room"
                ),
                "the source commands estimates them meanwhile".to_owned(),
            ),
            None if self.dropped > 0 => (
                SourceHealth::Partial,
                format!(
                    "{} events of {target} came faster than they could be taken and were dropped",
                    self.dropped
                ),
                String::new(),
            ),
            None => (SourceHealth::Ok, String::new(), String::new()),
            Some(missing) => {
                let some = self.hears_what_it_announced();
                let health = if some { SourceHealth::Partial } else { SourceHealth::Unavailable };
                (health, format!("{target} does not announce {missing}"), flags.remedy())
            }
        }
    }
}

fn switched_off(before: EventChannels, now: EventChannels) -> bool {
    [
        (before.misses, now.misses),
        (before.evictions, now.evictions),
        (before.expirations, now.expirations),
        (before.deletions, now.deletions),
        (before.additions, now.additions),
    ]
    .iter()
    .any(|(before, now)| *before == Some(true) && *now == Some(false))
}
