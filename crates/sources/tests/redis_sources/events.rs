//! Keyspace events of a real server: exact, in order, and honest about what is missing.

use std::time::Duration;

use cachescope_lab::servers::{RedisCluster, RedisOptions, RedisServer};
use cachescope_model::events::KeyEventKind;
use cachescope_model::observation::{EventChannels, Observed};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::events::{EventsOptions, MissLimits, run};
use cachescope_sources::redis::info::{self, InfoOptions};

use super::watch::{Watch, node, server};

const QUICK: EventsOptions = EventsOptions {
    hand_on_every: Duration::from_millis(10),
    recheck_every: Duration::from_millis(50),
    miss_limits: MissLimits::DEFAULT,
};

async fn announcing(flags: &str) -> RedisServer {
    server(RedisOptions { notify_keyspace_events: Some(flags.to_owned()), ..Default::default() }).await
}

async fn set_flags(server: &RedisServer, flags: &str) {
    let mut connection = server.connection().await.expect("connects");
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg("notify-keyspace-events").arg(flags);
    command.exec_async(&mut connection).await.expect("sets");
}

async fn began(watch: &mut Watch) -> EventChannels {
    watch
        .until(|what| match what {
            Observed::EventsBegan(channels) => Some(channels),
            _ => None,
        })
        .await
}

type Event = (KeyEventKind, u16, Vec<u8>);

async fn events(watch: &mut Watch, wanted: usize) -> Vec<Event> {
    let mut seen = Vec::new();
    while seen.len() < wanted {
        let batch = watch
            .until(|what| match what {
                Observed::Events(batch) => Some(batch),
                Observed::EventsLost => panic!("nothing may be lost here"),
                _ => None,
            })
            .await;
        seen.extend(batch.iter().map(|(kind, database, key)| (kind, database, key.to_vec())));
    }
    seen
}

#[tokio::test]
async fn every_kind_of_event_arrives_with_its_database_and_the_bytes_of_its_key() {
    let server = announcing("Emxegn").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let on = began(&mut watch).await;
    assert_eq!(
        on,
        EventChannels {
            misses: Some(true),
            evictions: Some(true),
            expirations: Some(true),
            deletions: Some(true),
            additions: Some(true)
        }
    );
    watch.status(SourceId::Events, SourceHealth::Ok).await;
    let odd: &[u8] = b"a key\r\nwith {every}\0thing \xff\xfe";
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    pipeline.cmd("GET").arg(odd).cmd("SELECT").arg(3).cmd("GET").arg("three");
    pipeline.cmd("SET").arg(odd).arg(1).cmd("UNLINK").arg(odd);
    pipeline.cmd("SET").arg("soon").arg(1).arg("PX").arg(1);
    pipeline.exec_async(&mut connection).await.expect("writes");
    use KeyEventKind::{Deleted, Expired, Miss, New};
    let expected = [
        (Miss, 0, odd.to_vec()),
        (Miss, 3, b"three".to_vec()),
        (New, 3, odd.to_vec()),
        (Deleted, 3, odd.to_vec()),
        (New, 3, b"soon".to_vec()),
        (Expired, 3, b"soon".to_vec()),
    ];
    assert_eq!(events(&mut watch, expected.len()).await, expected);
}

#[tokio::test]
async fn evictions_are_told() {
    let config = vec![
        ("maxmemory".to_owned(), "3mb".to_owned()),
        ("maxmemory-policy".to_owned(), "allkeys-random".to_owned()),
    ];
    let notify_keyspace_events = Some("Ee".to_owned());
    let server = server(RedisOptions { config, notify_keyspace_events, ..Default::default() }).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    let on = began(&mut watch).await;
    assert_eq!((on.evictions, on.misses), (Some(true), Some(false)));
    let status = watch.status(SourceId::Events, SourceHealth::Partial).await;
    assert!(status.detail.contains("misses and expirations"), "{}", status.detail);
    assert_eq!(status.remedy, "CONFIG SET notify-keyspace-events eEmx");
    let mut connection = server.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for number in 0..2000 {
        pipeline.cmd("SET").arg(number).arg(vec![b'v'; 2000]);
    }
    pipeline.exec_async(&mut connection).await.expect("writes");
    let (kind, _, _) = events(&mut watch, 1).await.remove(0);
    assert_eq!(kind, KeyEventKind::Evicted);
}

#[tokio::test]
async fn a_burst_of_fifty_thousand_misses_is_counted_exactly() {
    const MISSES: usize = 50_000;
    let server = announcing("Emxe").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EventsOptions::default()));
    began(&mut watch).await;
    let mut connection = server.connection().await.expect("connects");
    let missing = tokio::spawn(async move {
        for thousand in 0..MISSES / 1000 {
            let mut pipeline = redis::pipe();
            for number in 0..1000 {
                pipeline.cmd("GET").arg(format!("missing:{thousand}:{number}"));
            }
            pipeline.exec_async(&mut connection).await.expect("reads");
        }
        let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut connection).await.expect("INFO");
        stats.lines().find_map(|line| line.strip_prefix("keyspace_misses:")?.trim().parse::<usize>().ok())
    });
    let seen = events(&mut watch, MISSES).await;
    let told = missing.await.expect("the reader ends").expect("INFO tells misses");
    assert_eq!(seen.len(), told);
    let keys: std::collections::HashSet<_> = seen.iter().map(|(_, _, key)| key).collect();
    assert_eq!(keys.len(), MISSES, "each key missed once");
}

/// What CLIENT LIST says of our subscription.
async fn subscription(server: &RedisServer) -> String {
    let mut connection = server.connection().await.expect("connects");
    let list = redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub").clone();
    list.query_async(&mut connection).await.expect("lists")
}

#[tokio::test]
async fn a_subscription_ends_by_itself_and_is_renewed_without_missing_or_repeating_an_event() {
    const LONG_ENOUGH: Duration = Duration::from_secs(3);
    let server = announcing("Emxe").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EventsOptions::default()));
    began(&mut watch).await;
    let first = subscription(&server).await;
    assert!(first.contains(" cmd=wait "), "it waits for its own end: {first}");
    let mut connection = server.connection().await.expect("connects");
    let missing = tokio::spawn(async move {
        let (begun, mut missed) = (std::time::Instant::now(), 0);
        while begun.elapsed() < LONG_ENOUGH {
            let mut pipeline = redis::pipe();
            for number in missed..missed + 100 {
                pipeline.cmd("GET").arg(format!("missing:{number}"));
            }
            pipeline.exec_async(&mut connection).await.expect("reads");
            missed += 100;
        }
        redis::cmd("GET").arg("last").exec_async(&mut connection).await.expect("reads");
        missed
    });
    let mut seen: Vec<Vec<u8>> = Vec::new();
    while seen.last().is_none_or(|key| key != b"last") {
        seen.extend(events(&mut watch, 1).await.into_iter().map(|(_, _, key)| key));
    }
    let missed = missing.await.expect("the reader ends");
    let expected: Vec<_> = (0..missed)
        .map(|number| format!("missing:{number}").into_bytes())
        .chain([b"last".to_vec()])
        .collect();
    assert!(seen == expected, "{} events of {}", seen.len(), expected.len());
    let id = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(id(&subscription(&server).await), id(&first), "it is the same connection still");
}

#[tokio::test]
async fn a_subscription_that_nobody_renews_is_over_and_what_was_missed_is_told() {
    let server = announcing("Emxe").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), EventsOptions::default()));
    began(&mut watch).await;
    // Nothing of this program runs for longer than two leases.
    std::thread::sleep(Duration::from_secs(3));
    lost_and_found(&mut watch).await;
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(events(&mut watch, 1).await.len(), 1);
}

#[tokio::test]
async fn whom_the_server_lets_not_wait_is_subscribed_until_it_closes() {
    let users = vec!["ann on >pw ~* &* +@all -wait".to_owned()];
    let options =
        RedisOptions { users, notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() };
    let server = server(options).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), QUICK));
    began(&mut watch).await;
    let line = subscription(&server).await;
    assert!(line.contains(" cmd=subscribe ") || line.contains(" cmd=ping "), "{line}");
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(events(&mut watch, 1).await.len(), 1);
}

#[tokio::test]
async fn a_full_server_tells_removals_and_no_misses_until_it_has_room_again() {
    let server = announcing("Emxe").await;
    let mut watch = Watch::new();
    let node = node(&server.address());
    // Every server is full, and no miss may cost anything.
    let miss_limits =
        MissLimits { full: 0.0, room: 0.0, share: 1e-9, full_for: Duration::ZERO, room_for: Duration::ZERO };
    let options = EventsOptions { miss_limits, ..QUICK };
    let every = InfoOptions { every: Duration::from_millis(100) };
    tokio::spawn(info::run(watch.context.clone(), node.clone(), every));
    tokio::spawn(run(watch.context.clone(), node, options));
    assert_eq!(began(&mut watch).await.misses, Some(true));
    let mut connection = server.connection().await.expect("connects");
    let load = tokio::spawn({
        let mut connection = connection.clone();
        async move {
            loop {
                redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let on = began(&mut watch).await;
    assert_eq!((on.misses, on.evictions, on.expirations), (Some(false), Some(true), Some(true)));
    let status = watch.status(SourceId::Events, SourceHealth::Partial).await;
    assert!(status.detail.contains("has no CPU to spare"), "{}", status.detail);
    let listens = |channel: &'static str| {
        let mut connection = connection.clone();
        async move {
            let command = redis::cmd("PUBSUB").arg("NUMSUB").arg(channel).clone();
            let (_, number): (String, u64) = command.query_async(&mut connection).await.expect("counts");
            number
        }
    };
    assert_eq!(listens("__keyevent@0__:keymiss").await, 0);
    assert_eq!(listens("__keyevent@0__:expired").await, 1);
    redis::cmd("SET").arg("soon").arg(1).arg("PX").arg(1).exec_async(&mut connection).await.expect("writes");
    assert_eq!(events(&mut watch, 1).await, [(KeyEventKind::Expired, 0, b"soon".to_vec())]);

    load.abort();
    assert_eq!(began(&mut watch).await.misses, Some(true));
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(events(&mut watch, 1).await, [(KeyEventKind::Miss, 0, b"missing".to_vec())]);
}

#[tokio::test]
async fn switched_off_events_are_unavailable_with_the_line_that_enables_them_until_someone_does() {
    let server = announcing("K$").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    assert_eq!(began(&mut watch).await.misses, Some(false));
    let status = watch.status(SourceId::Events, SourceHealth::Unavailable).await;
    assert_eq!(status.remedy, "CONFIG SET notify-keyspace-events $KEmxe");
    assert!(status.detail.contains("does not announce misses"), "{}", status.detail);

    set_flags(&server, "$KEmxe").await;
    assert_eq!(began(&mut watch).await.misses, Some(true));
    watch.status(SourceId::Events, SourceHealth::Ok).await;

    set_flags(&server, "").await;
    let mut lost = false;
    let off = watch
        .until(|what| match what {
            Observed::EventsLost => {
                lost = true;
                None
            }
            Observed::EventsBegan(channels) => Some(channels),
            _ => None,
        })
        .await;
    assert!(lost, "from some moment on, events were missing");
    assert_eq!(off.misses, Some(false));
}

#[tokio::test]
async fn events_that_begin_between_two_looks_at_the_setting_are_noticed_by_the_first_of_them() {
    let server = announcing("").await;
    let never = EventsOptions { recheck_every: Duration::from_secs(3600), ..QUICK };
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), never));
    watch.status(SourceId::Events, SourceHealth::Unavailable).await;
    set_flags(&server, "Em").await;
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(began(&mut watch).await.misses, Some(true));
    assert_eq!(events(&mut watch, 1).await, [(KeyEventKind::Miss, 0, b"missing".to_vec())]);
}

#[tokio::test]
async fn a_broken_subscription_is_a_loss_and_is_made_again() {
    let mut server = announcing("Emxe").await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    began(&mut watch).await;
    let mut connection = server.connection().await.expect("connects");
    let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").clone();
    kill.exec_async(&mut connection).await.expect("kills");
    lost_and_found(&mut watch).await;
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(events(&mut watch, 1).await.len(), 1);

    server.stop();
    watch.status(SourceId::Events, SourceHealth::Failed).await;
    server.restart().await.expect("starts again");
    began(&mut watch).await;
}

async fn lost_and_found(watch: &mut Watch) {
    let lost =
        watch.until(|what| matches!(what, Observed::EventsLost | Observed::EventsBegan(_)).then_some(what));
    assert!(matches!(lost.await, Observed::EventsLost), "the loss comes before the new beginning");
    began(watch).await;
}

#[tokio::test]
async fn without_config_get_events_are_taken_as_they_come_and_the_doubt_is_told() {
    let users =
        vec!["ann on >pw ~* &* +@all -config".to_owned(), "bob on >pw ~* +@all resetchannels".to_owned()];
    let options =
        RedisOptions { users, notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() };
    let server = server(options).await;
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://ann:pw@{}", server.address())), QUICK));
    assert_eq!(began(&mut watch).await, EventChannels::default());
    let status = watch.status(SourceId::Events, SourceHealth::Partial).await;
    assert!(status.remedy.contains("ACL SETUSER ann +config|get"), "{}", status.remedy);
    let mut connection = server.connection().await.expect("connects");
    redis::cmd("GET").arg("missing").exec_async(&mut connection).await.expect("reads");
    assert_eq!(events(&mut watch, 1).await.len(), 1);

    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&format!("redis://bob:pw@{}", server.address())), QUICK));
    let status = watch.status(SourceId::Events, SourceHealth::Unavailable).await;
    assert_eq!(status.remedy, "ACL SETUSER bob &__keyevent@*");
}

#[tokio::test]
async fn a_cluster_node_tells_the_misses_it_serves() {
    let options = RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() };
    let cluster = RedisCluster::start(options).await.expect("a cluster starts");
    let first = cluster.primaries().first().expect("it has primaries");
    let mut watch = Watch::new();
    tokio::spawn(run(watch.context.clone(), node(&first.address()), QUICK));
    began(&mut watch).await;
    let mut connection = first.connection().await.expect("connects");
    let mut missed = 0;
    for number in 0..200 {
        // Keys of other nodes are answered with MOVED and are no lookups here.
        let answer: Result<Option<String>, _> =
            redis::cmd("GET").arg(format!("missing:{number}")).query_async(&mut connection).await;
        missed += usize::from(answer.is_ok());
    }
    assert!(missed > 0, "some of the keys belong here");
    assert_eq!(events(&mut watch, missed).await.len(), missed);
}

#[tokio::test]
async fn an_engine_that_does_not_listen_loses_events_in_the_open() {
    const MISSES: usize = 20_000;
    let server = announcing("Emxe").await;
    // Room for a few messages only, and keys so long that the inbox fills before the test takes anything.
    let mut watch = Watch::with_room(2);
    let running = run(watch.context.clone(), node(&server.address()), QUICK);
    tokio::spawn(running);
    began(&mut watch).await;
    let mut connection = server.connection().await.expect("connects");
    let long = "k".repeat(2000);
    for _ in 0..MISSES / 500 {
        let mut pipeline = redis::pipe();
        for _ in 0..500 {
            pipeline.cmd("GET").arg(&long);
        }
        pipeline.exec_async(&mut connection).await.expect("reads");
    }
    let mut seen = 0;
    let mut lost = false;
    let again = watch
        .until(|what| match what {
            Observed::Events(batch) => {
                seen += batch.len();
                None
            }
            Observed::EventsLost => {
                lost = true;
                None
            }
            Observed::EventsBegan(channels) => Some(channels),
            _ => None,
        })
        .await;
    assert!(lost && again.misses == Some(true));
    assert!(seen < MISSES, "what did not fit is not made up");
    let status = watch.status(SourceId::Events, SourceHealth::Partial).await;
    assert!(status.detail.contains("were dropped"), "{}", status.detail);
}

#[tokio::test]
async fn cancelling_closes_the_subscription() {
    let server = announcing("Emxe").await;
    let mut watch = Watch::new();
    let running = tokio::spawn(run(watch.context.clone(), node(&server.address()), QUICK));
    began(&mut watch).await;
    let rest = watch.end().await;
    running.await.expect("it ended");
    assert!(
        !rest.iter().any(|what| matches!(what, Observed::EventsLost)),
        "an end that is wanted is no loss"
    );
    let mut connection = server.connection().await.expect("connects");
    let list = redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub").clone();
    loop {
        let subscribers: String = list.query_async(&mut connection).await.expect("lists");
        if subscribers.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
}
