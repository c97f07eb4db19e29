//! Servers that change, refuse, hang or move their keys while a run is under way: nothing is lost, and one sentence
//! says what is the matter.

use std::time::Duration;

use cachescope_actions::FailureKind;
use cachescope_actions::plan::HowToRun;
use cachescope_actions::run::RunHandle;
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_actions::undo::Part;
use cachescope_lab::servers::{RedisOptions, RedisServer, SentinelGroup, SentinelOptions};
use redis::aio::MultiplexedConnection;

use crate::support::{Bench, fast, now_ms, until};

async fn server(config: &[(&str, &str)]) -> RedisServer {
    let mut config: Vec<_> =
        config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    config.push(("enable-debug-command".to_owned(), "yes".to_owned()));
    RedisServer::start(RedisOptions { config, ..RedisOptions::default() })
        .await
        .expect("redis-server is installed")
}

async fn fill(connection: &mut MultiplexedConnection, keys: usize) {
    let mut pipe = redis::pipe();
    for number in 0..keys {
        pipe.cmd("SET").arg(format!("k:{number}")).arg(format!("value {number}"));
    }
    pipe.exec_async(connection).await.expect("filled");
}

async fn count(connection: &mut MultiplexedConnection) -> u64 {
    redis::cmd("DBSIZE").query_async(connection).await.expect("counted")
}

/// Slow enough that something can happen meanwhile.
fn throttled() -> HowToRun {
    HowToRun { watch_between_waves_ms: 0, ..HowToRun::default() }
}

fn one_sentence(state: &RunState) {
    assert!(!state.why.is_empty() && !state.why.contains('\n'), "{:?}", state.why);
    assert!(!state.remedy.is_empty(), "{:?}", state.why);
}

async fn well_under_way(run: &RunHandle) {
    until(|| run.state().counts.removed > 100).await;
}

#[tokio::test]
async fn a_primary_that_becomes_a_replica_halts_the_run_and_what_is_gone_is_in_the_undo_file() {
    const KEYS: usize = 30_000;
    let server = server(&[]).await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, KEYS).await;
    let bench = Bench::on(&server.url()).await;
    let run = bench.start("1", bench.pattern("k:*", throttled())).await.expect("it starts");
    well_under_way(&run).await;
    // Of a server that nobody answers for: it keeps its data and takes no writes.
    let demoted =
        |host: &'static str, port: &'static str| redis::cmd("REPLICAOF").arg(host).arg(port).to_owned();
    let () = demoted("127.0.0.1", "1").query_async(&mut connection).await.expect("demoted");
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted);
    one_sentence(&state);
    assert!(state.why.contains("replica"), "{}", state.why);
    let () = demoted("NO", "ONE").query_async(&mut connection).await.expect("promoted");
    let () = redis::cmd("UNLINK")
        .arg("cachescope:lock:purge")
        .query_async(&mut connection)
        .await
        .expect("the lock could not be given back by a replica");
    assert_eq!(count(&mut connection).await + state.counts.removed, KEYS as u64);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!((result.restored, result.conflicts), (state.counts.removed, 0), "{result:?}");
    assert_eq!(count(&mut connection).await, KEYS as u64);
}

#[tokio::test]
async fn after_a_failover_the_run_is_not_resumed_and_is_undone_on_the_new_primary() {
    const KEYS: usize = 30_000;
    let group = SentinelGroup::start(SentinelOptions::default()).await.expect("a group starts");
    let mut connection = group.primary().connection().await.expect("it answers");
    fill(&mut connection, KEYS).await;
    let sentinels: Vec<_> = group.sentinels().iter().map(RedisServer::address).collect();
    let url = format!("redis+sentinel://{}/{}", sentinels.join(","), group.service());
    let bench = Bench::on(&url).await;
    let run = bench.start("1", bench.pattern("k:*", throttled())).await.expect("it starts");
    well_under_way(&run).await;
    // Paused in its midst, so that it does not end before the failover does.
    run.pause();
    let mut sentinel = group.sentinels()[0].connection().await.expect("it answers");
    let () = redis::cmd("SENTINEL")
        .arg("FAILOVER")
        .arg(group.service())
        .query_async(&mut sentinel)
        .await
        .expect("a failover begins");
    let demoted = async {
        loop {
            // A connection of its own each time: the failover ends those that there are.
            if let Ok(mut connection) = group.primary().connection().await {
                let told: redis::RedisResult<String> =
                    redis::cmd("INFO").arg("replication").query_async(&mut connection).await;
                if told.is_ok_and(|told| told.contains("role:slave")) {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), demoted).await.expect("it fails over");
    run.go_on();
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted, "{}", state.why);
    one_sentence(&state);
    // The deployment as it is found now is another one than was approved.
    let after = loop {
        let after = Bench::on(&url).await;
        match after.servers().await {
            Ok(servers) if servers.run_ids() != run.record().run_ids => break after,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let context = after.context("1", true).await.expect("a context");
    let resumed = cachescope_actions::run::resume(run.record(), context).await;
    assert_eq!(resumed.expect_err("another server").kind, FailureKind::NotApproved);
    // The lock may have come along with the data, and its holder is gone.
    let readers = || cachescope_actions::undo::UndoReader::open(&bench.undo_path("1"), "1", &bench.key);
    let readers = (readers().expect("read"), readers().expect("read"));
    let servers = after.servers().await.expect("asked");
    let (part, progress) = (Part::default(), Default::default());
    let now = || cachescope_model::time::Timestamp(now_ms());
    let who = ("1", "ada@test");
    let result =
        cachescope_actions::undo::restore(readers, who, &servers, &after.attribution, &part, &progress, now)
            .await
            .expect("undone");
    assert_eq!((result.conflicts, result.failed), (0, 0), "{result:?}");
    assert!(result.restored + result.unchanged >= state.counts.removed, "{result:?} {:?}", state.counts);
    let node = &servers.primaries[0].node;
    let counted = node.gate().await.ask(&redis::cmd("DBSIZE")).await.expect("counted");
    assert_eq!(counted, redis::Value::Int(KEYS as i64));
}

#[tokio::test]
async fn a_server_that_hangs_keeps_no_cancelled_run_and_what_is_in_doubt_is_said() {
    let server = server(&[]).await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 50_000).await;
    let bench = Bench::on(&server.url()).await;
    let run = bench.start("1", bench.pattern("k:*", throttled())).await.expect("it starts");
    well_under_way(&run).await;
    let sleeping = tokio::spawn(async move {
        let slept: redis::RedisResult<()> =
            redis::cmd("DEBUG").arg("SLEEP").arg(20).query_async(&mut connection).await;
        slept
    });
    // What others feel is seen while the server hangs, not afterwards.
    let felt = || run.state().p99_seconds.unwrap_or(0.0) > 0.3 || run.has_ended();
    until(felt).await;
    run.cancel();
    let state = run.ended().await;
    assert!(!sleeping.is_finished(), "the server hangs still");
    assert!(matches!(state.phase, RunPhase::Cancelled | RunPhase::Halted), "{:?}", state.phase);
    if state.counts.in_doubt > 0 {
        assert!(state.why.contains("not known whether") && state.why.contains("undo file"), "{}", state.why);
    }
    sleeping.abort();
}

#[tokio::test]
async fn what_others_feel_halts_a_run_when_it_lasts() {
    let server = server(&[]).await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 200_000).await;
    let bench = Bench::on(&server.url()).await;
    let run = bench.start("1", bench.pattern("k:*", throttled())).await.expect("it starts");
    well_under_way(&run).await;
    while !run.has_ended() {
        let () = redis::cmd("DEBUG").arg("SLEEP").arg(0.1).query_async(&mut connection).await.expect("slept");
    }
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted, "{}", state.why);
    assert!(state.why.contains("p99 of round trips"), "{}", state.why);
    one_sentence(&state);
}

async fn set_maxmemory(connection: &mut MultiplexedConnection, bytes: &str) {
    let set = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    let () = set.query_async(connection).await.expect("set");
}

/// The deployment's lock, as `who` holds it.
async fn take_lock(connection: &mut MultiplexedConnection, who: &str) {
    let set = redis::cmd("SET").arg("cachescope:lock:purge").arg(who).to_owned();
    let () = set.query_async(connection).await.expect("taken");
}

#[tokio::test]
async fn a_full_server_is_purged_under_the_lock_and_undo_says_that_it_has_no_room() {
    let server = server(&[("maxmemory-policy", "noeviction")]).await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 2_000).await;
    let bench = Bench::on(&server.url()).await;
    set_maxmemory(&mut connection, "1").await;
    let denied: redis::RedisResult<()> =
        redis::cmd("SET").arg("k:x").arg("v").query_async(&mut connection).await;
    assert!(denied.expect_err("it is full").to_string().contains("OOM"));
    let run = bench.start("1", bench.pattern("k:*", throttled())).await.expect("it starts");
    let held: String =
        redis::cmd("GET").arg("cachescope:lock:purge").query_async(&mut connection).await.expect("asked");
    assert!(held.ends_with(" 1 ada@test"), "{held}");
    let lives: i64 =
        redis::cmd("PTTL").arg("cachescope:lock:purge").query_async(&mut connection).await.expect("asked");
    assert!((1..=30_000).contains(&lives), "it ends by itself: {lives}");
    let state = run.ended().await;
    assert_eq!((state.phase, state.counts.removed), (RunPhase::Finished, 2_000), "{}", state.why);
    assert_eq!(count(&mut connection).await, 0, "no key and no lock");
    let refused = bench.undo("1", &Part::default(), now_ms()).await.expect_err("there is no room");
    assert!(
        refused.sentence.contains("OOM") && !refused.sentence.contains('\n') && !refused.remedy.is_empty(),
        "{}",
        refused.sentence
    );
    set_maxmemory(&mut connection, "0").await;
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!((result.restored, result.conflicts, result.failed), (2_000, 0, 0), "{result:?}");
}

#[tokio::test]
async fn a_full_server_keeps_a_lock_for_its_holder_and_gives_back_to_a_run_what_it_left_behind() {
    let server = server(&[("maxmemory-policy", "noeviction")]).await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, 500).await;
    let bench = Bench::on(&server.url()).await;
    let preview = bench.preview(bench.pattern("k:*", fast())).await.expect("counted");
    let begin = async |run: &str| {
        let approval = bench.approve(&preview).await.expect("approved");
        let context = bench.context(run, true).await.expect("a context");
        cachescope_actions::run::start(approval, run.to_owned(), String::new(), context).await
    };
    take_lock(&mut connection, "token 7 grace@elsewhere").await;
    set_maxmemory(&mut connection, "1").await;
    let refused = begin("1").await.expect_err("it is not free");
    assert!(
        refused.kind == FailureKind::Locked && refused.sentence.starts_with("grace@elsewhere"),
        "{}",
        refused.sentence
    );
    set_maxmemory(&mut connection, "0").await;
    take_lock(&mut connection, "token 1 ada@test").await;
    set_maxmemory(&mut connection, "1").await;
    let state = begin("1").await.expect("it starts").ended().await;
    assert_eq!((state.phase, state.counts.removed), (RunPhase::Finished, 500), "{}", state.why);
}

#[tokio::test]
async fn keys_of_any_bytes_are_named_purged_and_put_back() {
    let server = server(&[]).await;
    let mut connection = server.connection().await.expect("it answers");
    let names: [&[u8]; 6] =
        [b"k:\0zero", b"k:\nnew\r\nline", b"k:\xff\xfe", b"k: {space} \"quoted\" \\", b"k:*?[a]", b"k:"];
    for name in names {
        let () = redis::cmd("SET").arg(name).arg(name).query_async(&mut connection).await.expect("set");
    }
    let () = redis::cmd("SET").arg("k:axa").arg("stays").query_async(&mut connection).await.expect("set");
    let bench = Bench::on(&server.url()).await;
    let keys = names.iter().map(|name| cachescope_actions::plan::KeyName(name.to_vec())).collect();
    let scope = cachescope_actions::plan::Scope::Keys { keys, database: 0 };
    // Through JSON, as a plan is kept and sent.
    let plan = serde_json::to_string(&bench.plan(scope, fast())).expect("written");
    let plan = serde_json::from_str(&plan).expect("read");
    let state = bench.start("1", plan).await.expect("it starts").ended().await;
    assert_eq!((state.counts.removed, count(&mut connection).await), (6, 1), "{}", state.why);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!(result.restored, 6);
    for name in names {
        let value: Vec<u8> = redis::cmd("GET").arg(name).query_async(&mut connection).await.expect("got");
        assert_eq!(value, name);
    }
}
