//! One deployment's rules, judged at fixed times from what its session sees.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Inputs, Schedule};
use cachescope_engine::triage::{Compared, Question};
use cachescope_model::alert::{Alert, AlertState, EvaluationGap, RuleStatus, SavedAlerts, Transition};
use cachescope_model::deployment::DeploymentId;
use cachescope_model::snapshot::Snapshot;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;
use cachescope_model::triage::Triage;
use cachescope_model::window::Window;
use parking_lot::Mutex;

use super::keeping::{Keep, Keeper};
use super::observed::Observed;
use super::queries::Queries;
use super::{Alerts, views};
use crate::session::Session;
use crate::wire::{AlertTurn, ConnectionState, Evaluation, ForeignAlerts, TimelineEntry, TimelineWhat};

/// A longer time without evaluation is a gap: the machine slept.
const GAP_AFTER: Duration = Duration::from_secs(60);

/// How long a beginning waits for figures. An alert that fired before a restart must not be taken for over because
/// nothing has been counted yet.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often states are kept though nothing changed, so that a restart knows how long it was off.
const KEPT_EVERY: Duration = Duration::from_secs(30);

/// Entries of the timeline that are held in memory; more are in the store.
const MOST_TURNS: usize = 1_000;

/// Firing alerts that are explained; of more, the worst.
const MOST_EXPLAINED: usize = 20;

/// Name of the rule that every deployment has.
pub const UNHEALTHY: &str = "Unhealthy";

/// How the alerts of one deployment stand.
pub(crate) struct Judged {
    pub(crate) deployment: DeploymentId,
    pub(crate) name: String,
    pub(crate) strategy: Arc<Strategy>,
    /// What is judged.
    pub(crate) rules: Vec<Rule>,
    pub(crate) standing: Mutex<Standing>,
}

/// What the last evaluation said.
#[derive(Default)]
pub(crate) struct Standing {
    pub(crate) statuses: Vec<RuleStatus>,
    pub(crate) evaluation: Evaluation,
    /// What firing alerts are about.
    pub(crate) triage: Vec<(AlertRef, Triage)>,
    /// What became of alerts, oldest first.
    pub(crate) turns: VecDeque<TimelineEntry>,
    /// The alerts of its Prometheus.
    pub(crate) foreign: ForeignAlerts,
}

/// Rules that a deployment is judged by: those of its strategy, and whether it answers at all where the strategy
/// says nothing about that.
#[must_use]
pub fn rules_of(strategy: &Strategy) -> Vec<Rule> {
    let mut rules = strategy.rules.clone();
    if !rules.iter().any(|rule| matches!(rule.subject, Subject::Reachable) || rule.name == UNHEALTHY) {
        rules.push(unhealthy());
    }
    rules
}

fn unhealthy() -> Rule {
    Rule {
        name: UNHEALTHY.to_owned(),
        subject: Subject::Reachable,
        window: Window::TenSeconds,
        threshold: Some(Threshold { comparison: Comparison::Below, value: 1.0 }),
        // Three evaluations: a single lost packet wakes nobody.
        for_duration: Duration::from_secs(10),
        keep_firing_for: Duration::ZERO,
        minimum_lookups: 0,
        severity: Severity::Critical,
        summary: "The cache can't be reached".to_owned(),
        action: String::new(),
        playbook: None,
        warm: None,
        documented: String::new(),
        note: "Every deployment has this rule.".to_owned(),
    }
}

impl Judged {
    pub(crate) fn new(session: &Session) -> Arc<Self> {
        let deployment = session.deployment();
        Arc::new(Self {
            deployment: deployment.id.clone(),
            name: deployment.name.clone(),
            strategy: Arc::clone(&session.plan().strategy),
            rules: rules_of(session.strategy()),
            standing: Mutex::default(),
        })
    }

    /// Since when an alert fires; `None` where it does not.
    pub(crate) fn fired_at(&self, alert: &AlertRef) -> Option<Timestamp> {
        let standing = self.standing.lock();
        let mut alerts = standing.statuses.iter().flat_map(|status| &status.alerts);
        alerts
            .find(|it| it.rule == alert.rule && it.labels == alert.labels)
            .and_then(|it| it.fired_at.filter(|_| it.state == AlertState::Firing))
    }

    fn remember(&self, entries: &[TimelineEntry]) {
        let mut standing = self.standing.lock();
        for entry in entries {
            if standing.turns.len() == MOST_TURNS {
                standing.turns.pop_front();
            }
            standing.turns.push_back(entry.clone());
        }
    }
}

/// Judges a session until it ends.
pub(crate) async fn run(alerts: Arc<Alerts>, judged: Arc<Judged>, session: Weak<Session>) {
    let Some(begun) = session.upgrade() else { return };
    let mut ticks = begun.ticks();
    let mut round = Round::begin(&alerts, &judged, &begun).await;
    drop(begun);
    // The worker ends with the session, and its count with the worker.
    while ticks.changed().await.is_ok() {
        let Some(session) = session.upgrade() else { break };
        round.look(&session).await;
    }
    round.end().await;
}

/// What goes on from evaluation to evaluation.
struct Round {
    alerts: Arc<Alerts>,
    judged: Arc<Judged>,
    evaluator: Evaluator,
    schedule: Schedule,
    queries: Queries,
    keeper: Keeper,
    observed: Observed,
    began_at: Timestamp,
    begun: bool,
    kept_at: Timestamp,
    gaps: usize,
}

impl Round {
    async fn begin(alerts: &Arc<Alerts>, judged: &Arc<Judged>, session: &Session) -> Self {
        let options = EvaluatorOptions { gap_after: Some(GAP_AFTER) };
        let mut evaluator = Evaluator::new(judged.rules.iter().cloned(), session.strategy(), options);
        let saved = match &alerts.store {
            Some(store) => store.alert_states::<SavedAlerts>(judged.deployment.clone()).await,
            None => Ok(None),
        };
        let now = session.now();
        match saved {
            Ok(Some(kept)) => {
                let left = evaluator.restore(kept.states);
                if !left.is_empty() {
                    tracing::debug!(alerts = left.len(), "alerts of rules that are gone are left behind");
                }
                let mut standing = judged.standing.lock();
                standing.evaluation.restored_from = Some(kept.at);
                standing.statuses = evaluator.statuses();
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "alerts begin anew"),
        }
        let interval = alerts.pace.evaluate_every;
        judged.standing.lock().evaluation.interval_seconds = interval.as_secs_f64();
        Self {
            queries: Queries::start(session, judged, evaluator.needs().queries, interval),
            keeper: Keeper::start(alerts.store.clone(), judged.deployment.clone()),
            alerts: Arc::clone(alerts),
            judged: Arc::clone(judged),
            evaluator,
            schedule: Schedule::every(interval),
            observed: Observed::default(),
            began_at: now,
            begun: false,
            kept_at: now,
            gaps: 0,
        }
    }

    /// Evaluates where it is time to.
    async fn look(&mut self, session: &Arc<Session>) {
        let now = session.now();
        if !self.begun && !has_figures(session) && now.seconds_since(self.began_at) < PATIENCE.as_secs_f64() {
            return;
        }
        self.begun = true;
        let Some(due) = self.schedule.due(now) else { return };
        let transitions = evaluate(&mut self.evaluator, session, due.at, &self.queries.answers());
        let mut entries = self.new_gaps();
        entries.extend(transitions.iter().filter_map(|transition| self.entry(transition)));
        let mut marks = self.observed.compare(&self.judged.deployment, &session.snapshot(Window::default()));
        marks.extend(self.queries.take_marks());
        for mark in marks {
            if let Err(error) = self.alerts.add_mark(mark).await {
                tracing::warn!(%error, "an observed change is not kept");
            }
        }
        {
            let mut standing = self.judged.standing.lock();
            standing.statuses = self.evaluator.statuses();
            standing.evaluation.last_at = Some(due.at);
            standing.evaluation.skipped += due.missed;
        }
        self.judged.remember(&entries);
        self.explain(session).await;
        self.keep(now, &entries);
        self.alerts.heard(&self.judged, &transitions);
        let over =
            transitions.iter().filter(|it| it.from == AlertState::Firing && it.to != AlertState::Firing);
        let over: Vec<AlertRef> = over.map(|it| views::reference(&self.judged, &it.alert)).collect();
        if let Err(error) = self.alerts.forget_acknowledgements(&over).await {
            tracing::warn!(%error, "an acknowledgement of an alert that is over stays");
        }
    }

    /// What firing alerts are about.
    async fn explain(&self, session: &Arc<Session>) {
        let mut firing: Vec<(&Rule, &Alert)> =
            self.evaluator.alerts().filter(|(_, alert)| alert.state == AlertState::Firing).collect();
        if firing.is_empty() {
            self.judged.standing.lock().triage.clear();
            return;
        }
        firing.sort_by_key(|(rule, alert)| std::cmp::Reverse((rule.severity, alert.fired_at)));
        firing.truncate(MOST_EXPLAINED);
        let earliest = firing.iter().map(|(rule, alert)| near_from(rule, alert)).min().unwrap_or_default();
        let marks = self.alerts.marks(Some(self.judged.deployment.clone()), earliest, session.now()).await;
        let marks = marks.unwrap_or_else(|error| {
            tracing::warn!(%error, "marks can't be read: alerts are explained without");
            Vec::new()
        });
        let (now, mut compared) = (session.now(), Compared::new());
        let explained: Vec<(AlertRef, Triage)> = firing
            .into_iter()
            .map(|(rule, alert)| {
                let question = Question { rule, alert, now, marks: &marks };
                (views::reference(&self.judged, alert), session.triage(&question, &mut compared))
            })
            .collect();
        self.judged.standing.lock().triage = explained;
    }

    fn entry(&self, transition: &Transition) -> Option<TimelineEntry> {
        let turn = turn(transition)?;
        let rule = self.judged.rules.iter().find(|rule| rule.name == transition.alert.rule)?;
        Some(TimelineEntry {
            at: transition.at,
            deployment: Some(self.judged.deployment.clone()),
            what: TimelineWhat::Alert {
                alert_ref: views::reference(&self.judged, &transition.alert),
                turn,
                severity: rule.severity,
                summary: rule.summary.clone(),
                subject: views::subject(&self.judged.strategy, &transition.alert),
                value: transition.alert.value.filter(|value| value.is_finite()),
                unit: views::unit(&self.judged.strategy, rule),
            },
        })
    }

    fn new_gaps(&mut self) -> Vec<TimelineEntry> {
        let gaps = self.evaluator.gaps();
        let known = self.gaps.min(gaps.len());
        self.gaps = gaps.len();
        let entry = |gap: &EvaluationGap| TimelineEntry {
            at: gap.from,
            deployment: Some(self.judged.deployment.clone()),
            what: TimelineWhat::Gap { until: gap.to },
        };
        gaps[known..].iter().map(entry).collect()
    }

    fn keep(&mut self, now: Timestamp, entries: &[TimelineEntry]) {
        let due = now.seconds_since(self.kept_at) >= KEPT_EVERY.as_secs_f64();
        if entries.is_empty() && !due {
            return;
        }
        self.kept_at = now;
        self.keeper.keep(Keep { at: now, states: self.evaluator.save(), entries: entries.to_vec() });
    }

    async fn end(self) {
        if self.begun {
            let at = self.alerts.clock.now();
            self.keeper.keep(Keep { at, states: self.evaluator.save(), entries: Vec::new() });
        }
        self.keeper.end().await;
    }
}

/// From when on marks may matter to an alert.
fn near_from(rule: &Rule, alert: &Alert) -> Timestamp {
    alert.active_at.plus_millis(-1000 * i64::from(rule.window.seconds()) - 900_000)
}

/// Whether rates are known: the second INFO reply, or the second page of metrics, has come.
fn has_figures(session: &Session) -> bool {
    let snapshot = session.snapshot(Window::default());
    let connection = session.connection(&snapshot.sources);
    let rates = snapshot.instance.get(&cachescope_model::reading_kind::ReadingKind::LookupsPerSecond);
    connection.state != ConnectionState::Connecting && rates.is_some_and(|reading| reading.value.is_some())
}

/// Judges the rules once, by what the session sees now.
pub fn evaluate(
    evaluator: &mut Evaluator,
    session: &Session,
    at: Timestamp,
    answers: &[(String, cachescope_engine::rules::QueryAnswer)],
) -> Vec<Transition> {
    let needs = evaluator.needs();
    let snapshots: Vec<Arc<Snapshot>> =
        needs.windows.iter().map(|window| session.snapshot(*window)).collect();
    let latest = session.snapshot(Window::default());
    let tenants: Vec<_> = needs
        .tenants
        .iter()
        .map(|(window, template)| (*window, template.as_str(), session.tenants(template, *window)))
        .collect();
    let mut inputs = Inputs::new();
    for snapshot in &snapshots {
        inputs = inputs.snapshot(snapshot);
    }
    for (window, template, tenants) in &tenants {
        inputs = inputs.tenants(*window, template, tenants);
    }
    for (rule, answer) in answers {
        inputs = inputs.query(rule, answer.clone());
    }
    for (signal, why) in signal_errors(session.strategy(), &latest) {
        inputs = inputs.signal_error(signal, why);
    }
    let connection = session.connection(&latest.sources);
    match connection.state {
        ConnectionState::Live | ConnectionState::Partial => inputs = inputs.reachable(Ok(())),
        ConnectionState::Lost | ConnectionState::Failed => {
            inputs = inputs.reachable(Err(connection.detail.clone()));
        }
        ConnectionState::Connecting => {}
    }
    evaluator.evaluate(at, &inputs)
}

/// Signals that can't be judged because the server failed or rejected their query. A value from before the failure
/// says nothing about now.
fn signal_errors<'s>(strategy: &'s Strategy, snapshot: &Snapshot) -> Vec<(&'s str, String)> {
    let source = snapshot.sources.iter().find(|status| status.source == SourceId::Prometheus);
    let Some(status) = source else { return Vec::new() };
    let failed = match status.health {
        SourceHealth::Failed | SourceHealth::Unavailable => true,
        SourceHealth::Partial => false,
        _ => return Vec::new(),
    };
    let concerned = strategy.signals.iter().filter(|signal| failed || status.detail.contains(&signal.promql));
    concerned.map(|signal| (signal.name.as_str(), status.detail.clone())).collect()
}

/// What an alert began to do; `None` where nobody wants to know.
pub(super) fn turn(transition: &Transition) -> Option<AlertTurn> {
    use AlertState as S;
    match (transition.from, transition.to) {
        (_, S::Pending) => Some(AlertTurn::Pending),
        (_, S::Firing) => Some(AlertTurn::Firing),
        (S::Firing, S::Resolved | S::Inactive) => Some(AlertTurn::Resolved),
        (S::Pending, S::Inactive) => Some(AlertTurn::Cleared),
        _ => None,
    }
}
