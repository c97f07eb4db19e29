//! What a newcomer sees.

use anyhow::Result;
use cachescope_tests::window::{Options, Window};

#[tokio::test]
async fn the_first_start_offers_the_demo_and_an_address() -> Result<()> {
    for (dark, name) in [(true, "first-start-dark"), (false, "first-start-light")] {
        let window = Window::open(Options { dark, ..Options::default() }).await?;
        window.wait_for("[data-testid='start-demo']").await?;
        window.wait_for("[data-testid='first-url']").await?;
        let theme = window.attribute("html", "data-theme").await?;
        assert_eq!(
            theme.as_deref(),
            Some(if dark { "dark" } else { "light" }),
            "the desktop's theme is taken"
        );
        window.screenshot(name).await?;
        window.terminate().await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_window_opens_where_the_language_is_no_language_tag() -> Result<()> {
    let environment = [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("LANGUAGE", "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let window = Window::open(Options { environment: environment.into(), ..Options::default() }).await?;
    window.wait_for("[data-testid='first-url']").await?;
    window.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn the_program_ends_in_order_when_the_session_ends() -> Result<()> {
    let window = Window::open(Options::default()).await?;
    let id = window.program_id().expect("an open window has a program");
    window.terminate().await?;
    assert!(!std::path::Path::new(&format!("/proc/{id}/exe")).exists(), "process {id} is still there");
    Ok(())
}
