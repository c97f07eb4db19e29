//! A connection that listens: bytes out, items in, and what the server at its other end can do.

use std::sync::Arc;
use std::time::Duration;

use redis::{ServerError, Value};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::command::spelled;
use super::connect::{CLIENT_NAME, Counted};
use super::failure::{refusal, user_of, was_executed};
use super::feed::{Broken, Feed, Item};
use super::hello::{ServerHello, client_id, parse_hello};
use super::node::{Gate, RedisNode};
use super::stream::{self, Reading, ServerStream, lower_first, no_answer};
use super::target::RedisTarget;
use crate::error::{ErrorCode, SourceError};

/// How a burst makes the server stop telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndsBy {
    /// RESET: the connection can be used again.
    Reset,
    /// QUIT, where there is no RESET: the next burst needs another connection.
    Quit,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    /// What it does, for the words of an error: "samples commands".
    pub(super) does: &'static str,
}

/// What a server can do, as far as a connection that listens is concerned.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    /// What it says of itself.
    pub(super) hello: ServerHello,
    /// Whether it speaks RESP3: only then can one connection both monitor and be subscribed.
    pub(super) resp3: bool,
    /// How bursts end.
    pub(super) ends_by: EndsBy,
}

impl Manners {
    /// Major and minor version.
    pub(super) fn version(&self) -> (u32, u32) {
        let mut numbers = self.hello.version.split('.').map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// Up to Redis 7.0 a command that blocks is counted as processed when it begins to; since 7.2 when it is
    /// served, its time is up or its client is gone (`updateStatsOnUnblock` in Redis's blocked.c).
    pub(super) fn counts_blocked_at_their_end(&self) -> bool {
        self.version() >= (7, 2)
    }

    /// Whether QUIT is counted as processed.
    pub(super) fn counts_quit(&self) -> bool {
        self.version() >= (7, 2)
    }
}

/// A connection without the redis crate.
pub(super) struct Link {
    stream: ServerStream,
    pub(super) feed: Feed,
    target: Arc<RedisTarget>,
    deadline: Duration,
    /// The connection's number at the server.
    pub(super) id: Option<i64>,
    purpose: Purpose,
    _counted: Counted,
}

impl Link {
    /// Connects, under the gate, so that the server's count of clients can be told apart from ours.
    pub(super) async fn connect(
        node: &RedisNode,
        gate: &mut Gate<'_>,
        purpose: Purpose,
    ) -> Result<Self, SourceError> {
        let options = node.options();
        let target = node.target_shared();
        let stream = stream::open(&target, options, Reading::Leisurely).await?;
        let _counted = gate.count_connection();
        let deadline = options.command_timeout;
        Ok(Self { stream, feed: Feed::default(), target, deadline, id: None, purpose, _counted })
    }

    /// Learns how to talk to the server: who it is, and how a burst can end. The connection is as new after that.
    pub(super) async fn greet(&mut self, gate: &mut Gate<'_>) -> Result<Manners, SourceError> {
        let mut request = Request::default();
        request.introduction(&self.target, true);
        request.command(&[b"RESET"]);
        self.write(&request.bytes).await?;
        let hello = self.reply().await?;
        let reset = self.reply().await?;
        gate.count_commands([&hello, &reset].into_iter().filter(|reply| was_executed(reply)).count() as u64);
        let ends_by = if matches!(reset, Value::ServerError(_)) { EndsBy::Quit } else { EndsBy::Reset };
        match hello {
            Value::ServerError(error) if knows_no_hello(&error) => {
                Ok(Manners { hello: gate.hello().await?, resp3: false, ends_by: EndsBy::Quit })
            }
            Value::ServerError(error) => Err(refusal(&self.target, "HELLO", &error)),
            reply => {
                self.id = client_id(&reply);
                Ok(Manners { hello: parse_hello(&reply), resp3: true, ends_by })
            }
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let written = timeout(self.deadline, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.closed(Some(&error))),
            Err(_) => Err(no_answer(&self.target.to_string(), self.deadline)),
        }
    }

    /// Reads what has come into the feed; waits until something has.
    pub(super) async fn read(&mut self) -> Result<(), SourceError> {
        match self.stream.read(self.feed.space()).await {
            Ok(0) => Err(self.closed(None)),
            Ok(count) => {
                self.feed.filled(count);
                Ok(())
            }
            Err(error) => Err(self.closed(Some(&error))),
        }
    }

    /// Asks whether it still stands; the reply comes among what else comes.
    pub(super) async fn ping(&mut self) -> Result<(), SourceError> {
        let mut request = Request::default();
        request.command(&[b"PING"]);
        self.write(&request.bytes).await
    }

    async fn reply(&mut self) -> Result<Value, SourceError> {
        loop {
            match self.feed.take() {
                Ok(Some(Item::Reply(bytes))) => return value(bytes).ok_or_else(|| self.unreadable()),
                Ok(Some(_)) => {}
                Ok(None) => timeout(self.deadline, self.read())
                    .await
                    .map_err(|_| no_answer(&self.target.to_string(), self.deadline))??,
                Err(Broken) => return Err(self.unreadable()),
            }
        }
    }

    pub(super) fn unreadable(&self) -> SourceError {
        SourceError::new(
            ErrorCode::Protocol,
            format!(
                "the connection to {} that {} brought something that can't be read",
                self.target, self.purpose.does
            ),
            "check what stands between here and the server, such as a proxy",
        )
    }

    fn closed(&self, error: Option<&std::io::Error>) -> SourceError {
        let why = error.map(|error| format!(": {}", lower_first(&error.to_string()))).unwrap_or_default();
        SourceError::new(
            ErrorCode::Closed,
            format!("{} closed the connection that {}{why}", self.target, self.purpose.does),
            "it is made again by itself; a server cuts clients that read too slowly \
             (client-output-buffer-limit), and an operator may have",
        )
    }

    pub(super) fn target(&self) -> &Arc<RedisTarget> {
        &self.target
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

const PROBE: Purpose = Purpose { does: "samples commands" };

/// Whether this user may run MONITOR, tried on a connection of its own that asks to be closed in the same breath.
pub(super) async fn monitor_for_a_moment(gate: &mut Gate<'_>) -> Result<(), SourceError> {
    let resp3 = gate.hello().await?.major().is_some_and(|major| major >= 6);
    let mut link = Link::connect(gate.node(), gate, PROBE).await?;
    let mut request = Request::default();
    let introduced = request.introduction(&link.target, resp3);
    request.command(&[b"MONITOR"]);
    request.command(&[b"QUIT"]);
    link.write(&request.bytes).await?;
    if introduced {
        let reply = link.reply().await?;
        gate.count_commands(u64::from(was_executed(&reply)));
    }
    match link.reply().await? {
        Value::ServerError(error) => Err(refusal(&link.target, "MONITOR", &error)),
        _ => {
            gate.count_commands(1);
            Ok(())
        }
    }
}

/// A reply as a value.
pub(super) fn value(bytes: &[u8]) -> Option<Value> {
    redis::parse_redis_value(bytes).ok()
}

fn knows_no_hello(error: &ServerError) -> bool {
    error.code() == "NOPROTO"
        || (error.code() == "ERR"
            && error.details().is_some_and(|details| details.starts_with("unknown command")))
}

/// Commands for one write.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
}

impl Request {
    /// Adds a command, its name spelled as ours are.
    pub(super) fn command(&mut self, words: &[&[u8]]) {
        self.bytes.extend(format!("*{}\r\n", words.len()).bytes());
        for (place, word) in words.iter().enumerate() {
            self.bytes.extend(format!("${}\r\n", word.len()).bytes());
            if place == 0 {
                self.bytes.extend(spelled(word));
            } else {
                self.bytes.extend(*word);
            }
            self.bytes.extend(b"\r\n");
        }
    }

    /// Adds what introduces us: HELLO, or AUTH where there is no HELLO. `false`: nothing was needed.
    pub(super) fn introduction(&mut self, target: &RedisTarget, resp3: bool) -> bool {
        let password = target.password().map(|password| password.expose_secret().as_bytes());
        match (resp3, password) {
            (true, None) => self.command(&[b"HELLO", b"3", b"SETNAME", CLIENT_NAME.as_bytes()]),
            (true, Some(password)) => {
                let user = user_of(target).as_bytes();
                self.command(&[b"HELLO", b"3", b"AUTH", user, password, b"SETNAME", CLIENT_NAME.as_bytes()]);
            }
            (false, None) => return false,
            (false, Some(password)) => match target.user() {
                Some(user) => self.command(&[b"AUTH", user.as_bytes(), password]),
                None => self.command(&[b"AUTH", password]),
            },
        }
        true
    }
}
