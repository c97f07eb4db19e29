//! A sample of the commands: which keys are looked up, by short bursts of MONITOR that the server itself ends.
//!
//! `burst` says how that works and why it needs no watchdog; `background` how INFO stays exact meanwhile. Bytes
//! become items in `parse`, a line of MONITOR arguments in `line`, arguments keys in `lookups`, and a burst's keys
//! an observation in `collect`. `cost`, `calibrate`, `budget` and `strain` decide how much is
//! sampled, `session` does it.

mod budget;
mod burst;
mod calibrate;
mod collect;
mod cost;
mod line;
mod lookups;
mod session;
mod settings;
mod strain;
mod table;
mod words;

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::source::{SourceHealth, SourceId};
use tokio::sync::watch;

pub use super::feed::{Broken, Feed, Item};
pub use budget::Limits;
pub use collect::Collector;
pub use line::{Argument, Arguments, Line};
pub use lookups::Lookups;

use super::backoff::Backoff;
use super::info::report;
use super::node::RedisNode;
use crate::context::SourceContext;
use crate::error::ErrorCode;
use session::{Ended, Session};

/// How the command sample is to run.
#[derive(Clone, Debug)]
pub struct CommandsOptions {
    /// What it may cost.
    pub limits: Limits,
    /// Which part of that is to be used, 0 to 1, where somebody knows that less is enough; all of it otherwise.
    pub effort: Option<watch::Receiver<f64>>,
    /// How often the server is asked which events are switched on, and, where it refuses, whether it still does.
    pub recheck_every: Duration,
}

impl Default for CommandsOptions {
    /// 1 % of a core.
    fn default() -> Self {
        Self { limits: Limits::default(), effort: None, recheck_every: Duration::from_secs(5) }
    }
}

/// Samples until cancelled. A connection that breaks is made again by itself.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: CommandsOptions) {
    let sampling = sample_on(&context, &node, options);
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => {}
        () = sampling => {}
    }
}

async fn sample_on(context: &SourceContext, node: &Arc<RedisNode>, options: CommandsOptions) {
    let mut backoff = Backoff::default();
    context.status(SourceId::Commands, SourceHealth::Starting, "", "").await;
    let recheck_every = options.recheck_every;
    let mut session = Session::new(context, node, options);
    loop {
        match session.run(&mut backoff).await {
            Ended::Unwanted => return,
            Ended::Broken(error) => {
                let hopeless = matches!(
                    error.kind(),
                    ErrorCode::Permission | ErrorCode::Unsupported | ErrorCode::WrongRole
                );
                // Each attempt that is refused is seen in the server's ACL log.
                let pause = if hopeless { recheck_every * 4 } else { backoff.pause() };
                if !report(context, SourceId::Commands, &error).await || !context.sleep(pause).await {
                    return;
                }
            }
        }
    }
}
