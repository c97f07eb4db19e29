//! What the command says, held against what really happened.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::command;
use cachescope_tests::figures::Figures;
use cachescope_tests::waiting::wait_for;

/// The bound: half a percentage point.
const HIT_RATE_WITHIN: f64 = 0.005;

/// How long traffic flows.
const TRAFFIC_FOR: Duration = Duration::from_secs(60);

/// How long the command watches: until everything is attached, the traffic, and until Prometheus has scraped
/// the last of it and been asked.
const WATCH_FOR: &str = "105s";

/// Arguments of `cachescope snapshot` with everything the lab offers.
fn everything(lab: &Lab, sources: &str, watch_for: &str) -> Result<Vec<String>> {
    let prometheus = lab.prometheus_url().context("this lab runs a Prometheus")?;
    let mut arguments: Vec<String> =
        ["snapshot", "--redis", &lab.redis_url(), "--prometheus", &prometheus].map(str::to_owned).into();
    for page in lab.metrics_urls() {
        arguments.extend(["--metrics".to_owned(), page]);
    }
    let more = ["--strategy", lab.strategy(), "--sources", sources, "--watch-for", watch_for];
    arguments.extend(more.map(str::to_owned));
    Ok(arguments)
}

async fn snapshot(arguments: Vec<String>) -> Result<Figures> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    command::json(&words).await.map(Figures::new)
}

/// How many of the server's clients listen to events.
async fn listeners(lab: &Lab) -> Result<usize> {
    let mut connection = lab.redis().connection().await?;
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await?;
    let subscribed = |line: &&str| !line.contains(" sub=0 psub=0");
    Ok(list.lines().filter(subscribed).count())
}

/// How many queries Prometheus has answered, by its own count.
async fn queries(lab: &Lab) -> Result<f64> {
    let url = lab.prometheus_url().context("this lab runs a Prometheus")?;
    let page = reqwest::get(format!("{url}/metrics")).await?.text().await?;
    let is_query =
        |line: &&str| line.starts_with("prometheus_http_requests_total{") && line.contains("/api/v1/query");
    Ok(page.lines().filter(is_query).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn hit_rates_and_misses_of_every_namespace_are_the_ledgers() -> Result<()> {
    let lab = Lab::start(LabOptions { traffic: false, ..LabOptions::new("multi-tenant-saas") }).await?;
    let (listening, queried) = (listeners(&lab).await?, queries(&lab).await?);
    let watching = tokio::spawn(snapshot(everything(&lab, "info,events,metrics,prometheus", WATCH_FOR)?));
    wait_for("the command listens to events and asks Prometheus", async || {
        if watching.is_finished() {
            bail!("the command has ended");
        }
        let attached = listeners(&lab).await? > listening && queries(&lab).await? > queried;
        Ok(attached.then_some(()))
    })
    .await?;

    let before = lab.ledger_snapshot().await?;
    lab.traffic().resume();
    tokio::time::sleep(TRAFFIC_FOR).await;
    lab.traffic().pause().await;
    let after = lab.ledger_snapshot().await?;
    let figures = watching.await??;

    let seen = figures.namespaces()?;
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (template, counts) in &after.namespaces {
        let truth = counts.since(&before.namespaces[template]);
        let Some(hit_rate) = truth.hit_rate() else { continue };
        let Some(row) = seen.get(template) else {
            wrong.push(format!("{template}: no row"));
            continue;
        };
        compared += 1;
        match row.reading("hit_rate") {
            Some(said) if (said - hit_rate).abs() <= HIT_RATE_WITHIN => {}
            said => wrong.push(format!(
                "{template}: hit rate {said:?} by {:?}, the ledger has {hit_rate:.4} of {} lookups",
                row.source("hit_rate"),
                truth.lookups()
            )),
        }
        if row.misses() != truth.misses.total() {
            wrong.push(format!(
                "{template}: {} misses, the ledger has {}",
                row.misses(),
                truth.misses.total()
            ));
        }
    }
    assert!(compared >= 8, "only {compared} namespaces had lookups");
    assert!(wrong.is_empty(), "{}\nevents: {}", wrong.join("\n"), figures.source("events"));
    lab.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_with_everything_attached_shows_no_lookups() -> Result<()> {
    let lab = Lab::start(LabOptions { traffic: false, ..LabOptions::new("multi-tenant-saas") }).await?;
    let figures = snapshot(everything(&lab, "info,events,scan,metrics,prometheus", "15s")?).await?;

    assert_eq!(figures.instance("lookups_per_second"), Some(0.0), "our own must be taken out");
    assert_eq!(figures.instance("misses_per_second"), Some(0.0));
    assert_eq!(figures.instance("hit_rate"), None, "no traffic is no data, not 0 % and not 100 %");
    let keys: f64 = figures.namespaces()?.values().filter_map(|row| row.reading("keys")).sum();
    assert!(keys > 100.0, "the scan has looked at {keys} keys only, so nothing was shown");
    for (template, row) in figures.namespaces()? {
        let lookups = row.reading("lookups_per_second").unwrap_or(0.0);
        assert_eq!((lookups, row.misses()), (0.0, 0), "{template}");
    }
    lab.shutdown().await;
    Ok(())
}
