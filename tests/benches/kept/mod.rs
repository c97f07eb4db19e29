//! A deployment that an earlier session has kept.

use std::path::Path;

use anyhow::Result;
use cachescope_lab::Lab;
use cachescope_model::deployment::{Deployment, Environment, TlsFiles};
use cachescope_store::Store;

/// Keeps the lab as a deployment in a state directory.
pub(crate) async fn keep(state: &Path, lab: &Lab, strategy: &str) -> Result<()> {
    let store = Store::open(state)?;
    let deployment = Deployment {
        id: Store::new_deployment_id(),
        name: "lab".to_owned(),
        // Everything that can be watched is.
        environment: Some(Environment::Development),
        redis_url: Some(lab.redis_url()),
        prometheus_url: None,
        metrics_urls: lab.metrics_urls(),
        strategy: Some(strategy.to_owned()),
        group: None,
        colour: None,
        tls: TlsFiles::default(),
        ssh: None,
        ssh_http: false,
    };
    Ok(store.save_deployment(deployment).await?)
}
