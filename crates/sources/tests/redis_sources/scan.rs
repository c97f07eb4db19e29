//! Scans of a real server: exact counts and weights, every database, any key.

use std::collections::HashMap;
use std::time::Duration;

use cachescope_lab::servers::RedisOptions;
use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanMode, ScanStarted, ScannedKey, Ttl};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::scan::{ScanOptions, run};

use super::watch::{Watch, node, server};

const EXACT: ScanOptions = ScanOptions { mode: ScanMode::Exact, repeat_every: None, unthrottled: true };

/// One scan: how it began, whether it was complete, and its keys by database and name.
struct Scanned {
    started: ScanStarted,
    complete: bool,
    keys: HashMap<(u16, Vec<u8>), ScannedKey>,
}

async fn scanned(watch: &mut Watch) -> Scanned {
    let started = watch
        .until(|what| match what {
            Observed::ScanStarted(started) => Some(started),
            _ => None,
        })
        .await;
    let mut keys = HashMap::new();
    let complete = watch
        .until(|what| match what {
            Observed::ScanChunk(chunk) => {
                assert_eq!(chunk.scan, started.scan);
                for key in chunk.keys {
                    keys.insert((chunk.database, key.key.to_vec()), key);
                }
                None
            }
            Observed::ScanFinished(finished) => {
                assert_eq!(finished.scan, started.scan);
                Some(finished.complete)
            }
            _ => None,
        })
        .await;
    Scanned { started, complete, keys }
}

#[tokio::test]
async fn every_key_of_every_database_is_counted_weighed_and_asked_for_its_ttl() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("connects");
    let odd: &[u8] = b"spaces and\nnewlines\r\n{and} \xff\xfe\0";
    let mut pipeline = redis::pipe();
    for number in 0..2500 {
        pipeline.cmd("SET").arg(format!("user:{number}")).arg(vec![b'v'; number]);
    }
    pipeline.cmd("SET").arg(odd).arg(1).arg("EX").arg(1000);
    pipeline.cmd("SELECT").arg(3).cmd("SET").arg("three").arg(1).cmd("SELECT").arg(0);
    pipeline.exec_async(&mut connection).await.expect("writes");

    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EXACT));
    let scan = scanned(&mut watch).await;
    assert!(scan.complete);
    assert_eq!(scan.started.keys_expected, 2502);
    assert_eq!(scan.keys.len(), 2502);
    let key = &scan.keys[&(0, odd.to_vec())];
    let Some(Ttl::Millis(left)) = key.ttl else { panic!("it has a time to live: {key:?}") };
    assert!((900_000..=1_000_000).contains(&left), "{left}");
    assert_eq!(scan.keys[&(3, b"three".to_vec())].ttl, Some(Ttl::None));
    for number in [0, 1, 100, 2499] {
        let name = format!("user:{number}");
        let usage: u64 =
            redis::cmd("MEMORY").arg("USAGE").arg(&name).query_async(&mut connection).await.expect("weighs");
        assert_eq!(scan.keys[&(0, name.into_bytes())].memory, Some(usage));
    }
    watch.status(SourceId::Scan, SourceHealth::Ok).await;
}

#[tokio::test]
async fn collections_are_weighed_whole_unless_that_would_stall_the_server() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("connects");
    // Fields grow with their number, so that a sample of the first ones would be wrong.
    for (name, fields) in [("small", 300), ("medium", 3000), ("huge", 30_000)] {
        let mut pipeline = redis::pipe();
        for number in 0..fields {
            pipeline.cmd("HSET").arg(name).arg(number).arg(vec![b'v'; 70 + number % 50]);
        }
        pipeline.exec_async(&mut connection).await.expect("writes");
    }
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EXACT));
    let scan = scanned(&mut watch).await;
    for name in ["small", "medium"] {
        let whole = redis::cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0).clone();
        let usage: u64 = whole.query_async(&mut connection).await.expect("weighs");
        assert_eq!(scan.keys[&(0, name.as_bytes().to_vec())].memory, Some(usage), "{name}");
    }
    assert!(scan.keys[&(0, b"huge".to_vec())].memory.is_some_and(|bytes| bytes > 1024 * 1024));
    let status = watch.status(SourceId::Scan, SourceHealth::Partial).await;
    assert!(status.detail.starts_with("1 keys above 1 MiB"), "{}", status.detail);
}

#[tokio::test]
async fn a_sampled_scan_counts_all_and_weighs_its_share() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for number in 0..5000 {
        pipeline.cmd("SET").arg(number).arg(1);
    }
    pipeline.exec_async(&mut connection).await.expect("writes");
    let mut watch = Watch::new();
    let options = ScanOptions {
        mode: ScanMode::Sampled { weigh_every: 10 },
        repeat_every: Some(Duration::ZERO),
        unthrottled: true,
    };
    tokio::spawn(run(watch.context.clone(), node(&server.address()), options));
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let scan = scanned(&mut watch).await;
        numbers.push(scan.started.scan);
        assert_eq!(scan.keys.len(), 5000);
        let weighed = scan.keys.values().filter(|key| key.memory.is_some()).count();
        assert!((450..=550).contains(&weighed), "{weighed}");
        assert!(scan.keys.values().all(|key| key.memory.is_some() == key.ttl.is_some()));
    }
    assert_ne!(numbers[0], numbers[1]);
}

#[tokio::test]
async fn a_gentle_scan_is_as_complete_as_a_fast_one() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for number in 0..1000 {
        pipeline.cmd("SET").arg(number).arg(1);
    }
    pipeline.exec_async(&mut connection).await.expect("writes");
    let mut watch = Watch::new();
    tokio::spawn(run(
        watch.context.clone(),
        node(&server.address()),
        ScanOptions { unthrottled: false, ..EXACT },
    ));
    let scan = scanned(&mut watch).await;
    assert!(scan.complete);
    assert_eq!(scan.keys.len(), 1000);
}

#[tokio::test]
async fn without_permission_to_weigh_keys_are_counted_and_the_rule_is_named() {
    let users = vec!["ann on >pw ~* +scan +info +select".to_owned(), "bob on >pw ~* +info".to_owned()];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("SET").arg("a").arg(1).exec_async(&mut connection).await.expect("writes");
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), EXACT));
    let scan = scanned(&mut watch).await;
    assert!(scan.complete);
    assert_eq!(scan.keys[&(0, b"a".to_vec())].memory, None);
    let status = watch.status(SourceId::Scan, SourceHealth::Partial).await;
    assert_eq!(status.remedy, "ACL SETUSER ann +memory|usage");

    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://bob:pw@{}", server.address())), EXACT));
    let scan = scanned(&mut watch).await;
    assert!(!scan.complete);
    let status = watch.status(SourceId::Scan, SourceHealth::Unavailable).await;
    assert_eq!(status.remedy, "ACL SETUSER bob +scan");
}

#[tokio::test]
async fn an_empty_server_is_scanned_to_nothing() {
    let server = server(RedisOptions::default()).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EXACT));
    let scan = scanned(&mut watch).await;
    assert!(scan.complete && scan.keys.is_empty());
    assert_eq!(scan.started.keys_expected, 0);
}

#[tokio::test]
async fn cancelling_a_scan_under_way_ends_it_without_a_verdict() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for number in 0..5000 {
        pipeline.cmd("SET").arg(number).arg(1);
    }
    pipeline.exec_async(&mut connection).await.expect("writes");
    // With no room for observations it can't get ahead of the test.
    let mut watch = Watch::with_room(1);
    let running = tokio::spawn(run(watch.context.clone(), node(&server.address()), EXACT));
    watch.until(|what| matches!(what, Observed::ScanChunk(_)).then_some(())).await;
    let rest = watch.end().await;
    running.await.expect("it ended");
    assert!(!rest.iter().any(|what| matches!(what, Observed::ScanFinished(_))));
}
