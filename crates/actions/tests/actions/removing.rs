//! Removing and putting back, on one server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cachescope_actions::FailureKind;
use cachescope_actions::plan::{HowToRun, KeyName, Scope};
use cachescope_actions::run::StopRules;
use cachescope_actions::run_state::{RunPhase, StopRuleState};
use cachescope_actions::undo::{Part, UndoReader};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use redis::aio::MultiplexedConnection;

use crate::support::{Bench, fast, now_ms, until};

async fn server() -> RedisServer {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    RedisServer::start(RedisOptions { config, ..RedisOptions::default() })
        .await
        .expect("redis-server is installed")
}

async fn fill(connection: &mut MultiplexedConnection, prefix: &str, keys: usize) {
    for from in (0..keys).step_by(1_000) {
        let mut pipe = redis::pipe();
        for number in from..(from + 1_000).min(keys) {
            pipe.cmd("SET")
                .arg(format!("{prefix}{number}"))
                .arg(format!("value {number}"))
                .arg("EX")
                .arg(3_600);
        }
        pipe.exec_async(connection).await.expect("filled");
    }
}

async fn keys(connection: &mut MultiplexedConnection) -> u64 {
    redis::cmd("DBSIZE").query_async(connection).await.expect("counted")
}

async fn every_type(connection: &mut MultiplexedConnection) -> Vec<Vec<u8>> {
    let mut pipe = redis::pipe();
    pipe.cmd("SET").arg("t:string").arg(&b"a\x00b\xff"[..]).arg("PX").arg(500_000);
    pipe.cmd("SET").arg("t:number").arg(12_345);
    pipe.cmd("SET").arg("t:large").arg(vec![b'x'; 3_000_000]);
    pipe.cmd("RPUSH").arg("t:list").arg("a").arg("b").arg(vec![b'y'; 20_000]);
    pipe.cmd("SADD").arg("t:ints").arg(1).arg(2).arg(3);
    pipe.cmd("SADD").arg("t:set").arg("a").arg("b");
    pipe.cmd("HSET").arg("t:hash").arg("f").arg("v").arg("g").arg("w");
    pipe.cmd("ZADD").arg("t:zset").arg(1.5).arg("a").arg("-inf").arg("b");
    pipe.cmd("XADD").arg("t:stream").arg("1-1").arg("f").arg("v");
    pipe.cmd("XADD").arg("t:stream").arg("2-1").arg("f").arg("w");
    pipe.cmd("XGROUP").arg("CREATE").arg("t:stream").arg("g").arg("0");
    pipe.cmd("XREADGROUP")
        .arg("GROUP")
        .arg("g")
        .arg("c")
        .arg("COUNT")
        .arg(1)
        .arg("STREAMS")
        .arg("t:stream")
        .arg(">");
    pipe.cmd("PFADD").arg("t:hll").arg("a").arg("b");
    pipe.cmd("SETBIT").arg("t:bits").arg(100).arg(1);
    pipe.cmd("SET").arg(&b"t:\x00\n\xff {odd"[..]).arg("v").arg("PX").arg(600_000);
    pipe.cmd("PEXPIREAT").arg("t:hash").arg(now_ms() + 700_123);
    for number in 0..2_000 {
        pipe.cmd("HSET").arg("t:bighash").arg(number).arg(number);
        pipe.cmd("SADD").arg("t:bigset").arg(format!("member {number}"));
    }
    pipe.exec_async(connection).await.expect("filled");
    redis::cmd("KEYS").arg("t:*").query_async(connection).await.expect("listed")
}

type Seen = Vec<(Vec<u8>, String, i64)>;

async fn seen(connection: &mut MultiplexedConnection, keys: &[Vec<u8>]) -> Seen {
    let mut all = Vec::new();
    for key in keys {
        let digest: Vec<String> =
            redis::cmd("DEBUG").arg("DIGEST-VALUE").arg(key).query_async(connection).await.expect("digested");
        let at: i64 = redis::cmd("PEXPIRETIME").arg(key).query_async(connection).await.expect("told");
        all.push((key.clone(), digest.concat(), at));
    }
    all.sort();
    all
}

#[tokio::test]
async fn every_type_comes_back_byte_for_byte_with_its_time_to_live_and_databases_are_kept_apart() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    let names = every_type(&mut connection).await;
    let before = seen(&mut connection, &names).await;
    redis::pipe()
        .cmd("SELECT")
        .arg(3)
        .cmd("SET")
        .arg("t:string")
        .arg("of three")
        .cmd("SELECT")
        .arg(0)
        .exec_async(&mut connection)
        .await
        .expect("set");
    let bench = Bench::on(&server.url()).await;
    let run = bench.start("1", bench.pattern("t:*", fast())).await.expect("it starts");
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert_eq!(state.counts.removed, names.len() as u64 + 1);
    assert_eq!(keys(&mut connection).await, 0);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!((result.restored, result.conflicts), (names.len() as u64 + 1, 0));
    assert!(result.complete);
    let after = seen(&mut connection, &names).await;
    for (then, now) in before.iter().zip(&after) {
        assert_eq!((&then.0, &then.1), (&now.0, &now.1));
        assert!((then.2 - now.2).abs() <= 10, "{then:?} {now:?}");
    }
}

#[tokio::test]
async fn a_newer_value_is_never_written_over_and_keys_that_expired_meanwhile_are_counted() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    redis::pipe()
        .cmd("SET")
        .arg("a:1")
        .arg("old")
        .cmd("SET")
        .arg("a:2")
        .arg("old")
        .arg("PX")
        .arg(50_000)
        .cmd("SET")
        .arg("a:3")
        .arg("old")
        .cmd("SET")
        .arg("a:4")
        .arg("old")
        .exec_async(&mut connection)
        .await
        .expect("set");
    let bench = Bench::on(&server.url()).await;
    bench.start("1", bench.pattern("a:*", fast())).await.expect("it starts").ended().await;
    let () = redis::cmd("SET").arg("a:1").arg("new").query_async(&mut connection).await.expect("set");
    let only = Part { keys: Some(vec![b"a:4".to_vec()]), ..Part::default() };
    let part = bench.undo("1", &only, now_ms()).await.expect("undone");
    assert_eq!(part.restored, 1);
    let result = bench.undo("1", &Part::default(), now_ms() + 60_000).await.expect("undone");
    assert_eq!((result.restored, result.conflicts, result.expired, result.unchanged), (1, 1, 1, 1));
    assert_eq!(result.conflicting, ["a:1"]);
    let value: String = redis::cmd("GET").arg("a:1").query_async(&mut connection).await.expect("got");
    assert_eq!(value, "new");
}

/// Writers create, change and delete keys inside and outside the scope while it is purged. Afterwards each key of
/// the scope that is gone was deleted by a writer or is in the undo file with the last value a writer gave it, and
/// nothing outside was touched.
#[tokio::test(flavor = "multi_thread")]
async fn with_writers_at_work_nothing_outside_the_scope_goes_and_what_goes_is_kept_as_it_was() {
    const KEYS: usize = 20_000;
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, "in:", KEYS).await;
    fill(&mut connection, "out:", 2_000).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..3_u64 {
        let mut connection = server.connection().await.expect("it answers");
        let stop = Arc::clone(&stop);
        // Each writer has keys of its own, and knows what it wrote last.
        writers.push(tokio::spawn(async move {
            let mut last = std::collections::HashMap::new();
            let mut count = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let key = format!("in:{}", (count * 7_919 % 6_000) * 3 + writer);
                let value = format!("written {count}");
                let () =
                    redis::cmd("SET").arg(&key).arg(&value).query_async(&mut connection).await.expect("set");
                last.insert(key, value);
                count += 1;
            }
            last
        }));
    }
    let bench = Bench::on(&server.url()).await;
    let state = bench.start("1", bench.pattern("in:*", fast())).await.expect("it starts").ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    stop.store(true, Ordering::Relaxed);
    let mut written = std::collections::HashMap::new();
    for writer in writers {
        written.extend(writer.await.expect("it ends"));
    }
    assert!(written.len() > 100, "the writers wrote: {}", written.len());
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert!(result.complete && result.failed == 0, "{result:?}");
    // Everything is there again, each with the last value that anybody gave it.
    for number in 0..KEYS {
        let key = format!("in:{number}");
        let value: Option<String> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await.expect("got");
        let expected = written.get(&key).cloned().unwrap_or_else(|| format!("value {number}"));
        assert_eq!(value.as_deref(), Some(expected.as_str()), "{key}");
    }
    let outside: Vec<String> =
        redis::cmd("KEYS").arg("out:*").query_async(&mut connection).await.expect("listed");
    assert_eq!(outside.len(), 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_many_places_keeps_and_removes_every_key_once() {
    const HERE: usize = 5_000;
    for throttle in [false, true] {
        let server = server().await;
        let mut connection = server.connection().await.expect("it answers");
        fill(&mut connection, "t:", HERE).await;
        // Most pages find little, so that the beginnings and the ends of the places are worked on at the same time.
        fill(&mut connection, "other:", 20_000).await;
        let bench = Bench::on(&server.url()).await;
        let plan = bench.pattern("t:*", HowToRun { throttle, ..fast() });
        let state = bench.start("1", plan).await.expect("it starts").ended().await;
        assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
        assert_eq!((state.counts.removed, state.counts.gone, state.counts.contended), (HERE as u64, 0, 0));
        assert_eq!(keys(&mut connection).await, 20_000);
        let mut reader = UndoReader::open(&bench.undo_path("1"), "1", &bench.key).expect("it was kept");
        let kept: Vec<_> =
            std::iter::from_fn(|| reader.next_batch()).flatten().map(|kept| kept.key).collect();
        let different: BTreeSet<_> = kept.iter().collect();
        assert_eq!((kept.len(), different.len()), (HERE, HERE), "throttled: {throttle}");
    }
}

#[tokio::test]
async fn what_is_too_large_to_be_kept_is_left_alone_and_said() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    redis::pipe()
        .cmd("SETRANGE")
        .arg("a:huge")
        .arg((512 << 20) - 1)
        .arg("x")
        .cmd("SET")
        .arg("a:small")
        .arg("v")
        .exec_async(&mut connection)
        .await
        .expect("set");
    let bench = Bench::on(&server.url()).await;
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    assert_eq!((preview.keys, preview.too_large_for_undo), (2, 1));
    let state = bench.start("1", bench.pattern("a:*", fast())).await.expect("it starts").ended().await;
    assert_eq!((state.counts.removed, state.counts.too_large), (1, 1), "{}", state.why);
    assert_eq!(keys(&mut connection).await, 1, "the huge one stays");
    let without = HowToRun { undo: false, ..fast() };
    let state = bench.start("2", bench.pattern("a:*", without)).await.expect("it starts").ended().await;
    assert_eq!(state.counts.removed, 1);
}

#[tokio::test]
async fn a_full_undo_file_halts_the_run_and_nothing_that_is_not_in_it_is_gone() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    for number in 0..3_000 {
        let noise: Vec<u8> = (0..600).map(|_| rand::random()).collect();
        let key = format!("a:{number}");
        let () = redis::cmd("SET").arg(key).arg(noise).query_async(&mut connection).await.expect("set");
    }
    let mut bench = Bench::on(&server.url()).await;
    bench.most_undo_bytes = 1 << 30;
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    let approval = bench.approve(&preview).await.expect("approved");
    // The limit shrinks after the preview, as a disk does that others fill.
    bench.most_undo_bytes = 1_000_000;
    let context = bench.context("1", true).await.expect("a context");
    let run = cachescope_actions::run::start(approval, "1".to_owned(), String::new(), context)
        .await
        .expect("it starts");
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("limit"), "{}", state.why);
    let left = keys(&mut connection).await;
    assert_eq!(left + state.counts.removed, 3_000);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!(result.restored, state.counts.removed);
    assert_eq!(keys(&mut connection).await, 3_000);
}

#[tokio::test]
async fn named_keys_and_tags_reach_just_their_keys() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, "k:", 10).await;
    redis::pipe()
        .cmd("SADD")
        .arg("tag:t")
        .arg("k:1")
        .arg("k:2")
        .arg("k:gone")
        .exec_async(&mut connection)
        .await
        .expect("tagged");
    let bench = Bench::on(&server.url()).await;
    let tag = Scope::Tag { set: KeyName(b"tag:t".to_vec()), database: 0 };
    let preview = bench.preview(bench.plan(tag.clone(), fast())).await.expect("counted");
    assert_eq!(preview.keys, 2);
    let state = bench.start("1", bench.plan(tag, fast())).await.expect("it starts").ended().await;
    assert_eq!(state.counts.removed, 2, "{}", state.why);
    let names = vec![KeyName(b"k:5".to_vec()), KeyName(b"k:none".to_vec())];
    let named = Scope::Keys { keys: names, database: 0 };
    let state = bench.start("2", bench.plan(named, fast())).await.expect("it starts").ended().await;
    assert_eq!(state.counts.removed, 1);
    assert_eq!(keys(&mut connection).await, 8, "seven keys and the tag's set");
}

#[tokio::test]
async fn a_paused_run_removes_nothing_and_a_cancelled_one_stops_within_200_ms() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, "k:", 30_000).await;
    let bench = Bench::on(&server.url()).await;
    let throttled = HowToRun { watch_between_waves_ms: 0, ..HowToRun::default() };
    let run = bench.start("1", bench.pattern("k:*", throttled)).await.expect("it starts");
    until(|| run.state().counts.removed > 0).await;
    run.pause();
    until(|| run.state().phase == RunPhase::Paused).await;
    let paused = keys(&mut connection).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(keys(&mut connection).await, paused, "one key is the lock, the others stay");
    run.go_on();
    until(|| run.state().phase == RunPhase::Running).await;
    let asked = Instant::now();
    run.cancel();
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Cancelled);
    // Generous to a busy machine; the bench measures it.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(state.counts.removed < 30_000);
    assert_eq!(keys(&mut connection).await, 30_000 - state.counts.removed, "the lock is gone too");
    let events = bench.records.events.lock().clone();
    assert_eq!(events, ["purge.started", "purge.paused", "purge.resumed", "purge.cancelled"]);
}

#[derive(Default)]
struct Breached(AtomicBool);

impl StopRules for Breached {
    fn judge(&self) -> Vec<StopRuleState> {
        vec![StopRuleState {
            name: "Database CPU".to_owned(),
            sentence: "82 %, halts above 70 %".to_owned(),
            value: Some(0.82),
            limit: Some(0.7),
            breached: self.0.load(Ordering::Relaxed),
            known: true,
        }]
    }
}

#[tokio::test]
async fn a_stop_rule_halts_a_run_which_then_goes_on_where_it_was() {
    let server = server().await;
    let mut connection = server.connection().await.expect("it answers");
    fill(&mut connection, "k:", 30_000).await;
    let rule = Arc::new(Breached::default());
    let mut bench = Bench::on(&server.url()).await;
    bench.rules = Arc::clone(&rule) as Arc<dyn StopRules>;
    let throttled = HowToRun { watch_between_waves_ms: 0, ..HowToRun::default() };
    let run = bench.start("1", bench.pattern("k:*", throttled)).await.expect("it starts");
    until(|| run.state().counts.removed > 0).await;
    rule.0.store(true, Ordering::Relaxed);
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("Database CPU"), "{}", state.why);
    let preview = bench.preview(bench.pattern("k:*", fast())).await.expect("counted");
    assert!(preview.checks.iter().any(|check| check.code == "stop-rule"), "no action starts either");
    assert_eq!(bench.approve(&preview).await.expect_err("refused").kind, FailureKind::Refused);
    rule.0.store(false, Ordering::Relaxed);
    let record = run.record();
    let context = bench.context("1", true).await.expect("a context");
    let run = cachescope_actions::run::resume(record, context).await.expect("it goes on");
    run.cancel();
    run.ended().await;
    let mut record = run.record();
    record.state.phase = RunPhase::Halted;
    record.state.plan.how.throttle = false;
    let context = bench.context("1", true).await.expect("a context");
    let state = cachescope_actions::run::resume(record, context).await.expect("it goes on").ended().await;
    assert_eq!((state.phase, state.counts.removed), (RunPhase::Finished, 30_000), "{}", state.why);
    assert_eq!(keys(&mut connection).await, 0);
    let result = bench.undo("1", &Part::default(), now_ms()).await.expect("undone");
    assert_eq!(result.restored, 30_000);
}
