//! One process at a time opens the database.
//!
//! Without it, two processes that find a damaged file would both set "it" aside, the second one the fresh
//! file of the first; and switching a new database to WAL fails at once, without the busy timeout, when
//! another process does the same.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::{StoreError, owner_only};

const FILE: &str = "cachescope.opening";
/// The operating system offers no lock with a deadline, so it is tried again this often.
const RETRY: Duration = Duration::from_millis(10);

/// Holds the lock until dropped; the operating system releases it when the process dies.
pub(crate) struct OpeningLock {
    _file: File,
}

impl OpeningLock {
    /// Waits at most `deadline` for the other processes.
    pub(crate) fn acquire(directory: &Path, deadline: Duration) -> Result<Self, StoreError> {
        Self::acquire_named(directory, FILE, deadline)
    }

    /// The same for another purpose.
    pub(crate) fn acquire_named(
        directory: &Path,
        file: &str,
        deadline: Duration,
    ) -> Result<Self, StoreError> {
        let path = directory.join(file);
        let file = owner_only::open_file(&path).map_err(StoreError::inaccessible(&path))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if began.elapsed() < deadline => thread::sleep(RETRY),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path }),
                Err(TryLockError::Error(source)) => return Err(StoreError::Inaccessible { path, source }),
            }
        }
    }
}
