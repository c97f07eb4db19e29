//! Leaving in order: sessions end, the demo's servers go, nothing is left behind.

use std::time::Duration;

use cachescope_app::App;
use tauri::AppHandle;

/// A server that hangs must not keep the window's process alive.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Ends everything the app runs, within [`STOP_WITHIN`].
pub(crate) async fn stop(app: &App) {
    if tokio::time::timeout(STOP_WITHIN, app.stop()).await.is_err() {
        tracing::warn!("sessions did not end within {} s; leaving without them", STOP_WITHIN.as_secs());
    }
}

/// Leaves in order when the system or the terminal asks for it.
pub(crate) fn exit_on_signals(shell: AppHandle) {
    tauri::async_runtime::spawn(async move {
        match signals::asked_to_end().await {
            Ok(()) => shell.exit(0),
            Err(error) => {
                tracing::warn!("signals can't be awaited, so they end the program at once: {error}")
            }
        }
    });
}

/// The Unix part: SIGTERM (a session's end, a service manager), SIGINT (Ctrl-C in the terminal that started
/// it) and SIGHUP (that terminal was closed).
#[cfg(unix)]
mod signals {
    use tokio::signal::unix::{SignalKind, signal};

    pub(super) async fn asked_to_end() -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        Ok(())
    }
}

/// Elsewhere a console's Ctrl-C is all there is; a closing session closes the window itself.
#[cfg(not(unix))]
mod signals {
    pub(super) async fn asked_to_end() -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}
