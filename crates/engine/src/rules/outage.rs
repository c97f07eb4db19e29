//! What a time without evaluations does to alerts: a restart, or a machine that slept.

use std::time::Duration;

use cachescope_model::alert::{Alert, AlertState, EvaluationGap, Transition};
use cachescope_model::time::Timestamp;

use super::machine::{AlertMachine, Times, whole_millis};

/// Alerts of longer ago than this say nothing about now. Prometheus's `rules.alert.for-outage-tolerance`.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(60 * 60);
/// After an outage nothing that was pending fires earlier than this, and what has a shorter `for` waits for all of
/// it again. Prometheus's `rules.alert.for-grace-period`.
pub const FOR_GRACE_PERIOD: Duration = Duration::from_secs(10 * 60);

impl AlertMachine {
    /// Carries the alerts over a gap, before the first evaluation after it.
    ///
    /// Pending alerts by Prometheus's rule of restoring: the outage does not count as time in which the threshold
    /// was passed, and what is then left of `for` is at least the grace period. An alert that fires goes on firing
    /// where it is still past at the first evaluation (Prometheus forgets it and lets it fire anew, which would tell
    /// people a second time). After more than the tolerance nothing is carried over.
    pub(super) fn carry_over(&mut self, times: Times, gap: EvaluationGap) -> Vec<Transition> {
        let down = gap.to.millis().saturating_sub(gap.from.millis());
        if down > whole_millis(OUTAGE_TOLERANCE) {
            return self.forget(gap);
        }
        for alert in self.alerts.values_mut().filter(|alert| alert.state != AlertState::Resolved) {
            alert.gap = Some(gap);
            if alert.state == AlertState::Pending {
                alert.active_at = active_after(alert.active_at, times.hold, gap, down);
            }
        }
        Vec::new()
    }

    fn forget(&mut self, gap: EvaluationGap) -> Vec<Transition> {
        let at = gap.to;
        let mut transitions = Vec::new();
        let mut ended = |alert: &mut Alert, to: AlertState| {
            let from = alert.state;
            alert.gap = Some(gap);
            alert.reason = "the rule was not evaluated for more than an hour".to_owned();
            transitions.push(Transition { at, from, to, alert: Alert { state: to, ..alert.clone() } });
            alert.state = to;
        };
        self.alerts.retain(|_, alert| match alert.state {
            AlertState::Firing => {
                (alert.resolved_at, alert.keep_firing_since) = (Some(at), None);
                ended(alert, AlertState::Resolved);
                true
            }
            AlertState::Resolved => true,
            AlertState::Pending | AlertState::Inactive => {
                ended(alert, AlertState::Inactive);
                false
            }
        });
        transitions
    }
}

/// Since when a pending alert counts as active after an outage.
fn active_after(active_at: Timestamp, hold: Duration, gap: EvaluationGap, down: i64) -> Timestamp {
    let (hold, grace) = (whole_millis(hold), whole_millis(FOR_GRACE_PERIOD));
    if hold < grace {
        return gap.to;
    }
    let left = hold.saturating_sub(gap.from.millis().saturating_sub(active_at.millis()));
    if left <= 0 {
        active_at // Long enough already; it waited for certainty.
    } else if left < grace {
        gap.to.plus_millis(grace.saturating_sub(hold))
    } else {
        active_at.plus_millis(down)
    }
}
