//! What the app needs from the shell around it.

use std::path::PathBuf;

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

    /// Whether secrets may go to the keychain of the operating system. A command that lives for seconds
    /// keeps them in memory.
    fn uses_keychain(&self) -> bool {
        true
    }
}
