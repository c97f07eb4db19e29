//! `cachescope serve`: the figures as a page of metrics, around the clock, for a Prometheus to scrape.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use cachescope_app::exposition;
use cachescope_app::session::{ScanPlan, Session};
use cachescope_app::wire::ConnectionState;
use cachescope_model::window::Window;
use tokio::net::TcpListener;

use crate::arguments::{Common, Serve};
use crate::commands::snapshot::window_for;
use crate::failure::Failure;
use crate::{custody, deployment, output};

/// What is served, and over which window.
#[derive(Clone)]
struct Served {
    session: Arc<Session>,
    window: Window,
}

pub(crate) async fn run(command: Serve, common: &Common) -> Result<(), Failure> {
    // Before anything is connected: an address that is taken is told at once.
    let listener = TcpListener::bind(&command.listen)
        .await
        .map_err(|error| Failure::input(format!("nothing can listen on {}: {error}", command.listen)))?;
    let address = listener.local_addr()?;
    let mut plan =
        deployment::plan(&command.target, common, command.sources.as_deref(), ScanPlan::default()).await?;
    plan.custody = custody::for_sources(&plan, common).await?;
    let session = Session::start(plan);
    // A server that is down when this starts is one to be told of, not a reason to end: the page says so.
    let served = Served { session: Arc::clone(&session), window: window_for(command.window) };
    let routes = Router::new()
        .route("/metrics", get(page))
        .route("/", get(async || "The metrics are at /metrics.\n"))
        .with_state(served);
    output::text(&format!("serving http://{address}/metrics\n"))?;
    let ended = axum::serve(listener, routes).with_graceful_shutdown(asked_to_end()).await;
    session.stop().await;
    ended.map_err(Failure::from)
}

async fn page(State(served): State<Served>) -> impl IntoResponse {
    let snapshot = served.session.snapshot(served.window);
    let state = served.session.connection(&snapshot.sources).state;
    let up = matches!(state, ConnectionState::Live | ConnectionState::Partial);
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], exposition::page(&snapshot, up))
}

/// SIGINT from a terminal, SIGTERM from a service manager.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without signals it runs until it is ended from outside.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
