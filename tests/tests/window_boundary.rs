//! What the page may not do, whatever runs in it.

use anyhow::{Context as _, Result, ensure};
use cachescope_lab::eavesdropper::Eavesdropper;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::connection::Form;
use cachescope_tests::window::{Options, Window};
use serde_json::{Value, json};

/// The message with which a command of the shell refuses, or `allowed`.
async fn invoke(window: &Window, command: &str, arguments: &str) -> Result<String> {
    let script = "const invoke = window.__TAURI_INTERNALS__.invoke; \
                  return invoke(arguments[0], JSON.parse(arguments[1])).then(() => 'allowed', (error) => String(error))";
    Ok(window.ask(script, &[command, arguments]).await?.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_page_can_ask_and_watch_and_do_nothing_else() -> Result<()> {
    let window = Window::open(Options::default()).await?;

    assert_eq!(invoke(&window, "request", r#"{"request":{"request":"app_info"}}"#).await?, "allowed");
    for command in ["plugin:window|close", "plugin:webview|create_webview_window", "plugin:event|emit"] {
        let answer = invoke(&window, command, "{}").await?;
        assert!(answer.contains("not allowed"), "{command}: {answer}");
    }
    assert!(invoke(&window, "remove_everything", "{}").await?.contains("not found"));

    let global = window.ask("return typeof window.__TAURI__", &[]).await?;
    assert_eq!(global, "undefined", "the whole API must not lie open");
    window.terminate().await.map(drop)
}

#[tokio::test]
async fn the_page_can_neither_leave_nor_call_home_nor_run_text_as_code() -> Result<()> {
    let window = Window::open(Options::default()).await?;
    let before = window.ask("return location.href", &[]).await?;

    let opened = window.ask("return window.open('https://example.com/') !== null", &[]).await?;
    assert_eq!(opened, false, "no window may open");
    window.ask("location.href = 'https://example.com/'", &[]).await?;
    window.wait_for("body[data-ready='true']").await?;
    assert_eq!(window.ask("return location.href", &[]).await?, before);

    let fetched = "return fetch('https://example.com/').then(() => 'fetched', (error) => error.name)";
    assert_eq!(window.ask(fetched, &[]).await?, "TypeError");
    let evaluated = "try { return (0, eval)('1') } catch (error) { return error.name }";
    assert_eq!(window.ask(evaluated, &[]).await?, "EvalError");
    window.terminate().await.map(drop)
}

/// What the core answers to a request of a script: the reply, or the error.
async fn ask(window: &Window, request: Value) -> Result<Value> {
    let script = "const invoke = window.__TAURI_INTERNALS__.invoke; \
                  return invoke('request', { request: JSON.parse(arguments[0]) }).then((reply) => ({ reply }), (error) => ({ error }))";
    window.ask(script, &[&request.to_string()]).await
}

#[tokio::test]
async fn a_script_in_the_page_learns_no_password_has_none_sent_elsewhere_and_does_nothing_without_an_approval()
-> Result<()> {
    let options = RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let url = format!("redis://{}", server.address());
    let window = Window::open(Options::default()).await?;
    let form = Form { redis_url: &url, redis_password: "hunter2", name: "Shop", ..Form::default() };
    form.connect(&window).await?;
    window
        .wait_for(
            "[data-testid='deployment'][data-state='live'], [data-testid='deployment'][data-state='partial']",
        )
        .await?;

    let listed = ask(&window, json!({ "request": "deployments" })).await?;
    let id = listed["reply"]["data"][0]["deployment"]["id"].as_str().context("it is listed")?.to_owned();
    ensure!(listed["reply"]["data"][0]["has_redis_password"] == true, "{listed}");
    let mut said = listed.to_string();
    for request in [
        json!({ "request": "app_info" }),
        json!({ "request": "export_deployments" }),
        json!({ "request": "doctor", "deployment": id }),
        json!({ "request": "endpoints", "deployment": id }),
        json!({ "request": "telling" }),
    ] {
        let answer = ask(&window, request.clone()).await?;
        ensure!(answer["error"].is_null(), "{request}: {answer}");
        said.push_str(&answer.to_string());
    }
    let around = "return document.documentElement.outerHTML + JSON.stringify(localStorage) + document.cookie \
                  + [...document.querySelectorAll('input')].map((input) => input.value)";
    said.push_str(window.ask(around, &[]).await?.as_str().context("it is text")?);
    ensure!(!said.contains("hunter2"), "{said}");

    let draft = |redis_url: &str| {
        json!({
            "id": id, "name": "Shop", "environment": "development", "redis_url": redis_url,
            "redis_password": null, "ssh": "", "ssh_key_file": "", "ssh_secret": null, "ssh_http": false, "prometheus_url": "",
            "prometheus_token": null, "metrics_urls": [], "strategy": "", "ca_file": "", "cert_file": "",
            "key_file": "", "group": "", "colour": null,
        })
    };
    // A deployment that needs no arming, so that it is the approval that is missing.
    let saved = ask(&window, json!({ "request": "save_deployment", "draft": draft(&url) })).await?;
    ensure!(saved["error"].is_null(), "{saved}");
    let run = json!({
        "request": "run_action", "deployment": id, "approval": "made-up", "plan_hash": "made-up",
        "typed_name": "Shop", "reason": null,
    });
    let refused = ask(&window, run).await?;
    ensure!(refused["error"]["code"] == "not_approved", "{refused}");

    let eavesdropper = Eavesdropper::start().await?;
    let elsewhere = eavesdropper.address();
    let draft = draft(&format!("redis://{elsewhere}"));
    for request in ["test_connection", "save_deployment"] {
        let answer = ask(&window, json!({ "request": request, "draft": draft })).await?;
        ensure!(answer["error"].is_null(), "{request}: {answer}");
    }
    window
        .until("it is spoken to twice", async || {
            Ok((eavesdropper.heard().matches("HELLO").count() > 1).then_some(()))
        })
        .await?;
    ensure!(!eavesdropper.heard().contains("HUNTER2"), "{}", eavesdropper.heard());

    window.terminate().await.map(drop)
}
