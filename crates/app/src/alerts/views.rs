//! What is shown of alerts and rules.

use cachescope_engine::triage::figure;
use cachescope_model::alert::label::{LAYER, NAMESPACE, NODE, TENANT};
use cachescope_model::alert::{Alert, AlertState, RuleHealth, RuleStatus};
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::{Rule, Severity, Strategy, Subject};
use cachescope_model::telling::AlertRef;
use cachescope_model::triage::Triage;

use super::Alerts;
use super::judging::Judged;
use super::people::People;
use super::silencing::{Matched, covering};
use crate::session::Session;
use crate::wire::{AlertCounts, AlertView, AlertsPage, PlanRef, RowPage, RuleView, RulesPage};

/// Alerts of one answer.
const MOST_ALERTS: usize = 500;

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Alerts {
    /// The alerts of these sessions, the worst first.
    pub(super) fn page(
        &self,
        sessions: &[std::sync::Arc<Session>],
        namespace: Option<&str>,
        at_most: Option<u32>,
    ) -> AlertsPage {
        let mut page =
            AlertsPage { at: self.clock.now(), alerts: Vec::new(), total: 0, counts: AlertCounts::default() };
        for session in sessions {
            let Some(judged) = self.of(&session.deployment().id) else { continue };
            add(&mut page.counts, self.counts_of(&judged));
            let mut views = self.views(session, &judged);
            views.retain(|view| namespace.is_none_or(|wanted| view.namespace.as_deref() == Some(wanted)));
            page.alerts.extend(views);
        }
        page.total = count(page.alerts.len());
        page.alerts.sort_by_key(|alert| std::cmp::Reverse(rank(alert)));
        let most = at_most.map_or(MOST_ALERTS, |most| MOST_ALERTS.min(most as usize));
        page.alerts.truncate(most);
        page
    }

    /// Every alert there is, also those that are over and still listed.
    pub(crate) fn references(&self) -> Vec<AlertRef> {
        let mut references = Vec::new();
        for judged in self.all() {
            let standing = judged.standing.lock();
            let alerts = standing.statuses.iter().flat_map(|status| &status.alerts);
            let listed = alerts.filter(|alert| alert.state != AlertState::Inactive);
            references.extend(listed.map(|alert| reference(&judged, alert)));
        }
        references
    }

    fn views(&self, session: &Session, judged: &Judged) -> Vec<AlertView> {
        let now = self.clock.now();
        let people = self.people.lock();
        let standing = judged.standing.lock();
        let strategy = &*judged.strategy;
        let mut views = Vec::new();
        for status in &standing.statuses {
            let Some(rule) = judged.rules.iter().find(|rule| rule.name == status.rule) else { continue };
            for alert in status.alerts.iter().filter(|alert| alert.state != AlertState::Inactive) {
                let alert_ref = reference(judged, alert);
                let matched = Matched {
                    alert: &alert_ref,
                    deployment_name: &session.deployment().name,
                    severity: rule.severity,
                };
                let triage =
                    standing.triage.iter().find(|(of, _)| *of == alert_ref).map(|(_, it)| it.clone());
                let (playbooks, warm_plans) = plans(strategy, rule, triage.as_ref());
                views.push(AlertView {
                    deployment_name: session.deployment().name.clone(),
                    alert: finite(alert.clone()),
                    severity: rule.severity,
                    summary: rule.summary.clone(),
                    subject: subject(strategy, alert),
                    namespace: template(strategy, alert),
                    threshold: rule.threshold.map(|threshold| threshold.value),
                    above: rule.threshold.is_some_and(|threshold| threshold.comparison.upwards()),
                    unit: unit(strategy, rule),
                    reading: rule.subject.reading(),
                    window_seconds: rule.window.seconds(),
                    documented: rule.documented.clone(),
                    action: rule.action.clone(),
                    playbooks,
                    warm_plans,
                    acknowledged: people.acknowledgement(&alert_ref, alert.fired_at).cloned(),
                    silenced_by: covering(&people.silences, matched, now).cloned(),
                    triage,
                    alert_ref,
                });
            }
        }
        views
    }

    /// How many alerts a deployment has.
    pub(crate) fn counts_of(&self, judged: &Judged) -> AlertCounts {
        let people = self.people.lock();
        let standing = judged.standing.lock();
        let mut counts = AlertCounts::default();
        for status in &standing.statuses {
            counts.failing += u32::from(status.health == RuleHealth::Error);
            for alert in &status.alerts {
                match alert.state {
                    AlertState::Pending => counts.pending += 1,
                    AlertState::Firing if self.is_quiet(&people, judged, status, alert) => counts.quiet += 1,
                    AlertState::Firing => match status.severity {
                        Severity::Critical => counts.critical += 1,
                        Severity::Warning => counts.warning += 1,
                        Severity::Info => counts.info += 1,
                    },
                    AlertState::Inactive | AlertState::Resolved => {}
                }
            }
        }
        counts
    }

    /// Whether somebody has acknowledged or silenced this alert.
    pub(super) fn is_quiet(
        &self,
        people: &People,
        judged: &Judged,
        status: &RuleStatus,
        alert: &Alert,
    ) -> bool {
        if people.silences.is_empty() && people.acknowledged.is_empty() {
            return false;
        }
        let alert_ref = reference(judged, alert);
        let matched = Matched { alert: &alert_ref, deployment_name: &judged.name, severity: status.severity };
        people.acknowledgement(&alert_ref, alert.fired_at).is_some()
            || covering(&people.silences, matched, self.clock.now()).is_some()
    }

    /// Says in each row how many alerts about it fire that are not quiet, and the worst of them.
    pub(crate) fn add_to_rows(&self, session: &Session, page: &mut RowPage) {
        let Some(judged) = self.of(&session.deployment().id) else { return };
        let people = self.people.lock();
        let standing = judged.standing.lock();
        for status in &standing.statuses {
            for alert in status.alerts.iter().filter(|alert| alert.state == AlertState::Firing) {
                let Some(template) = template(&judged.strategy, alert) else { continue };
                let row = page.rows.iter_mut().find(|row| row.namespace == template);
                if let Some(row) = row
                    && !self.is_quiet(&people, &judged, status, alert)
                {
                    row.alerts += 1;
                    row.worst_alert = row.worst_alert.max(Some(status.severity));
                }
            }
        }
    }
}

/// The rules of a deployment.
pub(super) fn rules_page(strategy: &Strategy, judged: Option<&Judged>) -> RulesPage {
    let standing = judged.map(|judged| judged.standing.lock());
    let statuses = standing.as_ref().map_or(&[][..], |standing| &standing.statuses);
    let view = |rule: &Rule| {
        let status = statuses.iter().find(|status| status.rule == rule.name);
        let alerts = |state: AlertState| {
            count(status.map_or(0, |status| status.alerts.iter().filter(|it| it.state == state).count()))
        };
        RuleView {
            rule: rule.name.clone(),
            severity: rule.severity,
            summary: rule.summary.clone(),
            condition: condition(strategy, rule),
            health: status.map_or(RuleHealth::NoData, |status| status.health),
            detail: status
                .map_or_else(|| "It was not evaluated yet.".to_owned(), |status| status.detail.clone()),
            evaluated_at: status.and_then(|status| status.evaluated_at),
            judged: status.map_or(0, |status| status.judged),
            without_data: status.map_or(0, |status| status.without_data),
            firing: alerts(AlertState::Firing),
            pending: alerts(AlertState::Pending),
            documented: rule.documented.clone(),
            note: rule.note.clone(),
        }
    };
    RulesPage {
        evaluation: standing.as_ref().map(|standing| standing.evaluation.clone()).unwrap_or_default(),
        rules: judged.map_or(&strategy.rules, |judged| &judged.rules).iter().map(view).collect(),
    }
}

pub(super) fn reference(judged: &Judged, alert: &Alert) -> AlertRef {
    AlertRef { deployment: judged.deployment.clone(), rule: alert.rule.clone(), labels: alert.labels.clone() }
}

/// JSON has no NaN and no infinities.
fn finite(mut alert: Alert) -> Alert {
    for figure in [&mut alert.value, &mut alert.low, &mut alert.high] {
        *figure = figure.filter(|value| value.is_finite());
    }
    alert
}

/// Firing before pending before resolved, loud before silent, severe before mild, new before old.
fn rank(view: &AlertView) -> (AlertState, bool, Severity, i64) {
    let loud = view.acknowledged.is_none() && view.silenced_by.is_none();
    (view.alert.state, loud, view.severity, view.alert.active_at.millis())
}

fn add(sum: &mut AlertCounts, more: AlertCounts) {
    sum.critical += more.critical;
    sum.warning += more.warning;
    sum.info += more.info;
    sum.pending += more.pending;
    sum.quiet += more.quiet;
    sum.failing += more.failing;
}

/// The template of the namespace that an alert is about: rules name documented ones by their name, discovered
/// ones by their template.
pub(super) fn template(strategy: &Strategy, alert: &Alert) -> Option<String> {
    let name = alert.labels.get(NAMESPACE)?;
    let documented = strategy.namespace(name).map(|namespace| namespace.template.as_str().to_owned());
    Some(documented.unwrap_or_else(|| name.clone()))
}

/// What an alert is about, in words.
pub(super) fn subject(strategy: &Strategy, alert: &Alert) -> String {
    let mut parts = Vec::new();
    if let Some(name) = alert.labels.get(NAMESPACE) {
        let title = strategy.namespace(name).map(|namespace| namespace.title.clone());
        parts.push(title.filter(|title| !title.is_empty()).unwrap_or_else(|| name.clone()));
    }
    if let Some(tenant) = alert.labels.get(TENANT) {
        parts.push(format!("tenant {tenant}"));
    }
    if let Some(layer) = alert.labels.get(LAYER) {
        parts.push(format!("layer {layer}"));
    }
    if let Some(node) = alert.labels.get(NODE) {
        parts.push(format!("server {node}"));
    }
    let known = [NAMESPACE, TENANT, LAYER, NODE, "alertname", "severity"];
    let others = alert.labels.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    parts.extend(others.map(|(name, value)| format!("{name} {value}")));
    parts.join(", ")
}

/// Unit of what a rule judges.
pub(super) fn unit(strategy: &Strategy, rule: &Rule) -> Option<Unit> {
    match &rule.subject {
        Subject::Signal { signal } => {
            strategy.signals.iter().find(|known| known.name == *signal).map(|known| known.unit)
        }
        subject => subject.reading().map(|reading| reading.spec().unit),
    }
}

/// What is judged, in words.
pub(super) fn condition(strategy: &Strategy, rule: &Rule) -> String {
    let of = |names: &[String], what: &str| match names {
        [] => format!(" of every {what}"),
        names => format!(" of {}", names.join(", ")),
    };
    let what = match &rule.subject {
        Subject::Namespaces { namespaces, reading } => {
            format!("{}{}", reading.spec().title, of(namespaces, "namespace"))
        }
        Subject::Tenants { namespaces, reading } => {
            format!("{} by tenant{}", reading.spec().title, of(namespaces, "namespace with tenants"))
        }
        Subject::Layer { layer, reading } => format!("{} of the layer {layer}", reading.spec().title),
        Subject::Nodes { reading } => format!("{} of each server", reading.spec().title),
        Subject::Signal { signal } => strategy
            .signals
            .iter()
            .find(|known| known.name == *signal)
            .map_or_else(|| signal.clone(), |known| known.title.clone()),
        Subject::Instance { reading } => reading.spec().title.to_owned(),
        Subject::Reachable => "Whether the cache answers".to_owned(),
        Subject::Promql { expr } => expr.clone(),
        _ => rule.name.clone(),
    };
    let mut words = what;
    if let Some(threshold) = rule.threshold {
        let value = figure(threshold.value, unit(strategy, rule));
        words.push_str(&format!(" {} {value}", threshold.comparison.sign()));
    }
    if !rule.for_duration.is_zero() {
        words.push_str(&format!(" for {}", cachescope_model::duration::format(rule.for_duration)));
    }
    words
}

/// Playbooks and warm plans that fit: the rule's own first, then what triage found.
fn plans(strategy: &Strategy, rule: &Rule, triage: Option<&Triage>) -> (Vec<PlanRef>, Vec<PlanRef>) {
    let mut playbooks: Vec<PlanRef> = Vec::new();
    let mut warm_plans: Vec<PlanRef> = Vec::new();
    let found = triage.map_or(&[][..], |triage| &triage.playbooks);
    for name in rule.playbook.iter().chain(found) {
        let known = strategy.playbooks.iter().find(|playbook| playbook.name == *name);
        push(&mut playbooks, known.map(|it| (&it.name, &it.title)));
    }
    let found = triage.map_or(&[][..], |triage| &triage.warm_plans);
    for name in rule.warm.iter().chain(found) {
        let known = strategy.warm_plans.iter().find(|plan| plan.name == *name);
        push(&mut warm_plans, known.map(|it| (&it.name, &it.title)));
    }
    (playbooks, warm_plans)
}

fn push(plans: &mut Vec<PlanRef>, found: Option<(&String, &String)>) {
    if let Some((name, title)) = found
        && !plans.iter().any(|plan| plan.name == *name)
    {
        plans.push(PlanRef { name: name.clone(), title: title.clone() });
    }
}
