//! Which request comes next.

use rand::RngExt;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Zipf};

use crate::keyring::Keyring;
use crate::namespace::{Namespace, TENANT_FIELD, tenant_name};
use crate::service::Target;
use crate::workload::{Trigger, Workload};

/// Skew of the tenants' popularity.
const TENANT_SKEW: f64 = 0.6;

/// A noisy tenant asks for this many times the usual entities, so for many that nobody asked for before.
const NOISY_REACH: usize = 150;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Read one entity.
    Read(Target),
    /// Read several entities of one namespace.
    Batch(Vec<Target>),
    /// Change an entity.
    Update(Target),
    /// A documented event.
    Event {
        /// What it drops.
        patterns: &'static [&'static str],
        /// What fills the patterns' placeholders.
        fields: Vec<(String, String)>,
    },
}

/// The mix of requests of a workload.
#[derive(Debug, Default)]
pub struct Plan {
    namespaces: Vec<(Namespace, Popularity)>,
    triggers: Vec<Trigger>,
    kinds: Vec<Kind>,
    weights: Option<WeightedIndex<f64>>,
    per_second: f64,
    keyring: Keyring,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Read(usize),
    Update(usize),
    Event(usize),
}

/// How often which tenant and which item is asked for.
#[derive(Debug)]
struct Popularity {
    tenants: Option<Zipf<f64>>,
    items: Option<Zipf<f64>>,
}

impl Popularity {
    fn new(namespace: &Namespace) -> Self {
        // A single one, or a skew that makes no law, needs no draw: the first is taken.
        let law = |count: usize, skew: f64| {
            if count > 1 { Zipf::new(count as f64, skew.max(0.0)).ok() } else { None }
        };
        Self { tenants: law(namespace.tenants, TENANT_SKEW), items: law(namespace.items, namespace.skew) }
    }

    fn draw(law: Option<&Zipf<f64>>, random: &mut StdRng) -> usize {
        // Zipf's law gives ranks from 1.
        law.map_or(0, |law| law.sample(random) as usize - 1)
    }
}

impl Plan {
    /// The mix of a workload.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let mut kinds = Vec::new();
        let mut weights = Vec::new();
        for (place, namespace) in workload.namespaces().iter().enumerate() {
            kinds.extend([Kind::Read(place), Kind::Update(place)]);
            weights.extend([namespace.requests_per_second, namespace.updates_per_second]);
        }
        for (place, trigger) in workload.triggers.iter().enumerate() {
            kinds.push(Kind::Event(place));
            weights.push(trigger.per_second);
        }
        Self {
            namespaces: workload.namespaces().iter().map(|it| (it.clone(), Popularity::new(it))).collect(),
            triggers: workload.triggers.clone(),
            kinds,
            per_second: weights.iter().sum(),
            weights: WeightedIndex::new(&weights).ok(),
            keyring: workload.keyring(),
        }
    }

    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        if self.weights.is_some() { self.per_second } else { 0.0 }
    }

    /// The next request. Only with a rate above 0.
    pub fn pick(&self, random: &mut StdRng) -> Arrival {
        let kind = self.weights.as_ref().map_or(0, |weights| weights.sample(random));
        match self.kinds[kind] {
            Kind::Read(place) => {
                let batch = self.namespaces[place].0.batch;
                if batch > 1 {
                    Arrival::Batch((0..batch).map(|_| self.target(place, random)).collect())
                } else {
                    Arrival::Read(self.target(place, random))
                }
            }
            Kind::Update(place) => Arrival::Update(self.target(place, random)),
            Kind::Event(place) => self.event(&self.triggers[place], random),
        }
    }

    /// A request of one tenant, for any of its entities; `None` when the workload knows no tenants.
    pub fn pick_of_tenant(&self, tenant: usize, random: &mut StdRng) -> Option<Arrival> {
        let open = |namespace: &Namespace| namespace.has_tenants() && namespace.requests_per_second > 0.0;
        let places: Vec<usize> =
            (0..self.namespaces.len()).filter(|it| open(&self.namespaces[*it].0)).collect();
        // Most entities are where there are many to ask for.
        let place = places.iter().copied().max_by_key(|place| self.namespaces[*place].0.items)?;
        let namespace = &self.namespaces[place].0;
        let item = random.random_range(0..namespace.items * NOISY_REACH);
        Some(Arrival::Read(Target { namespace: place, fields: namespace.fields_of(tenant, item) }))
    }

    fn target(&self, place: usize, random: &mut StdRng) -> Target {
        let (namespace, popularity) = &self.namespaces[place];
        let tenant = Popularity::draw(popularity.tenants.as_ref(), random);
        let item = Popularity::draw(popularity.items.as_ref(), random);
        Target { namespace: place, fields: namespace.fields_of(tenant, item) }
    }

    /// An event concerns one tenant and one entity: the other placeholders are filled as in a key of the
    /// namespace that the pattern lies in.
    fn event(&self, trigger: &Trigger, random: &mut StdRng) -> Arrival {
        let tenants = self.namespaces.iter().map(|(namespace, _)| namespace.tenants).max().unwrap_or(1);
        let tenant = tenant_name(random.random_range(0..tenants));
        let mut fields = vec![("tenant".to_owned(), tenant)];
        for pattern in trigger.patterns {
            for placeholder in placeholders(pattern) {
                if fields.iter().any(|(name, _)| name == placeholder) {
                    continue;
                }
                let example = pattern.replace(['{', '}'], "");
                let Some(found) = self.keyring.find(example.as_bytes()) else { continue };
                let target = self.target(found.namespace, random);
                let own = |(name, _): &&(String, String)| name == placeholder || name != TENANT_FIELD;
                if let Some((_, value)) = target.fields.iter().find(own) {
                    fields.push((placeholder.to_owned(), value.clone()));
                }
            }
        }
        Arrival::Event { patterns: trigger.patterns, fields }
    }
}

fn placeholders(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::workload::STRATEGIES;

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        for strategy in STRATEGIES {
            let plan = Plan::new(&Workload::named(strategy).expect(strategy));
            let picks = |seed| {
                let mut random = StdRng::seed_from_u64(seed);
                (0..200).map(|_| plan.pick(&mut random)).collect::<Vec<_>>()
            };
            assert_eq!(picks(7), picks(7), "{strategy}");
            assert_ne!(picks(7), picks(8), "{strategy}");
        }
    }

    #[test]
    fn events_leave_no_placeholder_open() {
        for strategy in STRATEGIES {
            let workload = Workload::named(strategy).expect(strategy);
            let plan = Plan::new(&workload);
            let mut random = StdRng::seed_from_u64(1);
            for trigger in &workload.triggers {
                let Arrival::Event { patterns, fields } = plan.event(trigger, &mut random) else { continue };
                for placeholder in patterns.iter().flat_map(|pattern| placeholders(pattern)) {
                    let filled = fields.iter().any(|(name, _)| name == placeholder);
                    assert!(filled, "{strategy} {}: {placeholder}", trigger.event);
                }
            }
        }
    }

    #[test]
    fn popular_keys_are_asked_for_more_often() {
        let mut workload = Workload::synthetic(1, 100, 10.0);
        workload.namespaces_mut()[0].skew = 1.0;
        let plan = Plan::new(&workload);
        let mut random = StdRng::seed_from_u64(1);
        let mut asked = [0_u32; 2];
        for _ in 0..2_000 {
            if let Arrival::Read(target) = plan.pick(&mut random) {
                asked[0] += u32::from(target.fields[0].1 == "i0");
                asked[1] += u32::from(target.fields[0].1 == "i50");
            }
        }
        assert!(asked[0] > 10 * asked[1].max(1), "{asked:?}");
    }
}
