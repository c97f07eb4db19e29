//! Which alerts make one notification.

use std::collections::BTreeMap;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;

/// What begins within this time of the first alert of a deployment is told with it: an incident passes several
/// thresholds within two or three evaluations.
pub(crate) const GROUP_SECONDS: u32 = 10;
const GROUP_MILLIS: i64 = GROUP_SECONDS as i64 * 1000;

/// A deployment that was told of is told of again after this time at the earliest.
const AGAIN_MILLIS: i64 = 60_000;

/// Deployments that are told of one by one; more at once have a cause of their own and make one notification.
const MOST_APART: usize = 3;

/// Alerts of one group that are held by name; the others are only counted.
const MOST_HELD: usize = 500;

/// Alerts that are told together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// They, in the order in which they began.
    pub(crate) alerts: Vec<AlertRef>,
    /// How many more there are.
    pub(crate) more: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    since: Timestamp,
    group: Group,
}

/// Collects what began, and gives it back in groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grouping {
    waiting: BTreeMap<DeploymentId, Waiting>,
    told: BTreeMap<DeploymentId, Timestamp>,
}

impl Grouping {
    /// An alert began.
    pub(crate) fn add(&mut self, at: Timestamp, alert: AlertRef) {
        let empty = || Waiting { since: at, group: Group::default() };
        let waiting = self.waiting.entry(alert.deployment.clone()).or_insert_with(empty);
        if waiting.group.alerts.contains(&alert) {
            return;
        }
        if waiting.group.alerts.len() < MOST_HELD {
            waiting.group.alerts.push(alert);
        } else {
            waiting.group.more += 1;
        }
    }

    /// The groups that are to be told now.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Group> {
        let passed = |since: Timestamp, millis: i64| now.millis() - since.millis() >= millis;
        let ready = |id: &DeploymentId, waiting: &Waiting| {
            passed(waiting.since, GROUP_MILLIS)
                && self.told.get(id).is_none_or(|told| passed(*told, AGAIN_MILLIS))
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
                groups.push(waiting.group);
                self.told.insert(id, now);
            }
        }
        self.told.retain(|_, told| !passed(*told, AGAIN_MILLIS));
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
        let mut grouping = Grouping::default();
        for number in 0..100 {
            grouping.add(Timestamp(1_000 + number as i64 * 50), alert("d", number));
        }
        assert_eq!(sizes(&grouping.due(Timestamp(10_999))), [0; 0], "the first one waits for the others");
        assert_eq!(sizes(&grouping.due(Timestamp(11_000))), [100]);
        for number in 100..103 {
            grouping.add(Timestamp(12_000 + number as i64), alert("d", number));
        }
        assert_eq!(sizes(&grouping.due(Timestamp(40_000))), [0; 0]);
        assert_eq!(sizes(&grouping.due(Timestamp(71_000))), [3]);
    }

    #[test]
    fn an_alert_is_told_once_however_often_it_is_added_and_none_is_lost_beyond_the_bound() {
        let mut grouping = Grouping::default();
        for _ in 0..5 {
            grouping.add(Timestamp(0), alert("d", 1));
        }
        for number in 2..1_001 {
            grouping.add(Timestamp(0), alert("d", number));
        }
        let groups = grouping.due(Timestamp(10_000));
        assert_eq!((groups[0].alerts.len(), groups[0].more), (MOST_HELD, 500));
    }

    #[test]
    fn a_few_deployments_are_told_of_apart_and_many_at_once_together() {
        for (deployments, told) in [(1, vec![2]), (3, vec![2, 2, 2]), (4, vec![8]), (50, vec![100])] {
            let mut grouping = Grouping::default();
            for number in 0..deployments {
                for of in 0..2 {
                    grouping.add(Timestamp(number as i64), alert(&format!("d{number:02}"), of));
                }
            }
            assert_eq!(sizes(&grouping.due(Timestamp(10_000 + 100))), told, "{deployments} deployments");
            assert_eq!(sizes(&grouping.due(Timestamp(900_000))), [0; 0]);
        }
    }
}
