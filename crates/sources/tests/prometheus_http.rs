//! Fetching pages from real servers, good and bad ones, and what is said when it fails.

mod prometheus_support;

use std::time::Duration;

use cachescope_lab::servers::{Certificates, PrometheusOptions, PrometheusServer};
use cachescope_model::observation::{Observation, Observed};
use cachescope_model::source::SourceHealth;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::error::SourceError;
use cachescope_sources::http::Credentials;
use cachescope_sources::http::metrics::{self, MetricsTarget, scrape};
use cachescope_sources::redis::TlsOptions;
use prometheus_support::{OPENMETRICS, Pageserver, Stored, TEXT};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn target(url: &str) -> MetricsTarget {
    let mut target = MetricsTarget::new(url);
    target.http.timeout = Duration::from_secs(20);
    target.interval = Duration::from_millis(100);
    target
}

async fn failure(url: &str) -> SourceError {
    scrape(&target(url)).await.expect_err(url)
}

/// A listener that accepts and answers every connection with these bytes; `None` never answers.
async fn raw_server(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port is bound");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(answer) = answer {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
            held.push(stream);
        }
    });
    address.to_string()
}

#[tokio::test]
async fn a_page_is_fetched_with_its_types_and_its_bad_lines() {
    let server = Pageserver::start().await;
    server.put("/metrics", Stored::page(TEXT, "# TYPE a counter\na{x=\"1,2\"} 5\nbad\n"));
    let page = scrape(&target(&server.url("/metrics"))).await.expect("the page is there");
    assert_eq!((page.samples.len(), page.bad_line_count), (1, 1));
    server.put("/metrics", Stored::page(OPENMETRICS, "a 1 1.5\n# EOF\n"));
    let page = scrape(&target(&server.url("/metrics"))).await.expect("the page is there");
    assert_eq!((page.samples[0].at.millis(), page.bad_line_count), (1500, 0));
}

#[tokio::test]
async fn every_failure_has_its_code_and_names_the_address_without_the_password() {
    let server = Pageserver::start().await;
    server.put("/", Stored::page("text/html", "<!doctype html><title>Grafana</title>"));
    server.put("/broken", Stored::status(500, "oops"));
    server.put("/forbidden", Stored::status(403, "no"));
    server.put("/elsewhere", Stored::redirect("http://metrics.invalid/metrics"));
    server.put("/circle", Stored::redirect("/circle"));
    let mut locked = Stored::page(TEXT, "a 1\n");
    locked.authorization = Some("Basic YWxpY2U6c2VjcmV0".to_owned()); // alice:secret
    server.put("/locked", locked);

    let at = |path: &str| format!("http://bob:hunter2@{}{path}", server.address);
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let hangs_up = raw_server(Some(b"")).await;
    let no_http = raw_server(Some(b"-ERR unknown command 'GET'\r\n")).await;
    for (url, code, words) in [
        (at("/"), "protocol", "is an HTML page, not metrics"),
        (at("/missing"), "protocol", "there is no such page"),
        (at("/broken"), "server", "500"),
        (at("/forbidden"), "permission", "forbids"),
        (at("/locked"), "auth", "does not accept these credentials"),
        (server.url("/locked"), "auth", "asks for credentials"),
        (at("/elsewhere"), "protocol", "redirects to the host \"metrics.invalid\", which is not followed"),
        (at("/circle"), "protocol", "in a circle"),
        (format!("http://bob:hunter2@{closed}/metrics"), "refused", "connection refused"),
        ("http://bob:hunter2@no-such-host.invalid/metrics".to_owned(), "dns", "is not known"),
        (format!("http://{hangs_up}/metrics"), "closed", "closed the connection"),
        (format!("http://{no_http}/metrics"), "protocol", "does not speak HTTP"),
        (format!("https://{}/metrics", server.address), "tls", "does not speak TLS"),
        ("ftp://bob:hunter2@host/metrics".to_owned(), "bad_url", "must begin with http"),
    ] {
        let error = failure(&url).await;
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.to_string().contains(words), "{url}: {error}");
        assert!(!error.remedy().is_empty(), "{url}: {error} says what to do");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn name_and_password_or_a_token_open_the_page() {
    let server = Pageserver::start().await;
    let mut basic = Stored::page(TEXT, "a 1\n");
    basic.authorization = Some("Basic YWxpY2U6c2VjcmV0".to_owned());
    server.put("/basic", basic);
    let mut bearer = Stored::page(TEXT, "a 1\n");
    bearer.authorization = Some("Bearer t0ken".to_owned());
    server.put("/bearer", bearer);

    let in_url = target(&format!("http://alice:secret@{}/basic", server.address));
    assert!(scrape(&in_url).await.is_ok());
    let mut as_option = target(&server.url("/basic"));
    let password = SecretString::from("secret");
    as_option.http.credentials = Credentials::Basic { user: "alice".to_owned(), password };
    assert!(scrape(&as_option).await.is_ok());
    let mut token = target(&server.url("/bearer"));
    token.http.credentials = Credentials::Bearer(SecretString::from("t0ken"));
    assert!(scrape(&token).await.is_ok());
    assert!(!format!("{token:?}").contains("t0ken"));
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed() {
    let server = Pageserver::start().await;
    server.put("/old", Stored::redirect("/metrics"));
    server.put("/metrics", Stored::page(TEXT, "a 1\n"));
    assert_eq!(scrape(&target(&server.url("/old"))).await.expect("it is followed").samples.len(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let silent = raw_server(None).await;
    let mut target = target(&format!("http://{silent}/metrics"));
    target.http.timeout = Duration::from_millis(200);
    let error = scrape(&target).await.expect_err("it never answers");
    assert_eq!(error.code(), "timeout");
    assert!(error.to_string().contains("within 0.2 s"), "{error}");
}

#[tokio::test]
async fn an_answer_above_the_bound_is_refused_whether_announced_compressed_or_endless() {
    let server = Pageserver::start().await;
    server.put("/large", Stored::page(TEXT, "a 1\n".repeat(1000)));
    // 4 MB of blank lines, compressed to a few kB.
    let mut bomb = Stored::page(TEXT, gzip(&vec![b'\n'; 4_000_000]));
    bomb.headers.push(("content-encoding", "gzip".to_owned()));
    server.put("/bomb", bomb);
    for (path, bound) in [("/large", 1000), ("/bomb", 1_000_000)] {
        let mut target = target(&server.url(path));
        target.http.max_bytes = bound;
        let error = scrape(&target).await.expect_err(path);
        assert_eq!(error.code(), "too_large", "{path}: {error}");
    }
    let mut roomy = target(&server.url("/bomb"));
    roomy.http.max_bytes = 5_000_000;
    assert!(scrape(&roomy).await.is_ok(), "it is read when there is room");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory can be written to")
}

#[tokio::test]
async fn certificates_are_verified_and_what_is_wrong_with_them_is_said() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let certificates = Certificates::make(directory.path()).expect("certificates can be made");
    let web_config = serde_json::json!({ "tls_server_config": {
        "cert_file": certificates.server_certificate,
        "key_file": certificates.server_key,
        "client_ca_file": certificates.ca,
        "client_auth_type": "RequireAndVerifyClientCert",
    }});
    let options =
        PrometheusOptions { web_config: Some(web_config.to_string()), ..PrometheusOptions::default() };
    let prometheus = PrometheusServer::start(options).await.expect("prometheus is installed");
    let url = format!("{}/metrics", prometheus.url());

    let error = failure(&url).await;
    assert_eq!(error.code(), "tls", "{error}");
    assert!(error.to_string().contains("not trusted"), "{error}");

    let mut trusting = target(&url);
    trusting.http.tls.ca = Some(certificates.ca.clone());
    let error = scrape(&trusting).await.expect_err("it asks for a client certificate");
    assert_eq!(error.code(), "tls", "{error}");
    assert!(error.remedy().contains("--cert"), "{error}: {}", error.remedy());

    trusting.http.tls = TlsOptions {
        ca: Some(certificates.ca),
        cert: Some(certificates.client_certificate),
        key: Some(certificates.client_key),
    };
    let page = scrape(&trusting).await.expect("both sides trust each other");
    assert!(page.samples.len() > 100 && page.bad_line_count == 0, "{:?}", page.bad_lines);

    let plain = failure(&url.replace("https://", "http://")).await;
    assert_eq!(plain.code(), "tls", "{plain}");
    assert!(plain.remedy().contains("https://"), "{}", plain.remedy());

    let mut without_file = trusting.clone();
    without_file.http.tls.ca = Some("/no/such/file.pem".into());
    let error = scrape(&without_file).await.expect_err("the file is not there");
    assert!(error.to_string().contains("/no/such/file.pem"), "{error}");
}

/// The source as it runs in a session.
struct Running {
    observations: mpsc::Receiver<Observation>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(target: MetricsTarget) -> Self {
        let (sink, observations) = mpsc::channel(100);
        let cancel = CancellationToken::new();
        let context = SourceContext::new("page".into(), SessionClock::start(), sink, cancel.clone());
        Self { observations, cancel, task: tokio::spawn(metrics::run(context, target)) }
    }

    /// The next observation that this makes something of.
    async fn next<T>(&mut self, of: impl Fn(&Observed) -> Option<T>) -> T {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.observations.recv()).await;
            let observation = next.expect("the source goes on").expect("the source runs");
            if let Some(found) = of(&observation.what) {
                return found;
            }
        }
    }

    async fn health(&mut self, health: SourceHealth) -> String {
        self.next(|what| match what {
            Observed::Status(status) if status.health == health => Some(status.detail.clone()),
            _ => None,
        })
        .await
    }

    async fn end(self) {
        self.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .expect("a cancelled source ends")
            .expect("it does not panic");
    }
}

#[tokio::test]
async fn the_source_delivers_fails_in_words_and_recovers_by_itself() {
    let server = Pageserver::start().await;
    server.put("/metrics", Stored::page(TEXT, "cache_hits_total 1\ngo_threads 2\n"));
    let mut target = target(&format!("http://u:hunter2@{}/metrics", server.address));
    target.accept = std::sync::Arc::new(|name| name.starts_with("cache_"));
    let mut running = Running::start(target);

    let batch = running.next(|what| match what {
        Observed::Metrics(batch) => Some(batch.clone()),
        _ => None,
    });
    let batch = batch.await;
    assert_eq!(batch.endpoint, server.url("/metrics"));
    assert_eq!((batch.samples.len(), batch.bad_lines), (1, 0));
    running.health(SourceHealth::Ok).await;

    server.put("/metrics", Stored::status(503, "later"));
    let detail = running.health(SourceHealth::Failed).await;
    assert!(detail.contains("503") && !detail.contains("hunter2"), "{detail}");

    server.put("/metrics", Stored::page(TEXT, "cache_hits_total 2\nbroken\n"));
    let detail = running.health(SourceHealth::Partial).await;
    assert!(detail.contains("1 line of") && detail.contains("line 2"), "{detail}");

    server.put("/metrics", Stored::page(TEXT, "go_threads 2\n"));
    let detail = running.health(SourceHealth::Partial).await;
    assert!(detail.contains("none of the 1 samples"), "{detail}");

    server.put("/metrics", Stored::page(TEXT, "cache_hits_total 3\n"));
    running.health(SourceHealth::Ok).await;
    running.end().await;
}

#[tokio::test]
async fn a_cancelled_source_ends_while_a_server_hangs() {
    let silent = raw_server(None).await;
    let mut running = Running::start(target(&format!("http://{silent}/metrics")));
    running.health(SourceHealth::Starting).await;
    running.end().await;
}
