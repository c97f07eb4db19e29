//! What the app needs from the shell around it.

use std::path::PathBuf;
use std::pin::Pin;

use crate::alerts::Pace;
use crate::alerts::notice::{Notice, Standing};

/// What a shell does in its own time.
pub type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A shell: the desktop window, the command line, a test.
///
/// Deliberately small: what a shell does not give here, the app does not need to know about it.
pub trait Host: Send + Sync + 'static {
    /// The program's version, for people.
    fn version(&self) -> String;

    /// Where state is kept: deployments, settings. Created owner-only where it does not exist.
    fn state_directory(&self) -> PathBuf;

    /// The `cachescope` program that belongs to this shell, which runs the demo's servers and workload in a
    /// process of its own; `None` where there is none.
    fn companion(&self) -> Option<PathBuf>;

    /// The program that keeps what is changed in servers and puts it back when this one is killed: it runs
    /// [`crate::custody::keeping::run`] when it is started with [`crate::custody::keeping::ARGUMENT`]. This very
    /// program, where it does that. `None`: then no settings are changed.
    fn keeper(&self) -> Option<PathBuf> {
        None
    }

    /// Shows a notification of the desktop. A click on it goes to [`App::open_alert`](crate::App::open_alert). The
    /// future fails with why it is not shown, in one sentence; it is waited for beside everything else.
    fn notify(&self, notice: Notice) -> Doing<Result<(), String>> {
        tracing::debug!(title = notice.title, "this shell has no desktop");
        Box::pin(std::future::ready(Err("this program shows no notifications".to_owned())))
    }

    /// Shows how everything stands, where there is a place for it such as a tray. Must return at once.
    fn show_standing(&self, standing: Standing) {
        tracing::trace!(firing = standing.firing, "this shell has no tray");
    }

    /// How fast alerts are judged and told.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// Whether secrets may go to the keychain of the operating system. A command that lives for seconds
    /// keeps them in memory.
    fn uses_keychain(&self) -> bool {
        true
    }
}

/// Where state is kept: `named`, or else the platform's data folder (on Linux `$XDG_DATA_HOME/cachescope`).
#[must_use]
pub fn state_directory(named: Option<PathBuf>) -> PathBuf {
    let platform = || {
        directories::ProjectDirs::from("dev", "cachescope", "cachescope")
            .map(|found| found.data_dir().to_path_buf())
    };
    // Without a home directory there is no place that lasts; the session still works.
    let temporary = || std::env::temp_dir().join("cachescope");
    named.filter(|path| !path.as_os_str().is_empty()).or_else(platform).unwrap_or_else(temporary)
}
