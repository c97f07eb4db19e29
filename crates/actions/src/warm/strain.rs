//! What a server shows of being too full: evictions, and how much room is left.

use cachescope_sources::redis::RedisNode;
use redis::Cmd;

use crate::failure::Failure;
use crate::servers::{Servers, text_of};

/// Memory and evictions of all primaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strain {
    /// Keys evicted since their start.
    pub(crate) evicted: u64,
    /// Bytes that are left below `maxmemory`; `None` where a server has none set.
    pub(crate) room: Option<u64>,
}

impl Strain {
    /// As it is now.
    pub(crate) async fn of(servers: &Servers) -> Result<Self, Failure> {
        let (mut evicted, mut room) = (0, Some(0));
        for server in &servers.primaries {
            let stats = info(&server.node, "stats").await?;
            let memory = info(&server.node, "memory").await?;
            evicted += field(&stats, "evicted_keys").unwrap_or(0);
            room = match (room, field(&memory, "maxmemory"), field(&memory, "used_memory")) {
                (Some(room), Some(most), Some(used)) if most > 0 => Some(room + most.saturating_sub(used)),
                _ => None,
            };
        }
        Ok(Self { evicted, room })
    }
}

async fn info(node: &RedisNode, section: &str) -> Result<String, Failure> {
    let mut asked = Cmd::new();
    asked.arg("INFO").arg(section);
    let reply = node.gate().await.ask(&asked).await?;
    Ok(text_of(&reply).unwrap_or_default())
}

fn field(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}
