//! INFO, once a second: the server's own counters, with what we added to them beside.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::observation::Observed;
use cachescope_model::server::ServerInfo;
use cachescope_model::source::{SourceHealth, SourceId};
use redis::{Cmd, Pipeline, Value};
use tokio::time::MissedTickBehavior;

use super::backoff::Backoff;
use super::command::text;
use super::info_reply::parse;
use super::latency_histogram::LatencyHistograms;
use super::node::{Gate, RedisNode};
use crate::context::SourceContext;
use crate::error::{ErrorCode, SourceError};

/// The sections the engine reads. `stats` comes first: asked one by one, its counters are then those from
/// before any of the other INFO commands.
const SECTIONS: [&str; 8] =
    ["stats", "server", "clients", "memory", "replication", "cpu", "commandstats", "keyspace"];

/// Rates need two readings: the second one comes soon, so that a window just opened shows them soon.
const SECOND_READING: Duration = Duration::from_millis(300);

/// Execution times by command are asked for with every so many-th reading: they cost twice as much as INFO.
const LATENCIES_EVERY: u32 = 5;

/// How the INFO source is to run.
#[derive(Clone, Copy, Debug)]
pub struct InfoOptions {
    /// Time between two readings.
    pub every: Duration,
}

impl Default for InfoOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(1) }
    }
}

/// Reads INFO until cancelled. Ticks that are missed are skipped; a lost server is tried again by itself.
pub async fn run(context: SourceContext, node: Arc<RedisNode>, options: InfoOptions) {
    let reading = read_on(&context, &node, options);
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => {}
        () = reading => {}
    }
}

async fn read_on(context: &SourceContext, node: &RedisNode, options: InfoOptions) {
    let mut backoff = Backoff::default();
    let mut how = Sections::default();
    let mut latencies = LatencyHistograms::new(options.every * LATENCIES_EVERY);
    let mut ticks = tokio::time::interval(options.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut first = true;
    context.status(SourceId::Info, SourceHealth::Starting, "", "").await;
    loop {
        ticks.tick().await;
        let mut gate = node.gate().await;
        let read = read(&mut gate, &mut how).await;
        let at = context.clock.now();
        let timed = if read.is_ok() { latencies.ask_if_due(&mut gate).await } else { None };
        drop(gate);
        match read {
            Ok(info) => {
                backoff.reset();
                node.note_role(&info.role);
                node.note_load(&info);
                if !context.send_at(at, Observed::Info(Box::new(info))).await
                    || !context.status(SourceId::Info, SourceHealth::Ok, "", "").await
                {
                    return;
                }
                if let Some(timed) = timed
                    && !context.send_at(at, timed).await
                {
                    return;
                }
                if std::mem::take(&mut first) {
                    ticks.reset_after(options.every.min(SECOND_READING));
                }
            }
            Err(error) => {
                // Whatever answers next may be another server.
                how = Sections::default();
                latencies = LatencyHistograms::new(options.every * LATENCIES_EVERY);
                if !report(context, SourceId::Info, &error).await || !context.sleep(backoff.pause()).await {
                    return;
                }
                ticks.reset_immediately();
            }
        }
    }
}

/// Reports a failure of a source: what cannot work here is unavailable, what should work has failed. Both are
/// tried again.
pub(super) async fn report(context: &SourceContext, source: SourceId, error: &SourceError) -> bool {
    let health = match error.kind() {
        ErrorCode::Permission | ErrorCode::Unsupported | ErrorCode::WrongRole => SourceHealth::Unavailable,
        _ => SourceHealth::Failed,
    };
    context.status(source, health, error.to_string(), error.remedy()).await
}

/// How this server takes the names of sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sections {
    /// All in one command, since Redis 7.0.
    #[default]
    Together,
    /// One command each, in one round trip.
    OneByOne,
}

/// So often INFO is read again because the server ran commands of ours meanwhile. Once is enough unless
/// something goes wrong (see `background`); then a figure that may be off by two commands is better than none.
const READ_AGAIN: usize = 3;

/// Reads INFO at a moment when nothing of ours is under way.
///
/// # Errors
/// Why there is no reply.
pub(super) async fn read(gate: &mut Gate<'_>, how: &mut Sections) -> Result<ServerInfo, SourceError> {
    let mut again = 0;
    loop {
        let calm = gate.calm().await;
        let info = read_once(gate, how).await?;
        if gate.undisturbed(calm) || again == READ_AGAIN {
            return Ok(info);
        }
        again += 1;
    }
}

async fn read_once(gate: &mut Gate<'_>, how: &mut Sections) -> Result<ServerInfo, SourceError> {
    if *how == Sections::Together {
        match gate.ask(&info(&SECTIONS)).await {
            Ok(reply) => return Ok(with_own(gate, parse(&text(&reply).unwrap_or_default()), 1)),
            Err(error) if error.kind() == ErrorCode::Server => *how = Sections::OneByOne,
            Err(error) => return Err(error),
        }
    }
    let mut pipeline = Pipeline::new();
    for section in SECTIONS {
        pipeline.add_command(info(&[section]));
    }
    let replies = gate.ask_many(0, &pipeline).await?;
    let mut all = String::new();
    for reply in &replies {
        match reply {
            Value::ServerError(error) => return Err(gate.refusal("INFO", error)),
            other => all.push_str(&text(other).unwrap_or_default()),
        }
        all.push('\n');
    }
    Ok(with_own(gate, parse(&all), SECTIONS.len() as u64))
}

/// Adds what is ours. The server counts a command when it is done, so the last `asked` ones, from the one that
/// told the counters on, are not in what it told.
fn with_own(gate: &Gate<'_>, mut info: ServerInfo, asked: u64) -> ServerInfo {
    info.own = gate.own();
    info.own.commands = info.own.commands.saturating_sub(asked);
    info.round_trip_seconds = gate.round_trip().as_secs_f64();
    info
}

fn info(sections: &[&str]) -> Cmd {
    let mut command = redis::cmd("INFO");
    for section in sections {
        command.arg(*section);
    }
    command
}

#[cfg(test)]
mod tests {
    use cachescope_lab::servers::{RedisOptions, RedisServer};

    use super::super::connect::ConnectOptions;
    use super::super::target::RedisTarget;
    use super::*;

    async fn server_and_node(user: &str) -> (RedisServer, RedisNode) {
        let users = vec![format!("ann on >pw {user}")];
        let server = RedisServer::start(RedisOptions { users, ..Default::default() })
            .await
            .expect("redis-server starts");
        let target = RedisTarget::parse(&format!("redis://ann:pw@{}", server.address())).expect("a good URL");
        (server, RedisNode::new(target, ConnectOptions::default()))
    }

    #[tokio::test]
    async fn sections_asked_one_by_one_say_the_same_as_together_and_subtract_as_exactly() {
        let (_server, node) = server_and_node("+@all").await;
        let mut gate = node.gate().await;
        let mut commands_of_others = Vec::new();
        for how in [Sections::Together, Sections::OneByOne, Sections::OneByOne, Sections::Together] {
            let info = read(&mut gate, &mut how.clone()).await.expect("INFO answers");
            assert!(!info.run_id.is_empty() && info.used_memory > 0 && !info.commands.is_empty(), "{how:?}");
            commands_of_others.push(info.commands_processed - info.own.commands);
        }
        assert_eq!(commands_of_others, [0; 4]);
    }

    #[tokio::test]
    async fn commands_that_the_server_refuses_or_fails_are_counted_as_it_counts_them() {
        let (_server, node) = server_and_node("~app:* +info +get +set +lpush +eval +debug +config").await;
        let mut gate = node.gate().await;
        for words in [
            &["GET", "other"][..],       // no permission for the key
            &["FLUSHALL"],               // no permission for the command
            &["NO-SUCH-COMMAND", "x"],   // unknown
            &["CONFIG", "NO-SUCH"],      // unknown subcommand
            &["GET"],                    // wrong arity
            &["SET", "app:a", "1"],      // executed
            &["LPUSH", "app:a", "1"],    // executed, wrong type
            &["SET", "app:a", "1", "x"], // executed, syntax error
            &["EVAL", "x", "0"],         // executed, the script does not compile
        ] {
            let mut command = redis::cmd(words[0]);
            words[1..].iter().for_each(|word| {
                command.arg(*word);
            });
            let _either_way = gate.ask(&command).await;
            let info = read(&mut gate, &mut Sections::Together).await.expect("INFO answers");
            assert_eq!(info.commands_processed, info.own.commands, "after {words:?}");
        }
    }
}
