//! Marks: deploys and the like, set by the window, the command or a query.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::Mark;
use cachescope_model::time::Timestamp;
use rusqlite::params;

use crate::{Store, StoreError};

/// Marks that are kept; older ones are forgotten.
const KEPT: i64 = 10_000;

impl Store {
    /// Keeps a mark and gives it its number.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn add_mark(&self, mark: Mark) -> Result<Mark, StoreError> {
        let document = self.write_document("a mark", &mark)?;
        let (deployment, at_ms) = (mark.deployment.as_ref().map(|id| id.0.clone()), mark.at.millis());
        let id = self
            .writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                transaction
                    .prepare_cached("INSERT INTO marks (deployment, at_ms, document) VALUES (?1, ?2, ?3)")?
                    .execute(params![deployment, at_ms, document])?;
                let id = transaction.last_insert_rowid();
                transaction
                    .prepare_cached("DELETE FROM marks WHERE id <= (SELECT max(id) FROM marks) - ?1")?
                    .execute([KEPT])?;
                transaction.commit()?;
                Ok(id)
            })
            .await?;
        Ok(Mark { id, ..mark })
    }

    /// The marks of a deployment and of all deployments within a span of time, the latest first; with `None`
    /// those of every deployment.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn marks(
        &self,
        deployment: Option<DeploymentId>,
        from: Timestamp,
        to: Timestamp,
        most: u32,
    ) -> Result<Vec<Mark>, StoreError> {
        let rows = self
            .writer
            .run(move |connection| {
                // The number is the table's, whatever the document was written with.
                let mut statement = connection.prepare_cached(
                    "SELECT json_set(document, '$.id', id) FROM marks
                     WHERE at_ms BETWEEN ?1 AND ?2
                       AND (?3 IS NULL OR deployment IS NULL OR deployment = ?3)
                     ORDER BY at_ms DESC, id DESC LIMIT ?4",
                )?;
                let deployment = deployment.map(|id| id.0);
                let rows = statement
                    .query_map(params![from.millis(), to.millis(), deployment, most], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        Ok(self.read_documents("a mark", rows))
    }

    /// Removes a mark; `false` where there was none.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn remove_mark(&self, id: i64) -> Result<bool, StoreError> {
        self.writer
            .run(move |connection| connection.execute("DELETE FROM marks WHERE id = ?1", [id]))
            .await
            .map(|removed| removed > 0)
    }
}
