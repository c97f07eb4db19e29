//! Warms in the real window on a real server and a real application: of what a purge removed, by keyboard, and of what an
//! alert says is missed.

mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use cachescope_lab::http::HttpServer;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::Environment;
use cachescope_tests::window::{Options, Window};
use fantoccini::key::Key;
use redis::aio::MultiplexedConnection;
use watched::watch;

const KEYS: usize = 300;

/// Fewer than are remembered of a namespace's most missed keys.
const MISSED: usize = 20;

const STRATEGY: &str = r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "product"
title = "Products"
template = "product:{id}"
ttl = "1h"
"#;

/// The same shop with a plan that fills products, and a rule that knows it: it fires as soon as products are missed.
fn strategy_with_plan(application: &str) -> String {
    format!(
        r#"{STRATEGY}
[[warm]]
name = "products"
title = "Load the products"
kind = "http_each"
url = "{application}/products/{{id}}"
items = [{{ what = "products", namespaces = ["product"] }}]

[[rule]]
name = "ProductMisses"
reading = "misses_per_second"
each = "namespace"
namespaces = ["product"]
above = 0
severity = "critical"
summary = "Products are missed"
action = "Load them."
warm = "products"
documented = "misses > 0"
"#
    )
}

struct Application {
    redis: MultiplexedConnection,
    loads: AtomicU64,
}

async fn load(State(application): State<Arc<Application>>, Path(id): Path<String>) -> StatusCode {
    application.loads.fetch_add(1, Ordering::SeqCst);
    let mut redis = application.redis.clone();
    let mut set = redis::cmd("SET");
    set.arg(format!("product:{id}")).arg("loaded").arg("EX").arg(3_600);
    match set.exec_async(&mut redis).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn products(connection: &mut MultiplexedConnection) -> Result<usize> {
    let all: Vec<String> = redis::cmd("KEYS").arg("product:*").query_async(connection).await?;
    Ok(all.len())
}

async fn finished(window: &Window) -> Result<()> {
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await
}

/// Goes on by keyboard as soon as a button can be pressed.
async fn press(window: &Window, button: &str) -> Result<()> {
    window.press_on(&format!("[data-testid='{button}']:enabled"), Key::Enter).await
}

/// How somebody goes on.
#[derive(Clone, Copy, Debug)]
enum By {
    Pointer,
    Keyboard,
}

impl By {
    async fn choose(self, window: &Window, selector: &str, key: Key) -> Result<()> {
        match self {
            Self::Pointer => window.click(selector).await,
            Self::Keyboard => {
                window.tab_to(selector).await?;
                window.key(key).await
            }
        }
    }
}

/// From the triage's button to the keys that are there again.
async fn warms_what_an_alert_is_about(by: By) -> Result<()> {
    let events = Some("AEm".to_owned());
    let options = RedisOptions { notify_keyspace_events: events, ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let mut connection = server.connection().await?;
    let application = Arc::new(Application { redis: server.connection().await?, loads: AtomicU64::new(0) });
    let routes = Router::new().route("/products/{id}", get(load)).with_state(Arc::clone(&application));
    let front = HttpServer::start(routes).await?;
    let strategy = strategy_with_plan(&front.url());
    let window = watch(&server, &strategy, Environment::Development, Options::default()).await?;
    window.wait_for("[data-testid='deployment'][data-state='live']").await?;

    // Asked for until the rule has been judged: what nobody asks for is not missed.
    window
        .until("the alert stands in the strip", async || {
            for id in 0..MISSED {
                let key = format!("product:{id}");
                let _none: Option<String> = redis::cmd("GET").arg(key).query_async(&mut connection).await?;
            }
            let strip = "[data-testid='triage-strip'][data-state='critical'] [data-testid='triage-action']";
            Ok(window.visible(strip).await?.then_some(()))
        })
        .await?;
    window.screenshot("triage-warm").await?;
    by.choose(&window, "[data-testid='triage-action']", Key::Enter).await?;
    window.wait_for("[data-testid='scope-fields'][data-kind='warm']").await?;
    window
        .until("the plan is chosen", async || {
            let script = "return document.querySelector(\"[data-testid='warm-plan']\").value";
            Ok((window.ask(script, &[]).await? == "products").then_some(()))
        })
        .await?;
    by.choose(&window, "[data-testid='warm-private']", Key::Space).await?;
    by.choose(&window, "[data-testid='count']:enabled", Key::Enter).await?;
    window.wait_for("[data-testid='preview-keys'][data-value]").await?;
    assert_eq!(window.value("[data-testid='preview-keys']").await?, Some(MISSED as f64));
    assert_eq!(application.loads.load(Ordering::SeqCst), 0, "looking calls no endpoint");
    window.wait_for("[data-testid='run']:enabled").await?;
    by.choose(&window, "[data-testid='run']:enabled", Key::Enter).await?;
    finished(&window).await?;
    window.screenshot("triage-warmed").await?;
    assert_eq!(products(&mut connection).await?, MISSED);
    assert_eq!(application.loads.load(Ordering::SeqCst), MISSED as u64, "each key is loaded once");
    window.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_beside_an_alert_warms_what_is_missed() -> Result<()> {
    warms_what_an_alert_is_about(By::Pointer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_beside_an_alert_is_reached_and_its_warm_is_run_by_keyboard() -> Result<()> {
    warms_what_an_alert_is_about(By::Keyboard).await
}

async fn warms_what_a_purge_removed(dark: bool) -> Result<()> {
    let picture = |name: &str| format!("warm-{name}-{}", if dark { "dark" } else { "light" });
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    let mut fill = redis::pipe();
    for id in 0..KEYS {
        fill.cmd("SET").arg(format!("product:{id}")).arg("x".repeat(100)).arg("EX").arg(3_600).ignore();
    }
    let () = fill.query_async(&mut connection).await?;
    let application = Arc::new(Application { redis: server.connection().await?, loads: AtomicU64::new(0) });
    let routes = Router::new().route("/products/{id}", get(load)).with_state(Arc::clone(&application));
    let front = HttpServer::start(routes).await?;

    let window =
        watch(&server, STRATEGY, Environment::Development, Options { dark, ..Options::default() }).await?;
    window.click("[data-testid='row'][data-namespace='product:{id}']").await?;
    press(&window, "purge-namespace").await?;
    window.wait_for("[data-testid='preview-keys'][data-value]").await?;
    press(&window, "run").await?;
    finished(&window).await?;
    assert_eq!(products(&mut connection).await?, 0);
    window.wait_for("[data-testid='warm-removed']").await?;
    window.screenshot(&picture("offered")).await?;

    press(&window, "warm-removed").await?;
    window.wait_for("[data-testid='scope-fields'][data-kind='warm']").await?;
    window.press_on("[data-testid='warm-private']", Key::Space).await?;
    window.fill("[data-testid='warm-url']", &format!("{}/products/{{id}}", front.url())).await?;
    window.screenshot(&picture("scope")).await?;
    window.press_on("[data-testid='warm-url']", Key::Enter).await?;
    window.wait_for("[data-testid='preview-keys'][data-value]").await?;
    let due = window.value("[data-testid='preview-keys']").await?.context("the preview counts")?;
    assert_eq!(due, KEYS as f64);
    assert_eq!(application.loads.load(Ordering::SeqCst), 0, "looking calls no endpoint");
    window.screenshot(&picture("preview")).await?;

    press(&window, "run").await?;
    window.wait_for("[data-testid='action-sheet'][data-step='run'], [data-testid='result-phase']").await?;
    window.screenshot(&picture("run")).await?;
    finished(&window).await?;
    window.screenshot(&picture("result")).await?;
    assert_eq!(window.value("[data-testid='result-removed']").await?, Some(KEYS as f64));
    assert_eq!(products(&mut connection).await?, KEYS);
    assert_eq!(application.loads.load(Ordering::SeqCst), KEYS as u64, "each key is loaded once");
    window.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_purge_removed_is_warmed_by_keyboard_from_its_result() -> Result<()> {
    warms_what_a_purge_removed(true).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "pictures of the light sheet; cargo test -p cachescope-tests --test window_warming -- --ignored"]
async fn the_same_in_a_light_window() -> Result<()> {
    warms_what_a_purge_removed(false).await
}
