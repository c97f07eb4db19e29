//! The alerts and alerting rules of a server itself (`/api/v1/alerts`, `/api/v1/rules`).

use std::collections::BTreeMap;

use cachescope_model::time::Timestamp;
use chrono::DateTime;
use serde::Deserialize;

use super::answer;
use super::number;
use super::query::PrometheusClient;
use crate::error::SourceError;

/// Characters of a label, an expression or an error that are taken over; a rule file may hold anything.
const MOST_CHARACTERS: usize = 2_000;

/// An alert of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerAlert {
    /// Its `alertname`.
    pub name: String,
    /// `pending` or `firing`.
    pub state: String,
    /// Its other labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Since when.
    pub active_at: Option<Timestamp>,
    /// Its value; `None` where it is no number.
    pub value: Option<f64>,
}

/// An alerting rule of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerRule {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its expression.
    pub query: String,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// What went wrong in the server's words; empty where nothing did.
    pub last_error: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
    /// Seconds of its `for`.
    pub for_seconds: f64,
}

#[derive(Deserialize)]
struct Alerts {
    #[serde(default)]
    alerts: Vec<RawAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAlert {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    active_at: Option<String>,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    name: String,
    #[serde(default)]
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRule {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    duration: f64,
}

impl PrometheusClient {
    /// The server's alerts that are pending or firing.
    ///
    /// # Errors
    /// When the server can't be reached, is no Prometheus, or has no rules to tell of.
    pub async fn alerts(&self) -> Result<Vec<ServerAlert>, SourceError> {
        let answer = self.get_below("api/v1/alerts").await?;
        let (told, _) = answer::open::<Alerts>(&answer, self.address(), "the question for its alerts")?;
        Ok(told.alerts.into_iter().map(ServerAlert::from).collect())
    }

    /// The server's alerting rules.
    ///
    /// # Errors
    /// As [`Self::alerts`].
    pub async fn alerting_rules(&self) -> Result<Vec<ServerRule>, SourceError> {
        let answer = self.get_below("api/v1/rules").await?;
        let (told, _) = answer::open::<Groups>(&answer, self.address(), "the question for its rules")?;
        let rules = told.groups.into_iter().flat_map(|group| {
            let Group { name, rules } = group;
            // Recording rules are told of as well.
            rules.into_iter().filter(|rule| rule.kind == "alerting").map(move |rule| ServerRule {
                name: cut(rule.name),
                group: cut(name.clone()),
                query: cut(rule.query),
                health: cut(rule.health),
                last_error: cut(rule.last_error),
                state: cut(rule.state),
                for_seconds: rule.duration,
            })
        });
        Ok(rules.collect())
    }
}

impl From<RawAlert> for ServerAlert {
    fn from(mut read: RawAlert) -> Self {
        let name = read.labels.remove("alertname").unwrap_or_default();
        let at = read.active_at.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let cut_all = |words: BTreeMap<String, String>| {
            words.into_iter().map(|(name, value)| (cut(name), cut(value))).collect()
        };
        Self {
            name: cut(name),
            state: cut(read.state),
            labels: cut_all(read.labels),
            annotations: cut_all(read.annotations),
            active_at: at.map(|at| Timestamp(at.timestamp_millis())),
            value: number::parse(read.value.as_bytes()),
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
