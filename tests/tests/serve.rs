//! `cachescope serve`: what a Prometheus would scrape.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use cachescope_tests::waiting::wait_for;
use cachescope_tests::{command, programs};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running `cachescope serve` and the address of its page.
async fn serve(redis: &str, state: &tempfile::TempDir) -> Result<(Child, String)> {
    let mut child = Command::new(programs::cachescope()?)
        .args(["serve", "--redis", redis, "--strategy", "multi-tenant-saas", "--listen", "127.0.0.1:0"])
        .args(["--window", "10s", "--environment", "development", "--sources", "info,events,scan"])
        .env("CACHESCOPE_STATE_DIR", state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().context("standard output was asked for")?;
    let line = BufReader::new(output).lines().next_line().await?.context("it says where it listens")?;
    let url = line.strip_prefix("serving ").context("it says so in these words")?.to_owned();
    Ok((child, url))
}

/// The value of a series; `None` where the page has none.
fn value(page: &Value, name: &str, namespace: Option<&str>) -> Option<f64> {
    let series = page["series"].as_array()?;
    let is_it = |it: &&Value| {
        it["name"] == name && namespace.is_none_or(|wanted| it["labels"]["namespace"] == wanted)
    };
    series.iter().find(is_it).and_then(|it| it["value"].as_f64())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_served_that_prometheus_takes_and_it_says_when_the_server_is_gone() -> Result<()> {
    install_crypto();
    let options = RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..RedisOptions::default() };
    let mut server = RedisServer::start(options).await?;
    let mut connection = redis::Client::open(server.url())?.get_multiplexed_async_connection().await?;
    for number in 0..50 {
        redis::cmd("SET")
            .arg(format!("session:{number}"))
            .arg("x")
            .query_async::<()>(&mut connection)
            .await?;
    }
    let state = tempfile::tempdir()?;
    let (mut child, url) = serve(&server.url(), &state).await?;

    let keys = "cachescope_namespace_keys";
    let page = wait_for("the scan's figures are served", async || {
        // Lookups go on, so that there is traffic in the window.
        for number in 40..60 {
            redis::cmd("GET")
                .arg(format!("session:{number}"))
                .query_async::<Option<String>>(&mut connection)
                .await?;
        }
        let page = command::json(&["scrape", &url]).await?;
        let scanned = value(&page, keys, Some("session:{sessionId}")) == Some(50.0);
        let missed = value(&page, "cachescope_namespace_misses_per_second", Some("session:{sessionId}"));
        Ok((scanned && missed.is_some_and(|rate| rate > 0.0)).then_some(page))
    })
    .await?;
    ensure!(page["bad_lines"].as_array().is_some_and(Vec::is_empty), "{}", page["bad_lines"]);
    assert_eq!(value(&page, "cachescope_up", None), Some(1.0));
    assert_eq!(value(&page, "cachescope_window_seconds", None), Some(10.0));
    assert!(value(&page, "cachescope_instance_memory_bytes", None).is_some_and(|bytes| bytes > 0.0));

    // What Prometheus's own checker says of the page.
    let text = reqwest::get(&url).await?.text().await?;
    let mut checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = checker.stdin.take().context("standard input was asked for")?;
    input.write_all(text.as_bytes()).await?;
    drop(input);
    let checked = checker.wait_with_output().await?;
    ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    server.stop();
    wait_for("the page says that the server is gone", async || {
        let page = command::json(&["scrape", &url]).await?;
        Ok((value(&page, "cachescope_up", None) == Some(0.0)).then_some(()))
    })
    .await?;

    let id = child.id().context("it still runs")?.to_string();
    Command::new("kill").args(["-TERM", &id]).status().await?;
    ensure!(child.wait().await?.success(), "it ends well when it is asked to");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_told_in_a_sentence() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let listen = taken.local_addr()?.to_string();
    let ended = command::run(&["serve", "--redis", "127.0.0.1:1", "--listen", &listen]).await?;
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr)?;
    assert!(said.contains(&listen) && said.lines().count() == 1, "{said}");
    Ok(())
}
