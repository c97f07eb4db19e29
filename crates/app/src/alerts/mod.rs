//! Alerts: judged, explained, told, and remembered.
//!
//! | question | module |
//! |---|---|
//! | how do one deployment's rules come to be judged? | [`judging`], beside it `queries` to its Prometheus (`announced`: their changes), `observed` changes of its servers, `keeping` over a restart |
//! | what do people say about alerts? | `people`: silences (`silencing`), acknowledgements, quiet hours (`quiet`) |
//! | who is told, and how often? | `telling`, in groups (`grouping`), on the desktop (`notice`) and by `channels` |
//! | what is shown? | `views`, `timeline` |
//! | how does a script ask? | [`check`] |
//! | who answers the page? | `requests` |
//!
//! Deliberately not here: how a threshold is judged and what an alert is about. That is pure and stands in the
//! engine (`rules`, `triage`).

mod announced;
mod channels;
pub mod check;
mod grouping;
pub mod judging;
mod keeping;
pub(crate) mod notice;
mod observed;
mod pace;
mod people;
mod queries;
mod quiet;
mod requests;
mod silencing;
mod telling;
mod timeline;
mod views;

use std::sync::Arc;

use cachescope_model::deployment::DeploymentId;
use cachescope_sources::context::SessionClock;
use cachescope_store::{Secrets, Store};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use self::channels::Channels;
use self::judging::Judged;
pub use self::pace::Pace;
use self::people::People;
use self::telling::News;
pub use self::timeline::checked_mark;
use crate::host::Host;
use crate::session::Session;
pub use crate::session::wall_clock_now;
use crate::wire::AlertCounts;

/// Everything about alerts that outlives a session.
pub(crate) struct Alerts {
    pub(crate) store: Option<Store>,
    pub(crate) clock: SessionClock,
    pub(crate) pace: Pace,
    people: Mutex<People>,
    judged: Mutex<Vec<Arc<Judged>>>,
    channels: Channels,
    news: mpsc::Sender<News>,
    /// Why the desktop could not tell; empty where it could.
    desktop_trouble: Arc<Mutex<String>>,
}

impl Alerts {
    /// Nothing is judged yet. Must be called within a tokio runtime: the telling begins here.
    pub(crate) fn start(
        store: Option<Store>,
        secrets: Secrets,
        clock: SessionClock,
        host: Arc<dyn Host>,
    ) -> Arc<Self> {
        let (news, heard) = telling::channel();
        let alerts = Arc::new(Self {
            channels: Channels::new(store.clone(), secrets, clock),
            store,
            clock,
            pace: host.pace(),
            people: Mutex::default(),
            judged: Mutex::default(),
            news,
            desktop_trouble: Arc::default(),
        });
        tokio::spawn(telling::run(Arc::downgrade(&alerts), host, heard));
        alerts
    }

    /// Reads what was said and set up before this program was started.
    pub(crate) async fn load(&self) {
        self.load_people().await;
        self.channels.load().await;
    }

    /// Judges a session's rules until it ends, in place of what was judged under its deployment's identity. The
    /// task is given back: it has kept everything when it ends.
    pub(crate) fn judge(self: &Arc<Self>, session: &Arc<Session>) -> tokio::task::JoinHandle<()> {
        let judged = Judged::new(session);
        let mut all = self.judged.lock();
        match all.iter_mut().find(|known| known.deployment == judged.deployment) {
            Some(known) => *known = Arc::clone(&judged),
            None => all.push(Arc::clone(&judged)),
        }
        tokio::spawn(judging::run(Arc::clone(self), judged, Arc::downgrade(session)))
    }

    /// Lets go of a deployment.
    pub(crate) fn take_away(&self, deployment: &DeploymentId) {
        self.judged.lock().retain(|judged| judged.deployment != *deployment);
    }

    /// Forgets everything about a deployment that is gone.
    pub(crate) async fn forget(&self, deployment: &DeploymentId) {
        self.take_away(deployment);
        if let Some(store) = &self.store
            && let Err(error) = store.forget_alerts(deployment.clone()).await
        {
            tracing::warn!(%error, "the alerts of a removed deployment stay behind");
        }
    }

    /// How a deployment's alerts stand; `None` where its rules are not judged.
    pub(crate) fn of(&self, deployment: &DeploymentId) -> Option<Arc<Judged>> {
        self.judged.lock().iter().find(|judged| judged.deployment == *deployment).cloned()
    }

    /// What is judged.
    pub(crate) fn all(&self) -> Vec<Arc<Judged>> {
        self.judged.lock().clone()
    }

    /// How many alerts a deployment has.
    pub(crate) fn counts(&self, deployment: &DeploymentId) -> AlertCounts {
        self.of(deployment).map(|judged| self.counts_of(&judged)).unwrap_or_default()
    }

    pub(super) fn silences(&self) -> Vec<cachescope_model::telling::Silence> {
        self.people.lock().silences.clone()
    }
}
