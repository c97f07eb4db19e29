//! A deployment that an earlier session has kept.

use std::path::Path;

use anyhow::Result;
use cachescope_lab::Lab;
use cachescope_model::deployment::{Deployment, Environment, TlsFiles};
use cachescope_store::Store;

/// Keeps the lab as a deployment in a state directory.
pub(crate) async fn keep(state: &Path, lab: &Lab, strategy: &str) -> Result<()> {
    keep_as(state, lab.redis_url(), lab.metrics_urls(), Some(strategy.to_owned())).await
}

/// Keeps a Redis and metrics pages as a deployment.
pub(crate) async fn keep_as(
    state: &Path,
    redis_url: String,
    metrics_urls: Vec<String>,
    strategy: Option<String>,
) -> Result<()> {
    let store = Store::open(state)?;
    let deployment = Deployment {
        id: Store::new_deployment_id(),
        name: "lab".to_owned(),
        // Everything that can be watched is.
        environment: Some(Environment::Development),
        redis_url: Some(redis_url),
        prometheus_url: None,
        metrics_urls,
        strategy,
        group: None,
        colour: None,
        tls: TlsFiles::default(),
        ssh: None,
        ssh_http: false,
    };
    Ok(store.save_deployment(deployment).await?)
}
