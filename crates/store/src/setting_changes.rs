//! What was changed in other people's servers and has to be put back: written down before it is changed.
//!
//! A record is open until it is settled. It belongs to the process that holds it, which is alive for as long as
//! its [`Holder`] is; open records of a holder that is gone are the leftovers of a crash. Lasting records belong
//! to nobody: the operator asked for the change to stay until they put it back themselves.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use rusqlite::{Row, params};

use crate::{Store, StoreError};

/// Settled records that are kept for looking back; older ones are forgotten.
const SETTLED_KEPT: i64 = 1_000;

/// A change that is about to be made. Never with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChange {
    /// The holder's id; empty for a lasting change.
    pub holder: String,
    /// For which deployment.
    pub deployment: DeploymentId,
    /// The server, as `host:port` or the path of its socket.
    pub node: String,
    /// The server's `run_id`, which changes with each of its starts.
    pub run_id: String,
    /// The setting's name, as `CONFIG SET` takes it.
    pub setting: String,
    /// The operator's value.
    pub old_value: String,
    /// Ours.
    pub new_value: String,
    /// When.
    pub at: Timestamp,
}

/// A change that is written down and not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// Its number.
    pub id: i64,
    /// What it says.
    pub change: NewChange,
}

impl RecordedChange {
    /// Whether it stays until the operator puts it back.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.change.holder.is_empty()
    }
}

impl Store {
    /// Writes changes down, all or none of them. They are on disk when this returns.
    ///
    /// # Errors
    /// When the file can't be written: then the change must not be made.
    pub async fn record_changes(&self, changes: Vec<NewChange>) -> Result<Vec<RecordedChange>, StoreError> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction()?;
                let mut recorded = Vec::with_capacity(changes.len());
                for change in changes {
                    transaction
                        .prepare_cached(
                            "INSERT INTO setting_changes
                                 (holder, deployment, node, run_id, setting, old_value, new_value, at_ms)
                             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        )?
                        .execute(params![
                            change.holder,
                            change.deployment.0,
                            change.node,
                            change.run_id,
                            change.setting,
                            change.old_value,
                            change.new_value,
                            change.at.millis(),
                        ])?;
                    recorded.push(RecordedChange { id: transaction.last_insert_rowid(), change });
                }
                transaction.execute(
                    "DELETE FROM setting_changes WHERE outcome IS NOT NULL AND id NOT IN (
                         SELECT id FROM setting_changes WHERE outcome IS NOT NULL ORDER BY id DESC LIMIT ?1
                     )",
                    [SETTLED_KEPT],
                )?;
                transaction.commit()?;
                Ok(recorded)
            })
            .await
    }

    /// Every change that is not settled, oldest first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn open_changes(&self) -> Result<Vec<RecordedChange>, StoreError> {
        self.writer
            .run(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, holder, deployment, node, run_id, setting, old_value, new_value, at_ms
                     FROM setting_changes WHERE outcome IS NULL ORDER BY id",
                )?;
                let rows = statement.query_map([], read)?;
                rows.collect()
            })
            .await
    }

    /// Settles a change: `outcome` says in words what became of it.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn settle_change(&self, id: i64, outcome: &str) -> Result<(), StoreError> {
        let outcome = outcome.to_owned();
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "UPDATE setting_changes SET outcome = ?2 WHERE id = ?1 AND outcome IS NULL",
                    )?
                    .execute(params![id, outcome])
            })
            .await
            .map(|_rows| ())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RecordedChange> {
    Ok(RecordedChange {
        id: row.get(0)?,
        change: NewChange {
            holder: row.get(1)?,
            deployment: DeploymentId(row.get(2)?),
            node: row.get(3)?,
            run_id: row.get(4)?,
            setting: row.get(5)?,
            old_value: row.get(6)?,
            new_value: row.get(7)?,
            at: Timestamp(row.get(8)?),
        },
    })
}
