//! Receivers of messages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;

type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes JSON at any path, and answers 503 to the first few at `/flaky`.
pub(crate) struct Receiver {
    pub(crate) url: String,
    taken: Taken,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let taken = Taken::default();
        let app = Router::new().route("/{path}", post(take)).with_state(Arc::clone(&taken));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("it serves");
        });
        Self { url, taken, task }
    }

    /// What came to a path.
    pub(crate) fn taken(&self, path: &str) -> Vec<Value> {
        let taken = self.taken.lock();
        taken.iter().filter(|(of, _)| of == path).map(|(_, value)| value.clone()).collect()
    }
}

async fn take(
    State(taken): State<Taken>,
    Path(path): Path<String>,
    axum::Json(value): axum::Json<Value>,
) -> StatusCode {
    let mut taken = taken.lock();
    taken.push((path.clone(), value));
    let came = taken.iter().filter(|(of, _)| *of == path).count();
    if path == "flaky" && came <= 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// Accepts connections and never answers.
pub(crate) async fn hanging() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/s3cret", listener.local_addr().expect("it is bound"));
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (url, task)
}
