//! A connection for what changes keys: under the node's gate like every other, and never repeated by itself, since
//! what was sent may have been done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, Value};

use super::command::Asked;
pub use super::command::spelled;
use super::connect::Connection;
use super::node::RedisNode;
use super::permissions;
use crate::error::SourceError;

/// Replies, and how long they took from being sent, without waiting for the gate.
#[derive(Debug)]
pub struct Answer {
    /// One a command, error replies as values.
    pub replies: Vec<Value>,
    /// From sending to the last reply.
    pub round_trip: Duration,
}

/// A connection of one owner. It is made when it is first used, and again after a failure.
#[derive(Debug)]
pub struct ActingConnection {
    node: Arc<RedisNode>,
    connection: Option<Connection>,
}

impl ActingConnection {
    /// Not connected yet.
    #[must_use]
    pub fn new(node: Arc<RedisNode>) -> Self {
        Self { node, connection: None }
    }

    /// The server.
    #[must_use]
    pub fn node(&self) -> &Arc<RedisNode> {
        &self.node
    }

    /// Sends commands in one go, in the given database. `lookups` says which hits and misses the server counted of
    /// them, which are taken out of every figure as ours.
    ///
    /// # Errors
    /// When the connection breaks or the deadline passes: then nobody knows what was done, and whatever was set on
    /// the connection, such as a WATCH, is gone.
    pub async fn ask(
        &mut self,
        database: u16,
        commands: &Pipeline,
        lookups: impl FnOnce(&[Value]) -> (u64, u64),
    ) -> Result<Answer, SourceError> {
        let mut gate = self.node.gate().await;
        // Taken out: whoever is dropped while it is in use drops it too.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => gate.connect_apart().await?,
        };
        let replies = gate.ask_many_apart(&mut connection, database, commands).await?;
        let (hits, misses) = lookups(&replies);
        gate.count_lookups(hits, misses);
        let round_trip = gate.round_trip();
        self.connection = Some(connection);
        Ok(Answer { replies, round_trip })
    }

    /// The same for commands that look up no key.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_without_lookups(
        &mut self,
        database: u16,
        commands: &Pipeline,
    ) -> Result<Answer, SourceError> {
        self.ask(database, commands, |_| (0, 0)).await
    }

    /// Ends the connection, and with it whatever was set on it.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }
}

/// What a client of the server waits for: PINGs on a connection of their own, beside the gate, so that they wait behind
/// whatever the server is doing, ours as well. INFO knows of them as of everything that the server runs by itself.
#[derive(Debug)]
pub struct Pulse {
    node: Arc<RedisNode>,
    connection: Option<Connection>,
}

impl Pulse {
    /// Not connected yet.
    #[must_use]
    pub fn new(node: Arc<RedisNode>) -> Self {
        Self { node, connection: None }
    }

    /// Connects where that has not happened; waits for the gate.
    ///
    /// # Errors
    /// When the server can't be connected to.
    pub async fn connect(&mut self) -> Result<(), SourceError> {
        if self.connection.is_none() {
            self.connection = Some(self.node.gate().await.connect_apart().await?);
        }
        Ok(())
    }

    /// One round trip of a PING.
    ///
    /// # Errors
    /// When the connection breaks or the deadline passes; the next one connects anew.
    pub async fn beat(&mut self) -> Result<Duration, SourceError> {
        self.connect().await?;
        let Some(mut connection) = self.connection.take() else { return Ok(Duration::ZERO) };
        let mut span = self.node.background().span_from(Instant::now());
        let mut commands = 0;
        let ping = redis::cmd("PING");
        let asked = connection.ask(Asked::One(&ping), &mut commands).await;
        span.ran(commands);
        let (_, round_trip) = asked.map_err(|failed| failed.error)?;
        self.connection = Some(connection);
        Ok(round_trip)
    }
}

/// Whether a user may do something, as far as can be told without doing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayRun {
    /// It may.
    Yes,
    /// It may not, for this reason in the server's words.
    No(String),
    /// It can't be told.
    Unknown,
}

/// Whether this node's user may run a command on just these keys. Runs nothing.
///
/// # Errors
/// When the server can't be asked.
pub async fn may_run(node: &RedisNode, command: &Cmd) -> Result<MayRun, SourceError> {
    let mut gate = node.gate().await;
    permissions::may_run(&mut gate, command).await
}
