//! Whom alerts are told, and when they are not: silences, acknowledgements, quiet hours, channels.

use serde::{Deserialize, Serialize};

use crate::alert::AlertLabels;
use crate::deployment::DeploymentId;
use crate::strategy::Severity;
use crate::time::Timestamp;

/// One alert for good: the deployment, the rule and the thing it judges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
pub struct AlertRef {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// The rule's name.
    pub rule: String,
    /// What it is about.
    pub labels: AlertLabels,
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// The label has this value.
    #[default]
    Is,
    /// The label has another value, or there is none.
    IsNot,
    /// The value is like this one, where `*` stands for any characters.
    Like,
}

/// Says something about one label of an alert. Beside the alert's own there are `rule`, `severity` and
/// `deployment` (its name or its identity).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
pub struct Matcher {
    /// Name of the label.
    pub label: String,
    /// How it is compared.
    pub matching: Matching,
    /// With what.
    pub value: String,
}

/// Keeps quiet about the alerts that all of its matchers fit, until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Silence {
    /// Its number; 0 for a new one.
    #[ts(type = "number")]
    pub id: i64,
    /// At least one.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Why, for the next one on call.
    pub comment: String,
}

/// Somebody looks after a firing alert: it is told no more until it fires anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Acknowledgement {
    /// Which alert.
    pub alert: AlertRef,
    /// The firing that was seen: a later one is news.
    pub fired_at: Timestamp,
    /// When.
    pub at: Timestamp,
    /// What is being done; may be empty.
    pub comment: String,
}

/// When notifications wait until morning. Alerts are judged and shown all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct QuietHours {
    /// Whether they are kept at all.
    pub on: bool,
    /// From this minute of the local day, 0 to 1,439.
    pub from_minute: u16,
    /// To this minute; one that is not later lies on the next day.
    pub to_minute: u16,
    /// The days on which they begin, Monday is 0.
    pub days: Vec<u8>,
    /// Critical alerts are told all the same.
    pub except_critical: bool,
}

impl Default for QuietHours {
    fn default() -> Self {
        let days = (0..7).collect();
        Self { on: false, from_minute: 22 * 60, to_minute: 7 * 60, days, except_critical: true }
    }
}

/// What a channel speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A webhook that takes Slack's JSON, such as Slack, Mattermost, Rocket.Chat.
    Slack,
    /// A webhook that takes our JSON (`docs/telling.md`).
    #[default]
    Webhook,
    /// An Alertmanager, by its version 2 interface.
    Alertmanager,
}

/// Where alerts are sent beside the desktop. Its address and its token are secrets and stand elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Channel {
    /// Its identity.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it speaks.
    pub kind: ChannelKind,
    /// Whether anything is sent.
    pub on: bool,
    /// Alerts less severe than this are not sent.
    pub least: Severity,
    /// Whether the end of an alert is sent as well.
    pub resolved: bool,
    /// Scheme and host of its address: what may be shown.
    pub shown: String,
}

/// How the desktop tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct DesktopTelling {
    /// Whether there are notifications.
    pub notifications: bool,
    /// Whether they make a sound.
    pub sound: bool,
    /// Alerts less severe than this are not notified.
    pub least: Severity,
}

impl Default for DesktopTelling {
    fn default() -> Self {
        Self { notifications: true, sound: false, least: Severity::Warning }
    }
}
