//! `cargo xtask screenshots`: the real window in several sizes and both themes, without a display. It takes some
//! twenty minutes, because the pictures show an incident, and its alert waits for ten.

use std::time::Duration;

use anyhow::Result;

use crate::packages::Purpose;
use crate::workspace::{artifacts, debug_program};
use crate::{display, page, run, setup};

/// Takes the pictures.
pub(crate) fn run() -> Result<()> {
    setup::prepare(Purpose::Test)?;
    page::build()?;
    run::foreground(&mut run::cargo(&["build", "--workspace", "--bins", "--examples"]))?;
    let folder = artifacts().join("screenshots");
    std::fs::create_dir_all(&folder)?;
    let mut command = display::virtual_display("env");
    command
        .arg(debug_program("examples/screenshots"))
        .env("CACHESCOPE_ARTIFACTS", &folder)
        .env("CACHESCOPE_DESKTOP_BIN", debug_program("cachescope-desktop"))
        .env("CACHESCOPE_BIN", debug_program("cachescope"));
    run::bounded(&mut command, Duration::from_secs(45 * 60))?;
    eprintln!("pictures are in {}", folder.display());
    Ok(())
}
