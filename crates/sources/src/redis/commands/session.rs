//! Bursts on one server, one after the other, as long as they can be had.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_model::observation::Observed;
use cachescope_model::source::{SourceHealth, SourceId};
use redis::Value;

use super::budget::Budget;
use super::burst::{self, Outcome, Plan, Step};
use super::calibrate::Calibration;
use super::lookups::Lookups;
use super::settings::{self, Settings};
use super::strain::Strain;
use super::{CommandsOptions, words};
use crate::context::SourceContext;
use crate::error::SourceError;
use crate::redis::backoff::Backoff;
use crate::redis::command::text;
use crate::redis::link::{EndsBy, Link, Manners, Purpose};
use crate::redis::node::RedisNode;

/// How often our own output buffer is looked at while a burst lasts.
const BUFFER_CHECK: Duration = Duration::from_millis(250);
/// More than this waiting for us in the server's output buffer: we are too slow.
const BUFFER_BYTES: u64 = 4 * 1024 * 1024;

const PURPOSE: Purpose = Purpose { does: "samples commands" };

/// Why bursts ended.
pub(super) enum Ended {
    /// Nobody listens to us any more.
    Unwanted,
    /// They can't be had, for now.
    Broken(SourceError),
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self::Broken(error)
    }
}

/// What is kept from one connection to the next.
pub(super) struct Session<'a> {
    context: &'a SourceContext,
    node: &'a Arc<RedisNode>,
    options: CommandsOptions,
    budget: Budget,
    calibration: Calibration,
    strain: Strain,
}

/// What is known of the server that answers now.
struct Server {
    manners: Manners,
    settings: Settings,
    lookups: Lookups,
    /// Whether a miss was ever heard: where the setting can't be read, that tells that they are announced.
    heard_misses: bool,
    /// Whether the output buffer may be looked at.
    sees_buffer: bool,
    /// Why the subscription was refused.
    unsubscribed: Option<SourceError>,
    checked: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        context: &'a SourceContext,
        node: &'a Arc<RedisNode>,
        options: CommandsOptions,
    ) -> Self {
        let budget = Budget::new(options.limits, Instant::now());
        Self {
            context,
            node,
            options,
            budget,
            calibration: Calibration::default(),
            strain: Strain::default(),
        }
    }

    /// Samples until something breaks.
    pub(super) async fn run(&mut self, backoff: &mut Backoff) -> Ended {
        match self.sample(backoff).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn sample(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, Ended> {
        let (mut server, link) = self.meet().await?;
        let mut link = Some(link);
        loop {
            if server.checked.elapsed() >= self.options.recheck_every {
                server.settings = settings::read(self.node, &server.manners).await?;
                server.checked = Instant::now();
            }
            if let Some((detail, remedy)) = words::too_large(&server.settings) {
                self.say(SourceHealth::Partial, detail, remedy).await?;
                self.pause(self.options.recheck_every).await?;
                continue;
            }
            let due = self.budget.next(Instant::now(), self.part(), rand::random());
            self.pause(due.wait).await?;
            let mut current = match link.take() {
                Some(link) => link,
                None => Link::connect(self.node, &mut self.node.gate().await, PURPOSE).await?,
            };
            let outcome = self.burst(&mut server, &mut current, due).await?;
            self.judge(&mut server, &outcome)?;
            backoff.reset();
            if server.manners.ends_by == EndsBy::Reset && outcome.as_ref().is_some_and(|it| it.cut.is_none())
            {
                link = Some(current);
            }
            if let Some(outcome) = outcome {
                self.hand_on(&mut server, outcome).await?;
            }
            settings::learn(self.node, &mut server.lookups).await?;
        }
    }

    async fn meet(&self) -> Result<(Server, Link), SourceError> {
        let mut gate = self.node.gate().await;
        gate.hello().await?;
        let mut link = Link::connect(self.node, &mut gate, PURPOSE).await?;
        let manners = link.greet(&mut gate).await?;
        drop(gate);
        if matches!(manners.hello.role.as_str(), "replica" | "slave") {
            return Err(words::replica(self.node.target()));
        }
        let settings = settings::read(self.node, &manners).await?;
        let lookups = Lookups::new(&manners.hello.version);
        let server = Server {
            manners,
            settings,
            lookups,
            heard_misses: false,
            sees_buffer: true,
            unsubscribed: None,
            checked: Instant::now(),
        };
        Ok((server, link))
    }

    /// Runs one burst; `None`: it was ended because too much waited for us.
    async fn burst(
        &mut self,
        server: &mut Server,
        link: &mut Link,
        due: super::budget::Due,
    ) -> Result<Option<Outcome>, Ended> {
        let Server { manners, settings, lookups, sees_buffer, .. } = server;
        let plan = Plan {
            millis: u64::try_from(due.length.as_millis()).unwrap_or(u64::MAX),
            channels: settings.channels(),
            most: due.most,
            gauged: self.calibration.wants(!due.wait.is_zero()),
        };
        let id = link.id;
        let outcome = tokio::select! {
            outcome = burst::run(self.node, link, manners, &plan, lookups) => Some(outcome?),
            () = too_much_waits(self.node, id, sees_buffer) => None,
        };
        let now = Instant::now();
        let part = self.part();
        match &outcome {
            Some(outcome) => {
                let length = Duration::from_micros(outcome.burst.length_micros).max(Duration::from_millis(1));
                match outcome.gauges {
                    Some([from, to]) => self.calibration.burst(from, to, &outcome.weight),
                    None => self.calibration.not_gauged(),
                }
                if let Some(factor) = self.calibration.factor() {
                    self.budget.set_factor(factor);
                }
                self.budget.spent(&outcome.weight, length, now, part);
                self.strain.burst(outcome.round_trip, outcome.late);
            }
            None => self.strain.back_off(),
        }
        Ok(outcome)
    }

    /// What the server refused of a burst: some of it can be done without.
    fn judge(&mut self, server: &mut Server, outcome: &Option<Outcome>) -> Result<(), Ended> {
        let Some(outcome) = outcome else { return Ok(()) };
        for (step, error, reply) in &outcome.refused {
            match step {
                Step::Mark => {}
                Step::Gauge => self.calibration.give_up(),
                Step::Subscribe => server.unsubscribed = Some(error.clone()),
                // A failover ended it early.
                Step::Block if reply.code() == "UNBLOCKED" => {}
                step => return Err(Ended::Broken(words::refused(self.node.target(), *step, error, reply))),
            }
        }
        if outcome.subscribed {
            server.unsubscribed = None;
        }
        Ok(())
    }

    async fn hand_on(&mut self, server: &mut Server, outcome: Outcome) -> Result<(), Ended> {
        let Outcome { mut burst, cut, .. } = outcome;
        server.heard_misses |=
            burst.keys.iter().any(|key| key.used == cachescope_model::sample::KeyUse::Miss);
        burst.misses_told &= server.settings.misses.unwrap_or(server.heard_misses);
        if let Some(reason) = cut {
            tracing::debug!(reason, commands = burst.commands, "a burst was cut short");
        }
        let (commands, unread) = (burst.commands, burst.unread);
        self.send(Observed::Commands(burst)).await?;
        let (health, detail, remedy) = words::standing(&words::Standing {
            target: self.node.target(),
            settings: &server.settings,
            unsubscribed: server.unsubscribed.as_ref(),
            strain: &self.strain,
            commands,
            unread,
        });
        self.say(health, detail, remedy).await
    }

    fn part(&self) -> f64 {
        let effort = self.options.effort.as_ref().map_or(1.0, |effort| effort.borrow().clamp(0.0, 1.0));
        self.strain.part() * effort
    }

    async fn send(&self, what: Observed) -> Result<(), Ended> {
        if self.context.send(what).await { Ok(()) } else { Err(Ended::Unwanted) }
    }

    async fn say(&self, health: SourceHealth, detail: String, remedy: String) -> Result<(), Ended> {
        if self.context.status(SourceId::Commands, health, detail, remedy).await {
            Ok(())
        } else {
            Err(Ended::Unwanted)
        }
    }

    async fn pause(&self, pause: Duration) -> Result<(), Ended> {
        if pause.is_zero() || self.context.sleep(pause).await { Ok(()) } else { Err(Ended::Unwanted) }
    }
}

/// Ends when too much waits for us in the server's output buffer. `allowed` becomes `false` where that may not be
/// looked at: then it never ends.
async fn too_much_waits(node: &RedisNode, id: Option<i64>, allowed: &mut bool) {
    while let (Some(id), true) = (id, *allowed) {
        tokio::time::sleep(BUFFER_CHECK).await;
        let list = redis::cmd("CLIENT").arg("LIST").arg("ID").arg(id).clone();
        let told = node.gate().await.ask(&list).await;
        match told.as_ref().map(waiting) {
            Ok(Some(bytes)) if bytes > BUFFER_BYTES => return,
            Ok(_) => {}
            // Before Redis 6.2, or without the right: the server's own limits have to do.
            Err(_) => *allowed = false,
        }
    }
    std::future::pending().await
}

/// `… omem=0 …`
fn waiting(list: &Value) -> Option<u64> {
    text(list)?.split_ascii_whitespace().find_map(|field| field.strip_prefix("omem=")?.parse().ok())
}
