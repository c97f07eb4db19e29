//! From an alert to the keys it is about, and from there to a purge and its undo, in the real window on a real server.

mod shop;
mod watched;

use anyhow::{Context, Result};
use cachescope_lab::servers::RedisServer;
use cachescope_model::deployment::Environment;
use cachescope_tests::window::{Options, Window};
use redis::aio::MultiplexedConnection;
use shop::{KEYS, filled, keys, strategy};
use watched::watch;

/// Fires as soon as it is judged: any server uses more memory than nothing.
const RULE: &str = r#"
[[rule]]
name = "MemoryInUse"
reading = "memory_ratio"
above = 0
severity = "warning"
summary = "Memory is in use"
action = "Look at what fills it."
documented = "memory > 0"
"#;

/// A server with keys of two namespaces, and a window that watches it.
async fn watched(environment: Environment) -> Result<(RedisServer, MultiplexedConnection, Window)> {
    let (server, connection) = filled(None).await?;
    let window = watch(&server, &strategy("protected = true", RULE), environment, Options::default()).await?;
    window.wait_for("[data-testid='row'][data-namespace='product:{id}']").await?;
    Ok((server, connection, window))
}

/// Opens the sheet for a namespace, and waits until its keys are counted.
async fn count(window: &Window, namespace: &str) -> Result<f64> {
    window.click(&format!("[data-testid='row'][data-namespace='{namespace}']")).await?;
    window.wait_for(&format!("[data-testid='namespace-panel'][data-namespace='{namespace}']")).await?;
    window.click("[data-testid='purge-namespace']").await?;
    window.wait_for("[data-testid='action-sheet']").await?;
    window.wait_for("[data-testid='preview-keys'][data-value]").await?;
    window.value("[data-testid='preview-keys']").await?.context("the preview counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_says_what_it_is_about_and_is_acknowledged() -> Result<()> {
    let (_server, _connection, window) = watched(Environment::Development).await?;
    window.wait_for("[data-testid='triage-strip'][data-state='warning']").await?;
    let sentence = window.text("[data-testid='triage-sentence']").await?.unwrap_or_default();
    assert!(sentence.to_lowercase().contains("memory"), "{sentence}");
    window.screenshot("alert-strip").await?;

    window.click("[data-testid='triage-open']").await?;
    window.wait_for_text("[data-testid='alert-detail']", "Look at what fills it").await?;
    window.screenshot("alert-detail").await?;

    window.click("[data-testid='alert-acknowledge']").await?;
    window.fill("[data-testid='acknowledge-note']", "seen").await?;
    window.click("[data-testid='acknowledge-done']").await?;
    window.wait_for("[data-testid='unacknowledge']").await?;
    window.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_purged_in_two_clicks_and_put_back() -> Result<()> {
    let (_server, mut connection, window) = watched(Environment::Development).await?;
    assert_eq!(count(&window, "product:{id}").await?, KEYS as f64);
    window.screenshot("purge-preview").await?;
    assert_eq!(keys(&mut connection, "product:").await?, KEYS, "counting writes nothing");

    window.click("[data-testid='run']:enabled").await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    window.screenshot("purge-result").await?;
    assert_eq!(keys(&mut connection, "product:").await?, 0);
    assert_eq!(keys(&mut connection, "session:").await?, KEYS, "nothing outside the scope is gone");

    window.click("[data-testid='undo']").await?;
    window.wait_for("[data-testid='undo-result']").await?;
    window.screenshot("purge-undone").await?;
    assert_eq!(keys(&mut connection, "product:").await?, KEYS);
    window.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_keys_of_production_can_not_be_purged_by_a_click() -> Result<()> {
    let (_server, mut connection, window) = watched(Environment::Production).await?;
    count(&window, "session:{token}").await?;
    window.wait_for("[data-testid='check'][data-code='protected'][data-verdict='refused']").await?;
    window.screenshot("purge-refused").await?;
    assert!(!window.visible("[data-testid='run']:enabled").await?, "nothing can be run");
    assert_eq!(keys(&mut connection, "session:").await?, KEYS);
    window.terminate().await?;
    Ok(())
}
