//! The lab's control endpoint: incidents, traffic and the ledger over HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::incident::{Incident, Incidents};
use crate::ledger::{EventListener, Ledger};
use crate::traffic::Traffic;

/// How long an incident lasts when nothing is said.
const DEFAULT_SECONDS: f64 = 60.0;

/// What the endpoint controls.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    pub(crate) incidents: Arc<Incidents>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) listener: Arc<EventListener>,
}

/// `GET /incidents`, `POST` and `DELETE /incidents/{name}`, `GET /ledger`, `GET /traffic`,
/// `POST /traffic/{pause,resume,rate}`.
pub(crate) fn routes(controls: Controls) -> Router {
    Router::new()
        .route("/incidents", get(incidents))
        .route("/incidents/{name}", post(play).delete(end))
        .route("/ledger", get(ledger))
        .route("/traffic", get(traffic))
        .route("/traffic/pause", post(pause))
        .route("/traffic/resume", post(resume))
        .route("/traffic/rate", post(rate))
        .with_state(controls)
}

async fn incidents(State(controls): State<Controls>) -> Response {
    let known: Vec<_> = Incident::ALL
        .iter()
        .map(|incident| json!({ "name": incident.name(), "description": incident.description() }))
        .collect();
    Json(json!({ "known": known, "running": controls.incidents.running() })).into_response()
}

async fn play(
    State(controls): State<Controls>,
    Path(name): Path<String>,
    Query(parameters): Query<HashMap<String, f64>>,
) -> Response {
    let Some(incident) = Incident::named(&name) else { return unknown(&name) };
    let seconds = parameters.get("seconds").copied().unwrap_or(DEFAULT_SECONDS);
    let Ok(lasting) = Duration::try_from_secs_f64(seconds) else {
        return (StatusCode::BAD_REQUEST, "seconds must be a positive number").into_response();
    };
    match controls.incidents.play(incident, lasting) {
        Ok(()) => incidents(State(controls)).await,
        Err(error) => (StatusCode::CONFLICT, error.to_string()).into_response(),
    }
}

async fn end(State(controls): State<Controls>, Path(name): Path<String>) -> Response {
    let Some(incident) = Incident::named(&name) else { return unknown(&name) };
    match controls.incidents.end(incident).await {
        Ok(()) => incidents(State(controls)).await,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn unknown(name: &str) -> Response {
    let known: Vec<&str> = Incident::ALL.iter().map(|incident| incident.name()).collect();
    let words = format!("there is no incident {name:?}; there are {}", known.join(", "));
    (StatusCode::NOT_FOUND, words).into_response()
}

async fn ledger(State(controls): State<Controls>) -> Response {
    match controls.listener.settle().await {
        Ok(()) => Json(controls.ledger.snapshot()).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

async fn traffic(State(controls): State<Controls>) -> Response {
    let traffic = &controls.traffic;
    let figures =
        json!({ "sent": traffic.sent(), "turned_away": traffic.turned_away(), "failed": traffic.failed() });
    Json(figures).into_response()
}

async fn pause(State(controls): State<Controls>) -> Response {
    controls.traffic.pause().await;
    StatusCode::NO_CONTENT.into_response()
}

async fn resume(State(controls): State<Controls>) -> Response {
    controls.traffic.resume();
    StatusCode::NO_CONTENT.into_response()
}

async fn rate(State(controls): State<Controls>, Query(parameters): Query<HashMap<String, f64>>) -> Response {
    let Some(factor) =
        parameters.get("factor").copied().filter(|factor| factor.is_finite() && *factor >= 0.0)
    else {
        return (StatusCode::BAD_REQUEST, "factor must be a number of 0 or more").into_response();
    };
    controls.traffic.set_factor(factor);
    StatusCode::NO_CONTENT.into_response()
}
