//! A check that runs once: what fires now, for scripts and CI.

use std::sync::Arc;
use std::time::Duration;

use cachescope_engine::rules::{Evaluator, EvaluatorOptions, Schedule};
use cachescope_engine::triage::{Compared, Question};
use cachescope_model::alert::{Alert, AlertState, RuleHealth, RuleStatus};
use cachescope_model::strategy::{Rule, Severity, Strategy};
use cachescope_model::window::Window;
use serde::Serialize;

use super::Pace;
use super::judging::{self, Judged};
use super::queries::Queries;
use super::views;
use crate::session::Session;

/// How a rule came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is past its threshold for long enough.
    Fine,
    /// Past its threshold, but not for as long as the rule wants, or not certainly.
    Pending,
    /// There is nothing to judge.
    NoData,
    /// It could not be judged.
    Error,
    /// It fires.
    Firing,
}

/// Something that is past a rule's threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Past {
    /// What it is about; empty for the whole deployment.
    pub subject: String,
    /// The template of its namespace; `None` where it is not about one.
    pub namespace: Option<String>,
    /// Its labels.
    pub labels: cachescope_model::alert::AlertLabels,
    /// Whether it fires.
    pub firing: bool,
    /// Its value in the base unit.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high: Option<f64>,
    /// The value in words.
    pub shown: String,
    /// What it is about and why, in plain sentences.
    pub sentence: String,
    /// Why it does not fire yet, or what a modelled figure assumes.
    pub reason: String,
}

/// A rule that was checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Its name.
    pub rule: String,
    /// How loud.
    pub severity: Severity,
    /// Its head.
    pub summary: String,
    /// What was judged, in words.
    pub condition: String,
    /// How it came out.
    pub outcome: Outcome,
    /// Why it could not be judged; empty where it could.
    pub detail: String,
    /// How many things it judged.
    pub judged: u32,
    /// What the document says to do.
    pub action: String,
    /// What is past its threshold.
    pub past: Vec<Past>,
}

/// Judges a session's rules while it is watched, once at the end or at every interval.
pub struct Check {
    judged: Arc<Judged>,
    evaluator: Evaluator,
    queries: Queries,
    schedule: Option<Schedule>,
}

impl Check {
    /// Begins a check over `watched`. Each rule is judged over its own window, or over what was watched where that is
    /// shorter. Its `for` is left out, unless `honour_for`: then it is judged every five seconds, and fires only
    /// where the threshold was passed for as long as the rule wants. Must be called within a tokio runtime.
    #[must_use]
    pub fn begin(session: &Session, watched: Window, honour_for: bool) -> Self {
        let judged = Judged::new(session);
        let rules = judged.rules.iter().cloned().map(|rule| {
            let window = if rule.window.seconds() > watched.seconds() { watched } else { rule.window };
            let for_duration = if honour_for { rule.for_duration } else { Duration::ZERO };
            Rule { window, for_duration, ..rule }
        });
        let evaluator = Evaluator::new(rules, session.strategy(), EvaluatorOptions::default());
        Self {
            queries: Queries::start(
                session,
                &judged,
                evaluator.needs().queries,
                Pace::default().evaluate_every,
            ),
            evaluator,
            schedule: honour_for.then(|| Schedule::every(Pace::default().evaluate_every)),
            judged,
        }
    }

    /// To be called about once a second while watching.
    pub fn look(&mut self, session: &Session) {
        let Some(schedule) = &mut self.schedule else { return };
        if let Some(due) = schedule.due(session.now()) {
            judging::evaluate(&mut self.evaluator, session, due.at, &self.queries.answers());
        }
    }

    /// Whether every rule that is a query has an answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.queries.are_answered()
    }

    /// Judges at the end.
    #[must_use]
    pub fn finish(mut self, session: &Session) -> Vec<Checked> {
        let now = session.now();
        judging::evaluate(&mut self.evaluator, session, now, &self.queries.answers());
        let statuses = self.evaluator.statuses();
        let mut compared = Compared::new();
        let mut explain = |rule: &Rule, alert: &Alert| {
            session.triage(&Question { rule, alert, now, marks: &[] }, &mut compared).sentence
        };
        let rules = self.evaluator.rules().zip(&statuses);
        rules.map(|(rule, status)| checked(&self.judged.strategy, rule, status, &mut explain)).collect()
    }
}

fn checked(
    strategy: &Strategy,
    rule: &Rule,
    status: &RuleStatus,
    explain: &mut impl FnMut(&Rule, &Alert) -> String,
) -> Checked {
    let unit = views::unit(strategy, rule);
    let is_past = |state: AlertState| matches!(state, AlertState::Firing | AlertState::Pending);
    let past: Vec<Past> = status
        .alerts
        .iter()
        .filter(|alert| is_past(alert.state))
        .map(|alert| Past {
            subject: views::subject(strategy, alert),
            namespace: views::template(strategy, alert),
            labels: alert.labels.clone(),
            firing: alert.state == AlertState::Firing,
            value: alert.value.filter(|value| value.is_finite()),
            low: alert.low.filter(|value| value.is_finite()),
            high: alert.high.filter(|value| value.is_finite()),
            shown: alert
                .value
                .map_or_else(String::new, |value| cachescope_engine::triage::figure(value, unit)),
            sentence: explain(rule, alert),
            reason: alert.reason.clone(),
        })
        .collect();
    let outcome = match status.health {
        _ if past.iter().any(|past| past.firing) => Outcome::Firing,
        RuleHealth::Error => Outcome::Error,
        _ if !past.is_empty() => Outcome::Pending,
        RuleHealth::NoData => Outcome::NoData,
        RuleHealth::Ok => Outcome::Fine,
    };
    Checked {
        rule: rule.name.clone(),
        severity: rule.severity,
        summary: rule.summary.clone(),
        condition: views::condition(strategy, rule),
        outcome,
        detail: status.detail.clone(),
        judged: status.judged,
        action: rule.action.clone(),
        past,
    }
}
