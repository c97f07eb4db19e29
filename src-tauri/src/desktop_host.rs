//! What the app needs to know about where it runs.

use std::path::PathBuf;

use cachescope_app::Host;
use directories::ProjectDirs;

/// The desktop as a host: the platform's data folder, and the command that is installed beside the window.
pub(crate) struct DesktopHost {
    state_directory: PathBuf,
}

impl DesktopHost {
    /// The state directory is `CACHESCOPE_STATE_DIR`, or else the platform's data folder: on Linux
    /// `$XDG_DATA_HOME/cachescope`.
    pub(crate) fn new() -> Self {
        let named = std::env::var_os("CACHESCOPE_STATE_DIR").filter(|value| !value.is_empty());
        let platform = || {
            ProjectDirs::from("dev", "cachescope", "cachescope").map(|found| found.data_dir().to_path_buf())
        };
        // Without a home directory there is no place that lasts; the session still works.
        let temporary = || std::env::temp_dir().join("cachescope");
        let state_directory = named.map(PathBuf::from).or_else(platform).unwrap_or_else(temporary);
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

    fn companion(&self) -> Option<PathBuf> {
        let ours = std::env::current_exe().ok()?;
        let beside = ours.with_file_name(format!("cachescope{}", std::env::consts::EXE_SUFFIX));
        beside.is_file().then_some(beside)
    }
}
