//! Requests and their replies.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::slow_command::SlowCommand;
use cachescope_model::source::SourceId;
use cachescope_model::telling::{AlertRef, DesktopTelling, QuietHours};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use serde::{Deserialize, Serialize};

use cachescope_actions::plan::HowToRun;
use cachescope_actions::run_state::{RunState, UndoResult};

use super::actions::*;
use super::alerts::*;
use super::document::StrategyDocument;
use super::places::*;
use super::prices::*;
use super::transfer::*;
use super::views::*;
use super::warm::*;

/// Declares each request with its reply once: from this follow [`Request`], [`Reply`] and the page's `Replies`
/// map from a request's name to the type of its answer.
macro_rules! requests {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $type:ty ),* $(,)? } -> $reply:ty; )*) => {
        /// What a shell can ask for.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
        #[serde(tag = "request", rename_all = "snake_case")]
        pub enum Request {
            $( $(#[$doc])* $name { $( $(#[$fdoc])* $field: $type ),* }, )*
        }

        /// What the app answers: under the request's name.
        #[derive(Clone, Debug, PartialEq, Serialize, ts_rs::TS)]
        #[serde(tag = "reply", content = "data", rename_all = "snake_case")]
        #[expect(clippy::large_enum_variant, reason = "one is made a request, and sent at once")]
        pub enum Reply {
            $( $(#[$doc])* $name($reply), )*
        }
    };
}

requests! {
    /// What this program is and how it keeps secrets.
    AppInfo {} -> AppInfo;
    /// Asks the keychain again after it failed: what lies in it is read, and deployments that were without begin anew.
    AskKeychain {} -> AppInfo;
    /// The link that leads to a place.
    LinkTo {
        /// Which one.
        place: Place,
    } -> String;
    /// Opens one more window, on a place.
    OpenWindow {
        /// Which one.
        place: Place,
    } -> Nothing;
    /// What becomes of the program when its last window is closed.
    WindowSettings {} -> WindowSettings;
    /// Changes that.
    StayInTray {
        /// Whether it stays in the tray.
        stay: bool,
    } -> WindowSettings;
    /// The registries of readings and sources.
    Registry {} -> Registry;
    /// Every deployment as it is kept.
    Deployments {} -> Vec<DeploymentView>;
    /// Tries a connection step by step, and keeps nothing but the key of a host that is to be trusted.
    TestConnection {
        /// The form as typed.
        draft: DeploymentDraft,
        /// The approval of the last test, where its unknown host is to be trusted: its key is added to the operator's
        /// known hosts.
        #[serde(default)]
        #[ts(optional)]
        trust: Option<String>,
    } -> ConnectionReport;
    /// Keeps a new deployment, or a changed one, and starts watching it.
    SaveDeployment {
        /// The form as typed.
        draft: DeploymentDraft,
    } -> DeploymentId;
    /// Stops watching a deployment and forgets it with its secrets.
    RemoveDeployment {
        /// Which one.
        deployment: DeploymentId,
    } -> Nothing;
    /// Every deployment as a file of ours, without a secret.
    ExportDeployments {} -> String;
    /// Reads a file of ours or of another program, and says what would become of its entries. Nothing that is kept is
    /// changed by one.
    ImportDeployments {
        /// The file's text.
        contents: String,
        /// Whether the new ones are added.
        keep: bool,
    } -> ImportReport;
    /// Looks for a Prometheus and for metrics pages at the usual ports of a Redis server's host, where that is in a
    /// private network or behind an SSH server that they are reached through.
    FindEndpoints {
        /// The form as typed.
        draft: DeploymentDraft,
    } -> Vec<TriedEndpoint>;
    /// Switches a source on or off for this session. Without an approval the slow log is read as it stands.
    SetSource {
        /// Which one.
        deployment: DeploymentId,
        /// Which source.
        source: SourceId,
        /// Whether it shall be on.
        on: bool,
        /// The approval of its price, where it changes settings of the server.
        #[serde(default)]
        #[ts(optional)]
        approval: Option<String>,
    } -> Nothing;
    /// What a source would cost and change; changes nothing.
    PreviewSource {
        /// Which one.
        deployment: DeploymentId,
        /// Which source.
        source: SourceId,
    } -> SourcePrice;
    /// What would be set so that keyspace events are announced; changes nothing.
    PreviewEvents {
        /// Which one.
        deployment: DeploymentId,
    } -> SourcePrice;
    /// Has keyspace events announced until they are restored, the source is switched off or this program ends.
    EnableEvents {
        /// Which one.
        deployment: DeploymentId,
        /// The approval that came with the preview.
        approval: String,
    } -> Nothing;
    /// Puts the setting of keyspace events back.
    RestoreEvents {
        /// Which one.
        deployment: DeploymentId,
    } -> Vec<SettingOutcome>;
    /// The slowest commands of the last hour, at most ten a namespace; no namespace is all.
    SlowCommands {
        /// Which one.
        deployment: DeploymentId,
        /// Its template; `None` or empty as the request says.
        namespace: Option<String>,
    } -> Vec<SlowCommand>;
    /// What can be measured here, what not, why, and the lines that would enable it.
    Doctor {
        /// Which one.
        deployment: DeploymentId,
    } -> DoctorReport;
    /// The built-in strategies, and the file a deployment uses.
    Strategies {} -> Vec<StrategySummary>;
    /// Reads a strategy by name or path; problems are part of the answer.
    CheckStrategy {
        /// A built-in strategy's name or a file's path.
        name_or_path: String,
    } -> StrategyCheck;
    /// What adopting found namespaces into the deployment's strategy would write, and where.
    PreviewAdoption {
        /// Which one.
        deployment: DeploymentId,
        /// Templates of found namespaces.
        namespaces: Vec<String>,
    } -> AdoptionView;
    /// Adopts found namespaces: writes the strategy file and watches the deployment anew with it.
    Adopt {
        /// Which one.
        deployment: DeploymentId,
        /// Templates of found namespaces.
        namespaces: Vec<String>,
    } -> AdoptionView;
    /// A page of the namespace table, sorted and filtered here.
    Rows {
        /// Which rows.
        query: RowQuery,
    } -> RowPage;
    /// Everything about one namespace; an empty name is the remainder.
    NamespaceDetail {
        /// Which one.
        deployment: DeploymentId,
        /// Its template; `None` or empty as the request says.
        namespace: String,
        /// Over which window.
        window: Window,
    } -> NamespaceDetail;
    /// A namespace by its tenants, the largest first and the others together last; empty where its template
    /// has no tenant.
    Tenants {
        /// Which one.
        deployment: DeploymentId,
        /// Its template.
        namespace: String,
        /// Over which window.
        window: Window,
    } -> Vec<cachescope_model::contents::TenantSnapshot>;
    /// The layers that a request passes on its way to the data, as the application counts them.
    Layers {
        /// Which one.
        deployment: DeploymentId,
        /// Over which window.
        window: Window,
    } -> Vec<cachescope_model::snapshot::PartSnapshot>;
    /// Histories of some readings; no namespace is the instance.
    History {
        /// Which one.
        deployment: DeploymentId,
        /// Its template; `None` or empty as the request says.
        namespace: Option<String>,
        /// Which readings.
        kinds: Vec<ReadingKind>,
        /// How far back from now, in seconds; 10 to 86,400.
        seconds: u32,
        /// How many points at most; 2 to 1,000.
        points: u32,
    } -> Vec<HistorySeries>;
    /// Why keys missed, over time; no namespace is the whole deployment.
    CauseHistory {
        /// Which one.
        deployment: DeploymentId,
        /// Its template; an empty one is the remainder.
        namespace: Option<String>,
        /// How far back from now, in seconds; 10 to 86,400.
        seconds: u32,
        /// How many points at most; 2 to 1,000.
        points: u32,
    } -> Vec<cachescope_model::misses::CausePoint>;
    /// What the misses of a namespace say beyond their number; no namespace is the whole deployment.
    Misses {
        /// Which one.
        deployment: DeploymentId,
        /// Its template; an empty one is the remainder.
        namespace: Option<String>,
        /// Over which window.
        window: Window,
    } -> cachescope_model::misses::MissInsights;
    /// What the deployment's strategy says; nothing where it has none.
    StrategyDocument {
        /// Which one.
        deployment: DeploymentId,
    } -> Option<StrategyDocument>;
    /// What the strategy and the observed disagree about.
    Findings {
        /// Which one.
        deployment: DeploymentId,
    } -> Vec<cachescope_model::snapshot::Finding>;
    /// The namespace table as CSV or JSON, whole.
    Export {
        /// Which one.
        deployment: DeploymentId,
        /// Over which window.
        window: Window,
        /// How it is written.
        format: ExportFormat,
    } -> String;
    /// The warm plans of a deployment's strategy, with their next runs.
    WarmPlans {
        /// Which one.
        deployment: DeploymentId,
    } -> Vec<WarmPlanView>;
    /// Has a documented plan's schedule started by this program from now on; answers with the plans.
    ArmSchedule {
        /// Of which deployment.
        deployment: DeploymentId,
        /// What is run, by a plan that has a schedule.
        draft: WarmDraft,
        /// What becomes of missed runs.
        missed: cachescope_actions::warm::schedule::MissedRuns,
        /// The deployment's name, where it wants to be typed.
        typed_name: Option<String>,
        /// Why, for the audit.
        reason: Option<String>,
    } -> Vec<WarmPlanView>;
    /// Starts it no more.
    DisarmSchedule {
        /// Of which deployment.
        deployment: DeploymentId,
        /// The plan's name.
        plan: String,
    } -> Vec<WarmPlanView>;
    /// Keeps the secret of an endpoint under a name; it never comes back.
    SetEndpointSecret {
        /// Of which deployment.
        deployment: DeploymentId,
        /// The name that plans know it by.
        name: String,
        /// The secret.
        secret: String,
    } -> cachescope_store::SecretsState;
    /// The playbooks of the deployment's strategy.
    Playbooks {
        /// Which one.
        deployment: DeploymentId,
    } -> Vec<PlaybookView>;
    /// Makes a plan and begins to count what it would do. Writes nothing to the cache.
    PreviewAction {
        /// Which one.
        deployment: DeploymentId,
        /// What is meant.
        draft: ActionDraft,
        /// How it is to be run; as the environment suggests where not given.
        how: Option<HowToRun>,
    } -> PreviewStarted;
    /// How far a preview is, and what it found.
    PreviewProgress {
        /// Which one.
        preview: String,
    } -> PreviewProgress;
    /// Ends a preview that is not wanted any more.
    CancelPreview {
        /// Which one.
        preview: String,
    } -> Nothing;
    /// Arms a production deployment for ten minutes; its name must be typed.
    Arm {
        /// Which one.
        deployment: DeploymentId,
        /// The deployment's name, as typed.
        typed_name: String,
    } -> Armed;
    /// Disarms a deployment.
    Disarm {
        /// Which one.
        deployment: DeploymentId,
    } -> Armed;
    /// Whether a deployment is armed.
    ArmedUntil {
        /// Which one.
        deployment: DeploymentId,
    } -> Armed;
    /// Runs a previewed plan. It goes on when the window closes.
    RunAction {
        /// Which one.
        deployment: DeploymentId,
        /// The approval that came with the preview.
        approval: String,
        /// The hash of the plan that was shown.
        plan_hash: String,
        /// The deployment's name, as typed, where one is wanted.
        typed_name: Option<String>,
        /// Why, for the audit.
        reason: Option<String>,
    } -> RunState;
    /// How a run stands.
    Run {
        /// Which one.
        run: String,
    } -> RunState;
    /// Runs, the newest first, at most 200; of every deployment where none is named.
    Runs {
        /// Which one.
        deployment: Option<DeploymentId>,
    } -> Vec<RunSummary>;
    /// Pauses a run after the batch under way.
    PauseRun {
        /// Which one.
        run: String,
    } -> RunState;
    /// Lets a paused, halted or interrupted run go on.
    ResumeRun {
        /// Which one.
        run: String,
    } -> RunState;
    /// Ends a run for good: one that is under way after the batch under way, one that was halted or interrupted at once.
    CancelRun {
        /// Which one.
        run: String,
    } -> RunState;
    /// Puts back what a run removed, never over a key that exists.
    UndoRun {
        /// Which one.
        run: String,
        /// What of it.
        part: UndoPart,
    } -> UndoResult;
    /// How far the undo of a run is.
    UndoProgress {
        /// Which one.
        run: String,
    } -> UndoProgress;
    /// Where the application and the CDN of a deployment are asked over HTTP.
    Endpoints {
        /// Which one.
        deployment: DeploymentId,
    } -> EndpointsView;
    /// Changes that. Tokens go to the keychain.
    SetEndpoints {
        /// Which one.
        deployment: DeploymentId,
        /// To what.
        draft: EndpointsDraft,
    } -> EndpointsView;
    /// Rows of the audit, the newest first, at most 500.
    Audit {
        /// Which one; every one where not given.
        deployment: Option<DeploymentId>,
        /// Only rows before this number.
        before: Option<u64>,
    } -> Vec<AuditRow>;
    /// Whether every row of the audit follows from the one before.
    VerifyAudit {} -> AuditVerdict;
    /// The audit as JSON Lines or CSV, whole.
    ExportAudit {
        /// How it is written.
        format: AuditFormat,
    } -> String;
    /// How long undo files stay, and how large they may be.
    UndoSettings {} -> UndoSettings;
    /// Changes that.
    SetUndoSettings {
        /// To what.
        settings: UndoSettings,
    } -> UndoSettings;
    /// Pending, firing and resolved alerts with their triage, the worst first.
    Alerts {
        /// Which one; `None` is all of them.
        deployment: Option<DeploymentId>,
        /// Only alerts about this template; `None` is all.
        namespace: Option<String>,
        /// Only so many, the worst; `None` is 500. The counts are of all.
        #[serde(default)]
        #[ts(optional)]
        at_most: Option<u32>,
    } -> AlertsPage;
    /// The rules of a deployment and whether they can be judged.
    AlertRules {
        /// Which one.
        deployment: DeploymentId,
    } -> RulesPage;
    /// The alerts of a deployment's own Prometheus.
    ForeignAlerts {
        /// Which one.
        deployment: DeploymentId,
    } -> ForeignAlerts;
    /// Says that somebody looks after a firing alert: it is told no more until it fires anew.
    AcknowledgeAlert {
        /// Which one.
        alert: AlertRef,
        /// What is being done; may be empty.
        comment: String,
    } -> Nothing;
    /// Takes an acknowledgement back.
    UnacknowledgeAlert {
        /// Which one.
        alert: AlertRef,
    } -> Nothing;
    /// Silences that hold, will hold, or ended within the last day, the latest end first.
    Silences {} -> Vec<SilenceView>;
    /// Keeps a new silence, or a changed one.
    SaveSilence {
        /// The form as typed.
        draft: SilenceDraft,
    } -> SilenceView;
    /// Ends a silence now.
    EndSilence {
        /// Its number.
        #[ts(type = "number")]
        silence: i64,
    } -> Nothing;
    /// How people are told: desktop, quiet hours, channels.
    Telling {} -> TellingView;
    /// Changes how the desktop tells.
    SetDesktopTelling {
        /// How.
        desktop: DesktopTelling,
    } -> Nothing;
    /// Changes when notifications wait.
    SetQuietHours {
        /// When.
        quiet_hours: QuietHours,
    } -> Nothing;
    /// Keeps a new channel, or a changed one.
    SaveChannel {
        /// The form as typed.
        draft: ChannelDraft,
    } -> ChannelView;
    /// Forgets a channel with its secrets.
    RemoveChannel {
        /// Its identity.
        channel: String,
    } -> Nothing;
    /// Sends one test message to a channel and waits for the answer.
    TestChannel {
        /// Its identity.
        channel: String,
    } -> ChannelTest;
    /// Alerts, marks and gaps of a span of time, the latest first; at most 1,000.
    Timeline {
        /// Which one; `None` is all of them.
        deployment: Option<DeploymentId>,
        /// From when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    } -> Vec<TimelineEntry>;
    /// Sets a mark, such as a deploy, to read figures against.
    AddMark {
        /// The form as typed.
        draft: MarkDraft,
    } -> cachescope_model::marks::Mark;
    /// Removes a mark.
    RemoveMark {
        /// Its number.
        #[ts(type = "number")]
        mark: i64,
    } -> Nothing;
    /// Whether the demo can run here.
    DemoStatus {} -> DemoStatus;
    /// Starts the demo's servers and workload and watches them.
    StartDemo {} -> DeploymentId;
    /// Stops the demo and forgets its deployment.
    StopDemo {} -> Nothing;
}
