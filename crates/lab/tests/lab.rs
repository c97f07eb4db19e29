//! The lab as a whole: traffic, Prometheus, incidents and their end.

use std::time::Duration;

use cachescope_lab::cache::CacheError;
use cachescope_lab::incident::Incident;
use cachescope_lab::workload::Workload;
use cachescope_lab::{Lab, LabError, LabOptions};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let awaited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), awaited).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn get(url: &str) -> Value {
    let answer = reqwest::get(url).await.expect("it answers");
    answer.json().await.expect("it answers with JSON")
}

async fn info(lab: &Lab, section: &str, field: &str) -> Result<u64, CacheError> {
    let info = lab.services()[0].cache().info(section).await?;
    let value =
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.trim().parse().ok());
    Ok(value.expect("INFO has the field"))
}

#[tokio::test]
async fn prometheus_sums_the_instances_to_the_ledgers_figures() {
    let options = LabOptions {
        prometheus: true,
        exporter: true,
        scrape_interval: Duration::from_millis(500),
        ..LabOptions::quiet("hot-rod-analytics")
    };
    let lab = Lab::start(options).await.expect("the lab starts");
    lab.traffic().resume();
    eventually("traffic flows", async || lab.traffic().sent() > 500).await;
    lab.traffic().pause().await;
    let total = lab.ledger_snapshot().await.expect("Redis answers").total();
    let prometheus = lab.prometheus_url().expect("it was asked for");
    let query = async |expression: &str| {
        let url = format!("{prometheus}/api/v1/query");
        let request = reqwest::Client::new().get(url).query(&[("query", expression)]);
        let answer: Value = request.send().await.expect("it answers").json().await.expect("in JSON");
        answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok())
    };
    let hits = r#"sum(cache_hits_total{job="api",cache_layer="redis"})"#;
    let misses = r#"sum(cache_misses_total{job="api",cache_layer="redis"})"#;
    eventually("Prometheus has the ledger's hits", async || query(hits).await == Some(total.hits as f64))
        .await;
    let wanted = Some(total.misses.total() as f64);
    // Awaited too: on a busy machine a scrape can run into its deadline, and a sum then lacks an instance.
    eventually("Prometheus has the ledger's misses", async || query(misses).await == wanted).await;
    eventually("both are up", async || query(r#"count(up{job="api"} == 1)"#).await == Some(2.0)).await;
    eventually("the exporter is scraped", async || query("redis_keyspace_hits_total").await.is_some()).await;
    for signal in [
        "max(db_cpu_ratio)",
        "histogram_quantile(0.95, sum(rate(db_query_duration_seconds_bucket[1m])) by (le))",
        "histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[1m])) by (le))",
    ] {
        eventually(signal, async || query(signal).await.is_some()).await;
    }
}

#[tokio::test]
async fn memory_pressure_evicts_and_leaves_nothing_behind() {
    let mut options = LabOptions { warm: true, ..LabOptions::quiet("booking") };
    options.redis.config.push(("maxmemory".to_owned(), "6mb".to_owned()));
    // The export's pace follows from what the workload thinks the memory is: here it fills quickly.
    let mut workload = Workload::named("booking").expect("it is one of the five");
    workload.max_memory_bytes = 300 << 20;
    options.workload = Some(workload);
    let lab = Lab::start(options).await.expect("the lab starts");
    lab.incidents().play(Incident::MemoryPressure, LONG).expect("it concerns every strategy");
    let evicted = async || info(&lab, "stats", "evicted_keys").await.is_ok_and(|evicted| evicted > 0);
    eventually("keys are evicted", evicted).await;
    assert_eq!(lab.incidents().running()[0].name, "memory-pressure");
    lab.incidents().end(Incident::MemoryPressure).await.expect("it is undone");
    let exports = lab.services()[0].cache().delete_pattern("report-export:*").await;
    assert_eq!(exports, Ok(0), "its keys are gone");
    assert!(lab.incidents().running().is_empty());
    let ours = lab.ledger_snapshot().await.expect("Redis answers");
    assert!(ours.total().evictions > 0);
}

#[tokio::test]
async fn a_version_bump_changes_the_keys_and_an_early_end_rolls_it_back() {
    let lab = Lab::start(LabOptions { warm: true, ..LabOptions::quiet("hot-rod-analytics") })
        .await
        .expect("the lab starts");
    let versions = || lab.services().iter().map(|service| service.version()).collect::<Vec<_>>();
    lab.incidents().play(Incident::VersionBump, LONG).expect("it concerns every strategy");
    eventually("the first instance is deployed", async || versions() == [2, 1]).await;
    lab.incidents().end(Incident::VersionBump).await.expect("it is rolled back");
    assert_eq!(versions(), [1, 1]);

    lab.incidents()
        .play(Incident::VersionBump, Duration::from_millis(30))
        .expect("it concerns every strategy");
    lab.incidents().ended(Incident::VersionBump).await.expect("it is played to its end");
    assert_eq!(versions(), [2, 2]);
    let mut redis = lab.redis().connection().await.expect("Redis accepts");
    let ttl: i64 = redis::cmd("TTL")
        .arg("dashboard:kpi:summary:v1")
        .query_async(&mut redis)
        .await
        .expect("Redis answers");
    assert!((1..=30).contains(&ttl), "the old version stays for its grace and goes then: {ttl} s");
}

#[tokio::test]
async fn where_keys_carry_no_version_a_deploy_flushes() {
    let lab = Lab::start(LabOptions { warm: true, ..LabOptions::quiet("task-management") })
        .await
        .expect("the lab starts");
    lab.incidents().play(Incident::VersionBump, Duration::ZERO).expect("it concerns every strategy");
    lab.incidents().ended(Incident::VersionBump).await.expect("it is played to its end");
    assert_eq!(lab.services()[0].cache().get_bytes("entity:project:p1").await, Ok(None));
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    assert_eq!(snapshot.namespaces["entity:project:{projectId}"].misses.flushed, 1);
}

#[tokio::test]
async fn a_ttl_cliff_expires_the_busiest_namespaces_at_once() {
    let lab = Lab::start(LabOptions { warm: true, ttl_factor: 1.0, ..LabOptions::quiet("task-management") })
        .await
        .expect("the lab starts");
    let mut redis = lab.redis().connection().await.expect("Redis accepts");
    let before: u64 = redis::cmd("DBSIZE").query_async(&mut redis).await.expect("Redis answers");
    lab.incidents().play(Incident::TtlCliff, LONG).expect("it concerns every strategy");
    let expired = async || info(&lab, "stats", "expired_keys").await.is_ok_and(|expired| expired >= 500);
    eventually("the projects expire", expired).await;
    let after: u64 = redis::cmd("DBSIZE").query_async(&mut redis).await.expect("Redis answers");
    assert!(after + 500 <= before, "{before} keys before, {after} after");
    lab.incidents().end(Incident::TtlCliff).await.expect("it ends");
}

#[tokio::test]
async fn a_slow_server_is_felt_by_its_clients_and_recovers() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    lab.traffic().resume();
    lab.incidents().play(Incident::SlowServer, LONG).expect("it concerns every strategy");
    let worst = async || {
        let total = lab.ledger_snapshot().await.expect("Redis answers").total();
        total.lookup_latency.quantile(1.0).unwrap_or_default()
    };
    eventually("lookups wait for the server", async || worst().await >= Duration::from_millis(50)).await;
    lab.incidents().end(Incident::SlowServer).await.expect("it ends");
    lab.traffic().pause().await;
    assert_eq!(lab.ledger_snapshot().await.expect("Redis answers").unanswered, 0, "late is not lost");
}

#[tokio::test]
async fn a_noisy_tenant_shows_and_a_strategy_without_tenants_says_so() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    lab.traffic().resume();
    lab.incidents().play(Incident::NoisyTenant, LONG).expect("booking has tenants");
    let share = async || {
        let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
        let of = |wanted: Option<&str>| -> u64 {
            snapshot
                .tenants
                .iter()
                .filter(|((_, it), _)| wanted.is_none_or(|wanted| it == wanted))
                .map(|(_, it)| it.lookups())
                .sum()
        };
        (of(None) > 300).then(|| of(Some("t03")) as f64 / of(None) as f64)
    };
    eventually("the tenant has a fifth of the lookups", async || {
        share().await.is_some_and(|share| share > 0.2)
    })
    .await;
    lab.incidents().end(Incident::NoisyTenant).await.expect("it ends");

    let lab = Lab::start(LabOptions::quiet("hotspot")).await.expect("the lab starts");
    let refused = lab.incidents().play(Incident::NoisyTenant, LONG);
    assert!(matches!(refused, Err(LabError::NoTenants(_))), "{refused:?}");
}

#[tokio::test]
async fn a_busy_database_shows_in_its_cpu_and_is_relieved() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    let page = format!("{}/metrics", lab.service_urls()[0]);
    let cpu = async || -> f64 {
        let page = reqwest::get(&page).await.expect("it answers").text().await.expect("in text");
        let line = page.lines().find_map(|line| line.strip_prefix("db_cpu_ratio ")).expect("the page has it");
        line.parse().expect("it is a number")
    };
    lab.incidents().play(Incident::DatabaseLoad, LONG).expect("it concerns every strategy");
    eventually("the report uses the CPU", async || cpu().await >= 0.7).await;
    lab.incidents().end(Incident::DatabaseLoad).await.expect("it ends");
    assert!(cpu().await < 0.7);
}

#[tokio::test]
async fn the_control_endpoint_plays_ends_and_tells() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", lab.control_url());
    let known = get(&url("/incidents")).await;
    assert_eq!(known["known"].as_array().map(Vec::len), Some(Incident::ALL.len()));

    let played: Value = client
        .post(url("/incidents/database-load?seconds=60"))
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("in JSON");
    assert_eq!(played["running"][0]["name"], "database-load");
    let ended: Value = client
        .delete(url("/incidents/database-load"))
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("in JSON");
    assert_eq!(ended["running"], serde_json::json!([]));
    let unknown = client.post(url("/incidents/nothing")).send().await.expect("it answers");
    assert!(unknown.text().await.expect("in text").contains("ttl-cliff"));

    lab.services()[0].cache().get_bytes("services:t01").await.expect("Redis answers");
    let ledger = get(&url("/ledger")).await;
    assert_eq!(ledger["namespaces"]["services:{tenantId}"]["miss_causes"]["cold"], 1);
    assert_eq!(ledger["tenants"]["services:{tenantId}"]["t01"]["misses"], 1);

    assert!(client.post(url("/traffic/resume")).send().await.expect("it answers").status().is_success());
    eventually("traffic flows", async || get(&url("/traffic")).await["sent"].as_u64() > Some(0)).await;
}

#[tokio::test]
async fn a_lab_ends_with_its_value_and_an_unknown_strategy_is_refused_with_what_there_is() {
    let lab = Lab::start(LabOptions::quiet("booking")).await.expect("the lab starts");
    let (front, redis) = (lab.service_urls()[0].clone(), lab.redis().address());
    lab.shutdown().await;
    assert!(tokio::net::TcpStream::connect(redis).await.is_err(), "Redis has ended");
    eventually("the front has ended", async || reqwest::get(format!("{front}/metrics")).await.is_err()).await;

    let refused = Lab::start(LabOptions::quiet("nothing")).await.expect_err("there is no such strategy");
    assert!(refused.to_string().contains("multi-tenant-saas"), "{refused}");
}

#[tokio::test]
async fn a_synthetic_workload_has_as_many_namespaces_as_wanted() {
    let workload = Workload::synthetic(5_000, 2, 500.0);
    let lab = Lab::start(LabOptions { workload: Some(workload), ..LabOptions::quiet("synthetic") })
        .await
        .expect("the lab starts");
    lab.traffic().resume();
    eventually("traffic flows", async || lab.traffic().sent() > 300).await;
    lab.traffic().pause().await;
    let snapshot = lab.ledger_snapshot().await.expect("Redis answers");
    assert_eq!(snapshot.namespaces.len(), 5_001, "with the row for keys of no namespace");
    assert!(snapshot.namespaces.values().filter(|it| it.lookups() > 0).count() > 100);
    let total = snapshot.total();
    let counted = (info(&lab, "stats", "keyspace_hits").await, info(&lab, "stats", "keyspace_misses").await);
    assert_eq!(counted, (Ok(total.hits), Ok(total.misses.total())));
}
