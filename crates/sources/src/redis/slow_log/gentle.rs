//! The slow log as it stands: the slow commands in it, and nothing changed.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::Observed;
use cachescope_model::sample::ExecutionBatch;
use cachescope_model::source::{SourceHealth, SourceId};

use super::super::backoff::Backoff;
use super::super::info::report;
use super::super::node::{Gate, RedisNode};
use super::super::permissions::is_refusal;
use super::super::settings::{Setting, value};
use super::entry::{Entry, Reader, parse};
use crate::context::SourceContext;
use crate::error::SourceError;

/// Entries read at once: Redis holds 128 by default.
const READ_AT_ONCE: u64 = 128;

/// How the slow log is read as it stands.
#[derive(Clone, Debug)]
pub struct GentleOptions {
    /// Time between two readings.
    pub every: Duration,
    /// What is said of the source while it works, such as how a sample ended.
    pub remark: String,
}

impl Default for GentleOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(10), remark: String::new() }
    }
}

/// Reads until cancelled. A lost server is tried again by itself.
pub async fn read(context: SourceContext, node: Arc<RedisNode>, options: GentleOptions) {
    let reading = read_on(&context, &node, &options);
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => {}
        () = reading => {}
    }
}

async fn read_on(context: &SourceContext, node: &RedisNode, options: &GentleOptions) {
    let mut backoff = Backoff::default();
    let mut log = SlowLog::default();
    context.status(SourceId::SlowLog, SourceHealth::Starting, "", "").await;
    loop {
        let mut gate = node.gate().await;
        let batch = log.news(&mut gate).await;
        drop(gate);
        let pause = match batch {
            Ok(batch) => {
                backoff.reset();
                if !deliver(context, batch).await || !say(context, options, &log).await {
                    return;
                }
                options.every
            }
            Err(error) => {
                if !report(context, SourceId::SlowLog, &error).await {
                    return;
                }
                backoff.pause()
            }
        };
        if !context.sleep(pause).await {
            return;
        }
    }
}

async fn say(context: &SourceContext, options: &GentleOptions, log: &SlowLog) -> bool {
    let as_it_stands = match log.threshold {
        Some(micros) if micros < 0 => {
            "the server logs no slow commands (slowlog-log-slower-than is negative)".to_owned()
        }
        Some(micros) => format!("read as it stands: commands of {micros} µs or more"),
        None => "read as it stands".to_owned(),
    };
    let detail = if options.remark.is_empty() {
        format!("{as_it_stands}; execution times by namespace need every command logged for a while")
    } else {
        format!("{}; {as_it_stands}", options.remark)
    };
    context.status(SourceId::SlowLog, SourceHealth::Ok, detail, "").await
}

/// Hands executions on, if there are any. `false`: stop.
pub(super) async fn deliver(context: &SourceContext, batch: ExecutionBatch) -> bool {
    if batch.executions.is_empty() && batch.missed == 0 {
        return !context.cancel.is_cancelled();
    }
    context.send(Observed::Executions(batch)).await
}

/// What is known of the server's slow log.
#[derive(Debug, Default)]
pub(super) struct SlowLog {
    /// Newest entry that was read; `None` before the first reading.
    last: Option<u64>,
    /// The operator's threshold in microseconds; `None` where it may not be read.
    threshold: Option<i64>,
    pub(super) reader: Reader,
}

impl SlowLog {
    /// The slow commands that are new, or all that are there at first.
    pub(super) async fn news(&mut self, gate: &mut Gate<'_>) -> Result<ExecutionBatch, SourceError> {
        self.threshold = match value(gate, Setting::SlowLogThreshold).await {
            Ok(text) => text.parse().ok(),
            Err(error) if is_refusal(&error) => None,
            Err(error) => return Err(error),
        };
        let entries = entries(gate, READ_AT_ONCE).await?;
        let newest = entries.first().map(|entry| entry.id);
        // Numbers that go back are those of a server that was started anew.
        let last = self.last.filter(|last| newest.is_none_or(|newest| newest >= *last));
        let new: Vec<_> =
            entries.into_iter().filter(|entry| last.is_none_or(|last| entry.id > last)).collect();
        let missed = match (last, newest) {
            (Some(last), Some(newest)) => (newest - last).saturating_sub(new.len() as u64),
            _ => 0,
        };
        self.last = newest.or(last);
        // Not a sample, whatever the threshold: the newest entries at a poll are not a fair one.
        let threshold_micros = u64::try_from(self.threshold.unwrap_or(1)).unwrap_or(1).max(1);
        Ok(ExecutionBatch { executions: self.reader.executions(&new), missed, threshold_micros })
    }

    /// Everything up to this entry is known.
    pub(super) fn seen(&mut self, newest: u64) {
        self.last = Some(newest);
    }
}

/// The newest entries, newest first.
pub(super) async fn entries(gate: &mut Gate<'_>, count: u64) -> Result<Vec<Entry>, SourceError> {
    gate.ask(redis::cmd("SLOWLOG").arg("GET").arg(count)).await.map(parse)
}
