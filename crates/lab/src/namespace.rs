//! A namespace as the lab plays it: which keys, how often, how large, for how long.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cachescope_model::template::{Part, Template};

/// The field that holds the tenant, in every template that has one.
pub const TENANT_FIELD: &str = "tenantId";

/// The field that holds the version, in every template that has one.
pub const VERSION_FIELD: &str = "version";

/// What the values of a template's field look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// As many as there are items: a prefix and a number.
    Numbered(String),
    /// As many as there are items: sixteen hexadecimal digits.
    Hash,
    /// Exactly these.
    OneOf(Vec<String>),
}

/// How a request uses the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look in the cache, load on a miss, store.
    CacheAside,
    /// As before, with the Redis lock around an expensive load.
    Locked,
    /// As [`Access::CacheAside`], and a hit extends the time to live (sessions).
    Refreshed,
    /// Look the counter up, then count: a rolling window (rate limits).
    Counter,
    /// Look the version counter up, then the key of that version.
    Versioned,
    /// In-process cache only: feature flags and configuration.
    MemoryOnly,
    /// Read only through another namespace, as version counters are.
    Indirect,
}

/// What an update of an entity does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Delete it.
    Invalidate,
    /// Store the new value.
    WriteThrough,
    /// Count the version up; the old key runs out by itself.
    Version,
}

/// How HTTP may cache the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpCaching {
    /// These directives of Cache-Control (RFC 9111, section 5.2.2), and the documented Vary, if any.
    Public {
        /// Cache-Control.
        cache_control: &'static str,
        /// Vary.
        vary: Option<&'static str>,
    },
    /// `private, no-cache`, revalidated by entity tag.
    Private,
}

/// One namespace of a workload.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// The value of the metrics' namespace label, and the name in the service's routes.
    pub label: String,
    /// Which keys it holds.
    pub template: Template,
    /// What its fields other than tenant and version look like, in the template's order.
    pub fields: Vec<(String, Values)>,
    /// How many tenants it has; 1 where the template has no tenant field.
    pub tenants: usize,
    /// Keys per tenant.
    pub items: usize,
    /// Skew of the keys' popularity: the exponent of Zipf's law; 0 is uniform.
    pub skew: f64,
    /// Requests a second, over all instances.
    pub requests_per_second: f64,
    /// Keys that one request reads together, at least 1.
    pub batch: usize,
    /// Mean size of a value in bytes; sizes range from half to one and a half of it.
    pub value_bytes: usize,
    /// Documented time to live; `None` where the document gives none.
    pub ttl: Option<Duration>,
    /// How a request uses it.
    pub access: Access,
    /// Updates a second, over all instances.
    pub updates_per_second: f64,
    /// What an update does.
    pub update: Update,
    /// Whether the in-process cache stands in front.
    pub in_process: bool,
    /// CPU time of one load in the simulated database.
    pub load_cost: Duration,
    /// How its answers may be cached by HTTP.
    pub http: HttpCaching,
    /// How many of its keys per tenant are loaded at start and by `POST /cache/warm`.
    pub warmed: usize,
    /// How many of its most popular keys per tenant a cache that has been running for a while holds.
    pub prefilled: usize,
    /// The label of the namespace that holds its version counters ([`Access::Versioned`]).
    pub version_counter: Option<String>,
}

impl Namespace {
    /// A namespace with plain cache-aside access and modest figures; the workloads change what differs.
    ///
    /// # Panics
    /// When the template is none: templates here are written in this crate.
    #[must_use]
    pub fn new(label: &str, template: &str) -> Self {
        let template = Template::parse(template).expect("templates of the lab are valid");
        let fields = template
            .fields()
            .filter(|name| *name != TENANT_FIELD && *name != VERSION_FIELD)
            .map(|name| (name.to_owned(), default_values(name)))
            .collect();
        Self {
            label: label.to_owned(),
            template,
            fields,
            tenants: 1,
            items: 1,
            skew: 0.9,
            requests_per_second: 1.0,
            batch: 1,
            value_bytes: 1_000,
            ttl: None,
            access: Access::CacheAside,
            updates_per_second: 0.0,
            update: Update::Invalidate,
            in_process: false,
            load_cost: Duration::from_millis(4),
            http: HttpCaching::Private,
            warmed: 0,
            prefilled: 0,
            version_counter: None,
        }
    }

    /// Keys: `tenants` tenants with `items` keys each.
    #[must_use]
    pub fn keys(mut self, tenants: usize, items: usize) -> Self {
        (self.tenants, self.items) = (tenants, items);
        self
    }

    /// Traffic: requests a second, and the Zipf exponent of their skew.
    #[must_use]
    pub fn traffic(mut self, requests_per_second: f64, skew: f64) -> Self {
        (self.requests_per_second, self.skew) = (requests_per_second, skew);
        self
    }

    /// Keys that one request reads together.
    #[must_use]
    pub fn batch_of(mut self, keys: usize) -> Self {
        self.batch = keys.max(1);
        self
    }

    /// Values: mean size in bytes, and the documented time to live in seconds.
    #[must_use]
    pub fn values(mut self, bytes: usize, ttl_seconds: u64) -> Self {
        (self.value_bytes, self.ttl) = (bytes, Some(Duration::from_secs(ttl_seconds)));
        self
    }

    /// Updates a second and what they do.
    #[must_use]
    pub fn updates(mut self, per_second: f64, update: Update) -> Self {
        (self.updates_per_second, self.update) = (per_second, update);
        self
    }

    /// What the values of a field look like.
    #[must_use]
    pub fn field(mut self, name: &str, values: Values) -> Self {
        for (field, current) in &mut self.fields {
            if field == name {
                *current = values.clone();
            }
        }
        self
    }

    /// The field takes exactly these values, and there are as many items.
    #[must_use]
    pub fn one_of(mut self, name: &str, values: &[&str]) -> Self {
        self.items = values.len();
        self.field(name, Values::OneOf(values.iter().map(|it| (*it).to_owned()).collect()))
    }

    /// How requests use it.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The in-process cache stands in front.
    #[must_use]
    pub fn in_process(mut self) -> Self {
        self.in_process = true;
        self
    }

    /// CPU time of a load, in milliseconds.
    #[must_use]
    pub fn costs(mut self, milliseconds: u64) -> Self {
        self.load_cost = Duration::from_millis(milliseconds);
        self
    }

    /// How HTTP may cache the answers.
    #[must_use]
    pub fn http(mut self, http: HttpCaching) -> Self {
        self.http = http;
        self
    }

    /// How many keys per tenant are warmed.
    #[must_use]
    pub fn warmed(mut self, keys: usize) -> Self {
        self.warmed = keys;
        self
    }

    /// How many keys per tenant a running cache holds.
    #[must_use]
    pub fn prefilled(mut self, keys: usize) -> Self {
        self.prefilled = keys;
        self
    }

    /// Whether the template has a tenant field.
    #[must_use]
    pub fn has_tenants(&self) -> bool {
        self.template.fields().any(|name| name == TENANT_FIELD)
    }

    /// Whether the template has a version field that the code's version fills.
    #[must_use]
    pub fn has_version(&self) -> bool {
        self.template.fields().any(|name| name == VERSION_FIELD)
    }

    /// Whether its keys live in Redis.
    #[must_use]
    pub fn in_redis(&self) -> bool {
        self.access != Access::MemoryOnly
    }

    /// The key of one item of one tenant at one version of the code.
    #[must_use]
    pub fn key(&self, tenant: usize, item: usize, version: u64) -> String {
        self.fill(&self.fields_of(tenant, item), version)
    }

    /// The fields of one item of one tenant, other than the version.
    #[must_use]
    pub fn fields_of(&self, tenant: usize, item: usize) -> Vec<(String, String)> {
        // Fields with fixed values are the low digits of the item's number, the open field takes the rest.
        let mut rest = item;
        let mut fields = Vec::with_capacity(self.fields.len() + 1);
        if self.has_tenants() {
            fields.push((TENANT_FIELD.to_owned(), tenant_name(tenant)));
        }
        for (name, values) in &self.fields {
            let value = match values {
                Values::OneOf(all) if !all.is_empty() => {
                    let value = all[rest % all.len()].clone();
                    rest /= all.len();
                    value
                }
                Values::OneOf(_) => rest.to_string(),
                Values::Hash => format!("{:016x}", stable_hash(&(name, rest))),
                Values::Numbered(prefix) => format!("{prefix}{rest}"),
            };
            fields.push((name.clone(), value));
        }
        fields
    }

    /// The key with these fields. A field that is missing stays empty, and then the key belongs to no
    /// namespace.
    #[must_use]
    pub fn fill(&self, fields: &[(String, String)], version: u64) -> String {
        let mut key = String::new();
        for part in self.template.parts() {
            match part {
                Part::Literal(bytes) => key.push_str(&String::from_utf8_lossy(bytes)),
                Part::Field { name, .. } if name == VERSION_FIELD => key.push_str(&version.to_string()),
                Part::Field { name, .. } => {
                    let value = fields.iter().find(|(field, _)| field == name);
                    key.push_str(value.map_or("", |(_, value)| value.as_str()));
                }
            }
        }
        key
    }

    /// The size of a key's value in bytes: always the same for the same key, from half to one and a half of
    /// the mean.
    #[must_use]
    pub fn size_of(&self, key: &str) -> usize {
        let part = (stable_hash(&key) % 1_000) as usize;
        (self.value_bytes / 2 + self.value_bytes * part / 1_000).max(1)
    }
}

/// A tenant's name.
#[must_use]
pub fn tenant_name(tenant: usize) -> String {
    format!("t{tenant:02}")
}

fn default_values(field: &str) -> Values {
    match field {
        "hash" | "token" | "sessionId" | "keyPrefix" => Values::Hash,
        other => Values::Numbered(other.chars().take(1).collect()),
    }
}

/// Always the same for the same value: `DefaultHasher::new` has fixed keys.
fn stable_hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Keyring;

    #[test]
    fn keys_fill_every_field_of_the_template() {
        let namespace = Namespace::new("organization", "organization:{tenantId}:{orgId}").keys(2, 5);
        assert_eq!(namespace.key(1, 3, 1), "organization:t01:o3");
        let versioned =
            Namespace::new("trends", "dashboard:trends:{view}:v{version#}").one_of("view", &["30d", "90d"]);
        assert_eq!(versioned.key(0, 1, 2), "dashboard:trends:90d:v2");
    }

    #[test]
    fn every_item_of_a_namespace_has_a_key_of_its_own_that_matches_its_template() {
        let namespace = Namespace::new("entity", "cache:{entity}:{id}:{variant}")
            .keys(1, 60)
            .field("entity", Values::OneOf(vec!["generation".into(), "company".into()]))
            .field("variant", Values::OneOf(vec!["full".into(), "list".into(), "v1".into()]));
        let keys: std::collections::HashSet<String> = (0..60).map(|item| namespace.key(0, item, 1)).collect();
        assert_eq!(keys.len(), 60);
        let keyring = Keyring::new([&namespace.template].into_iter());
        for key in keys {
            assert_eq!(keyring.find(key.as_bytes()).map(|found| found.namespace), Some(0), "{key}");
        }
    }

    #[test]
    fn sizes_stay_within_half_of_the_mean_and_average_to_it() {
        let namespace = Namespace::new("user", "user:{userId}").values(2_000, 60);
        let sizes: Vec<usize> = (0..500).map(|item| namespace.size_of(&namespace.key(0, item, 1))).collect();
        assert!(sizes.iter().all(|size| (1_000..=3_000).contains(size)));
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((1_850..=2_150).contains(&mean), "{mean}");
    }
}
