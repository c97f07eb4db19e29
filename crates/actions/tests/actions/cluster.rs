//! The same on a Cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cachescope_actions::plan::{Action, HowToRun, KeyName, Scope};
use cachescope_actions::run_state::RunPhase;
use cachescope_actions::servers::slot_of;
use cachescope_actions::undo::Part;
use cachescope_lab::servers::{RedisCluster, RedisOptions};
use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::support::{Bench, fast, now_ms, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_purged_and_undone_whole_while_writers_are_at_work() {
    const KEYS: usize = 6_000;
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("a client");
    let mut connection = client.get_async_connection().await.expect("it answers");
    for number in 0..KEYS {
        let () = redis::cmd("SET")
            .arg(format!("in:{number}"))
            .arg(format!("value {number}"))
            .arg("EX")
            .arg(3_600)
            .query_async(&mut connection)
            .await
            .expect("set");
    }
    let () = redis::cmd("SET").arg("out:1").arg("v").query_async(&mut connection).await.expect("set");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (mut connection, stop) = (connection.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut last, mut count) = (HashMap::new(), 0_usize);
            while !stop.load(Ordering::Relaxed) {
                let (key, value) = (format!("in:{}", count * 7_919 % KEYS), format!("written {count}"));
                let () =
                    redis::cmd("SET").arg(&key).arg(&value).query_async(&mut connection).await.expect("set");
                last.insert(key, value);
                count += 1;
            }
            last
        })
    };
    let bench = Bench::on(&cluster.url()).await;
    let preview = bench.preview(bench.pattern("in:*", fast())).await.expect("counted");
    assert_eq!((preview.keys, preview.nodes.len()), (KEYS as u64, 3));
    assert!(preview.nodes.iter().all(|node| node.slots > 100), "{:?}", preview.nodes);
    let state = bench.start("1", bench.pattern("in:*", fast())).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert!(state.counts.removed >= KEYS as u64 / 2, "{:?}", state.counts);
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.expect("it ends");
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert!(result.complete && result.failed == 0, "{result:?}");
    for number in 0..KEYS {
        let key = format!("in:{number}");
        let value: Option<String> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await.expect("got");
        let expected = written.get(&key).cloned().unwrap_or_else(|| format!("value {number}"));
        assert_eq!(value.as_deref(), Some(expected.as_str()), "{key}");
    }
    let outside: Option<String> =
        redis::cmd("GET").arg("out:1").query_async(&mut connection).await.expect("got");
    assert_eq!(outside.as_deref(), Some("v"));
}

async fn of_node(connection: &mut MultiplexedConnection, words: &[&str]) -> Value {
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    command.query_async(connection).await.expect(words[0])
}

/// A primary.
struct Owner {
    port: String,
    id: String,
    connection: MultiplexedConnection,
}

/// The primaries, the one that has a slot first.
async fn owners(cluster: &RedisCluster, slot: &str) -> Vec<Owner> {
    let mut owners = Vec::new();
    for node in cluster.primaries() {
        let mut connection = node.connection().await.expect("it answers");
        let Value::BulkString(id) = of_node(&mut connection, &["CLUSTER", "MYID"]).await else {
            panic!("an id")
        };
        let keys = of_node(&mut connection, &["CLUSTER", "COUNTKEYSINSLOT", slot]).await;
        let id = String::from_utf8(id).expect("text");
        owners.push((Owner { port: node.port().to_string(), id, connection }, keys != Value::Int(0)));
    }
    owners.sort_by_key(|(_, owns)| std::cmp::Reverse(*owns));
    owners.into_iter().map(|(owner, _)| owner).collect()
}

/// The usual way of resharding, with the keys moved a few at a time.
async fn move_slot(from: &mut Owner, to: &mut Owner, slot: &str) {
    of_node(&mut to.connection, &["CLUSTER", "SETSLOT", slot, "IMPORTING", &from.id]).await;
    of_node(&mut from.connection, &["CLUSTER", "SETSLOT", slot, "MIGRATING", &to.id]).await;
    loop {
        let some = of_node(&mut from.connection, &["CLUSTER", "GETKEYSINSLOT", slot, "50"]).await;
        let Value::Array(keys) = some else { panic!("keys") };
        if keys.is_empty() {
            break;
        }
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(&to.port).arg("").arg(0).arg(5_000).arg("KEYS");
        for key in keys {
            let Value::BulkString(key) = key else { panic!("a key") };
            migrate.arg(key);
        }
        // Some may be gone by now.
        let _moved: Value = migrate.query_async(&mut from.connection).await.expect("moved");
    }
    of_node(&mut to.connection, &["CLUSTER", "SETSLOT", slot, "NODE", &to.id]).await;
    of_node(&mut from.connection, &["CLUSTER", "SETSLOT", slot, "NODE", &to.id]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_of_moving_slots_every_key_goes_once_and_comes_back_as_it_was() {
    const KEYS: usize = 9_000;
    const MOVES: usize = 12;
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("a client");
    let mut connection = client.get_async_connection().await.expect("it answers");
    // Two thirds of them in two slots, which move back and forth.
    let name = |number: usize| match number % 3 {
        0 => format!("in:{{storm}}:{number}"),
        1 => format!("in:{{hail}}:{number}"),
        _ => format!("in:{number}"),
    };
    for number in 0..KEYS {
        let () = redis::cmd("SET")
            .arg(name(number))
            .arg(format!("value {number}"))
            .arg("EX")
            .arg(36_000)
            .query_async(&mut connection)
            .await
            .expect("set");
    }
    for outside in ["out:{storm}", "out:{hail}"] {
        let () = redis::cmd("SET").arg(outside).arg("v").query_async(&mut connection).await.expect("set");
    }
    let bench = Bench::on(&cluster.url()).await;
    // With a second between waves, so that there are moves before, within and after each.
    let slow = HowToRun { watch_between_waves_ms: 1_000, ..fast() };
    let run = bench.start("1", bench.pattern("in:*", slow)).await.expect("it starts");
    let mut storms = Vec::new();
    for tag in ["{storm}", "{hail}"] {
        let slot = slot_of(tag.as_bytes()).to_string();
        let mut owners = owners(&cluster, &slot).await;
        storms.push(async move {
            let [one, other, ..] = owners.as_mut_slice() else { panic!("three primaries") };
            for _ in 0..MOVES / 2 {
                move_slot(one, other, &slot).await;
                move_slot(other, one, &slot).await;
            }
        });
    }
    futures::future::join_all(storms).await;
    let mut state = run.ended().await;
    if state.phase == RunPhase::Halted {
        // That it can't go on while slots move is one sentence, and it goes on when they don't.
        assert!(
            !state.why.is_empty() && !state.why.contains('\n') && !state.remedy.is_empty(),
            "{}",
            state.why
        );
        let context = bench.context("1", true).await.expect("a context");
        let resumed = cachescope_actions::run::resume(run.record(), context).await.expect("it goes on");
        state = resumed.ended().await;
    }
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    let mut left = Vec::new();
    for node in cluster.primaries() {
        let mut connection = node.connection().await.expect("it answers");
        let Value::Array(keys) = of_node(&mut connection, &["KEYS", "*"]).await else { panic!("keys") };
        left.extend(keys.into_iter().map(|key| match key {
            Value::BulkString(key) => String::from_utf8(key).expect("text"),
            _ => panic!("a key"),
        }));
    }
    left.sort();
    assert_eq!(left, ["out:{hail}", "out:{storm}"], "{:?}", state.counts);
    assert_eq!(state.counts.removed, KEYS as u64, "each once: {:?}", state.counts);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!((result.restored, result.conflicts, result.failed), (KEYS as u64, 0, 0), "{result:?}");
    for number in 0..KEYS {
        let value: Option<String> =
            redis::cmd("GET").arg(name(number)).query_async(&mut connection).await.expect("got");
        assert_eq!(value, Some(format!("value {number}")), "{}", name(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_to_another_server_meanwhile_are_followed_and_nothing_is_left_behind() {
    const KEYS: usize = 12_000;
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("a client");
    let mut connection = client.get_async_connection().await.expect("it answers");
    // A third of them in one slot, which will move.
    for number in 0..KEYS {
        let key = if number % 3 == 0 { format!("in:{{moving}}:{number}") } else { format!("in:{number}") };
        let () = redis::cmd("SET")
            .arg(key)
            .arg(format!("value {number}"))
            .query_async(&mut connection)
            .await
            .expect("set");
    }
    let () = redis::cmd("SET").arg("out:{moving}").arg("v").query_async(&mut connection).await.expect("set");
    let slot = slot_of(b"{moving}").to_string();
    let bench = Bench::on(&cluster.url()).await;
    // Slots move while it watches between its waves.
    let slow = HowToRun { watch_between_waves_ms: 3_000, ..fast() };
    let run = bench.start("1", bench.pattern("in:*", slow)).await.expect("it starts");
    until(|| run.state().counts.removed > 50).await;

    let mut owners = owners(&cluster, &slot).await;
    let [from, to, ..] = owners.as_mut_slice() else { panic!("three primaries") };
    move_slot(from, to, &slot).await;

    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    let mut left = Vec::new();
    for owner in &mut owners {
        let Value::Array(keys) = of_node(&mut owner.connection, &["KEYS", "*"]).await else { panic!("keys") };
        left.extend(keys);
    }
    assert_eq!(left, [Value::BulkString(b"out:{moving}".to_vec())], "{:?}", state.counts);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!((result.restored, result.failed), (KEYS as u64, 0), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clusters_tags_versions_and_times_to_live_are_reached_wherever_they_are() {
    let cluster = RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts");
    let client = redis::cluster::ClusterClient::new(cluster.urls()).expect("a client");
    let mut connection = client.get_async_connection().await.expect("it answers");
    for number in 0..300 {
        let key = format!("k:{number}");
        let mut set = redis::cmd("SET");
        set.arg(&key).arg("v");
        if number % 2 == 0 {
            set.arg("EX").arg(if number % 4 == 0 { 10 } else { 3_600 });
        }
        let () = set.query_async(&mut connection).await.expect("set");
        if number < 100 {
            let () =
                redis::cmd("SADD").arg("tag:t").arg(&key).query_async(&mut connection).await.expect("tagged");
        }
    }
    let bench = Bench::on(&cluster.url()).await;
    let every = Scope::Pattern { pattern: "k:*".to_owned(), database: None };
    let mut plan = bench.plan(every.clone(), fast());
    plan.steps = vec![
        Action::Soften { scope: every, ttl_ms: 60_000, jitter_ms: 20_000 },
        Action::BumpVersion { key: KeyName(b"version:k".to_vec()), database: 0 },
        Action::Publish { channel: "drop".to_owned(), message: "k".to_owned() },
        Action::Remove { scope: Scope::Tag { set: KeyName(b"tag:t".to_vec()), database: 0 } },
    ];
    let state = bench.start("1", plan).await.expect("it starts").ended().await;
    assert_eq!((state.phase, state.counts.other_steps), (RunPhase::Finished, 2), "{}", state.why);
    assert_eq!(state.counts.removed, 225 + 100, "75 lived shorter; the tag's keys are gone");
    let version: i64 =
        redis::cmd("GET").arg("version:k").query_async(&mut connection).await.expect("counted");
    assert_eq!(version, 1);
    for number in 100..300 {
        let ttl: i64 =
            redis::cmd("PTTL").arg(format!("k:{number}")).query_async(&mut connection).await.expect("told");
        let most = if number % 4 == 0 { 10_000 } else { 60_000 };
        assert!(ttl > 0 && ttl <= most, "k:{number} lives {ttl} ms");
    }
}
