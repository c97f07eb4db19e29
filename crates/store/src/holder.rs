//! Who holds a change: a process that can be told to be alive or gone, however it went.
//!
//! The operating system releases a file lock when its process dies, which no process id can promise: ids are
//! given again.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::opening_lock::OpeningLock;
use crate::{Store, StoreError, owner_only};

/// Names the lock under which changes are planned and recorded.
const CHANGING: &str = "cachescope.changing";

/// This process as the holder of changes, for as long as it lives or until this is dropped.
#[derive(Debug)]
pub struct Holder {
    id: String,
    path: PathBuf,
    _file: File,
}

impl Holder {
    /// Its name in the records.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // A file that stays says nothing: its lock is gone with us.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the holder's file stays");
        }
    }
}

/// The right to plan and record changes; one process at a time has it.
pub struct ChangingLock {
    _lock: OpeningLock,
}

impl Store {
    /// Makes this process a holder. Blocks shortly.
    ///
    /// # Errors
    /// When the state directory can't be written.
    pub fn hold(&self) -> Result<Holder, StoreError> {
        let id = format!("{:032x}", rand::random::<u128>());
        let path = file(self.directory(), &id);
        let file = owner_only::open_file(&path).map_err(StoreError::inaccessible(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Holder { id, path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(StoreError::Inaccessible { path, source }),
        }
    }

    /// Whether a holder is alive. Where that can't be told it counts as alive: nothing is taken from it then.
    #[must_use]
    pub fn is_alive(&self, holder: &str) -> bool {
        // Ids are ours; anything else in a record must not become a path.
        if holder.is_empty() || !holder.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        let path = file(self.directory(), holder);
        match File::options().read(true).write(true).open(&path) {
            Ok(open) => match open.try_lock() {
                Ok(()) => {
                    if let Err(error) = fs::remove_file(&path) {
                        tracing::debug!(%error, "the file of a holder that is gone stays");
                    }
                    false
                }
                Err(_) => true,
            },
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Waits, blocking, for the right to plan and record changes: two processes must not take each other's
    /// values for the operator's.
    ///
    /// # Errors
    /// When another process has it for longer than `deadline`.
    pub fn lock_changes(&self, deadline: std::time::Duration) -> Result<ChangingLock, StoreError> {
        OpeningLock::acquire_named(self.directory(), CHANGING, deadline)
            .map(|lock| ChangingLock { _lock: lock })
    }

    fn directory(&self) -> &Path {
        self.writer.path().parent().unwrap_or_else(|| Path::new("."))
    }
}

fn file(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("cachescope.holder.{id}"))
}
