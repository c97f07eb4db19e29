//! The two commands of the page. Everything it can say or hear is declared in `cachescope_app::wire`.

use std::collections::HashMap;

use cachescope_app::wire::{Frame, Reply, Request, View, WireError};
use cachescope_app::{App, Watch};
use cachescope_model::deployment::DeploymentId;
use parking_lot::Mutex;
use tauri::ipc::Channel;
use tauri::{State, Window};

use crate::windows;

/// What each window looks at, by the window's label. A window looks at one thing.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<String, Looking>>);

/// What a window looks at, for as long as it is fed.
struct Looking {
    deployment: Option<DeploymentId>,
    _fed: Watch,
}

impl Watches {
    /// The window that looks at this deployment.
    pub(crate) fn at(&self, deployment: &DeploymentId) -> Option<String> {
        let watches = self.0.lock();
        let mut looking = watches.iter().filter(|(_, it)| it.deployment.as_ref() == Some(deployment));
        looking.next().map(|(window, _)| window.clone())
    }

    /// Feeds a window no more.
    pub(crate) fn end(&self, window: &str) {
        self.0.lock().remove(window);
    }
}

/// Asks the app.
#[tauri::command]
pub(crate) async fn request(app: State<'_, App>, request: Request) -> Result<Reply, WireError> {
    app.handle(request).await
}

/// Sends frames of `view` to the calling window until it watches something else or is gone.
#[tauri::command]
pub(crate) async fn watch(
    window: Window,
    app: State<'_, App>,
    watches: State<'_, Watches>,
    view: View,
    frames: Channel<Frame>,
) -> Result<(), WireError> {
    tracing::debug!(window = window.label(), ?view, "the page looks");
    let deployment = match &view {
        View::Deployment { deployment, .. } => Some(deployment.clone()),
        View::Overview { .. } => None,
        // Hidden: it still is where it was.
        View::None => watches.0.lock().get(window.label()).and_then(|looking| looking.deployment.clone()),
    };
    let name = deployment.as_ref().and_then(|deployment| app.deployment_name(deployment));
    windows::title(&window, name.as_deref());
    let fed = app.watch_in(window.label(), view, move |frame| frames.send(frame).is_ok());
    // What was watched before ends with this.
    watches.0.lock().insert(window.label().to_owned(), Looking { deployment, _fed: fed });
    Ok(())
}
