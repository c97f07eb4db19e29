//! `cargo xtask demo`: the window on a local Redis and Prometheus with traffic.

use anyhow::{Result, bail};

use crate::packages::Purpose;
use crate::workspace::debug_program;
use crate::{display, page, run, setup};

/// Prepares, builds and opens the window; returns when it is closed.
pub(crate) fn run() -> Result<()> {
    if !display::is_there() {
        bail!(
            "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set). Run this on a desktop or \
             over `ssh -X`; `cargo run -p cachescope-cli -- demo` shows the demo in a terminal, and \
             `cargo xtask screenshots` takes pictures of the window without a display"
        );
    }
    setup::prepare(Purpose::Demo)?;
    page::build()?;
    run::foreground(&mut run::cargo(&["build", "-p", "cachescope-desktop", "-p", "cachescope-cli"]))?;
    eprintln!("opening the window; close it, or press Ctrl-C here, to end the demo and its servers");
    run::foreground(run::command(debug_program("cachescope-desktop")).arg("--demo"))
}
