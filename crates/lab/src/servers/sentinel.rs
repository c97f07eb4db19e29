//! A Sentinel group: one primary, its replicas and three sentinels.

use std::time::{Duration, Instant};

use super::redis_server::{Mode, RedisOptions, RedisServer};
use crate::error::LabError;

/// How long the group may take to know itself.
const AGREED_WITHIN: Duration = Duration::from_secs(30);

/// How many sentinels: the least that can lose one and still elect.
const SENTINELS: usize = 3;

/// How a Sentinel group is to be started.
#[derive(Clone, Debug)]
pub struct SentinelOptions {
    /// The name under which the sentinels know the primary.
    pub service: String,
    /// How many replicas, at least 1.
    pub replicas: usize,
    /// Options of the primary and the replicas. TLS is not supported here.
    pub redis: RedisOptions,
    /// After how long without answer a sentinel takes the primary for down.
    pub down_after: Duration,
}

impl Default for SentinelOptions {
    fn default() -> Self {
        Self {
            service: "lab".to_owned(),
            replicas: 1,
            redis: RedisOptions::default(),
            down_after: Duration::from_secs(1),
        }
    }
}

/// A running Sentinel group. Dropping it ends all processes.
#[derive(Debug)]
pub struct SentinelGroup {
    // First, so that no sentinel sees the others go.
    sentinels: Vec<RedisServer>,
    replicas: Vec<RedisServer>,
    primary: RedisServer,
    service: String,
}

impl SentinelGroup {
    /// Starts a group and waits until every sentinel knows the primary, the replicas and the other sentinels.
    ///
    /// # Errors
    /// When a server does not start or the group does not agree in time.
    pub async fn start(options: SentinelOptions) -> Result<Self, LabError> {
        let mut data = options.redis.clone();
        data.config.push(("repl-diskless-sync-delay".to_owned(), "0".to_owned()));
        if let Some(password) = &data.password {
            data.config.push(("masterauth".to_owned(), password.clone()));
        }
        let primary = RedisServer::start(data.clone()).await?;
        let mut replicas = Vec::new();
        for _ in 0..options.replicas.max(1) {
            let mut replica = data.clone();
            replica.config.push(("replicaof".to_owned(), format!("127.0.0.1 {}", primary.port())));
            replicas.push(RedisServer::start(replica).await?);
        }
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let config = sentinel_config(&options, primary.port());
            let one = RedisOptions { config, ..RedisOptions::default() };
            sentinels.push(RedisServer::start_as(one, || Ok(Mode::Sentinel)).await?);
        }
        let group = Self { sentinels, replicas, primary, service: options.service };
        group.agreed().await?;
        Ok(group)
    }

    async fn agreed(&self) -> Result<(), LabError> {
        let wanted = format!("status=ok,address={}", self.primary.address());
        let counts = format!("slaves={},sentinels={}", self.replicas.len(), self.sentinels.len());
        for sentinel in &self.sentinels {
            await_info(sentinel, "sentinel", "a Sentinel group that knows itself", |info| {
                info.contains(&wanted) && info.contains(&counts)
            })
            .await?;
        }
        Ok(())
    }

    /// The server that was the primary at the start.
    #[must_use]
    pub fn primary(&self) -> &RedisServer {
        &self.primary
    }

    /// The same, to be stopped for a failover.
    pub fn primary_mut(&mut self) -> &mut RedisServer {
        &mut self.primary
    }

    /// The servers that were replicas at the start.
    #[must_use]
    pub fn replicas(&self) -> &[RedisServer] {
        &self.replicas
    }

    /// The sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The name under which the sentinels know the primary.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }
}

fn sentinel_config(options: &SentinelOptions, port: u16) -> Vec<(String, String)> {
    let SentinelOptions { service, down_after, redis, .. } = options;
    let millis = down_after.as_millis();
    let mut lines = vec![
        format!("monitor {service} 127.0.0.1 {port} 2"),
        format!("down-after-milliseconds {service} {millis}"),
        format!("failover-timeout {service} 5000"),
    ];
    if let Some(password) = &redis.password {
        lines.push(format!("auth-pass {service} {password}"));
    }
    lines.into_iter().map(|line| ("sentinel".to_owned(), line)).collect()
}

/// Asks for one section of INFO until it is as wanted.
pub(super) async fn await_info(
    server: &RedisServer,
    section: &str,
    what: &'static str,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), LabError> {
    let begun = Instant::now();
    let mut connection = server.connection().await?;
    loop {
        let info: String = redis::cmd("INFO")
            .arg(section)
            .query_async(&mut connection)
            .await
            .map_err(LabError::redis(format!("ask for INFO {section}")))?;
        if wanted(&info) {
            return Ok(());
        }
        if begun.elapsed() > AGREED_WITHIN {
            let seen = info.lines().map(str::trim).collect::<Vec<_>>().join(" / ");
            return Err(LabError::NoAgreement { what, after: AGREED_WITHIN, seen });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
