//! What the app needs from the shell around it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use cachescope_store::owner_only;

use crate::alerts::Pace;
use crate::alerts::notice::{Notice, Standing};
use crate::wire::{Place, WireError, WireErrorCode};

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

    /// Opens one more window on a place.
    fn open_window(&self, place: Place) -> Doing<Result<(), WireError>> {
        drop(place);
        let refused = WireError::new(WireErrorCode::Refused, "this program has no windows");
        Box::pin(std::future::ready(Err(refused)))
    }

    /// Whether there is a tray that the program could stay in without a window.
    fn has_tray(&self) -> bool {
        false
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

/// Opens a file of the state directory for reading and writing, readable by its owner alone; makes both where they
/// are missing.
///
/// # Errors
/// When it can't be made or opened.
pub fn open_in_state_directory(directory: &Path, name: &str) -> io::Result<File> {
    owner_only::create_directory(directory)?;
    owner_only::open_file(&directory.join(name))
}

/// Writes a small file of the state directory whole, or leaves the one before as it was.
///
/// # Errors
/// When it can't be written.
pub fn write_in_state_directory(directory: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    owner_only::create_directory(directory)?;
    // Readable by its owner alone, as temporary files are made.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.persist(directory.join(name)).map(drop).map_err(|error| error.error)
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
