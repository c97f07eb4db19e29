//! The demo: a process of its own that runs local servers and a workload, and says where they stand.
//!
//! It is the `cachescope demo --json` command. It prints one line of JSON when everything stands, and ends by
//! itself when its standard input closes, so that it never outlives us, not even after a kill −9.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cachescope_model::deployment::{Deployment, DeploymentId, Environment, TlsFiles};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::wire::{WireError, WireErrorCode};

/// Starting three servers, filling a cache and loading a page takes seconds; a slow machine gets a minute.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Where the demo's servers stand, as its process prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoAddresses {
    /// The Redis it runs.
    pub redis_url: String,
    /// The Prometheus it runs; `None` where it is not installed.
    pub prometheus_url: Option<String>,
    /// The exposition pages of its service.
    pub metrics_urls: Vec<String>,
    /// The built-in strategy its service follows.
    pub strategy: String,
    /// Where incidents are played.
    pub control_url: Option<String>,
}

/// A running demo. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct DemoProcess {
    child: Child,
    /// Closing it is the demo's signal to end.
    stdin: Option<ChildStdin>,
    pub(crate) addresses: DemoAddresses,
}

/// What the demo needs on this machine: program, and how to install it.
const NEEDS: [(&str, &str); 2] = [
    ("redis-server", "redis-server is not installed: on Debian or Ubuntu run `apt-get install redis-server`"),
    ("prometheus", "prometheus is not installed: on Debian or Ubuntu run `apt-get install prometheus`"),
];

/// What is missing, one sentence each; empty where the demo can run.
pub(crate) fn missing(companion: Option<&Path>) -> Vec<String> {
    let mut missing = Vec::new();
    if !companion.is_some_and(Path::is_file) {
        missing
            .push("the cachescope program does not stand beside this one: build or install both".to_owned());
    }
    missing.extend(NEEDS.iter().filter(|(name, _)| !installed(name)).map(|(_, how)| (*how).to_owned()));
    missing
}

/// Whether a program of this name stands in a directory of `PATH`.
fn installed(name: &str) -> bool {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(&file).is_file()))
}

impl DemoProcess {
    /// Starts the demo and waits until its servers stand.
    pub(crate) async fn start(companion: &Path) -> Result<Self, WireError> {
        let failed = |what: String| WireError::new(WireErrorCode::DemoUnavailable, what);
        let mut child = Command::new(companion)
            .args(["demo", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("the demo could not be started: {error}")))?;
        let stdin = child.stdin.take();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed("the demo could not be started: it has no output".to_owned()));
        };
        let mut line = String::new();
        let mut lines = BufReader::new(stdout.take(64 * 1024));
        let read = tokio::time::timeout(START_DEADLINE, lines.read_line(&mut line)).await;
        match read {
            Ok(Ok(bytes)) if bytes > 0 => {}
            Ok(_) => {
                let mut said = String::new();
                let mut stderr = stderr.take(4096);
                let reading = stderr.read_to_string(&mut said);
                let told = tokio::time::timeout(Duration::from_secs(2), reading).await;
                let reason = if matches!(told, Ok(Ok(_))) { said.trim() } else { "it gave no reason" };
                return Err(failed(format!("the demo ended before its servers stood: {reason}")));
            }
            Err(_) => {
                return Err(failed(format!("the demo did not start within {} s", START_DEADLINE.as_secs())));
            }
        }
        let addresses = serde_json::from_str(&line)
            .map_err(|error| failed(format!("the demo printed what is no address: {error}")))?;
        // Nobody reads its log from here on; a full pipe would stop it.
        tokio::spawn(drain(stderr));
        tokio::spawn(drain(lines));
        Ok(Self { child, stdin, addresses })
    }

    /// Ends the demo and waits until its servers are gone.
    pub(crate) async fn stop(mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await.is_err()
            && let Err(error) = self.child.kill().await
        {
            tracing::warn!(%error, "the demo could not be ended");
        }
    }
}

async fn drain(output: impl tokio::io::AsyncRead + Unpin) {
    let mut output = output;
    if let Err(error) = tokio::io::copy(&mut output, &mut tokio::io::sink()).await {
        tracing::debug!(%error, "the demo's output broke off");
    }
}

/// The demo's deployment has this identity; it is never kept.
pub const ID: &str = "demo";

/// The deployment of a running demo: a development one, so that everything may be switched on.
pub(crate) fn deployment(addresses: &DemoAddresses) -> Deployment {
    Deployment {
        id: DeploymentId(ID.to_owned()),
        name: "Demo".to_owned(),
        environment: Some(Environment::Development),
        redis_url: Some(addresses.redis_url.clone()),
        prometheus_url: addresses.prometheus_url.clone(),
        metrics_urls: addresses.metrics_urls.clone(),
        strategy: Some(addresses.strategy.clone()),
        group: None,
        colour: None,
        tls: TlsFiles::default(),
        ssh: None,
        ssh_http: false,
    }
}
