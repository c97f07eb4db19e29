//! Copying between servers and from undo files.

use std::collections::HashMap;
use std::sync::Arc;

use cachescope_actions::guards::refusal;
use cachescope_actions::plan::{Action, KeyName, Plan, Scope};
use cachescope_actions::run_state::RunPhase;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::UndoReader;
use cachescope_actions::warm::{CopyFrom, CopySource, Success, Warm, WarmLimits, WarmWay};
use cachescope_lab::servers::{RedisCluster, RedisOptions, RedisServer};
use cachescope_model::deployment::DeploymentId;
use redis::aio::ConnectionLike;

use crate::support::{Bench, fast};

async fn server() -> RedisServer {
    RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed")
}

fn plan(scope: Option<Scope>, from: CopyFrom, jitter_percent: u32) -> Plan {
    let warm = Warm {
        what: "keys".to_owned(),
        way: WarmWay::Copy { from, scope, jitter_percent },
        limits: WarmLimits::default(),
        success: Success::default(),
        namespaces: Vec::new(),
    };
    Plan {
        deployment: DeploymentId("d".to_owned()),
        title: "copy".to_owned(),
        steps: vec![Action::Warm { warm }],
        how: fast(),
    }
}

fn pattern(pattern: &str) -> Option<Scope> {
    Some(Scope::Pattern { pattern: pattern.to_owned(), database: None })
}

fn elsewhere() -> CopyFrom {
    CopyFrom::Deployment { name: "the source".to_owned() }
}

async fn source_of(url: &str) -> CopySource {
    let source = Bench::on(url).await;
    CopySource::Servers(Servers::readable(&source.found).await.expect("it can be read"))
}

/// Dump and remaining milliseconds of every key.
async fn dumps(connection: &mut impl ConnectionLike, keys: &[Vec<u8>]) -> HashMap<Vec<u8>, (Vec<u8>, i64)> {
    let mut all = HashMap::new();
    for key in keys {
        let dump: Option<Vec<u8>> =
            redis::cmd("DUMP").arg(key).query_async(connection).await.expect("it answers");
        let left: i64 = redis::cmd("PTTL").arg(key).query_async(connection).await.expect("it answers");
        if let Some(dump) = dump {
            all.insert(key.clone(), (dump, left));
        }
    }
    all
}

async fn fill(connection: &mut impl ConnectionLike) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for (name, command) in [
        ("t:string", vec!["SET", "t:string", "v", "PX", "500000"]),
        ("t:list", vec!["RPUSH", "t:list", "a", "b"]),
        // Of numbers: in what order a hash table is dumped is each server's own.
        ("t:set", vec!["SADD", "t:set", "1", "2"]),
        ("t:hash", vec!["HSET", "t:hash", "f", "v"]),
        ("t:zset", vec!["ZADD", "t:zset", "1.5", "a"]),
        ("t:stream", vec!["XADD", "t:stream", "1-1", "f", "v"]),
    ] {
        let (first, rest) = command.split_first().expect("a command");
        let mut made = redis::cmd(first);
        rest.iter().for_each(|word| {
            made.arg(*word);
        });
        let _reply: redis::Value = made.query_async(connection).await.expect("set");
        keys.push(name.as_bytes().to_vec());
    }
    for number in 0..1_500 {
        let key = [format!("t:{number}:").as_bytes(), b"\x00\xff\n{}"].concat();
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(vec![number as u8; number % 300]);
        if number % 3 > 0 {
            set.arg("PX").arg(600_000 + number);
        }
        let () = set.query_async(connection).await.expect("set");
        keys.push(key);
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_exact_to_the_byte_and_within_ten_milliseconds_and_leaves_what_is_there() {
    let (source, target) = (server().await, server().await);
    let (mut from, mut to) =
        (source.connection().await.expect("it answers"), target.connection().await.expect("it answers"));
    let keys = fill(&mut from).await;
    let () = redis::cmd("SET").arg("t:string").arg("own").query_async(&mut to).await.expect("set");
    let () = redis::cmd("SET").arg("out:1").arg("v").query_async(&mut from).await.expect("set");
    let mut bench = Bench::on(&target.url()).await;
    bench.warm.source = Some(source_of(&source.url()).await);
    let preview = bench.preview(plan(pattern("t:*"), elsewhere(), 0)).await.expect("counted");
    assert_eq!((preview.warms[0].due, preview.warms[0].there), (keys.len() as u64 - 1, 1));
    assert_eq!(refusal(&preview.checks), None);
    let state =
        bench.start("1", plan(pattern("t:*"), elsewhere(), 0)).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert_eq!((state.counts.filled, state.counts.there), (keys.len() as u64 - 1, 1));
    let (one, other) = (dumps(&mut from, &keys).await, dumps(&mut to, &keys).await);
    let own: String = redis::cmd("GET").arg("t:string").query_async(&mut to).await.expect("there");
    assert_eq!((own.as_str(), other.len()), ("own", keys.len()));
    for key in keys.iter().filter(|key| key.as_slice() != b"t:string") {
        assert_eq!(one[key].0, other[key].0, "{}", String::from_utf8_lossy(key));
        assert_eq!(one[key].1 < 0, other[key].1 < 0, "{}", String::from_utf8_lossy(key));
    }
    let outside: bool = redis::cmd("EXISTS").arg("out:1").query_async(&mut to).await.expect("asked");
    assert!(!outside);
    // Both servers have this machine's clock, so an end of life is the same moment at either, however long the copy took.
    let mut most = 0;
    for key in keys.iter().filter(|key| key.as_slice() != b"t:string") {
        let (at_source, at_target) = (ends(&mut from, key).await, ends(&mut to, key).await);
        most = most.max((at_source - at_target).abs());
    }
    assert!(most <= 10, "{most} ms");
}

/// When a key's life ends by its server's clock.
async fn ends(connection: &mut impl ConnectionLike, key: &[u8]) -> i64 {
    redis::cmd("PEXPIRETIME").arg(key).query_async(connection).await.expect("it answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_a_replica_spreads_times_to_live_where_it_is_told_to() {
    let (source, target) = (server().await, server().await);
    let replica = RedisServer::start(RedisOptions {
        config: vec![("replicaof".to_owned(), format!("127.0.0.1 {}", source.port()))],
        ..RedisOptions::default()
    })
    .await
    .expect("redis-server is installed");
    let mut from = source.connection().await.expect("it answers");
    for number in 0..200 {
        let () = redis::cmd("SET")
            .arg(format!("t:{number}"))
            .arg("v")
            .arg("PX")
            .arg(100_000)
            .query_async(&mut from)
            .await
            .expect("set");
    }
    let mut of_replica = replica.connection().await.expect("it answers");
    while redis::cmd("DBSIZE").query_async::<u64>(&mut of_replica).await.expect("counted") < 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut bench = Bench::on(&target.url()).await;
    bench.warm.source = Some(source_of(&format!("{}?direct=true", replica.url())).await);
    let state =
        bench.start("1", plan(pattern("t:*"), elsewhere(), 20)).await.expect("it starts").ended().await;
    assert_eq!((state.phase, state.counts.filled), (RunPhase::Finished, 200), "{}", state.why);
    let mut to = target.connection().await.expect("it answers");
    let mut lives = Vec::new();
    for number in 0..200 {
        let left: i64 =
            redis::cmd("PTTL").arg(format!("t:{number}")).query_async(&mut to).await.expect("it answers");
        lives.push(left);
    }
    lives.sort_unstable();
    assert!(lives[199] <= 100_000 && lives[199] - lives[0] > 5_000, "{} to {}", lives[0], lives[199]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenants_keys_or_named_ones_are_copied_and_nothing_else() {
    let (source, target) = (server().await, server().await);
    let mut from = source.connection().await.expect("it answers");
    let mut set = redis::pipe();
    for tenant in ["t1", "t11", "t2"] {
        for number in 0..20 {
            set.cmd("SET").arg(format!("organization:{tenant}:{number}")).arg(tenant).ignore();
        }
    }
    let () = set.query_async(&mut from).await.expect("set");
    let mut bench = Bench::on(&target.url()).await;
    bench.warm.source = Some(source_of(&source.url()).await);
    let tenants = Scope::Namespace {
        template: "organization:{tenantId}:{orgId}".to_owned(),
        fields: [("tenantId".to_owned(), "t1".to_owned())].into(),
        stale_below: None,
        database: None,
    };
    let named = ["organization:t2:3", "organization:t2:7", "organization:t2:none"];
    let named = named.map(|key| KeyName(key.as_bytes().to_vec())).to_vec();
    let named = Scope::Keys { keys: named, database: 0 };
    for (run, scope, filled) in [("1", tenants, 20), ("2", named, 2)] {
        let state =
            bench.start(run, plan(Some(scope), elsewhere(), 0)).await.expect("it starts").ended().await;
        assert_eq!((state.phase, state.counts.filled), (RunPhase::Finished, filled), "{}", state.why);
    }
    let mut to = target.connection().await.expect("it answers");
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("organization:*").query_async(&mut to).await.expect("listed");
    let of = |start: &str| keys.iter().filter(|key| key.starts_with(start)).count();
    assert_eq!((keys.len(), of("organization:t1:"), of("organization:t2:")), (22, 20, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_purge_removed_can_be_copied_from_its_undo_file() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    let keys = fill(&mut connection).await;
    let before = dumps(&mut connection, &keys).await;
    let mut ended = HashMap::new();
    for key in &keys {
        ended.insert(key.clone(), ends(&mut connection, key).await);
    }
    let mut bench = Bench::on(&server.url()).await;
    let purged = bench.start("p", bench.pattern("t:*", fast())).await.expect("it starts").ended().await;
    assert_eq!(purged.counts.removed, keys.len() as u64, "{}", purged.why);
    let (path, key) = (bench.undo_path("p"), bench.key.clone());
    bench.warm.source = Some(CopySource::Undo(Arc::new(move || UndoReader::open(&path, "p", &key))));
    let made = plan(None, CopyFrom::Undo { run: "p".to_owned() }, 0);
    let preview = bench.preview(made.clone()).await.expect("counted");
    assert_eq!(preview.keys, keys.len() as u64);
    let state = bench.start("w", made).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    let after = dumps(&mut connection, &keys).await;
    assert_eq!(after.len(), keys.len());
    for (key, (dump, _)) in before {
        assert_eq!(after[&key].0, dump, "{}", String::from_utf8_lossy(&key));
        let end = ends(&mut connection, &key).await;
        assert_eq!(end, ended[&key], "to the millisecond: {}", String::from_utf8_lossy(&key));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_halts_the_copy_in_one_sentence_and_is_foreseen_by_the_preview() {
    let source = server().await;
    let config = vec![
        ("maxmemory".to_owned(), "2mb".to_owned()),
        ("maxmemory-policy".to_owned(), "noeviction".to_owned()),
    ];
    let target =
        RedisServer::start(RedisOptions { config, ..RedisOptions::default() }).await.expect("it starts");
    let mut from = source.connection().await.expect("it answers");
    for number in 0..300 {
        let () = redis::cmd("SET")
            .arg(format!("t:{number}"))
            .arg(vec![b'x'; 20_000])
            .query_async(&mut from)
            .await
            .expect("set");
    }
    let mut bench = Bench::on(&target.url()).await;
    bench.warm.source = Some(source_of(&source.url()).await);
    let preview = bench.preview(plan(pattern("t:*"), elsewhere(), 0)).await.expect("counted");
    assert_eq!(refusal(&preview.checks).map(|check| check.code.as_str()), Some("room"));
    // Approved while there seemed to be room.
    let few = bench.preview(plan(pattern("t:1"), elsewhere(), 0)).await.expect("counted");
    let approval = bench.approve(&few).await.expect("approved");
    let mut to = target.connection().await.expect("it answers");
    let mut number = 0;
    while redis::cmd("SET")
        .arg(format!("full:{number}"))
        .arg(vec![b'x'; 2_000])
        .query_async::<()>(&mut to)
        .await
        .is_ok()
    {
        number += 1;
    }
    let context = bench.context("1", false).await.expect("a context");
    let sentence =
        match cachescope_actions::run::start(approval, "1".to_owned(), String::new(), context).await {
            Ok(run) => run.ended().await.why,
            Err(failure) => failure.sentence,
        };
    assert!(sentence.contains("memory"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_copied_into_another_one_with_other_slots() {
    let (source, target) = (
        RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts"),
        RedisCluster::start(RedisOptions::default()).await.expect("a cluster starts"),
    );
    deal_out_anew(&target).await;
    let client = redis::cluster::ClusterClient::new(source.urls()).expect("a client");
    let mut from = client.get_async_connection().await.expect("it answers");
    let client = redis::cluster::ClusterClient::new(target.urls()).expect("a client");
    let mut to = client.get_async_connection().await.expect("it answers");
    let keys = fill(&mut from).await;
    let mut bench = Bench::on(&target.url()).await;
    bench.warm.source = Some(source_of(&source.url()).await);
    let state =
        bench.start("1", plan(pattern("t:*"), elsewhere(), 0)).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert_eq!((state.counts.filled, state.counts.moved), (keys.len() as u64, 0));
    let (one, other) = (dumps(&mut from, &keys).await, dumps(&mut to, &keys).await);
    for key in &keys {
        assert_eq!(one[key].0, other[key].0, "{}", String::from_utf8_lossy(key));
    }
}

/// Gives the first 1,500 slots of an empty Cluster to its second server, and waits until all know.
async fn deal_out_anew(cluster: &RedisCluster) {
    let mut nodes = Vec::new();
    for node in cluster.primaries() {
        nodes.push(node.connection().await.expect("it answers"));
    }
    let second = 1;
    let id: String = redis::cmd("CLUSTER").arg("MYID").query_async(&mut nodes[second]).await.expect("an id");
    let first: String = redis::cmd("CLUSTER").arg("MYID").query_async(&mut nodes[0]).await.expect("an id");
    let mut importing = redis::pipe();
    for slot in 0..1_500 {
        importing.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("IMPORTING").arg(&first).ignore();
    }
    let () = importing.query_async(&mut nodes[second]).await.expect("said");
    // Who takes them first, so that nobody owns none of them for a moment.
    nodes.swap(0, second);
    for node in &mut nodes {
        let mut given = redis::pipe();
        for slot in 0..1_500 {
            given.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(&id).ignore();
        }
        let () = given.query_async(node).await.expect("said");
    }
    let settled = async {
        for node in &mut nodes {
            loop {
                let told: String = redis::cmd("CLUSTER").arg("NODES").query_async(node).await.expect("told");
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(node).await.expect("told");
                let owner = told.lines().find(|line| line.starts_with(&id)).unwrap_or_default();
                if owner.contains(" 0-1499") && info.contains("cluster_state:ok") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), settled).await.expect("all know");
}
