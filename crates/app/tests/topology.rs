//! Sessions that watch several servers: real clusters, Sentinel groups and replicas, failed over under traffic.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cachescope_app::session::{ScanPlan, Session};
use cachescope_app::wire::DeploymentDraft;
use cachescope_app::{deployments, doctor};
use cachescope_lab::servers::{RedisCluster, RedisOptions, RedisServer, SentinelGroup, SentinelOptions};
use cachescope_model::deployment::Environment;
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::ReadingKind as R;
use cachescope_model::snapshot::Snapshot;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::window::Window;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One test at a time: six servers and what watches them are enough for a small machine, and a machine that is too busy
/// to read events in time makes gaps, which are told and are not what is tested here.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn watch(url: &str, sources: &[SourceId]) -> Arc<Session> {
    cachescope_lab::servers::install_crypto();
    let draft = DeploymentDraft {
        redis_url: url.to_owned(),
        environment: Some(Environment::Development),
        ..DeploymentDraft::default()
    };
    let (deployment, secrets) = deployments::from_draft(&draft).expect("a good address");
    let mut plan = deployments::plan(deployment, secrets).await;
    plan.sources = Some(sources.iter().copied().collect::<BTreeSet<_>>());
    plan.scan = ScanPlan {
        mode: cachescope_model::scan::ScanMode::Exact,
        repeat_every: Some(Duration::from_millis(300)),
        ..ScanPlan::default()
    };
    plan.timeout = Duration::from_secs(2);
    Session::start(plan)
}

/// Looks once a tick until `seen`; `always` holds at every look.
async fn until(
    session: &Session,
    what: &str,
    always: impl Fn(&Snapshot),
    seen: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let mut ticks = session.ticks();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let snapshot = session.snapshot(Window::OneMinute);
        always(&snapshot);
        if seen(&snapshot) {
            return snapshot;
        }
        let changed = tokio::time::timeout_at(deadline, ticks.changed()).await;
        assert!(
            matches!(changed, Ok(Ok(()))),
            "{what} was not seen in time: {:?} {:?} {:?} {:?} {:?}",
            snapshot.nodes,
            snapshot.sources,
            snapshot.instance,
            snapshot.control_totals,
            snapshot.namespaces.iter().map(|row| (&row.namespace, row.miss_causes)).collect::<Vec<_>>()
        );
    }
}

fn anything(_: &Snapshot) {}

fn health(snapshot: &Snapshot, source: SourceId) -> SourceHealth {
    let status = snapshot.sources.iter().find(|status| status.source == source);
    status.map_or(SourceHealth::Starting, |status| status.health)
}

fn masters(snapshot: &Snapshot) -> usize {
    snapshot.nodes.iter().filter(|node| node.role == "master").count()
}

fn misses(snapshot: &Snapshot, namespace: &str) -> u64 {
    let row = snapshot.namespaces.iter().find(|row| row.namespace == namespace);
    row.map_or(0, |row| row.miss_causes.total())
}

fn all_misses(snapshot: &Snapshot) -> u64 {
    snapshot.namespaces.iter().map(|row| row.miss_causes.total()).sum()
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut connection = server.connection().await.expect("the server accepts connections");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.expect("the server answers")
}

/// Looks keys up, or writes them, on the primaries that hold them.
struct Client<'c> {
    cluster: &'c RedisCluster,
}

impl Client<'_> {
    async fn on_owners(&self, command: &str, keys: &[String]) {
        let mut at: Vec<redis::Pipeline> = vec![redis::Pipeline::new(); 3];
        let first = &self.cluster.primaries()[0];
        let mut connection = first.connection().await.expect("connects");
        let mut slots = redis::Pipeline::new();
        for key in keys {
            slots.cmd("CLUSTER").arg("KEYSLOT").arg(key);
        }
        let slots: Vec<usize> = slots.query_async(&mut connection).await.expect("slots are told");
        for (key, slot) in keys.iter().zip(slots) {
            let shared = at[(slot / 5_461).min(2)].cmd(command).arg(key);
            if command == "SET" {
                shared.arg("value");
            }
        }
        for (pipeline, primary) in at.iter().zip(self.cluster.primaries()) {
            if !pipeline.is_empty() {
                let mut connection = primary.connection().await.expect("connects");
                let _values: Vec<redis::Value> =
                    pipeline.query_async(&mut connection).await.expect("each key is where it belongs");
            }
        }
    }
}

fn keys(namespace: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{namespace}:{number}")).collect()
}

fn events() -> RedisOptions {
    RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..RedisOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_watched_whole_through_resharding_failover_and_the_loss_of_a_node() {
    let _alone = ALONE.lock().await;
    let mut options = events();
    options.config.push(("enable-debug-command".to_owned(), "yes".to_owned()));
    let mut cluster = RedisCluster::start(options).await.expect("a cluster starts");
    for node in cluster.nodes() {
        ask::<()>(node, &["CONFIG", "SET", "cluster-node-timeout", "1500"]).await;
    }
    // One node's address is enough; the others are found.
    let session = watch(&cluster.url(), &[SourceId::Info, SourceId::Events, SourceId::Scan]).await;
    until(&session, "all nodes", anything, |seen| {
        seen.nodes.len() == 6 && masters(seen) == 3 && health(seen, SourceId::Events) == SourceHealth::Ok
    })
    .await;

    // Misses by namespace equal the truth, those of replicas that serve reads included.
    let client = Client { cluster: &cluster };
    client.on_owners("SET", &keys("user", 0..300)).await;
    client.on_owners("GET", &keys("user", 0..300)).await;
    client.on_owners("GET", &keys("user", 1_000..1_120)).await;
    client.on_owners("GET", &keys("org", 0..77)).await;
    for replica in cluster.replicas() {
        let mut reads = redis::Pipeline::new();
        reads.cmd("READONLY");
        // Whichever replica holds the slot answers; the other two point elsewhere, which is no lookup.
        reads.cmd("GET").arg("user:2000");
        let mut connection = replica.connection().await.expect("connects");
        let _either: Result<Vec<redis::Value>, _> = reads.query_async(&mut connection).await;
    }
    let whole = |seen: &Snapshot| match &seen.instance[&R::Keys] {
        // Keys are never counted twice, whatever happens; where that is not known, they are not shown as exact.
        keys if keys.certainty == Certainty::Exact => {
            assert!(keys.value.is_some_and(|keys| keys <= 300.0), "{keys:?}");
        }
        _ => {}
    };
    let seen = until(&session, "every miss", whole, |seen| {
        // Both sides know of them: events are compared with what INFO has shown since.
        let compared =
            seen.control_totals.iter().any(|total| total.what == "misses" && total.server >= 198.0);
        compared && (misses(seen, "user:{id}") + misses(seen, "user:{n}") >= 121 || all_misses(seen) >= 198)
    })
    .await;
    assert_eq!(all_misses(&seen), 198, "{:?}", seen.namespaces);
    let total = seen.control_totals.iter().find(|total| total.what == "misses").expect("they are compared");
    assert_eq!(total.loss_ratio, Some(0.0), "{total:?}");
    until(&session, "a scan of every shard", whole, |seen| {
        seen.instance[&R::Keys].value == Some(300.0) && scanned(seen) == Some(300.0)
    })
    .await;

    // A slot moves with its keys while scans run: nothing breaks, nothing is counted twice for long.
    let (from, to) = (&cluster.primaries()[0], &cluster.primaries()[1]);
    let moving = keys_of(from).await;
    let slot = ask::<u64>(from, &["CLUSTER", "KEYSLOT", &moving]).await.to_string();
    let ids =
        (ask::<String>(from, &["CLUSTER", "MYID"]).await, ask::<String>(to, &["CLUSTER", "MYID"]).await);
    ask::<()>(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids.0]).await;
    ask::<()>(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids.1]).await;
    let port = to.port().to_string();
    ask::<redis::Value>(from, &["MIGRATE", "127.0.0.1", &port, &moving, "0", "5000"]).await;
    let steady = |seen: &Snapshot| {
        for source in [SourceId::Info, SourceId::Events, SourceId::Scan] {
            assert_ne!(health(seen, source), SourceHealth::Failed, "{:?}", seen.sources);
            assert_ne!(health(seen, source), SourceHealth::Partial, "{:?}", seen.sources);
        }
    };
    let before = session.now();
    until(&session, "scans of half a slot", steady, |seen| seen.at.millis() > before.millis() + 3_000).await;
    for node in cluster.primaries() {
        ask::<()>(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &ids.1]).await;
    }
    until(&session, "every key after resharding", steady, |seen| {
        seen.instance[&R::Keys].value == Some(300.0) && scanned(seen) == Some(300.0)
    })
    .await;

    // A server that stands still for a while is a gap that closes, and no wrong figure.
    let sleeping = cluster.primaries()[2].client().expect("a client");
    let nap = tokio::spawn(async move {
        let mut connection = sleeping.get_multiplexed_async_connection().await.expect("connects");
        let _late: Result<(), _> =
            redis::cmd("DEBUG").arg("SLEEP").arg("1").query_async(&mut connection).await;
    });
    nap.await.expect("it wakes up");

    // A replica takes over by order …
    ask::<()>(&cluster.replicas()[0], &["CLUSTER", "FAILOVER"]).await;
    let promoted = cluster.replicas()[0].address();
    let role = |seen: &Snapshot, node: &str| {
        seen.nodes.iter().find(|known| known.node == node).map(|known| known.role.clone())
    };
    until(&session, "the replica as primary", whole, |seen| {
        role(seen, &promoted).as_deref() == Some("master") && masters(seen) == 3
    })
    .await;

    // … and another one because its primary is gone.
    let gone = cluster.primaries()[1].address();
    cluster.node_mut(1).expect("it is there").stop();
    let taken_over = cluster.replicas()[1].address();
    let seen = until(&session, "the second failover", whole, |seen| {
        role(seen, &taken_over).as_deref() == Some("master") && role(seen, &gone).is_none()
    })
    .await;
    let info = seen.sources.iter().find(|status| status.source == SourceId::Info).expect("INFO says");
    assert_eq!(info.health, SourceHealth::Partial, "{info:?}");
    assert!(info.detail.starts_with("1 of 6 nodes: ") && info.detail.contains(&gone), "{info:?}");
    let before = all_misses(&seen);
    let mut connection = cluster.replicas()[1].connection().await.expect("connects");
    let mut lookups = redis::Pipeline::new();
    // Of the slots of the primary that has gone.
    let mut number = 0;
    while lookups.len() < 10 {
        let key = format!("late:{number}");
        number += 1;
        let slot: usize = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(&key)
            .query_async(&mut connection)
            .await
            .expect("a slot");
        if (5_461..10_922).contains(&slot) {
            lookups.cmd("GET").arg(key);
        }
    }
    let _missing: Vec<redis::Value> = lookups.query_async(&mut connection).await.expect("it serves");
    until(&session, "misses on the new primary", whole, |seen| all_misses(seen) >= before + 10).await;

    // It comes back as a replica.
    cluster.node_mut(1).expect("it is there").restart().await.expect("it starts again");
    until(&session, "the old primary as replica", whole, |seen| {
        role(seen, &gone).as_deref() == Some("slave")
            && health(seen, SourceId::Info) == SourceHealth::Ok
            && scanned(seen) == Some(300.0)
    })
    .await;
    session.stop().await;
}

/// Keys over all rows, as scans found them; `None` while none is published.
fn scanned(seen: &Snapshot) -> Option<f64> {
    let keys = seen.namespaces.iter().map(|row| row.readings.get(&R::Keys).and_then(|keys| keys.value));
    keys.collect::<Option<Vec<f64>>>().map(|keys| keys.iter().sum())
}

async fn keys_of(server: &RedisServer) -> String {
    ask::<String>(server, &["RANDOMKEY"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_failover_is_followed_and_keys_are_counted_once() {
    let _alone = ALONE.lock().await;
    let options = SentinelOptions { redis: events(), ..SentinelOptions::default() };
    let mut group = SentinelGroup::start(options).await.expect("a Sentinel group starts");
    ask::<()>(group.primary(), &["MSET", "user:1", "a", "user:2", "b"]).await;
    let sentinels: Vec<_> = group.sentinels().iter().map(RedisServer::address).collect();
    let url = format!("redis+sentinel://{}/{}", sentinels.join(","), group.service());
    let session = watch(&url, &[SourceId::Info, SourceId::Events, SourceId::Scan]).await;
    let once = |seen: &Snapshot| {
        let keys = &seen.instance[&R::Keys];
        assert!(keys.value.is_none_or(|keys| keys <= 2.0), "{keys:?}");
    };
    until(&session, "primary and replica", once, |seen| {
        seen.nodes.len() == 2 && masters(seen) == 1 && scanned(seen) == Some(2.0)
    })
    .await;

    let replica = group.replicas()[0].address();
    group.primary_mut().stop();
    until(&session, "the new primary", once, |seen| {
        let primary = seen.nodes.iter().find(|node| node.role == "master" && node.node == replica);
        primary.is_some() && seen.instance[&R::Keys].value == Some(2.0)
    })
    .await;
    ask::<Option<String>>(&group.replicas()[0], &["GET", "user:none"]).await;
    until(&session, "a miss there", once, |seen| all_misses(seen) == 1).await;
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_found_from_their_primary_and_a_plain_sentinel_address_leads_to_its_group() {
    let _alone = ALONE.lock().await;
    let group = SentinelGroup::start(SentinelOptions::default()).await.expect("a Sentinel group starts");
    for (url, nodes) in [
        (group.primary().address(), 2),
        (group.replicas()[0].address(), 2),
        (group.sentinels()[0].address(), 2),
        (format!("redis://{}?direct=true", group.primary().address()), 1),
        (format!("{},127.0.0.1:1", group.primary().address()), 2),
    ] {
        let session = watch(&url, &[SourceId::Info]).await;
        until(&session, &url, anything, |seen| seen.nodes.len() == nodes && masters(seen) == 1).await;
        session.stop().await;
    }
    let draft = DeploymentDraft {
        redis_url: format!("redis://{},127.0.0.1:1", group.replicas()[0].address()),
        ..DeploymentDraft::default()
    };
    let (deployment, secrets) = deployments::from_draft(&draft).expect("a good address");
    let plan = deployments::plan(deployment, secrets).await;
    let report = doctor::of_plan(&plan).await.expect("some servers answer");
    for words in ["2 primaries and 1 replica", "1 of 3 servers can't be reached", "127.0.0.1:1 refused"] {
        assert!(report.server.contains(words), "{words:?} in {report:?}");
    }
    let unknown = format!("redis+sentinel://{}/other", group.sentinels()[0].address());
    let session = watch(&unknown, &[SourceId::Info]).await;
    until(&session, "the unknown name", anything, |seen| {
        let info = seen.sources.iter().find(|status| status.source == SourceId::Info);
        info.is_some_and(|info| info.health == SourceHealth::Failed && info.detail.contains("it knows lab"))
    })
    .await;
    session.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_restarts_and_a_user_who_may_only_ping_give_gaps_in_words_and_no_wrong_figure() {
    let _alone = ALONE.lock().await;
    let options = RedisOptions { users: vec!["pinger on >pw +ping".to_owned()], ..events() };
    let mut server = RedisServer::start(options).await.expect("redis-server starts");
    let pinger = format!("redis://pinger:pw@{}", server.address());
    let session = watch(&pinger, &[SourceId::Info, SourceId::Events, SourceId::Scan]).await;
    let seen = until(&session, "what is missing", anything, |seen| {
        let refused = |source| health(seen, source) == SourceHealth::Unavailable;
        refused(SourceId::Info) && refused(SourceId::Events) && refused(SourceId::Scan)
    })
    .await;
    for (source, rule) in [(SourceId::Info, "+info"), (SourceId::Scan, "+scan")] {
        let status = seen.sources.iter().find(|status| status.source == source).expect("it says");
        assert!(status.remedy.contains(rule), "{status:?}");
    }
    assert!(seen.instance[&R::Keys].value.is_none() && seen.instance[&R::LookupsPerSecond].value.is_none());
    session.stop().await;

    let session = watch(&server.address(), &[SourceId::Info, SourceId::Events]).await;
    // One lookup in all: whatever shows more than that is wrong.
    let bounded = |seen: &Snapshot| {
        let lookups = &seen.instance[&R::LookupsPerSecond];
        assert!(lookups.value.is_none_or(|lookups| lookups <= 20.0), "{lookups:?}");
        assert!(seen.instance[&R::HitRate].value.is_none_or(|rate| rate == 0.0), "{seen:?}");
    };
    until(&session, "rates", bounded, |seen| seen.instance[&R::LookupsPerSecond].value.is_some()).await;
    for number in 0..20 {
        ask::<Option<String>>(&server, &["GET", &format!("none:{number}")]).await;
    }
    until(&session, "twenty misses", bounded, |seen| all_misses(seen) == 20).await;
    ask::<()>(&server, &["CONFIG", "REWRITE"]).await;
    ask::<()>(&server, &["CONFIG", "RESETSTAT"]).await;
    let says = |seen: &Snapshot, words: &str| {
        let reason = seen.instance[&R::LookupsPerSecond].reason.clone().unwrap_or_default();
        reason.contains(words)
    };
    until(&session, "the reset", bounded, |seen| says(seen, "counters were reset")).await;
    server.restart().await.expect("it starts again");
    until(&session, "the restart", bounded, |seen| says(seen, "restarted")).await;
    session.stop().await;
}
