//! Steps of one command: a version counted up, a message published.

use std::sync::Arc;

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Cmd, Pipeline, Value};

use super::removal::refused;
use crate::failure::Failure;
use crate::servers::Servers;

/// Runs a command at the server that answers for its key; gives back its number.
pub(super) async fn run(servers: &Servers, database: u16, command: Cmd) -> Result<i64, Failure> {
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
