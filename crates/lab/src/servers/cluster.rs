//! A Redis Cluster: three primaries and a replica of each.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;

use super::port::free_port;
use super::redis_server::{Mode, RedisOptions, RedisServer};
use super::sentinel::await_info;
use crate::error::LabError;

const PRIMARIES: u16 = 3;
const REPLICAS: u16 = 3;
/// Slots of a cluster (Redis Cluster specification, "Key distribution model").
const SLOTS: u16 = 16_384;
const AGREED_WITHIN: Duration = Duration::from_secs(30);

/// A running cluster. Dropping it ends all processes.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts six nodes, shares the slots out and waits until every node calls the cluster ok and every
    /// replica follows its primary. TLS is not supported here.
    ///
    /// # Errors
    /// When a server does not start or the nodes do not agree in time.
    pub async fn start(options: RedisOptions) -> Result<Self, LabError> {
        let mut options = options;
        options.config.push(("repl-diskless-sync-delay".to_owned(), "0".to_owned()));
        options.config.push(("cluster-node-timeout".to_owned(), "5000".to_owned()));
        if let Some(password) = &options.password {
            options.config.push(("masterauth".to_owned(), password.clone()));
        }
        let mut nodes = Vec::new();
        for _ in 0..PRIMARIES + REPLICAS {
            let mode = || Ok(Mode::Cluster { bus: free_port()? });
            nodes.push(RedisServer::start_as(options.clone(), mode).await?);
        }
        let cluster = Self { nodes };
        cluster.form().await?;
        Ok(cluster)
    }

    async fn form(&self) -> Result<(), LabError> {
        let mut ids = Vec::new();
        for (place, node) in (0u16..).zip(&self.nodes) {
            let mut connection = node.connection().await?;
            ids.push(cluster::<String>(&mut connection, &["MYID"]).await?);
            // Distinct epochs spare the nodes a round of collisions.
            cluster::<()>(&mut connection, &["SET-CONFIG-EPOCH", &(place + 1).to_string()]).await?;
            if place < PRIMARIES {
                let first = SLOTS / PRIMARIES * place;
                let last =
                    if place + 1 == PRIMARIES { SLOTS - 1 } else { SLOTS / PRIMARIES * (place + 1) - 1 };
                let range = [first.to_string(), last.to_string()];
                cluster::<()>(&mut connection, &["ADDSLOTSRANGE", &range[0], &range[1]]).await?;
            }
        }
        let mut first = self.nodes[0].connection().await?;
        for node in &self.nodes[1..] {
            let bus = node.bus_port().to_string();
            let port = node.port().to_string();
            cluster::<()>(&mut first, &["MEET", "127.0.0.1", &port, &bus]).await?;
        }
        for node in &self.nodes {
            await_nodes(node, &ids).await?;
        }
        for (place, node) in self.replicas().iter().enumerate() {
            let mut connection = node.connection().await?;
            cluster::<()>(&mut connection, &["REPLICATE", &ids[place % usize::from(PRIMARIES)]]).await?;
        }
        for node in self.replicas() {
            let up = |info: &str| info.contains("role:slave") && info.contains("master_link_status:up");
            await_info(node, "replication", "a replica that follows its primary", up).await?;
        }
        for node in &self.nodes {
            self.await_ok(node).await?;
        }
        Ok(())
    }

    async fn await_ok(&self, node: &RedisServer) -> Result<(), LabError> {
        let begun = Instant::now();
        let mut connection = node.connection().await?;
        loop {
            let info: String = cluster(&mut connection, &["INFO"]).await?;
            let shards: Vec<redis::Value> = cluster(&mut connection, &["SLOTS"]).await?;
            // Each row is [first slot, last slot, primary, replica…]: replicas known means three or more.
            let followed = shards.iter().filter(|row| matches!(row, redis::Value::Array(it) if it.len() > 3));
            if info.contains("cluster_state:ok") && followed.count() == usize::from(PRIMARIES) {
                return Ok(());
            }
            if begun.elapsed() > AGREED_WITHIN {
                let seen = info.lines().map(str::trim).collect::<Vec<_>>().join(" / ");
                let what = "a cluster that calls itself ok";
                return Err(LabError::NoAgreement { what, after: AGREED_WITHIN, seen });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All nodes, the three that started as primaries first.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// One of them, to be stopped or started again.
    pub fn node_mut(&mut self, place: usize) -> Option<&mut RedisServer> {
        self.nodes.get_mut(place)
    }

    /// The nodes that started as primaries.
    #[must_use]
    pub fn primaries(&self) -> &[RedisServer] {
        &self.nodes[..usize::from(PRIMARIES)]
    }

    /// The nodes that started as replicas, in the order of their primaries.
    #[must_use]
    pub fn replicas(&self) -> &[RedisServer] {
        &self.nodes[usize::from(PRIMARIES)..]
    }

    /// The URL of one node, from which a client finds the others.
    #[must_use]
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The URLs of all nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }
}

async fn await_nodes(node: &RedisServer, ids: &[String]) -> Result<(), LabError> {
    let begun = Instant::now();
    let mut connection = node.connection().await?;
    loop {
        let known: String = cluster(&mut connection, &["NODES"]).await?;
        if ids.iter().all(|id| known.contains(id)) && !known.contains("handshake") {
            return Ok(());
        }
        if begun.elapsed() > AGREED_WITHIN {
            let what = "a cluster whose nodes know each other";
            return Err(LabError::NoAgreement {
                what,
                after: AGREED_WITHIN,
                seen: known.replace('\n', " / "),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn cluster<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    arguments: &[&str],
) -> Result<T, LabError> {
    let mut command = redis::cmd("CLUSTER");
    for argument in arguments {
        command.arg(*argument);
    }
    let what = format!("run CLUSTER {}", arguments.first().unwrap_or(&""));
    command.query_async(connection).await.map_err(LabError::redis(what))
}
