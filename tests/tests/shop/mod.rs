//! A shop's cache for the window to watch: a real server with products and sessions.

use anyhow::Result;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use redis::aio::MultiplexedConnection;

/// Products, and as many sessions.
pub(crate) const KEYS: usize = 300;

/// What documents it, with more lines about its sessions and with rules.
pub(crate) fn strategy(of_sessions: &str, rules: &str) -> String {
    format!(
        r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "product"
title = "Products"
template = "product:{{id}}"
ttl = "1h"

[[namespace]]
name = "session"
title = "Sessions"
template = "session:{{token}}"
ttl = "24h"
{of_sessions}

{rules}
"#
    )
}

/// A server with `KEYS` products and sessions that announces what `events` (`notify-keyspace-events`) names.
pub(crate) async fn filled(events: Option<&str>) -> Result<(RedisServer, MultiplexedConnection)> {
    let options = RedisOptions {
        notify_keyspace_events: events.map(str::to_owned),
        config: vec![("maxmemory".to_owned(), "64mb".to_owned())],
        ..RedisOptions::default()
    };
    let server = RedisServer::start(options).await?;
    let mut connection = server.connection().await?;
    let mut fill = redis::pipe();
    for id in 0..KEYS {
        fill.cmd("SET").arg(format!("product:{id}")).arg("x".repeat(100)).arg("EX").arg(3_600).ignore();
        fill.cmd("SET").arg(format!("session:{id}")).arg("s").arg("EX").arg(86_400).ignore();
    }
    let () = fill.query_async(&mut connection).await?;
    Ok((server, connection))
}

/// How many keys begin with `prefix`.
pub(crate) async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Result<usize> {
    let all: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(connection).await?;
    Ok(all.len())
}
