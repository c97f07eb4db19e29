//! SCAN: which keys there are, and for all or a sample of them how much memory they take and how long they
//! live.
//!
//! Two round trips a chunk: `SCAN` (with the times to live of the chunk before) and `MEMORY USAGE`. MEMORY
//! USAGE leaves no trace in the server's statistics and tells which keys are still there; only those are asked
//! for their time to live, because PTTL counts as a lookup. The lookups it causes all the same are counted and
//! subtracted, the ones that miss are reported, since the server announces them.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanFinished, ScanMode, ScanStarted};
use cachescope_model::server::DatabaseKeys;
use cachescope_model::source::{SourceHealth, SourceId};

use super::backoff::Backoff;
use super::command::text;
use super::info::report;
use super::info_reply;
use super::node::RedisNode;
use super::pace::Pace;
use super::scan_pass::{Pass, Stopped};
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// How a scan is to run.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// How thorough it is.
    pub mode: ScanMode,
    /// Pause between the end of one scan and the start of the next; `None` scans once.
    pub repeat_every: Option<Duration>,
    /// Don't rest between chunks. For tests and servers that serve nobody else.
    pub unthrottled: bool,
}

impl Default for ScanOptions {
    /// One key in ten is weighed, every ten minutes, gently.
    fn default() -> Self {
        Self {
            mode: ScanMode::Sampled { weigh_every: 10 },
            repeat_every: Some(Duration::from_secs(600)),
            unthrottled: false,
        }
    }
}

/// Scans until cancelled, also when there is only one scan to make: then it waits. A scan that breaks is begun
/// again.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: ScanOptions) {
    let scanning = scan_on(&context, &node, options);
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => {}
        () = scanning => {}
    }
}

async fn scan_on(context: &SourceContext, node: &RedisNode, options: ScanOptions) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    context.status(SourceId::Scan, SourceHealth::Starting, "", "").await;
    loop {
        match scan_once(context, node, options).await {
            Ok(()) => {
                backoff.reset();
                match options.repeat_every {
                    Some(pause) => {
                        if !context.sleep(pause).await {
                            return;
                        }
                    }
                    None => return context.cancel.cancelled().await,
                }
            }
            Err(Stopped::Unwanted) => return,
            Err(Stopped::Failed(error)) => {
                if !report(context, SourceId::Scan, &error).await || !context.sleep(backoff.pause()).await {
                    return;
                }
            }
        }
    }
}

async fn scan_once(context: &SourceContext, node: &RedisNode, options: ScanOptions) -> Result<(), Stopped> {
    let databases = databases(node).await?;
    let scan = node.next_scan();
    let keys_expected = databases.iter().map(|database| database.keys).sum();
    send(context, Observed::ScanStarted(ScanStarted { scan, mode: options.mode, keys_expected })).await?;
    let mut pass = Pass::new(context, node, scan, options.mode, Pace::new(options.unthrottled));
    let mut outcome = Ok(());
    for database in &databases {
        outcome = pass.walk(database.database).await;
        if outcome.is_err() {
            break;
        }
    }
    let partial = pass.partial();
    if !matches!(outcome, Err(Stopped::Unwanted)) {
        send(context, Observed::ScanFinished(ScanFinished { scan, complete: outcome.is_ok() })).await?;
    }
    outcome?;
    let (health, detail, remedy) = match partial {
        Some((detail, remedy)) => (SourceHealth::Partial, detail, remedy),
        None => (SourceHealth::Ok, String::new(), String::new()),
    };
    if context.status(SourceId::Scan, health, detail, remedy).await { Ok(()) } else { Err(Stopped::Unwanted) }
}

pub(super) async fn send(context: &SourceContext, what: Observed) -> Result<(), Stopped> {
    if context.send(what).await { Ok(()) } else { Err(Stopped::Unwanted) }
}

/// The databases that hold keys, and how many. Without permission for INFO, the one the URL names.
async fn databases(node: &RedisNode) -> Result<Vec<DatabaseKeys>, SourceError> {
    let mut gate = node.gate().await;
    match gate.ask(redis::cmd("INFO").arg("keyspace")).await {
        Ok(reply) => Ok(info_reply::parse(&text(&reply).unwrap_or_default()).databases),
        Err(error) if error.kind() == ErrorCode::Permission => {
            let database = node.target().database();
            let mut size = redis::Pipeline::new();
            size.cmd("DBSIZE");
            let keys = match gate.ask_many(database, &size).await?.first() {
                Some(redis::Value::Int(keys)) => u64::try_from(*keys).unwrap_or(0),
                // Not knowing how many keys to expect doesn't keep anyone from scanning.
                _ => 0,
            };
            Ok(vec![DatabaseKeys { database, keys, expires: 0 }])
        }
        Err(error) => Err(error),
    }
}
