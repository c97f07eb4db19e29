//! What can go wrong between the app and the disk, each with a remedy.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why something could not be kept or read back. No variant ever holds a secret or a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The state directory, or a file in it, cannot be created or written.
    #[error(
        "cannot write {path} ({source}): make it writable for you, or choose another state directory (--state-dir)"
    )]
    Inaccessible {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A newer Cachescope has been here.
    #[error(
        "{path} was written by a newer Cachescope (its schema is {found}, this one knows up to {known}): update Cachescope, or choose another state directory (--state-dir)"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// `PRAGMA user_version` of the file.
        found: i64,
        /// The newest schema this build knows.
        known: i64,
    },
    /// A damaged file could not be moved out of the way.
    #[error("{path} is damaged and cannot be set aside ({source}): move it elsewhere and start again")]
    NotSetAside {
        /// The database.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file turned out to be damaged after it was opened.
    #[error("{path} is damaged: restart Cachescope, which sets the file aside and begins a new one")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another process holds the database for longer than the busy timeout.
    #[error(
        "{path} is locked by another process: close the other Cachescope or tool that holds it, and try again"
    )]
    Locked {
        /// The database, or the lock file that guards its opening.
        path: PathBuf,
    },
    /// No space is left; what was stored before is untouched.
    #[error(
        "{path} cannot grow because the disk is full: free some space and try again; nothing stored was lost"
    )]
    DiskFull {
        /// The database.
        path: PathBuf,
    },
    /// The file or its file system can be read but not written.
    #[error(
        "{path} is read-only: make it and its directory writable for you, or choose another state directory (--state-dir)"
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// SQLite failed in a way that has no name of its own here.
    #[error("{path} cannot be used ({source}): check its disk and permissions, then restart Cachescope")]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A stored deployment does not read back as one.
    #[error(
        "deployment {id:?} in {path} cannot be read ({source}): remove it and add it again, or update Cachescope"
    )]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// The deployment's identity.
        id: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// Something that is kept as a document does not read back.
    #[error(
        "{what} in {path} cannot be read ({source}): it was left out; update Cachescope if a newer one wrote it"
    )]
    UnreadableDocument {
        /// The database.
        path: PathBuf,
        /// What it is, in words.
        what: &'static str,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// A URL was about to be written to disk with a password in it.
    #[error(
        "deployment {deployment:?} was not saved: its {field} contains a password; leave it out of the URL and give it separately, so that it goes to the keychain"
    )]
    PasswordInUrl {
        /// The deployment's name.
        deployment: String,
        /// Which of its URLs, in words.
        field: &'static str,
    },
    /// The writer thread is gone.
    #[error("the store in {path} has stopped after an internal failure: restart Cachescope")]
    Stopped {
        /// The database.
        path: PathBuf,
    },
}

impl StoreError {
    /// A stable name of the kind of error for the wire and for scripts; sentences may change, this may not.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inaccessible { .. } => "store_inaccessible",
            Self::NewerSchema { .. } => "store_newer_schema",
            Self::NotSetAside { .. } => "store_not_set_aside",
            Self::Damaged { .. } => "store_damaged",
            Self::Locked { .. } => "store_locked",
            Self::DiskFull { .. } => "store_disk_full",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Database { .. } => "store_database",
            Self::Unreadable { .. } => "store_unreadable",
            Self::UnreadableDocument { .. } => "store_unreadable_document",
            Self::PasswordInUrl { .. } => "store_password_in_url",
            Self::Stopped { .. } => "store_stopped",
        }
    }

    /// Names what SQLite reports by its result code (<https://www.sqlite.org/rescode.html>).
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            _ => Self::Database { path, source },
        }
    }

    pub(crate) fn inaccessible(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Inaccessible { path, source }
    }
}
