//! What a document lays down beside figures and actions.

use std::time::Duration;

use serde::Serialize;

use crate::template::Template;

/// Facts about the document itself, as it writes them; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its status.
    pub status: String,
    /// Its version.
    pub version: String,
    /// Who owns it.
    pub owner: String,
    /// When it was last changed or reviewed.
    pub updated: String,
    /// When it is to be reviewed.
    pub review: String,
}

/// Something that is slow without a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hotspot {
    /// What.
    pub name: String,
    /// Where the time goes.
    pub kind: String,
    /// Why it is worth caching.
    pub reason: String,
    /// How it is cached today.
    pub current: String,
    /// The namespaces that hold it.
    pub namespaces: Vec<String>,
}

/// An endpoint of the application that acts on or tells about its cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Short name, unique within the strategy.
    pub name: String,
    /// HTTP method.
    pub method: String,
    /// Path or URL; `{field}` is a parameter.
    pub path: String,
    /// It wants the caller to be authorised.
    pub protected: bool,
    /// What it does.
    pub what: String,
}

/// The application's cache health page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HealthCheck {
    /// Its path.
    pub path: String,
    /// It says `healthy` above this hit rate, a ratio from 0 to 1.
    pub healthy_above: Option<f64>,
    /// What it says at or below that.
    pub otherwise: String,
    /// What it says where the cache can't be reached.
    pub on_error: String,
    /// What it reports.
    pub fields: Vec<String>,
}

/// Versioned keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Versioning {
    /// How a versioned key is built, in the document's notation.
    pub pattern: String,
    /// How long an old version stays after a new one is in use.
    #[serde(rename = "grace_seconds", with = "super::seconds::optional")]
    pub grace: Option<Duration>,
    /// The counter that holds the current version, where there is one.
    pub counter: Option<Template>,
    /// The namespaces whose keys carry a version.
    pub namespaces: Vec<String>,
    /// How a new version comes in, one sentence each.
    pub steps: Vec<String>,
    /// What versions are for.
    pub purposes: Vec<String>,
}

/// Which keys must carry the tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TenantIsolation {
    /// The field that every key must have.
    pub field: String,
    /// Namespaces that the document itself keeps without it.
    pub exempt: Vec<String>,
    /// Templates it names as wrong.
    pub forbidden: Vec<Template>,
    /// The document's own words.
    pub documented: String,
}

/// When a request passes the cache by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bypass {
    /// Short name, unique within the strategy.
    pub name: String,
    /// When, in the document's words.
    pub when: String,
    /// The query parameter that asks for it, such as `nocache=true`.
    pub query: Option<String>,
}

/// What must never be cached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NeverCache {
    /// What, in the document's words.
    pub what: String,
    /// What is done instead.
    pub instead: String,
}

/// How a stampede of misses is kept from the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stampede {
    /// Of several requests for one key only one loads; the others wait for its result.
    pub single_flight: bool,
    /// Whether instances also exclude each other by a lock in Redis.
    pub redis_lock: RedisLock,
    /// What else the document says, one sentence.
    pub note: String,
}

/// Whether instances exclude each other by a lock in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedisLock {
    /// They don't.
    #[default]
    Off,
    /// They do for the heaviest loads.
    Optional,
    /// They always do.
    Always,
}
