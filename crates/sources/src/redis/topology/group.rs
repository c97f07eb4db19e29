//! A primary and its replicas outside a cluster, as INFO replication tells of them.

use redis::{Pipeline, Value};

use super::super::command::text;
use super::super::node::Gate;
use super::reply::Told;
use crate::error::SourceError;

/// What one server says of itself and its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replication {
    /// Tells servers apart that are known by several names; empty where it isn't told.
    pub(super) run_id: String,
    /// Whether it is a replica.
    pub(super) replica: bool,
    /// Its primary, where it is a replica.
    pub(super) primary: Option<Told>,
    /// Its replicas.
    pub(super) replicas: Vec<Told>,
    /// Whether it is a node of a cluster.
    pub(super) cluster: bool,
}

/// Asks one server. What it refuses stays empty.
///
/// # Errors
/// When the connection fails.
pub(super) async fn ask(gate: &mut Gate<'_>) -> Result<Replication, SourceError> {
    let mut asked = Pipeline::new();
    // Asked one by one, because several sections in one command are known since 7.0 only.
    for section in ["server", "replication", "cluster"] {
        asked.cmd("INFO").arg(section);
    }
    let replies = gate.ask_many(gate.database(), &asked).await?;
    let told: Vec<String> =
        replies.iter().filter(|reply| !matches!(reply, Value::ServerError(_))).filter_map(text).collect();
    Ok(parse(&told.join("\n")))
}

fn parse(info: &str) -> Replication {
    let mut told = Replication::default();
    let (mut host, mut port) = (None, None);
    for line in info.lines() {
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        match name {
            "run_id" => value.clone_into(&mut told.run_id),
            "role" => told.replica = matches!(value, "slave" | "replica"),
            "redis_mode" | "server_mode" => told.cluster |= value == "cluster",
            "cluster_enabled" => told.cluster |= value == "1",
            "master_host" => host = Some(value.to_owned()).filter(|host| !host.is_empty() && host != "?"),
            "master_port" => port = value.parse().ok().filter(|port| *port != 0),
            _ if name.strip_prefix("slave").is_some_and(|rest| rest.parse::<u32>().is_ok()) => {
                told.replicas.extend(replica(value));
            }
            _ => {}
        }
    }
    if let (true, Some(host), Some(port)) = (told.replica, host, port) {
        told.primary = Some(Told { host: Some(host), port });
    }
    told
}

/// `ip=10.0.0.2,port=6379,state=online,offset=1,lag=0`
fn replica(value: &str) -> Option<Told> {
    let part = |wanted: &str| value.split(',').find_map(|part| part.strip_prefix(wanted)?.strip_prefix('='));
    let host = part("ip").filter(|host| !host.is_empty() && *host != "?")?;
    let port = part("port")?.parse().ok().filter(|port| *port != 0)?;
    Some(Told { host: Some(host.to_owned()), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_tell_their_replicas_and_replicas_their_primary() {
        let at = |host: &str, port| Told { host: Some(host.to_owned()), port };
        let primary = parse(
            "run_id:abc\r\nredis_mode:standalone\r\n# Replication\r\nrole:master\r\nconnected_slaves:3\r\n\
             slave0:ip=10.0.0.2,port=6380,state=online,offset=5,lag=0\r\nslave1:ip=::1,port=7,state=wait_bgsave\r\n\
             slave2:ip=10.0.0.4,port=0,state=online\r\nslave_repl_offset:9\r\n# Cluster\r\ncluster_enabled:0\r\n",
        );
        let expected = Replication {
            run_id: "abc".to_owned(),
            replicas: vec![at("10.0.0.2", 6380), at("::1", 7)],
            ..Replication::default()
        };
        assert_eq!(primary, expected);
        let replica = parse("role:slave\nmaster_host:cache\nmaster_port:6379\ncluster_enabled:1\n");
        assert_eq!(replica.primary, Some(at("cache", 6379)));
        assert!(replica.replica && replica.cluster);
        assert_eq!(parse("nonsense\n:\nslavex:ip=a,port=1"), Replication::default());
    }
}
