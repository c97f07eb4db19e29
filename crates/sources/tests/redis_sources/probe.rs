//! Our own round trips: what is asked, what it leaves behind, and why it is less where it is less.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::sample::{ProbeCandidate, ProbedKey};
use cachescope_model::server::ServerInfo;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::info::{self, InfoOptions};
use cachescope_sources::redis::probe::{self, ProbeBudget, ProbeOptions};
use tokio::sync::watch as tokio_watch;

use super::watch::{Watch, node, server};

/// As fast as it gets, for tests.
fn options(watch: &Watch, keys: &[&str], may_touch: bool) -> ProbeOptions {
    let candidates = keys.iter().map(|key| ProbeCandidate {
        node: watch.context.node.clone(),
        database: 0,
        key: Bytes::copy_from_slice(key.as_bytes()),
    });
    let (_, candidates) = tokio_watch::channel(Arc::new(candidates.collect()));
    ProbeOptions { candidates, budget: Arc::new(ProbeBudget::new(1_000)), may_touch }
}

async fn probed(watch: &mut Watch) -> ProbedKey {
    watch
        .until(|what| match what {
            Observed::Probes(probes) => probes.into_iter().next(),
            _ => None,
        })
        .await
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut connection = server.connection().await.expect("connects");
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    command.query_async(&mut connection).await.expect("the server answers")
}

fn commands_of_others(info: &ServerInfo) -> (i128, i128, i128, i128) {
    let less = |all: u64, ours: u64| i128::from(all) - i128::from(ours);
    let gets = info.commands.iter().find(|stat| stat.command == "get").map_or(0, |stat| stat.calls);
    (
        less(info.keyspace_hits, info.own.hits),
        less(info.keyspace_misses, info.own.misses),
        less(info.commands_processed, info.own.commands),
        less(gets, info.own.gets),
    )
}

#[tokio::test]
async fn an_idle_server_that_is_probed_shows_no_lookups_misses_commands_or_gets() {
    let notify_keyspace_events = Some("Emxe".to_owned());
    let server = server(RedisOptions { notify_keyspace_events, ..Default::default() }).await;
    let () = ask(&server, &["MSET", "a", "1", "b", "2"]).await;
    let () = ask(&server, &["RPUSH", "list", "1"]).await;
    let () = ask(&server, &["CONFIG", "RESETSTAT"]).await;
    let mut watch = Watch::new();
    let node = node(&server.address());
    let quick = InfoOptions { every: Duration::from_millis(3) };
    tokio::spawn(info::run(watch.context.clone(), node.clone(), quick));
    tokio::spawn(probe::run(watch.context.clone(), node, options(&watch, &["a", "b", "list", "gone"], true)));
    let mut first = None;
    let (mut infos, mut hits, mut gone, mut values) = (0, 0, 0, 0);
    let mut last = ServerInfo::default();
    while infos < 60 || values < 10 || gone < 5 {
        match watch.next().await.what {
            Observed::Info(info) => {
                infos += 1;
                let others = commands_of_others(&info);
                // RESETSTAT counts itself.
                assert_eq!(others, *first.get_or_insert(others), "reading {infos}: {:?}", info.own);
                last = *info;
            }
            Observed::Probes(probes) => {
                for probe in probes {
                    hits += u64::from(probe.hit);
                    gone += u64::from(!probe.hit);
                    values += u64::from(probe.with_value && probe.hit);
                    assert_eq!(probe.with_value, probe.hit && probe.key != "list", "{probe:?}");
                    assert!(!probe.hit || probe.seconds > 0.0, "{probe:?}");
                }
            }
            Observed::CommandLatencies(latencies) => {
                for latency in latencies {
                    assert_eq!(latency.calls, latency.own, "every GET is ours: {latency:?}");
                }
            }
            Observed::OwnMiss { key, .. } => panic!("{key:?} was looked up though it is not there"),
            _ => {}
        }
    }
    assert!(hits > 0 && last.own.gets > 0 && last.own.misses == 0, "{:?}", last.own);
}

#[tokio::test]
async fn a_key_that_runs_out_under_the_probe_is_a_miss_of_ours() {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let () = ask(&server, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"]).await;
    let () = ask(&server, &["SET", "a", "1", "PX", "1"]).await;
    // Whether it has run out can't be asked without removing it.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut watch = Watch::new();
    tokio::spawn(probe::run(watch.context.clone(), node(&server.address()), options(&watch, &["a"], false)));
    // MEMORY USAGE still sees a key that has run out and was not removed yet; the lookup doesn't.
    let missed = watch
        .until(|what| match what {
            Observed::OwnMiss { key, .. } => Some(key),
            Observed::Probes(probes) => probes.iter().all(|probe| probe.hit).then_some(Bytes::new()),
            _ => None,
        })
        .await;
    assert_eq!(missed, "a");
    assert!(!probed(&mut watch).await.hit);
}

#[tokio::test]
async fn without_no_touch_a_probe_leaves_the_keys_idle_time_alone_and_says_so() {
    let server = server(RedisOptions::default()).await;
    let () = ask(&server, &["SET", "a", "1"]).await;
    let idle = || async { ask::<u64>(&server, &["OBJECT", "IDLETIME", "a"]).await };
    while idle().await < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut watch = Watch::new();
    tokio::spawn(probe::run(watch.context.clone(), node(&server.address()), options(&watch, &["a"], false)));
    for _ in 0..10 {
        let probe = probed(&mut watch).await;
        assert!(probe.hit && !probe.with_value, "{probe:?}");
    }
    assert!(idle().await >= 2, "nobody used the key");
    let mut told = Watch::new();
    tokio::spawn(probe::run(told.context.clone(), node(&server.address()), options(&told, &["a"], false)));
    let status = told.status(SourceId::Probe, SourceHealth::Partial).await;
    assert!(status.detail.contains("TYPE instead of GET"), "{status:?}");
    // The proof that this can fail: a GET does set it back.
    let mut touching = Watch::new();
    tokio::spawn(probe::run(
        touching.context.clone(),
        node(&server.address()),
        options(&touching, &["a"], true),
    ));
    while !probed(&mut touching).await.with_value {}
    assert!(idle().await < 2, "a GET makes it look used");
}

#[tokio::test]
async fn values_above_the_bound_are_never_fetched() {
    let server = server(RedisOptions::default()).await;
    let () = ask(&server, &["SET", "large", &"x".repeat(512 * 1024)]).await;
    let () = ask(&server, &["SET", "small", "x"]).await;
    let () = ask(&server, &["CONFIG", "RESETSTAT"]).await;
    let mut watch = Watch::new();
    let options = options(&watch, &["large", "small"], true);
    tokio::spawn(probe::run(watch.context.clone(), node(&server.address()), options));
    let mut with_value = [0, 0];
    for _ in 0..20 {
        let probe = probed(&mut watch).await;
        assert!(probe.hit, "{probe:?}");
        with_value[usize::from(probe.key == "small")] += u32::from(probe.with_value);
    }
    assert!(with_value[0] == 0 && with_value[1] > 5, "{with_value:?}");
}

#[tokio::test]
async fn a_user_who_may_not_learns_the_rule_and_asks_less() {
    for (rules, health, remedy, with_value) in [
        ("~* +ping +memory|usage", SourceHealth::Unavailable, "ACL SETUSER ann +type", None),
        ("~* +type +memory|usage", SourceHealth::Partial, "ACL SETUSER ann +get", Some(false)),
        ("~* +type +get", SourceHealth::Partial, "ACL SETUSER ann +memory|usage", Some(false)),
    ] {
        let users = vec![format!("ann on >pw {rules}")];
        let server = server(RedisOptions { users, ..Default::default() }).await;
        let () = ask(&server, &["SET", "a", "1"]).await;
        let mut watch = Watch::new();
        let url = format!("redis://ann:pw@{}", server.address());
        tokio::spawn(probe::run(watch.context.clone(), node(&url), options(&watch, &["a"], true)));
        if let Some(with_value) = with_value {
            let probe = probed(&mut watch).await;
            assert_eq!((probe.hit, probe.with_value), (true, with_value), "{rules}");
        }
        let status = watch.status(SourceId::Probe, health).await;
        assert_eq!(status.remedy, remedy, "{rules}: {status:?}");
    }
}

#[tokio::test]
async fn without_a_key_it_waits_and_says_where_keys_come_from() {
    let server = server(RedisOptions::default()).await;
    let mut watch = Watch::new();
    let running =
        tokio::spawn(probe::run(watch.context.clone(), node(&server.address()), options(&watch, &[], false)));
    let status = watch.status(SourceId::Probe, SourceHealth::Partial).await;
    assert!(status.detail.contains("no key is known"), "{status:?}");
    watch.end().await;
    running.await.expect("it ends when cancelled");
}
