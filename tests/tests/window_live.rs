//! Live figures in the window: they come, move, agree with the command, and survive a server that goes away.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cachescope_lab::{Lab, LabOptions};
use cachescope_tests::command;
use cachescope_tests::connection::Form;
use cachescope_tests::figures::Figures;
use cachescope_tests::waiting::{PATIENCE, wait_at_most};
use cachescope_tests::window::{Options, Window};

/// Two observers whose ten seconds do not begin at the same moment agree within this, in points of hit rate.
const HIT_RATE_WITHIN: f64 = 0.03;

/// Namespaces with fewer lookups a second are too uneven to compare ten seconds of them.
const BUSY: f64 = 50.0;

fn figure(kind: &str) -> String {
    format!("[data-testid='figure-{kind}']")
}

fn in_state(state: &str) -> String {
    format!("[data-testid='deployment'][data-state='{state}']")
}

async fn connect(window: &Window, lab: &Lab) -> Result<()> {
    let prometheus = lab.prometheus_url().unwrap_or_default();
    let form = Form {
        redis_url: &lab.redis_url(),
        prometheus_url: &prometheus,
        metrics_urls: &lab.metrics_urls().join("\n"),
        strategy: lab.strategy(),
        name: "lab",
        ..Form::default()
    };
    form.connect(window).await
}

/// Hit rate and lookups a second by namespace, as the table shows them.
async fn table(window: &Window) -> Result<BTreeMap<String, (f64, f64)>> {
    let script = r#"const value = (row, kind) => Number(row.querySelector(`[data-kind='${kind}']`)?.dataset.value);
                    return [...document.querySelectorAll("[data-testid='row']")].map((row) =>
                        [row.dataset.namespace, value(row, 'hit_rate'), value(row, 'lookups_per_second')])"#;
    let rows = window.ask(script, &[]).await?;
    let read =
        |row: &serde_json::Value| Some((row[0].as_str()?.to_owned(), (row[1].as_f64()?, row[2].as_f64()?)));
    Ok(rows.as_array().into_iter().flatten().filter_map(read).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_lab_come_move_and_are_the_commands() -> Result<()> {
    let lab = Lab::start(LabOptions::new("multi-tenant-saas")).await?;
    let window = Window::open(Options::default()).await?;
    connect(&window, &lab).await?;
    window.click("[role='radiogroup'][aria-label='Window'] [data-value='10s']").await?;

    // Everything that was typed is reached: Redis, Prometheus and both metrics pages.
    window.wait_for(&in_state("live")).await?;
    let lookups = figure("lookups_per_second");
    let first = window.until("lookups are shown", async || window.value(&lookups).await).await?;
    window
        .until("lookups move", async || {
            Ok(window.value(&lookups).await?.filter(|now| (now - first).abs() > f64::EPSILON))
        })
        .await?;
    window.wait_for("[data-testid='row'][data-namespace] [data-kind='hit_rate'][data-value]").await?;

    let said = command::json(&[
        "snapshot",
        "--redis",
        &lab.redis_url(),
        "--strategy",
        lab.strategy(),
        "--metrics",
        &lab.metrics_urls()[0],
        "--metrics",
        &lab.metrics_urls()[1],
        "--prometheus",
        &lab.prometheus_url().context("this lab runs a Prometheus")?,
        "--sources",
        "info,events,metrics,prometheus",
        "--watch-for",
        "10s",
    ])
    .await
    .map(Figures::new)?;
    let (hit_rate, rows) = (window.value(&figure("hit_rate")).await?, table(&window).await?);
    let (hit_rate, command_hit_rate) = (
        hit_rate.context("the window shows a hit rate")?,
        said.instance("hit_rate").context("the command has a hit rate")?,
    );
    assert!(
        (hit_rate - command_hit_rate).abs() < HIT_RATE_WITHIN,
        "the window shows {hit_rate}, the command {command_hit_rate}"
    );
    let mut compared = 0;
    for (namespace, row) in said.namespaces()? {
        let (Some(expected), Some((shown, busy))) = (row.reading("hit_rate"), rows.get(&namespace)) else {
            continue;
        };
        if *busy < BUSY {
            continue;
        }
        compared += 1;
        // Two windows of ten seconds, not the same ones: shares of so many lookups differ by chance.
        let chance = 4.0 * (2.0 * expected * (1.0 - expected) / (busy * 10.0)).sqrt();
        assert!(
            (shown - expected).abs() < chance.max(HIT_RATE_WITHIN),
            "{namespace}: the window shows {shown}, the command {expected}"
        );
    }
    assert!(compared >= 3, "only {compared} busy namespaces were compared: {rows:?}");

    window.screenshot("deployment-dark").await?;
    let state = window.terminate().await?;

    // What was connected is kept: the next start opens it again, here on a light desktop.
    let light = Options { dark: false, ..Options::default() };
    let window = Window::open_again(state, light).await?;
    window.until("lookups are shown again", async || window.value(&lookups).await).await?;
    window.wait_for("[data-testid='row'][data-namespace] [data-kind='hit_rate'][data-value]").await?;
    window.screenshot("deployment-light").await?;
    window.terminate().await?;
    lab.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_lost_and_live_again_when_it_is_back() -> Result<()> {
    let mut lab = Lab::start(LabOptions { prometheus: false, ..LabOptions::new("hotspot") }).await?;
    let window = Window::open(Options::default()).await?;
    let form = Form { redis_url: &lab.redis_url(), name: "lab", ..Form::default() };
    form.connect(&window).await?;
    window.wait_for(&in_state("live")).await?;

    lab.redis_mut().stop();
    window.wait_for(&in_state("lost")).await?;
    let told = window.text("[data-testid='state-banner']").await?.unwrap_or_default();
    assert!(!told.trim().is_empty(), "the banner says what is the matter");
    window.screenshot("deployment-lost").await?;

    lab.redis_mut().restart().await?;
    window.wait_for(&in_state("live")).await?;
    let commands = figure("lookups_per_second");
    wait_at_most(PATIENCE, "figures are there again", async || window.value(&commands).await).await?;
    assert!(window.is_alive());
    window.terminate().await?;
    lab.shutdown().await;
    Ok(())
}
