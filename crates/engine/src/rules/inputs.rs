//! What is handed over for one evaluation.

use std::collections::BTreeMap;

use cachescope_model::alert::AlertLabels;
use cachescope_model::contents::TenantSnapshot;
use cachescope_model::snapshot::Snapshot;
use cachescope_model::window::Window;

/// What a Prometheus server said to a rule's expression: the series with their values, or why there are none, in
/// one sentence.
pub type QueryAnswer = Result<Vec<(AlertLabels, f64)>, String>;

/// Everything that rules may pick from at one moment. [`Evaluator::needs`](super::Evaluator::needs) says what is
/// wanted; what is not handed over is no data.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    pub(super) snapshots: BTreeMap<Window, &'a Snapshot>,
    pub(super) tenants: BTreeMap<(Window, &'a str), &'a [TenantSnapshot]>,
    pub(super) queries: BTreeMap<&'a str, QueryAnswer>,
    pub(super) signal_errors: BTreeMap<&'a str, String>,
    pub(super) reachable: Option<Result<(), String>>,
}

impl<'a> Inputs<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The snapshot over its window.
    #[must_use]
    pub fn snapshot(mut self, snapshot: &'a Snapshot) -> Self {
        self.snapshots.insert(snapshot.window, snapshot);
        self
    }

    /// The tenants of a namespace (by its template) over a window.
    #[must_use]
    pub fn tenants(mut self, window: Window, template: &'a str, tenants: &'a [TenantSnapshot]) -> Self {
        self.tenants.insert((window, template), tenants);
        self
    }

    /// What a Prometheus server said to the expression of this rule.
    #[must_use]
    pub fn query(mut self, rule: &'a str, answer: QueryAnswer) -> Self {
        self.queries.insert(rule, answer);
        self
    }

    /// The query of a signal was rejected or failed: why, in one sentence.
    #[must_use]
    pub fn signal_error(mut self, signal: &'a str, why: impl Into<String>) -> Self {
        self.signal_errors.insert(signal, why.into());
        self
    }

    /// Whether the cache answers, where the snapshot's sources can't tell.
    #[must_use]
    pub fn reachable(mut self, answers: Result<(), String>) -> Self {
        self.reachable = Some(answers);
        self
    }
}
