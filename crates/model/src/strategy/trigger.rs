//! What sets a playbook or a warm plan off.

use std::fmt;

use serde::Serialize;

/// A cron expression of five fields, in UTC. Whether it is a valid one, the loader has checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Cron(pub String);

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What sets something off.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Something happened in the application or its surroundings, in the document's words.
    Event(String),
    /// The clock, in UTC.
    Schedule(Cron),
}

/// The event in the document's words, or the cron expression with its time zone.
impl fmt::Display for Trigger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => formatter.write_str(event),
            Self::Schedule(cron) => write!(formatter, "{cron} UTC"),
        }
    }
}
