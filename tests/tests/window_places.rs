//! Links, second starts and second windows: where they lead, and that they do nothing else.

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::connection::Form;
use cachescope_tests::waiting::wait_for;
use cachescope_tests::window::{Options, Window};
use fantoccini::key::Key;
use fantoccini::wd::WindowHandle;

const DEPLOYMENT: &str = "[data-testid='deployment']";
const SAID: &str = "[data-testid='said']";

/// A window on one server, with some keys in it.
async fn watching(name: &str) -> Result<(RedisServer, Window)> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    for number in 0..20 {
        let key = format!("session:{number}");
        redis::cmd("SET").arg(key).arg("x").query_async::<()>(&mut connection).await?;
    }
    let window = Window::open(Options::default()).await?;
    let strategy = "multi-tenant-saas";
    Form { redis_url: &server.url(), name, strategy, ..Form::default() }.connect(&window).await?;
    window.wait_for(DEPLOYMENT).await?;
    Ok((server, window))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_hands_its_link_to_the_first_window_and_ends() -> Result<()> {
    let (_server, window) = watching("checkout cache").await?;
    window.click("[data-testid='alerts-link']").await?;
    window
        .until("the deployment is left", async || Ok((!window.visible(DEPLOYMENT).await?).then_some(())))
        .await?;

    assert!(window.start_another(&["cachescope://deployment/checkout%20cache"]).await?);
    window.wait_for(DEPLOYMENT).await?;
    assert_eq!(window.handles().await?.len(), 1, "no second window opens");

    let id = window.attribute("[data-testid='deployment-link']", "data-deployment").await?;
    let id = id.context("the side bar names the deployment")?;
    let link = format!("cachescope://deployment/{id}/namespace/session%3A%7BsessionId%7D");
    assert!(window.start_another(&[&link]).await?);
    window.wait_for("[data-testid='namespace-panel'][data-namespace='session:{sessionId}']").await?;
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_nowhere_says_so_in_a_sentence_and_moves_nothing() -> Result<()> {
    let (_server, window) = watching("cache").await?;
    for (link, words) in [
        ("cachescope://deployment/elsewhere", "not here"),
        ("cachescope://alert/0123456789abcdef0123456789abcdef", "over"),
        ("cachescope://purge/cache", "no place"),
        ("cachescope://deployment/cache?run=purge", "no place"),
        ("cachescope:<img src=x onerror=alert(1)>", "does not begin with"),
    ] {
        assert!(window.start_another(&[link]).await?, "{link}");
        let said = window.wait_for_text(SAID, words).await?;
        assert!(
            !said.contains("elsewhere") && !said.contains("onerror"),
            "nothing of it is repeated: {said}"
        );
        assert!(window.visible(DEPLOYMENT).await?, "{link}");
        window.click(&format!("{SAID} button")).await?;
    }
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_started_by_a_link_opens_there() -> Result<()> {
    let (_server, window) = watching("cache").await?;
    let state = window.terminate().await?;
    let arguments = vec!["cachescope://deployment/nowhere".to_owned()];
    let window = Window::open_again(state, Options { arguments, ..Options::default() }).await?;
    window.wait_for_text(SAID, "not here").await?;
    window.terminate().await.map(drop)
}

/// The window that is not among these, once it is there.
async fn newcomer(window: &Window, known: &[WindowHandle]) -> Result<WindowHandle> {
    wait_for("another window opens", async || {
        Ok(window.handles().await?.into_iter().find(|handle| !known.contains(handle)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_window_is_as_live_as_the_first_and_each_can_be_closed_without_the_other() -> Result<()> {
    let (_server, window) = watching("cache").await?;
    let first = window.handles().await?;
    let shortcut = format!("{}{}n", char::from(Key::Control), char::from(Key::Shift));
    window.press(&shortcut).await?;
    let second = newcomer(&window, &first).await?;
    window.look_at(&second).await?;
    // It opens on what the first one shows, and its figures move by themselves.
    window.wait_for(DEPLOYMENT).await?;
    window.wait_for("[data-testid='figure-lookups_per_second']").await?;

    // The first one shows something else meanwhile.
    window.look_at(&first[0]).await?;
    window.click("[data-testid='settings-link']").await?;
    window.wait_for("[data-testid='settings']").await?;
    window.look_at(&second).await?;
    assert!(window.visible(DEPLOYMENT).await?);

    // A link to what the second one shows leads there, and the first one stays where it is.
    assert!(
        window.start_another(&["cachescope://deployment/cache/namespace/session%3A%7BsessionId%7D"]).await?
    );
    window.wait_for("[data-testid='namespace-panel']").await?;
    window.look_at(&first[0]).await?;
    assert!(window.visible("[data-testid='settings']").await?);

    window.close_this().await?;
    window.look_at(&second).await?;
    window.wait_for(DEPLOYMENT).await?;
    assert!(window.is_alive(), "the program goes on with the window that is left");
    window.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_comes_back_in_the_size_that_it_was_left_in() -> Result<()> {
    let window = Window::open(Options { size: (1180, 720), ..Options::default() }).await?;
    let size = "return `${innerWidth} ${innerHeight}`";
    window
        .until("it has its size", async || {
            Ok((window.ask(size, &[]).await?.as_str() == Some("1180 720")).then_some(()))
        })
        .await?;
    let state = window.terminate().await?;
    let window = Window::open_as_left(state, Options::default()).await?;
    let after = window.ask(size, &[]).await?;
    assert_eq!(after, "1180 720");
    window.terminate().await.map(drop)
}
