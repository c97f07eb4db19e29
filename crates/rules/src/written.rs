//! A rule as a Prometheus alerting rule.

use std::time::Duration;

use cachescope_model::alert::AlertLabels;
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Threshold};

use crate::dialect::{self, Part};
use crate::promql::{Expr, Operator};

/// One alerting rule. A rule of a strategy that judges several namespaces becomes several of them.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertingRule {
    /// The alert's name: the rule's.
    pub alert: String,
    /// The figure that is compared.
    pub value: Expr,
    /// With what; `None` where every series of the figure is past.
    pub threshold: Option<Threshold>,
    /// What must hold besides.
    pub guard: Option<Expr>,
    /// Prometheus's `for`.
    pub hold: Duration,
    /// Prometheus's `keep_firing_for`.
    pub keep_firing: Duration,
    /// Labels that every alert of it carries.
    pub labels: AlertLabels,
    /// Texts for people.
    pub annotations: Vec<(String, String)>,
}

impl AlertingRule {
    /// The expression that gives what is past the threshold.
    #[must_use]
    pub fn condition(&self) -> Expr {
        self.condition_at(self.threshold)
    }

    /// The same with another threshold.
    #[must_use]
    pub fn condition_at(&self, threshold: Option<Threshold>) -> Expr {
        let past = match threshold {
            Some(threshold) => {
                self.value.clone().with(operator(threshold.comparison), Expr::Number(threshold.value))
            }
            None => self.value.clone(),
        };
        match &self.guard {
            Some(guard) => past.with(Operator::And, guard.clone()),
            None => past,
        }
    }
}

fn operator(comparison: Comparison) -> Operator {
    match comparison {
        Comparison::Above => Operator::Above,
        Comparison::Below => Operator::Below,
        Comparison::AtLeast => Operator::AtLeast,
        Comparison::AtMost => Operator::AtMost,
    }
}

/// Name of the label that holds a rule's severity.
pub const SEVERITY: &str = "severity";
/// Name of the label that holds the strategy's name.
pub const STRATEGY: &str = "strategy";

/// A severity as the label writes it.
#[must_use]
pub const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// Writes one rule of a strategy in the names of its metrics.
///
/// # Errors
/// Where no metric shows what it judges, the reason in one sentence.
pub fn write(strategy: &Strategy, rule: &Rule) -> Result<Vec<AlertingRule>, String> {
    let parts = dialect::parts(strategy, &rule.subject, rule.window)?;
    parts.into_iter().map(|part| of_part(strategy, rule, part)).collect()
}

fn of_part(strategy: &Strategy, rule: &Rule, part: Part) -> Result<AlertingRule, String> {
    let guard = match (rule.minimum_lookups, part.lookups) {
        (0, _) => None,
        (least, Some(lookups)) => Some(lookups.with(Operator::AtLeast, Expr::Number(least as f64))),
        (_, None) => return Err("no metric shows how many lookups are behind it".to_owned()),
    };
    let mut labels = part.labels;
    labels.insert(SEVERITY.to_owned(), severity_name(rule.severity).to_owned());
    if !strategy.name.is_empty() {
        labels.insert(STRATEGY.to_owned(), strategy.name.clone());
    }
    let texts = [
        ("summary", &rule.summary),
        ("action", &rule.action),
        ("documented", &rule.documented),
        ("note", &rule.note),
    ];
    let mut annotations: Vec<(String, String)> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_owned(), text.clone()))
        .collect();
    let plans = [("playbook", &rule.playbook), ("warm", &rule.warm)];
    annotations.extend(plans.into_iter().filter_map(|(name, plan)| Some((name.to_owned(), plan.clone()?))));
    Ok(AlertingRule {
        alert: rule.name.clone(),
        value: part.value,
        threshold: rule.threshold,
        guard,
        hold: rule.for_duration,
        keep_firing: rule.keep_firing_for,
        labels,
        annotations,
    })
}
