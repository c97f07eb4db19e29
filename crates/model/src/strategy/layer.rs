//! The caches between a user and the source, and what they are told.

use std::time::Duration;

use serde::Serialize;

/// What kind of cache a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// The browser's HTTP cache.
    Browser,
    /// Query results that the page keeps (React Query).
    Client,
    /// A content delivery network or edge cache.
    Cdn,
    /// Rendered routes or fetched data that the web framework keeps (Next.js).
    Route,
    /// The application's own memory: L1.
    Memory,
    /// Redis: L2, what Cachescope watches.
    Redis,
    /// The database's buffers, query cache and materialised views.
    Database,
    /// Where the data comes from.
    Source,
}

/// One cache on the way of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheLayer {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What the document calls it.
    pub title: String,
    /// What kind of cache it is.
    pub kind: LayerKind,
    /// The product, such as CloudFront.
    pub technology: String,
    /// What it holds.
    pub holds: Vec<String>,
    /// How long it keeps which.
    pub ttls: Vec<LayerTtl>,
    /// Most entries it keeps; the least recently used goes first.
    pub max_items: Option<u64>,
    /// Settings as the document writes them, such as `shared_buffers` = `4GB`.
    pub settings: Vec<(String, String)>,
    /// Its value of the layer label in the application's metrics.
    pub metric_label: Option<String>,
    /// Not built yet by the document's own words.
    pub planned: bool,
    /// What else there is to know, one sentence.
    pub note: String,
}

/// How long a layer keeps something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerTtl {
    /// What; empty where the layer has a single time to live.
    pub what: String,
    /// How long.
    #[serde(rename = "ttl_seconds", with = "super::seconds")]
    pub ttl: Duration,
}

/// What an HTTP answer says about being cached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HttpCaching {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What the answers are, in the document's words.
    pub what: String,
    /// Which routes: a path with `*`, or the document's own regular expression; empty where it names none.
    pub route: String,
    /// The layers that obey it, by name.
    pub layers: Vec<String>,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The shortest a CDN keeps it.
    #[serde(rename = "min_ttl_seconds", with = "super::seconds::optional")]
    pub min_ttl: Option<Duration>,
    /// How long a CDN keeps it where the answer doesn't say.
    #[serde(rename = "default_ttl_seconds", with = "super::seconds::optional")]
    pub default_ttl: Option<Duration>,
    /// The longest a CDN keeps it.
    #[serde(rename = "max_ttl_seconds", with = "super::seconds::optional")]
    pub max_ttl: Option<Duration>,
    /// Whether the CDN compresses it.
    pub compress: bool,
    /// Request headers that a CDN passes on and keeps apart.
    pub forward_headers: Vec<String>,
    /// When the CDN drops it.
    pub invalidated_on: Vec<String>,
    /// Why, one sentence.
    pub note: String,
}

/// Query results that the page keeps (React Query).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClientCache {
    /// Short name, unique within the strategy.
    pub name: String,
    /// Which queries.
    pub what: String,
    /// How long a result counts as fresh; `None` is for ever.
    #[serde(rename = "stale_time_seconds", with = "super::seconds::optional")]
    pub stale_time: Option<Duration>,
    /// How long an unused result is kept.
    #[serde(rename = "cache_time_seconds", with = "super::seconds::optional")]
    pub cache_time: Option<Duration>,
    /// Options as the document writes them, such as `retry` = `1`.
    pub options: Vec<(String, String)>,
    /// Which mutations invalidate it.
    pub invalidated_on: Vec<String>,
    /// What else there is to know, one sentence.
    pub note: String,
}

/// A view that the database keeps computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MaterializedView {
    /// Its name; the document's, where it gives one.
    pub name: String,
    /// The plain view it is made from.
    pub from: String,
    /// Time from one refresh to the next.
    #[serde(rename = "refresh_every_seconds", with = "super::seconds")]
    pub refresh_every: Duration,
    /// The statement that refreshes it.
    pub refresh: String,
    /// Not built yet by the document's own words.
    pub planned: bool,
    /// What else there is to know, one sentence.
    pub note: String,
}
