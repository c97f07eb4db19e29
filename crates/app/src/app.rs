//! The app: sessions, the store, the demo, and one door through which every shell asks.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cachescope_actions::clock::ProcessClock;
use cachescope_model::deployment::{Deployment, DeploymentId, SshHop};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::source::SourceId;
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;
use cachescope_sources::context::SessionClock;
use cachescope_sources::redis::settings::ChangePlan;
use cachescope_store::{Secrets, SecretsState, Store};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actions::{Actions, Desk};
use crate::adoption::{self, Proposal};
use crate::alerts::Alerts;
use crate::custody::{Approvals, Custody, Guarded};
use crate::demo::{self, DemoProcess};
use crate::host::Host;
use crate::places::{MAIN_WINDOW, Openings, of_alert};
use crate::session::{Session, SessionPlan};
use crate::watch::{Watch, start as start_watch};
use crate::wire::{
    AdoptionView, AppInfo, DemoStatus, DeploymentView, Frame, Nothing, Registry, Reply, Request,
    SecretsPlace, SourcePrice, View, WireError, WireErrorCode,
};
use crate::{
    connection_test, deployments, detail, doctor, document, export, finding, history, prices, rows,
    strategies,
};

/// The app behind a shell. Clones are the same app.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    host: Arc<dyn Host>,
    /// `None` where the state directory can't be used: then deployments live as long as the program.
    store: Option<Store>,
    secrets: Secrets,
    /// `None` where what is changed can't be recorded: then nothing is.
    custody: Option<Custody>,
    approvals: Approvals,
    actions: Actions,
    alerts: Arc<Alerts>,
    /// Tasks that judge rules, and keep how they stand when their session ends.
    judging: Mutex<Vec<(DeploymentId, JoinHandle<()>)>>,
    sessions: Mutex<Vec<Arc<Session>>>,
    demo: tokio::sync::Mutex<Option<RunningDemo>>,
    notices: Vec<String>,
    changes: watch::Sender<u64>,
    openings: Openings,
    /// Whether the kept deployments have their sessions.
    begun: watch::Sender<bool>,
    /// The deployment of the running demo, readable while another one is starting.
    demo_deployment: Mutex<Option<DeploymentId>>,
    clock: SessionClock,
}

/// Looks once a second which schedules are due, as long as the app lives.
async fn keep_to_schedules(app: Weak<Inner>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let Some(inner) = app.upgrade() else { return };
        let app = App { inner };
        let sessions = app.inner.sessions.lock().clone();
        Box::pin(app.start_schedules(sessions)).await;
    }
}

struct RunningDemo {
    process: DemoProcess,
    deployment: DeploymentId,
}

impl App {
    /// Opens the store and starts watching every deployment that is kept. Never fails: what went wrong stands
    /// in the notices of [`AppInfo`].
    pub async fn start(host: impl Host) -> Self {
        let directory = host.state_directory();
        let mut notices = Vec::new();
        let store = open_store(directory, &mut notices).await;
        let custody = open_custody(store.clone(), host.state_directory(), host.keeper(), &mut notices);
        let secrets = if host.uses_keychain() { Secrets::keychain() } else { Secrets::session_only() };
        let keychain = host.uses_keychain().then(|| secrets.clone());
        let desk = store.clone().map(|store| {
            Desk::new(store, host.state_directory(), keychain, Arc::new(ProcessClock::default()))
        });
        let (host, clock) = (Arc::new(host) as Arc<dyn Host>, SessionClock::start());
        let alerts = Alerts::start(store.clone(), secrets.clone(), clock, Arc::clone(&host));
        let app = Self {
            inner: Arc::new(Inner {
                actions: Actions::new(desk),
                host,
                store: store.clone(),
                secrets,
                custody,
                approvals: Approvals::default(),
                alerts,
                judging: Mutex::default(),
                sessions: Mutex::new(Vec::new()),
                demo: tokio::sync::Mutex::new(None),
                notices,
                changes: watch::channel(0).0,
                openings: Openings::default(),
                begun: watch::channel(false).0,
                demo_deployment: Mutex::new(None),
                clock,
            }),
        };
        // The keychain may take its time: the window opens meanwhile.
        let starting = app.clone();
        tokio::spawn(async move {
            starting.inner.alerts.load().await;
            starting.begin_kept(store).await;
            starting.inner.begun.send_replace(true);
        });
        tokio::spawn(keep_to_schedules(Arc::downgrade(&app.inner)));
        app
    }

    async fn begin_kept(&self, store: Option<Store>) {
        let Some(store) = store else { return };
        let kept = match store.deployments().await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(%error, "deployments can't be read");
                return;
            }
        };
        for deployment in kept {
            self.begin(deployment).await;
        }
    }

    /// Waits until the kept deployments have their sessions, so that none is taken for missing at start.
    pub(crate) async fn begun(&self) {
        let mut begun = self.inner.begun.subscribe();
        // An error means that the app is going down: then nothing is to be waited for.
        if begun.wait_for(|begun| *begun).await.is_err() {
            tracing::debug!("the app ends before its deployments have begun");
        }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// With a code, a sentence and a remedy, as [`WireError`] has them.
    pub async fn handle(&self, request: Request) -> Result<Reply, WireError> {
        if !matches!(request, Request::AppInfo {} | Request::Registry {} | Request::DemoStatus {}) {
            self.begun().await;
        }
        Ok(match request {
            Request::AppInfo {} => Reply::AppInfo(self.info()),
            Request::Registry {} => Reply::Registry(Registry {
                readings: ReadingKind::ALL.to_vec(),
                sources: SourceId::ALL.to_vec(),
            }),
            Request::LinkTo { place } => Reply::LinkTo(self.link_to(place)?),
            Request::OpenWindow { place } => {
                self.inner.host.open_window(place).await?;
                Reply::OpenWindow(Nothing {})
            }
            Request::WindowSettings {} => Reply::WindowSettings(self.window_settings().await),
            Request::StayInTray { stay } => Reply::StayInTray(self.set_stay_in_tray(stay).await?),
            Request::Deployments {} => Reply::Deployments(self.deployment_views()),
            Request::TestConnection { draft } => {
                // One that can't be read has no secret; the test says why.
                let hop = deployments::ssh_hop(&draft).ok().flatten();
                let kept = self.kept_secrets(draft.id.as_ref(), hop.as_ref()).await;
                Reply::TestConnection(connection_test::run(&draft, kept).await)
            }
            Request::SaveDeployment { draft } => Reply::SaveDeployment(self.save(draft).await?),
            Request::RemoveDeployment { deployment } => {
                self.remove(&deployment).await?;
                Reply::RemoveDeployment(Nothing {})
            }
            Request::ExportDeployments {} => Reply::ExportDeployments(self.export_deployments()),
            Request::ImportDeployments { contents, keep } => {
                Reply::ImportDeployments(Box::pin(self.import_deployments(&contents, keep)).await?)
            }
            Request::FindEndpoints { draft } => {
                let hop = deployments::ssh_hop(&draft)?;
                let kept = self.kept_secrets(draft.id.as_ref(), hop.as_ref()).await;
                let tunnel = deployments::http_tunnel(&draft, kept)?;
                Reply::FindEndpoints(finding::endpoints(&draft.redis_url, tunnel).await?)
            }
            Request::SetSource { deployment, source, on, approval } => {
                self.set_source(&deployment, source, on, approval.as_deref()).await?;
                Reply::SetSource(Nothing {})
            }
            Request::PreviewSource { deployment, source } => {
                Reply::PreviewSource(self.preview(&deployment, source).await?)
            }
            Request::PreviewEvents { deployment } => {
                Reply::PreviewEvents(self.preview(&deployment, SourceId::Events).await?)
            }
            Request::EnableEvents { deployment, approval } => {
                let session = self.session(&deployment)?;
                let approved = self.redeem(&approval, &deployment, Guarded::Events)?;
                session.enable_events(approved).await?;
                Reply::EnableEvents(Nothing {})
            }
            Request::RestoreEvents { deployment } => {
                Reply::RestoreEvents(self.session(&deployment)?.restore_events().await?)
            }
            Request::SlowCommands { deployment, namespace } => {
                Reply::SlowCommands(self.session(&deployment)?.slow_commands(namespace.as_deref()))
            }
            Request::Doctor { deployment } => {
                let session = self.session(&deployment)?;
                Reply::Doctor(doctor::run(&session).await?)
            }
            Request::Strategies {} => Reply::Strategies(strategies::built_in()),
            Request::CheckStrategy { name_or_path } => {
                Reply::CheckStrategy(strategies::check(name_or_path).await)
            }
            Request::PreviewAdoption { deployment, namespaces } => {
                Reply::PreviewAdoption(self.proposal(&deployment, namespaces).await?.view())
            }
            Request::Adopt { deployment, namespaces } => {
                Reply::Adopt(self.adopt(&deployment, namespaces).await?)
            }
            Request::Rows { query } => {
                let session = self.session(&query.deployment)?;
                let mut page = rows::page(&session.snapshot(query.window), &query)?;
                self.inner.alerts.add_to_rows(&session, &mut page);
                if query.sparks {
                    history::add_sparks(&session, &mut page);
                }
                Reply::Rows(page)
            }
            Request::NamespaceDetail { deployment, namespace, window } => {
                let session = self.session(&deployment)?;
                Reply::NamespaceDetail(detail::namespace(&session, &namespace, window)?)
            }
            Request::Tenants { deployment, namespace, window } => {
                Reply::Tenants(self.session(&deployment)?.tenants(&namespace, window))
            }
            Request::Layers { deployment, window } => {
                Reply::Layers(self.session(&deployment)?.snapshot(window).layers.clone())
            }
            Request::History { deployment, namespace, kinds, seconds, points } => {
                let session = self.session(&deployment)?;
                Reply::History(history::series(&session, namespace.as_deref(), &kinds, seconds, points))
            }
            Request::CauseHistory { deployment, namespace, seconds, points } => {
                let session = self.session(&deployment)?;
                Reply::CauseHistory(history::causes(&session, namespace.as_deref(), seconds, points))
            }
            Request::Misses { deployment, namespace, window } => {
                let session = self.session(&deployment)?;
                Reply::Misses(detail::misses(&session, namespace.as_deref(), window)?)
            }
            Request::StrategyDocument { deployment } => {
                Reply::StrategyDocument(document::of(self.session(&deployment)?.strategy()))
            }
            Request::Findings { deployment } => {
                let session = self.session(&deployment)?;
                Reply::Findings(session.snapshot(Default::default()).findings.clone())
            }
            Request::Export { deployment, window, format } => {
                let session = self.session(&deployment)?;
                Reply::Export(export::table(&session.snapshot(window), format)?)
            }
            action @ (Request::Playbooks { .. }
            | Request::WarmPlans { .. }
            | Request::SetEndpointSecret { .. }
            | Request::ArmSchedule { .. }
            | Request::DisarmSchedule { .. }
            | Request::PreviewAction { .. }
            | Request::PreviewProgress { .. }
            | Request::CancelPreview { .. }
            | Request::Arm { .. }
            | Request::Disarm { .. }
            | Request::ArmedUntil { .. }
            | Request::RunAction { .. }
            | Request::Run { .. }
            | Request::Runs { .. }
            | Request::PauseRun { .. }
            | Request::ResumeRun { .. }
            | Request::CancelRun { .. }
            | Request::UndoRun { .. }
            | Request::UndoProgress { .. }
            | Request::Endpoints { .. }
            | Request::SetEndpoints { .. }
            | Request::Audit { .. }
            | Request::VerifyAudit {}
            | Request::ExportAudit { .. }
            | Request::UndoSettings {}
            | Request::SetUndoSettings { .. }) => Box::pin(self.handle_action(action)).await?,
            Request::Alerts { deployment, namespace, at_most } => {
                Reply::Alerts(self.alerts_page(deployment.as_ref(), namespace.as_deref(), at_most)?)
            }
            Request::AlertRules { deployment } => Reply::AlertRules(self.rules_page(&deployment)?),
            Request::ForeignAlerts { deployment } => Reply::ForeignAlerts(self.foreign_alerts(&deployment)?),
            Request::AcknowledgeAlert { alert, comment } => {
                Reply::AcknowledgeAlert(self.acknowledge(alert, comment).await?)
            }
            Request::UnacknowledgeAlert { alert } => {
                Reply::UnacknowledgeAlert(self.unacknowledge(alert).await?)
            }
            Request::Silences {} => Reply::Silences(self.silences()),
            Request::SaveSilence { draft } => Reply::SaveSilence(self.save_silence(draft).await?),
            Request::EndSilence { silence } => Reply::EndSilence(self.end_silence(silence).await?),
            Request::Telling {} => Reply::Telling(self.telling()),
            Request::SetDesktopTelling { desktop } => {
                Reply::SetDesktopTelling(self.set_desktop_telling(desktop).await?)
            }
            Request::SetQuietHours { quiet_hours } => {
                Reply::SetQuietHours(self.set_quiet_hours(quiet_hours).await?)
            }
            Request::SaveChannel { draft } => Reply::SaveChannel(self.save_channel(draft).await?),
            Request::RemoveChannel { channel } => Reply::RemoveChannel(self.remove_channel(&channel).await?),
            Request::TestChannel { channel } => Reply::TestChannel(self.test_channel(&channel).await?),
            Request::Timeline { deployment, from, to } => {
                Reply::Timeline(self.timeline(deployment, from, to).await?)
            }
            Request::AddMark { draft } => Reply::AddMark(self.add_mark(draft).await?),
            Request::RemoveMark { mark } => Reply::RemoveMark(self.remove_mark(mark).await?),
            Request::DemoStatus {} => Reply::DemoStatus(self.demo_status()),
            Request::StartDemo {} => Reply::StartDemo(self.start_demo().await?),
            Request::StopDemo {} => {
                self.stop_demo().await;
                Reply::StopDemo(Nothing {})
            }
        })
    }

    /// Pushes frames of a view to `sink` once a second until the [`Watch`] is dropped or `sink` returns
    /// `false`. Must be called within a tokio runtime.
    #[must_use]
    pub fn watch(&self, view: View, sink: impl Fn(Frame) -> bool + Send + 'static) -> Watch {
        self.watch_in(MAIN_WINDOW, view, sink)
    }

    /// The same in one of several windows, which is also led where [`App::open`] wants it. Must be called within a
    /// tokio runtime.
    #[must_use]
    pub fn watch_in(&self, window: &str, view: View, sink: impl Fn(Frame) -> bool + Send + 'static) -> Watch {
        start_watch(self.clone(), window.to_owned(), view, sink)
    }

    /// Watches a deployment that is not kept: a command's, a test's or the demo's.
    pub fn watch_deployment(&self, plan: SessionPlan) -> Arc<Session> {
        let session = Session::start(plan);
        self.put(Arc::clone(&session));
        session
    }

    /// Ends the demo and every session.
    pub async fn stop(&self) {
        self.stop_demo().await;
        let sessions: Vec<_> = std::mem::take(&mut *self.inner.sessions.lock());
        for session in sessions {
            session.stop().await;
        }
        self.judging_ended(None).await;
    }

    /// Waits until how the alerts stand is kept, of one deployment or of all; their sessions must be stopped.
    async fn judging_ended(&self, id: Option<&DeploymentId>) {
        let ending: Vec<_> = {
            let mut judging = self.inner.judging.lock();
            judging.extract_if(.., |(of, _)| id.is_none_or(|id| of == id)).collect()
        };
        for (_, task) in ending {
            if let Err(error) = task.await {
                tracing::error!(%error, "the judging of rules broke off");
            }
        }
    }

    /// Somebody wants to see an alert, by a click on its notification: the main window shows it.
    pub fn open_alert(&self, alert: AlertRef) {
        self.open(MAIN_WINDOW, of_alert(alert));
    }

    /// What windows are asked to show.
    pub(crate) fn openings(&self) -> &Openings {
        &self.inner.openings
    }

    /// The local store, where it can be used.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.inner.store.as_ref()
    }

    /// The shell around the app.
    pub(crate) fn host(&self) -> &dyn Host {
        &*self.inner.host
    }

    /// Everything about alerts.
    pub(crate) fn alerts(&self) -> &Arc<Alerts> {
        &self.inner.alerts
    }

    /// The sessions, in the order their deployments were added.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.inner.sessions.lock().clone()
    }

    /// A deployment's session.
    pub(crate) fn session(&self, id: &DeploymentId) -> Result<Arc<Session>, WireError> {
        let sessions = self.inner.sessions.lock();
        sessions.iter().find(|session| session.deployment().id == *id).cloned().ok_or_else(|| {
            WireError::new(WireErrorCode::NotFound, "this deployment is not there any more")
                .with_remedy("choose another one, or add it again")
        })
    }

    /// Changes when a deployment is added, changed or removed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Actions of this app.
    pub(crate) fn actions(&self) -> &Actions {
        &self.inner.actions
    }

    /// Where secrets go.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// The app's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// What a source would cost and change, and the approval of just that.
    async fn preview(&self, id: &DeploymentId, source: SourceId) -> Result<SourcePrice, WireError> {
        let session = self.session(id)?;
        let what = match source {
            SourceId::Events => Guarded::Events,
            SourceId::SlowLog => Guarded::SlowLog,
            _ => return Ok(prices::of_source(source)),
        };
        let plans = session.preview(what).await?;
        let to_approve = what == Guarded::SlowLog || plans.iter().any(|plan| !plan.is_empty());
        let approval = to_approve.then(|| self.inner.approvals.issue(id, what, plans.clone(), self.now()));
        Ok(prices::of_change(what, &plans, approval))
    }

    fn redeem(&self, token: &str, id: &DeploymentId, what: Guarded) -> Result<Vec<ChangePlan>, WireError> {
        self.inner.approvals.redeem(token, id, what, self.now())
    }

    async fn set_source(
        &self,
        id: &DeploymentId,
        source: SourceId,
        on: bool,
        approval: Option<&str>,
    ) -> Result<(), WireError> {
        let session = self.session(id)?;
        match (source, on, approval) {
            (SourceId::SlowLog, true, Some(token)) => {
                let approved = self.redeem(token, id, Guarded::SlowLog)?;
                session.sample_slow_log(approved).await?;
            }
            _ => session.set_source(source, on),
        }
        if source == SourceId::Events && !on {
            session.restore_events().await?;
        }
        Ok(())
    }

    fn info(&self) -> AppInfo {
        let secrets = match self.inner.secrets.state() {
            SecretsState::Keychain => SecretsPlace::Keychain,
            SecretsState::SessionOnly { reason } => SecretsPlace::SessionOnly { reason },
        };
        AppInfo { version: self.inner.host.version(), secrets, notices: self.inner.notices.clone() }
    }

    /// Begins a kept deployment's session, in place of one it may have.
    pub(crate) async fn begin(&self, deployment: Deployment) {
        let secrets = self.kept_secrets(Some(&deployment.id), deployment.ssh.as_ref()).await;
        let mut plan = deployments::plan(deployment, secrets).await;
        plan.custody.clone_from(&self.inner.custody);
        self.put(Session::start(plan));
    }

    fn put(&self, session: Arc<Session>) {
        let judging = self.inner.alerts.judge(&session);
        {
            let mut running = self.inner.judging.lock();
            running.retain(|(_, task)| !task.is_finished());
            running.push((session.deployment().id.clone(), judging));
        }
        let mut sessions = self.inner.sessions.lock();
        let id = &session.deployment().id;
        match sessions.iter_mut().find(|running| running.deployment().id == *id) {
            Some(running) => *running = session,
            None => sessions.push(session),
        }
        drop(sessions);
        self.inner.changes.send_modify(|change| *change += 1);
    }

    async fn take_away(&self, id: &DeploymentId) -> bool {
        let taken = {
            let mut sessions = self.inner.sessions.lock();
            let place = sessions.iter().position(|session| session.deployment().id == *id);
            place.map(|place| sessions.remove(place))
        };
        let Some(session) = taken else { return false };
        session.stop().await;
        self.judging_ended(Some(id)).await;
        self.inner.alerts.take_away(id);
        self.inner.changes.send_modify(|change| *change += 1);
        true
    }

    async fn kept_secrets(
        &self,
        id: Option<&DeploymentId>,
        ssh: Option<&SshHop>,
    ) -> deployments::KeptSecrets {
        match id {
            Some(id) => deployments::KeptSecrets::read(&self.inner.secrets, id, ssh).await,
            None => deployments::KeptSecrets::default(),
        }
    }

    fn deployment_views(&self) -> Vec<DeploymentView> {
        let demo = self.inner.demo_deployment.lock().clone();
        let view = |session: &Arc<Session>| {
            let plan = session.plan();
            DeploymentView {
                demo: demo.as_ref() == Some(&plan.deployment.id),
                has_redis_password: plan.redis_password.is_some(),
                has_ssh_secret: plan.ssh.as_ref().is_some_and(|tunnel| tunnel.secret().is_some()),
                has_prometheus_secret: plan.prometheus_password.is_some() || plan.prometheus_token.is_some(),
                sources_on: session.sources_on(),
                deployment: plan.deployment.clone(),
            }
        };
        self.sessions().iter().map(view).collect()
    }

    async fn save(&self, draft: crate::wire::DeploymentDraft) -> Result<DeploymentId, WireError> {
        if draft.id.as_ref().is_some_and(|id| *id == DeploymentId(demo::ID.to_owned())) {
            return Err(WireError::new(WireErrorCode::BadInput, "the demo's deployment can't be changed")
                .with_remedy("add a deployment of your own"));
        }
        if let Some(id) = &draft.id {
            self.session(id)?;
        }
        let (deployment, secrets) = deployments::from_draft(&draft)?;
        let id = deployment.id.clone();
        if let Some(store) = &self.inner.store {
            store.save_deployment(deployment.clone()).await?;
        }
        secrets.keep(&self.inner.secrets, &id).await;
        if let Ok(old) = self.session(&id) {
            old.stop().await;
            self.judging_ended(Some(&id)).await;
        }
        self.begin(deployment).await;
        Ok(id)
    }

    async fn proposal(&self, id: &DeploymentId, namespaces: Vec<String>) -> Result<Proposal, WireError> {
        let session = self.session(id)?;
        let found = adoption::found(&session.snapshot(Default::default()), Some(&namespaces))?;
        let (deployment, directory) = (session.deployment().clone(), self.inner.host.state_directory());
        off_thread(move || adoption::propose(&deployment, &directory, &found)).await
    }

    async fn adopt(&self, id: &DeploymentId, namespaces: Vec<String>) -> Result<AdoptionView, WireError> {
        if *id == DeploymentId(demo::ID.to_owned()) {
            return Err(WireError::new(WireErrorCode::BadInput, "the demo's strategy can't be changed")
                .with_remedy("copy the lines, or adopt on a deployment of your own"));
        }
        let proposal = self.proposal(id, namespaces).await?;
        let view = proposal.view();
        if proposal.adoption.names.is_empty() {
            return Ok(view);
        }
        let written = proposal.clone();
        off_thread(move || adoption::write(&written)).await?;
        let mut deployment = self.session(id)?.deployment().clone();
        deployment.strategy = Some(proposal.file.display().to_string());
        if let Some(store) = &self.inner.store {
            store.save_deployment(deployment.clone()).await?;
        }
        self.session(id)?.stop().await;
        self.judging_ended(Some(id)).await;
        self.begin(deployment).await;
        Ok(view)
    }

    async fn remove(&self, id: &DeploymentId) -> Result<(), WireError> {
        if *id == DeploymentId(demo::ID.to_owned()) {
            self.stop_demo().await;
            return Ok(());
        }
        self.session(id)?;
        if let Some(store) = &self.inner.store {
            store.remove_deployment(id.clone()).await?;
        }
        self.inner.secrets.remove(id).await;
        self.take_away(id).await;
        self.inner.alerts.forget(id).await;
        Ok(())
    }

    fn demo_status(&self) -> DemoStatus {
        let missing = demo::missing(self.inner.host.companion().as_deref());
        let running = self.inner.demo_deployment.lock().clone();
        DemoStatus { available: missing.is_empty(), missing, running }
    }

    async fn start_demo(&self) -> Result<DeploymentId, WireError> {
        // Held while starting: two clicks start one demo.
        let mut running = self.inner.demo.lock().await;
        if let Some(demo) = running.as_ref() {
            return Ok(demo.deployment.clone());
        }
        let companion = self.inner.host.companion();
        if let Some(missing) = demo::missing(companion.as_deref()).into_iter().next() {
            return Err(WireError::new(WireErrorCode::DemoUnavailable, missing));
        }
        let companion = companion.unwrap_or_default();
        let process = DemoProcess::start(&companion).await?;
        let deployment = demo::deployment(&process.addresses);
        let id = deployment.id.clone();
        let mut plan = deployments::plan(deployment, deployments::KeptSecrets::default()).await;
        plan.custody.clone_from(&self.inner.custody);
        *self.inner.demo_deployment.lock() = Some(id.clone());
        self.put(Session::start(plan));
        *running = Some(RunningDemo { process, deployment: id.clone() });
        Ok(id)
    }

    async fn stop_demo(&self) {
        let mut running = self.inner.demo.lock().await;
        if let Some(demo) = running.take() {
            *self.inner.demo_deployment.lock() = None;
            self.take_away(&demo.deployment).await;
            demo.process.stop().await;
        }
    }
}

/// Work with files, off the runtime's threads: a path may lead to a slow disk.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WireError> + Send + 'static,
) -> Result<T, WireError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(WireError::new(WireErrorCode::Storage, format!("it was broken off: {error}"))),
    }
}

fn open_custody(
    store: Option<Store>,
    directory: PathBuf,
    keeper: Option<PathBuf>,
    notices: &mut Vec<String>,
) -> Option<Custody> {
    match Custody::open(store?, directory, keeper) {
        Ok(custody) => Some(custody),
        Err(error) => {
            notices.push(format!("{error}. No settings of servers are changed."));
            None
        }
    }
}

/// Opens the store off the runtime's threads: it may wait for another process.
async fn open_store(directory: PathBuf, notices: &mut Vec<String>) -> Option<Store> {
    match tokio::task::spawn_blocking(move || Store::open(&directory)).await {
        Ok(Ok(store)) => {
            if let Some(kept) = store.set_aside() {
                notices.push(format!(
                    "The list of deployments was damaged and begun anew; the damaged file is kept as {}.",
                    kept.display()
                ));
            }
            Some(store)
        }
        Ok(Err(error)) => {
            notices.push(format!("{error}. Deployments are kept only until this program ends."));
            None
        }
        Err(error) => {
            notices.push(format!("the state directory could not be opened: {error}"));
            None
        }
    }
}
