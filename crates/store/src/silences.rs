//! Silences and acknowledgements: what people said about alerts.

use cachescope_model::telling::{Acknowledgement, AlertRef, Silence};
use cachescope_model::time::Timestamp;
use rusqlite::params;

use crate::{Store, StoreError};

/// Silences are forgotten when they ended this long ago.
const KEPT_MILLIS: i64 = 7 * 86_400_000;

impl Store {
    /// Keeps a silence: a new one where its number is 0, which is then given. Forgets those that ended a week
    /// before `now`.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn save_silence(&self, silence: Silence, now: Timestamp) -> Result<Silence, StoreError> {
        let document = self.write_document("a silence", &silence)?;
        let (known, ends_ms) = ((silence.id > 0).then_some(silence.id), silence.ends_at.millis());
        let id = self
            .writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                let id = transaction
                    .prepare_cached(
                        "INSERT INTO silences (id, ends_ms, document) VALUES (?1, ?2, ?3)
                         ON CONFLICT (id) DO UPDATE
                         SET ends_ms = excluded.ends_ms, document = excluded.document
                         RETURNING id",
                    )?
                    .query_row(params![known, ends_ms, document], |row| row.get(0))?;
                transaction
                    .execute("DELETE FROM silences WHERE ends_ms < ?1", [now.millis() - KEPT_MILLIS])?;
                transaction.commit()?;
                Ok(id)
            })
            .await?;
        Ok(Silence { id, ..silence })
    }

    /// The silences that end after `since`, the latest end first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn silences(&self, since: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let rows = self
            .writer
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT json_set(document, '$.id', id) FROM silences WHERE ends_ms > ?1
                     ORDER BY ends_ms DESC, id DESC LIMIT 1000",
                )?;
                let rows = statement.query_map([since.millis()], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        Ok(self.read_documents("a silence", rows))
    }

    /// Keeps an acknowledgement, in place of an earlier one of the same alert.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn acknowledge(&self, acknowledgement: Acknowledgement) -> Result<(), StoreError> {
        let alert = self.write_document("an acknowledgement", &acknowledgement.alert)?;
        let document = self.write_document("an acknowledgement", &acknowledgement)?;
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO acknowledgements (alert, document) VALUES (?1, ?2)
                         ON CONFLICT (alert) DO UPDATE SET document = excluded.document",
                    )?
                    .execute(params![alert, document])
            })
            .await
            .map(|_rows| ())
    }

    /// Takes acknowledgements back.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn forget_acknowledgements(&self, alerts: &[AlertRef]) -> Result<(), StoreError> {
        let mut names = Vec::with_capacity(alerts.len());
        for alert in alerts {
            names.push(self.write_document("an acknowledgement", alert)?);
        }
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                for name in names {
                    transaction.execute("DELETE FROM acknowledgements WHERE alert = ?1", [name])?;
                }
                transaction.commit()
            })
            .await
    }

    /// Every acknowledgement.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn acknowledgements(&self) -> Result<Vec<Acknowledgement>, StoreError> {
        let rows = self
            .writer
            .run(move |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT document FROM acknowledgements ORDER BY alert")?;
                let rows = statement.query_map([], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        Ok(self.read_documents("an acknowledgement", rows))
    }
}
