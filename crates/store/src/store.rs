//! Opening the database, and the handle that everything else is reached by.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use rusqlite::{Connection, OpenFlags};

use crate::opening_lock::OpeningLock;
use crate::writer::Writer;
use crate::{StoreError, owner_only, schema, set_aside};

/// Name of the database within the state directory.
pub const DATABASE_FILE: &str = "cachescope.sqlite3";

/// How long a statement waits for another process before [`StoreError::Locked`]. Transactions here take
/// milliseconds; what takes longer than this is a tool that holds the file open.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Deployments and settings in one SQLite file that the desktop and the command may share at once.
///
/// Cheap to clone; clones share one connection on a thread of its own. A method returns when its change is
/// on disk, and works on any async runtime.
#[derive(Clone)]
pub struct Store {
    pub(crate) writer: Writer,
    set_aside: Option<PathBuf>,
}

impl Store {
    /// Opens the store in `directory`, which is made where it is missing. Directory and files that it makes
    /// can be read by their owner alone. Blocks, usually for milliseconds, at most for some seconds while
    /// another process holds the file.
    ///
    /// A damaged file is renamed, logged, told by [`Store::set_aside`], and a new one begun.
    ///
    /// # Errors
    /// When the directory or file can't be made or written, the disk is full, another process holds the file
    /// too long, or the file is of a newer Cachescope (it is then left untouched).
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_with(directory, BUSY_TIMEOUT)
    }

    pub(crate) fn open_with(directory: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        owner_only::create_directory(directory).map_err(StoreError::inaccessible(directory))?;
        let _one_at_a_time = OpeningLock::acquire(directory, busy_timeout)?;
        let path = directory.join(DATABASE_FILE);
        let (mut connection, set_aside) = sound_connection(&path, busy_timeout)?;
        schema::refuse_newer(&connection, &path)?;
        configure(&connection).map_err(|error| StoreError::sqlite(&path, error))?;
        schema::migrate(&mut connection, &path)?;
        let writer = Writer::start(&path, connection).map_err(StoreError::inaccessible(&path))?;
        Ok(Self { writer, set_aside })
    }

    /// Where the previous file is now, when it was found damaged at opening and a new one was begun. The
    /// shells tell the operator.
    #[must_use]
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Store").field(&self.writer.path()).finish()
    }
}

/// A connection to a file that SQLite finds sound, and where the damaged one went if there was one.
fn sound_connection(
    path: &Path,
    busy_timeout: Duration,
) -> Result<(Connection, Option<PathBuf>), StoreError> {
    let connection = connect(path, busy_timeout)?;
    if !set_aside::is_damaged(&connection).map_err(|error| StoreError::sqlite(path, error))? {
        return Ok((connection, None));
    }
    drop(connection);
    let kept = set_aside::set_aside(path, Utc::now())
        .map_err(|source| StoreError::NotSetAside { path: path.to_owned(), source })?;
    tracing::warn!(
        "{} was damaged: it is kept as {} and a new one was begun",
        path.display(),
        kept.display()
    );
    Ok((connect(path, busy_timeout)?, Some(kept)))
}

fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    owner_only::create_database(path).map_err(StoreError::inaccessible(path))?;
    // Without SQLITE_OPEN_URI: a directory's name must never be read as options.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_timeout)?;
        Ok(connection)
    };
    open().map_err(|error| StoreError::sqlite(path, error))
}

/// WAL, so that two processes can read while one writes; FULL, so that what was acknowledged survives a
/// power cut (in WAL mode NORMAL may lose the last transactions, <https://www.sqlite.org/pragma.html>).
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_database_that_another_process_holds_is_said_to_be_locked_and_works_when_it_is_free() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::open_with(directory.path(), SHORT).expect("the store opens");
        let other = Connection::open(directory.path().join(DATABASE_FILE)).expect("another can open it");
        other.execute_batch("BEGIN IMMEDIATE").expect("another can hold it");
        let error = store.set_setting("theme", "dark").await.expect_err("another holds it");
        assert_eq!(error.code(), "store_locked");
        assert!(error.to_string().contains(DATABASE_FILE), "{error}");
        assert_eq!(store.setting("theme").await.expect("reading goes on"), None);
        other.execute_batch("ROLLBACK").expect("another can let go");
        store.set_setting("theme", "dark").await.expect("it is free");
    }

    #[test]
    fn opening_waits_for_another_process_that_opens_but_not_for_ever() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let other = OpeningLock::acquire(directory.path(), SHORT).expect("nobody holds it");
        let error = Store::open_with(directory.path(), SHORT).expect_err("another holds it");
        assert_eq!(error.code(), "store_locked");
        drop(other);
        Store::open_with(directory.path(), SHORT).expect("nobody holds it");
    }

    #[test]
    fn openers_that_meet_at_a_damaged_file_set_it_aside_once_and_end_with_one_new_file() {
        const OPENERS: usize = 8;
        for round in 0..20 {
            let directory = tempfile::tempdir().expect("a temporary directory can be made");
            std::fs::write(directory.path().join(DATABASE_FILE), "no database ".repeat(1_000))
                .expect("it can be written");
            let start = std::sync::Barrier::new(OPENERS);
            let open = || {
                start.wait();
                Store::open(directory.path()).expect("every one opens")
            };
            let stores: Vec<Store> = std::thread::scope(|scope| {
                let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
                openers.into_iter().map(|opener| opener.join().expect("the thread ends")).collect()
            });
            let told = stores.iter().filter(|store| store.set_aside().is_some()).count();
            assert_eq!(told, 1, "round {round}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn opening_a_second_time_does_not_drop_the_locks_of_the_first() {
        use std::os::unix::fs::MetadataExt;

        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join(DATABASE_FILE);
        let first = Connection::open(&path).expect("it opens");
        first.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE held (a)").expect("it can be held");
        // The kernel hands the list out in pieces: one that changes meanwhile can repeat or miss a line.
        let locks = || {
            let inode = std::fs::metadata(&path).expect("it exists").ino();
            let held = std::fs::read_to_string("/proc/locks").expect("Linux tells the locks");
            let of_the_file = |line: &&str| line.contains("POSIX") && line.contains(&format!(":{inode} "));
            let lock = |line: &str| line.split_once(": ").map(|(_, lock)| lock.to_owned());
            held.lines().filter(of_the_file).filter_map(lock).collect::<BTreeSet<String>>()
        };
        let settles_at = |wanted: Option<&BTreeSet<String>>| {
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut last = locks();
            loop {
                let now = locks();
                if now == *wanted.unwrap_or(&last) || Instant::now() > deadline {
                    return now;
                }
                last = now;
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let before = settles_at(None);
        assert!(!before.is_empty(), "the first connection holds locks");
        let error = Store::open_with(directory.path(), SHORT).expect_err("the first holds it");
        assert_eq!(error.code(), "store_locked");
        assert_eq!(settles_at(Some(&before)), before);
    }

    #[tokio::test]
    async fn a_database_that_cannot_grow_is_said_to_be_full_and_keeps_what_it_has() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::open_with(directory.path(), SHORT).expect("the store opens");
        store.set_setting("theme", "dark").await.expect("there is room");
        let limit = |pages: i64| {
            store.writer.run(move |connection| {
                connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            })
        };
        limit(1).await.expect("SQLite sets it to what there is");
        let long = "x".repeat(100_000);
        let error = store.set_setting("large", &long).await.expect_err("there is no room");
        assert_eq!(error.code(), "store_disk_full");
        assert_eq!(store.setting("theme").await.expect("it can be read").as_deref(), Some("dark"));
        limit(1_000_000).await.expect("there is room again");
        store.set_setting("large", &long).await.expect("there is room again");
    }

    #[tokio::test]
    async fn after_an_internal_failure_the_store_says_that_it_has_stopped() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::open_with(directory.path(), SHORT).expect("the store opens");
        let failed = store.writer.run::<()>(|_connection| panic!("the test breaks the thread")).await;
        assert_eq!(failed.expect_err("the thread is gone").code(), "store_stopped");
        let error = store.setting("theme").await.expect_err("the thread is gone");
        assert_eq!(error.code(), "store_stopped");
    }
}
