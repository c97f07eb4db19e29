//! Every main journey in the real window without a pointer: real key presses only, which go to what has the focus.

mod missed;
mod shop;
mod watched;

use anyhow::Result;
use cachescope_tests::window::{Options, Window};
use fantoccini::key::Key;
use missed::{miss_products, watched};
use shop::{KEYS, filled, keys};

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_named_tested_and_watched_by_keyboard() -> Result<()> {
    let (server, _connection) = filled(Some("AEm")).await?;
    let window = Window::open(Options::default()).await?;
    window.wait_for_focus("[data-testid='first-url']").await?;
    window.type_text(&server.url()).await?;
    window.key(Key::Enter).await?;

    window.wait_for_focus("[data-testid='redis-url']").await?;
    window.tab_to("[data-testid='name']").await?;
    window.type_text("checkout").await?;
    window.tab_to("[role='radiogroup'][aria-label='Environment'] [aria-checked='true']").await?;
    window.key(Key::Right).await?;
    window.wait_for_focus("[role='radio'][data-value='development'][aria-checked='true']").await?;
    window.tab_to("[data-testid='test']").await?;
    window.key(Key::Enter).await?;
    window.wait_for_text("[aria-label='Test'] h2", "It can be watched").await?;
    window.tab_back_to("[data-testid='save']").await?;
    window.key(Key::Enter).await?;

    window.wait_for("[data-testid='deployment'][data-state='live']").await?;
    window
        .until("memory is shown", async || window.value("[data-testid='figure-memory_ratio']").await)
        .await?;
    window.wait_for_text("[data-testid='deployment-link']", "checkout").await?;
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_leads_to_its_namespace_and_its_cause_by_keyboard() -> Result<()> {
    let (_server, connection, window) = watched("critical").await?;
    let misses = miss_products(connection);
    window.wait_for("[data-testid='triage-strip'][data-state='critical']").await?;
    window.tab_to("[data-testid='triage-open']").await?;
    window.key(Key::Enter).await?;
    window.wait_for_text("[data-testid='alert-detail']", "Look at why they are gone").await?;
    window.tab_to("[data-testid='alert-open-deployment']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='namespace-panel'][data-namespace='product:{id}']").await?;
    window.wait_for("[data-testid='cause-deleted'][data-value]").await?;
    window.screenshot("keyboard-cause").await?;

    // Back in the list of alerts, it is told to others that somebody is at it.
    window.control('3').await?;
    window.wait_for("[data-testid='alert-row']").await?;
    window.type_text("a").await?;
    window.wait_for_focus("[data-testid='acknowledge-note']").await?;
    window.type_text("at it").await?;
    window.tab_to("[data-testid='acknowledge-done']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='unacknowledge']").await?;
    misses.abort();
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_purged_and_put_back_by_keyboard() -> Result<()> {
    let (_server, mut connection, window) = watched("critical").await?;
    window.control('4').await?;
    window.tab_to("[data-testid='purge']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='action-sheet'][data-step='scope']").await?;
    window.tab_to("#scope-namespace").await?;
    window.type_text("product:{id}").await?;
    window.tab_to("[data-testid='count']:enabled").await?;
    window.key(Key::Enter).await?;

    // What was counted is looked at step by step before it is run.
    window.wait_for("[data-testid='action-sheet'][data-step='guards']").await?;
    window.tab_to("[data-testid='step-preview']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='preview-keys'][data-value]").await?;
    assert_eq!(window.value("[data-testid='preview-keys']").await?, Some(KEYS as f64));
    window.tab_to("[data-testid='to-guards']").await?;
    window.key(Key::Enter).await?;
    assert_eq!(keys(&mut connection, "product:").await?, KEYS, "looking writes nothing");
    window.wait_for("[data-testid='run']:enabled").await?;
    window.tab_to("[data-testid='run']").await?;
    window.screenshot("keyboard-purge").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    assert_eq!(keys(&mut connection, "product:").await?, 0);

    window.tab_to("[data-testid='undo']:enabled").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='undo-result']").await?;
    assert_eq!(keys(&mut connection, "product:").await?, KEYS);
    window.key(Key::Escape).await?;
    window
        .until("the sheet is closed", async || {
            Ok((!window.visible("[data-testid='action-sheet']").await?).then_some(()))
        })
        .await?;
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_found_opened_and_purged_by_letters_alone() -> Result<()> {
    let (_server, mut connection, window) = watched("critical").await?;
    window.type_text("/").await?;
    window.wait_for_focus("[data-testid='filter']").await?;
    window.type_text("product").await?;
    window.wait_for("[data-testid='row-count'][data-value='1']").await?;
    window.key(Key::Enter).await?;
    window.wait_for_focus("[data-testid='table']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='namespace-panel'][data-namespace='product:{id}']").await?;
    window.type_text("p").await?;
    window.wait_for("[data-testid='run']:enabled").await?;
    window.tab_to("[data-testid='run']").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    assert_eq!(keys(&mut connection, "product:").await?, 0);
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strategy_is_read_and_settings_are_changed_and_kept_by_keyboard() -> Result<()> {
    let (_server, _connection, window) = watched("critical").await?;
    window.control('6').await?;
    window.wait_for_text("[data-testid='ttl-audit']", "product:{id}").await?;

    window.control(',').await?;
    window.tab_to("[data-testid='quiet-on']").await?;
    window.type_text(" ").await?;
    window.wait_for("[data-testid='quiet-on']:checked").await?;
    window.tab_to("[role='radiogroup'][aria-label='Theme'] [aria-checked='true']").await?;
    window.key(Key::Left).await?;
    window.wait_for("html[data-theme='light']").await?;

    // A few letters lead to a namespace from anywhere.
    window.control('k').await?;
    window.wait_for_focus("[data-testid='palette-field']").await?;
    window.type_text("sessions").await?;
    window.wait_for_text("[data-testid='command'][aria-selected='true']", "Sessions").await?;
    window.key(Key::Enter).await?;
    window.wait_for("[data-testid='namespace-panel'][data-namespace='session:{token}']").await?;

    let state = window.terminate().await?;
    let window = Window::open_again(state, Options::default()).await?;
    window.wait_for("html[data-theme='light']").await?;
    window.control(',').await?;
    window.wait_for("[data-testid='quiet-on']:checked").await?;
    window.terminate().await.map(drop)
}
