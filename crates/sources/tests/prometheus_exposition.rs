//! What we read from a page is what a real Prometheus stores from it.
//!
//! Every page is served to a real `prometheus`, which scrapes it. Where we see bad lines, Prometheus must have
//! refused the page; where we see none, it must have stored exactly our series with our values.

mod prometheus_support;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cachescope_lab::servers::{PrometheusOptions, PrometheusServer, ScrapeJob};
use cachescope_model::time::Timestamp;
use cachescope_sources::prometheus::exposition::{self, Page};
use prometheus_support::{OPENMETRICS, Pageserver, Stored, TEXT};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Series by name and labels, each with its values by time; time 0 where the page gave none.
type Storage = BTreeMap<(String, Vec<(String, String)>), Vec<(i64, u64)>>;

#[derive(Clone, Debug)]
struct Case {
    content_type: &'static str,
    page: Vec<u8>,
}

fn text(page: impl AsRef<[u8]>) -> Case {
    Case { content_type: TEXT, page: page.as_ref().to_vec() }
}

fn openmetrics(page: impl AsRef<[u8]>) -> Case {
    Case { content_type: OPENMETRICS, page: page.as_ref().to_vec() }
}

fn now_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    i64::try_from(since_epoch.as_millis()).expect("the clock is right")
}

/// A value as its bits, all NaNs alike: they can't be told apart in an answer.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// Our reading of a page. Samples without a time of their own get time 0, as the fetch's time is not compared.
fn ours(page: &Page) -> Storage {
    let mut storage = Storage::new();
    for sample in &page.samples {
        let labels = sample.labels().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let series = storage.entry((sample.name().to_owned(), labels)).or_default();
        series.push((sample.at.millis(), bits(sample.value)));
    }
    storage
}

/// What Prometheus stored of a job, without the job's own labels and the scrape's own series.
async fn stored(client: &reqwest::Client, prometheus: &str, job: &str, with_times: bool) -> Storage {
    let query = if with_times { format!("{{job={job:?}}}[5m]") } else { format!("{{job={job:?}}}") };
    let mut storage = Storage::new();
    for row in query_rows(client, prometheus, &query).await {
        let mut labels: BTreeMap<String, String> =
            serde_json::from_value(row["metric"].clone()).expect("labels are strings");
        let name = labels.remove("__name__").expect("a stored series has a name");
        if name == "up" || name.starts_with("scrape_") {
            continue;
        }
        labels.remove("job");
        labels.remove("instance");
        let points = if with_times { row["values"].clone() } else { serde_json::json!([row["value"]]) };
        let points: Vec<(f64, String)> = serde_json::from_value(points).expect("points are pairs");
        let read = |(at, value): (f64, String)| {
            let value: f64 = value.parse().expect("Prometheus writes numbers");
            (if with_times { (at * 1000.0).round() as i64 } else { 0 }, bits(value))
        };
        storage.insert((name, labels.into_iter().collect()), points.into_iter().map(read).collect());
    }
    storage
}

async fn query_rows(client: &reqwest::Client, prometheus: &str, query: &str) -> Vec<serde_json::Value> {
    let url = format!("{prometheus}/api/v1/query");
    let answer = client.post(url).form(&[("query", query)]).send().await.expect("prometheus answers");
    let answer: serde_json::Value = answer.json().await.expect("prometheus answers in JSON");
    answer["data"]["result"].as_array().cloned().unwrap_or_else(|| panic!("{query}: {answer}"))
}

/// Serves the cases, lets a real Prometheus scrape them and compares. Returns how many it accepted.
async fn compare(cases: &[Case], with_times: bool) -> usize {
    let pages = Pageserver::start().await;
    let mut jobs = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let path = format!("/case/{number}");
        pages.put(&path, Stored::page(case.content_type, case.page.clone()));
        let mut job = ScrapeJob::new(&format!("case-{number}"), vec![pages.address.to_string()]);
        job.path = path;
        jobs.push(job);
    }
    let options = PrometheusOptions { jobs, scrape_interval: Duration::from_secs(1), ..Default::default() };
    let prometheus = PrometheusServer::start(options).await.expect("prometheus is installed");
    cachescope_lab::servers::install_crypto();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client without TLS");
    let up = wait_for_all(&client, &prometheus.url(), cases.len()).await;

    let mut accepted = 0;
    for (number, case) in cases.iter().enumerate() {
        let shown = String::from_utf8_lossy(&case.page);
        let page = exposition::parse(&case.page, Some(case.content_type), Timestamp(0));
        let good = page.bad_line_count == 0 && page.quoted_names == 0;
        assert_eq!(
            good,
            up[number],
            "case {number}: Prometheus {} this page, we say {:?}\n{shown}\n{shown:?}",
            if up[number] { "accepts" } else { "refuses" },
            page.bad_lines
        );
        let theirs = stored(&client, &prometheus.url(), &format!("case-{number}"), with_times).await;
        if good {
            accepted += 1;
            assert_eq!(
                ours(&page),
                theirs,
                "case {number} (ours left, Prometheus's right)\n{shown}\n{shown:?}"
            );
        } else {
            assert!(theirs.is_empty(), "case {number}: Prometheus stores nothing of a refused page\n{shown}");
        }
    }
    accepted
}

/// Waits until every job was scraped, and says which scrape succeeded.
async fn wait_for_all(client: &reqwest::Client, prometheus: &str, count: usize) -> Vec<bool> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let rows = query_rows(client, prometheus, "up").await;
        if rows.len() == count {
            let mut up = vec![false; count];
            for row in rows {
                let job = row["metric"]["job"].as_str().expect("up has a job");
                let number: usize = job.trim_start_matches("case-").parse().expect("jobs are numbered");
                up[number] = row["value"][1] == "1";
            }
            return up;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} of {count} pages were scraped", rows.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn text_cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        // Pages that are fine.
        "",
        "\n\n",
        "m 1",
        "m 1\n",
        "m{} 1\n",
        "m{}1\n",
        "m{a=\"b\"}1\n",
        "m-1\n",
        "m+1\n",
        "m.5\n",
        "job:cache_hits:rate5m{job_name=\"a\"} 0.5\n",
        ":colon 1\n",
        "_ 1\n",
        "m\t{\ta\t=\t\"b\"\t,\t}\t1\t\n",
        "m { a = \"b\" , c = \"d\" } 1 \n",
        "m{a=\"b\"c=\"d\"} 1\n",
        "m{a=\"b\",} 1\n",
        "m{path=\"/a,b=c}d{e\",q=\"#x\"} 1\n",
        "m{a=\"\\\\\",b=\"\\\"\",c=\"\\n\",d=\"\\x\\t\",e=\"\\\\n\"} 1\n",
        "m{a=\"x\ny\"} 1\nn 2\n",
        "m{a=\"Zürich 東京 🎫\"} 1\n",
        "m{a=\"x\r\"} 1\n",
        "m{a=\"\"} 1\n",
        "m{a=\"\",b=\"c\"} 1\n",
        "m{a=\"\",a=\"x\"} 1\n",
        "m{z=\"1\",a=\"2\",M=\"3\",_=\"4\"} 1\n",
        "m{a=\"1\"} 1\nm{a=\"1\"} 2\n",
        "m{a=\"1\",b=\"2\"} 1\nm{b=\"2\",a=\"1\"} 2\nm{a=\"1\"} 3\n",
        "a NaN\nb nan\nc +Inf\nd -Inf\ne inf\nf Infinity\ng -infinity\nh INF\n",
        "a 1e3\nb 1E-3\nc 1.\nd .5\ne +.5e+1\nf -0\ng 0\nh 1e-999\ni 4.9e-324\n",
        "a 9007199254740993\nb 1.7976931348623157e308\nc 123456789.123456789\nd 1e22\ne 0.1\n",
        "# just words\n#\n# \n#x\n  # y\nm 1\n",
        "# HELP m some \\n text \\\\ \"x\"\n# TYPE m counter\nm 1\n",
        "# HELP m\n# HELP n \n#HELP\n# HELPm\n# HELP\nm 1\n",
        "# TYPE m-counter\nm 1\n",
        "# TYPE m\tcounter\nm 1\n",
        "#\tTYPE\tm counter\nm 1\n",
        "# TYPE m untyped\nm 1\n# TYPE m gauge\nm{a=\"b\"} 2\n",
        "# HELP m x\r\nm 1\n",
        "# comment\r\nm 1\n",
        "m 1\n   \n\t\nn 2\n",
        "HELP 1\nTYPE 2\n",
        "m{le=\"1\",quantile=\"0.5\",HELP=\"x\"} 1\n",
        "# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n",
        "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.99\"} NaN\ns_sum 10\ns_count 2\n",
        "# TYPE h histogram\nh_bucket{a=\"b\"} 1\nh 7\nh_bucket 2\n",
        "m 1\0",
        "m 1\n\0",
        "m{a=\"x\0y\"} 1\n",
        "m{a=\"x\0\",b=\"\0\"} 1\n",
        "m{a= \0\"x\"} 1\n",
        "# HELP m a\0b\nm 1\n",
        "# a\0b\nm 1\n",
        // Pages that are refused.
        " m 1\n",
        "\tm 1\n",
        "m\n",
        "m \n",
        "m x\n",
        "m 0x10\n",
        "m 0x1p4\n",
        "m 1_000\n",
        "m 1e999\n",
        "m +NaN\n",
        "m 1,5\n",
        "m 1 x\n",
        "m 1 1.5\n",
        "m 1 -5\n",
        "m 1 99999999999999999999\n",
        "m 1 1600000000000 1\n",
        "m 1 # {a=\"b\"} 1\n",
        "m 1\r\n",
        "m 1 1600000000000\r\n",
        "\r\n",
        "# TYPE m counter\r\nm 1\n",
        "1m 1\n",
        "m.n 1\n",
        "m-n 1\n",
        "é 1\n",
        "\u{feff}m 1\n",
        "{a=\"b\"} 1\n",
        "{\"m.n\"} 1\n",
        "{\"m.n\",a=\"b\"} 1\n",
        "m{\"a.b\"=\"c\"} 1\n",
        "m{a=b} 1\n",
        "m{a='b'} 1\n",
        "m{a} 1\n",
        "m{a=} 1\n",
        "m{=\"b\"} 1\n",
        "m{,} 1\n",
        "m{a=\"b\",,} 1\n",
        "m{a:b=\"c\"} 1\n",
        "m{1a=\"c\"} 1\n",
        "m{a=\"b\"\n} 1\n",
        "m{a=\"b\" 1\n",
        "m{a=\"b} 1\n",
        "m a=\"b\"} 1\n",
        "m{a=\"b\"}{} 1\n",
        "m{a=\"b\"}}1\n",
        "m{a=\"x\\\ny\"} 1\n",
        "m{a=\"1\",a=\"2\"} 1\n",
        "m{a=\"1\",a=\"1\"} 1\n",
        "m{__name__=\"n\"} 1\n",
        "m{__name__=\"m\"} 1\n",
        "m{__name__=\"\"} 1\n",
        "m 1{a=\"b\"}\n",
        "# TYPE m\n",
        "# TYPE m \n",
        "# TYPE m foo\n",
        "# TYPE m unknown\n",
        "# TYPE m Counter\n",
        "# TYPE m counter \n",
        "# TYPE m  counter\n",
        "# TYPE 1m counter\n",
        "# TYPE \n",
        "# HELP \n",
        "# HELP 1 x\n",
        "m\0 1\n",
        "m 1\0 2\n",
        "m{\0a=\"b\"} 1\n",
        "m{a=\0\"b\"} 1\n",
        "m{a=\"b\"\0} 1\n",
        "<m> 1\n",
        "m 1\nn two\no 3\n",
        "m \"1\"\n",
        "- 1\n",
    ]
    .iter()
    .map(text)
    .collect();
    cases.push(text(b"m{a=\"\xff\"} 1\n"));
    cases.push(text(b"# HELP m \xff\nm 1\n"));
    cases.push(text(b"# \xff\nm 1\n"));
    cases.push(text(b"m\xff 1\n"));
    cases.push(text(b"m{a=\"\xc3\\\"\"} 1\n"));
    cases.push(Case { content_type: "text/html", page: b"m 1\n".to_vec() });
    cases.push(Case { content_type: "application/openmetrics-text; broken", page: b"m 1\n".to_vec() });
    cases
}

fn openmetrics_cases() -> Vec<Case> {
    [
        // Pages that are fine.
        "# EOF",
        "# EOF\n",
        "m 1\n# EOF\n",
        "# TYPE m counter\n# UNIT m \n# HELP m x\nm_total 1\nm_created 2\n# EOF\n",
        "# TYPE m_seconds gauge\n# UNIT m_seconds seconds\nm_seconds{a=\"b\",c=\"d\"} 1\n# EOF\n",
        "# TYPE m histogram\nm_bucket{le=\"1.0\"} 1 # {trace_id=\"a,b}c\"} 0.5\nm_bucket{le=\"+Inf\"} 2 # {} 3 1.5\nm_sum 1\nm_count 2\n# EOF\n",
        "m_total{a=\"b\"} 1 # {a=\"b\",c=\"\\\"\"} NaN\n# EOF\n",
        "# TYPE m info\nm_info{a=\"b\"} 1\n# TYPE s stateset\ns{s=\"on\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\n# TYPE u unknown\nu 1\n# EOF\n",
        "m{a=\"\\\\ \\\" \\n \\x\"} 1\n# EOF\n",
        "m{} NaN\nn -Inf\no 1e3\n# EOF\n",
        "# HELP m \n# EOF\n",
        "# HELP m x\tz\nm 1\n# EOF\n",
        "m{a=\"x\0y\"} 1\n# EOF\n",
        "# HELP m a\0b\nm 1\n# EOF\n",
        "m 1\nm 2\n# EOF\n",
        // Pages that are refused.
        "",
        "\n# EOF\n",
        "m 1\n",
        "m 1",
        "m 1\n#EOF\n",
        "m 1\n# EOF\n\n",
        "m 1\n# EOF\nm 2\n",
        "m 1\n# EOF \n",
        "# words\nm 1\n# EOF\n",
        "m  1\n# EOF\n",
        "m\t1\n# EOF\n",
        "m 1 \n# EOF\n",
        "m{ a=\"b\"} 1\n# EOF\n",
        "m{a=\"b\", c=\"d\"} 1\n# EOF\n",
        "m{a=\"b\",} 1\n# EOF\n",
        "m{a=\"b\"c=\"d\"} 1\n# EOF\n",
        "m {a=\"b\"} 1\n# EOF\n",
        "m{a=\"b\"}1\n# EOF\n",
        "m{a=\"x\ny\"} 1\n# EOF\n",
        "m{,} 1\n# EOF\n",
        "m 1 NaN\n# EOF\n",
        "m 1 Inf\n# EOF\n",
        "m 1 x\n# EOF\n",
        "m 1 # {a=\"b\"} 1\n# EOF\n",
        "m_total 1 #{a=\"b\"} 1\n# EOF\n",
        "m_total 1 # {a=\"b\"}\n# EOF\n",
        "m_total 1 # {a=\"b\"} x\n# EOF\n",
        "m_total 1 # {a=\"b\"} 1 NaN\n# EOF\n",
        "m_total 1 # {a=\"b\",} 1\n# EOF\n",
        "m_total 1 # a\n# EOF\n",
        "m_total 1 # {a=\"b\"} 1 1 1\n# EOF\n",
        "# TYPE m untyped\nm 1\n# EOF\n",
        "# UNIT m seconds\nm 1\n# EOF\n",
        "# UNIT m_xseconds seconds\n# EOF\n",
        "# HELP m\nm 1\n# EOF\n",
        "# HELP  m x\n# EOF\n",
        "# TYPE m\n# EOF\n",
        "# HELP m x",
        "m 1\r\n# EOF\n",
        "m{a=\"1\",a=\"2\"} 1\n# EOF\n",
        "{\"m.n\"} 1\n# EOF\n",
        "m\0 1\n# EOF\n",
        "\0m 1\n# EOF\n",
    ]
    .iter()
    .map(openmetrics)
    .collect()
}

#[tokio::test]
async fn nasty_pages_give_the_series_that_prometheus_stores() {
    let mut cases = text_cases();
    cases.extend(openmetrics_cases());
    let accepted = compare(&cases, false).await;
    assert!(accepted > 60 && cases.len() - accepted > 90, "both kinds occur: {accepted} of {}", cases.len());
}

#[tokio::test]
async fn timestamps_are_those_that_prometheus_stores() {
    let now = now_millis();
    let at = |millis: i64| (now + millis).to_string();
    let seconds = |millis: i64| format!("{}.{:03}", (now + millis) / 1000, (now + millis) % 1000);
    let cases = [
        text(format!("m 1 {}\nn{{a=\"b\"}}2\t{}\t\n", at(-5000), at(-4000))),
        text(format!("m 1 {}\nm 2 {}\nm 3 {}\n", at(-5000), at(-4000), at(-3000))),
        // Of one series, later lines with the same or an earlier time are left out.
        text(format!("m 1 {}\nm 2 {}\nm 3 {}\n", at(-4000), at(-4000), at(-5000))),
        openmetrics(format!(
            "m 1 {}\nn_total 2 {}99 # {{a=\"b\"}} 1 1\n# EOF\n",
            seconds(-5000),
            seconds(-4000)
        )),
        openmetrics(format!("m 1 {}e-3\nm 2 {}\n# EOF\n", at(-5000), seconds(-1))),
    ];
    assert_eq!(compare(&cases, true).await, cases.len());
}

/// Lines as an application might write them, and some that are only almost so.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", Just("m".to_owned())];
    let label = ("[a-zA-Z_][a-zA-Z0-9_]{0,3}", "([ -!#-\\[\\]-~é€😀=,}{]|\\\\\\\\|\\\\\"|\\\\n|\\\\x){0,8}");
    let labels = prop::collection::vec(label, 0..4);
    let value = prop_oneof![
        any::<f64>().prop_map(|value| format!("{value:e}")),
        any::<i32>().prop_map(|value| value.to_string()),
        "[+-]?(NaN|Inf|[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})?)",
    ];
    let blank = "[ \t]{0,2}";
    (name, prop::option::of(labels), value, blank).prop_map(|(name, labels, value, blank)| {
        let labels = labels.map(|labels| {
            let pairs: Vec<_> = labels
                .iter()
                .enumerate()
                .map(|(number, (label, value))| {
                    format!("{blank}{label}{number}{blank}={blank}\"{value}\"{blank}")
                })
                .collect();
            format!("{{{}}}", pairs.join(","))
        });
        format!("{name}{} {value}{blank}\n", labels.unwrap_or_default())
    })
}

/// A page of such lines; in most, something has happened to a few bytes.
fn page() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(&b"\0\t\n\r \"#,.0:=NTa\\_e{}+-\xc3\xa9\xff"[..]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), odd, 0..3_u8), 0..3);
    (prop::collection::vec(line(), 1..6), damage).prop_map(|(lines, damage)| {
        let mut page = lines.concat().into_bytes();
        for (place, byte, how) in damage {
            let place = place.index(page.len());
            match how {
                0 => page[place] = byte,
                1 => page.insert(place, byte),
                _ => drop(page.remove(place)),
            }
            if page.is_empty() {
                page.push(b'\n');
            }
        }
        page
    })
}

/// A page whose times are far off: what Prometheus keeps of it depends on its clock, not on the page.
fn has_times(page: &[u8]) -> bool {
    let read = exposition::parse(page, Some(TEXT), Timestamp(i64::MIN));
    read.samples.iter().any(|sample| sample.at != Timestamp(i64::MIN))
}

#[tokio::test]
async fn generated_and_damaged_pages_give_the_series_that_prometheus_stores() {
    let mut runner = TestRunner::default();
    let mut cases = Vec::new();
    while cases.len() < 250 {
        let page = page().new_tree(&mut runner).expect("pages can be made").current();
        if !has_times(&page) {
            cases.push(text(page));
        }
    }
    let accepted = compare(&cases, false).await;
    assert!(accepted > 20 && accepted < cases.len(), "both kinds occur: {accepted} of {}", cases.len());
}
