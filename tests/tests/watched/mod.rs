//! A window that watches a server from its start, by a strategy of its own.

use anyhow::Result;
use cachescope_lab::servers::RedisServer;
use cachescope_model::deployment::{Deployment, Environment, TlsFiles};
use cachescope_store::Store;
use cachescope_tests::window::{Options, Window};

/// Opens it on the deployment `shop-eu-1`.
pub(crate) async fn watch(
    server: &RedisServer,
    strategy: &str,
    environment: Environment,
    options: Options,
) -> Result<Window> {
    let state = tempfile::tempdir()?;
    let file = state.path().join("shop.toml");
    std::fs::write(&file, strategy)?;
    Store::open(state.path())?
        .save_deployment(Deployment {
            id: Store::new_deployment_id(),
            name: "shop-eu-1".to_owned(),
            environment: Some(environment),
            redis_url: Some(server.url()),
            prometheus_url: None,
            metrics_urls: Vec::new(),
            strategy: Some(file.display().to_string()),
            group: None,
            colour: None,
            tls: TlsFiles::default(),
            ssh: None,
            ssh_http: false,
        })
        .await?;
    Window::open_again(state, options).await
}
