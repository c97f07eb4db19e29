//! The service's HTTP side, as the strategy documents describe it.

mod admin;
mod answers;
mod headers;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::LabError;
use crate::service::Service;

/// A server that answers on a port the system chose. Dropping it ends it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Serves routes on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When the system has no port left.
    pub async fn start(routes: Router) -> Result<Self, LabError> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(LabError::io("listen on a port"))?;
        let address = listener.local_addr().map_err(LabError::io("read the port"))?;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "a server of the lab ended; start the lab anew");
            }
        });
        Ok(Self { address, task })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The routes of one service instance.
pub fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/metrics", get(admin::metrics))
        .route("/health/cache", get(admin::health))
        .route("/api/admin/cache/purge", post(admin::purge).delete(admin::purge))
        .route("/api/admin/cache/tags", post(admin::invalidate_tag).delete(admin::invalidate_tag))
        .route("/cache/warm", post(admin::warm))
        .route("/api/cron/cache-warmup", get(admin::warm))
        .route("/events/{event}", post(admin::event))
        .route("/api/{namespace}", get(answers::read).post(answers::update))
        .route("/api/public/{namespace}", get(answers::read))
        .route("/api/export/{namespace}", get(answers::export))
        .route("/static/{file}", get(answers::asset))
        .route("/{page}", get(answers::page))
        .with_state(service)
}
