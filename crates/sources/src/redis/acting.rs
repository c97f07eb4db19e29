//! A connection for what changes keys: under the node's gate like every other, and never repeated by itself, since
//! what was sent may have been done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, Value};

pub use super::command::spelled;
use super::command::{as_ours, command_name, is_ours};
use super::failure::was_executed;
use super::node::RedisNode;
use super::permissions;
use super::raw::RawConnection;
use crate::error::{ErrorCode, SourceError};

/// Replies, and how long they took from being sent, without waiting for the gate.
#[derive(Debug)]
pub struct Answer {
    /// One a command, error replies as values.
    pub replies: Vec<Value>,
    /// From sending to the last reply.
    pub round_trip: Duration,
}

/// Commands as they are sent, written where they are sent from: for those that go by the thousand, which would
/// otherwise be built one by one and copied twice.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    commands: usize,
    name: String,
}

impl Packed {
    /// Adds a command. Its name is one of [`spelled`].
    pub fn add<'a>(&mut self, name: &str, arguments: impl ExactSizeIterator<Item = &'a [u8]>) {
        if self.commands == 0 {
            self.name = name.to_ascii_uppercase();
        }
        self.commands += 1;
        self.head(b'*', arguments.len() + 1);
        self.argument(name.as_bytes());
        arguments.for_each(|argument| self.argument(argument));
    }

    /// Commands in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    fn argument(&mut self, argument: &[u8]) {
        self.head(b'$', argument.len());
        self.bytes.extend_from_slice(argument);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn head(&mut self, kind: u8, number: usize) {
        super::raw::push_head(&mut self.bytes, kind, number);
    }
}

impl From<&Pipeline> for Packed {
    fn from(pipeline: &Pipeline) -> Self {
        let mut packed = Self { commands: pipeline.len(), ..Self::default() };
        packed.name = pipeline.cmd_iter().next().map(command_name).unwrap_or_default();
        for command in pipeline.cmd_iter() {
            let ours = if is_ours(command) {
                command.get_packed_command()
            } else {
                as_ours(command).get_packed_command()
            };
            packed.bytes.extend(ours);
        }
        packed
    }
}

/// A connection of one owner. It is made when it is first used, and again after a failure.
#[derive(Debug)]
pub struct ActingConnection {
    node: Arc<RedisNode>,
    connection: Option<RawConnection>,
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
        self.ask_packed(database, &Packed::from(commands), lookups).await
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

    /// The same as [`ask`](Self::ask) with commands that are packed already.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_packed(
        &mut self,
        database: u16,
        commands: &Packed,
        lookups: impl FnOnce(&[Value]) -> (u64, u64),
    ) -> Result<Answer, SourceError> {
        let node = Arc::clone(&self.node);
        // Taken out: whoever is dropped while it is in use drops it too.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&node).await?,
        };
        // Exchanges on connections of their own go beside each other, and none while INFO is read.
        let _beside = node.beside_others().await;
        let answered = exchange(&node, &mut connection, database, commands).await;
        node.note_answer(answered.as_ref().err());
        let answer = answered?;
        let (hits, misses) = lookups(&answer.replies);
        node.background().count(0, hits, misses);
        self.connection = Some(connection);
        Ok(answer)
    }

    /// Ends the connection, and with it whatever was set on it.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }
}

async fn connect(node: &RedisNode) -> Result<RawConnection, SourceError> {
    let mut gate = node.gate().await;
    let connected = gate.connect_acting().await;
    node.note_answer(connected.as_ref().err());
    connected
}

async fn exchange(
    node: &RedisNode,
    connection: &mut RawConnection,
    database: u16,
    commands: &Packed,
) -> Result<Answer, SourceError> {
    let own = node.background();
    if database != connection.database() {
        let mut counted = 0;
        let selected = connection.select(database, &mut counted).await;
        own.count(counted, 0, 0);
        selected?;
    }
    // Counted before it is sent: a task that is dropped while waiting has still caused the traffic.
    own.count(commands.len() as u64, 0, 0);
    let began = Instant::now();
    let asked = async {
        connection.send(&commands.bytes, &commands.name).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in 0..commands.len() {
            replies.push(connection.value(&commands.name).await?);
        }
        Ok::<_, SourceError>(replies)
    };
    let asked = asked.await;
    let round_trip = began.elapsed();
    own.uncount(match &asked {
        Ok(replies) => replies.iter().filter(|reply| !was_executed(reply)).count() as u64,
        // What a connection that broke had asked for was most likely not done.
        Err(error) if error.kind() == ErrorCode::Closed => commands.len() as u64,
        Err(_) => 0,
    });
    Ok(Answer { replies: asked?, round_trip })
}

const PING: &[u8] = b"*1\r\n$4\r\nPINg\r\n";

/// What a client of the server waits for: PINGs on a connection of their own, beside the gate, so that they wait behind
/// whatever the server is doing, ours as well. INFO knows of them as of everything that the server runs by itself.
#[derive(Debug)]
pub struct Pulse {
    node: Arc<RedisNode>,
    connection: Option<RawConnection>,
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
            self.connection = Some(self.node.gate().await.connect_acting().await?);
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
        span.ran(1);
        let began = Instant::now();
        connection.send(PING, "PING").await?;
        connection.value("PING").await?;
        let round_trip = began.elapsed();
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
