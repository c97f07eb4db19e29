//! Directories and files that only their owner can read.
//!
//! On Unix that is mode 0700 and 0600. Elsewhere the user's own data folder already carries an access list
//! that keeps other users out, and new files inherit it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a directory and its missing parents. One that exists is left as it is: the operator may have
/// chosen a shared one, and the files inside are closed by themselves.
///
/// # Errors
/// When it can't be made.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file for reading and writing and creates it empty where it is missing.
///
/// # Errors
/// When it can't be opened.
pub fn open_file(path: &Path) -> io::Result<File> {
    options().create(true).truncate(false).open(path)
}

/// Creates an empty database file, or closes an existing one to others (it may come from a backup). SQLite
/// gives its `-wal` and `-shm` files the permissions of the database itself.
///
/// An existing one is never opened here: closing any handle of a file drops the locks that other connections
/// of this process hold on it (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).
pub(crate) fn create_database(path: &Path) -> io::Result<()> {
    match options().create_new(true).open(path) {
        Ok(_empty) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path),
        Err(error) => Err(error),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path)?;
    let mode = metadata.permissions().mode();
    if metadata.is_file() && mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn tighten(_path: &Path) -> io::Result<()> {
    Ok(())
}
