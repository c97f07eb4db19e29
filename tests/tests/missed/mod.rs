//! The shop's cache under an alert: products that are removed and missed, and a window that watches.

use anyhow::Result;
use cachescope_lab::servers::RedisServer;
use cachescope_model::deployment::Environment;
use cachescope_tests::window::{Options, Window};
use redis::aio::MultiplexedConnection;
use tokio::task::JoinHandle;

use crate::shop::{filled, strategy};
use crate::watched::watch;

/// The rule fires as soon as it is judged after a miss.
const RULE: &str = r#"
[[rule]]
name = "ProductMisses"
reading = "misses_per_second"
each = "namespace"
namespaces = ["product"]
above = 0
severity = "SEVERITY"
summary = "Products are missed"
action = "Look at why they are gone."
documented = "misses > 0"
"#;

/// A window that watches a filled server, on the deployment's screen; misses are as bad as `severity` says. A critical
/// rule forbids purges while it fires.
pub(crate) async fn watched(severity: &str) -> Result<(RedisServer, MultiplexedConnection, Window)> {
    let (server, connection) = filled(Some("AEm")).await?;
    let strategy = strategy("", &RULE.replace("SEVERITY", severity));
    let window = watch(&server, &strategy, Environment::Development, Options::default()).await?;
    window.wait_for("[data-testid='row'][data-namespace='product:{id}']").await?;
    Ok((server, connection, window))
}

/// Removes products and asks for them, over and over, until it is aborted.
pub(crate) fn miss_products(mut connection: MultiplexedConnection) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        loop {
            for id in 0..20 {
                let key = format!("product:{id}");
                redis::cmd("SET").arg(&key).arg("x").exec_async(&mut connection).await?;
                redis::cmd("DEL").arg(&key).exec_async(&mut connection).await?;
                let _none: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut connection).await?;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
}
