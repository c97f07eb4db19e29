//! Being led to a place of the page: by a link from outside, a click on a notification, or a window that was
//! opened for it.
//!
//! | file | what |
//! |---|---|
//! | `link` | `cachescope://…` as text: read as what a stranger wrote, and written |
//! | `openings` | which window is to show what, until it does |
//!
//! A link only leads somewhere. It carries no action, no setting and no address to connect to.

mod link;
mod openings;

pub(crate) use link::encoded;
pub use link::{Link, SCHEME};
pub(crate) use openings::Openings;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::telling::AlertRef;

use crate::app::App;
use crate::wire::{Place, WindowSettings, WireError, WireErrorCode};

/// Whether the program stays in the tray, as the store keeps it.
const STAY_IN_TRAY: &str = "stay-in-tray";

/// The window that is there from the start.
pub const MAIN_WINDOW: &str = "main";

impl App {
    /// Asks a window to show a place, now or as soon as it looks.
    pub fn open(&self, window: &str, place: Place) {
        self.openings().put(window, place);
    }

    /// Where a link leads: what it names must be here. Never fails: what leads nowhere says so.
    pub async fn place_of(&self, text: &str) -> Place {
        self.begun().await;
        let link = match Link::parse(text) {
            Ok(link) => link,
            Err(error) => {
                return Place::Missing { sentence: format!("The link can't be followed: {error}.") };
            }
        };
        match link {
            Link::Overview => Place::Overview,
            Link::Deployment { deployment, namespace } => match self.named(&deployment) {
                Some(deployment) => Place::Deployment { deployment, namespace },
                None => missing(
                    "The link leads to a deployment that is not here: it was forgotten, or is another computer's.",
                ),
            },
            Link::Alert { id } => {
                let all = self.alerts().references();
                match all.into_iter().find(|alert| link::alert_id(alert) == id) {
                    Some(alert) => Place::Alert { alert },
                    None => {
                        missing("The link leads to an alert that is over, or that is of another computer.")
                    }
                }
            }
        }
    }

    /// The deployment of this identity, or else the only one of this name: runbooks are written by hand.
    fn named(&self, text: &str) -> Option<DeploymentId> {
        let sessions = self.sessions();
        let all = || sessions.iter().map(|session| session.deployment());
        if let Some(exact) = all().find(|deployment| deployment.id.0 == text) {
            return Some(exact.id.clone());
        }
        let mut called = all().filter(|deployment| deployment.name == text);
        let first = called.next()?;
        called.next().is_none().then(|| first.id.clone())
    }

    /// The link that leads to a place.
    pub(crate) fn link_to(&self, place: Place) -> Result<String, WireError> {
        let link = match place {
            Place::Overview => Link::Overview,
            Place::Deployment { deployment, namespace } => Link::Deployment {
                deployment: self.session(&deployment)?.deployment().id.0.clone(),
                namespace,
            },
            Place::Alert { alert } => Link::Alert { id: link::alert_id(&alert) },
            Place::Missing { .. } => {
                return Err(WireError::new(WireErrorCode::BadInput, "there is no link to nowhere"));
            }
        };
        Ok(link.to_string())
    }

    /// What becomes of the program when its last window is closed. It stays only where it was told to, and where there
    /// is a tray: without either it would go on unseen.
    pub async fn window_settings(&self) -> WindowSettings {
        let kept = match self.store() {
            Some(store) => store.setting(STAY_IN_TRAY).await,
            None => Ok(None),
        };
        let stay = kept.unwrap_or_else(|error| {
            tracing::warn!(%error, "whether to stay in the tray can't be read");
            None
        });
        let tray = self.host().has_tray();
        WindowSettings { tray, stay_in_tray: tray && stay.as_deref() == Some("yes") }
    }

    pub(crate) async fn set_stay_in_tray(&self, stay: bool) -> Result<WindowSettings, WireError> {
        let Some(store) = self.store() else {
            return Err(WireError::new(WireErrorCode::Storage, "there is no place to keep this choice"));
        };
        store.set_setting(STAY_IN_TRAY, if stay { "yes" } else { "no" }).await?;
        Ok(self.window_settings().await)
    }

    /// What the window's title says of a place: the deployment's name; `None` where it is of all.
    #[must_use]
    pub fn deployment_name(&self, id: &DeploymentId) -> Option<String> {
        self.session(id).ok().map(|session| session.deployment().name.clone())
    }
}

fn missing(sentence: &str) -> Place {
    Place::Missing { sentence: sentence.to_owned() }
}

/// The alert as a place.
#[must_use]
pub fn of_alert(alert: AlertRef) -> Place {
    Place::Alert { alert }
}
