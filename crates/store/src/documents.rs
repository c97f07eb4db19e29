//! Words that are kept as JSON: written whole, read back one by one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

impl Store {
    pub(crate) fn write_document(
        &self,
        what: &'static str,
        document: &impl Serialize,
    ) -> Result<String, StoreError> {
        serde_json::to_string(document).map_err(|source| self.unreadable(what, source))
    }

    /// What does not read back is left out and logged: one bad row must not take the others with it.
    pub(crate) fn read_documents<T: DeserializeOwned>(
        &self,
        what: &'static str,
        rows: Vec<String>,
    ) -> Vec<T> {
        let read = |row: String| match serde_json::from_str(&row) {
            Ok(read) => Some(read),
            Err(source) => {
                tracing::warn!("{}", self.unreadable(what, source));
                None
            }
        };
        rows.into_iter().filter_map(read).collect()
    }

    pub(crate) fn unreadable(&self, what: &'static str, source: serde_json::Error) -> StoreError {
        StoreError::UnreadableDocument { path: self.writer.path().to_owned(), what, source }
    }
}
