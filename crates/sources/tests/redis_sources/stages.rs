//! Connecting stage by stage.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, SentinelGroup, SentinelOptions, free_port};
use cachescope_sources::redis::stages::{Attempt, Outcome, Stage, attempts};
use cachescope_sources::redis::{ConnectOptions, RedisAddress, TlsOptions};
use tokio::net::TcpListener;

use super::watch::server;

async fn tried(url: &str, tls: TlsOptions) -> Vec<Attempt> {
    let second = Duration::from_secs(1);
    let options =
        ConnectOptions { tls, connect_timeout: second, command_timeout: second, ..Default::default() };
    attempts(&RedisAddress::parse(url).expect("an address"), &options).await
}

/// Each stage with `+` where it worked, `-` where there was nothing to do and `!` where it failed.
fn in_short(attempt: &Attempt) -> String {
    let stage = |(stage, outcome): &(Stage, Outcome)| {
        let mark = match outcome {
            Outcome::Worked(_) => '+',
            Outcome::NotNeeded(_) => '-',
            Outcome::Failed(_) => '!',
        };
        format!("{stage:?}{mark}")
    };
    attempt.stages.iter().map(stage).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_server_is_reached_stage_by_stage_and_each_says_what_it_found() {
    let options = RedisOptions {
        tls: true,
        unix_socket: true,
        password: Some("hunter2".to_owned()),
        ..Default::default()
    };
    let server = server(options).await;
    let ca = server.certificates().map(|files| files.ca.clone());
    let tls = TlsOptions { ca, ..Default::default() };
    let url = server.url().replace("127.0.0.1", "localhost");
    let [attempt] = &tried(&url, tls).await[..] else { panic!("one server is named") };
    assert_eq!(in_short(attempt), "Resolve+ Reach+ Secure+ Authenticate+ Ping+", "{attempt:?}");
    let said = format!("{attempt:?}");
    for words in ["127.0.0.1", "TLS 1.3", "logged in as default", " ms"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");

    let socket = format!("unix://:hunter2@{}", server.unix_socket().expect("asked for").display());
    let attempts = tried(&socket, TlsOptions::default()).await;
    assert_eq!(in_short(&attempts[0]), "Reach+ Authenticate+ Ping+", "{attempts:?}");
}

#[tokio::test]
async fn the_stage_that_fails_is_the_last_one_and_has_the_words_of_a_connection() {
    let open = server(RedisOptions::default()).await;
    let users = vec!["mute on nopass ~* +@all -ping".to_owned()];
    let closed =
        server(RedisOptions { password: Some("right".to_owned()), users, ..Default::default() }).await;
    let encrypted = server(RedisOptions { tls: true, ..Default::default() }).await;
    let picky = RedisOptions { tls: true, require_client_certificate: true, ..Default::default() };
    let picky = server(picky).await;
    let ca = |server: &cachescope_lab::servers::RedisServer| TlsOptions {
        ca: server.certificates().map(|files| files.ca.clone()),
        ..Default::default()
    };
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = silent.local_addr().expect("it is bound");
    let none = TlsOptions::default;
    for (url, tls, stages, code) in [
        ("redis://no-such-host.invalid".to_owned(), none(), "Resolve!", "dns"),
        (format!("redis://127.0.0.1:{}", free_port().expect("a port")), none(), "Resolve- Reach!", "refused"),
        (format!("redis://{silent}"), none(), "Resolve- Reach+ Secure- Authenticate!", "timeout"),
        (closed.address(), none(), "Resolve- Reach+ Secure- Authenticate!", "auth"),
        (
            format!("redis://:wrong@{}", closed.address()),
            none(),
            "Resolve- Reach+ Secure- Authenticate!",
            "auth",
        ),
        (
            format!("redis://mute:any@{}", closed.address()),
            none(),
            "Resolve- Reach+ Secure- Authenticate+ Ping!",
            "permission",
        ),
        (encrypted.url(), none(), "Resolve- Reach+ Secure!", "tls"),
        (format!("redis://{}", encrypted.address()), none(), "Resolve- Reach+ Secure- Authenticate!", "tls"),
        (format!("rediss://{}", open.address()), none(), "Resolve- Reach+ Secure!", "tls"),
        // With TLS 1.3 a server refuses us only after the handshake.
        (picky.url(), ca(&picky), "Resolve- Reach+ Secure!", "tls"),
    ] {
        let attempts = tried(&url, tls).await;
        assert_eq!(in_short(&attempts[0]), stages, "{url}: {attempts:?}");
        let error = attempts[0].failure().expect("it failed");
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(!error.remedy().is_empty(), "{url}: {error}");
    }
}

#[tokio::test]
async fn every_named_server_is_tried_and_of_a_sentinel_group_they_are_the_sentinels() {
    let open = server(RedisOptions::default()).await;
    let nobody = free_port().expect("a port");
    let attempts =
        tried(&format!("redis://127.0.0.1:{nobody},{}", open.address()), TlsOptions::default()).await;
    let failed: Vec<bool> = attempts.iter().map(|attempt| attempt.failure().is_some()).collect();
    assert_eq!(failed, [true, false], "{attempts:?}");

    let group = SentinelGroup::start(SentinelOptions::default()).await.expect("redis-sentinel is installed");
    let sentinels: Vec<String> = group.sentinels().iter().map(|sentinel| sentinel.address()).collect();
    // The password is of the data servers: Sentinels are not told it.
    let url = format!("redis+sentinel://:hunter2@{}/{}", sentinels.join(","), group.service());
    let attempts = tried(&url, TlsOptions::default()).await;
    assert_eq!(attempts.len(), sentinels.len());
    for attempt in &attempts {
        assert_eq!(in_short(attempt), "Resolve- Reach+ Secure- Authenticate- Ping+", "{attempt:?}");
    }
}
