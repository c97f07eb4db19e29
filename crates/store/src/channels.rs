//! Channels, in the order they were added. Their addresses and tokens are secrets and are not here.

use cachescope_model::telling::Channel;
use rusqlite::params;

use crate::{Store, StoreError};

impl Store {
    /// Every channel, in the order they were added.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn channels(&self) -> Result<Vec<Channel>, StoreError> {
        let rows = self
            .writer
            .run(move |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT document FROM channels ORDER BY position")?;
                let rows = statement.query_map([], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        Ok(self.read_documents("a channel", rows))
    }

    /// Adds a channel at the end, or replaces the one of the same id in its place.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn save_channel(&self, channel: &Channel) -> Result<(), StoreError> {
        let (id, document) = (channel.id.clone(), self.write_document("a channel", channel)?);
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO channels (id, document) VALUES (?1, ?2)
                         ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                    )?
                    .execute(params![id, document])
            })
            .await
            .map(|_rows| ())
    }

    /// Forgets a channel; `false` where there was none.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn remove_channel(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .run(move |connection| connection.execute("DELETE FROM channels WHERE id = ?1", [id]))
            .await
            .map(|removed| removed > 0)
    }
}
