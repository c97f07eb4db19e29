//! LATENCY HISTOGRAM in INFO's company: what is counted, and why it is missing where it is.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::sample::CommandLatency;
use cachescope_sources::redis::info::{InfoOptions, run};

use super::watch::{Watch, node, server};

const QUICK: InfoOptions = InfoOptions { every: Duration::from_millis(5) };

async fn next(watch: &mut Watch) -> Vec<CommandLatency> {
    watch
        .until(|what| match what {
            Observed::CommandLatencies(latencies) => Some(latencies),
            _ => None,
        })
        .await
}

async fn why_not(watch: &mut Watch) -> String {
    watch
        .until(|what| match what {
            Observed::NoCommandLatencies(why) => Some(why),
            _ => None,
        })
        .await
}

async fn call(server: &RedisServer, times: usize, words: &[&str]) {
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for _ in 0..times {
        let command = pipeline.cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
    }
    pipeline.exec_async(&mut connection).await.expect("the server answers");
}

#[tokio::test]
async fn histograms_grow_by_the_calls_of_others_and_only_commands_that_read_values_are_asked_for() {
    let server = server(RedisOptions::default()).await;
    call(&server, 1, &["SET", "a", "1"]).await;
    call(&server, 7, &["GET", "a"]).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let of = |seen: &[CommandLatency], name: &str| {
        seen.iter().find(|one| &*one.command == name).map(|one| {
            assert_eq!(one.buckets.last().map(|(_, calls)| *calls), Some(one.calls), "{one:?}");
            assert!(one.buckets.is_sorted_by(|one, other| one.0 < other.0 && one.1 <= other.1), "{one:?}");
            (one.calls, one.own)
        })
    };
    let before = next(&mut watch).await;
    assert_eq!(of(&before, "get"), Some((7, 0)));
    assert_eq!(of(&before, "mget"), None, "never called");
    call(&server, 100, &["GET", "a"]).await;
    call(&server, 40, &["MGET", "a", "b"]).await;
    call(&server, 30, &["HGET", "h", "f"]).await;
    let after = loop {
        let seen = next(&mut watch).await;
        if of(&seen, "hget").is_some_and(|(calls, _)| calls == 30) {
            break seen;
        }
    };
    assert_eq!((of(&after, "get"), of(&after, "mget")), (Some((107, 0)), Some((40, 0))));
    assert_eq!(of(&after, "set"), None, "SET reads no value");
}

#[tokio::test]
async fn a_user_who_may_not_ask_learns_the_rule_and_info_goes_on() {
    let users = vec!["ann on >pw +info +ping".to_owned()];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), QUICK));
    let why = why_not(&mut watch).await;
    assert!(why.ends_with("ACL SETUSER ann +latency|histogram"), "{why}");
    watch.until(|what| matches!(what, Observed::Info(_)).then_some(())).await;
}

#[tokio::test]
async fn a_server_without_the_command_says_which_version_has_it() {
    let config = vec![("rename-command".to_owned(), "LATENCY \"\"".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let why = why_not(&mut watch).await;
    assert!(why.contains("came with Redis 7.0"), "{why}");
}

#[tokio::test]
async fn tracking_that_is_off_is_noticed_and_so_is_its_being_switched_on() {
    let config = vec![("latency-tracking".to_owned(), "no".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let why = why_not(&mut watch).await;
    assert!(why.ends_with("CONFIG SET latency-tracking yes"), "{why}");
    call(&server, 1, &["CONFIG", "SET", "latency-tracking", "yes"]).await;
    call(&server, 3, &["GET", "a"]).await;
    let seen = next(&mut watch).await;
    assert!(seen.iter().any(|one| &*one.command == "get" && one.calls == 3), "{seen:?}");
}
