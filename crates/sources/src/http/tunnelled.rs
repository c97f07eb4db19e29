//! HTTP through an SSH tunnel: the client's connections are ways of the tunnel, and everything above them is what it is
//! without one. TLS is between here and the server, with the server's own name.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::ClientBuilder;
use tower::{Layer, Service};

use super::address::Address;
use crate::error::{ErrorCode, SourceError};
use crate::ssh::{Door, Tunnel};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Ways to one address. A client that has them reaches nothing else, whatever it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Ways(Arc<Made>);

#[derive(Debug)]
struct Made {
    tunnel: Arc<Tunnel>,
    host: String,
    port: u16,
    deadline: Duration,
    door: Door,
}

impl Ways {
    /// To the host and the port of `address`, as the SSH server sees them.
    pub(super) fn new(
        tunnel: Arc<Tunnel>,
        address: &Address,
        deadline: Duration,
    ) -> Result<Self, SourceError> {
        let url = address.url();
        // An IPv6 address stands in brackets there.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let door = Door::new().map_err(|error| {
            SourceError::new(
                ErrorCode::Unreachable,
                format!("{address} can't be reached through the SSH server {}: {error}", tunnel.hop()),
                "check that the directory for temporary files can be written to",
            )
        })?;
        Ok(Self(Arc::new(Made { tunnel, host, port, deadline, door })))
    }

    /// Has a client connect by them. A proxy would be another way.
    pub(super) fn take(&self, client: ClientBuilder) -> ClientBuilder {
        // Each step has a deadline of its own: the way, and what is done over it (a TLS handshake).
        client
            .no_proxy()
            .unix_socket(self.0.door.path())
            .connect_timeout(self.0.deadline * 2)
            .connector_layer(self.clone())
    }

    /// Opens the tunnel, where it is not open. Apart from the exchange, as somebody may have to touch a key meanwhile.
    pub(super) async fn ready(&self) -> Result<(), SourceError> {
        self.0.tunnel.open(self.0.deadline).await
    }
}

impl<S> Layer<S> for Ways {
    type Service = Connecting<S>;

    fn layer(&self, inner: S) -> Connecting<S> {
        Connecting { inner, ways: self.clone() }
    }
}

/// What connects: `inner` to the door, which a way stands behind.
#[derive(Clone)]
pub(super) struct Connecting<S> {
    inner: S,
    ways: Ways,
}

impl<S, R> Service<R> for Connecting<S>
where
    S: Service<R, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let other = self.inner.clone();
        // The one that has said that it is ready.
        let mut inner = std::mem::replace(&mut self.inner, other);
        let Ways(made) = self.ways.clone();
        Box::pin(async move {
            let way = made.tunnel.way(&made.host, made.port, made.deadline).await?;
            made.door.lead(way, inner.call(request)).await
        })
    }
}
