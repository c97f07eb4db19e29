//! The routes for operators: metrics, health, purge, warm and events.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::cache::CacheError;
use crate::service::{Service, info_field};

/// Above this share of hits the cache is healthy, by the document of the task management system.
const HEALTHY_ABOVE: f64 = 0.6;

/// `GET /metrics`.
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    match service.metrics_page().await {
        Ok(page) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `GET /health/cache`: healthy, degraded at a hit rate of 0.6 and below, unhealthy without Redis. The hit
/// rate is the server's since its start, as the document computes it; a server without lookups is healthy.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    match figures(&service).await {
        Ok(figures) => Json(figures).into_response(),
        Err(error) => {
            let body = json!({ "status": "unhealthy", "error": error.to_string() });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn figures(service: &Service) -> Result<serde_json::Value, CacheError> {
    let info = format!(
        "{}{}{}",
        service.cache().info("stats").await?,
        service.cache().info("memory").await?,
        service.cache().info("clients").await?
    );
    let field = |name| info_field(&info, name).unwrap_or(0) as f64;
    let (hits, misses) = (field("keyspace_hits"), field("keyspace_misses"));
    let hit_rate = (hits + misses > 0.0).then(|| hits / (hits + misses));
    let healthy = hit_rate.is_none_or(|rate| rate > HEALTHY_ABOVE);
    Ok(json!({
        "status": if healthy { "healthy" } else { "degraded" },
        "hit_rate": hit_rate,
        "memory_used_mb": field("used_memory") / 1024.0 / 1024.0,
        "connected_clients": field("connected_clients"),
    }))
}

/// `POST` or `DELETE /api/admin/cache/purge?key=<pattern>` with a bearer token.
pub(super) async fn purge(
    State(service): State<Arc<Service>>,
    Query(parameters): Query<HashMap<String, String>>,
    request: HeaderMap,
) -> Response {
    if !admitted(&service, &request) {
        return unauthorized();
    }
    let pattern = parameters.get("key").map(String::as_str).unwrap_or_default();
    if pattern.bytes().all(|byte| b"*?".contains(&byte)) {
        let words = "key must be a pattern that names something; this one would empty the cache";
        return (StatusCode::BAD_REQUEST, words).into_response();
    }
    respond("purged", service.cache().delete_pattern(pattern).await)
}

/// `POST` or `DELETE /api/admin/cache/tags?tag=<tag>` with a bearer token: drops every key stored under a tag,
/// such as `tenant:t01`.
pub(super) async fn invalidate_tag(
    State(service): State<Arc<Service>>,
    Query(parameters): Query<HashMap<String, String>>,
    request: HeaderMap,
) -> Response {
    if !admitted(&service, &request) {
        return unauthorized();
    }
    match parameters.get("tag").filter(|tag| !tag.is_empty()) {
        Some(tag) => respond("purged", service.cache().invalidate_tag(tag).await),
        None => (StatusCode::BAD_REQUEST, "tag must name a tag, such as tenant:t01").into_response(),
    }
}

fn admitted(service: &Service, request: &HeaderMap) -> bool {
    let token = request.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    token.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|token| service.admits(token))
}

fn unauthorized() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "this needs the administrator's bearer token").into_response()
}

/// `POST /cache/warm`, and the same as a scheduled job.
pub(super) async fn warm(State(service): State<Arc<Service>>) -> Response {
    respond("warmed", service.warm().await)
}

/// `POST /events/{event}`: something happened that drops keys; parameters fill the patterns' placeholders.
pub(super) async fn event(
    State(service): State<Arc<Service>>,
    Path(event): Path<String>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    let Some(trigger) = service.workload().triggers.iter().find(|it| it.event == event) else {
        let known: Vec<&str> = service.workload().triggers.iter().map(|it| it.event).collect();
        let words = format!("there is no event {event:?}; there are {}", known.join(", "));
        return (StatusCode::NOT_FOUND, words).into_response();
    };
    let fields: Vec<(String, String)> = parameters.into_iter().collect();
    respond("purged", service.trigger(trigger.patterns, &fields).await)
}

fn respond(what: &str, count: Result<u64, CacheError>) -> Response {
    match count {
        Ok(count) => Json(json!({ what: count })).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
