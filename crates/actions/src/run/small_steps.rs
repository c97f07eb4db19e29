//! Steps of one command or request: a version counted up, a message published, an endpoint called.

use std::sync::Arc;

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Cmd, Pipeline, Value};

use super::RunContext;
use super::removal::refused;
use crate::failure::Failure;
use crate::plan::Action;
use crate::request;
use crate::servers::Servers;

/// What became of a step.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// It was done from here.
    pub(super) done: bool,
    /// Instances that received its message.
    pub(super) receivers: u64,
    /// What was answered to its request.
    pub(super) answer: Option<String>,
}

/// Does a step that goes through no keys.
pub(super) async fn run(action: &Action, context: &RunContext) -> Result<Done, Failure> {
    match action {
        Action::BumpVersion { key, database } => {
            let mut command = redis::cmd("INCR");
            command.arg(&key.0);
            number(&context.servers, *database, command).await?;
            Ok(Done { done: true, ..Done::default() })
        }
        Action::Publish { channel, message } => {
            let mut command = redis::cmd("PUBLISH");
            command.arg(channel).arg(message);
            let receivers = number(&context.servers, 0, command).await?;
            Ok(Done { done: true, receivers: receivers.unsigned_abs(), ..Done::default() })
        }
        Action::Request { request, .. } => {
            let answer = request::send(request, &context.tokens).await?;
            Ok(Done { done: true, answer: Some(answer), ..Done::default() })
        }
        _ => Ok(Done::default()),
    }
}

/// Runs a command at the server that answers for its key; gives back its number.
async fn number(servers: &Servers, database: u16, command: Cmd) -> Result<i64, Failure> {
    for server in &servers.primaries {
        let mut connection = ActingConnection::new(Arc::clone(&server.node));
        let mut asked = Pipeline::new();
        asked.add_command(command.clone());
        let answer = connection.ask_without_lookups(database, &asked).await?;
        match answer.replies.first() {
            Some(Value::Int(number)) => return Ok(*number),
            Some(Value::ServerError(error)) if matches!(error.code(), "MOVED" | "ASK") => {}
            Some(Value::ServerError(error)) => return Err(refused(&server.name, error)),
            _ => return Err(Failure::server(format!("{} answers with something else", server.name), "")),
        }
    }
    Err(Failure::server("no server answers for the key's slot", "see that the Cluster covers all slots"))
}
