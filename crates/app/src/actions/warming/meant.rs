//! What an operator means by a warm: a draft, read against the strategy.

use std::time::Duration;

use cachescope_actions::Failure;
use cachescope_actions::plan::{Action, Scope};
use cachescope_actions::warm::candidates;
use cachescope_model::strategy::{Namespace, Strategy, WarmKind, WarmPlan};

use super::super::planning::{bad, namespace_scope};
use super::documented::others;
use crate::wire::{CopyFromDraft, WarmDraft, WarmKeys};

/// Keys of a plan whose number nobody has limited.
const USUAL_KEYS: usize = 1_000;

/// One thing that is filled.
pub(super) struct Filled<'s> {
    pub(super) what: String,
    pub(super) namespaces: Vec<&'s Namespace>,
    pub(super) limit: usize,
    pub(super) ttl: Option<Duration>,
}

/// A draft, read against the strategy.
pub(super) struct Meant<'s> {
    pub(super) draft: &'s WarmDraft,
    pub(super) documented: Option<&'s WarmPlan>,
    pub(super) items: Vec<Filled<'s>>,
    pub(super) database: Option<u16>,
    pub(super) strategy: &'s Strategy,
    /// What the loaders of the whole deployment have to do now; `None` while that is not known.
    pub(super) misses_per_second: Option<f64>,
}

impl<'s> Meant<'s> {
    pub(super) fn read(
        draft: &'s WarmDraft,
        strategy: &'s Strategy,
        database: Option<u16>,
    ) -> Result<Self, Failure> {
        let documented = match &draft.plan {
            None => None,
            Some(name) => Some(strategy.warm_plan(name).ok_or_else(|| {
                let known: Vec<_> = strategy.warm_plans.iter().map(|plan| plan.name.as_str()).collect();
                let remedy = match known.as_slice() {
                    [] => "give a strategy that has warm plans".to_owned(),
                    known => format!("choose one of {}", known.join(", ")),
                };
                bad(format!("there is no warm plan {name:?}"), remedy)
            })?),
        };
        let find = |asked: &str| {
            strategy
                .namespaces
                .iter()
                .find(|namespace| namespace.name == asked || namespace.template.as_str() == asked)
        };
        let mut items = Vec::new();
        for item in documented.iter().flat_map(|plan| &plan.items) {
            items.push(Filled {
                what: item.what.clone(),
                namespaces: item.namespaces.iter().filter_map(|name| find(name)).collect(),
                limit: item.limit.map_or(USUAL_KEYS, |limit| limit as usize).min(candidates::MOST),
                ttl: item.ttl,
            });
        }
        if let Some(asked) = &draft.namespace {
            let own = find(asked).ok_or_else(|| {
                bad(format!("the strategy documents no namespace {asked:?}"), "name one of its namespaces")
            })?;
            items.retain(|item| item.namespaces.iter().any(|one| one.template == own.template));
            if items.is_empty() {
                items.push(Filled {
                    what: own.title.clone(),
                    namespaces: vec![own],
                    limit: candidates::MOST,
                    ttl: None,
                });
            }
        }
        Ok(Self { draft, documented, items, database, strategy, misses_per_second: None })
    }

    pub(super) fn title(&self) -> String {
        match (self.documented, self.items.as_slice()) {
            (Some(plan), _) => plan.title.clone(),
            (None, _) if self.draft.refresh => format!("Refresh {}", self.whats()),
            (None, _) => format!("Warm {}", self.whats()),
        }
    }

    pub(super) fn whats(&self) -> String {
        match (self.items.as_slice(), &self.draft.keys) {
            ([], WarmKeys::Run { run }) => format!("what run {run} removed"),
            ([], WarmKeys::Named { keys }) => format!("{} named keys", keys.len()),
            ([], _) => "what is missed".to_owned(),
            (items, _) => items.iter().map(|item| item.what.as_str()).collect::<Vec<_>>().join(", "),
        }
    }

    pub(super) fn namespaces(&self) -> Vec<&'s Namespace> {
        let mut all: Vec<&Namespace> = Vec::new();
        for namespace in self.items.iter().flat_map(|item| &item.namespaces) {
            if !all.iter().any(|known| known.template == namespace.template) {
                all.push(namespace);
            }
        }
        all
    }

    pub(super) fn templates(&self) -> Vec<String> {
        self.namespaces().iter().map(|namespace| namespace.template.as_str().to_owned()).collect()
    }

    /// A plan that somebody else carries out, where nothing says how to do it from here.
    pub(super) fn left_to_others(&self) -> Option<Action> {
        let plan = self.documented?;
        if self.draft.url.is_some() || self.draft.copy_from.is_some() || self.draft.refresh {
            return None;
        }
        let by = others(&plan.kind)?;
        Some(Action::Shown { what: self.title(), by: by.to_owned() })
    }

    pub(super) fn copied_from(&self) -> Option<&'s CopyFromDraft> {
        self.draft.copy_from.as_ref()
    }

    pub(super) fn scope(&self, namespace: &Namespace) -> Result<Scope, Failure> {
        let tenant = self.draft.tenant.as_deref();
        namespace_scope(namespace.template.as_str(), tenant, None, self.database, self.strategy)
    }

    pub(super) fn is_one_request(&self) -> bool {
        let documented = self.documented.is_some_and(|plan| matches!(plan.kind, WarmKind::Http { .. }));
        documented && self.draft.keys == WarmKeys::Missed
    }
}
