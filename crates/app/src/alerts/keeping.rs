//! Keeping what was judged, beside the judging: a slow disk delays nothing but itself.

use cachescope_model::alert::SavedAlerts;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use cachescope_store::Store;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::wire::TimelineEntry;

/// Evaluations that may wait for the disk. When it is full the newest is left out and logged: the next one holds
/// the states whole, only its entries of the timeline are lost.
const WAITING: usize = 32;

/// What is kept after an evaluation.
pub(super) struct Keep {
    pub(super) at: Timestamp,
    pub(super) states: SavedAlerts,
    pub(super) entries: Vec<TimelineEntry>,
}

/// The task that keeps.
pub(super) struct Keeper {
    queue: Option<mpsc::Sender<Keep>>,
    task: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Without a store nothing is kept.
    pub(super) fn start(store: Option<Store>, deployment: DeploymentId) -> Self {
        let Some(store) = store else { return Self { queue: None, task: None } };
        let (queue, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep_all(store, deployment, waiting));
        Self { queue: Some(queue), task: Some(task) }
    }

    pub(super) fn keep(&self, keep: Keep) {
        if let Some(queue) = &self.queue
            && queue.try_send(keep).is_err()
        {
            tracing::warn!("alerts are judged faster than they can be kept: a part of the timeline is lost");
        }
    }

    /// Waits until everything is kept.
    pub(super) async fn end(self) {
        drop(self.queue);
        if let Some(task) = self.task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "alerts were not kept to the end");
        }
    }
}

async fn keep_all(store: Store, deployment: DeploymentId, mut waiting: mpsc::Receiver<Keep>) {
    while let Some(keep) = waiting.recv().await {
        let entries: Vec<_> = keep.entries.into_iter().map(|entry| (entry.at, entry)).collect();
        let turned = match entries.as_slice() {
            [] => Ok(()),
            entries => store.keep_alert_turns(deployment.clone(), entries).await,
        };
        let stood = store.keep_alert_states(deployment.clone(), keep.at, &keep.states).await;
        if let Err(error) = turned.and(stood) {
            tracing::warn!(%error, "alerts are not kept");
        }
    }
}
