//! A hundred deployments, of which few can be reached.

use std::net::TcpListener;

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{Deployment, Environment, TlsFiles};
use cachescope_store::Store;
use cachescope_tests::window::{Options, Window};
use fantoccini::key::Key;

const DEPLOYMENTS: usize = 100;

/// Of them, those that a server answers.
const REACHED: usize = 2;

const ROWS: &str = "return document.querySelectorAll(\"[data-testid='overview-row']\").length";

fn deployment(place: usize, redis_url: String) -> Deployment {
    Deployment {
        id: Store::new_deployment_id(),
        name: format!("cache-{place:03}"),
        environment: Some(Environment::Development),
        redis_url: Some(redis_url),
        prometheus_url: None,
        metrics_urls: Vec::new(),
        strategy: None,
        group: place.is_multiple_of(2).then(|| "Shop".to_owned()),
        colour: None,
        tls: TlsFiles::default(),
        ssh: None,
        ssh_http: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_few_of_a_hundred_deployments_that_answer_are_found_and_opened_by_keyboard() -> Result<()> {
    let options = RedisOptions { notify_keyspace_events: Some("AEm".to_owned()), ..RedisOptions::default() };
    let servers = [RedisServer::start(options.clone()).await?, RedisServer::start(options).await?];
    // Bound and never listened to: whoever connects is refused.
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let state = tempfile::tempdir()?;
    let store = Store::open(state.path())?;
    for place in 0..DEPLOYMENTS {
        let server = (place % 50 == 49).then(|| &servers[place / 50]);
        let url = server.map_or_else(|| format!("redis://{nobody}"), RedisServer::url);
        store.save_deployment(deployment(place, url)).await?;
    }
    drop(store);

    let window = Window::open_again(state, Options { size: (1024, 640), ..Options::default() }).await?;
    let unreached = DEPLOYMENTS - REACHED;
    window.wait_for_text("[data-testid='overview-chip'][data-word='failed']", &unreached.to_string()).await?;
    window.wait_for_text("[data-testid='overview-chip'][data-word='live']", &REACHED.to_string()).await?;
    assert_eq!(window.ask(ROWS, &[]).await?, DEPLOYMENTS);
    window.screenshot("hundred-deployments").await?;
    // What stands below the list is in reach.
    let below = "return document.querySelector(\"[data-testid='settings-link']\").getBoundingClientRect().bottom <= innerHeight";
    assert_eq!(window.ask(below, &[]).await?, true);
    let wider = "const bar = document.querySelector('nav'); return bar.scrollWidth > bar.clientWidth";
    assert_eq!(window.ask(wider, &[]).await?, false);

    window.type_text("/").await?;
    window.wait_for_focus("[data-testid='overview-filter']").await?;
    window.type_text("live shop").await?;
    window.wait_for_text("[data-testid='overview-count']", "0 of 100").await?;
    window.fill("[data-testid='overview-filter']", "live").await?;
    window.wait_for_text("[data-testid='overview-count']", "2 of 100").await?;
    assert_eq!(window.ask(ROWS, &[]).await?, REACHED);
    window.key(Key::Enter).await?;
    window.wait_for_focus("[data-testid='overview-row']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='deployment'][data-state='live']").await?;
    let title = window.text("[data-testid='deployment-name']").await?;
    assert_eq!(title.context("the bar names it")?, "cache-049");
    window.terminate().await.map(drop)
}
