//! Every command logged for a few seconds a minute, under a plan that the operator approved.
//!
//! Each burst finds the operator's values, sets ours, reads, and puts the operator's back; between bursts the
//! server is as it was. Whoever started the sample has recorded the plan and puts back what a burst could not.

use std::time::Duration;

use cachescope_model::sample::ExecutionBatch;
use cachescope_model::source::{SourceHealth, SourceId};
use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::node::{Gate, RedisNode};
use super::super::settings::{ChangePlan, Setting, run_id, slow_log_commands, value};
use super::gentle::{SlowLog, deliver, entries};
use super::window::{EVERY, READ_AT_ONCE, Windows};
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// Round trips longer than this, several in a row, end a burst: the server has more important things to do.
const STRAINED: Duration = Duration::from_millis(250);
/// How many in a row.
const STRAINED_TIMES: u32 = 3;
/// Failed attempts to put the operator's values back before that is left to whoever recorded them.
const ATTEMPTS: u32 = 3;

/// When and how long every command is logged.
#[derive(Clone, Copy, Debug)]
pub struct SampleOptions {
    /// How long at a time.
    pub burst: Duration,
    /// From the beginning of one burst to that of the next.
    pub every: Duration,
    /// After this it ends; the operator may begin another one.
    pub at_most: Duration,
}

impl Default for SampleOptions {
    /// Ten seconds of every minute, for a quarter of an hour.
    fn default() -> Self {
        Self {
            burst: Duration::from_secs(10),
            every: Duration::from_secs(60),
            at_most: Duration::from_secs(15 * 60),
        }
    }
}

/// Why a sample ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleEnd {
    /// It was told to.
    Cancelled,
    /// Its time is up.
    TimeIsUp,
    /// It must not or can't go on; why, in words.
    Stopped(String),
}

/// How a sample ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Why.
    pub end: SampleEnd,
    /// Whether the server may still have values of ours. `false`: every burst has put the operator's back.
    pub to_put_back: bool,
}

/// Samples until its time is up or it is cancelled. What a burst set is put back before this returns, as far as
/// the server answers.
pub async fn sample(
    context: &SourceContext,
    node: &RedisNode,
    plan: &ChangePlan,
    options: SampleOptions,
) -> Sampled {
    let mut sampling = Sampling { context, node, plan, options, log: SlowLog::default(), switched: false };
    let end = sampling.run().await;
    Sampled { end, to_put_back: sampling.switched }
}

struct Sampling<'a> {
    context: &'a SourceContext,
    node: &'a RedisNode,
    plan: &'a ChangePlan,
    options: SampleOptions,
    log: SlowLog,
    /// Whether our values were sent and not yet put back.
    switched: bool,
}

impl Sampling<'_> {
    async fn run(&mut self) -> SampleEnd {
        let options = self.options;
        let ends = Instant::now() + options.at_most;
        loop {
            let burst_ends = Instant::now() + options.burst;
            let next = Instant::now() + options.every;
            if !self.say(true, ends).await {
                return SampleEnd::Cancelled;
            }
            if let Err(stopped) = self.burst(burst_ends.min(ends)).await {
                return SampleEnd::Stopped(stopped);
            }
            if Instant::now() >= ends {
                return SampleEnd::TimeIsUp;
            }
            if !self.say(false, ends).await || !self.rest(next.min(ends)).await {
                return SampleEnd::Cancelled;
            }
            if Instant::now() >= ends {
                return SampleEnd::TimeIsUp;
            }
        }
    }

    async fn say(&self, logging: bool, ends: Instant) -> bool {
        let minutes = ends.saturating_duration_since(Instant::now()).as_secs().div_ceil(60);
        let SampleOptions { burst, every, .. } = self.options;
        let now = match (logging, self.plan.of(Setting::SlowLogThreshold)) {
            (true, Some(change)) => {
                format!(
                    "the server logs every command now, and those of {} µs or more again after",
                    change.old
                )
            }
            _ => "the server's settings are as before in between".to_owned(),
        };
        let cut = match self.log.reader.cut {
            0 => String::new(),
            cut => {
                format!("; {cut} keys were longer than the 128 bytes the slow log shows, and are left out")
            }
        };
        let detail = format!(
            "sampling {} s of every {} s, for {minutes} min more at most: {now}{cut}",
            burst.as_secs(),
            every.as_secs()
        );
        self.context.status(SourceId::SlowLog, SourceHealth::Ok, detail, "").await
    }

    /// One burst. The operator's values are back when it ends, or the error says why not.
    async fn burst(&mut self, ends: Instant) -> Result<(), String> {
        let begun = self.begin().await.map_err(|error| error.to_string());
        let read = match begun {
            Ok(newest) => self.windows(newest, ends).await,
            Err(why) => Err(why),
        };
        let back = self.put_back().await;
        read.and(back.map_err(|error| format!("the operator's values are still to be put back: {error}")))
    }

    /// Reads what the operator has in the log, and switches to every command. Gives the newest entry.
    async fn begin(&mut self) -> Result<u64, SourceError> {
        let mut gate = self.node.gate().await;
        if run_id(&mut gate).await? != self.plan.run_id {
            return Err(stop("the server was restarted"));
        }
        for change in &self.plan.changes {
            let now = value(&mut gate, change.setting).await?;
            if now != change.old {
                return Err(stop(&format!("{} was set to {now:?} meanwhile", change.setting.name())));
            }
        }
        let before = self.log.news(&mut gate).await?;
        self.switched = true;
        let mut commands = Pipeline::new();
        for change in &self.plan.changes {
            commands.cmd("CONFIG").arg("SET").arg(change.setting.name()).arg(&change.new);
        }
        ask_all(&mut gate, &commands).await?;
        let newest = entries(&mut gate, 1).await?.first().map_or(0, |entry| entry.id);
        drop(gate);
        if !deliver(self.context, before).await {
            return Err(stop("nobody listens any more"));
        }
        Ok(newest)
    }

    async fn windows(&mut self, newest: u64, ends: Instant) -> Result<(), String> {
        let mut windows = Windows::begin(newest);
        let mut strained = 0;
        while Instant::now() < ends && self.context.sleep(EVERY).await {
            let mut gate = self.node.gate().await;
            let read = entries(&mut gate, READ_AT_ONCE).await.map_err(|error| error.to_string())?;
            strained = if gate.round_trip() > STRAINED { strained + 1 } else { 0 };
            drop(gate);
            if let Some(newest) = read.first() {
                self.log.seen(newest.id);
            }
            let window = windows.close(read);
            let executions = self.log.reader.executions(&window.entries);
            let batch = ExecutionBatch { executions, missed: window.missed, threshold_micros: 0 };
            if !deliver(self.context, batch).await || strained >= STRAINED_TIMES {
                break;
            }
        }
        Ok(())
    }

    /// Sets what still is ours back to the operator's values, and takes our commands out of the log.
    async fn put_back(&mut self) -> Result<(), SourceError> {
        let mut attempt = 1;
        while self.switched {
            match self.put_back_once().await {
                Ok(()) => self.switched = false,
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Ok(())
    }

    async fn put_back_once(&mut self) -> Result<(), SourceError> {
        let mut gate = self.node.gate().await;
        if run_id(&mut gate).await? != self.plan.run_id {
            return Ok(()); // a new start has values of its own
        }
        let mut commands = Pipeline::new();
        for change in self.plan.changes.iter().rev() {
            if value(&mut gate, change.setting).await? != change.new {
                continue;
            }
            match change.setting {
                Setting::SlowLogThreshold => {
                    for command in slow_log_commands(&change.old).cmd_iter() {
                        commands.add_command(command.clone());
                    }
                }
                setting => {
                    commands.cmd("CONFIG").arg("SET").arg(setting.name()).arg(&change.old);
                }
            }
        }
        ask_all(&mut gate, &commands).await
    }

    /// Until the next burst: the slow log as it stands. `false`: cancelled.
    async fn rest(&mut self, until: Instant) -> bool {
        const LOOK_EVERY: Duration = Duration::from_secs(10);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if !self.context.sleep(left.min(LOOK_EVERY)).await {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
            let mut gate = self.node.gate().await;
            match self.log.news(&mut gate).await {
                Ok(batch) => {
                    drop(gate);
                    if !deliver(self.context, batch).await {
                        return false;
                    }
                }
                // The next burst says what is the matter, if it still is.
                Err(error) => tracing::debug!(%error, "the slow log could not be read between two bursts"),
            }
        }
    }
}

fn stop(why: &str) -> SourceError {
    SourceError::new(ErrorCode::Busy, why, "")
}

async fn ask_all(gate: &mut Gate<'_>, commands: &Pipeline) -> Result<(), SourceError> {
    for reply in gate.ask_many(0, commands).await? {
        if let Value::ServerError(error) = reply {
            return Err(gate.refusal("CONFIG SET", &error));
        }
    }
    Ok(())
}
