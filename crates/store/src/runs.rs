//! Runs of actions, each as one JSON document that is always read and written whole; and what tokens approve.

use cachescope_model::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::{Store, StoreError};

/// Approvals that are kept at once; the oldest go first.
const APPROVALS_KEPT: i64 = 64;

impl Store {
    /// Writes a run down, in place of what was written before.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn save_run(
        &self,
        run: &str,
        deployment: &str,
        began: Timestamp,
        document: String,
    ) -> Result<(), StoreError> {
        let (run, deployment) = (run.to_owned(), deployment.to_owned());
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO runs (run, deployment, began_ms, document) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (run) DO UPDATE SET document = excluded.document",
                    )?
                    .execute(params![run, deployment, began.millis(), document])
            })
            .await
            .map(|_rows| ())
    }

    /// A run's document.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn run(&self, run: &str) -> Result<Option<String>, StoreError> {
        let run = run.to_owned();
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached("SELECT document FROM runs WHERE run = ?1")?
                    .query_row([run], |row| row.get(0))
                    .optional()
            })
            .await
    }

    /// Documents of runs, the newest first; of one deployment where it is named.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn runs(&self, deployment: Option<String>, most: u32) -> Result<Vec<String>, StoreError> {
        self.writer
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT document FROM runs WHERE ?1 IS NULL OR deployment = ?1
                     ORDER BY began_ms DESC, run DESC LIMIT ?2",
                )?;
                let rows = statement.query_map(params![deployment, most], |row| row.get(0))?;
                rows.collect()
            })
            .await
    }

    /// Keeps what a token approves, under the token's hash.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn keep_approval(&self, token_hash: String, document: String) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                transaction
                    .prepare_cached("INSERT INTO approvals (token_hash, document) VALUES (?1, ?2)")?
                    .execute(params![token_hash, document])?;
                transaction.execute(
                    "DELETE FROM approvals WHERE position NOT IN
                         (SELECT position FROM approvals ORDER BY position DESC LIMIT ?1)",
                    [APPROVALS_KEPT],
                )?;
                transaction.commit()
            })
            .await
    }

    /// Takes it out again: of several who ask, in whatever processes, one gets it.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn take_approval(&self, token_hash: String) -> Result<Option<String>, StoreError> {
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached("DELETE FROM approvals WHERE token_hash = ?1 RETURNING document")?
                    .query_row([token_hash], |row| row.get(0))
                    .optional()
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_approval_is_taken_once_and_a_run_is_written_over() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::open(directory.path()).expect("the store opens");
        let other = Store::open(directory.path()).expect("another process opens it too");
        store.keep_approval("h".to_owned(), "plan".to_owned()).await.expect("kept");
        let taken = other.take_approval("h".to_owned()).await.expect("asked");
        assert_eq!(taken.as_deref(), Some("plan"));
        assert_eq!(store.take_approval("h".to_owned()).await.expect("asked"), None);
        for document in ["1", "2"] {
            store.save_run("r", "d", Timestamp(1), document.to_owned()).await.expect("saved");
        }
        store.save_run("s", "e", Timestamp(2), "3".to_owned()).await.expect("saved");
        assert_eq!(store.run("r").await.expect("read").as_deref(), Some("2"));
        assert_eq!(store.runs(None, 9).await.expect("read"), ["3", "2"]);
        assert_eq!(store.runs(Some("d".to_owned()), 9).await.expect("read"), ["2"]);
    }
}
