//! Cache headers as the documents give them.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::cache::From;
use crate::namespace::HttpCaching;

/// Tells whether a cache answered, as CDNs do.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What browsers and CDNs may do with a static file, by strategy.
pub(super) fn asset(strategy: &str) -> &'static str {
    match strategy {
        "multi-tenant-saas" => "public, max-age=31536000, immutable",
        "task-management" => "public, max-age=3600, immutable",
        "hot-rod-analytics" => "public, max-age=300, s-maxage=600",
        _ => "public, max-age=3600, stale-while-revalidate=86400",
    }
}

/// What they may do with a page, by strategy.
pub(super) fn page(strategy: &str) -> &'static str {
    match strategy {
        "multi-tenant-saas" => "no-cache, no-store, must-revalidate",
        "hot-rod-analytics" => "public, max-age=300, s-maxage=600",
        "task-management" => "no-cache",
        _ => "public, max-age=3600, stale-while-revalidate=86400",
    }
}

/// A strong entity tag (RFC 9110, section 8.8.3).
fn entity_tag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// An answer with its cache headers, or 304 when the client has it (RFC 9110, section 13.1.2).
pub(super) fn answer(
    request: &HeaderMap,
    content_type: &'static str,
    cache_control: &'static str,
    vary: Option<&'static str>,
    from: Option<From>,
    body: Bytes,
) -> Response {
    let tag = entity_tag(&body);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, value);
    }
    if let Some(vary) = vary {
        headers.insert(header::VARY, HeaderValue::from_static(vary));
    }
    if let Some(from) = from {
        let words = match from {
            From::Memory => "HIT from memory",
            From::Redis => "HIT from redis",
            From::Loader => "MISS",
            From::WithoutCache => "BYPASS",
        };
        headers.insert(X_CACHE, HeaderValue::from_static(words));
    }
    let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let matches = |value: &str| {
        value.split(',').map(str::trim).any(|it| it == "*" || it.trim_start_matches("W/") == tag)
    };
    if known.into_iter().any(matches) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, body).into_response()
}

/// Cache-Control and Vary of a namespace's answers.
pub(super) fn of_namespace(caching: HttpCaching) -> (&'static str, Option<&'static str>) {
    match caching {
        HttpCaching::Public { cache_control, vary } => (cache_control, vary),
        HttpCaching::Private => ("private, no-cache", None),
    }
}
