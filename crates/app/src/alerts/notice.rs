//! The words of a notification.

use cachescope_model::strategy::Severity;
use cachescope_model::telling::AlertRef;

use super::silencing::severity_name;
use crate::frame_size::shortened;

/// Characters of a title and of a body; daemons cut longer ones themselves, each elsewhere.
const MOST_TITLE: usize = 100;
const MOST_BODY: usize = 400;
/// Alerts beside the worst that are named.
const MOST_NAMED: usize = 3;

/// What the desktop is to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// A few sentences.
    pub body: String,
    /// How loud.
    pub severity: Severity,
    /// Whether it makes a sound.
    pub sound: bool,
    /// What a click opens: the worst of the alerts.
    pub alert: AlertRef,
}

/// How everything stands, for the tray.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The worst firing alert, quiet ones left out; `None` where nothing fires.
    pub worst: Option<Severity>,
    /// How many fire.
    pub firing: u32,
    /// How many are pending.
    pub pending: u32,
}

impl Standing {
    /// In words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.worst, self.firing, self.pending) {
            (Some(worst), 1, _) => format!("1 alert fires: {}", severity_name(worst)),
            (Some(worst), firing, _) => format!("{firing} alerts fire, the worst {}", severity_name(worst)),
            (None, _, 0) => "Nothing fires".to_owned(),
            (None, _, 1) => "Nothing fires, 1 alert is pending".to_owned(),
            (None, _, pending) => format!("Nothing fires, {pending} alerts are pending"),
        }
    }
}

/// An alert as it is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) alert: AlertRef,
    pub(crate) deployment_name: String,
    pub(crate) severity: Severity,
    pub(crate) summary: String,
    pub(crate) subject: String,
    /// Of the triage; empty where it is not known yet.
    pub(crate) sentence: String,
    pub(crate) action: String,
    pub(crate) value: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) since: cachescope_model::time::Timestamp,
    pub(crate) fired_at: Option<cachescope_model::time::Timestamp>,
    pub(crate) resolved_at: Option<cachescope_model::time::Timestamp>,
}

impl Told {
    /// `Sessions: hit rate below target`, or the head alone where it is about everything.
    pub(crate) fn head(&self) -> String {
        match self.subject.as_str() {
            "" => self.summary.clone(),
            subject => format!("{subject}: {}", self.summary),
        }
    }
}

/// The words for alerts that began together; `None` where there are none. `more` are counted and not named.
pub(crate) fn of(alerts: &[Told], more: usize, sound: bool) -> Option<Notice> {
    let mut sorted: Vec<&Told> = alerts.iter().collect();
    // Critical ones first; among those, what is about one thing says more than what is about everything.
    sorted.sort_by_key(|told| (std::cmp::Reverse(told.severity), told.subject.is_empty()));
    let worst = *sorted.first()?;
    let count = alerts.len() + more;
    let deployments: std::collections::BTreeSet<&str> =
        alerts.iter().map(|told| told.deployment_name.as_str()).collect();
    let place = match deployments.len() {
        1 => worst.deployment_name.clone(),
        many => format!("{many} deployments"),
    };
    let title = match count {
        1 => format!("{place}: {}", worst.head()),
        count => format!("{place}: {count} alerts, {} the worst", severity_name(worst.severity)),
    };
    let mut body = match (count, worst.sentence.as_str()) {
        (1, "") => worst.action.clone(),
        (_, "") => worst.head(),
        (_, sentence) => sentence.to_owned(),
    };
    if count > 1 {
        let others: Vec<String> = sorted.iter().skip(1).take(MOST_NAMED).map(|told| told.head()).collect();
        if !others.is_empty() {
            body = format!("{}\nAlso: {}", shortened(&body, MOST_BODY / 2), others.join("; "));
        }
        let unnamed = count - 1 - others.len();
        if unnamed > 0 {
            body.push_str(&format!("; {unnamed} more"));
        }
    }
    Some(Notice {
        title: shortened(&title, MOST_TITLE),
        body: shortened(&body, MOST_BODY),
        severity: worst.severity,
        sound,
        alert: worst.alert.clone(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use cachescope_model::deployment::DeploymentId;
    use cachescope_model::time::Timestamp;

    use super::*;

    pub(crate) fn told(deployment: &str, subject: &str, severity: Severity) -> Told {
        Told {
            alert: AlertRef {
                deployment: DeploymentId(deployment.to_owned()),
                rule: "LowHitRate".to_owned(),
                labels: [("namespace".to_owned(), subject.to_owned())].into(),
            },
            deployment_name: deployment.to_owned(),
            severity,
            summary: "hit rate below target".to_owned(),
            subject: subject.to_owned(),
            sentence: String::new(),
            action: "Warm the cache.".to_owned(),
            value: Some(0.71),
            threshold: Some(0.95),
            since: Timestamp::from_seconds(1_000),
            fired_at: Some(Timestamp::from_seconds(1_060)),
            resolved_at: None,
        }
    }

    #[test]
    fn one_alert_is_told_by_its_head_and_many_by_their_number_and_the_worst() {
        use Severity::{Critical, Warning};
        let one = of(&[told("prod", "Sessions", Warning)], 0, false).expect("there is one");
        assert_eq!(one.title, "prod: Sessions: hit rate below target");
        assert_eq!(one.body, "Warm the cache.");

        let mut many: Vec<Told> = (0..6).map(|n| told("prod", &format!("N{n}"), Warning)).collect();
        many.push(told("prod", "Sessions", Critical));
        let many = of(&many, 93, true).expect("there are some");
        assert_eq!(many.title, "prod: 100 alerts, critical the worst");
        assert!(many.body.starts_with("Sessions: hit rate below target\nAlso: N0"), "{}", many.body);
        assert!(many.body.ends_with("; 96 more"), "{}", many.body);
        assert_eq!((many.severity, many.sound), (Critical, true));
        assert_eq!(many.alert.labels["namespace"], "Sessions");
    }

    #[test]
    fn several_deployments_are_named_by_their_number_and_nothing_makes_no_notice() {
        let alerts = [told("a", "X", Severity::Warning), told("b", "X", Severity::Warning)];
        let notice = of(&alerts, 0, false).expect("there are some");
        assert_eq!(notice.title, "2 deployments: 2 alerts, warning the worst");
        assert_eq!(of(&[], 3, false), None);
    }

    #[test]
    fn the_longest_words_are_cut() {
        let long = Told { summary: "x".repeat(5_000), ..told("d", "n", Severity::Info) };
        let notice = of(&[long.clone(), long], 0, false).expect("there are some");
        assert!(notice.title.chars().count() <= MOST_TITLE + 1);
        assert!(notice.body.chars().count() <= MOST_BODY + 1);
    }
}
