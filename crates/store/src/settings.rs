//! Settings: small texts by key, such as the theme or the last window size.

use rusqlite::{OptionalExtension, params};

use crate::{Store, StoreError};

impl Store {
    /// The text set for `key`, or `None` where none was.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached("SELECT value FROM settings WHERE key = ?1")?
                    .query_row([key], |row| row.get(0))
                    .optional()
            })
            .await
    }

    /// Sets the text for `key`. Settings are no place for secrets.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn set_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO settings (key, value) VALUES (?1, ?2)
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    )?
                    .execute(params![key, value])
            })
            .await
            .map(|_rows| ())
    }
}
