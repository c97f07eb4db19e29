//! What is sent to a channel, by the language it speaks.

use cachescope_model::strategy::Severity;
use cachescope_model::time::Timestamp;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::alerts::notice::Told;
use crate::alerts::silencing::severity_name;
use crate::frame_size::shortened;

/// Alerts that one message names; the others are counted. Slack takes 100 attachments and advises 20.
const MOST_NAMED: usize = 20;
/// Characters of a sentence in a message.
const MOST_CHARACTERS: usize = 1_000;

/// Alerts that began, or ended, together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) resolved: bool,
    pub(crate) at: Timestamp,
    pub(crate) alerts: Vec<Told>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// RFC 3339 in UTC.
fn time(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.millis())
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn heading(message: &Message) -> String {
    let count = message.alerts.len() + message.more;
    let place = match message.alerts.first() {
        Some(first) if message.alerts.iter().all(|it| it.deployment_name == first.deployment_name) => {
            first.deployment_name.clone()
        }
        _ => "several deployments".to_owned(),
    };
    match (message.resolved, count, message.alerts.first()) {
        (false, 1, Some(only)) => format!("{place}: {}", only.head()),
        (true, 1, Some(only)) => format!("{place}: resolved: {}", only.head()),
        (false, count, _) => format!("{place}: {count} alerts fire"),
        (true, count, _) => format!("{place}: {count} alerts are resolved"),
    }
}

/// Slack's webhook format, which Mattermost and Rocket.Chat take as well. `&`, `<` and `>` are escaped as Slack
/// demands, so that no key name becomes a link or mentions everybody.
pub(super) fn slack(message: &Message) -> Value {
    let escaped = |text: &str| {
        let text = shortened(text, MOST_CHARACTERS);
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    };
    let attachment = |told: &Told| {
        let color = match (message.resolved, told.severity) {
            (true, _) => "good",
            (false, Severity::Critical) => "danger",
            (false, Severity::Warning) => "warning",
            (false, Severity::Info) => "#439fe0",
        };
        let mut words = told.sentence.clone();
        if !message.resolved && !told.action.is_empty() {
            words.push_str(&format!("\nThe document says: {}", told.action));
        }
        json!({
            "color": color,
            "title": escaped(&told.head()),
            "text": escaped(words.trim()),
            "footer": escaped(&format!("{}, since {}", severity_name(told.severity), time(told.since))),
            "fallback": escaped(&told.head()),
        })
    };
    let mut attachments: Vec<Value> = message.alerts.iter().take(MOST_NAMED).map(attachment).collect();
    let unnamed = message.more + message.alerts.len().saturating_sub(MOST_NAMED);
    if unnamed > 0 {
        attachments.push(json!({ "text": format!("and {unnamed} more") }));
    }
    json!({ "text": escaped(&heading(message)), "attachments": attachments })
}

/// Our own format, version 1.
pub(super) fn generic(message: &Message) -> Value {
    let status = if message.resolved { "resolved" } else { "firing" };
    let alert = |told: &Told| {
        json!({
            "deployment": told.deployment_name,
            "deployment_id": told.alert.deployment.0,
            "rule": told.alert.rule,
            "labels": told.alert.labels,
            "severity": severity_name(told.severity),
            "summary": told.summary,
            "subject": told.subject,
            "triage": told.sentence,
            "action": told.action,
            "value": told.value,
            "threshold": told.threshold,
            "active_at": time(told.since),
            "fired_at": told.fired_at.map(time),
            "resolved_at": told.resolved_at.map(time),
        })
    };
    json!({
        "version": 1,
        "status": status,
        "title": heading(message),
        "at": time(message.at),
        "alerts": message.alerts.iter().map(alert).collect::<Vec<_>>(),
        "more": message.more,
    })
}

/// Alertmanager's version 2 interface (`POST /api/v2/alerts`). Firing alerts end by themselves unless they are sent
/// again, as Prometheus has it: a sender that dies leaves nothing firing for ever.
pub(super) fn alertmanager(message: &Message, firing_until: Timestamp) -> Value {
    let alert = |told: &Told| {
        let mut labels = told.alert.labels.clone();
        labels.insert("alertname".to_owned(), told.alert.rule.clone());
        labels.insert("severity".to_owned(), severity_name(told.severity).to_owned());
        labels.insert("deployment".to_owned(), told.deployment_name.clone());
        labels.insert("deployment_id".to_owned(), told.alert.deployment.0.clone());
        // Labels without a value are no labels there.
        labels.retain(|_, value| !value.is_empty());
        let ends_at = match told.resolved_at {
            Some(resolved) if message.resolved => resolved,
            _ if message.resolved => message.at,
            _ => firing_until,
        };
        json!({
            "labels": labels,
            "annotations": {
                "summary": told.head(),
                "description": shortened(&told.sentence, MOST_CHARACTERS),
                "action": told.action,
            },
            "startsAt": time(told.fired_at.unwrap_or(told.since)),
            "endsAt": time(ends_at),
        })
    };
    Value::Array(message.alerts.iter().map(alert).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::notice::tests::told;

    fn message(resolved: bool, count: usize) -> Message {
        let alerts = (0..count).map(|_| told("prod", "Sessions", Severity::Critical)).collect();
        Message { resolved, at: Timestamp::from_seconds(2_000), alerts, more: 0 }
    }

    #[test]
    fn slack_gets_escaped_words_and_a_bounded_number_of_attachments() {
        let mut message = message(false, 30);
        message.alerts[0].sentence = "<!channel> a & b".to_owned();
        let sent = slack(&message);
        assert_eq!(sent["text"], "prod: 30 alerts fire");
        let attachments = sent["attachments"].as_array().expect("a list");
        assert_eq!(attachments.len(), 21);
        assert_eq!(attachments[20]["text"], "and 10 more");
        assert_eq!(attachments[0]["text"], "&lt;!channel&gt; a &amp; b\nThe document says: Warm the cache.");
        assert_eq!(attachments[0]["color"], "danger");
    }

    #[test]
    fn an_alertmanager_gets_labels_that_identify_and_an_end_that_comes_by_itself() {
        let until = Timestamp::from_seconds(2_240);
        let firing = alertmanager(&message(false, 1), until);
        assert_eq!(firing[0]["labels"]["alertname"], "LowHitRate");
        assert_eq!(firing[0]["labels"]["severity"], "critical");
        assert_eq!(firing[0]["labels"]["namespace"], "Sessions");
        assert_eq!(firing[0]["startsAt"], "1970-01-01T00:17:40.000Z");
        assert_eq!(firing[0]["endsAt"], "1970-01-01T00:37:20.000Z");
        let resolved = alertmanager(&message(true, 1), until);
        assert_eq!(resolved[0]["endsAt"], "1970-01-01T00:33:20.000Z");
    }

    #[test]
    fn the_generic_format_says_what_how_and_since_when() {
        let sent = generic(&message(true, 2));
        assert_eq!((&sent["version"], &sent["status"]), (&json!(1), &json!("resolved")));
        assert_eq!(sent["alerts"][0]["value"], json!(0.71));
        assert_eq!(sent["alerts"][0]["fired_at"], "1970-01-01T00:17:40.000Z");
        assert_eq!(sent["alerts"][0]["resolved_at"], Value::Null);
    }
}
