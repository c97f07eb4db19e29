//! The command sample where something stands in its way, and over every kind of connection.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::sample::{CommandBurst, KeyUse};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::commands::{CommandsOptions, run};
use cachescope_sources::redis::info::{self, InfoOptions};
use cachescope_sources::redis::{ConnectOptions, TlsOptions};

use super::watch::{Watch, node, node_with, server};

fn quick() -> CommandsOptions {
    CommandsOptions { recheck_every: Duration::from_millis(50), ..CommandsOptions::default() }
}

async fn burst(watch: &mut Watch) -> CommandBurst {
    watch
        .until(|what| match what {
            Observed::Commands(burst) => Some(burst),
            _ => None,
        })
        .await
}

/// Reads a key again and again until a burst tells of it: one read may fall between two bursts.
async fn sees_a_read(watch: &mut Watch, server: &RedisServer) -> CommandBurst {
    let mut connection = server.connection().await.expect("connects");
    let reading = async {
        loop {
            let read = redis::cmd("GET").arg("some key").query_async::<Option<i64>>(&mut connection).await;
            assert_eq!(read.expect("answers"), None);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let seeing = async {
        loop {
            let burst = burst(watch).await;
            if burst.keys.iter().any(|key| key.used == KeyUse::Lookup && key.key == b"some key") {
                return burst;
            }
        }
    };
    tokio::select! {
        burst = seeing => burst,
        () = reading => unreachable!("it reads until the other is done"),
    }
}

async fn acl(server: &RedisServer, rules: &str) {
    let mut connection = server.connection().await.expect("connects");
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("ann");
    rules.split(' ').for_each(|rule| {
        command.arg(rule);
    });
    command.exec_async(&mut connection).await.expect("sets");
}

#[tokio::test]
async fn each_right_that_is_missing_is_named_with_its_remedy_and_found_when_it_is_given() {
    let users = vec!["ann on >pw resetchannels +ping +hello +info +config|get +reset".to_owned()];
    let flags = Some("Em".to_owned());
    let server = server(RedisOptions { users, notify_keyspace_events: flags, ..Default::default() }).await;
    let mut watch = Watch::new();
    let node = node(&format!("redis://ann:pw@{}", server.address()));
    tokio::spawn(run(watch.context.clone(), node, quick()));
    for (rule, given) in [("+monitor", "+monitor"), ("+wait", "+wait")] {
        let status = watch
            .until(|what| match what {
                Observed::Status(status) if status.remedy.contains(rule) => Some(status),
                Observed::Commands(burst) => panic!("nothing may be told before {rule} is given: {burst:?}"),
                _ => None,
            })
            .await;
        assert_eq!(status.health, SourceHealth::Unavailable, "{status:?}");
        assert_eq!(status.remedy, format!("ACL SETUSER ann {rule}"));
        acl(&server, given).await;
    }
    let status = watch.status(SourceId::Commands, SourceHealth::Partial).await;
    assert!(status.detail.contains("hits can't be told from misses"), "{status:?}");
    assert!(status.remedy.contains("+subscribe") || status.remedy.contains("&__keyevent@*"), "{status:?}");
    assert!(!sees_a_read(&mut watch, &server).await.misses_told);
    acl(&server, "+subscribe &__keyevent@*").await;
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    assert!(sees_a_read(&mut watch, &server).await.misses_told);
}

#[tokio::test]
async fn a_server_without_monitor_is_unavailable_and_without_reset_each_burst_has_its_connection() {
    let config = vec![("rename-command".to_owned(), "MONITOR \"\"".to_owned())];
    let without_monitor = server(RedisOptions { config, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&without_monitor.address()), quick()));
    let status = watch.status(SourceId::Commands, SourceHealth::Unavailable).await;
    assert!(status.detail.contains("has no MONITOR"), "{status:?}");

    let users = vec!["ann on >pw ~* &* +@all -reset".to_owned()];
    let flags = Some("Em".to_owned());
    let without_reset =
        server(RedisOptions { users, notify_keyspace_events: flags, ..Default::default() }).await;
    let mut watch = Watch::new();
    let node = node(&format!("redis://ann:pw@{}", without_reset.address()));
    tokio::spawn(run(watch.context.clone(), node.clone(), quick()));
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    assert!(sees_a_read(&mut watch, &without_reset).await.misses_told);
    // Ours are counted exactly here too.
    let every = InfoOptions { every: Duration::from_millis(3) };
    tokio::spawn(info::run(watch.context.clone(), node, every));
    let (mut first, mut bursts, mut infos) = (None, 0, 0);
    while bursts < 4 || infos < 50 {
        match watch.next().await.what {
            Observed::Commands(_) => bursts += 1,
            Observed::Info(info) => {
                infos += 1;
                let others = info.commands_processed.cast_signed() - info.own.commands.cast_signed();
                assert_eq!(*first.get_or_insert(others), others, "after {bursts} bursts");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn misses_that_are_not_announced_are_not_taken_for_hits() {
    let server = server(RedisOptions::default()).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), quick()));
    let status = watch.status(SourceId::Commands, SourceHealth::Partial).await;
    assert!(status.detail.contains("does not announce misses"), "{status:?}");
    assert!(!sees_a_read(&mut watch, &server).await.misses_told);
    let mut connection = server.connection().await.expect("connects");
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("notify-keyspace-events").arg("Em").exec_async(&mut connection).await.expect("sets");
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    assert!(sees_a_read(&mut watch, &server).await.misses_told);
}

#[tokio::test]
async fn a_server_that_restarts_is_sampled_again() {
    let flags = Some("Em".to_owned());
    let mut server = server(RedisOptions { notify_keyspace_events: flags, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), quick()));
    sees_a_read(&mut watch, &server).await;
    server.stop();
    watch.status(SourceId::Commands, SourceHealth::Failed).await;
    server.restart().await.expect("starts again");
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    sees_a_read(&mut watch, &server).await;
}

#[tokio::test]
async fn tls_passwords_users_and_unix_sockets_work_as_well() {
    let flags = Some("Em".to_owned());
    let tls = server(RedisOptions {
        tls: true,
        password: Some("s3cret word".to_owned()),
        notify_keyspace_events: flags.clone(),
        ..Default::default()
    })
    .await;
    let made = tls.certificates().expect("it speaks TLS");
    let files = TlsOptions { ca: Some(made.ca.clone()), ..TlsOptions::default() };
    let options = ConnectOptions { tls: files, ..ConnectOptions::default() };
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node_with(&tls.url(), options), quick()));
    assert!(sees_a_read(&mut watch, &tls).await.misses_told);

    let socket = server(RedisOptions {
        unix_socket: true,
        users: vec!["ann on >pw ~* &* +@all".to_owned()],
        notify_keyspace_events: flags,
        ..Default::default()
    })
    .await;
    let path = socket.unix_socket().expect("it listens on one");
    let mut watch = Watch::new();
    let node = node(&format!("unix://{}?user=ann&pass=pw", path.display()));
    tokio::spawn(run(watch.context.clone(), node.clone(), quick()));
    // Over a unix socket all clients have the same address: ours are told apart all the same.
    tokio::spawn(info::run(watch.context.clone(), node, InfoOptions { every: Duration::from_millis(5) }));
    let seen = sees_a_read(&mut watch, &socket).await;
    assert!(seen.misses_told && seen.names.iter().all(|name| &**name == "get"), "{seen:?}");
}

#[tokio::test]
async fn a_replica_says_why_it_cannot_be_sampled_and_is_sampled_once_it_is_promoted() {
    let primary = server(RedisOptions::default()).await;
    let config = vec![("replicaof".to_owned(), format!("127.0.0.1 {}", primary.port()))];
    let replica = server(RedisOptions { config, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&replica.address()), quick()));
    let status = watch.status(SourceId::Commands, SourceHealth::Unavailable).await;
    assert!(status.detail.contains("is a replica") && status.remedy.contains("primary"), "{status:?}");
    let mut connection = replica.connection().await.expect("connects");
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut connection).await.expect("is promoted");
    sees_a_read(&mut watch, &replica).await;
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(primary.port())
        .exec_async(&mut connection)
        .await
        .expect("demoted");
    watch.status(SourceId::Commands, SourceHealth::Unavailable).await;
}
