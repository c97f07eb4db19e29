//! What became of alerts, and when: the history that the timeline shows. Bounded by number and age.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use rusqlite::params;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

/// Turns that are kept; older ones are forgotten.
const KEPT: i64 = 20_000;
/// Turns older than thirty days are forgotten.
const KEPT_MILLIS: i64 = 30 * 86_400_000;

impl Store {
    /// Keeps what became of a deployment's alerts, each with its time.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn keep_alert_turns<T: Serialize>(
        &self,
        deployment: DeploymentId,
        turns: &[(Timestamp, T)],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(turns.len());
        for (at, turn) in turns {
            rows.push((at.millis(), self.write_document("an alert's history", turn)?));
        }
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                let mut newest = 0;
                for (at_ms, document) in rows {
                    newest = newest.max(at_ms);
                    transaction
                        .prepare_cached(
                            "INSERT INTO alert_turns (deployment, at_ms, document) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![deployment.0, at_ms, document])?;
                }
                transaction
                    .prepare_cached(
                        "DELETE FROM alert_turns
                         WHERE id <= (SELECT max(id) FROM alert_turns) - ?1 OR at_ms < ?2",
                    )?
                    .execute(params![KEPT, newest - KEPT_MILLIS])?;
                transaction.commit()
            })
            .await
    }

    /// What became of alerts within a span of time, the latest first; `None` is every deployment.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn alert_turns<T: DeserializeOwned>(
        &self,
        deployment: Option<DeploymentId>,
        from: Timestamp,
        to: Timestamp,
        most: u32,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self
            .writer
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT document FROM alert_turns
                     WHERE at_ms BETWEEN ?1 AND ?2 AND (?3 IS NULL OR deployment = ?3)
                     ORDER BY at_ms DESC, id DESC LIMIT ?4",
                )?;
                let deployment = deployment.map(|id| id.0);
                let rows = statement
                    .query_map(params![from.millis(), to.millis(), deployment, most], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        Ok(self.read_documents("an alert's history", rows))
    }
}
