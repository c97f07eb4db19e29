//! The servers that an action reaches: every primary, each known by its `run_id`.

use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_model::topology::{NodeRole, TopologyKind};
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::topology::Discovered;
use cachescope_sources::redis::walks_over_tables;
use redis::Value;

use crate::failure::Failure;

/// One primary.
#[derive(Clone, Debug)]
pub struct Server {
    /// The server as everything of ours shares it.
    pub node: Arc<RedisNode>,
    /// Its name within the deployment.
    pub name: String,
    /// What it drew at its start; another one after every restart.
    pub run_id: String,
    /// Major and minor version.
    pub version: (u32, u32),
    /// Bytes of `maxmemory`; 0 where none is set.
    pub maxmemory: u64,
    /// It evicts by how often keys are used, and so counts that instead of since when they are not.
    pub counts_uses: bool,
    /// Hits and misses since its start, ours among them.
    pub lookups: (u64, u64),
    /// SCAN walks through one hash table a database as Redis, Valkey and KeyDB do outside of cluster mode.
    pub walks_one_table: bool,
    /// Keys by logical database, for those that hold some.
    pub databases: BTreeMap<u16, u64>,
}

/// Every primary of a deployment.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Whether keys are spread by slots.
    pub cluster: bool,
    /// The primaries, by name.
    pub primaries: Vec<Server>,
}

impl Servers {
    /// Asks every primary what it is. Fails where one of them can't be asked: what can't be seen can't be purged,
    /// and half a purge is none.
    ///
    /// # Errors
    /// Where a server is out of reach, is a replica or takes no writes.
    pub async fn inspect(found: &Discovered) -> Result<Self, Failure> {
        let topology = &found.topology;
        let mut primaries = Vec::new();
        for (seen, node) in topology.nodes.iter().zip(&found.nodes) {
            if seen.role != NodeRole::Primary || seen.slotless {
                continue;
            }
            if seen.is_down() {
                return Err(away(&seen.node, node));
            }
            primaries.push(Server::inspect(node).await?);
        }
        if primaries.is_empty() {
            return Err(if topology.nodes.is_empty() {
                Failure::server("none of the deployment's servers is reached", "check its address")
            } else {
                Failure::refused(
                    "there is no primary among the deployment's servers, and replicas take no writes",
                    "use the primary's address",
                )
            });
        }
        if topology.left_out > 0 {
            return Err(Failure::refused(
                format!("{} of its servers are not watched, so they could not be purged", topology.left_out),
                "",
            ));
        }
        primaries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { cluster: topology.kind == TopologyKind::Cluster, primaries })
    }

    /// The servers of a deployment that is only read: of each part of the keys one server, a replica where there is
    /// one, since that spares the primary.
    ///
    /// # Errors
    /// Where a part of the keys can't be reached.
    pub async fn readable(found: &Discovered) -> Result<Self, Failure> {
        let topology = &found.topology;
        let mut shards: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for (seen, node) in topology.nodes.iter().zip(&found.nodes).filter(|(seen, _)| !seen.slotless) {
            shards.entry(seen.shard).or_default().push((seen, node));
        }
        let mut chosen = Vec::new();
        for mut servers in shards.into_values() {
            // In a Cluster a replica answers no reads unless it is asked to for the whole connection.
            let by_primary = topology.kind == TopologyKind::Cluster;
            servers.sort_by_key(|(seen, _)| (seen.role == NodeRole::Primary) != by_primary);
            let up = servers.iter().find(|(seen, _)| !seen.is_down());
            let (seen, node) = up.unwrap_or(&servers[0]);
            if seen.is_down() {
                return Err(away(&seen.node, node));
            }
            chosen.push(Server::look(node).await?.0);
        }
        if chosen.is_empty() {
            return Err(Failure::server("none of the source's servers is reached", "check its address"));
        }
        Ok(Self { cluster: topology.kind == TopologyKind::Cluster, primaries: chosen })
    }

    /// The `run_id` of every primary.
    #[must_use]
    pub fn run_ids(&self) -> BTreeMap<String, String> {
        self.primaries.iter().map(|server| (server.name.clone(), server.run_id.clone())).collect()
    }

    /// Keys of all of them.
    #[must_use]
    pub fn all_keys(&self) -> u64 {
        self.primaries.iter().flat_map(|server| server.databases.values()).sum()
    }

    /// Whether every one is at least of this version.
    #[must_use]
    pub fn all_at_least(&self, version: (u32, u32)) -> bool {
        self.primaries.iter().all(|server| server.version >= version)
    }
}

/// A server that can't be asked, in the words of what stands in the way: that may be a tunnel.
fn away(name: &str, node: &RedisNode) -> Failure {
    match node.trouble() {
        Some(why) => Failure::server(format!("what {name} holds is not known: {why}"), why.remedy()),
        None => Failure::server(
            format!("{name} can't be reached, so what it holds is not known"),
            "wait until it is back or replaced",
        ),
    }
}

impl Server {
    /// Asks a server what it is.
    ///
    /// # Errors
    /// Where it is out of reach, a replica or takes no writes.
    pub async fn inspect(node: &Arc<RedisNode>) -> Result<Self, Failure> {
        let (server, role) = Self::look(node).await?;
        let name = &server.name;
        match role.as_str() {
            "master" => {}
            "slave" | "replica" => {
                return Err(Failure::refused(
                    format!("{name} is a replica, which takes no writes"),
                    "use the primary's address",
                ));
            }
            _ => {
                return Err(Failure::refused(
                    format!("{name} does not say whether it is a primary, so it counts as none"),
                    "let the user run INFO replication",
                ));
            }
        }
        if server.run_id.is_empty() {
            return Err(Failure::refused(
                format!("{name} does not tell its run_id, so an approval could not be bound to it"),
                "let the user run INFO server",
            ));
        }
        Ok(server)
    }

    /// Asks a server what it is, whatever its role, which comes with it.
    async fn look(node: &Arc<RedisNode>) -> Result<(Self, String), Failure> {
        let name = node.name().to_string();
        let (mut told, mut tables) = (BTreeMap::new(), false);
        for section in ["server", "replication", "memory", "stats", "keyspace"] {
            let mut info = redis::cmd("INFO");
            info.arg(section);
            let reply = node.gate().await.ask(&info).await?;
            let text = text_of(&reply).unwrap_or_default();
            if section == "server" {
                tables = walks_over_tables(&text);
            }
            for line in text.lines() {
                if let Some((field, value)) = line.trim_end().split_once(':') {
                    told.insert(field.to_owned(), value.to_owned());
                }
            }
        }
        let field = |name: &str| told.get(name).map(String::as_str).unwrap_or_default();
        let number = |name: &str| field(name).parse::<u64>().unwrap_or(0);
        let version = field("redis_version");
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        let databases = told.iter().filter_map(|(name, value)| {
            let database = name.strip_prefix("db")?.parse().ok()?;
            let keys = value.split(',').find_map(|part| part.strip_prefix("keys="))?.parse().ok()?;
            Some((database, keys))
        });
        let server = Self {
            node: Arc::clone(node),
            run_id: field("run_id").to_owned(),
            version,
            maxmemory: number("maxmemory"),
            counts_uses: field("maxmemory_policy").ends_with("lfu"),
            lookups: (number("keyspace_hits"), number("keyspace_misses")),
            walks_one_table: field("redis_mode") == "standalone" && tables,
            databases: databases.collect(),
            name,
        };
        Ok((server, field("role").to_owned()))
    }
}

/// A reply as text, where it is one.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// The slot of a key in a Cluster: CRC-16/XMODEM of the key or of its hash tag, modulo 16,384
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>).
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The specification's own check value, and keys with hash tags.
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(slot_of(b"foo{}{bar}"), slot_of(b"foo{}{bar}"));
        assert_ne!(slot_of(b"foo{}{bar}"), slot_of(b"bar"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }
}
