//! What a deployment's strategy says, as far as the page lays it beside what is observed.

use serde::{Deserialize, Serialize};

/// The strategy of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct StrategyDocument {
    /// Its short name.
    pub name: String,
    /// The document's title.
    pub title: String,
    /// One paragraph: what is cached and why.
    pub summary: String,
    /// The caches a request passes, nearest to the user first.
    pub layers: Vec<LayerView>,
    /// Cache headers by route.
    pub http: Vec<HttpCachingView>,
    /// How many bytes the document expects, a line of its table each.
    pub sizing: Vec<SizingLine>,
    /// Its total in bytes, what Redis needs beside the values included; `None` where the document has no sizing.
    pub sizing_bytes: Option<f64>,
    /// What the document recommends, in its own words; empty where it says nothing.
    pub sizing_words: String,
}

/// One cache on the way of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct LayerView {
    /// Its short name, under which its figures stand in the reply to `layers`.
    pub name: String,
    /// What the document calls it.
    pub title: String,
    /// Whether it is the Redis that is watched.
    pub is_redis: bool,
    /// The product, such as CloudFront.
    pub technology: String,
    /// What it holds.
    pub holds: Vec<String>,
    /// How long it keeps which.
    pub ttls: Vec<LayerTtlView>,
    /// Most entries it keeps.
    #[ts(type = "number | null")]
    pub max_items: Option<u64>,
    /// Its value of the layer label in the application's metrics.
    pub metric_label: Option<String>,
    /// Not built yet by the document's own words.
    pub planned: bool,
    /// What else there is to know, one sentence.
    pub note: String,
}

/// How long a layer keeps something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct LayerTtlView {
    /// What; empty where the layer has a single time to live.
    pub what: String,
    /// How long, in seconds.
    pub seconds: f64,
}

/// What HTTP answers say about being cached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct HttpCachingView {
    /// What the answers are, in the document's words.
    pub what: String,
    /// Which routes; empty where it names none.
    pub route: String,
    /// Headers as they are sent.
    pub headers: Vec<String>,
}

/// A line of the sizing table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct SizingLine {
    /// What, in the document's words.
    pub what: String,
    /// Templates of the namespaces it stands for; empty where the document names none.
    pub templates: Vec<String>,
    /// Bytes of one entry.
    pub entry_bytes: f64,
    /// How many entries.
    pub count: f64,
    /// Bytes of all of them, what Redis needs beside the values included.
    pub bytes: f64,
}
