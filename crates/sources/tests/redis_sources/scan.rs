//! Scans of a real server: exact counts and weights, every database, any key.

use std::collections::HashMap;
use std::time::Duration;

use cachescope_lab::servers::RedisOptions;
use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanMode, ScanStarted, ScannedKey, Ttl};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::scan::{ScanOptions, Steering, run};

use super::watch::{Watch, node, server};

fn exact() -> ScanOptions {
    ScanOptions {
        mode: ScanMode::Exact,
        repeat_every: None,
        unthrottled: true,
        steering: Steering::default(),
    }
}

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
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
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
    redis::cmd("SET")
        .arg("string")
        .arg(vec![b'v'; 2_000_000])
        .exec_async(&mut connection)
        .await
        .expect("writes");
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
    let scan = scanned(&mut watch).await;
    for name in ["small", "medium"] {
        let whole = redis::cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0).clone();
        let usage: u64 = whole.query_async(&mut connection).await.expect("weighs");
        assert_eq!(scan.keys[&(0, name.as_bytes().to_vec())].memory, Some(usage), "{name}");
    }
    let huge = &scan.keys[&(0, b"huge".to_vec())];
    assert!(huge.memory.is_some_and(|bytes| bytes > 1024 * 1024) && huge.partly_weighed, "{huge:?}");
    let string = &scan.keys[&(0, b"string".to_vec())];
    assert!(string.memory.is_some_and(|bytes| bytes > 2_000_000) && !string.partly_weighed, "{string:?}");
    assert!(scan.keys.values().filter(|key| key.partly_weighed).count() == 1);
    let status = watch.status(SourceId::Scan, SourceHealth::Partial).await;
    assert!(status.detail.starts_with("1 keys above 1024 KiB"), "{}", status.detail);
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
        ..exact()
    };
    tokio::spawn(run(watch.context.clone(), node(&server.address()), options));
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let scan = scanned(&mut watch).await;
        numbers.push(scan.started.scan);
        assert_eq!(scan.keys.len(), 5000);
        let weighed = scan.keys.values().filter(|key| key.memory.is_some()).count();
        // The first 300, and one in ten of the others.
        assert!((769..=771).contains(&weighed), "{weighed}");
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
        ScanOptions { unthrottled: false, ..exact() },
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
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), exact()));
    let scan = scanned(&mut watch).await;
    assert!(scan.complete);
    assert_eq!(scan.keys[&(0, b"a".to_vec())].memory, None);
    let status = watch.status(SourceId::Scan, SourceHealth::Partial).await;
    assert_eq!(status.remedy, "ACL SETUSER ann +memory|usage");

    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://bob:pw@{}", server.address())), exact()));
    let scan = scanned(&mut watch).await;
    assert!(!scan.complete);
    let status = watch.status(SourceId::Scan, SourceHealth::Unavailable).await;
    assert_eq!(status.remedy, "ACL SETUSER bob +scan");
}

#[tokio::test]
async fn an_empty_server_is_scanned_to_nothing() {
    let server = server(RedisOptions::default()).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
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
    let running = tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
    watch.until(|what| matches!(what, Observed::ScanChunk(_)).then_some(())).await;
    let rest = watch.end().await;
    running.await.expect("it ended");
    assert!(!rest.iter().any(|what| matches!(what, Observed::ScanFinished(_))));
}

async fn fill(server: &cachescope_lab::servers::RedisServer, keys: usize) {
    let mut connection = server.connection().await.expect("connects");
    for portion in 0..keys.div_ceil(10_000) {
        let mut pipeline = redis::pipe();
        for number in portion * 10_000..(portion * 10_000 + 10_000).min(keys) {
            pipeline.cmd("SET").arg(format!("user:{number}")).arg(1).arg("EX").arg(5_000);
        }
        pipeline.exec_async(&mut connection).await.expect("writes");
    }
}

#[tokio::test]
async fn a_sample_of_the_keys_is_asked_what_it_is_and_the_heaviest_are() {
    let server = server(RedisOptions::default()).await;
    fill(&server, 2_000).await;
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("RPUSH")
        .arg("user:list")
        .arg(vec!["x".repeat(50); 500])
        .exec_async(&mut connection)
        .await
        .expect("writes");
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
    let scan = scanned(&mut watch).await;
    let list = scan.keys[&(0, b"user:list".to_vec())].details.as_deref().expect("the heaviest is asked");
    assert_eq!((list.kind.as_deref(), list.encoding.as_deref()), (Some("list"), Some("quicklist")));
    assert!(list.idle_seconds.is_some());
    let by_lot = scan.keys.values().filter_map(|key| key.details.as_deref()).filter(|details| details.by_lot);
    let kinds: Vec<_> = by_lot.map(|details| details.kind.as_deref()).collect();
    assert!((30..60).contains(&kinds.len()), "{}", kinds.len());
    assert!(kinds.iter().filter(|kind| **kind == Some("string")).count() + 1 >= kinds.len());
}

#[tokio::test]
async fn a_precise_scan_stops_when_it_is_told_and_knows_how_many_keys_there_are() {
    let server = server(RedisOptions::default()).await;
    fill(&server, 50_000).await;
    let options = ScanOptions { mode: ScanMode::Precise { half_width: 0.02 }, ..exact() };
    let mut watch = Watch::with_room(4);
    tokio::spawn(run(watch.context.clone(), node(&server.address()), options.clone()));
    let (mut met, mut said) = (0u64, 0);
    let finished = watch
        .until(|what| match what {
            Observed::ScanChunk(chunk) => {
                met += chunk.keys.len() as u64;
                said = chunk.database_keys;
                if met >= 5_000 {
                    options.steering.enough(&"test:1".into(), chunk.scan);
                }
                None
            }
            Observed::ScanFinished(finished) => Some(finished),
            _ => None,
        })
        .await;
    assert!(finished.complete && !finished.whole);
    assert!((5_000..15_000).contains(&met), "{met}");
    assert_eq!(said, 50_000);
}

#[tokio::test]
async fn keys_that_expired_unseen_do_not_count_among_those_that_are_there() {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("DEBUG")
        .arg("SET-ACTIVE-EXPIRE")
        .arg(0)
        .exec_async(&mut connection)
        .await
        .expect("keeps keys");
    fill(&server, 40_000).await;
    let mut pipeline = redis::pipe();
    for number in 0..20_000 {
        pipeline.cmd("SET").arg(format!("gone:{number}")).arg(1).arg("PX").arg(1);
    }
    pipeline.exec_async(&mut connection).await.expect("writes");
    let options = ScanOptions { mode: ScanMode::Precise { half_width: 0.02 }, ..exact() };
    let mut watch = Watch::with_room(4);
    tokio::spawn(run(watch.context.clone(), node(&server.address()), options.clone()));
    let (mut met, mut said) = (0u64, 0);
    watch
        .until(|what| match what {
            Observed::ScanChunk(chunk) => {
                met += chunk.keys.len() as u64;
                said = chunk.database_keys;
                if met >= 8_000 {
                    options.steering.enough(&"test:1".into(), chunk.scan);
                }
                None
            }
            Observed::ScanFinished(finished) => Some(finished),
            _ => None,
        })
        .await;
    // DBSIZE said 60,000; of 8,000 keys met, three standard deviations are 3 %.
    assert!((38_000..42_000).contains(&said), "{said} after {met}");
}

#[tokio::test]
async fn a_scan_whose_connection_is_cut_goes_on_where_it_was() {
    let server = server(RedisOptions::default()).await;
    fill(&server, 30_000).await;
    let mut lab = server.connection().await.expect("connects");
    let mut watch = Watch::with_room(2);
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
    let mut keys = HashMap::<Vec<u8>, u32>::new();
    let (mut cuts, mut starts) = (0, 0);
    loop {
        match watch.next().await.what {
            Observed::ScanStarted(_) => starts += 1,
            Observed::ScanChunk(chunk) => {
                for key in chunk.keys {
                    assert!(key.memory.is_some() && key.ttl.is_some());
                    *keys.entry(key.key.to_vec()).or_default() += 1;
                }
                if keys.len() > (cuts + 1) * 8_000 && cuts < 3 {
                    cuts += 1;
                    let mut kill = redis::cmd("CLIENT");
                    kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
                    kill.exec_async(&mut lab).await.expect("kills");
                }
            }
            Observed::ScanFinished(finished) => {
                assert!(finished.complete && finished.whole);
                break;
            }
            _ => {}
        }
    }
    assert_eq!((cuts, starts, keys.len()), (3, 1, 30_000));
    let repeated = keys.values().filter(|times| **times > 1).count();
    assert!(repeated <= 3 * 1_000, "{repeated} keys came again");
}

#[tokio::test]
async fn keys_that_come_and_go_during_a_scan_leave_the_others_complete() {
    let server = server(RedisOptions::default()).await;
    fill(&server, 20_000).await;
    let mut lab = server.connection().await.expect("connects");
    let mut watch = Watch::with_room(1);
    tokio::spawn(run(watch.context.clone(), node(&server.address()), exact()));
    let mut keys = std::collections::HashSet::new();
    let mut round = 0;
    loop {
        match watch.next().await.what {
            Observed::ScanChunk(chunk) => {
                keys.extend(chunk.keys.into_iter().map(|key| key.key));
                let mut pipeline = redis::pipe();
                // The table grows, and shrinks again, while the scan is under way.
                for number in round * 2_000..round * 2_000 + 2_000 {
                    if round < 30 {
                        pipeline.cmd("SET").arg(format!("new:{number}")).arg(1);
                    } else {
                        pipeline.cmd("DEL").arg(format!("new:{}", number % 60_000));
                    }
                }
                pipeline.exec_async(&mut lab).await.expect("writes");
                round += 1;
            }
            Observed::ScanFinished(finished) => {
                assert!(finished.complete && finished.whole);
                break;
            }
            _ => {}
        }
    }
    assert!(round > 30, "the table did shrink: {round} rounds");
    for number in 0..20_000 {
        assert!(keys.contains(format!("user:{number}").as_bytes()), "user:{number} was there all the time");
    }
}

#[tokio::test]
async fn under_an_lfu_policy_idle_times_are_left_out_and_nothing_is_miscounted() {
    let config = vec![("maxmemory-policy".to_owned(), "allkeys-lfu".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    fill(&server, 500).await;
    let node = node(&server.address());
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node.clone(), exact()));
    let scan = scanned(&mut watch).await;
    let details: Vec<_> = scan.keys.values().filter_map(|key| key.details.as_deref()).collect();
    assert!(details.len() >= 30);
    assert!(details.iter().all(|details| details.kind.is_some() && details.idle_seconds.is_none()));
    watch.status(SourceId::Scan, SourceHealth::Ok).await;
    let mut lab = server.connection().await.expect("connects");
    let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut lab).await.expect("INFO");
    let counted = |name: &str| -> u64 {
        let line = stats.lines().find_map(|line| line.strip_prefix(name)).expect("INFO has it");
        line.trim().parse().expect("a number")
    };
    let own = node.gate().await.own();
    assert_eq!((counted("keyspace_hits:"), counted("keyspace_misses:")), (own.hits, own.misses));
}
