//! A local web server that answers with exactly the bytes it is given.

#![allow(dead_code, unreachable_pub, missing_docs)] // each test uses its part of it

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use tokio::net::TcpListener;

pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What stands at one path.
#[derive(Clone, Debug)]
pub struct Stored {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The `Authorization` header without which it answers 401.
    pub authorization: Option<String>,
}

impl Stored {
    pub fn page(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            authorization: None,
        }
    }

    pub fn status(status: u16, body: &str) -> Self {
        Self { status, ..Self::page("text/plain", body) }
    }

    pub fn redirect(to: &str) -> Self {
        let mut stored = Self::status(302, "");
        stored.headers.push(("location", to.to_owned()));
        stored
    }
}

type Pages = Arc<Mutex<HashMap<String, Stored>>>;

/// A web server on a port the system chose; it ends with the test's runtime.
#[derive(Clone)]
pub struct Pageserver {
    pub address: SocketAddr,
    pages: Pages,
}

impl Pageserver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is bound");
        let pages = Pages::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&pages));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, pages }
    }

    pub fn put(&self, path: &str, stored: Stored) {
        self.pages.lock().expect("no test panicked with it").insert(path.to_owned(), stored);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(State(pages): State<Pages>, request: Request) -> Response<Body> {
    let stored = pages.lock().expect("no test panicked with it").get(request.uri().path()).cloned();
    let stored = stored.unwrap_or_else(|| Stored::status(404, "not found"));
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if stored.authorization.is_some() && given != stored.authorization.as_deref() {
        let mut refused = Response::new(Body::from("no"));
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        return refused;
    }
    let mut response = Response::builder().status(stored.status);
    for (name, value) in stored.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(stored.body)).expect("the test's headers are headers")
}
