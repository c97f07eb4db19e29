//! Which alerts make one notification.

use std::collections::BTreeMap;
use std::time::Duration;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::strategy::Severity;
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;

use super::Pace;

/// Deployments that are told of one by one; more at once have a cause of their own and make one notification.
const MOST_APART: usize = 3;

/// Alerts of one group that are held by name, the most severe; the others are only counted.
const MOST_HELD: usize = 500;

/// Alerts that are told together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// They, the most severe first and then in the order in which they began.
    pub(crate) alerts: Vec<AlertRef>,
    /// How many more there are.
    pub(crate) more: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    since: Timestamp,
    /// The most severe first, and of one severity the oldest.
    alerts: Vec<(Severity, AlertRef)>,
    more: usize,
}

impl Waiting {
    fn into_group(self) -> Group {
        Group { alerts: self.alerts.into_iter().map(|(_, alert)| alert).collect(), more: self.more }
    }
}

/// Collects what began, and gives it back in groups.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    pace: Pace,
    waiting: BTreeMap<DeploymentId, Waiting>,
    told: BTreeMap<DeploymentId, Timestamp>,
}

impl Grouping {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, waiting: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// An alert began.
    pub(crate) fn add(&mut self, at: Timestamp, severity: Severity, alert: AlertRef) {
        let empty = || Waiting { since: at, alerts: Vec::new(), more: 0 };
        let waiting = self.waiting.entry(alert.deployment.clone()).or_insert_with(empty);
        if waiting.alerts.iter().any(|(_, known)| *known == alert) {
            return;
        }
        let place = waiting.alerts.partition_point(|(known, _)| *known >= severity);
        waiting.alerts.insert(place, (severity, alert));
        if waiting.alerts.len() > MOST_HELD {
            waiting.alerts.truncate(MOST_HELD);
            waiting.more += 1;
        }
    }

    /// The groups that are to be told now.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Group> {
        let Pace { group_for, tell_again_after, .. } = self.pace;
        let passed = |since: Timestamp, length: Duration| now.seconds_since(since) >= length.as_secs_f64();
        let ready = |id: &DeploymentId, waiting: &Waiting| {
            passed(waiting.since, group_for)
                && self.told.get(id).is_none_or(|told| passed(*told, tell_again_after))
        };
        let mut due: Vec<DeploymentId> = self
            .waiting
            .iter()
            .filter(|(id, waiting)| ready(id, waiting))
            .map(|(id, _)| id.clone())
            .collect();
        if due.is_empty() {
            return Vec::new();
        }
        if self.waiting.len() > MOST_APART {
            // So many at once are one incident: those that still wait come along.
            due = self.waiting.keys().cloned().collect();
        }
        let mut groups = Vec::new();
        for id in due {
            if let Some(waiting) = self.waiting.remove(&id) {
                groups.push(waiting.into_group());
                self.told.insert(id, now);
            }
        }
        self.told.retain(|_, told| !passed(*told, tell_again_after));
        if groups.len() <= MOST_APART {
            return groups;
        }
        let mut all = Group::default();
        for group in groups {
            all.alerts.extend(group.alerts);
            all.more += group.more;
        }
        all.more += all.alerts.len().saturating_sub(MOST_HELD);
        all.alerts.truncate(MOST_HELD);
        vec![all]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(deployment: &str, number: usize) -> AlertRef {
        AlertRef {
            deployment: DeploymentId(deployment.to_owned()),
            rule: "LowHitRate".to_owned(),
            labels: [("namespace".to_owned(), format!("n{number}"))].into(),
        }
    }

    fn sizes(groups: &[Group]) -> Vec<usize> {
        groups.iter().map(|group| group.alerts.len() + group.more).collect()
    }

    #[test]
    fn a_hundred_alerts_at_once_make_one_group_and_what_follows_within_a_minute_the_next() {
        let mut grouping = Grouping::new(Pace::default());
        for number in 0..100 {
            grouping.add(Timestamp(1_000 + number as i64 * 50), Severity::Warning, alert("d", number));
        }
        assert_eq!(sizes(&grouping.due(Timestamp(10_999))), [0; 0], "the first one waits for the others");
        assert_eq!(sizes(&grouping.due(Timestamp(11_000))), [100]);
        for number in 100..103 {
            grouping.add(Timestamp(12_000 + number as i64), Severity::Warning, alert("d", number));
        }
        assert_eq!(sizes(&grouping.due(Timestamp(40_000))), [0; 0]);
        assert_eq!(sizes(&grouping.due(Timestamp(71_000))), [3]);
    }

    #[test]
    fn an_alert_is_told_once_however_often_it_is_added_and_none_is_lost_beyond_the_bound() {
        let mut grouping = Grouping::new(Pace::default());
        for _ in 0..5 {
            grouping.add(Timestamp(0), Severity::Warning, alert("d", 1));
        }
        for number in 2..1_001 {
            grouping.add(Timestamp(0), Severity::Warning, alert("d", number));
        }
        let groups = grouping.due(Timestamp(10_000));
        assert_eq!((groups[0].alerts.len(), groups[0].more), (MOST_HELD, 500));
    }

    #[test]
    fn in_a_flood_the_most_severe_are_named_whenever_they_came() {
        let mut grouping = Grouping::new(Pace::default());
        for number in 0..2_000 {
            let severity = match number {
                1_990 => Severity::Critical,
                700..710 => Severity::Warning,
                _ => Severity::Info,
            };
            grouping.add(Timestamp(number as i64), severity, alert("d", number));
        }
        let group = &grouping.due(Timestamp(20_000))[0];
        assert_eq!((group.alerts.len(), group.more), (MOST_HELD, 1_500));
        let named: Vec<&str> = group.alerts.iter().map(|it| it.labels["namespace"].as_str()).collect();
        assert_eq!(named[..3], ["n1990", "n700", "n701"]);
        assert_eq!(named[11..13], ["n0", "n1"]);
    }

    #[test]
    fn a_few_deployments_are_told_of_apart_and_many_at_once_together() {
        for (deployments, told) in [(1, vec![2]), (3, vec![2, 2, 2]), (4, vec![8]), (50, vec![100])] {
            let mut grouping = Grouping::new(Pace::default());
            for number in 0..deployments {
                for of in 0..2 {
                    grouping.add(
                        Timestamp(number as i64),
                        Severity::Warning,
                        alert(&format!("d{number:02}"), of),
                    );
                }
            }
            assert_eq!(sizes(&grouping.due(Timestamp(10_000 + 100))), told, "{deployments} deployments");
            assert_eq!(sizes(&grouping.due(Timestamp(900_000))), [0; 0]);
        }
    }
}
