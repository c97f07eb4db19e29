//! The audit: what was done, by whom, where and why. Rows are only ever added, and each carries the hash of the one
//! before, so that a change to any of them shows.

use cachescope_model::time::Timestamp;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Store, StoreError};

/// The hash before the first row.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened. Never with a secret, a value or a masked name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// Of which deployment.
    pub deployment: String,
    /// What it was called.
    pub deployment_name: String,
    /// What happened, such as `purge.started`.
    pub event: String,
    /// The run; empty where there is none.
    pub run: String,
    /// Why, as the operator said.
    pub reason: String,
    /// Counts and results as JSON.
    pub details: String,
}

/// A row as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// What happened.
    pub row: NewAuditRow,
    /// The hash of the row before.
    pub previous_hash: String,
    /// Its own hash.
    pub hash: String,
}

/// Whether every row follows from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Rows that were looked at.
    pub rows: u64,
    /// The last row's hash.
    pub last_hash: String,
    /// The first thing that is wrong; empty where nothing is.
    pub problem: String,
}

impl AuditRow {
    /// SHA-256 over every field with its length in front, so that no two rows are written alike.
    fn computed_hash(&self) -> String {
        let (number, at) = (self.number.to_string(), self.row.at.millis().to_string());
        let fields = [
            &self.previous_hash,
            &number,
            &at,
            &self.row.operator,
            &self.row.deployment,
            &self.row.deployment_name,
            &self.row.event,
            &self.row.run,
            &self.row.reason,
            &self.row.details,
        ];
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend((field.len() as u64).to_le_bytes());
            bytes.extend(field.as_bytes());
        }
        digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const COLUMNS: &str =
    "number, at_ms, operator, deployment, deployment_name, event, run, reason, details, previous_hash, hash";

impl Store {
    /// Adds a row. It is on disk when this returns.
    ///
    /// # Errors
    /// When the file can't be written: then what it tells of must not be done.
    pub async fn add_audit(&self, row: NewAuditRow) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                // Immediate: another process must not add one between reading the last and adding ours.
                let transaction =
                    connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let last: Option<(i64, String)> = transaction
                    .query_row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })
                    .optional()?;
                let (number, previous_hash) = last.unwrap_or((0, BEGINNING.to_owned()));
                let mut added = AuditRow { number: number + 1, row, previous_hash, hash: String::new() };
                added.hash = added.computed_hash();
                transaction
                    .prepare_cached(&format!(
                        "INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                    ))?
                    .execute(params![
                        added.number,
                        added.row.at.millis(),
                        added.row.operator,
                        added.row.deployment,
                        added.row.deployment_name,
                        added.row.event,
                        added.row.run,
                        added.row.reason,
                        added.row.details,
                        added.previous_hash,
                        added.hash,
                    ])?;
                transaction.commit()
            })
            .await
    }

    /// Rows before `before`, the newest first, at most `most`; of one deployment where it is named.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn audit(
        &self,
        deployment: Option<String>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.writer
            .run(move |connection| {
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM audit
                     WHERE number < ?1 AND (?2 IS NULL OR deployment = ?2) ORDER BY number DESC LIMIT ?3"
                ))?;
                let rows =
                    statement.query_map(params![before.unwrap_or(i64::MAX), deployment, most], read)?;
                rows.collect()
            })
            .await
    }

    /// Looks at every row. A row that was changed, taken out or put in shows, and so do rows that were cut off at
    /// the end, as long as the table itself was not made anew.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        self.writer.run(verify).await
    }
}

fn verify(connection: &mut Connection) -> rusqlite::Result<AuditVerdict> {
    let ever: i64 = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'audit'", [], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))?;
    let mut verdict = AuditVerdict { rows: 0, last_hash: BEGINNING.to_owned(), problem: String::new() };
    let mut expected = 1;
    for row in statement.query_map([], read)? {
        let row = row?;
        let problem = if row.number != expected {
            Some(format!("row {expected} is missing"))
        } else if row.previous_hash != verdict.last_hash {
            Some(format!("row {} does not follow from the one before", row.number))
        } else if row.hash != row.computed_hash() {
            Some(format!("row {} was changed", row.number))
        } else {
            None
        };
        if let Some(problem) = problem {
            verdict.problem = problem;
            return Ok(verdict);
        }
        verdict.rows += 1;
        expected += 1;
        verdict.last_hash = row.hash;
    }
    if ever >= expected {
        verdict.problem = format!("rows {expected} to {ever} are missing at the end");
    }
    Ok(verdict)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        number: row.get(0)?,
        row: NewAuditRow {
            at: Timestamp(row.get(1)?),
            operator: row.get(2)?,
            deployment: row.get(3)?,
            deployment_name: row.get(4)?,
            event: row.get(5)?,
            run: row.get(6)?,
            reason: row.get(7)?,
            details: row.get(8)?,
        },
        previous_hash: row.get(9)?,
        hash: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str) -> NewAuditRow {
        NewAuditRow {
            at: Timestamp(5),
            operator: "ada@laptop".to_owned(),
            deployment: "d".to_owned(),
            deployment_name: "prod".to_owned(),
            event: event.to_owned(),
            run: "1".to_owned(),
            reason: "why".to_owned(),
            details: "{}".to_owned(),
        }
    }

    async fn filled(rows: usize) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::open(directory.path()).expect("the store opens");
        for place in 0..rows {
            store.add_audit(row(&format!("purge.{place}"))).await.expect("added");
        }
        (directory, store)
    }

    #[tokio::test]
    async fn rows_follow_from_each_other_and_come_newest_first() {
        let (_directory, store) = filled(3).await;
        let verdict = store.verify_audit().await.expect("it can be read");
        assert_eq!((verdict.rows, verdict.problem.as_str()), (3, ""));
        let rows = store.audit(None, None, 2).await.expect("it can be read");
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(rows[0].hash, verdict.last_hash);
        assert!(store.audit(Some("x".to_owned()), None, 2).await.expect("it can be read").is_empty());
    }

    #[tokio::test]
    async fn the_table_takes_no_changes_and_whoever_gets_around_that_is_noticed() {
        for (statement, problem) in [
            ("UPDATE audit SET reason = 'other' WHERE number = 2", "row 2 was changed"),
            ("DELETE FROM audit WHERE number = 2", "row 2 is missing"),
            ("DELETE FROM audit WHERE number = 3", "rows 3 to 3 are missing at the end"),
            (
                "UPDATE audit SET previous_hash = (SELECT hash FROM audit WHERE number = 3) WHERE number = 2",
                "row 2 does not follow from the one before",
            ),
        ] {
            let (_directory, store) = filled(3).await;
            let refused = store.writer.run(move |connection| connection.execute_batch(statement)).await;
            assert!(refused.is_err(), "{statement}");
            let around = format!("DROP TRIGGER audit_stays; DROP TRIGGER audit_keeps; {statement}");
            store.writer.run(move |connection| connection.execute_batch(&around)).await.expect("forced");
            assert_eq!(store.verify_audit().await.expect("it can be read").problem, problem, "{statement}");
        }
    }
}
