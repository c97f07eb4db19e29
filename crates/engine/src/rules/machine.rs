//! The states of one rule's alerts, as Prometheus's `rules/alerting.go` moves them.

use std::collections::BTreeMap;
use std::time::Duration;

use cachescope_model::alert::{Alert, AlertLabels, AlertState, Transition};
use cachescope_model::duration;
use cachescope_model::strategy::Rule;
use cachescope_model::time::Timestamp;

use super::sample::Sample;

/// How long a resolved alert is kept, so that whoever looks late still sees it.
pub const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// What a rule says about how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How long the threshold must be passed before an alert fires.
    pub hold: Duration,
    /// How long it goes on firing after the threshold is no longer passed.
    pub keep_firing: Duration,
}

impl From<&Rule> for Times {
    fn from(rule: &Rule) -> Self {
        Self { hold: rule.for_duration, keep_firing: rule.keep_firing_for }
    }
}

/// A figure that is past its threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The figure.
    pub sample: Sample,
    /// Why it is not certain enough to fire; `None` where it is.
    pub doubt: Option<String>,
}

/// Two figures of one rule carry the same labels, so that their alerts could not be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate(pub AlertLabels);

/// The alerts of one rule.
#[derive(Clone, Debug, Default)]
pub struct AlertMachine {
    pub(super) alerts: BTreeMap<AlertLabels, Alert>,
}

impl AlertMachine {
    /// Every alert that is pending, firing or resolved, by its labels.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// Whether there is no alert.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// One evaluation at `at`, with the figures that are past the threshold. What is not among them is absent,
    /// which clears a pending alert at once and resolves one that fires. `reason` says of an absent one why.
    ///
    /// # Errors
    /// When two figures carry the same labels; all alerts stay as they are.
    pub fn step(
        &mut self,
        rule: &str,
        times: Times,
        at: Timestamp,
        past: Vec<Past>,
        reason: impl Fn(&AlertLabels) -> String,
    ) -> Result<Vec<Transition>, Duplicate> {
        let mut present: BTreeMap<AlertLabels, Past> = BTreeMap::new();
        for mut past in past {
            let labels = std::mem::take(&mut past.sample.labels);
            if present.contains_key(&labels) {
                return Err(Duplicate(labels));
            }
            present.insert(labels, past);
        }
        let mut transitions = Vec::new();
        self.alerts.retain(|labels, alert| {
            if present.contains_key(labels) {
                return true;
            }
            absent(alert, times, at, &reason, &mut transitions)
        });
        for (labels, past) in present {
            let alert =
                self.alerts.entry(labels).or_insert_with_key(|labels| begun(rule, labels.clone(), at));
            let from = match alert.state {
                AlertState::Resolved => {
                    *alert = begun(rule, std::mem::take(&mut alert.labels), at);
                    AlertState::Resolved
                }
                state => state,
            };
            present_again(alert, past, times, at);
            if alert.state != from {
                transitions.push(Transition { at, from, to: alert.state, alert: alert.clone() });
            }
        }
        Ok(transitions)
    }
}

fn begun(rule: &str, labels: AlertLabels, at: Timestamp) -> Alert {
    Alert {
        rule: rule.to_owned(),
        labels,
        state: AlertState::Inactive,
        active_at: at,
        fired_at: None,
        resolved_at: None,
        value: None,
        low: None,
        high: None,
        keep_firing_since: None,
        gap: None,
        reason: String::new(),
    }
}

fn present_again(alert: &mut Alert, past: Past, times: Times, at: Timestamp) {
    alert.keep_firing_since = None;
    (alert.value, alert.low, alert.high) = (past.sample.value, past.sample.low, past.sample.high);
    if alert.state == AlertState::Inactive {
        alert.state = AlertState::Pending;
    }
    let long_enough = lasted(alert.active_at, at, times.hold);
    if alert.state == AlertState::Pending && long_enough && past.doubt.is_none() {
        alert.state = AlertState::Firing;
        alert.fired_at = Some(at);
    }
    alert.reason = match past.doubt {
        Some(doubt) => doubt,
        None => past.sample.assumption().to_owned(),
    };
}

/// What happens to an alert whose threshold is not passed; whether it stays.
fn absent(
    alert: &mut Alert,
    times: Times,
    at: Timestamp,
    reason: impl Fn(&AlertLabels) -> String,
    transitions: &mut Vec<Transition>,
) -> bool {
    let from = alert.state;
    if from == AlertState::Firing && times.keep_firing > Duration::ZERO {
        let since = *alert.keep_firing_since.get_or_insert(at);
        if !lasted(since, at, times.keep_firing) {
            let kept = format!("no longer past, kept firing for {}", duration::format(times.keep_firing));
            alert.reason = match reason(&alert.labels) {
                why if why.is_empty() => kept,
                why => format!("{kept}: {why}"),
            };
            return true;
        }
    }
    match from {
        AlertState::Firing => {
            alert.state = AlertState::Resolved;
            alert.resolved_at = Some(at);
            alert.keep_firing_since = None;
            alert.reason = reason(&alert.labels);
            transitions.push(Transition { at, from, to: alert.state, alert: alert.clone() });
            true
        }
        AlertState::Resolved => {
            // Longer than the retention, not as long as it.
            let since = alert.resolved_at.unwrap_or(at);
            if millis(at, since) <= whole_millis(RESOLVED_RETENTION) {
                return true;
            }
            transitions.push(Transition { at, from, to: AlertState::Inactive, alert: alert.clone() });
            false
        }
        AlertState::Pending | AlertState::Inactive => {
            alert.reason = reason(&alert.labels);
            transitions.push(Transition { at, from, to: AlertState::Inactive, alert: alert.clone() });
            false
        }
    }
}

/// Whether `duration` has gone by from `since` to `at`: as long as counts.
fn lasted(since: Timestamp, at: Timestamp, duration: Duration) -> bool {
    millis(at, since) >= whole_millis(duration)
}

fn millis(at: Timestamp, since: Timestamp) -> i64 {
    at.millis().saturating_sub(since.millis())
}

pub(super) fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
