//! The app: sessions, the store, the demo, and one door through which every shell asks.
//!
//! Here is what lives and how sessions begin and end; `door` answers requests, of which `managing` holds those about
//! deployments, `sources` those about what is measured and `showing` the demo's; `opening` is what the start needs.

mod door;
mod late_secrets;
mod managing;
mod opening;
mod showing;
mod sources;

use std::sync::{Arc, Weak};
use std::time::Duration;

use cachescope_actions::clock::ProcessClock;
use cachescope_model::deployment::{Deployment, DeploymentId};
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;
use cachescope_sources::context::SessionClock;
use cachescope_store::{Secrets, Store};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::opening::{open_custody, open_store};
use crate::actions::{Actions, Desk};
use crate::alerts::Alerts;
use crate::custody::{Approvals, Custody};
use crate::demo::DemoProcess;
use crate::deployments;
use crate::host::Host;
use crate::host_keys::HostKeys;
use crate::places::{MAIN_WINDOW, Openings, of_alert};
use crate::secrets::DeploymentSecrets;
use crate::session::{Session, SessionPlan};
use crate::watch::{Watch, start as start_watch};
use crate::wire::{Frame, View, WireError, WireErrorCode};

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
    host_keys: HostKeys,
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
        let recoveries = secrets.recoveries();
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
                host_keys: HostKeys::default(),
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
        tokio::spawn(late_secrets::heed(Arc::downgrade(&app.inner), recoveries));
        app
    }

    /// Waits until the kept deployments have their sessions, so that none is taken for missing at start.
    pub(crate) async fn begun(&self) {
        let mut begun = self.inner.begun.subscribe();
        // An error means that the app is going down: then nothing is to be waited for.
        if begun.wait_for(|begun| *begun).await.is_err() {
            tracing::debug!("the app ends before its deployments have begun");
        }
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

    /// Begins a kept deployment's session, in place of one it may have.
    pub(crate) async fn begin(&self, deployment: Deployment) {
        let secrets = DeploymentSecrets::read(&self.inner.secrets, &deployment).await;
        self.begin_with(deployment, secrets).await;
    }

    async fn begin_with(&self, deployment: Deployment, secrets: DeploymentSecrets) {
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
}
