//! How the alerts of a deployment stood when they were last judged, so that a restart goes on where it stopped.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

/// States as they were kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptStates<T> {
    /// When they were last judged.
    pub at: Timestamp,
    /// The states.
    pub states: T,
}

impl Store {
    /// Keeps how a deployment's alerts stand, in place of what was kept before.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn keep_alert_states<T: Serialize>(
        &self,
        deployment: DeploymentId,
        at: Timestamp,
        states: &T,
    ) -> Result<(), StoreError> {
        let document = self.write_document("the states of alerts", states)?;
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO alert_states (deployment, at_ms, document) VALUES (?1, ?2, ?3)
                         ON CONFLICT (deployment) DO UPDATE
                         SET at_ms = excluded.at_ms, document = excluded.document",
                    )?
                    .execute(params![deployment.0, at.millis(), document])
            })
            .await
            .map(|_rows| ())
    }

    /// How a deployment's alerts stood; `None` where nothing is kept.
    ///
    /// # Errors
    /// When the file can't be read, or what is kept does not read back.
    pub async fn alert_states<T: DeserializeOwned>(
        &self,
        deployment: DeploymentId,
    ) -> Result<Option<KeptStates<T>>, StoreError> {
        let row: Option<(i64, String)> = self
            .writer
            .run(move |connection| {
                connection
                    .prepare_cached("SELECT at_ms, document FROM alert_states WHERE deployment = ?1")?
                    .query_row([deployment.0], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .await?;
        let Some((at, document)) = row else { return Ok(None) };
        let states = serde_json::from_str(&document)
            .map_err(|source| self.unreadable("the states of alerts", source))?;
        Ok(Some(KeptStates { at: Timestamp(at), states }))
    }

    /// Forgets everything about the alerts of a deployment.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn forget_alerts(&self, deployment: DeploymentId) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                for statement in [
                    "DELETE FROM alert_states WHERE deployment = ?1",
                    "DELETE FROM alert_turns WHERE deployment = ?1",
                    "DELETE FROM marks WHERE deployment = ?1",
                    "DELETE FROM acknowledgements WHERE json_extract(document, '$.alert.deployment') = ?1",
                ] {
                    transaction.execute(statement, [&deployment.0])?;
                }
                transaction.commit()
            })
            .await
    }
}
