//! Which keys there are and what is promised of them.

use std::time::Duration;

use serde::Serialize;

use crate::template::Template;

/// One documented namespace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Namespace {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Which keys it holds.
    pub template: Template,
    /// The logical database, where the document names one; otherwise every database.
    pub database: Option<u16>,
    /// The field that holds the tenant.
    pub tenant: Option<String>,
    /// The field that holds the version.
    pub version: Option<String>,
    /// Documented time to live; `None` where the document gives none.
    #[serde(rename = "ttl_seconds", with = "super::seconds::optional")]
    pub ttl: Option<Duration>,
    /// Target hit rate, a ratio from 0 to 1.
    pub hit_rate_target: Option<f64>,
    /// Label values under which the application counts this namespace.
    pub metric_labels: Vec<String>,
    /// Purging it needs an explicit override: sessions, rate limits, locks, queues.
    pub protected: bool,
    /// What the document says drops it.
    pub invalidated_on: Vec<String>,
    /// What else the document says about it.
    pub facts: NamespaceFacts,
}

impl Namespace {
    /// A namespace of which nothing but the template is known; its name and title are the template.
    #[must_use]
    pub fn new(template: Template) -> Self {
        Self {
            name: template.as_str().to_owned(),
            title: template.as_str().to_owned(),
            template,
            database: None,
            tenant: None,
            version: None,
            ttl: None,
            hit_rate_target: None,
            metric_labels: Vec::new(),
            protected: false,
            invalidated_on: Vec::new(),
            facts: NamespaceFacts::default(),
        }
    }
}

/// What a document says about a namespace beyond what the figures need.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NamespaceFacts {
    /// How it is filled and written.
    pub access: Vec<AccessPattern>,
    /// A read starts the time to live anew.
    pub sliding: bool,
    /// A value never changes, so only its age or a lack of memory removes it.
    pub immutable: bool,
    /// Keys have no time to live on purpose; otherwise one without is a finding.
    pub permanent: bool,
    /// The longest time to live where the document gives a range; `ttl` is then the shortest.
    #[serde(rename = "ttl_max_seconds", with = "super::seconds::optional")]
    pub ttl_max: Option<Duration>,
    /// The document names the data but no key; the template follows its key schema.
    pub assumed: bool,
    /// Tags under which the application stores its keys, as templates over the key's fields.
    pub tags: Vec<String>,
    /// Fields whose values are masked in every view, log and export.
    pub masked: Vec<String>,
    /// Why it is as it is, one sentence; empty where there is nothing to say.
    pub note: String,
}

/// How an application fills or writes a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessPattern {
    /// The application asks the cache, loads on a miss and stores what it loaded.
    CacheAside,
    /// The cache loads on a miss by a function it was given.
    ReadThrough,
    /// A write goes to the source and to the cache.
    WriteThrough,
    /// A job computes it before anybody asks.
    Precomputed,
}

/// Data that may be equally stale.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataClass {
    /// Short name, unique within the strategy.
    pub name: String,
    /// What the document calls it.
    pub title: String,
    /// Shortest time to live.
    #[serde(rename = "ttl_seconds", with = "super::seconds::optional")]
    pub ttl: Option<Duration>,
    /// Longest time to live, where the document gives a range.
    #[serde(rename = "ttl_max_seconds", with = "super::seconds::optional")]
    pub ttl_max: Option<Duration>,
    /// What belongs to it, in the document's words.
    pub items: Vec<String>,
    /// Which namespaces hold it.
    pub namespaces: Vec<String>,
    /// Hit-rate target of the class, a ratio from 0 to 1.
    pub hit_rate_target: Option<f64>,
    /// Why, one sentence; empty where the document gives no reason.
    pub note: String,
}
