//! What the connection form says about addresses that can't be used.

use std::net::TcpListener;

use anyhow::Result;
use cachescope_lab::servers::{PrometheusOptions, PrometheusServer, RedisOptions, RedisServer};
use cachescope_tests::connection::Form;
use cachescope_tests::window::{Options, Window};

/// Tests the form in a fresh window and gives what the failed steps say.
async fn problems(form: Form<'_>, picture: &str) -> Result<Vec<String>> {
    let window = Window::open(Options::default()).await?;
    let problems = form.problems(&window).await?;
    window.screenshot(picture).await?;
    // Still there, and still answering.
    window.wait_for("[data-testid='connection-form']").await?;
    window.terminate().await?;
    Ok(problems)
}

/// One sentence for a person: one short line, without Rust's or a library's own words.
fn is_a_clear_sentence(text: &str) -> bool {
    let raw = ["Err(", "Some(", "{ ", "os error", "::", "panicked"];
    (10..200).contains(&text.trim().len()) && !text.contains('\n') && !raw.iter().any(|it| text.contains(it))
}

#[tokio::test]
async fn a_wrong_password_is_told_in_a_sentence() -> Result<()> {
    let options = RedisOptions { password: Some("right".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await?;
    let url = format!("redis://{}", server.address());
    let form = Form { redis_url: &url, redis_password: "wrong-9f2", ..Form::default() };
    let problems = problems(form, "connection-wrong-password").await?;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("password"), "{problems:?}");
    assert!(!problems[0].contains("wrong-9f2"), "what was typed is a secret: {problems:?}");
    assert!(is_a_clear_sentence(&problems[0]), "{problems:?}");
    Ok(())
}

#[tokio::test]
async fn a_refused_connection_is_told_in_a_sentence() -> Result<()> {
    // Bound and let go: nobody listens there now.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("redis://127.0.0.1:{port}");
    let problems = problems(Form { redis_url: &url, ..Form::default() }, "connection-refused").await?;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("refused") && problems[0].contains(&port.to_string()), "{problems:?}");
    assert!(is_a_clear_sentence(&problems[0]), "{problems:?}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_no_redis_is_told_in_a_sentence() -> Result<()> {
    let server = PrometheusServer::start(PrometheusOptions::default()).await?;
    let url = server.url().replacen("http://", "redis://", 1);
    let problems = problems(Form { redis_url: &url, ..Form::default() }, "connection-not-a-redis").await?;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("not") && problems[0].contains("Redis"), "{problems:?}");
    assert!(is_a_clear_sentence(&problems[0]), "{problems:?}");
    Ok(())
}
