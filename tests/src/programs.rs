//! Where the programs under test are, and where pictures go.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The desktop program: `CACHESCOPE_DESKTOP_BIN`, or the one of the development profile.
///
/// # Errors
/// When it has not been built.
pub fn desktop() -> Result<PathBuf> {
    program("CACHESCOPE_DESKTOP_BIN", "cachescope-desktop")
}

/// The `cachescope` command: `CACHESCOPE_BIN`, or the one of the development profile.
///
/// # Errors
/// When it has not been built.
pub fn cachescope() -> Result<PathBuf> {
    program("CACHESCOPE_BIN", "cachescope")
}

/// The folder for what people look at afterwards: `CACHESCOPE_ARTIFACTS`, or `artifacts` in the repository.
///
/// # Errors
/// When it can't be made.
pub fn artifacts() -> Result<PathBuf> {
    let folder =
        std::env::var_os("CACHESCOPE_ARTIFACTS").map_or_else(|| root().join("artifacts"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn program(variable: &str, name: &str) -> Result<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = std::env::var_os(variable).map_or_else(|| target.join("debug").join(file), PathBuf::from);
    if !path.is_file() {
        bail!("{} has not been built: `cargo xtask test` builds it first", path.display());
    }
    Ok(path)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
