//! The plain shapes that requests and replies carry.

use cachescope_model::contents::NamespaceContents;
use cachescope_model::deployment::{Colour, Deployment, DeploymentId, Environment};
use cachescope_model::keys::NamespaceKeys;
use cachescope_model::reading::Certainty;
use cachescope_model::reading_kind::{ReadingKind, ReadingSpec};
use cachescope_model::snapshot::{HistoryPoint, MissCauses, NamespaceOrigin, NamespaceSnapshot};
use cachescope_model::source::{SourceId, SourceSpec};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use serde::{Deserialize, Serialize};

/// An answer that says no more than "done".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Nothing {}

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "kept", rename_all = "snake_case")]
pub enum SecretsPlace {
    /// In the keychain of the operating system.
    Keychain,
    /// In memory, until the program ends.
    SessionOnly {
        /// Why not in the keychain.
        reason: String,
    },
}

/// What this program is.
#[derive(Clone, Debug, PartialEq, Serialize, ts_rs::TS)]
pub struct AppInfo {
    /// Its version.
    pub version: String,
    /// Where secrets go, and why not to the keychain where they don't.
    pub secrets: SecretsPlace,
    /// Whether there is a keychain that can be asked again where they don't.
    pub keychain: bool,
    /// Something went wrong at start that the operator should know; empty where nothing did.
    pub notices: Vec<String>,
}

/// The registries of readings and sources.
#[derive(Clone, Debug, PartialEq, Serialize, ts_rs::TS)]
pub struct Registry {
    /// Every reading.
    pub readings: Vec<ReadingSpec>,
    /// Every source.
    pub sources: Vec<SourceSpec>,
}

/// Whether a deployment is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Trying for the first time.
    Connecting,
    /// Data arrives.
    Live,
    /// Some of its sources fail.
    Partial,
    /// It was reached and is not now; figures are as old as they say.
    Lost,
    /// It can't be reached.
    Failed,
}

/// A deployment as it is kept, with what the page needs to show its form again.
#[derive(Clone, Debug, PartialEq, Serialize, ts_rs::TS)]
pub struct DeploymentView {
    /// What is kept.
    pub deployment: Deployment,
    /// Whether a Redis password is known. It is never sent to the page.
    pub has_redis_password: bool,
    /// Whether a passphrase or password for the SSH server is known. It is never sent to the page.
    pub has_ssh_secret: bool,
    /// Whether a Prometheus password or token is known. It is never sent to the page.
    pub has_prometheus_secret: bool,
    /// Whether it belongs to the running demo.
    pub demo: bool,
    /// Which sources are on.
    pub sources_on: Vec<SourceId>,
}

/// A connection form as typed. Secrets travel inwards only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct DeploymentDraft {
    /// The deployment it changes; `None` makes a new one.
    pub id: Option<DeploymentId>,
    /// Its name; empty takes the host's.
    pub name: String,
    /// `None` counts as production.
    pub environment: Option<Environment>,
    /// `redis://`, `rediss://`, `unix://` or `host:port`; may hold user and password; empty for none.
    pub redis_url: String,
    /// Redis password, where it does not stand in the URL; `None` keeps the one that is known.
    pub redis_password: Option<String>,
    /// An SSH server to reach it through: `[user@]host[:port]` or an alias of the SSH configuration; empty for
    /// none.
    #[serde(default)]
    pub ssh: String,
    /// A private key's path for it; empty for what the configuration and the agent have.
    #[serde(default)]
    pub ssh_key_file: String,
    /// The passphrase of that key, or the password where no key is named; `None` keeps the one that is known.
    #[serde(default)]
    pub ssh_secret: Option<String>,
    /// Whether Prometheus and metrics pages are reached through the SSH server, too; without one it says nothing.
    #[serde(default)]
    pub ssh_http: bool,
    /// Base URL of a Prometheus; empty for none.
    pub prometheus_url: String,
    /// Bearer token for the Prometheus; `None` keeps the one that is known. Basic authentication stands in the URL.
    pub prometheus_token: Option<String>,
    /// Exposition pages.
    pub metrics_urls: Vec<String>,
    /// A built-in strategy's name or a file's path; empty for none.
    pub strategy: String,
    /// Own certificate authority, a PEM file's path; empty for the system's.
    pub ca_file: String,
    /// Client certificate, a PEM file's path; empty for none.
    pub cert_file: String,
    /// Key of the client certificate, a PEM file's path; empty for none.
    pub key_file: String,
    /// Deployments that belong together have the same; empty for none.
    #[serde(default)]
    pub group: String,
    /// What tells it from others at a glance.
    #[serde(default)]
    pub colour: Option<Colour>,
}

impl std::fmt::Debug for DeploymentDraft {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // URLs and passwords as typed may hold secrets: a draft prints only what can't.
        formatter
            .debug_struct("DeploymentDraft")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How a step of a connection test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It works.
    Ok,
    /// It works in part, or something is worth knowing.
    Warning,
    /// It does not work.
    Failed,
    /// Not tried, because an earlier step failed.
    Skipped,
}

/// One step of a connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ConnectionStep {
    /// What was tried (`"Reach 127.0.0.1:6379"`).
    pub title: String,
    /// How it ended.
    pub result: StepResult,
    /// One sentence.
    pub detail: String,
    /// What to do; empty where nothing is to be done.
    pub remedy: String,
    /// The host whose key would have to be trusted first, where that is why it does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub unknown_host: Option<UnknownHostKey>,
}

/// An SSH server, or a jump host on the way to it, whose key is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct UnknownHostKey {
    /// As the known hosts would call it.
    pub host: String,
    /// The kind of its key, such as `ED25519`.
    pub kind: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// A connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ConnectionReport {
    /// Whether it may be saved: everything needed works.
    pub usable: bool,
    /// Its steps in order.
    pub steps: Vec<ConnectionStep>,
    /// The approval that has the next test trust the unknown host of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub trust: Option<super::IssuedApproval>,
}

/// What one source can do here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SourceCapability {
    /// Which source.
    pub source: SourceId,
    /// Whether it works here.
    pub result: StepResult,
    /// Why, one sentence.
    pub detail: String,
    /// The exact line that would enable it; empty where nothing is missing.
    pub remedy: String,
}

/// What can be measured on a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct DoctorReport {
    /// Engine, version, mode and role, such as `redis 7.0.15, standalone, master`.
    pub server: String,
    /// Source by source.
    pub sources: Vec<SourceCapability>,
    /// A least-privilege user for viewing, as `ACL SETUSER` takes it.
    pub acl_line: String,
    /// The same for acting: viewing, and changing the settings that a source needs.
    pub acting_acl_line: String,
    /// The same for purging, undoing and warming as well.
    pub purging_acl_line: String,
    /// Configuration lines that would enable what is missing.
    pub config_lines: Vec<String>,
}

/// A strategy in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct StrategySummary {
    /// Name or path, as a deployment keeps it.
    pub name: String,
    /// Title of the document.
    pub title: String,
    /// One paragraph.
    pub summary: String,
    /// How many namespaces it documents.
    pub namespaces: u32,
    /// Whether it is built in.
    pub built_in: bool,
}

/// A strategy file as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct StrategyCheck {
    /// What it holds; `None` where it can't be used.
    pub summary: Option<StrategySummary>,
    /// What is wrong: file, line and remedy, one sentence each.
    pub problems: Vec<String>,
}

/// What adopting namespaces writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ts_rs::TS)]
pub struct AdoptionView {
    /// The strategy file.
    pub file: String,
    /// Whether it is a new file of ours: a copy of the built-in strategy, or one of its own.
    pub new_file: bool,
    /// The lines that are added; empty where every namespace stands in the file already.
    pub added: String,
    /// The names of the added namespaces.
    pub names: Vec<String>,
}

/// Which rows of the namespace table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RowQuery {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Over which window.
    pub window: Window,
    /// Only rows that this filter keeps, as [`crate::filter`] reads it; empty for all.
    pub filter: String,
    /// By what.
    pub sort: RowSort,
    /// Largest, or worst, first.
    pub descending: bool,
    /// First row.
    pub offset: u32,
    /// How many; at most 200.
    pub limit: u32,
    /// Whether hit-rate spark lines of the last 15 minutes are wanted.
    pub sparks: bool,
    /// Templates of rows that stand before all others, in whichever order they come; at most 200.
    #[serde(default)]
    pub pinned: Vec<String>,
}

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RowSort {
    /// How much needs attention: distance below the target weighted by traffic, then misses.
    #[default]
    Trouble,
    /// By name.
    Name,
    /// By a reading; rows without it come last.
    Reading {
        /// Which one.
        kind: ReadingKind,
    },
}

/// A reading in a table cell. Absent numbers are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Cell {
    /// The value, rounded to five significant digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub value: Option<f64>,
    /// How it was come by.
    pub certainty: Certainty,
    /// Lower end of the interval where estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub low: Option<f64>,
    /// Upper end of the interval where estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub high: Option<f64>,
    /// Index of the reason or assumption in [`RowPage::reasons`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<u16>,
}

/// One row of the namespace table. Its cells stand in the order of [`RowPage::columns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct Row {
    /// The template, which identifies it; empty for the remainder.
    pub namespace: String,
    /// What people call it.
    pub title: String,
    /// Where it comes from.
    pub origin: NamespaceOrigin,
    /// Documented time to live in seconds.
    pub documented_ttl_seconds: Option<f64>,
    /// Documented target hit rate.
    pub hit_rate_target: Option<f64>,
    /// Whether its hit rate is certainly below its target.
    pub below_target: bool,
    /// Its readings.
    pub cells: Vec<Cell>,
    /// Why its lookups missed.
    pub miss_causes: MissCauses,
    /// How many alerts about it fire, quiet ones left out.
    pub alerts: u32,
    /// The worst of them.
    pub worst_alert: Option<cachescope_model::strategy::Severity>,
    /// Hit rate of the last 15 minutes, oldest first; `None` is a gap. Empty unless asked for.
    pub spark: Vec<Option<f32>>,
}

/// A page of the namespace table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct RowPage {
    /// When the figures were taken.
    pub at: Timestamp,
    /// How many rows match.
    pub matching: u32,
    /// How many rows there are.
    pub total: u32,
    /// What the cells of a row are.
    pub columns: Vec<ReadingKind>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Reasons that cells point to.
    pub reasons: Vec<String>,
}

/// Everything about one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct NamespaceDetail {
    /// When.
    pub at: Timestamp,
    /// Its readings with source, interval, window and reason.
    pub snapshot: NamespaceSnapshot,
    /// What the strategy says about it, a fact a line.
    pub documented: Vec<Fact>,
    /// Keys that are looked up and missed most.
    pub keys: NamespaceKeys,
    /// What the last complete scan found in it; `None` where there was none.
    pub contents: Option<NamespaceContents>,
}

/// A documented fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Fact {
    /// What it is about (`"Invalidated on"`).
    pub label: String,
    /// What the document says.
    pub value: String,
}

/// The history of one reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct HistorySeries {
    /// Which reading.
    pub kind: ReadingKind,
    /// Its points, oldest first.
    pub points: Vec<HistoryPoint>,
}

/// How a table is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// RFC 4180.
    Csv,
    /// The same document as `cachescope snapshot --json`.
    Json,
}

/// Whether the demo can run, or runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct DemoStatus {
    /// Whether everything it needs is installed.
    pub available: bool,
    /// What is missing and how to install it; empty where nothing is.
    pub missing: Vec<String>,
    /// Its deployment while it runs.
    pub running: Option<DeploymentId>,
}
