//! One `prometheus`.

use std::fmt::Write as _;
use std::time::Duration;

use tempfile::TempDir;

use super::port::free_port;
use super::process::{PORT_ATTEMPTS, Process, Program, Started, state_directory, write_private};
use crate::error::LabError;

const PROMETHEUS: Program = Program {
    name: "prometheus",
    package: "prometheus",
    elsewhere: ", on macOS `brew install prometheus`, elsewhere see https://prometheus.io/download/",
    ready: "Server is ready to receive web requests",
};

/// What Prometheus is to scrape under one job name.
#[derive(Clone, Debug)]
pub struct ScrapeJob {
    /// The `job` label.
    pub name: String,
    /// `host:port` of each instance.
    pub targets: Vec<String>,
    /// Path of the page.
    pub path: String,
    /// Labels to add to every series.
    pub labels: Vec<(String, String)>,
}

impl ScrapeJob {
    /// `/metrics` of each target, without more labels.
    #[must_use]
    pub fn new(name: &str, targets: Vec<String>) -> Self {
        Self { name: name.to_owned(), targets, path: "/metrics".to_owned(), labels: Vec::new() }
    }
}

/// How a `prometheus` is to be started.
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// What to scrape.
    pub jobs: Vec<ScrapeJob>,
    /// How often, at least 1 ms; rules are evaluated as often.
    pub scrape_interval: Duration,
    /// Contents of rule files, in Prometheus's YAML.
    pub rules: Vec<String>,
    /// Contents of its web configuration file (TLS, basic authentication), in Prometheus's YAML.
    pub web_config: Option<String>,
    /// More command-line flags.
    pub flags: Vec<String>,
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            scrape_interval: Duration::from_secs(2),
            rules: Vec::new(),
            web_config: None,
            flags: Vec::new(),
        }
    }
}

/// A running `prometheus`. Dropping it ends the process and removes its data.
#[derive(Debug)]
pub struct PrometheusServer {
    process: Process,
    port: u16,
    tls: bool,
    _directory: TempDir,
}

impl PrometheusServer {
    /// Starts a server and waits until it answers queries.
    ///
    /// # Errors
    /// When `prometheus` is not installed, refuses its configuration or does not become ready.
    pub async fn start(options: PrometheusOptions) -> Result<Self, LabError> {
        let directory = state_directory("prometheus")?;
        let at = |name: &str| directory.path().join(name);
        let mut rule_files = Vec::new();
        for (number, rules) in options.rules.iter().enumerate() {
            let path = at(&format!("rules-{number}.yml"));
            write_private(&path, rules)?;
            rule_files.push(path.display().to_string());
        }
        write_private(&at("prometheus.yml"), &configuration(&options, &rule_files))?;
        let mut arguments = vec![
            format!("--config.file={}", at("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", at("data").display()),
        ];
        if let Some(web_config) = &options.web_config {
            write_private(&at("web.yml"), web_config)?;
            arguments.push(format!("--web.config.file={}", at("web.yml").display()));
        }
        arguments.extend(options.flags.iter().cloned());
        let tls = options.web_config.as_deref().is_some_and(|it| it.contains("tls_server_config"));
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let listen = format!("--web.listen-address=127.0.0.1:{port}");
            let all = [arguments.as_slice(), &[listen]].concat();
            if let Started::Ready(process) = Process::start(PROMETHEUS, &all, directory.path()).await? {
                return Ok(Self { process, port, tls, _directory: directory });
            }
        }
        Err(LabError::NoPort { program: PROMETHEUS.name, attempts: PORT_ATTEMPTS })
    }

    /// Its base URL without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// The TCP port of 127.0.0.1 it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The configuration file. Strings are written as JSON, which YAML includes.
fn configuration(options: &PrometheusOptions, rule_files: &[String]) -> String {
    let interval = options.scrape_interval.as_millis().max(1);
    let mut text = format!("global:\n  scrape_interval: {interval}ms\n  scrape_timeout: {interval}ms\n");
    // Writing to a string cannot fail.
    let _written = writeln!(text, "  evaluation_interval: {interval}ms");
    let _written = writeln!(text, "rule_files: {}", serde_json::json!(rule_files));
    let jobs: Vec<_> = options.jobs.iter().map(job).collect();
    let _written = writeln!(text, "scrape_configs: {}", serde_json::json!(jobs));
    text
}

fn job(job: &ScrapeJob) -> serde_json::Value {
    let labels: serde_json::Map<String, serde_json::Value> =
        job.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    serde_json::json!({
        "job_name": job.name,
        "metrics_path": job.path,
        "static_configs": [{ "targets": job.targets, "labels": labels }],
    })
}
