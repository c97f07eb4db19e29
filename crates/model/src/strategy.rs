//! A documented caching strategy as data. The file format and its loader are `cachescope-strategy`.
//!
//! | part | module |
//! |---|---|
//! | what is cached: namespaces, layers, sizing, versions, tenants | [`namespace`], [`layer`], [`sizing`], [`policy`] |
//! | what is measured: metric names, signals, targets, rules | [`metric_names`], [`rule`] |
//! | what is done: playbooks, warm plans, endpoints | [`playbook`], [`warm`] |

pub mod layer;
pub mod metric_names;
pub mod namespace;
pub mod playbook;
pub mod policy;
pub mod rule;
pub mod sizing;
pub mod trigger;
pub mod warm;

use serde::Serialize;

pub use layer::{CacheLayer, ClientCache, HttpCaching, LayerKind, LayerTtl, MaterializedView};
pub use metric_names::MetricNames;
pub use namespace::{AccessPattern, DataClass, Namespace, NamespaceFacts};
pub use playbook::{Playbook, Step, StepAction};
pub use policy::{
    Bypass, Document, Endpoint, HealthCheck, Hotspot, NeverCache, RedisLock, Stampede, TenantIsolation,
    Versioning,
};
pub use rule::{Comparison, MarkQuery, Rule, Severity, Signal, Subject, Target, Threshold};
pub use sizing::{RedisExpectation, Sizing, SizingEntry};
pub use trigger::{Cron, Trigger};
pub use warm::{WarmItem, WarmKind, WarmLimits, WarmPlan};

/// What one strategy document says, complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Strategy {
    /// Short name, as `--strategy` takes it.
    pub name: String,
    /// The document's title.
    pub title: String,
    /// One paragraph: what is cached and why.
    pub summary: String,
    /// Namespaces, in the document's order.
    pub namespaces: Vec<Namespace>,
    /// How the application's metrics are named.
    pub metrics: Option<MetricNames>,
    /// Hit-rate target of the whole cache, a ratio from 0 to 1.
    pub hit_rate_target: Option<f64>,

    /// The document itself: status, version, dates.
    pub document: Document,
    /// How the document says keys are built, in its own notation.
    pub key_schema: Option<String>,
    /// What is slow without a cache, and why.
    pub hotspots: Vec<Hotspot>,
    /// Kinds of data by how stale they may be.
    pub data_classes: Vec<DataClass>,
    /// The caches a request passes, nearest to the user first.
    pub layers: Vec<CacheLayer>,
    /// HTTP cache headers by route.
    pub http: Vec<HttpCaching>,
    /// Caches in the page (React Query).
    pub client: Vec<ClientCache>,
    /// Views that the database keeps computed.
    pub views: Vec<MaterializedView>,
    /// What the document promises of readings and signals, besides the hit rates above.
    pub targets: Vec<Target>,
    /// What the document promises and no reading measures, in words.
    pub criteria: Vec<String>,
    /// When to alert.
    pub rules: Vec<Rule>,
    /// Figures from Prometheus that belong to no namespace.
    pub signals: Vec<Signal>,
    /// Queries whose changes are marks.
    pub marks: Vec<MarkQuery>,
    /// What is purged on which occasion.
    pub playbooks: Vec<Playbook>,
    /// What is loaded ahead of the traffic.
    pub warm_plans: Vec<WarmPlan>,
    /// The application's own cache endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its cache health page.
    pub health: Option<HealthCheck>,
    /// How many bytes the document expects.
    pub sizing: Option<Sizing>,
    /// How Redis is to be configured.
    pub redis: RedisExpectation,
    /// Versioned keys and how long old versions stay.
    pub versioning: Option<Versioning>,
    /// Which keys must carry the tenant.
    pub tenant_isolation: Option<TenantIsolation>,
    /// When the cache is passed by.
    pub bypass: Vec<Bypass>,
    /// What must never be cached.
    pub never_cache: Vec<NeverCache>,
    /// How a stampede of misses is kept from the source.
    pub stampede: Option<Stampede>,
    /// What else the document says to do, one sentence each.
    pub notes: Vec<String>,
}

impl Strategy {
    /// The namespace of this name.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }

    /// The playbook of this name.
    #[must_use]
    pub fn playbook(&self, name: &str) -> Option<&Playbook> {
        self.playbooks.iter().find(|playbook| playbook.name == name)
    }

    /// The warm plan of this name.
    #[must_use]
    pub fn warm_plan(&self, name: &str) -> Option<&WarmPlan> {
        self.warm_plans.iter().find(|plan| plan.name == name)
    }

    /// The signal of this name.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.name == name)
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

/// Durations travel as seconds, as every other figure does.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub(crate) mod optional {
        use super::{Duration, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            value: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
                None => serializer.serialize_none(),
            }
        }
    }
}
