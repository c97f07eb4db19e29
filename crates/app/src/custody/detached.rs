//! Outliving what ends us: the only place that differs by operating system.

use tokio::process::Command;

/// Puts a process into a group of its own, so that neither Ctrl-C nor the end of the terminal, which are meant
/// for our group, reach it. A process is not ended with the one that started it by itself.
#[cfg(unix)]
pub(super) fn detach(command: &mut Command) {
    command.process_group(0);
}

/// `CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW`
/// (<https://learn.microsoft.com/windows/win32/procthread/process-creation-flags>).
#[cfg(windows)]
pub(super) fn detach(command: &mut Command) {
    command.creation_flags(0x0000_0200 | 0x0800_0000);
}

/// Elsewhere it shares our fate when the terminal ends; the next start puts back what is left.
#[cfg(not(any(unix, windows)))]
pub(super) fn detach(_command: &mut Command) {}

/// Waits until the keeper itself is asked to end; never where that can't be told.
#[cfg(unix)]
pub(super) async fn asked_to_end() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "terminations can't be received");
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn asked_to_end() {
    std::future::pending().await
}
