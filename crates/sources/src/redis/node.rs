//! A server as its sources share it: one connection for commands behind one gate.
//!
//! The gate makes the subtraction of our own traffic exact. Every command of ours, on any connection, is sent
//! and answered while its sender holds the gate; so while INFO holds it, nothing of ours is under way, and what
//! was counted is what the server counted. What changes keys by the thousand may have several exchanges under way
//! beside each other: they share the gate among themselves and with nobody else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use cachescope_model::observation::NodeName;
use cachescope_model::server::{OwnTraffic, ServerInfo};
use redis::aio::AsyncPushSender;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::background::{Background, Calm};
use super::command::{Asked, command_name};
use super::connect::{ConnectOptions, Connection, Counted};
use super::failure::refusal;
use super::hello::ServerHello;
use super::load::{Load, LoadMeter};
use super::nodes::Company;
use super::raw::RawConnection;
use super::target::RedisTarget;
use crate::error::{ErrorCode, SourceError};

/// One server and everything its sources share.
#[derive(Debug)]
pub struct RedisNode {
    target: Arc<RedisTarget>,
    options: ConnectOptions,
    shared: Mutex<Shared>,
    /// Held to read by exchanges that may be under way beside each other, to write by the gate. Fair: who waits for
    /// the gate lets no further exchange begin.
    beside: RwLock<()>,
    open: Arc<AtomicU64>,
    scans: AtomicU64,
    company: Arc<Company>,
    background: Arc<Background>,
    known: std::sync::Mutex<Known>,
    /// Whether a Sentinel is meant, which holds no keys.
    sentinel: bool,
}

/// What the last exchange showed of a server.
#[derive(Clone, Debug, Default)]
struct Known {
    trouble: Option<SourceError>,
    role: String,
    load: LoadMeter,
}

#[derive(Debug, Default)]
struct Shared {
    own: OwnTraffic,
    connection: Option<Connection>,
}

impl RedisNode {
    /// A node that is not connected yet; it connects when it is first asked.
    #[must_use]
    pub fn new(target: RedisTarget, options: ConnectOptions) -> Self {
        Self {
            target: Arc::new(target),
            options,
            shared: Mutex::default(),
            beside: RwLock::new(()),
            open: Arc::default(),
            scans: AtomicU64::new(0),
            company: Arc::default(),
            background: Arc::default(),
            known: std::sync::Mutex::default(),
            sentinel: false,
        }
    }

    /// The same as one of several.
    #[must_use]
    pub(crate) fn in_company(mut self, company: Arc<Company>) -> Self {
        self.company = company;
        self
    }

    /// The same for a Sentinel, which is refused otherwise.
    #[must_use]
    pub(crate) fn taken_for_sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// Why it can't be reached; `None` while it answers or nobody has asked it.
    #[must_use]
    pub fn trouble(&self) -> Option<SourceError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Notes whether it answered; news goes to whoever follows the topology.
    pub(super) fn note_answer(&self, trouble: Option<&SourceError>) {
        // A server that refuses is there.
        let trouble = trouble.filter(|error| {
            !matches!(error.kind(), ErrorCode::Permission | ErrorCode::Unsupported | ErrorCode::Server)
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.trouble.is_some() != trouble.is_some() {
            self.company.news.notify_one();
        }
        if known.trouble.as_ref() != trouble {
            known.trouble = trouble.cloned();
        }
    }

    /// Notes its role as INFO tells it; a change is news to whoever follows the topology.
    pub(crate) fn note_role(&self, role: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.role != role {
            if !known.role.is_empty() {
                self.company.news.notify_one();
            }
            role.clone_into(&mut known.role);
        }
    }

    /// Notes how busy INFO shows it.
    pub(super) fn note_load(&self, info: &ServerInfo) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.load.note(Instant::now(), info);
    }

    /// How busy it is, where INFO is read and tells.
    pub(super) fn load(&self) -> Option<Load> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).load.load(Instant::now())
    }

    /// Where it is.
    #[must_use]
    pub fn target(&self) -> &RedisTarget {
        &self.target
    }

    /// Its name within a deployment.
    #[must_use]
    pub fn name(&self) -> NodeName {
        self.target.node_name()
    }

    /// Connects, if that has not happened, and says what the server is.
    ///
    /// # Errors
    /// Why it can't be connected to, in one sentence.
    pub async fn check(&self) -> Result<ServerHello, SourceError> {
        self.gate().await.hello().await
    }

    /// The right to send commands; waits until no other command of ours is under way. First come, first served.
    pub async fn gate(&self) -> Gate<'_> {
        let shared = self.shared.lock().await;
        let alone = self.beside.write().await;
        Gate { node: self, shared, _alone: alone, round_trip: Duration::ZERO }
    }

    /// The right to one exchange beside others of its kind; waits until nobody holds the gate.
    pub(super) async fn beside_others(&self) -> RwLockReadGuard<'_, ()> {
        self.beside.read().await
    }

    /// Ends the connection where nobody is using it.
    pub(crate) fn let_go(&self) {
        if let Ok(mut shared) = self.shared.try_lock() {
            shared.connection = None;
        }
    }

    /// Commands of ours that the server runs by itself.
    pub(crate) fn background(&self) -> &Arc<Background> {
        &self.background
    }

    pub(crate) fn target_shared(&self) -> Arc<RedisTarget> {
        Arc::clone(&self.target)
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// A number no other scan of this node has had.
    pub(crate) fn next_scan(&self) -> u64 {
        self.scans.fetch_add(1, Ordering::Relaxed)
    }
}

/// The right to send commands to a node. Dropping it lets the next in.
#[derive(Debug)]
pub struct Gate<'a> {
    node: &'a RedisNode,
    shared: MutexGuard<'a, Shared>,
    _alone: RwLockWriteGuard<'a, ()>,
    round_trip: Duration,
}

impl<'a> Gate<'a> {
    /// What our connections did to the server's counters up to now.
    #[must_use]
    pub fn own(&self) -> OwnTraffic {
        let (own, other) = (self.shared.own, self.node.background.own());
        OwnTraffic {
            hits: own.hits + other.hits,
            misses: own.misses + other.misses,
            gets: own.gets + other.gets,
            commands: own.commands + other.commands,
            connections: self.node.open.load(Ordering::Acquire),
        }
    }

    /// The node it is the gate of.
    pub(super) fn node(&self) -> &'a RedisNode {
        self.node
    }

    /// Waits until the server runs nothing of ours by itself.
    pub(super) async fn calm(&self) -> Calm {
        self.node.background.calm().await
    }

    /// Whether it has run nothing of ours by itself since.
    pub(super) fn undisturbed(&self, since: Calm) -> bool {
        self.node.background.undisturbed(since)
    }

    /// Counts commands of ours on a connection that speaks without the redis crate.
    pub(super) fn count_commands(&mut self, commands: u64) {
        self.shared.own.commands += commands;
    }

    /// Counts a further connection as ours for as long as what is returned lives.
    pub(super) fn count_connection(&self) -> Counted {
        Counted::new(&self.node.open)
    }

    /// Counts lookups of ours that the server counted as hits and misses.
    pub fn count_lookups(&mut self, hits: u64, misses: u64) {
        self.shared.own.hits += hits;
        self.shared.own.misses += misses;
    }

    /// Counts GETs of ours that the server executed; below zero takes back what it refused.
    pub fn count_gets(&mut self, gets: i64) {
        self.shared.own.gets = self.shared.own.gets.saturating_add_signed(gets);
    }

    /// Takes back lookups that were counted before they were answered, and were not made.
    pub(super) fn uncount_lookups(&mut self, hits: u64, misses: u64) {
        self.shared.own.hits = self.shared.own.hits.saturating_sub(hits);
        self.shared.own.misses = self.shared.own.misses.saturating_sub(misses);
    }

    /// The count of our commands, for connections that are written to by hand.
    pub(super) fn commands(&mut self) -> &mut u64 {
        &mut self.shared.own.commands
    }

    /// A further connection, written to and read from by hand under a gate as well.
    pub(super) async fn connect_raw(&mut self) -> Result<RawConnection, SourceError> {
        let node = self.node;
        RawConnection::open(&node.target, &node.options, &node.open, &mut self.shared.own.commands).await
    }

    /// The same for what changes keys. A replica in a cluster sends whoever asks for a key to its primary, unless told
    /// that its own copy will do; said to a primary it changes nothing until that becomes a replica.
    pub(super) async fn connect_acting(&mut self) -> Result<RawConnection, SourceError> {
        let mut connection = self.connect_raw().await?;
        if connection.hello().mode == "cluster" {
            let commands = self.commands();
            if let Value::ServerError(error) =
                connection.ask(&redis::cmd("READONLY"), "READONLY", commands).await?
            {
                tracing::debug!(target = %self.node.target, code = error.code(), "READONLY is refused");
            }
        }
        Ok(connection)
    }

    /// How long the last exchange took, without the time spent waiting for the gate or connecting.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// What the server says of itself.
    ///
    /// # Errors
    /// Why it can't be connected to.
    pub async fn hello(&mut self) -> Result<ServerHello, SourceError> {
        let (connection, _) = self.take_connection().await?;
        let hello = connection.hello().clone();
        self.shared.connection = Some(connection);
        Ok(hello)
    }

    /// Asks one command; an error reply is an error.
    ///
    /// # Errors
    /// What failed: the connection, the deadline or the server's refusal.
    pub async fn ask(&mut self, command: &Cmd) -> Result<Value, SourceError> {
        match self.exchange(None, Asked::One(command)).await?.into_iter().next() {
            Some(Value::ServerError(error)) => {
                Err(refusal(&self.node.target, &command_name(command), &error))
            }
            reply => Ok(reply.unwrap_or(Value::Nil)),
        }
    }

    /// Asks several commands in one round trip, in the given database; error replies are values.
    ///
    /// # Errors
    /// What failed: the connection, the deadline or choosing the database.
    pub async fn ask_many(&mut self, database: u16, pipeline: &Pipeline) -> Result<Vec<Value>, SourceError> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        self.exchange(Some(database), Asked::Many(pipeline)).await
    }

    /// The database the connection is in.
    pub(super) fn database(&self) -> u16 {
        self.shared.connection.as_ref().map_or(0, Connection::database)
    }

    /// Ends the connection; the next command makes a new one.
    pub(super) fn disconnect(&mut self) {
        self.shared.connection = None;
    }

    /// Words for an error reply among those of [`ask_many`](Self::ask_many).
    #[must_use]
    pub fn refusal(&self, command: &str, error: &redis::ServerError) -> SourceError {
        refusal(&self.node.target, command, error)
    }

    async fn exchange(&mut self, database: Option<u16>, asked: Asked<'_>) -> Result<Vec<Value>, SourceError> {
        let mut again = true;
        loop {
            let (mut connection, fresh) = self.take_connection().await?;
            let answered = Self::exchange_on(&mut connection, database, asked, &mut self.shared.own).await;
            match answered {
                Ok((replies, round_trip)) => {
                    self.round_trip = round_trip;
                    self.shared.connection = Some(connection);
                    self.node.note_answer(None);
                    return Ok(replies);
                }
                // A connection that lay idle may have been closed by the server meanwhile: one new attempt
                // tells that apart from a server that is gone. All our commands may be repeated.
                Err(error) if error.kind() == ErrorCode::Closed && !fresh && again => again = false,
                Err(error) => {
                    self.node.note_answer(Some(&error));
                    return Err(error);
                }
            }
        }
    }

    async fn exchange_on(
        connection: &mut Connection,
        database: Option<u16>,
        asked: Asked<'_>,
        own: &mut OwnTraffic,
    ) -> Result<(Vec<Value>, Duration), SourceError> {
        if let Some(wanted) = database.filter(|wanted| *wanted != connection.database()) {
            let select = redis::cmd("SELECT").arg(wanted).clone();
            let (replies, _) = Self::counted(connection, Asked::One(&select), own).await?;
            if let Some(Value::ServerError(error)) = replies.first() {
                return Err(refusal(connection.target(), "SELECT", error));
            }
            connection.set_database(wanted);
        }
        Self::counted(connection, asked, own).await
    }

    async fn counted(
        connection: &mut Connection,
        asked: Asked<'_>,
        own: &mut OwnTraffic,
    ) -> Result<(Vec<Value>, Duration), SourceError> {
        let before = own.commands;
        connection.ask(asked, &mut own.commands).await.map_err(|failed| {
            if !failed.maybe_executed {
                own.commands = before;
            }
            failed.error
        })
    }

    /// The shared connection, taken out: whoever is dropped while it is in use drops it too, so that no late
    /// reply is ever taken for another's. `true`: it was made just now.
    async fn take_connection(&mut self) -> Result<(Connection, bool), SourceError> {
        if let Some(connection) = self.shared.connection.take() {
            return Ok((connection, false));
        }
        let connection = self.connect(None).await?;
        if connection.hello().mode == "sentinel" && !self.node.sentinel {
            return Err(SourceError::new(
                ErrorCode::WrongRole,
                format!("{} is a Sentinel, which holds no keys", self.node.target),
                "use the address of the data node; SENTINEL MASTERS on this one lists them",
            ));
        }
        Ok((connection, true))
    }

    async fn connect(&mut self, push: Option<Arc<dyn AsyncPushSender>>) -> Result<Connection, SourceError> {
        let node = self.node;
        // Never closed, so a right is always given in the end.
        let _right = node.company.connecting.acquire().await;
        let commands = &mut self.shared.own.commands;
        let opened = Connection::open(&node.target, &node.options, &node.open, commands, push).await;
        node.note_answer(opened.as_ref().err());
        opened
    }

    /// A further connection, which hands what the server pushes to `push`. It is asked under a gate as well.
    pub(crate) async fn connect_for_push(
        &mut self,
        push: Arc<dyn AsyncPushSender>,
    ) -> Result<Connection, SourceError> {
        self.connect(Some(push)).await
    }

    /// A further connection, for what is set on a connection and must not hold for the shared one.
    pub(crate) async fn connect_apart(&mut self) -> Result<Connection, SourceError> {
        self.connect(None).await
    }

    /// Asks one command on a connection made by [`connect_apart`](Self::connect_apart), in the given database; an
    /// error reply is a value. After an error the connection must be dropped.
    pub(crate) async fn ask_apart(
        &mut self,
        connection: &mut Connection,
        database: u16,
        command: &Cmd,
    ) -> Result<Value, SourceError> {
        let own = &mut self.shared.own;
        let (replies, round_trip) =
            Self::exchange_on(connection, Some(database), Asked::One(command), own).await?;
        self.round_trip = round_trip;
        Ok(replies.into_iter().next().unwrap_or(Value::Nil))
    }

    /// Subscribes on a connection made by [`connect_for_push`](Self::connect_for_push).
    pub(crate) async fn subscribe_on(
        &mut self,
        connection: &mut Connection,
        channels: &[String],
    ) -> Result<(), SourceError> {
        connection.subscribe(channels, &mut self.shared.own.commands).await
    }
}
