//! One connection to a server: opened, introduced and asked, each step with its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisConnectionInfo, Value};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::command::{Asked, as_ours, is_ours};
use super::diagnose;
use super::failure::{broken, refusal, user_of, was_executed};
use super::hello::{ServerHello, parse_hello};
use super::stream::{self, FirstBytes, Reading, ServerStream, no_answer};
use super::target::RedisTarget;
use super::tls::{TlsOptions, tls_port};
use crate::error::{ErrorCode, SourceError};
use crate::ssh::Tunnel;

/// The name our connections carry in `CLIENT LIST`.
pub const CLIENT_NAME: &str = "cachescope";

/// Deadlines, TLS files and the way of the connections to a server.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The tunnel that they go through; `None` where the server is reached directly.
    pub ssh: Option<Arc<Tunnel>>,
    /// Files for TLS.
    pub tls: TlsOptions,
    /// Deadline for name resolution and TCP together, and again for TLS.
    pub connect_timeout: Duration,
    /// Deadline for each command or pipeline.
    pub command_timeout: Duration,
}

impl Default for ConnectOptions {
    /// Five seconds each: a stalled server is reported, a slow one is not.
    fn default() -> Self {
        let five = Duration::from_secs(5);
        Self { ssh: None, tls: TlsOptions::default(), connect_timeout: five, command_timeout: five }
    }
}

/// Counts a connection as ours for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicU64>);

impl Counted {
    pub(super) fn new(open: &Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Ends the task that drives a connection together with it, so that the socket is closed at once.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An introduced connection. It asks one thing at a time; whoever uses it holds the node's gate.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    target: Arc<RedisTarget>,
    first: FirstBytes,
    deadline: Duration,
    hello: ServerHello,
    database: u16,
    _driver: Driver,
    _counted: Counted,
}

/// A failed exchange, and whether the server may have executed what was sent.
pub(crate) struct Failed {
    pub(crate) error: SourceError,
    pub(crate) maybe_executed: bool,
}

impl Connection {
    /// Connects and introduces itself; `commands` counts what the server executed of it. With `push`, the
    /// connection speaks RESP3 and hands push messages to it.
    pub(crate) async fn open(
        target: &Arc<RedisTarget>,
        options: &ConnectOptions,
        open: &Arc<AtomicU64>,
        commands: &mut u64,
        push: Option<Arc<dyn AsyncPushSender>>,
    ) -> Result<Self, SourceError> {
        // What is pushed is not waited for by anybody.
        let reading = if push.is_some() { Reading::Leisurely } else { Reading::AtOnce };
        let stream = stream::open(target, options, reading).await?;
        Self::over(stream, target, options, open, commands, push).await
    }

    /// The same over a stream that is open.
    pub(super) async fn over(
        stream: ServerStream,
        target: &Arc<RedisTarget>,
        options: &ConnectOptions,
        open: &Arc<AtomicU64>,
        commands: &mut u64,
        push: Option<Arc<dyn AsyncPushSender>>,
    ) -> Result<Self, SourceError> {
        let counted = Counted::new(open);
        let first = stream.first_bytes();
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let mut config = AsyncConnectionConfig::new().set_response_timeout(None);
        let push_wanted = push.is_some();
        if let Some(push) = push {
            // Push messages need RESP3, and the crate greets by itself then.
            info = info.set_protocol(ProtocolVersion::RESP3);
            if let Some(password) = target.password() {
                info = info.set_username(user_of(target)).set_password(password.expose_secret());
            }
            config = config.set_push_sender(push);
        }
        let setup = MultiplexedConnection::new_with_config(&info, stream, config);
        let set_up = timeout(options.command_timeout, setup).await;
        let (inner, driver) = match set_up {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(introduction_failed(target, options, &first, &error).await),
            Err(_) => return Err(no_answer(&target.to_string(), options.command_timeout)),
        };
        *commands += u64::from(push_wanted);
        let mut connection = Self {
            inner,
            target: Arc::clone(target),
            first,
            deadline: options.command_timeout,
            hello: ServerHello::default(),
            database: 0,
            _driver: Driver(tokio::spawn(driver)),
            _counted: counted,
        };
        match connection.introduce(push_wanted, commands).await {
            Ok(()) => Ok(connection),
            Err(error) if error.kind() == ErrorCode::Closed && refused_unasked(&connection.first.get()) => {
                Err(closed_without_a_word(target, options).await.unwrap_or(error))
            }
            Err(error) => Err(error),
        }
    }

    async fn introduce(&mut self, push: bool, commands: &mut u64) -> Result<(), SourceError> {
        let mut hello = redis::cmd("HELLO");
        hello.arg(if push { 3 } else { 2 });
        if let (Some(password), false) = (self.target.password(), push) {
            let user = user_of(&self.target);
            hello.arg("AUTH").arg(user).arg(password.expose_secret());
        }
        hello.arg("SETNAME").arg(CLIENT_NAME);
        match self.exchange(&hello, commands).await? {
            Value::ServerError(error)
                if error.code() == "NOPROTO"
                    || (error.code() == "ERR"
                        && error.details().is_some_and(|details| details.starts_with("unknown command"))) =>
            {
                self.introduce_to_an_old_server(commands).await
            }
            Value::ServerError(error) => Err(refusal(&self.target, "HELLO", &error)),
            reply => {
                self.hello = parse_hello(&reply);
                if self.hello.mode == "cluster" && !push {
                    self.read_from_replicas(commands).await?;
                }
                Ok(())
            }
        }
    }

    /// A replica in a cluster sends whoever asks for a key to its primary, unless told that its own copy will do.
    /// Said to a primary it changes nothing until that becomes a replica. Without permission keys of replicas
    /// can't be weighed, which the scan then says.
    async fn read_from_replicas(&mut self, commands: &mut u64) -> Result<(), SourceError> {
        if let Value::ServerError(error) = self.exchange(&redis::cmd("READONLY"), commands).await? {
            tracing::debug!(target = %self.target, code = error.code(), "READONLY is refused");
        }
        Ok(())
    }

    /// Before Redis 6.0 there is no HELLO.
    async fn introduce_to_an_old_server(&mut self, commands: &mut u64) -> Result<(), SourceError> {
        if let Some(password) = self.target.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = self.target.user() {
                auth.arg(user);
            }
            auth.arg(password.expose_secret());
            if let Value::ServerError(error) = self.exchange(&auth, commands).await? {
                return Err(refusal(&self.target, "AUTH", &error));
            }
        }
        let name = redis::cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME).clone();
        if let Value::ServerError(error) = self.exchange(&name, commands).await? {
            if error.code() == "NOAUTH" {
                return Err(refusal(&self.target, "CLIENT SETNAME", &error));
            }
            // A nameless connection works as well; some proxies refuse names.
            tracing::debug!(target = %self.target, code = error.code(), "the connection stays without a name");
        }
        Ok(())
    }

    async fn exchange(&mut self, command: &Cmd, commands: &mut u64) -> Result<Value, SourceError> {
        let (replies, _) = self.ask(Asked::One(command), commands).await.map_err(|failed| failed.error)?;
        // One command has one reply; an empty answer could only be a defect of the crate.
        Ok(replies.into_iter().next().unwrap_or(Value::Nil))
    }

    /// Sends, awaits all replies and counts what was executed. Error replies are values. After a failure the
    /// connection must not be used again: replies may still be under way.
    pub(crate) async fn ask(
        &mut self,
        asked: Asked<'_>,
        commands: &mut u64,
    ) -> Result<(Vec<Value>, Duration), Failed> {
        // Counted before it is sent: a task that is dropped while waiting has still caused the traffic.
        *commands += asked.len();
        let replies;
        let began;
        match asked {
            Asked::One(command) => {
                let command = as_ours(command);
                began = Instant::now();
                replies = timeout(self.deadline, self.inner.send_packed_command(&command))
                    .await
                    .map(|reply| reply.map(|reply| vec![reply]));
            }
            Asked::Many(pipeline) if pipeline.cmd_iter().all(is_ours) => {
                began = Instant::now();
                let sent = self.inner.send_packed_commands(pipeline, 0, pipeline.len());
                replies = timeout(self.deadline, sent).await;
            }
            Asked::Many(pipeline) => {
                let mut ours = Pipeline::with_capacity(pipeline.len());
                pipeline.cmd_iter().for_each(|command| {
                    ours.add_command(as_ours(command));
                });
                began = Instant::now();
                replies = timeout(self.deadline, self.inner.send_packed_commands(&ours, 0, ours.len())).await;
            }
        }
        match replies {
            Ok(Ok(replies)) => {
                let refused = replies.iter().filter(|reply| !was_executed(reply)).count() as u64;
                *commands = commands.saturating_sub(refused);
                Ok((replies, began.elapsed()))
            }
            Ok(Err(error)) => {
                let error = broken(&self.target, &asked.name(), &error, &self.first.get());
                Err(Failed { error, maybe_executed: false })
            }
            Err(_) => {
                let error = no_answer(&self.target.to_string(), self.deadline);
                Err(Failed { error, maybe_executed: true })
            }
        }
    }

    /// Subscribes to channels and awaits every confirmation.
    pub(crate) async fn subscribe(
        &mut self,
        channels: &[String],
        commands: &mut u64,
    ) -> Result<(), SourceError> {
        *commands += 1;
        match timeout(self.deadline, self.inner.subscribe(channels)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                *commands -= 1;
                let kind = error.kind();
                match error.clone().into_server_errors().as_deref() {
                    Some([(_, refused), ..]) => Err(refusal(&self.target, "SUBSCRIBE", refused)),
                    _ if kind == redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm) => {
                        Err(SourceError::new(ErrorCode::Permission, error.to_string(), ""))
                    }
                    _ => Err(broken(&self.target, "SUBSCRIBE", &error, &self.first.get())),
                }
            }
            Err(_) => Err(no_answer(&self.target.to_string(), self.deadline)),
        }
    }

    pub(crate) fn hello(&self) -> &ServerHello {
        &self.hello
    }

    pub(crate) fn target(&self) -> &RedisTarget {
        &self.target
    }

    pub(crate) fn database(&self) -> u16 {
        self.database
    }

    pub(crate) fn set_database(&mut self, database: u16) {
        self.database = database;
    }
}

async fn introduction_failed(
    target: &RedisTarget,
    options: &ConnectOptions,
    first: &FirstBytes,
    error: &redis::RedisError,
) -> SourceError {
    let said = first.get();
    if let Some([(_, refused), ..]) = error.clone().into_server_errors().as_deref() {
        return refusal(target, "HELLO", refused);
    }
    if error.kind() == redis::ErrorKind::RESP3NotSupported {
        return SourceError::new(
            ErrorCode::Unsupported,
            format!("{target} knows no RESP3, which keyspace events are received with"),
            "events need Redis 6.0 or later",
        );
    }
    if refused_unasked(&said)
        && let Some(known) = closed_without_a_word(target, options).await
    {
        return known;
    }
    broken(target, "HELLO", error, &said)
}

/// Whether a closed connection ended before our greeting was read: nothing came, or an error that nobody had
/// asked for yet.
fn refused_unasked(first: &[u8]) -> bool {
    first.first().is_none_or(|byte| *byte == b'-')
}

/// Why a server closes a plain connection as soon as we speak, where that can be found out.
async fn closed_without_a_word(target: &RedisTarget, options: &ConnectOptions) -> Option<SourceError> {
    if target.tls() {
        return None;
    }
    let words = diagnose::unasked_words(target, options).await.unwrap_or_default();
    if let Ok(Value::ServerError(error)) = redis::parse_redis_value(format!("{words}\r\n").as_bytes()) {
        return Some(refusal(target, "HELLO", &error));
    }
    diagnose::speaks_tls(target, options).await.then(|| tls_port(target))
}
