//! INFO over a session: what is read, what is subtracted, and what happens when the server goes.

use std::time::Duration;

use cachescope_lab::servers::RedisOptions;
use cachescope_model::observation::Observed;
use cachescope_model::server::ServerInfo;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::info::{InfoOptions, run};

use super::watch::{Watch, node, server};

const QUICK: InfoOptions = InfoOptions { every: Duration::from_millis(20) };

async fn next_info(watch: &mut Watch) -> ServerInfo {
    watch
        .until(|what| match what {
            Observed::Info(info) => Some(*info),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn the_counters_of_a_real_server_are_read() {
    let config = vec![("maxmemory".to_owned(), "100mb".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    pipeline.cmd("SET").arg("a").arg("1").cmd("GET").arg("a").cmd("GET").arg("b").cmd("SELECT").arg(3);
    pipeline.cmd("SET").arg("c").arg("1").arg("EX").arg(100);
    pipeline.exec_async(&mut connection).await.expect("writes");

    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let info = next_info(&mut watch).await;
    assert_eq!((info.keyspace_hits, info.keyspace_misses), (1, 1));
    assert_eq!(
        (info.engine.as_str(), info.mode.as_str(), info.role.as_str()),
        ("redis", "standalone", "master")
    );
    assert_eq!(info.maxmemory, 100 * 1024 * 1024);
    assert!(info.used_memory > 0 && info.total_system_memory > 0 && info.run_id.len() == 40);
    let databases: Vec<_> = info.databases.iter().map(|db| (db.database, db.keys, db.expires)).collect();
    assert_eq!(databases, [(0, 1, 0), (3, 1, 1)]);
    let get = info.commands.iter().find(|stat| stat.command == "get").expect("GET was called");
    assert_eq!(get.calls, 2);
    assert!(info.round_trip_seconds > 0.0);
    watch.status(SourceId::Info, SourceHealth::Ok).await;
}

#[tokio::test]
async fn a_user_without_info_learns_the_rule_and_a_granted_rule_is_noticed() {
    let users = vec!["ann on >pw +ping".to_owned()];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), QUICK));
    let status = watch.status(SourceId::Info, SourceHealth::Unavailable).await;
    assert_eq!(status.remedy, "ACL SETUSER ann +info");
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("ann")
        .arg("+info")
        .exec_async(&mut connection)
        .await
        .expect("grants");
    next_info(&mut watch).await;
    watch.status(SourceId::Info, SourceHealth::Ok).await;
}

#[tokio::test]
async fn a_lost_server_is_reported_once_and_found_again_with_its_new_run_id() {
    let mut server = server(RedisOptions::default()).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let before = next_info(&mut watch).await;
    server.stop();
    let status = watch.status(SourceId::Info, SourceHealth::Failed).await;
    assert!(status.detail.contains(&server.address()), "{}", status.detail);
    server.restart().await.expect("starts again");
    let after = next_info(&mut watch).await;
    assert_ne!(after.run_id, before.run_id);
    assert!(after.own.commands > before.own.commands, "our own count goes on over the restart");
    watch.status(SourceId::Info, SourceHealth::Ok).await;
}

#[tokio::test]
async fn cancelling_ends_the_source_at_once_even_when_the_server_is_gone() {
    let server = server(RedisOptions::default()).await;
    let address = server.address();
    drop(server);
    let mut watch = Watch::new();
    let running = tokio::spawn(run(watch.context.clone(), node(&address), QUICK));
    watch.status(SourceId::Info, SourceHealth::Failed).await;
    watch.end().await;
    running.await.expect("it ended");
}
