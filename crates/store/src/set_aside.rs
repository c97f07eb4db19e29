//! A damaged database is moved out of the way, never deleted: someone may want to recover it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode};

/// Whether SQLite itself finds the file damaged. Reads the whole file.
///
/// Other failures (locked, unreadable) are errors, not damage: such a file must stay where it is.
pub(crate) fn is_damaged(connection: &Connection) -> rusqlite::Result<bool> {
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(words) => Ok(words != "ok"),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(true),
            _ => Err(error),
        },
    }
}

/// Renames the database and what belongs to it, and returns its new path.
pub(crate) fn set_aside(database: &Path, now: DateTime<Utc>) -> io::Result<PathBuf> {
    let stamp = now.format("%Y%m%dT%H%M%SZ");
    let names = std::iter::once(format!(".damaged-{stamp}"))
        .chain((2..).map(|count| format!(".damaged-{stamp}-{count}")));
    let mut target = PathBuf::new();
    for name in names {
        target = with_suffix(database, &name);
        if !target.try_exists()? {
            break;
        }
    }
    // The log first: a fresh database must never meet the log of a damaged one, even after a crash here.
    for sibling in ["-wal", "-shm"] {
        match fs::rename(with_suffix(database, sibling), with_suffix(&target, sibling)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(database, &target)?;
    Ok(target)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_damaged_files_of_one_second_are_both_kept() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = directory.path().join("a.sqlite3");
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("it is a valid time");
        let kept: Vec<PathBuf> = ["first", "second", "third"]
            .into_iter()
            .map(|content| {
                fs::write(&database, content).expect("the file can be written");
                fs::write(directory.path().join("a.sqlite3-wal"), content).expect("the file can be written");
                set_aside(&database, now).expect("the file can be renamed")
            })
            .collect();
        assert!(kept[0].ends_with("a.sqlite3.damaged-20231114T221320Z"), "{kept:?}");
        for (path, content) in kept.iter().zip(["first", "second", "third"]) {
            assert_eq!(fs::read_to_string(path).expect("it was kept"), content);
            assert_eq!(fs::read_to_string(with_suffix(path, "-wal")).expect("it was kept"), content);
        }
    }
}
