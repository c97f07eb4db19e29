//! A display to open windows on: the user's, or a virtual one.

use std::process::Command;

use crate::run;

/// Whether windows can be seen here.
pub(crate) fn is_there() -> bool {
    cfg!(not(target_os = "linux"))
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .into_iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// `program` on a virtual display and a session bus of its own, whatever the user's desktop is: tests must
/// neither depend on it nor disturb it.
pub(crate) fn virtual_display(program: &str) -> Command {
    if cfg!(not(target_os = "linux")) {
        return run::command(program);
    }
    let mut command = run::command("dbus-run-session");
    command
        .args(["--", "xvfb-run", "--auto-servernum", "--server-args=-screen 0 2560x1440x24 -nolisten tcp"])
        .arg(program)
        .env_remove("WAYLAND_DISPLAY")
        .env("GDK_BACKEND", "x11");
    command
}
