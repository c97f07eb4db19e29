//! Places of the page: where a link, a notification or a second window leads.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::telling::AlertRef;
use serde::{Deserialize, Serialize};

/// A place of the page. To be led to one shows it and does nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// Every deployment.
    Overview,
    /// One deployment.
    Deployment {
        /// Which one.
        deployment: DeploymentId,
        /// One of its namespaces, by its template.
        namespace: Option<String>,
    },
    /// One alert.
    Alert {
        /// Which one.
        alert: AlertRef,
    },
    /// A link led nowhere.
    Missing {
        /// Why, one sentence.
        sentence: String,
    },
}

/// What the page can ask of the windows around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct WindowSettings {
    /// Whether there is a tray that the program could stay in.
    pub tray: bool,
    /// Whether it stays there when its last window is closed, and goes on watching.
    pub stay_in_tray: bool,
}
