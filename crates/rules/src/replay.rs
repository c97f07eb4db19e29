//! Rules over series of a file: which alert is pending or firing at which evaluation.

use std::time::Duration;

use cachescope_engine::rules::Sample;
use cachescope_engine::rules::machine::{AlertMachine, Past, Times};
use cachescope_model::alert::{AlertLabels, AlertState};
use cachescope_model::time::Timestamp;
use serde::Serialize;

use crate::export::LeftOut;
use crate::promql::storage::METRIC_NAME;
use crate::promql::{Expr, Storage, eval, evaluate};
use crate::series::SeriesTest;
use crate::written::AlertingRule;

/// An alert that is pending or firing at an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// The evaluation, in seconds since the series' beginning.
    pub at: f64,
    /// The rule's name.
    pub rule: String,
    /// The alert's labels, as Prometheus gives them; the alert's name is `rule`.
    pub labels: AlertLabels,
    /// Pending or firing.
    pub state: AlertState,
    /// The test of the file that it belongs to; left out where there is one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

/// What a replay said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Alerts, in the order of evaluations and within one in the order of rules.
    pub alerts: Vec<Replayed>,
    /// Rules that could not be replayed.
    pub left_out: Vec<LeftOut>,
    /// Evaluations that failed, by rule: the first sentence of each.
    pub failed: Vec<LeftOut>,
}

/// A rule with its alerts.
struct Replaying<'a> {
    rule: &'a AlertingRule,
    condition: Expr,
    machine: AlertMachine,
    failed: Option<String>,
}

/// Evaluates every rule at every `interval` from 0 to the end of the series.
#[must_use]
pub fn replay(rules: &[AlertingRule], test: &SeriesTest, interval: Duration) -> Replay {
    let mut replay = Replay::default();
    let mut running = Vec::new();
    for rule in rules {
        let condition = rule.condition();
        match condition.foreign() {
            Some(text) => {
                let why = crate::promql::parse(text).err().unwrap_or_default();
                let reason = format!("its expression goes beyond what is evaluated here: {why}");
                replay.left_out.push(LeftOut { rule: rule.alert.clone(), reason });
            }
            None => {
                running.push(Replaying { rule, condition, machine: AlertMachine::default(), failed: None })
            }
        }
    }
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let until = i64::try_from(test.until.as_millis()).unwrap_or(i64::MAX);
    let mut at = Timestamp(0);
    while at.millis() <= until {
        for replaying in &mut running {
            replaying.step(at, &test.storage);
            let alerts = replaying.machine.alerts();
            let active =
                alerts.filter(|alert| matches!(alert.state, AlertState::Pending | AlertState::Firing));
            replay.alerts.extend(active.map(|alert| Replayed {
                at: at.seconds_since(Timestamp(0)),
                rule: alert.rule.clone(),
                labels: alert.labels.clone(),
                state: alert.state,
                test: None,
            }));
        }
        at = at.plus_millis(step);
    }
    let failed = running.into_iter().filter_map(|replaying| {
        replaying.failed.map(|reason| LeftOut { rule: replaying.rule.alert.clone(), reason })
    });
    replay.failed.extend(failed);
    replay
}

impl Replaying<'_> {
    /// One evaluation; one that fails leaves the alerts as they are.
    fn step(&mut self, at: Timestamp, storage: &Storage) {
        let past = evaluate(&self.condition, storage, at).and_then(eval::vector);
        let times = Times { hold: self.rule.hold, keep_firing: self.rule.keep_firing };
        let stepped = past.and_then(|elements| {
            let past = elements.into_iter().map(|(labels, value)| Past {
                sample: Sample::exact(alert_labels(labels, &self.rule.labels), value),
                doubt: None,
            });
            self.machine
                .step(&self.rule.alert, times, at, past.collect(), |_| String::new())
                .map_err(|_| "two of its series carry the same labels".to_owned())
        });
        if let Err(why) = stepped {
            self.failed.get_or_insert(why);
        }
    }
}

/// The labels of an alert: those of its series without the metric's name, and the rule's own, which win.
#[must_use]
pub fn alert_labels(mut series: AlertLabels, rule: &AlertLabels) -> AlertLabels {
    series.remove(METRIC_NAME);
    series.extend(rule.iter().map(|(name, value)| (name.clone(), value.clone())));
    series
}
