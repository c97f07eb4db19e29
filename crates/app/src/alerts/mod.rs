//! Alerts: judged, explained, told, and remembered.
//!
//! | question | module |
//! |---|---|
//! | how does one deployment's rules come to be judged? | [`judging`], from a session, by the engine's rules |
//! | what do people say about alerts? | [`people`]: silences ([`silencing`]), acknowledgements, quiet hours ([`quiet`]) |
//! | what is shown? | [`views`], [`timeline`], [`foreign`] for the alerts of a Prometheus |
//! | who answers the page? | [`requests`] |
//!
//! Deliberately not here: how a threshold is judged and what an alert is about. That is pure and stands in the
//! engine (`rules`, `triage`).

pub(crate) mod judging;
pub(crate) mod people;
mod quiet;
mod requests;
mod silencing;
mod timeline;
mod views;

use std::sync::Arc;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::telling::AlertRef;
use cachescope_sources::context::SessionClock;
use cachescope_store::Store;
use parking_lot::Mutex;
use tokio::sync::watch;

use self::judging::Judged;
use self::people::People;
use crate::wire::AlertCounts;

/// Everything about alerts that outlives a session.
pub(crate) struct Alerts {
    pub(crate) store: Option<Store>,
    pub(crate) clock: SessionClock,
    people: Mutex<People>,
    judged: Mutex<Vec<Arc<Judged>>>,
    /// The alert that somebody wants to see; a window takes it.
    opening: watch::Sender<Option<AlertRef>>,
}

impl Alerts {
    /// With what people said before.
    pub(crate) fn new(store: Option<Store>, clock: SessionClock) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            people: Mutex::default(),
            judged: Mutex::default(),
            opening: watch::channel(None).0,
        })
    }

    /// How a deployment's alerts stand; `None` where its rules are not judged.
    pub(crate) fn of(&self, deployment: &DeploymentId) -> Option<Arc<Judged>> {
        self.judged.lock().iter().find(|judged| judged.deployment == *deployment).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Judged>> {
        self.judged.lock().clone()
    }

    /// Takes up a deployment, in place of what was known under its identity.
    pub(crate) fn put(&self, judged: Arc<Judged>) {
        let mut all = self.judged.lock();
        all.retain(|known| known.deployment != judged.deployment);
        all.push(judged);
    }

    /// Lets go of a deployment.
    pub(crate) fn take_away(&self, deployment: &DeploymentId) {
        self.judged.lock().retain(|judged| judged.deployment != *deployment);
    }

    /// How many alerts a deployment has.
    pub(crate) fn counts(&self, deployment: &DeploymentId) -> AlertCounts {
        self.of(deployment).map(|judged| self.counts_of(&judged)).unwrap_or_default()
    }

    /// Asks whichever window looks next to show an alert.
    pub(crate) fn open(&self, alert: AlertRef) {
        self.opening.send_replace(Some(alert));
    }

    /// Changes when an alert is to be shown.
    pub(crate) fn openings(&self) -> watch::Receiver<Option<AlertRef>> {
        self.opening.subscribe()
    }

    /// The alert to be shown; it is given to one window only.
    pub(crate) fn take_opening(&self) -> Option<AlertRef> {
        let mut taken = None;
        self.opening.send_if_modified(|opening| {
            taken = opening.take();
            false
        });
        taken
    }
}
