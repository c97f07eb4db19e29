//! The slow log on real servers: as it stands, and sampled.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::sample::ExecutionBatch;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::settings::plan_slow_log;
use cachescope_sources::redis::slow_log::{GentleOptions, SampleEnd, SampleOptions, Sampled, read, sample};
use redis::aio::MultiplexedConnection;

use super::watch::{Watch, node, server};

const SETTINGS: [&str; 2] = ["slowlog-log-slower-than", "slowlog-max-len"];

async fn values(connection: &mut MultiplexedConnection) -> [String; 2] {
    let mut values = [String::new(), String::new()];
    for (value, name) in values.iter_mut().zip(SETTINGS) {
        let (_, now): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg(name).query_async(connection).await.expect("it answers");
        *value = now;
    }
    values
}

async fn run(connection: &mut MultiplexedConnection, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.exec_async(connection).await.expect("the command works");
}

fn batch(what: Observed) -> Option<ExecutionBatch> {
    match what {
        Observed::Executions(batch) => Some(batch),
        _ => None,
    }
}

fn quick(burst: u64, at_most: u64) -> SampleOptions {
    SampleOptions {
        burst: Duration::from_millis(burst),
        every: Duration::from_millis(burst * 2),
        at_most: Duration::from_millis(at_most),
    }
}

async fn with_debug() -> RedisServer {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    server(RedisOptions { config, ..Default::default() }).await
}

#[tokio::test]
async fn what_the_operator_logs_is_read_as_it_stands_once_and_nothing_is_changed() {
    let server = with_debug().await;
    let mut lab = server.connection().await.expect("connects");
    run(&mut lab, &["CONFIG", "SET", "slowlog-log-slower-than", "2000"]).await;
    let before = values(&mut lab).await;
    run(&mut lab, &["DEBUG", "SLEEP", "0.005"]).await;
    let mut watch = Watch::new();
    let options = GentleOptions { every: Duration::from_millis(5), ..Default::default() };
    tokio::spawn(read(watch.context.clone(), node(&server.address()), options));
    let first = watch.until(batch).await;
    assert_eq!(first.threshold_micros, 2000);
    assert_eq!(first.executions.len(), 1);
    assert_eq!(&*first.executions[0].command, "debug");
    assert!(first.executions[0].micros >= 5000);
    run(
        &mut lab,
        &["EVAL", "redis.call('PING') local n = 0 for i = 1, 3e6 do n = n + i end return n", "1", "k:1"],
    )
    .await;
    let second = watch.until(batch).await;
    assert_eq!(second.executions.len(), 1, "the first is not told again");
    assert_eq!(second.executions[0].key.as_deref(), Some(&b"k:1"[..]));
    assert_eq!(values(&mut lab).await, before);
}

#[tokio::test]
async fn a_user_without_slowlog_is_told_the_rule() {
    let users = vec!["ann on >pw +info +config|get".to_owned()];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    let mut watch = Watch::new();
    let node = node(&format!("redis://ann:pw@{}", server.address()));
    tokio::spawn(read(watch.context.clone(), node, GentleOptions::default()));
    let status = watch.status(SourceId::SlowLog, SourceHealth::Unavailable).await;
    assert!(status.remedy.contains("+slowlog|get"), "{status:?}");
}

#[tokio::test]
async fn a_burst_reports_every_command_of_others_by_key_and_leaves_no_trace() {
    let server = with_debug().await;
    let mut lab = server.connection().await.expect("connects");
    let before = values(&mut lab).await;
    // The operator's own entry is read before it is pushed out.
    run(&mut lab, &["DEBUG", "SLEEP", "0.012"]).await;
    let node = node(&server.address());
    let plan = plan_slow_log(&node, &[]).await.expect("it may be changed");
    assert_eq!(values(&mut lab).await, before, "a plan writes nothing");
    let mut watch = Watch::new();
    let context = watch.context.clone();
    let sampling = tokio::spawn(async move { sample(&context, &node, &plan, quick(600_000, 600_000)).await });
    let operators = watch.until(batch).await;
    assert_eq!((&*operators.executions[0].command, operators.threshold_micros), ("debug", 10_000));
    assert_eq!(values(&mut lab).await, ["0", "1024"]);
    for number in 0..300 {
        run(&mut lab, &["GET", &format!("user:{number}")]).await;
    }
    let (mut gets, mut others) = (0, Vec::new());
    while gets < 300 {
        let batch = watch.until(batch).await;
        assert_eq!(batch.threshold_micros, 0);
        for execution in batch.executions {
            match &*execution.command {
                "get" => {
                    assert_eq!(execution.key.as_deref(), Some(format!("user:{gets}").as_bytes()));
                    gets += 1;
                }
                other => others.push(other.to_owned()),
            }
        }
    }
    // The test's own CONFIG GETs are taken for a Cachescope's.
    assert!(others.is_empty(), "{others:?}");
    watch.context.cancel.cancel();
    let ended = sampling.await.expect("it ends");
    assert_eq!(ended, Sampled { end: SampleEnd::Cancelled, to_put_back: false });
    assert_eq!(values(&mut lab).await, before);
    let length: u64 = redis::cmd("SLOWLOG").arg("LEN").query_async(&mut lab).await.expect("it answers");
    assert_eq!(length, 0, "no command of the sample stays in the operator's slow log");
}

#[tokio::test]
async fn between_bursts_the_server_is_as_before_and_the_sample_ends_by_itself() {
    let server = with_debug().await;
    let mut lab = server.connection().await.expect("connects");
    let before = values(&mut lab).await;
    let node = node(&server.address());
    let plan = plan_slow_log(&node, &[]).await.expect("it may be changed");
    let mut watch = Watch::new();
    let context = watch.context.clone();
    let sampling = tokio::spawn(async move { sample(&context, &node, &plan, quick(100, 900)).await });
    let (mut on, mut off) = (0, 0);
    while let Ok(next) = tokio::time::timeout(Duration::from_secs(5), watch.next()).await {
        let Observed::Status(status) = next.what else { continue };
        if status.detail.contains("logs every command now") {
            on += 1;
        } else if status.detail.contains("as before in between") {
            off += 1;
            assert_eq!(values(&mut lab).await, before);
        }
        if on == 3 && off == 3 {
            break;
        }
    }
    assert_eq!((on, off), (3, 3));
    let ended = sampling.await.expect("it ends");
    assert_eq!(ended, Sampled { end: SampleEnd::TimeIsUp, to_put_back: false });
    assert_eq!(values(&mut lab).await, before);
}

#[tokio::test]
async fn an_operators_own_threshold_set_meanwhile_ends_the_sample_and_stays() {
    let server = with_debug().await;
    let mut lab = server.connection().await.expect("connects");
    let node = node(&server.address());
    let plan = plan_slow_log(&node, &[]).await.expect("it may be changed");
    let mut watch = Watch::new();
    let context = watch.context.clone();
    let sampling = tokio::spawn(async move { sample(&context, &node, &plan, quick(100, 600_000)).await });
    watch.until(|what| matches!(what, Observed::Executions(_) | Observed::Status(_)).then_some(())).await;
    while values(&mut lab).await[0] != "0" {
        tokio::task::yield_now().await;
    }
    run(&mut lab, &["CONFIG", "SET", "slowlog-log-slower-than", "777"]).await;
    let drain =
        tokio::spawn(async move { while !matches!(watch.next().await.what, Observed::EventsLost) {} });
    let ended = sampling.await.expect("it ends");
    drain.abort();
    assert!(matches!(&ended.end, SampleEnd::Stopped(why) if why.contains("777")), "{ended:?}");
    assert_eq!(values(&mut lab).await, ["777", "128"], "the length was still ours and is back");
}

#[tokio::test]
async fn a_restarted_server_ends_the_sample() {
    let mut server = with_debug().await;
    let node = node(&server.address());
    let plan = plan_slow_log(&node, &[]).await.expect("it may be changed");
    server.restart().await.expect("it starts again");
    let watch = Watch::new();
    let ended = sample(&watch.context, &node, &plan, quick(100, 600_000)).await;
    assert!(matches!(&ended.end, SampleEnd::Stopped(why) if why.contains("restarted")), "{ended:?}");
    assert!(!ended.to_put_back);
    let mut lab = server.connection().await.expect("connects");
    assert_eq!(values(&mut lab).await, ["10000", "128"]);
}
