//! The deployments, in the order they were added.

use cachescope_model::deployment::{Deployment, DeploymentId};
use rusqlite::{OptionalExtension, params};

use crate::url_secrets::holds_password;
use crate::{Store, StoreError};

impl Store {
    /// A new identity: 128 random bits, so that it is never reused.
    #[must_use]
    pub fn new_deployment_id() -> DeploymentId {
        DeploymentId(format!("{:032x}", rand::random::<u128>()))
    }

    /// Every deployment, in the order they were added.
    ///
    /// # Errors
    /// When the file can't be read, or an entry does not read back as a deployment.
    pub async fn deployments(&self) -> Result<Vec<Deployment>, StoreError> {
        let rows = self
            .writer
            .run(|connection| {
                let mut statement =
                    connection.prepare_cached("SELECT id, document FROM deployments ORDER BY position")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
            })
            .await?;
        let read = |(id, document): (String, String)| {
            serde_json::from_str(&document).map_err(|source| StoreError::Unreadable {
                path: self.writer.path().to_owned(),
                id,
                source,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Adds a deployment at the end, or replaces the one of the same id in its place.
    ///
    /// # Errors
    /// When one of its URLs contains a password (then nothing is written), or the file can't be written.
    pub async fn save_deployment(&self, deployment: Deployment) -> Result<(), StoreError> {
        refuse_passwords(&deployment)?;
        let document = serde_json::to_string(&deployment).map_err(|source| StoreError::Unreadable {
            path: self.writer.path().to_owned(),
            id: deployment.id.0.clone(),
            source,
        })?;
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO deployments (id, document) VALUES (?1, ?2)
                         ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                    )?
                    .execute(params![deployment.id.0, document])
            })
            .await
            .map(|_rows| ())
    }

    /// Forgets a deployment; `false` where there was none. Its secrets are removed by
    /// [`Secrets::remove`](crate::Secrets::remove).
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn remove_deployment(&self, id: DeploymentId) -> Result<bool, StoreError> {
        self.writer
            .run(move |connection| {
                connection
                    .query_row("DELETE FROM deployments WHERE id = ?1 RETURNING 1", [id.0], |_row| Ok(()))
                    .optional()
            })
            .await
            .map(|removed| removed.is_some())
    }
}

/// The app layer splits passwords off before it saves; this is the second lock on the same door.
fn refuse_passwords(deployment: &Deployment) -> Result<(), StoreError> {
    let urls = [("Redis URL", &deployment.redis_url), ("Prometheus URL", &deployment.prometheus_url)]
        .into_iter()
        .filter_map(|(field, url)| Some((field, url.as_deref()?)))
        .chain(deployment.metrics_urls.iter().map(|url| ("metrics URL", url.as_str())));
    for (field, url) in urls {
        if holds_password(url) {
            return Err(StoreError::PasswordInUrl { deployment: deployment.name.clone(), field });
        }
    }
    Ok(())
}
