//! The observer subtracts itself: with everything attached, an idle server shows nothing.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::events::KeyEventKind;
use cachescope_model::observation::Observed;
use cachescope_model::scan::ScanMode;
use cachescope_model::server::ServerInfo;
use cachescope_sources::redis::events::EventsOptions;
use cachescope_sources::redis::info::InfoOptions;
use cachescope_sources::redis::scan::ScanOptions;
use cachescope_sources::redis::{capabilities, events, info, scan};

use super::watch::{Watch, node, server};

/// A server's traffic with ours taken out: lookups that hit, that missed, and commands.
fn of_others(info: &ServerInfo) -> (i128, i128, i128) {
    let less = |all: u64, ours: u64| i128::from(all) - i128::from(ours);
    (
        less(info.keyspace_hits, info.own.hits),
        less(info.keyspace_misses, info.own.misses),
        less(info.commands_processed, info.own.commands),
    )
}

async fn fill(server: &RedisServer, keys: usize, lifetimes: impl Fn(usize) -> usize) {
    let mut connection = server.connection().await.expect("connects");
    // Keys must not vanish before the scan has seen them as there: only SCAN itself may expire them.
    redis::cmd("DEBUG")
        .arg("SET-ACTIVE-EXPIRE")
        .arg(0)
        .exec_async(&mut connection)
        .await
        .expect("keeps keys");
    for thousand in 0..keys.div_ceil(1000) {
        let mut pipeline = redis::pipe();
        for number in thousand * 1000..(thousand * 1000 + 1000).min(keys) {
            pipeline.cmd("SET").arg(format!("key:{number}")).arg(1).arg("PX").arg(lifetimes(number));
        }
        pipeline.exec_async(&mut connection).await.expect("writes");
    }
}

fn everything(watch: &Watch, server: &RedisServer) {
    let node = node(&server.address());
    let info_options = InfoOptions { every: Duration::from_millis(3) };
    let quick = Duration::from_millis(5);
    let events_options =
        EventsOptions { hand_on_every: quick, recheck_every: quick, ..EventsOptions::default() };
    let scan_options = ScanOptions {
        mode: ScanMode::Exact,
        repeat_every: Some(Duration::ZERO),
        unthrottled: true,
        ..ScanOptions::default()
    };
    tokio::spawn(info::run(watch.context.clone(), node.clone(), info_options));
    tokio::spawn(events::run(watch.context.clone(), node.clone(), events_options));
    tokio::spawn(scan::run(watch.context.clone(), node, scan_options));
}

#[tokio::test]
async fn an_idle_server_with_info_events_and_scans_attached_shows_no_traffic() {
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let notify_keyspace_events = Some("Emxe".to_owned());
    let server = server(RedisOptions { config, notify_keyspace_events, ..Default::default() }).await;
    // A third of the keys runs out while scans are under way.
    fill(&server, 3000, |number| if number % 3 == 0 { 1_500 + number / 2 } else { 3_600_000 }).await;

    let mut watch = Watch::new();
    everything(&watch, &server);
    let mut first: Option<(i128, i128, i128)> = None;
    let (mut infos, mut own_misses, mut misses, mut expired, mut complete) = (0, 0u64, 0u64, 0u64, 0);
    let mut last = ServerInfo::default();
    // Until every short-lived key is gone and scans have gone on after that.
    while expired < 1000 || complete < 10 || infos < 50 {
        match watch.next().await.what {
            Observed::Info(info) => {
                infos += 1;
                let others = of_others(&info);
                let first = *first.get_or_insert(others);
                assert_eq!(others, first, "reading {infos}: {:?}", info.own);
                last = *info;
            }
            Observed::OwnMiss { .. } => own_misses += 1,
            Observed::Events(batch) => {
                for (kind, _, _) in batch.iter() {
                    misses += u64::from(kind == KeyEventKind::Miss);
                    expired += u64::from(kind == KeyEventKind::Expired);
                }
            }
            Observed::ScanFinished(finished) => complete += u64::from(finished.complete),
            Observed::EventsLost => panic!("no event may be lost here"),
            _ => {}
        }
    }
    for what in watch.end().await {
        match what {
            Observed::OwnMiss { .. } => own_misses += 1,
            Observed::Events(batch) => {
                misses += batch.iter().filter(|(kind, _, _)| *kind == KeyEventKind::Miss).count() as u64;
            }
            _ => {}
        }
    }
    assert!(last.own.hits > 2000, "the scan did look up keys: {:?}", last.own);
    assert_eq!(misses, own_misses, "every announced miss was one of ours");
    assert!((2..=3).contains(&last.own.connections), "one for commands, one for events, one while scanning");
    assert_eq!(last.connected_clients, last.own.connections, "nobody else is connected");
}

#[tokio::test]
async fn a_connection_that_is_cut_leaves_at_most_the_lookups_of_one_chunk() {
    let notify_keyspace_events = Some("Emxe".to_owned());
    let config = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let server = server(RedisOptions { config, notify_keyspace_events, ..Default::default() }).await;
    fill(&server, 2000, |_| 3_600_000).await;
    let mut watch = Watch::new();
    everything(&watch, &server);
    let mut lab = server.connection().await.expect("connects");
    let mut first: Option<(i128, i128)> = None;
    let mut infos = 0;
    while infos < 60 {
        if let Observed::Info(info) = watch.next().await.what {
            infos += 1;
            let (hits, misses, _) = of_others(&info);
            let first = *first.get_or_insert((hits, misses));
            assert_eq!(misses, first.1);
            // Of a chunk that was cut off, nobody knows how much was done: its lookups may remain (SCAN COUNT
            // 100 gives some more than 100 keys at times).
            assert!((hits - first.0).abs() <= 150 * i128::from(infos / 20), "{hits} after {first:?}");
            if infos % 20 == 0 {
                let kill = redis::cmd("CLIENT")
                    .arg("KILL")
                    .arg("TYPE")
                    .arg("normal")
                    .arg("SKIPME")
                    .arg("yes")
                    .clone();
                kill.exec_async(&mut lab).await.expect("kills");
            }
        }
    }
}

#[tokio::test]
async fn asking_for_capabilities_looks_up_nothing() {
    let users = vec!["ann on >pw ~* +@all -acl".to_owned()];
    let server =
        server(RedisOptions { users, notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() })
            .await;
    let mut watch = Watch::new();
    let quick = EventsOptions { hand_on_every: Duration::from_millis(5), ..EventsOptions::default() };
    tokio::spawn(events::run(watch.context.clone(), node(&server.address()), quick));
    watch.until(|what| matches!(what, Observed::EventsBegan(_)).then_some(())).await;
    for url in [server.address(), format!("redis://ann:pw@{}", server.address())] {
        capabilities::capabilities(&node(&url)).await.expect("it answers");
    }
    let mut lab = server.connection().await.expect("connects");
    let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut lab).await.expect("INFO");
    for counter in ["keyspace_hits:0", "keyspace_misses:0"] {
        assert!(stats.lines().any(|line| line.trim() == counter), "{counter} not in {stats}");
    }
}
