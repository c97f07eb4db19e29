//! Names that try to hide, to turn round or to break the page, and a value of ten megabytes: looked at, purged, put back.

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::connection::Form;
use cachescope_tests::window::{Options, Window};
use fantoccini::key::Key;
use redis::aio::MultiplexedConnection;

/// Keys of each namespace.
const KEYS: usize = 30;

const BIG: usize = 10 << 20;

/// What keys begin with, and how a namespace of them is named on the screen.
fn prefixes() -> Vec<(Vec<u8>, String)> {
    let own = |text: &str, shown: &str| (text.as_bytes().to_vec(), format!("{shown}{{id}}"));
    vec![
        own("user\u{202e}gpj.exe:", "user\\u202egpj.exe:"),
        own("a\u{2066}b\u{200b}c:", "a\\u2066b\\u200bc:"),
        own("משתמש:סל:", "משתמש:סל:"),
        own("🛒:👩‍👩‍👧‍👦:", "🛒:👩‍👩‍👧‍👦:"),
        own("<img src=x onerror=document.body.remove()>:", "<img src=x onerror=document.body.remove()>:"),
        own("blob:", "blob:"),
    ]
}

async fn filled() -> Result<(RedisServer, MultiplexedConnection)> {
    let options = RedisOptions { notify_keyspace_events: Some("AEm".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let mut connection = server.connection().await?;
    let mut fill = redis::pipe();
    for (prefix, _) in prefixes() {
        for id in 0..KEYS {
            fill.cmd("SET").arg([&prefix, id.to_string().as_bytes()].concat()).arg("x").ignore();
        }
    }
    for id in 0..KEYS {
        // No text at all, and text that no namespace is named for.
        fill.cmd("SET").arg([b"\xff\xfe\x00\x1b[31m:", id.to_string().as_bytes()].concat()).arg("x").ignore();
    }
    fill.cmd("SET").arg("blob:0").arg(vec![0xff_u8; BIG]).ignore();
    let () = fill.query_async(&mut connection).await?;
    Ok((server, connection))
}

async fn count(connection: &mut MultiplexedConnection) -> Result<usize> {
    Ok(redis::cmd("DBSIZE").query_async(connection).await?)
}

/// Nothing that is shown turns round what stands beside it, and nothing is wider than its place.
async fn nothing_is_out_of_place(window: &Window, at: &str) -> Result<()> {
    let text = window.text("body").await?.context("there is a page")?;
    let hidden = |sign: &char| matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}');
    assert_eq!(text.chars().find(hidden), None, "{at}: {text:?}");
    let wider = "return [...document.querySelectorAll('main, main section, header, nav, aside, dialog[open]')] \
        .filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX === 'visible') \
        .map((it) => `${it.tagName} ${it.className} ${it.scrollWidth} > ${it.clientWidth}`)";
    assert_eq!(window.ask(wider, &[]).await?, serde_json::json!([]), "{at}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_are_shown_as_they_are_and_a_large_value_is_purged_and_put_back() -> Result<()> {
    let (server, mut connection) = filled().await?;
    let all = count(&mut connection).await?;
    let window = Window::open(Options { size: (1024, 640), ..Options::default() }).await?;
    let name = format!("{}\u{202e}", "אשכול checkout ".repeat(18));
    Form { redis_url: &server.url(), ..Form::default() }.fill_from_first_start(&window).await?;
    window.fill("[data-testid='name']", &name).await?;
    window.click("[role='radio'][data-value='development']").await?;
    window.click("[data-testid='save']").await?;
    for (_, shown) in prefixes() {
        let titles = "return [...document.querySelectorAll(\"[data-testid='row'] .title\")].map((it) => it.textContent)";
        window
            .until(&format!("{shown:?} is in the table"), async || {
                let titles = window.ask(titles, &[]).await?;
                let mut titles = titles.as_array().into_iter().flatten();
                Ok(titles.any(|title| *title == shown).then_some(()))
            })
            .await?;
    }
    let title = window.text("[data-testid='deployment-name']").await?.context("the bar names it")?;
    assert!(title.contains("אשכול checkout") && title.ends_with("\\u202e"), "{title}");
    nothing_is_out_of_place(&window, "the table").await?;
    window.screenshot("names").await?;
    window.control('1').await?;
    window.wait_for("[data-testid='overview-row']").await?;
    nothing_is_out_of_place(&window, "the overview").await?;
    window.control('2').await?;

    window.click("[data-testid='row'][data-namespace='user\u{202e}gpj.exe:{id}']").await?;
    window.wait_for_text("[data-testid='namespace-panel']", "user\\u202egpj.exe:{id}").await?;
    nothing_is_out_of_place(&window, "a namespace").await?;
    window.screenshot("names-panel").await?;
    window.type_text("p").await?;
    window.wait_for("[data-testid='run']:enabled").await?;
    nothing_is_out_of_place(&window, "a purge").await?;
    window.screenshot("names-purge").await?;
    window.click("[data-testid='run']").await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    assert_eq!(count(&mut connection).await?, all - KEYS);
    nothing_is_out_of_place(&window, "a purge's result").await?;
    window.click("[data-testid='undo']:enabled").await?;
    window.wait_for("[data-testid='undo-result']").await?;
    assert_eq!(count(&mut connection).await?, all);
    window.key(Key::Escape).await?;

    window.click("[data-testid='row'][data-namespace='blob:{id}']").await?;
    window.wait_for_text("[data-testid='namespace-panel']", "blob:{id}").await?;
    window.type_text("p").await?;
    window.wait_for("[data-testid='run']:enabled").await?;
    window.click("[data-testid='run']").await?;
    window.wait_for("[data-testid='result-phase'][data-phase='finished']").await?;
    assert_eq!(count(&mut connection).await?, all - KEYS);
    window.click("[data-testid='undo']:enabled").await?;
    window.wait_for("[data-testid='undo-result']").await?;
    let big: Vec<u8> = redis::cmd("GET").arg("blob:0").query_async(&mut connection).await?;
    assert!(big.len() == BIG && big.iter().all(|byte| *byte == 0xff), "{} bytes", big.len());
    window.terminate().await.map(drop)
}
