//! The connection to Redis: a deadline for every command, and a rest after a failure.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};

use super::{CacheError, CacheOptions};
use crate::ledger::Span;

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// A connection that reconnects.
pub(super) struct Link {
    manager: ConnectionManager,
    command_within: Duration,
    rest: Duration,
    /// Until when Redis is left alone.
    resting_until: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Link").field("resting_until", &self.resting_until).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(client: &redis::Client, options: &CacheOptions) -> Result<Self, CacheError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(options.command_within));
        Ok(Self {
            manager: client.get_connection_manager_lazy(config)?,
            command_within: options.command_within,
            rest: options.rest_after_failure,
            resting_until: Mutex::new(None),
        })
    }

    /// Runs a command. The span tells when it was sent and answered.
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> Result<(T, Span), CacheError> {
        self.awake()?;
        let sent = Instant::now();
        let mut manager = self.manager.clone();
        let answer = self.in_time(manager.req_packed_command(command)).await?;
        let span = Span { sent, answered: Instant::now() };
        Ok((redis::from_redis_value(answer).map_err(redis::RedisError::from)?, span))
    }

    /// Runs commands in one round trip, in order and not as a transaction.
    pub(super) async fn run_all<T: redis::FromRedisValue>(
        &self,
        commands: &redis::Pipeline,
    ) -> Result<(T, Span), CacheError> {
        self.awake()?;
        let sent = Instant::now();
        let mut manager = self.manager.clone();
        let answer = self.in_time(commands.query_async(&mut manager)).await?;
        Ok((answer, Span { sent, answered: Instant::now() }))
    }

    async fn in_time<T>(&self, answer: impl Future<Output = redis::RedisResult<T>>) -> Result<T, CacheError> {
        // The client's own deadlines do not cover waiting for a new connection.
        let limit = self.command_within + CONNECT_WITHIN * 2;
        let result = match tokio::time::timeout(limit, answer).await {
            Ok(result) => result.map_err(CacheError::from),
            Err(_) => Err(CacheError::NoAnswer(format!("nothing within {limit:?}"))),
        };
        if let Err(error) = &result
            && error.is_outage()
        {
            *self.resting_until.lock() = Some(Instant::now() + self.rest);
        }
        result
    }

    fn awake(&self) -> Result<(), CacheError> {
        let mut until = self.resting_until.lock();
        if until.is_some_and(|until| Instant::now() < until) {
            return Err(CacheError::Away("it failed a moment ago".to_owned()));
        }
        *until = None;
        Ok(())
    }
}
