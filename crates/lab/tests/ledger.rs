//! The ledger counts exactly what Redis counts.

use std::time::Duration;

use cachescope_lab::incident::Incident;
use cachescope_lab::ledger::LedgerSnapshot;
use cachescope_lab::workload::STRATEGIES;
use cachescope_lab::{Lab, LabOptions};

/// `keyspace_hits` and `keyspace_misses`, as Redis counts them.
async fn counted_by_redis(lab: &Lab) -> (u64, u64) {
    let info = lab.services()[0].cache().info("stats").await.expect("Redis answers");
    (field(&info, "keyspace_hits"), field(&info, "keyspace_misses"))
}

fn field(info: &str, name: &str) -> u64 {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
        .expect("INFO has the field")
}

fn counted_by_ledger(snapshot: &LedgerSnapshot) -> (u64, u64) {
    let total = snapshot.total();
    (total.hits, total.misses.total())
}

/// Runs traffic until so many requests were sent, then lets all of them be answered.
async fn run(lab: &Lab, requests: u64) {
    lab.traffic().resume();
    let sent = async {
        while lab.traffic().sent() < requests {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sent).await.expect("traffic flows");
    lab.traffic().pause().await;
}

#[tokio::test]
async fn hits_and_misses_equal_redis_own_counters_exactly_for_every_strategy() {
    for strategy in STRATEGIES {
        let options = LabOptions { rate_factor: 2.0, ttl_factor: 0.000_5, ..LabOptions::quiet(strategy) };
        let lab = Lab::start(options).await.expect("the lab starts");
        run(&lab, 2_500).await;
        let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
        assert_eq!(counted_by_ledger(&snapshot), counted_by_redis(&lab).await, "{strategy}");
        let total = snapshot.total();
        assert!(total.hits > 0 && total.misses.expired > 0, "{strategy}: both kinds occur: {total:?}");
        assert_eq!((total.misses.unknown, snapshot.unanswered), (0, 0), "{strategy}");
        assert_eq!(lab.traffic().failed(), 0, "{strategy}");
    }
}

#[tokio::test]
async fn an_undisturbed_run_has_no_evicted_or_flushed_misses_and_a_warmed_key_is_never_cold() {
    let options = LabOptions { warm: true, ..LabOptions::quiet("booking") };
    let lab = Lab::start(options).await.expect("the lab starts");
    assert_eq!(counted_by_redis(&lab).await, (0, 0), "warming up makes no lookups");
    run(&lab, 1_000).await;
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    let total = snapshot.total();
    assert_eq!((total.misses.evicted, total.misses.flushed), (0, 0));
    assert_eq!(snapshot.namespaces["services:{tenantId}"].misses.cold, 0);
    assert!(snapshot.namespaces["pet:{petId}"].misses.cold > 0);
}

#[tokio::test]
async fn evictions_are_told_from_expirations_and_equal_redis_own_counter() {
    let mut options =
        LabOptions { ttl_factor: 1.0, rate_factor: 3.0, ..LabOptions::quiet("multi-tenant-saas") };
    options.redis.config.push(("maxmemory".to_owned(), "6mb".to_owned()));
    let lab = Lab::start(options).await.expect("the lab starts");
    run(&lab, 6_000).await;
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    assert_eq!(counted_by_ledger(&snapshot), counted_by_redis(&lab).await);
    let total = snapshot.total();
    // Redis evicts before any command, INFO among them: its own count lies between two of the ledger's.
    let info = lab.services()[0].cache().info("stats").await.expect("Redis answers");
    let evicted = field(&info, "evicted_keys");
    let later = lab.ledger_snapshot().await.expect("Redis answers").total();
    assert!((total.evictions..=later.evictions).contains(&evicted), "{evicted}: {total:?}, {later:?}");
    assert!(total.misses.evicted > 0, "{total:?}");
    assert_eq!(total.misses.flushed, 0);
}

#[tokio::test]
async fn every_cause_of_a_miss_is_told_from_the_others() {
    let options = LabOptions { ttl_factor: 1.0, ..LabOptions::quiet("task-management") };
    let lab = Lab::start(options).await.expect("the lab starts");
    let cache = lab.services()[0].cache();
    let value = bytes::Bytes::from_static(b"{}");
    let ttl = Some(Duration::from_secs(300));
    let causes = async || {
        let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
        snapshot.namespaces["entity:task:{taskId}"].misses
    };

    assert_eq!(cache.get_bytes("entity:task:1").await, Ok(None));
    assert_eq!(causes().await.cold, 1);

    cache.set_bytes("entity:task:2", &value, ttl).await.expect("Redis stores");
    cache.delete(&["entity:task:2"]).await.expect("Redis deletes");
    assert_eq!(cache.get_bytes("entity:task:2").await, Ok(None));
    assert_eq!(causes().await.deleted, 1);

    cache.set_bytes("entity:task:3", &value, ttl).await.expect("Redis stores");
    let mut other = lab.redis().connection().await.expect("Redis accepts");
    redis::cmd("UNLINK").arg("entity:task:3").exec_async(&mut other).await.expect("Redis deletes");
    assert_eq!(cache.get_bytes("entity:task:3").await, Ok(None));
    assert_eq!(causes().await.deleted, 2, "someone else's deletion counts as one");

    cache.set_bytes("entity:task:4", &value, ttl).await.expect("Redis stores");
    redis::cmd("PEXPIRE").arg("entity:task:4").arg(20).exec_async(&mut other).await.expect("Redis obeys");
    let gone = async { while cache.get_bytes("entity:task:4").await.expect("Redis answers").is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it expires");
    assert_eq!(causes().await.expired, 1, "a time to live that others set counts too");

    cache.set_bytes("entity:task:5", &value, ttl).await.expect("Redis stores");
    cache.flush().await.expect("Redis flushes");
    assert_eq!(cache.get_bytes("entity:task:5").await, Ok(None));
    let all = causes().await;
    assert_eq!((all.flushed, all.total()), (1, 5));
}

#[tokio::test]
async fn tenants_and_in_process_lookups_have_their_own_figures() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    let cache = lab.services()[0].cache();
    for key in ["services:t01", "services:t01", "services:t02"] {
        assert_eq!(cache.get_bytes(key).await, Ok(None));
    }
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    let of =
        |tenant: &str| snapshot.tenants[&("services:{tenantId}".to_owned(), tenant.to_owned())].lookups();
    assert_eq!((of("t01"), of("t02")), (2, 1));

    let lab = Lab::start(LabOptions::quiet("hotspot")).await.expect("the lab starts");
    run(&lab, 400).await;
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    let dashboard = &snapshot.namespaces["cache:dashboard:stats"];
    assert!(dashboard.in_process_hits > dashboard.lookups(), "{dashboard:?}");
    assert_eq!(counted_by_ledger(&snapshot), counted_by_redis(&lab).await, "Redis sees none of them");
}

#[tokio::test]
async fn incidents_leave_their_mark_in_the_ledger_and_end() {
    let options = LabOptions { warm: true, ..LabOptions::quiet("multi-tenant-saas") };
    let lab = Lab::start(options).await.expect("the lab starts");
    run(&lab, 1_500).await;
    let before = lab.ledger_snapshot().await.expect("Redis answers");

    lab.incidents().play(Incident::MassPurge, Duration::ZERO).expect("it concerns every strategy");
    lab.incidents().ended(Incident::MassPurge).await.expect("it is played to its end");
    run(&lab, 2_500).await;
    let after = lab.ledger_snapshot().await.expect("Redis answers");
    let window = after.since(&before).total();
    assert!(window.misses.deleted > window.misses.expired, "{:?}", window.misses);
    assert_eq!(counted_by_ledger(&after), counted_by_redis(&lab).await);
    assert!(lab.incidents().running().is_empty());
}
