//! Questions to a real Prometheus: what comes back, and what is said when nothing does.

mod prometheus_support;

use std::process::Command;
use std::time::Duration;

use cachescope_lab::servers::{PrometheusOptions, PrometheusServer, ScrapeJob};
use cachescope_model::metrics::{MetricsBatch, Sample, SignalValue};
use cachescope_model::observation::{Observation, Observed};
use cachescope_model::source::{SourceHealth, SourceStatus};
use cachescope_model::time::Timestamp;
use cachescope_sources::context::{SessionClock, SourceContext};
use cachescope_sources::http::{Credentials, HttpOptions};
use cachescope_sources::prometheus::source::run;
use cachescope_sources::prometheus::{PrometheusClient, PrometheusQueries, PrometheusTarget, Value, names};
use prometheus_support::{Pageserver, Stored, TEXT};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A page like an application's, with odd labels and numbers.
const PAGE: &str = "cache_hits_total{layer=\"redis\",type=\"a,b=\\\"c\\\"}\"} 42\n\
    cache_latency_seconds_bucket{le=\"0.005\"} 3\ncache_latency_seconds_bucket{le=\"+Inf\"} 4\n\
    cache_latency_seconds_sum 0.5\ncache_latency_seconds_count 4\nredis_keyspace_hits_total 7\nodd NaN\n";

struct Scraped {
    prometheus: PrometheusServer,
    pages: Pageserver,
}

impl Scraped {
    async fn start(web_config: Option<String>) -> Self {
        cachescope_lab::servers::install_crypto();
        let pages = Pageserver::start().await;
        pages.put("/metrics", Stored::page(TEXT, PAGE));
        let options = PrometheusOptions {
            jobs: vec![ScrapeJob::new("api", vec![pages.address.to_string()])],
            scrape_interval: Duration::from_millis(200),
            web_config,
            ..PrometheusOptions::default()
        };
        let prometheus = PrometheusServer::start(options).await.expect("prometheus is installed");
        Self { prometheus, pages }
    }

    fn client(&self) -> PrometheusClient {
        PrometheusClient::new(&self.prometheus.url(), http()).expect("the address is right")
    }

    /// The samples of a selector, once there are at least so many.
    async fn samples(&self, selector: &str, count: usize) -> Vec<Sample> {
        let client = self.client();
        for _ in 0..200 {
            let queried = client.range_samples(selector, Duration::from_secs(60)).await;
            let samples = queried.expect("prometheus answers").value;
            if samples.len() >= count {
                return samples;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{selector} has never had {count} samples");
    }

    /// Stops the server's process, so that it hangs, or lets it go on.
    fn signal(&self, signal: &str) {
        let pid = self.prometheus.pid().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().expect("kill is installed");
        assert!(done.success());
    }
}

fn http() -> HttpOptions {
    HttpOptions { timeout: Duration::from_secs(20), ..HttpOptions::default() }
}

#[tokio::test]
async fn raw_samples_come_with_their_own_times_and_all_their_labels() {
    let scraped = Scraped::start(None).await;
    let samples = scraped.samples("cache_hits_total", 3).await;
    let now = SessionClock::start().now();
    for pair in samples.windows(2) {
        assert!(pair[0].at < pair[1].at, "oldest first");
    }
    for sample in &samples {
        assert_eq!(sample.name(), "cache_hits_total");
        assert_eq!(sample.value, 42.0);
        assert!(now.seconds_since(sample.at).abs() < 60.0, "{sample:?}");
        let labels: Vec<_> = sample.labels().collect();
        let instance = scraped.pages.address.to_string();
        assert_eq!(
            labels,
            [("instance", instance.as_str()), ("job", "api"), ("layer", "redis"), ("type", "a,b=\"c\"}")]
        );
    }
}

#[tokio::test]
async fn instant_and_range_queries_give_numbers_of_every_kind() {
    let scraped = Scraped::start(None).await;
    let times: Vec<Timestamp> =
        scraped.samples("cache_hits_total", 3).await.iter().map(|sample| sample.at).collect();
    let client = scraped.client();
    for (query, expected) in [("1/0", f64::INFINITY), ("-1/0", f64::NEG_INFINITY), ("1.5e-3", 0.0015)] {
        match client.instant(query, Some(Timestamp(1_700_000_000_123))).await.expect(query).value {
            Value::Scalar(at, value) => assert_eq!((at.millis(), value), (1_700_000_000_123, expected)),
            series => panic!("{query}: a scalar expected, not {series:?}"),
        }
    }
    match client.instant("odd", None).await.expect("odd is stored").value {
        Value::Series(series) => assert!(series[0].points[0].1.is_nan()),
        scalar => panic!("a series expected, not {scalar:?}"),
    }
    let step = Duration::from_millis(100);
    let queried = client.range("sum(cache_hits_total)", times[0], times[0].plus_millis(1000), step).await;
    let series = queried.expect("a range").value;
    assert_eq!((series.len(), series[0].name.as_str(), series[0].labels.len()), (1, "", 0));
    assert_eq!(series[0].points.len(), 11);
    assert_eq!(series[0].points[0], (times[0], 42.0));
    assert_eq!(client.build_info().await.expect("it says").version.split('.').next(), Some("2"));
}

#[tokio::test]
async fn the_selectors_of_the_known_dialects_find_their_series_and_no_others() {
    let scraped = Scraped::start(None).await;
    scraped.samples("redis_keyspace_hits_total", 1).await;
    let mut found = Vec::new();
    for selector in names::default_selectors() {
        match scraped.client().instant(&selector, None).await.expect("the selector is right").value {
            Value::Series(series) => found.extend(series.into_iter().map(|series| series.name)),
            scalar => panic!("series expected, not {scalar:?}"),
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(
        found,
        [
            "cache_hits_total",
            "cache_latency_seconds_bucket",
            "cache_latency_seconds_count",
            "cache_latency_seconds_sum",
            "redis_keyspace_hits_total"
        ]
    );
}

#[tokio::test]
async fn a_refused_query_is_told_in_prometheuss_words() {
    let scraped = Scraped::start(None).await;
    let error = scraped.client().instant("sum(", None).await.expect_err("the query is wrong");
    assert_eq!(error.code(), "protocol");
    assert!(
        error.to_string().contains("refuses the query `sum(`") && error.to_string().contains("parse error")
    );
    let client = scraped.client();
    let endless = client.range("1", Timestamp(0), Timestamp(100_000_000), Duration::from_millis(1)).await;
    assert!(endless.expect_err("too many points").to_string().contains("exceeded maximum resolution"));
}

#[tokio::test]
async fn name_and_password_open_a_protected_prometheus() {
    // bcrypt of "se:cret@1"
    let users = serde_json::json!({ "basic_auth_users": { "alice": "$2y$04$wkAZ5yD6I0bMUqrAirDPHuZGlYsLwylUablYZnSbEG.U3gsoU9fce" } });
    let scraped = Scraped::start(Some(users.to_string())).await;
    let url = scraped.prometheus.url();
    let with = |url: &str, credentials| {
        PrometheusClient::new(url, HttpOptions { credentials, ..http() }).expect("the address is right")
    };
    let password = SecretString::from("se:cret@1");
    let basic = Credentials::Basic { user: "alice".to_owned(), password };
    assert!(with(&url, basic).instant("1", None).await.is_ok());
    let in_url = url.replace("http://", "http://alice:se%3Acret%401@");
    assert!(with(&in_url, Credentials::None).instant("1", None).await.is_ok());

    let wrong_url = url.replace("http://", "http://alice:hunter2@");
    let error = with(&wrong_url, Credentials::None).instant("1", None).await.expect_err("a wrong password");
    assert_eq!(error.code(), "auth");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let error = with(&url, Credentials::None).instant("1", None).await.expect_err("no password");
    assert!(error.to_string().contains("asks for credentials"), "{error}");
}

#[tokio::test]
async fn what_is_no_prometheus_is_told_apart() {
    cachescope_lab::servers::install_crypto();
    let server = Pageserver::start().await;
    server.put("/app/api/v1/query", Stored::page("text/html", "<html>login</html>"));
    server.put("/api/v1/query", Stored::page(TEXT, PAGE));
    for (base, words) in [
        (server.url("/nowhere"), "is no Prometheus server: it has no page for queries (404)"),
        (server.url("/app"), "HTML page"),
        (server.url(""), "its answer can't be read"),
    ] {
        let client = PrometheusClient::new(&base, http()).expect("the address is right");
        let error = client.instant("1", None).await.expect_err(&base);
        assert_eq!(error.code(), "protocol");
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// The source as it runs in a session.
struct Running {
    observations: mpsc::Receiver<Observation>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(url: &str, timeout: Duration, queries: PrometheusQueries) -> Self {
        let (sink, observations) = mpsc::channel(100);
        let cancel = CancellationToken::new();
        let context = SourceContext::new("prom".into(), SessionClock::start(), sink, cancel.clone());
        let mut target = PrometheusTarget::new(url);
        target.interval = Duration::from_millis(200);
        target.http.timeout = timeout;
        Self { observations, cancel, task: tokio::spawn(run(context, target, queries)) }
    }

    /// The next observation that this makes something of.
    async fn next<T>(&mut self, of: impl Fn(&Observed) -> Option<T>) -> T {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), self.observations.recv()).await;
            let observation = next.expect("the source goes on").expect("the source runs");
            if let Some(found) = of(&observation.what) {
                return found;
            }
        }
    }

    async fn metrics(&mut self) -> MetricsBatch {
        self.next(|what| match what {
            Observed::Metrics(batch) => Some(batch.clone()),
            _ => None,
        })
        .await
    }

    async fn signals(&mut self) -> Vec<SignalValue> {
        self.next(|what| match what {
            Observed::Signals(signals) => Some(signals.clone()),
            _ => None,
        })
        .await
    }

    async fn status(&mut self, health: SourceHealth) -> SourceStatus {
        self.next(|what| match what {
            Observed::Status(status) if status.health == health => Some(status.clone()),
            _ => None,
        })
        .await
    }

    async fn end(self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended.expect("a cancelled source ends").expect("it does not panic");
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[tokio::test]
async fn the_source_delivers_history_first_then_what_is_new_and_signals() {
    let scraped = Scraped::start(None).await;
    let before = scraped.samples("cache_hits_total", 4).await;
    let queries = PrometheusQueries {
        selectors: vec!["cache_hits_total".to_owned(), "cache_latency_seconds_bucket".to_owned()],
        signals: owned(&[("load", "vector(0.7)"), ("idle", "0/0"), ("absent", "nothing_has_this_name")]),
    };
    let mut running = Running::start(&scraped.prometheus.url(), Duration::from_secs(20), queries);

    let first = running.metrics().await;
    assert_eq!(first.endpoint, scraped.prometheus.url());
    let of = |batch: &MetricsBatch, name: &str| batch.samples.iter().filter(|it| it.name() == name).count();
    assert!(of(&first, "cache_hits_total") >= before.len(), "history comes at once");
    assert_eq!(of(&first, "cache_latency_seconds_bucket") % 2, 0, "both buckets");
    let signals = running.signals().await;
    let values: Vec<_> = signals.iter().map(|signal| (signal.signal.as_str(), signal.value)).collect();
    assert_eq!(
        {
            let mut values = values;
            values.sort_by(|one, other| one.0.cmp(other.0));
            values
        },
        [("absent", None), ("idle", None), ("load", Some(0.7))]
    );
    running.status(SourceHealth::Ok).await;

    let last = first.samples.iter().map(|sample| sample.at).max().expect("the first batch has samples");
    while running.metrics().await.samples.iter().all(|sample| sample.at <= last) {}
    running.end().await;
}

#[tokio::test]
async fn one_wrong_query_does_not_stop_the_others() {
    let scraped = Scraped::start(None).await;
    scraped.samples("cache_hits_total", 1).await;
    let queries = PrometheusQueries {
        selectors: vec!["cache_hits_total".to_owned(), "wrong{".to_owned()],
        signals: owned(&[("many", "cache_latency_seconds_bucket")]),
    };
    let mut running = Running::start(&scraped.prometheus.url(), Duration::from_secs(20), queries);
    assert!(!running.metrics().await.samples.is_empty());
    assert_eq!(running.signals().await[0].value, None, "a signal must give one value");
    let status = running.status(SourceHealth::Partial).await;
    assert!(status.detail.contains("wrong{"), "{}", status.detail);
    running.end().await;
}

#[tokio::test]
async fn series_that_prometheus_does_not_have_are_missed_in_words() {
    let scraped = Scraped::start(None).await;
    let queries = PrometheusQueries { selectors: vec!["no_such_metric".to_owned()], signals: Vec::new() };
    let mut running = Running::start(&scraped.prometheus.url(), Duration::from_secs(20), queries);
    let status = running.status(SourceHealth::Partial).await;
    assert!(status.detail.contains("none of the cache's series"), "{}", status.detail);
    running.end().await;
}

#[tokio::test]
async fn a_prometheus_that_hangs_is_given_up_and_taken_up_again() {
    let scraped = Scraped::start(None).await;
    scraped.samples("cache_hits_total", 1).await;
    let queries = PrometheusQueries { selectors: vec!["cache_hits_total".to_owned()], signals: Vec::new() };
    let mut running = Running::start(&scraped.prometheus.url(), Duration::from_millis(500), queries);
    running.status(SourceHealth::Ok).await;
    scraped.signal("-STOP");
    let status = running.status(SourceHealth::Failed).await;
    assert!(status.detail.contains("within 0.5 s"), "{}", status.detail);
    scraped.signal("-CONT");
    running.status(SourceHealth::Ok).await;
    scraped.signal("-STOP");
    running.status(SourceHealth::Failed).await;
    running.end().await;
    scraped.signal("-CONT");
}
