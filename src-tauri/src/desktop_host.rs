//! What the app needs to know about where it runs.

use std::path::PathBuf;

use cachescope_app::Host;
use cachescope_app::host::state_directory;

/// The desktop as a host: the platform's data folder, and the command that is installed beside the window.
pub(crate) struct DesktopHost {
    state_directory: PathBuf,
}

impl DesktopHost {
    /// The state directory is `CACHESCOPE_STATE_DIR`, or else the platform's data folder: on Linux
    /// `$XDG_DATA_HOME/cachescope`.
    pub(crate) fn new() -> Self {
        let named = std::env::var_os("CACHESCOPE_STATE_DIR").map(PathBuf::from);
        let state_directory = state_directory(named);
        Self { state_directory }
    }
}

impl Host for DesktopHost {
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.state_directory.clone()
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
