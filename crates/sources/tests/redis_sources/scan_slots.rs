//! Precise scans in cluster mode. Since Redis 7.4 and Valkey 8.0 a server walks slot by slot there; with an older
//! `redis-server` on the path these tests hold for its one table.

use std::collections::HashMap;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::scan::{ScanFinished, ScanMode};
use cachescope_sources::redis::scan::{ScanOptions, Steering, run};

use super::watch::{Watch, node, server};

const KEYS: u64 = 50_000;

/// A cluster of one server, with keys of this kind.
async fn cluster(key: impl Fn(u64) -> String) -> (RedisServer, redis::aio::MultiplexedConnection) {
    let config = vec![("cluster-enabled".to_owned(), "yes".to_owned())];
    let server = server(RedisOptions { config, ..RedisOptions::default() }).await;
    let mut connection = server.connection().await.expect("connects");
    let slots = redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383).clone();
    slots.exec_async(&mut connection).await.expect("takes all slots");
    loop {
        let state: String =
            redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.expect("tells its state");
        if state.contains("cluster_state:ok") {
            break;
        }
        tokio::task::yield_now().await;
    }
    for thousand in 0..KEYS / 1_000 {
        let mut pipeline = redis::pipe();
        for number in thousand * 1_000..(thousand + 1) * 1_000 {
            pipeline.cmd("SET").arg(key(number)).arg("value");
        }
        pipeline.exec_async(&mut connection).await.expect("writes");
    }
    (server, connection)
}

/// One precise scan that is told that it is enough from so many keys on: how often it handed on each key, how many it
/// said there are, and how it ended.
async fn scanned(server: &RedisServer, enough: u64) -> (HashMap<Vec<u8>, u32>, u64, ScanFinished) {
    let options = ScanOptions {
        mode: ScanMode::Precise { half_width: 0.02 },
        repeat_every: None,
        unthrottled: true,
        steering: Steering::default(),
    };
    let mut watch = Watch::with_room(4);
    let name = watch.context.node.clone();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), options.clone()));
    let (mut keys, mut said) = (HashMap::<Vec<u8>, u32>::new(), 0);
    let finished = watch
        .until(|what| match what {
            Observed::ScanChunk(chunk) => {
                said = chunk.database_keys;
                for key in chunk.keys {
                    *keys.entry(key.key.to_vec()).or_default() += 1;
                }
                if keys.len() as u64 >= enough {
                    options.steering.enough(&name, chunk.scan);
                }
                None
            }
            Observed::ScanFinished(finished) => Some(finished),
            _ => None,
        })
        .await;
    assert!(finished.complete);
    (keys, said, finished)
}

#[tokio::test]
async fn a_precise_scan_in_cluster_mode_stops_when_it_is_told_with_keys_of_all_slots() {
    let (server, mut connection) = cluster(|number| format!("user:{number}")).await;
    let (keys, said, finished) = scanned(&server, 5_000).await;
    assert!(!finished.whole);
    assert!((5_000..25_000).contains(&keys.len()), "{}", keys.len());
    assert_eq!(said, KEYS);
    assert!(keys.values().all(|times| *times == 1), "no key is met twice");
    let mut eighths = [0; 8];
    for key in keys.keys().take(800) {
        let slot: usize =
            redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut connection).await.expect("a slot");
        eighths[slot / 2_048] += 1;
    }
    // Some two dozen segments at random, each a fiftieth of the slots.
    assert!(eighths.iter().filter(|met| **met > 0).count() >= 5, "{eighths:?}");
}

#[tokio::test]
async fn a_precise_scan_in_cluster_mode_that_is_never_enough_meets_every_key_once() {
    let (server, _) = cluster(|number| format!("user:{number}")).await;
    let (keys, _, finished) = scanned(&server, u64::MAX).await;
    assert!(finished.whole);
    assert_eq!(keys.len() as u64, KEYS);
    assert!(keys.values().all(|times| *times == 1), "no key is met twice");
}

#[tokio::test]
async fn keys_with_hash_tags_are_all_met_where_a_server_walks_slot_by_slot() {
    let (server, mut connection) = cluster(|number| format!("user:{{{}}}:{number}", number % 7)).await;
    let about: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.expect("INFO");
    let version = about.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    let by_slot = about.contains("valkey_version:")
        || !["5.", "6.", "7.0", "7.2"].iter().any(|older| version.starts_with(older));
    let (keys, _, finished) = scanned(&server, 5_000).await;
    assert_eq!(finished.whole, by_slot, "{version}");
    assert!(keys.values().all(|times| *times == 1), "no key is met twice");
    assert!(!by_slot || keys.len() as u64 == KEYS, "{}", keys.len());
}
