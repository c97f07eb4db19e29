//! Directories and files that only their owner can read.
//!
//! On Unix that is mode 0700 and 0600. Elsewhere the user's own data folder already carries an access list
//! that keeps other users out, and new files inherit it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a directory and its missing parents. One that exists is left as it is: the operator may have
/// chosen a shared one, and the files inside are closed by themselves.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file for reading and writing, creates it empty where it is missing, and closes it to others.
///
/// SQLite gives its `-wal` and `-shm` files the permissions of the database itself.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    tighten(&file)?;
    Ok(file)
}

/// Closes a file that was made with wider permissions, such as one copied from a backup.
#[cfg(unix)]
fn tighten(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
