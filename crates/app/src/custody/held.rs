//! Changes in force, and their end.

use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::settings::{ChangePlan, PutBack, Setting};
use cachescope_store::RecordedChange;

use super::{Custody, known_change, put_back};
use crate::wire::WireError;

/// Pauses between attempts to reach the server once more.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// Changes of one server that are in force. Dropped without being put back, they are put back by the keeper when
/// this process ends.
pub(crate) struct Held {
    pub(super) custody: Custody,
    /// The server they are changes of, also when the deployment has it no more.
    pub(super) node: Arc<RedisNode>,
    pub(super) plan: ChangePlan,
    pub(super) records: Vec<RecordedChange>,
    /// Under which number the keeper holds it.
    pub(super) keeper: Option<u64>,
}

impl Held {
    /// What was approved.
    pub(crate) fn plan(&self) -> &ChangePlan {
        &self.plan
    }

    /// Puts back what still is ours, and lets the keeper go.
    ///
    /// # Errors
    /// When the server can't be asked or refuses: then what is left stays recorded and with the keeper.
    pub(crate) async fn put_back(&mut self) -> Result<Vec<(Setting, PutBack)>, WireError> {
        let mut pauses = AGAIN_AFTER.into_iter();
        loop {
            match self.put_back_once().await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
            }
        }
    }

    async fn put_back_once(&mut self) -> Result<Vec<(Setting, PutBack)>, WireError> {
        let mut outcomes = Vec::new();
        // What was changed last goes first.
        while let Some(record) = self.records.last() {
            if let Some(change) = known_change(record) {
                let outcome = put_back(&self.custody.inner.store, &self.node, record.id, &change).await?;
                outcomes.push((change.setting, outcome));
            }
            self.records.pop();
        }
        self.release().await;
        Ok(outcomes)
    }

    /// The server is known to be as before: nothing is to be written to it.
    pub(crate) async fn settle_as_before(mut self) {
        self.settle(&PutBack::AsBefore.to_string()).await;
    }

    /// It was recorded and not changed after all.
    pub(super) async fn settle_unchanged(mut self) {
        self.settle("not changed").await;
    }

    async fn settle(&mut self, outcome: &str) {
        for record in std::mem::take(&mut self.records) {
            if let Err(error) = self.custody.inner.store.settle_change(record.id, outcome).await {
                // It is compared with the server again at the next start, which finds it as before.
                tracing::warn!(%error, "a change could not be settled");
            }
        }
        self.release().await;
    }

    async fn release(&mut self) {
        if let Some(id) = self.keeper.take() {
            self.custody.inner.keeper.release(id).await;
        }
    }
}
