//! Pushing frames to a window for as long as it looks.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::window::Window;
use tokio::task::AbortHandle;

use crate::app::App;
use crate::session::Session;
use crate::wire::{Frame, View};
use crate::{frame_size, frames};

/// Frames are pushed when a session closes a second, and at least this often, so that ages go on and a
/// deployment that hangs does not look alive.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// A window's subscription. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts pushing. `sink` returns `false` when its window is gone.
pub(crate) fn start(
    app: App,
    name: String,
    view: View,
    sink: impl Fn(Frame) -> bool + Send + 'static,
) -> Watch {
    let task = tokio::spawn(async move {
        match view {
            View::None => {}
            View::Overview { window } => overview(app, &name, window, sink).await,
            View::Deployment { deployment, window } => one(app, &name, deployment, window, sink).await,
        }
    });
    Watch { task: task.abort_handle() }
}

/// Pushes the overview in its parts. Returns whether the window is still there.
fn push_overview(app: &App, window: Window, sink: &impl Fn(Frame) -> bool) -> bool {
    let sessions = app.sessions();
    let row = |session: &Arc<Session>| {
        frames::overview_row(session, app.alerts().counts(&session.deployment().id), window)
    };
    let rows = sessions.iter().map(row).collect();
    frame_size::in_parts(app.now(), window, rows).into_iter().all(sink)
}

/// Leads the window of this name to where it is wanted. Returns whether it is still there.
fn push_opening(app: &App, name: &str, sink: &impl Fn(Frame) -> bool) -> bool {
    app.openings().take(name).is_none_or(|place| sink(Frame::Open { place }))
}

async fn overview(app: App, name: &str, window: Window, sink: impl Fn(Frame) -> bool) {
    let mut changes = app.changes();
    let mut openings = app.openings().changes();
    loop {
        if !push_opening(&app, name, &sink) || !push_overview(&app, window, &sink) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = openings.changed() => {}
            changed = changes.changed() => {
                if changed.is_err() || !sink(Frame::DeploymentsChanged) {
                    return;
                }
            }
        }
    }
}

async fn one(app: App, name: &str, deployment: DeploymentId, window: Window, sink: impl Fn(Frame) -> bool) {
    let mut changes = app.changes();
    let mut openings = app.openings().changes();
    loop {
        if !push_opening(&app, name, &sink) {
            return;
        }
        // Looked up anew each time: a changed deployment has a new session under the old identity.
        let session = app.session(&deployment);
        if let Ok(session) = &session
            && !sink(frame_size::fitted(frames::instance(session, app.alerts().counts(&deployment), window)))
        {
            return;
        }
        if !push_overview(&app, window, &sink) {
            return;
        }
        let next_second = async {
            match &session {
                Ok(session) => {
                    let mut ticks = session.ticks();
                    ticks.mark_unchanged();
                    if ticks.changed().await.is_err() {
                        tokio::time::sleep(LONGEST_SILENCE).await;
                    }
                }
                Err(_) => tokio::time::sleep(LONGEST_SILENCE).await,
            }
        };
        tokio::select! {
            _ = tokio::time::timeout(LONGEST_SILENCE, next_second) => {}
            _ = openings.changed() => {}
            changed = changes.changed() => {
                if changed.is_err() || !sink(Frame::DeploymentsChanged) {
                    return;
                }
            }
        }
    }
}
