//! The routes that serve data.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::headers;
use crate::namespace::VERSION_FIELD;
use crate::service::{Service, Target};

/// Why a request is not served.
type Refusal = (StatusCode, String);

type Parameters = Query<HashMap<String, String>>;

/// `GET /api/{namespace}`: fields of the key as parameters (`?tenantId=t01&orgId=o3`), or `tenant` and `item`
/// as numbers; `nocache=true` asks the database.
pub(super) async fn read(
    State(service): State<Arc<Service>>,
    Path(namespace): Path<String>,
    Query(parameters): Parameters,
    request: HeaderMap,
) -> Response {
    let bypass = parameters.get("nocache").is_some_and(|value| value == "true");
    respond(&service, &namespace, &parameters, &request, bypass).await
}

/// `GET /api/export/{namespace}`: exports always ask the database.
pub(super) async fn export(
    State(service): State<Arc<Service>>,
    Path(namespace): Path<String>,
    Query(parameters): Parameters,
    request: HeaderMap,
) -> Response {
    respond(&service, &namespace, &parameters, &request, true).await
}

async fn respond(
    service: &Service,
    namespace: &str,
    parameters: &HashMap<String, String>,
    request: &HeaderMap,
    bypass: bool,
) -> Response {
    let target = match target(service, namespace, parameters) {
        Ok(target) => target,
        Err(refusal) => return refusal.into_response(),
    };
    match service.handle(&target, bypass).await {
        Ok(computed) => {
            let caching = service.workload().namespaces()[target.namespace].http;
            let (cache_control, vary) =
                if bypass { ("no-store", None) } else { headers::of_namespace(caching) };
            let from = Some(computed.from);
            headers::answer(request, "application/json", cache_control, vary, from, computed.value)
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// `POST /api/{namespace}`: changes the entity.
pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path(namespace): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    let target = match target(&service, &namespace, &parameters) {
        Ok(target) => target,
        Err(refusal) => return refusal.into_response(),
    };
    match service.update(&target).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

fn target(service: &Service, label: &str, parameters: &HashMap<String, String>) -> Result<Target, Refusal> {
    let Some((place, namespace)) = service.workload().namespace(label) else {
        let known: Vec<&str> = service.workload().namespaces().iter().map(|it| it.label.as_str()).collect();
        let words = format!("there is no namespace {label:?}; there are {}", known.join(", "));
        return Err((StatusCode::NOT_FOUND, words));
    };
    let number = |name: &str, below: usize| -> Result<usize, Refusal> {
        let Some(text) = parameters.get(name) else { return Ok(0) };
        text.parse().ok().filter(|number| *number < below).ok_or_else(|| {
            (StatusCode::BAD_REQUEST, format!("{name} must be a number below {below}, not {text:?}"))
        })
    };
    let mut fields =
        namespace.fields_of(number("tenant", namespace.tenants)?, number("item", namespace.items)?);
    for (name, value) in &mut fields {
        if let Some(given) = parameters.get(name).filter(|_| name != VERSION_FIELD) {
            if given.is_empty() || given.contains(':') {
                let words = format!("{name} must not be empty or contain a colon");
                return Err((StatusCode::BAD_REQUEST, words));
            }
            value.clone_from(given);
        }
    }
    Ok(Target { namespace: place, fields })
}

/// `GET /static/{file}`.
pub(super) async fn asset(
    State(service): State<Arc<Service>>,
    Path(file): Path<String>,
    request: HeaderMap,
) -> Response {
    let cache_control = headers::asset(&service.workload().strategy);
    let body = Bytes::from(format!("/* {file} */"));
    headers::answer(&request, "text/plain; charset=utf-8", cache_control, None, None, body)
}

/// `GET /{page}`, such as `/index.html`.
pub(super) async fn page(
    State(service): State<Arc<Service>>,
    Path(page): Path<String>,
    request: HeaderMap,
) -> Response {
    if !page.ends_with(".html") {
        return (StatusCode::NOT_FOUND, format!("there is no {page:?} here")).into_response();
    }
    let cache_control = headers::page(&service.workload().strategy);
    let body = Bytes::from_static(b"<!doctype html><title>lab</title>");
    headers::answer(&request, "text/html; charset=utf-8", cache_control, None, None, body)
}
