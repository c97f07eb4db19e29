//! The store against real files, real processes and a real keychain.

mod alerts;
mod damage;
#[cfg(target_os = "linux")]
mod disks;
mod kept;
#[cfg(target_os = "linux")]
mod keychain;
#[cfg(unix)]
mod owner_only;
mod parts;
mod passwords;
mod processes;
mod session_only;
mod setting_changes;

use cachescope_model::deployment::Deployment;
use cachescope_store::Store;

/// A deployment named `name` with an identity of its own.
fn deployment(name: &str) -> Deployment {
    Deployment {
        id: Store::new_deployment_id(),
        name: name.to_owned(),
        environment: None,
        redis_url: Some("redis://reader@cache:6379/0".to_owned()),
        prometheus_url: None,
        metrics_urls: vec!["http://app:8080/metrics".to_owned()],
        strategy: None,
        group: None,
        colour: None,
        tls: Default::default(),
        ssh: None,
        ssh_http: false,
    }
}

async fn names(store: &Store) -> Vec<String> {
    let deployments = store.deployments().await.expect("the deployments can be read");
    deployments.into_iter().map(|deployment| deployment.name).collect()
}
