//! Reaching servers, and one clear sentence where that fails.

use std::time::Duration;

use cachescope_lab::servers::{RedisOptions, SentinelGroup, SentinelOptions, free_port};
use cachescope_sources::error::SourceError;
use cachescope_sources::redis::{ConnectOptions, TlsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::watch::{node, node_with, server};

async fn refusal(url: &str) -> SourceError {
    node(url).check().await.expect_err("this can't be connected to")
}

fn assert_says(error: &SourceError, code: &str, words: &str) {
    let sentence = error.to_string();
    assert_eq!(error.code(), code, "{sentence}");
    assert!(sentence.contains(words), "{sentence}");
    assert!(!sentence.contains('\n') && !sentence.contains("hunter2"), "{sentence}");
    assert!(!error.remedy().is_empty(), "{sentence}");
}

#[tokio::test]
async fn a_plain_server_says_what_it_is() {
    let server = server(RedisOptions::default()).await;
    let hello = node(&server.address()).check().await.expect("it can be connected to");
    assert_eq!(
        (hello.server.as_str(), hello.mode.as_str(), hello.role.as_str()),
        ("redis", "standalone", "master")
    );
    assert!(hello.major().is_some_and(|major| major >= 6), "{hello:?}");
}

#[tokio::test]
async fn users_passwords_databases_and_sockets_of_the_url_are_used() {
    let users = vec!["ann on >p@ss/w:d ~* +@all".to_owned()];
    let options =
        RedisOptions { users, unix_socket: true, password: Some("hunter2".to_owned()), ..Default::default() };
    let server = server(options).await;
    let socket = server.unix_socket().expect("asked for");
    for url in [
        server.url(),
        format!("redis://ann:p%40ss%2Fw%3Ad@{}/3", server.address()),
        format!("unix://{}?user=ann&pass=p%40ss%2Fw%3Ad", socket.display()),
        format!("unix://:hunter2@{}", socket.display()),
    ] {
        node(&url).check().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

#[tokio::test]
async fn wrong_and_missing_passwords_are_told_apart() {
    let server = server(RedisOptions { password: Some("right".to_owned()), ..Default::default() }).await;
    let address = server.address();
    assert_says(&refusal(&address).await, "auth", "wants a password");
    assert_says(&refusal(&format!("redis://:hunter2@{address}")).await, "auth", "wrong password");
    assert_says(&refusal(&format!("redis://nobody:hunter2@{address}")).await, "auth", "user nobody");
}

#[tokio::test]
async fn a_port_without_a_listener_refuses_and_a_missing_socket_is_missing() {
    let port = free_port().expect("a free port");
    assert_says(&refusal(&format!("redis://:hunter2@127.0.0.1:{port}")).await, "refused", "nothing listens");
    assert_says(&refusal("unix:///nowhere/redis.sock").await, "unreachable", "no socket");
    assert_says(&refusal("redis://no-such-host.invalid").await, "dns", "no-such-host.invalid");
}

#[tokio::test]
async fn tls_is_verified_against_the_given_authority() {
    let server = server(RedisOptions { tls: true, ..Default::default() }).await;
    let certificates = server.certificates().expect("it speaks TLS");
    let ca = Some(certificates.ca.clone());
    let trusting = ConnectOptions { tls: TlsOptions { ca, ..Default::default() }, ..Default::default() };
    node_with(&server.url(), trusting.clone()).check().await.expect("a trusted server");

    assert_says(&refusal(&server.url()).await, "tls", "authority");
    assert_says(&refusal(&format!("redis://{}", server.address())).await, "tls", "wants TLS");

    let plain = super::watch::server(RedisOptions::default()).await;
    let quick = ConnectOptions { connect_timeout: Duration::from_secs(1), ..trusting };
    let error =
        node_with(&format!("rediss://{}", plain.address()), quick).check().await.expect_err("no TLS there");
    assert_says(&error, "tls", "without TLS");
}

#[tokio::test]
async fn a_server_that_wants_our_certificate_gets_it_or_says_so() {
    let options = RedisOptions { tls: true, require_client_certificate: true, ..Default::default() };
    let server = server(options).await;
    let files = server.certificates().expect("it speaks TLS");
    let tls = |with: bool| TlsOptions {
        ca: Some(files.ca.clone()),
        cert: with.then(|| files.client_certificate.clone()),
        key: with.then(|| files.client_key.clone()),
    };
    let with = |tls| ConnectOptions { tls, ..Default::default() };
    node_with(&server.url(), with(tls(true))).check().await.expect("our certificate is accepted");
    let error = node_with(&server.url(), with(tls(false))).check().await.expect_err("no certificate");
    assert_says(&error, "tls", "certificate of ours");

    let missing = TlsOptions { ca: Some("/nowhere/ca.pem".into()), ..Default::default() };
    let error = node_with(&server.url(), with(missing)).check().await.expect_err("no such file");
    assert_says(&error, "tls", "/nowhere/ca.pem");
}

#[tokio::test]
async fn a_web_server_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0u8; 64];
            if stream.read(&mut request).await.is_ok() {
                // Whether the client still listens is its affair.
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    });
    assert_says(&refusal(&address.to_string()).await, "protocol", "web server");
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_into_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let quick = ConnectOptions { command_timeout: Duration::from_millis(200), ..Default::default() };
    let error = node_with(&address.to_string(), quick).check().await.expect_err("it never answers");
    assert_says(&error, "timeout", "within 200ms");
    drop(listener);
}

#[tokio::test]
async fn a_sentinel_is_not_taken_for_a_data_node() {
    let group = SentinelGroup::start(SentinelOptions::default()).await.expect("sentinels start");
    let sentinel = group.sentinels().first().expect("at least one").address();
    assert_says(&refusal(&sentinel).await, "wrong_role", "Sentinel");
}

#[tokio::test]
async fn a_refused_command_names_the_rule_that_is_missing() {
    let users = vec!["ann on >pw ~app:* resetchannels +ping".to_owned()];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    let node = node(&format!("redis://ann:pw@{}", server.address()));
    let mut gate = node.gate().await;
    for (words, rule) in [
        (&["INFO"][..], "ACL SETUSER ann +info"),
        (&["CONFIG", "GET", "databases"], "ACL SETUSER ann +config|get"),
        (&["MEMORY", "USAGE", "k"], "ACL SETUSER ann +memory|usage"),
    ] {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        let error = gate.ask(&command).await.expect_err("refused");
        assert_says(&error, "permission", "user ann may not");
        assert_eq!(error.remedy(), rule);
    }
}

#[tokio::test]
async fn a_full_server_says_that_it_is_full() {
    let config = vec![("maxclients".to_owned(), "1".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let _taken = server.connection().await.expect("the one place");
    assert_says(&refusal(&server.address()).await, "busy", "maxclients");
}

/// Asks for a key until the server refuses, and says how it did. Until then it may still serve.
async fn refused_read(url: &str) -> SourceError {
    let node = node(url);
    loop {
        if let Err(error) = node.gate().await.ask(redis::cmd("STRLEN").arg("k")).await {
            return error;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_cannot_serve_says_why() {
    let config = |lines: &[(&str, &str)]| {
        let config = lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RedisOptions { config, ..Default::default() }
    };

    let stuck = server(config(&[("busy-reply-threshold", "10")])).await;
    let mut lab = stuck.connection().await.expect("connects");
    let script = tokio::spawn(async move {
        // The script ends by being killed, which is an error.
        redis::cmd("EVAL").arg("while true do end").arg(0).query_async::<()>(&mut lab).await.is_err()
    });
    assert_says(&refused_read(&stuck.address()).await, "busy", "a script that does not end");
    let mut lab = stuck.connection().await.expect("connects");
    redis::cmd("SCRIPT").arg("KILL").exec_async(&mut lab).await.expect("kills the script");
    assert!(script.await.expect("it ends"));

    let orphan = server(config(&[("replicaof", "127.0.0.1 1"), ("replica-serve-stale-data", "no")])).await;
    assert_says(&refused_read(&orphan.address()).await, "busy", "a replica without its primary");

    let slow_to_load = config(&[
        ("key-load-delay", "5000"),
        ("loading-process-events-interval-bytes", "1024"),
        ("enable-debug-command", "yes"),
    ]);
    let loading = server(slow_to_load).await;
    let mut lab = loading.connection().await.expect("connects");
    let mut pipeline = redis::pipe();
    for number in 0..200 {
        pipeline.cmd("SET").arg(number).arg(vec![b'v'; 1024]);
    }
    pipeline.exec_async(&mut lab).await.expect("writes");
    let reload = tokio::spawn(async move { redis::cmd("DEBUG").arg("RELOAD").exec_async(&mut lab).await });
    assert_says(&refused_read(&loading.address()).await, "busy", "still loading");
    reload.await.expect("it ends").expect("it reloads");
}

#[tokio::test]
async fn protected_mode_is_told_from_a_closed_connection() {
    // Which of this machine's addresses leads outside; nothing is sent.
    let outside = std::net::UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    let Ok(own_address) = outside else {
        eprintln!("not tested: this machine has no address but its loopback");
        return;
    };
    let config = vec![("bind".to_owned(), "0.0.0.0".to_owned())];
    let server = server(RedisOptions { config, ..Default::default() }).await;
    let error = refusal(&format!("{}:{}", own_address.ip(), server.port())).await;
    assert_says(&error, "auth", "protected mode");
}
