//! A deployment whose signals a real Prometheus measures, and waiting for what becomes of it.

use std::time::Duration;

use cachescope_app::App;
use cachescope_app::wire::{DeploymentDraft, Reply, Request};
use cachescope_lab::servers::{PrometheusOptions, PrometheusServer, RedisServer, ScrapeJob};
use cachescope_model::deployment::{DeploymentId, Environment};

use crate::test_host::TestHost;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(mut asked: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = async {
        loop {
            if let Some(value) = asked().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it becomes so")
}

pub(crate) struct Watched {
    pub(crate) app: App,
    pub(crate) deployment: DeploymentId,
    pub(crate) directory: tempfile::TempDir,
    /// Measures for as long as it lives.
    pub(crate) _prometheus: PrometheusServer,
}

/// Has a server watched, and its exporter scraped twice a second.
pub(crate) async fn watch(server: &RedisServer, exporter: String, strategy: &str) -> Watched {
    let prometheus = PrometheusServer::start(PrometheusOptions {
        jobs: vec![ScrapeJob::new("exporter", vec![exporter])],
        scrape_interval: Duration::from_millis(500),
        ..PrometheusOptions::default()
    })
    .await
    .expect("prometheus is installed");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("stopping.toml");
    std::fs::write(&file, strategy).expect("written");
    let app = App::start(TestHost { directory: directory.path().to_owned() }).await;
    let draft = DeploymentDraft {
        environment: Some(Environment::Development),
        redis_url: server.address(),
        prometheus_url: prometheus.url(),
        strategy: file.display().to_string(),
        ..DeploymentDraft::default()
    };
    let Ok(Reply::SaveDeployment(deployment)) = app.handle(Request::SaveDeployment { draft }).await else {
        panic!("saved")
    };
    Watched { app, deployment, directory, _prometheus: prometheus }
}
