//! What each of the five documented strategies asks of a cache, as traffic.

mod booking;
mod hot_rod;
mod hotspot;
mod multi_tenant;
mod synthetic;
mod task_management;

use std::time::Duration;

use crate::keyring::Keyring;
use crate::metrics::Dialect;
use crate::namespace::Namespace;

/// The strategies the lab can play, by the names under which the strategy files know them.
pub const STRATEGIES: [&str; 5] =
    ["hotspot", "multi-tenant-saas", "booking", "hot-rod-analytics", "task-management"];

/// A documented event and the keys it drops.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name in the service's routes.
    pub event: &'static str,
    /// Patterns as Redis matches them; `{tenant}` stands for the event's tenant and `{id}` for its entity.
    pub patterns: &'static [&'static str],
    /// How often it happens, a second.
    pub per_second: f64,
}

/// The traffic of one strategy.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The strategy's name.
    pub strategy: String,
    /// How the service names its metrics.
    pub dialect: Dialect,
    /// What is cached.
    namespaces: Vec<Namespace>,
    /// What drops it.
    pub triggers: Vec<Trigger>,
    /// `maxmemory` of the lab's Redis in bytes, so that the workload fills about two thirds of it.
    pub max_memory_bytes: u64,
}

impl Workload {
    /// The workload of a documented strategy, or `None` for another name.
    #[must_use]
    pub fn named(strategy: &str) -> Option<Self> {
        match strategy {
            "hotspot" => Some(hotspot::workload()),
            "multi-tenant-saas" => Some(multi_tenant::workload()),
            "booking" => Some(booking::workload()),
            "hot-rod-analytics" => Some(hot_rod::workload()),
            "task-management" => Some(task_management::workload()),
            _ => None,
        }
    }

    /// `namespaces` namespaces `t0000:{id}` … with `keys` keys each, for tests of scale.
    #[must_use]
    pub fn synthetic(namespaces: usize, keys: usize, requests_per_second: f64) -> Self {
        synthetic::workload(namespaces, keys, requests_per_second)
    }

    /// Its namespaces: template, label and traffic of each.
    #[must_use]
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// The same, to be changed before the lab starts.
    pub fn namespaces_mut(&mut self) -> &mut Vec<Namespace> {
        &mut self.namespaces
    }

    /// The namespace with a label.
    #[must_use]
    pub fn namespace(&self, label: &str) -> Option<(usize, &Namespace)> {
        self.namespaces.iter().enumerate().find(|(_, namespace)| namespace.label == label)
    }

    /// Tells keys apart.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        Keyring::new(self.namespaces.iter().map(|namespace| &namespace.template))
    }

    /// Multiplies every time to live: a factor of 0.1 makes an hour six minutes, so that a demo shows
    /// expirations. None becomes shorter than a tenth of a second.
    #[must_use]
    pub fn with_ttl_factor(mut self, factor: f64) -> Self {
        for namespace in &mut self.namespaces {
            namespace.ttl = namespace.ttl.map(|ttl| ttl.mul_f64(factor).max(Duration::from_millis(100)));
        }
        self
    }

    /// Multiplies every rate.
    #[must_use]
    pub fn with_rate_factor(mut self, factor: f64) -> Self {
        for namespace in &mut self.namespaces {
            namespace.requests_per_second *= factor;
            namespace.updates_per_second *= factor;
        }
        for trigger in &mut self.triggers {
            trigger.per_second *= factor;
        }
        self
    }

    /// Adds `count` namespaces `extra0000:{id}` … with two keys and one request in 50 s each.
    #[must_use]
    pub fn with_extra_namespaces(mut self, count: usize) -> Self {
        let rate = count as f64 / 50.0;
        self.namespaces.extend(synthetic::namespaces("extra", count, 2, rate));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_every_workload_belongs_to_the_namespace_that_made_it() {
        for strategy in STRATEGIES {
            let workload = Workload::named(strategy).expect(strategy);
            let keyring = workload.keyring();
            for (place, namespace) in workload.namespaces().iter().enumerate() {
                for item in 0..namespace.items.min(50) {
                    let key = namespace.key(item % namespace.tenants, item, 1);
                    let found = keyring.find(key.as_bytes()).map(|it| it.namespace);
                    assert_eq!(found, Some(place), "{strategy}: {key}");
                }
            }
        }
    }

    #[test]
    fn labels_and_templates_are_unique_within_a_workload() {
        for strategy in STRATEGIES {
            let workload = Workload::named(strategy).expect(strategy);
            let labels: std::collections::HashSet<_> =
                workload.namespaces().iter().map(|it| &it.label).collect();
            let templates: std::collections::HashSet<_> =
                workload.namespaces().iter().map(|it| it.template.as_str()).collect();
            assert_eq!(
                (labels.len(), templates.len()),
                (workload.namespaces().len(), workload.namespaces().len())
            );
        }
    }

    #[test]
    fn a_laptop_stays_cool() {
        for strategy in STRATEGIES {
            let workload = Workload::named(strategy).expect(strategy);
            let rate: f64 =
                workload.namespaces().iter().map(|it| it.requests_per_second * it.batch as f64).sum();
            assert!((200.0..2_000.0).contains(&rate), "{strategy}: {rate} lookups/s");
        }
    }

    #[test]
    fn scaled_times_to_live_never_exceed_the_documented_ones() {
        let documented = Workload::named("booking").expect("it is one of the five");
        let scaled = documented.clone().with_ttl_factor(0.05);
        for (before, after) in documented.namespaces().iter().zip(scaled.namespaces()) {
            assert!(after.ttl <= before.ttl, "{}", before.label);
        }
    }
}
