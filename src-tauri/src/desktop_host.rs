//! What the app needs to know about where it runs.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cachescope_app::host::{Doing, state_directory};
use cachescope_app::wire::{Place, WireError, WireErrorCode};
use cachescope_app::{App, Host, Notice, Standing};
use cachescope_model::strategy::Severity;
use cachescope_notifications::{Notification, Notifier};
use tauri::AppHandle;

use crate::{tray, windows};

/// The desktop as a host: the platform's data folder, the command that is installed beside the window, its
/// notifications and its tray.
pub(crate) struct DesktopHost {
    state_directory: PathBuf,
    notifier: Notifier,
    shell: Shell,
}

/// The window's side, which is there only after the app has begun.
pub(crate) type Shell = Arc<OnceLock<(AppHandle, App)>>;

impl DesktopHost {
    /// The state directory is `CACHESCOPE_STATE_DIR`, or else the platform's data folder: on Linux
    /// `$XDG_DATA_HOME/cachescope`.
    pub(crate) fn new() -> Self {
        let named = std::env::var_os("CACHESCOPE_STATE_DIR").map(PathBuf::from);
        let state_directory = state_directory(named);
        Self { state_directory, notifier: Notifier::new(), shell: Shell::default() }
    }

    /// To be filled when the window's side is there.
    pub(crate) fn shell(&self) -> Shell {
        Arc::clone(&self.shell)
    }
}

impl Host for DesktopHost {
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.state_directory.clone()
    }

    fn notify(&self, notice: Notice) -> Doing<Result<(), String>> {
        let (notifier, shell) = (self.notifier.clone(), Arc::clone(&self.shell));
        let notification = Notification {
            title: notice.title,
            body: notice.body,
            urgent: notice.severity == Severity::Critical,
            sound: notice.sound,
        };
        let clicked = move || {
            if let Some((handle, app)) = shell.get() {
                windows::lead_to(handle, app, Place::Alert { alert: notice.alert });
            }
        };
        Box::pin(async move {
            // The daemon is asked and may take its time.
            match tokio::task::spawn_blocking(move || notifier.show(notification, clicked)).await {
                Ok(shown) => shown,
                Err(error) => Err(format!("the notification broke off: {error}")),
            }
        })
    }

    fn show_standing(&self, standing: Standing) {
        if let Some((handle, _)) = self.shell.get() {
            tray::show(handle, standing);
        }
    }

    fn open_window(&self, place: Place) -> Doing<Result<(), WireError>> {
        let shell = Arc::clone(&self.shell);
        Box::pin(async move {
            // The event loop opens it, and is waited for.
            let opened = tokio::task::spawn_blocking(move || match shell.get() {
                Some((handle, app)) => windows::open_beside(handle, app, place),
                None => Err(WireError::new(WireErrorCode::Refused, "the first window is not open yet")),
            });
            opened.await.unwrap_or_else(|error| {
                Err(WireError::new(WireErrorCode::Internal, format!("the opening broke off: {error}")))
            })
        })
    }

    fn has_tray(&self) -> bool {
        self.shell.get().is_some_and(|(handle, _)| tray::is_there(handle))
    }

    fn keeper(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    fn companion(&self) -> Option<PathBuf> {
        let ours = std::env::current_exe().ok()?;
        let beside = ours.with_file_name(format!("cachescope{}", std::env::consts::EXE_SUFFIX));
        beside.is_file().then_some(beside)
    }
}
