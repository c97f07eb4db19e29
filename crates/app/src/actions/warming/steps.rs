//! From what is meant to the steps of a plan: copies, refreshes, one request for all, one for each key.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cachescope_actions::plan::{Action, KeyName, Scope};
use cachescope_actions::selection::Attribution;
use cachescope_actions::warm::candidates::{self, Candidate};
use cachescope_actions::warm::{CopyFrom, Success, Warm, WarmWay};
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::strategy::Namespace;

use super::super::planning::{bad, fill, key_lines};
use super::meant::Meant;
use crate::wire::WarmKeys;

impl Meant<'_> {
    pub(super) fn copies(&self, from: &CopyFrom) -> Result<Vec<Action>, Failure> {
        let step = |what: String, scope: Option<Scope>, namespaces: Vec<String>| {
            let way = WarmWay::Copy {
                from: from.clone(),
                scope,
                jitter_percent: self.draft.jitter_percent.min(90),
            };
            let (limits, success) = (self.limits(), Success::default());
            Action::Warm { warm: Warm { what, way, limits, success, namespaces } }
        };
        if let WarmKeys::Named { keys } = &self.draft.keys {
            let keys = key_lines(keys)?.into_iter().map(KeyName).collect::<Vec<_>>();
            let scope = Scope::Keys { keys, database: self.database.unwrap_or(0) };
            return Ok(vec![step(self.whats(), Some(scope), Vec::new())]);
        }
        let mut namespaces = self.namespaces();
        if namespaces.is_empty() && matches!(from, CopyFrom::Undo { .. }) {
            return Ok(vec![step("all that the undo file holds".to_owned(), None, Vec::new())]);
        }
        if namespaces.is_empty() {
            namespaces = self.strategy.namespaces.iter().filter(|namespace| !namespace.protected).collect();
        }
        if namespaces.is_empty() {
            return Err(bad(
                "it is not said which keys are copied",
                "name a namespace with --namespace, or a strategy",
            ));
        }
        let of = |namespace: &&Namespace| {
            let scope = self.scope(namespace)?;
            Ok(step(namespace.title.clone(), Some(scope), vec![namespace.template.as_str().to_owned()]))
        };
        namespaces.iter().map(of).collect()
    }

    pub(super) fn refreshes(&self) -> Result<Vec<Action>, Failure> {
        let namespaces = self.namespaces();
        if namespaces.is_empty() {
            return Err(bad("it is not said what is refreshed", "name a namespace with --namespace"));
        }
        let soften_ms = self.draft.soften_seconds.map(|seconds| (seconds.clamp(1.0, 1e7) * 1_000.0) as u64);
        let step = |namespace: &&Namespace| {
            let mut success = self.success(namespace, None);
            success.refresh_below_ms = soften_ms.map_or(0, |ms| ms + 1);
            let warm = Warm {
                what: namespace.title.clone(),
                way: WarmWay::RequestEach {
                    endpoint: self.endpoint(namespace)?,
                    template: namespace.template.as_str().to_owned(),
                    keys: Vec::new(),
                    database: namespace.database.or(self.database).unwrap_or(0),
                },
                limits: self.limits_of_refresh(),
                success,
                namespaces: vec![namespace.template.as_str().to_owned()],
            };
            Ok(Action::Refresh { scope: self.scope(namespace)?, soften_ms, warm })
        };
        namespaces.iter().map(step).collect()
    }

    pub(super) fn one_request(&self, attribution: &Attribution) -> Result<Warm, Failure> {
        let namespaces = self.namespaces();
        // Keys of templates without fields are known by name.
        let fixed: Vec<KeyName> = namespaces
            .iter()
            .filter(|namespace| namespace.template.fields().next().is_none())
            .filter_map(|namespace| fill(&namespace.template, &BTreeMap::new()).ok().map(KeyName))
            .collect();
        let all_fixed = fixed.len() == namespaces.len();
        let keys = if all_fixed { fixed } else { Vec::new() };
        let database = keys
            .first()
            .and_then(|key| attribution.namespace(self.database.unwrap_or(0), &key.0))
            .and_then(|namespace| namespace.database)
            .or(self.database)
            .unwrap_or(0);
        let endpoint = self.endpoint_of(self.url()?, None)?;
        let exists = !namespaces.is_empty();
        Ok(Warm {
            what: self.whats(),
            way: WarmWay::Request { endpoint, keys, database },
            limits: self.limits(),
            success: Success { exists, ..Success::default() },
            namespaces: self.templates(),
        })
    }

    pub(super) fn each(
        &self,
        found: Vec<Candidate>,
        attribution: &Attribution,
    ) -> Result<Vec<Action>, Failure> {
        if let Some(most) = self.documented.and_then(|plan| plan.limits.only_below)
            && found.len() as u64 >= most
        {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("the plan runs only below {most}, and there are {} keys", found.len()),
                "warm a part of them by --namespace or --tenant",
            ));
        }
        let mut groups: Vec<(&Namespace, u16, Vec<KeyName>)> = Vec::new();
        let mut taken: HashMap<&str, usize> = HashMap::new();
        for candidate in found {
            let Some(namespace) = attribution.namespace(candidate.database, &candidate.key.0) else {
                let key = attribution.shown(candidate.database, &candidate.key.0);
                return Err(bad(
                    format!("{key} belongs to no namespace of the strategy, so its fields are not known"),
                    "leave it out, or document its namespace",
                ));
            };
            let own = self.strategy.namespaces.iter().find(|own| own.template == namespace.template);
            let Some(own) = own else { continue };
            let item =
                self.items.iter().find(|item| item.namespaces.iter().any(|one| one.template == own.template));
            let count = taken.entry(own.template.as_str()).or_default();
            if *count >= item.map_or(candidates::MOST, |item| item.limit) {
                continue;
            }
            *count += 1;
            let group = groups
                .iter_mut()
                .find(|(one, database, _)| one.template == own.template && *database == candidate.database);
            match group {
                Some((_, _, keys)) => keys.push(candidate.key),
                None => groups.push((own, candidate.database, vec![candidate.key])),
            }
        }
        if groups.is_empty() {
            return Err(bad(
                "no key is known that is worth warming",
                "watch the deployment for a minute first (--watch-for 60s), or name keys, a run or a time",
            ));
        }
        let step = |(namespace, database, keys): (&Namespace, u16, Vec<KeyName>)| {
            let item = self
                .items
                .iter()
                .find(|item| item.namespaces.iter().any(|one| one.template == namespace.template));
            let mut success = self.success(namespace, item.and_then(|item| item.ttl));
            if let WarmKeys::Expiring { within_seconds } = self.draft.keys {
                success.refresh_below_ms = u64::from(within_seconds) * 1_000 + 1;
            }
            let template = namespace.template.as_str().to_owned();
            Ok(Action::Warm {
                warm: Warm {
                    what: namespace.title.clone(),
                    way: WarmWay::RequestEach {
                        endpoint: self.endpoint(namespace)?,
                        template: template.clone(),
                        keys,
                        database,
                    },
                    limits: self.limits(),
                    success,
                    namespaces: vec![template],
                },
            })
        };
        groups.into_iter().map(step).collect()
    }

    fn success(&self, namespace: &Namespace, ttl: Option<Duration>) -> Success {
        let ttl = ttl.or(namespace.ttl);
        Success { ttl_ms: ttl.map(|ttl| ttl.as_millis() as u64), ..Success::default() }
    }
}
