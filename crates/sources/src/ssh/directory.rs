//! A place for sockets of ours.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The path of a socket may have 104 bytes (108 on Linux), and `ssh` adds 17 while it makes one.
const MOST_BYTES: usize = 60;

/// A directory that nobody else may enter, with a path that is short enough for a socket in it.
pub(super) fn private() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("cachescope-ssh-").permissions(std::fs::Permissions::from_mode(0o700));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = runtime.into_iter().chain([std::env::temp_dir()]);
    for place in places.filter(|place| place.as_os_str().len() <= MOST_BYTES) {
        if let Ok(directory) = builder.tempdir_in(place) {
            return Ok(directory);
        }
    }
    builder.tempdir_in(Path::new("/tmp"))
}
