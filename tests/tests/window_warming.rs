//! From a purge to the warm of what it removed, in the real window on a real server and a real application, by keyboard.

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

const STRATEGY: &str = r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "product"
title = "Products"
template = "product:{id}"
ttl = "1h"
"#;

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
