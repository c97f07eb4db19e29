//! What the page may not do, whatever runs in it.

use anyhow::Result;
use cachescope_tests::window::{Options, Window};

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
