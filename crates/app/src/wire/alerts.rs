//! Alerts, who is told of them, and the timeline they stand in.

use cachescope_model::alert::{Alert, AlertLabels, RuleHealth};
use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkKind};
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::strategy::Severity;
use cachescope_model::telling::{
    Acknowledgement, AlertRef, Channel, ChannelKind, DesktopTelling, Matcher, QuietHours, Silence,
};
use cachescope_model::time::Timestamp;
use cachescope_model::triage::Triage;
use serde::{Deserialize, Serialize};

/// How many alerts there are. Those that somebody has acknowledged or silenced count as quiet only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct AlertCounts {
    /// Firing and critical.
    pub critical: u32,
    /// Firing and a warning.
    pub warning: u32,
    /// Firing and for information.
    pub info: u32,
    /// Pending.
    pub pending: u32,
    /// Firing, but acknowledged or silenced.
    pub quiet: u32,
    /// Rules that could not be judged because of an error.
    pub failing: u32,
}

/// A playbook or a warm plan of the strategy, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct PlanRef {
    /// Its name in the strategy.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// An alert with everything that is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct AlertView {
    /// Which alert: goes back with acknowledgements.
    pub alert_ref: AlertRef,
    /// The deployment's name.
    pub deployment_name: String,
    /// Its state, times and value.
    pub alert: Alert,
    /// How loud.
    pub severity: Severity,
    /// Its head, one sentence of the strategy.
    pub summary: String,
    /// What it is about, in words: a namespace's title, a tenant, a layer; empty for the whole deployment.
    pub subject: String,
    /// The template of its namespace, for links; `None` where it is not about one.
    pub namespace: Option<String>,
    /// Its threshold; `None` where a query says it itself.
    pub threshold: Option<f64>,
    /// Whether being above it is the trouble.
    pub above: bool,
    /// Unit of value and threshold; `None` where a query does not say.
    pub unit: Option<Unit>,
    /// Which reading it judges; `None` for a signal or a query.
    pub reading: Option<ReadingKind>,
    /// Over how many seconds it is judged.
    pub window_seconds: u32,
    /// The expression or sentence as the document writes it.
    pub documented: String,
    /// What the document says to do; empty where it says nothing.
    pub action: String,
    /// Playbooks that fit, the documented one first.
    pub playbooks: Vec<PlanRef>,
    /// Warm plans that fit, the documented one first.
    pub warm_plans: Vec<PlanRef>,
    /// Who looks after it.
    pub acknowledged: Option<Acknowledgement>,
    /// The silence that covers it.
    pub silenced_by: Option<Silence>,
    /// What it is about; of firing alerts only.
    pub triage: Option<Triage>,
}

/// A rule and whether it can be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RuleView {
    /// Its name.
    pub rule: String,
    /// How loud.
    pub severity: Severity,
    /// Its head.
    pub summary: String,
    /// What is judged, on which side of what, for how long, in words.
    pub condition: String,
    /// Whether it could be judged.
    pub health: RuleHealth,
    /// Why not, and what would enable it; empty where it could.
    pub detail: String,
    /// When it was last evaluated.
    pub evaluated_at: Option<Timestamp>,
    /// How many things it judged.
    pub judged: u32,
    /// How many of them had no data.
    pub without_data: u32,
    /// How many of its alerts fire.
    pub firing: u32,
    /// How many of its alerts are pending.
    pub pending: u32,
    /// The expression or sentence as the document writes it.
    pub documented: String,
    /// How what is judged differs from what is written; empty where it doesn't.
    pub note: String,
}

/// How the judging itself goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Evaluation {
    /// Seconds from one evaluation to the next.
    pub interval_seconds: f64,
    /// When the last one was.
    pub last_at: Option<Timestamp>,
    /// Evaluations that were left out since watching began, because the machine slept or was too slow.
    #[ts(type = "number")]
    pub skipped: u64,
    /// Since when states were taken up again after this program was off; `None` where there was nothing.
    pub restored_from: Option<Timestamp>,
}

/// The alerts of one deployment, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct AlertsPage {
    /// When.
    pub at: Timestamp,
    /// Pending, firing and resolved ones, the worst first; at most 500.
    pub alerts: Vec<AlertView>,
    /// How many there are in all.
    pub total: u32,
    /// Their numbers.
    pub counts: AlertCounts,
}

/// The rules of one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RulesPage {
    /// How the judging goes.
    pub evaluation: Evaluation,
    /// Its rules, in the strategy's order.
    pub rules: Vec<RuleView>,
}

/// An alert of a Prometheus server, in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ForeignAlert {
    /// `alertname`.
    pub name: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
    /// Its labels without the name.
    pub labels: AlertLabels,
    /// Its annotations.
    pub annotations: AlertLabels,
    /// Since when.
    pub active_at: Option<Timestamp>,
    /// Its value.
    pub value: Option<f64>,
}

/// A rule of a Prometheus server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ForeignRule {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its expression.
    pub query: String,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// The server's words on what went wrong; empty where nothing did.
    pub last_error: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
    /// Seconds of its `for`.
    pub for_seconds: f64,
}

/// The alerts of the deployment's own Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct ForeignAlerts {
    /// Its address; empty where there is no Prometheus.
    pub server: String,
    /// When it last answered.
    pub at: Option<Timestamp>,
    /// What is the matter, one sentence; empty where nothing is.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// Pending and firing ones, firing first; at most 200.
    pub alerts: Vec<ForeignAlert>,
    /// How many there are in all.
    pub total: u32,
    /// Its alerting rules; at most 500.
    pub rules: Vec<ForeignRule>,
}

/// A channel as typed. Secrets travel inwards only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ChannelDraft {
    /// Which one is changed; `None` for a new one.
    pub id: Option<String>,
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
    /// Its address with everything secret in it; `None` leaves the one that is kept.
    pub url: Option<String>,
    /// A bearer token; `None` leaves the one that is kept, an empty one forgets it.
    pub token: Option<String>,
}

/// A channel and how its last delivery went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ChannelView {
    /// What is kept.
    pub channel: Channel,
    /// Whether it has a bearer token.
    pub has_token: bool,
    /// When something was last delivered.
    pub delivered_at: Option<Timestamp>,
    /// What is the matter with it, one sentence; empty where nothing is.
    pub trouble: String,
    /// Messages that wait to be delivered.
    pub waiting: u32,
    /// Messages that were given up since the program began.
    #[ts(type = "number")]
    pub given_up: u64,
}

/// How a test message went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ChannelTest {
    /// Whether it was taken.
    pub delivered: bool,
    /// In words.
    pub sentence: String,
}

/// How people are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TellingView {
    /// How the desktop tells.
    pub desktop: DesktopTelling,
    /// Why the desktop can't; empty where it can.
    pub desktop_trouble: String,
    /// When notifications wait.
    pub quiet_hours: QuietHours,
    /// Whether they wait now.
    pub quiet_now: bool,
    /// Alerts of one cause that begin within so many seconds are told together.
    pub group_seconds: u32,
    /// Where alerts are sent beside the desktop.
    pub channels: Vec<ChannelView>,
}

/// A silence as typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SilenceDraft {
    /// Which one is changed; `None` for a new one.
    #[ts(type = "number | null")]
    pub id: Option<i64>,
    /// At least one.
    pub matchers: Vec<Matcher>,
    /// From when; `None` from now on.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
    /// Why; must say something.
    pub comment: String,
}

/// A silence and what it covers now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SilenceView {
    /// The silence.
    pub silence: Silence,
    /// Whether it holds now.
    pub active: bool,
    /// How many firing or pending alerts it covers.
    pub covers: u32,
}

/// What an alert began to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum AlertTurn {
    /// The threshold was passed.
    Pending,
    /// It was passed long enough.
    Firing,
    /// It is over.
    Resolved,
    /// The threshold was no longer passed before it fired.
    Cleared,
}

/// What stands at one moment of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimelineWhat {
    /// An alert began or ended.
    Alert {
        /// Which one.
        alert_ref: AlertRef,
        /// What it began to do.
        turn: AlertTurn,
        /// How loud.
        severity: Severity,
        /// Its head.
        summary: String,
        /// What it is about, in words; empty for the whole deployment.
        #[serde(default)]
        subject: String,
        /// Its value then.
        value: Option<f64>,
        /// Unit of the value; `None` where a query does not say.
        #[serde(default)]
        unit: Option<Unit>,
    },
    /// A mark.
    Mark {
        /// The mark.
        mark: Mark,
    },
    /// Nothing was judged from here on: the program was off, or the machine slept.
    Gap {
        /// Until when.
        until: Timestamp,
    },
}

/// One entry of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// Of which deployment; `None` of all.
    pub deployment: Option<DeploymentId>,
    /// What.
    #[serde(flatten)]
    pub what: TimelineWhat,
}

/// A mark as typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct MarkDraft {
    /// Of which deployment; `None` of all.
    pub deployment: Option<DeploymentId>,
    /// When; `None` is now.
    pub at: Option<Timestamp>,
    /// What was done.
    pub kind: MarkKind,
    /// In words.
    pub text: String,
}
