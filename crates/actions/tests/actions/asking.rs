//! Steps that ask somebody else over HTTP, against a server of the lab and servers that misbehave.

use std::time::Duration;

use cachescope_actions::plan::{Action, Plan, Scope};
use cachescope_actions::request::{AskedOf, HttpRequest, Token, Tokens};
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{Bench, fast};

/// Answers every request with this, and tells what was asked.
async fn answering(answer: &'static str) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 8_192];
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            if asked.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                return;
            }
            if answer.is_empty() {
                // Never answers; the connection stays open.
                tokio::spawn(async move {
                    let _open = stream;
                    std::future::pending::<()>().await;
                });
            } else if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    (url, requests)
}

fn request(url: &str, private_address: bool) -> HttpRequest {
    HttpRequest {
        of: AskedOf::Application,
        method: "POST".to_owned(),
        url: url.to_owned(),
        body: String::new(),
        protected: true,
        private_address,
    }
}

fn asking(bench: &Bench, request: HttpRequest) -> Plan {
    let scope = Scope::Pattern { pattern: "k:*".to_owned(), database: None };
    let mut plan = bench.plan(scope.clone(), fast());
    plan.steps = vec![Action::Request { what: "call purge".to_owned(), request, reaches: Some(scope) }];
    plan
}

async fn bench(server: &RedisServer, origin: Option<&str>) -> Bench {
    install_crypto();
    let mut bench = Bench::on(&server.url()).await;
    let token = Token { secret: "hunter2".into(), origin: origin.map(str::to_owned) };
    bench.tokens = Tokens { application: Some(token), cdn: None };
    bench
}

async fn server() -> RedisServer {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    pipe.cmd("SET").arg("k:1").arg("v").cmd("SET").arg("k:2").arg("v");
    pipe.exec_async(&mut connection).await.expect("set");
    server
}

fn nowhere(state: &RunState, bench: &Bench) {
    let kept = serde_json::to_string(&*bench.records.runs.lock()).expect("written");
    assert!(!format!("{state:?}{kept}").contains("hunter2"), "the token stands in a record");
}

#[tokio::test]
async fn an_endpoint_is_asked_once_with_its_token_and_the_keys_it_reaches_are_counted_before() {
    let server = server().await;
    let (url, mut requests) =
        answering("HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"purged\":2}").await;
    let bench = bench(&server, Some(&url)).await;
    let plan = asking(&bench, request(&format!("{url}/purge?key=k%3A%2A"), true));
    let preview = bench.preview(plan.clone()).await.expect("counted");
    assert_eq!(preview.keys, 2);
    assert!(preview.checks.iter().any(|check| check.code == "request-undo"), "{:?}", preview.checks);
    assert!(requests.try_recv().is_err(), "a preview asks nobody");
    let state = bench.start("1", plan).await.expect("it starts").ended().await;
    assert_eq!((state.phase, state.counts.other_steps), (RunPhase::Finished, 1), "{}", state.why);
    assert!(state.answers[0].contains("200 {\"purged\":2}"), "{:?}", state.answers);
    let asked = requests.recv().await.expect("it was asked");
    assert!(asked.starts_with("POST /purge?key=k%3A%2A HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer hunter2\r\n"), "{asked}");
    assert!(requests.try_recv().is_err(), "once");
    nowhere(&state, &bench);
}

#[tokio::test]
async fn whoever_refuses_redirects_or_breaks_off_halts_the_run_in_one_sentence_and_is_not_asked_again() {
    let server = server().await;
    for (answer, words) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "credentials"),
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "500"),
        ("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "302"),
        (
            "HTTP/1.1 307 Away\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "307",
        ),
        ("what is this", "HTTP"),
    ] {
        let (url, mut requests) = answering(answer).await;
        let bench = bench(&server, Some(&url)).await;
        let plan = asking(&bench, request(&format!("{url}/purge"), true));
        let state = bench.start("1", plan).await.expect("it starts").ended().await;
        assert_eq!(state.phase, RunPhase::Halted, "{answer}");
        assert!(state.why.contains(words) && !state.why.contains('\n'), "{answer}: {}", state.why);
        assert!(requests.recv().await.is_some() && requests.try_recv().is_err(), "{answer}: once");
        assert_eq!(state.step, 0, "a resumed run would ask again");
        nowhere(&state, &bench);
    }
}

#[tokio::test]
async fn an_endpoint_that_never_answers_keeps_no_cancelled_run_and_what_is_not_known_is_said() {
    let server = server().await;
    let (url, mut requests) = answering("").await;
    let bench = bench(&server, Some(&url)).await;
    let plan = asking(&bench, request(&format!("{url}/purge"), true));
    let run = bench.start("1", plan).await.expect("it starts");
    requests.recv().await.expect("it was asked");
    run.cancel();
    let state = tokio::time::timeout(Duration::from_secs(10), run.ended()).await;
    let state = state.expect("sooner than the endpoint's deadline");
    assert_eq!(state.phase, RunPhase::Cancelled);
    assert!(state.why.contains("not known whether this was done: call purge"), "{}", state.why);
}

#[tokio::test]
async fn private_addresses_and_tokens_for_others_are_refused_before_anything_is_sent() {
    let server = server().await;
    let (url, mut requests) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let own = bench(&server, Some(&url)).await;
    let public = request(&format!("{url}/purge"), false);
    let refused = own.start("1", asking(&own, public.clone())).await.expect_err("no TLS");
    assert!(refused.sentence.contains("without TLS"), "{}", refused.sentence);
    let open = HttpRequest { protected: false, ..public };
    let refused = own.start("1", asking(&own, open.clone())).await.expect_err("a private address");
    assert!(refused.sentence.contains("private network"), "{}", refused.sentence);
    let named = HttpRequest { url: url.replace("127.0.0.1", "localhost"), ..open };
    let state = own.start("2", asking(&own, named)).await.expect("a name is looked up later").ended().await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("private network"), "{}", state.why);
    // Given for another host, a token is none for this one.
    let others = bench(&server, Some("https://app.example")).await;
    let refused = others.start("1", asking(&others, request(&format!("{url}/purge"), true))).await;
    let refused = refused.expect_err("no token");
    assert!(refused.sentence.contains("none is known"), "{}", refused.sentence);
    let trace = HttpRequest { method: "TRACE".to_owned(), ..request(&url, true) };
    assert!(own.start("1", asking(&own, trace)).await.is_err());
    let everything = |pattern: &str| {
        let mut plan = asking(&own, request(&url, true));
        let reaches = Some(Scope::Pattern { pattern: pattern.to_owned(), database: None });
        if let Some(Action::Request { reaches: reached, .. }) = plan.steps.first_mut() {
            *reached = reaches;
        }
        plan
    };
    for pattern in ["*", "?*", "**"] {
        assert!(own.preview(everything(pattern)).await.is_err(), "{pattern}");
    }
    assert!(requests.try_recv().is_err(), "nobody was asked");
}
