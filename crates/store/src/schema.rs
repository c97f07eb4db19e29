//! The tables, as the steps that led to them. `PRAGMA user_version` counts the steps a file has taken.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;

/// A published step is never edited: a change is a new step.
///
/// `deployments.position` keeps the order of adding; AUTOINCREMENT, so that a place is never given twice.
/// `deployments.document` is the deployment as JSON: it is always read and written whole.
///
/// The tables about alerts hold documents, too; the columns beside them are what is searched by. `marks.deployment`
/// is NULL for a mark of all deployments.
///
/// `audit` is only added to; `approvals` holds hashes of tokens, never a token.
///
/// `setting_changes.outcome` is NULL while a change is in force; `holder` is empty for one that lasts.
const STEPS: [&str; 4] = [
    "
    CREATE TABLE deployments (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id       TEXT NOT NULL UNIQUE,
        document TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT;
    CREATE TABLE settings (
        key   TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE setting_changes (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        holder     TEXT NOT NULL,
        deployment TEXT NOT NULL,
        node       TEXT NOT NULL,
        run_id     TEXT NOT NULL,
        setting    TEXT NOT NULL,
        old_value  TEXT NOT NULL,
        new_value  TEXT NOT NULL,
        at_ms      INTEGER NOT NULL,
        outcome    TEXT
    ) STRICT;
    CREATE INDEX setting_changes_open ON setting_changes (id) WHERE outcome IS NULL;
",
    "
    CREATE TABLE alert_states (
        deployment TEXT NOT NULL PRIMARY KEY,
        at_ms      INTEGER NOT NULL,
        document   TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alert_turns (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        deployment TEXT NOT NULL,
        at_ms      INTEGER NOT NULL,
        document   TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT;
    CREATE INDEX alert_turns_at ON alert_turns (at_ms);
    CREATE TABLE acknowledgements (
        alert    TEXT NOT NULL PRIMARY KEY,
        document TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE silences (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        ends_ms  INTEGER NOT NULL,
        document TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT;
    CREATE TABLE marks (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        deployment TEXT,
        at_ms      INTEGER NOT NULL,
        document   TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT;
    CREATE INDEX marks_at ON marks (at_ms);
    CREATE TABLE channels (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id       TEXT NOT NULL UNIQUE,
        document TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT;
",
    "
    CREATE TABLE audit (
        number          INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms           INTEGER NOT NULL,
        operator        TEXT NOT NULL,
        deployment      TEXT NOT NULL,
        deployment_name TEXT NOT NULL,
        event           TEXT NOT NULL,
        run             TEXT NOT NULL,
        reason          TEXT NOT NULL,
        details         TEXT NOT NULL CHECK (json_valid(details)),
        previous_hash   TEXT NOT NULL,
        hash            TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
    CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
    CREATE TABLE runs (
        run        TEXT NOT NULL PRIMARY KEY,
        deployment TEXT NOT NULL,
        began_ms   INTEGER NOT NULL,
        document   TEXT NOT NULL CHECK (json_valid(document))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals (
        position   INTEGER PRIMARY KEY AUTOINCREMENT,
        token_hash TEXT NOT NULL UNIQUE,
        document   TEXT NOT NULL
    ) STRICT;
",
];

/// Brings the database to the newest schema, or leaves it as it was.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    run(connection, path, &STEPS)
}

/// Refuses a database of a newer Cachescope before anything in it is touched.
pub(crate) fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection).map_err(|error| StoreError::sqlite(path, error))?;
    let known = STEPS.len() as i64;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn run(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let mut take_steps = || {
        // Immediate, so that the version that is read here is still the version when the steps are taken.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken = usize::try_from(version(&transaction)?).unwrap_or(0);
        for step in steps.iter().skip(taken) {
            transaction.execute_batch(step)?;
        }
        if taken < steps.len() {
            transaction.pragma_update(None, "user_version", steps.len() as i64)?;
        }
        transaction.commit()
    };
    take_steps().map_err(|error| StoreError::sqlite(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> i64 {
        connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'step%'", [], |row| row.get(0))
            .expect("the schema table always exists")
    }

    #[test]
    fn only_the_steps_not_yet_taken_are_run() {
        let mut connection = Connection::open_in_memory().expect("memory holds a database");
        let path = Path::new("memory");
        run(&mut connection, path, &["CREATE TABLE step1 (a)"]).expect("the first step runs");
        run(&mut connection, path, &["CREATE TABLE step1 (a)", "CREATE TABLE step2 (a)"])
            .expect("a step taken before is not run again");
        assert_eq!((tables(&connection), version(&connection).expect("it has a version")), (2, 2));
    }

    #[test]
    fn a_migration_that_fails_halfway_leaves_everything_as_it_was() {
        let mut connection = Connection::open_in_memory().expect("memory holds a database");
        let path = Path::new("memory");
        let steps = ["CREATE TABLE step1 (a)", "CREATE TABLE step2 (a); CREATE NONSENSE"];
        run(&mut connection, path, &steps).expect_err("the second step is no SQL");
        assert_eq!((tables(&connection), version(&connection).expect("it has a version")), (0, 0));
    }
}
