//! SCAN: which keys there are, and for all or a sample of them how much memory they take, how long they live,
//! and of a few what they are.
//!
//! | part | module |
//! |---|---|
//! | which keys are weighed and asked | [`strata`] |
//! | the walk over the databases, request by request | [`walk`], [`request`] |
//! | how far a cursor has come | [`cursor`] |
//! | how fast it may go | [`pace`] |
//! | when a precise scan has met enough | [`steering`] |
//!
//! MEMORY USAGE leaves no trace in the server's statistics. PTTL, TYPE and OBJECT count as lookups: they are
//! counted as ours, the ones that miss are reported, since the server announces them.

mod cursor;
mod pace;
mod request;
mod slots;
mod steering;
mod strata;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanFinished, ScanMode, ScanStarted};
use cachescope_model::server::DatabaseKeys;
use cachescope_model::source::{SourceHealth, SourceId};

pub use steering::Steering;

use self::walk::{Stopped, Walk};
use super::backoff::Backoff;
use super::command::text;
use super::info::report;
use super::info_reply;
use super::node::RedisNode;
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// A scan that is cancelled may finish what is under way, so that its lookups are counted, for so long.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// How a scan is to run.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// How thorough it is.
    pub mode: ScanMode,
    /// Pause between the end of one scan and the start of the next; `None` scans once.
    pub repeat_every: Option<Duration>,
    /// Don't rest between requests, and keep the server busy. For tests and servers that serve nobody else.
    pub unthrottled: bool,
    /// Says when a precise scan has met enough; without it, it meets every key.
    pub steering: Steering,
}

impl Default for ScanOptions {
    /// One key in ten is weighed, every ten minutes, gently.
    fn default() -> Self {
        Self {
            mode: ScanMode::Sampled { weigh_every: 10 },
            repeat_every: Some(Duration::from_secs(600)),
            unthrottled: false,
            steering: Steering::default(),
        }
    }
}

/// Scans until cancelled, also when there is only one scan to make: then it waits. A scan whose connection
/// breaks goes on where it was, unless the server was started anew.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: ScanOptions) {
    let scanning = scan_on(&context, &node, &options);
    let cancelled = async {
        context.cancel.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        biased;
        () = scanning => {}
        () = cancelled => {}
    }
}

async fn scan_on(context: &SourceContext, node: &RedisNode, options: &ScanOptions) {
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

async fn scan_once(context: &SourceContext, node: &RedisNode, options: &ScanOptions) -> Result<(), Stopped> {
    let databases = databases(node).await?;
    let server = identity(node).await?;
    let scan = node.next_scan();
    let keys_expected = databases.iter().map(|database| database.keys).sum();
    let started = ScanStarted { scan, mode: options.mode, keys_expected };
    send(context, Observed::ScanStarted(started)).await?;
    let mut walk = Walk::new(context, node, options, started, &databases, server.walks_over_tables);
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
    let outcome = loop {
        let met = walk.keys_met();
        match walk.go().await {
            Err(Stopped::Failed(error)) if may_pass(&error) => {
                if walk.keys_met() > met {
                    backoff.reset();
                }
                if !report(context, SourceId::Scan, &error).await || !context.sleep(backoff.pause()).await {
                    break Err(Stopped::Unwanted);
                }
                match identity(node).await {
                    // The order of the keys is the server's secret of this start: cursors end with it.
                    Ok(now) if now != server || now.run_id.is_empty() => break Err(Stopped::Failed(error)),
                    Ok(_) => {
                        if !context.status(SourceId::Scan, SourceHealth::Starting, "", "").await {
                            break Err(Stopped::Unwanted);
                        }
                    }
                    Err(error) if may_pass(&error) => {}
                    Err(error) => break Err(Stopped::Failed(error)),
                }
            }
            outcome => break outcome,
        }
    };
    let partial = walk.partial();
    let finished = ScanFinished { scan, complete: outcome.is_ok(), whole: walk.whole() };
    if !matches!(outcome, Err(Stopped::Unwanted)) {
        send(context, Observed::ScanFinished(finished)).await?;
    }
    outcome?;
    let (health, detail, remedy) = match partial {
        Some((detail, remedy)) => (SourceHealth::Partial, detail, remedy),
        None => (SourceHealth::Ok, String::new(), String::new()),
    };
    if context.status(SourceId::Scan, health, detail, remedy).await { Ok(()) } else { Err(Stopped::Unwanted) }
}

/// Whether a failure is one of the connection, after which a scan may go on.
fn may_pass(error: &SourceError) -> bool {
    matches!(
        error.kind(),
        ErrorCode::Closed
            | ErrorCode::Timeout
            | ErrorCode::Refused
            | ErrorCode::Unreachable
            | ErrorCode::Dns
            | ErrorCode::Busy
    )
}

async fn send(context: &SourceContext, what: Observed) -> Result<(), Stopped> {
    if context.send(what).await { Ok(()) } else { Err(Stopped::Unwanted) }
}

/// Which server this is, and which start of it; empty where that may not be asked.
#[derive(Debug, Default, PartialEq, Eq)]
struct Identity {
    run_id: String,
    walks_over_tables: bool,
}

async fn identity(node: &RedisNode) -> Result<Identity, SourceError> {
    match node.gate().await.ask(redis::cmd("INFO").arg("server")).await {
        Ok(reply) => {
            let told = text(&reply).unwrap_or_default();
            let walks_over_tables = info_reply::walks_over_tables(&told);
            Ok(Identity { run_id: info_reply::parse(&told).run_id, walks_over_tables })
        }
        Err(error) if error.kind() == ErrorCode::Permission => Ok(Identity::default()),
        Err(error) => Err(error),
    }
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
