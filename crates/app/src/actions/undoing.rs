//! Putting back what a run removed, and how long that stays possible.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cachescope_actions::records::Records as _;
use cachescope_actions::run_state::UndoResult;
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::{Part, Progress, UndoReader, restore};
use cachescope_actions::{Failure, FailureKind};

use super::desk::{Desk, off_thread};
use super::planning;
use crate::session::Session;
use crate::wire::{UndoPart, UndoProgress, UndoSettings, WireError};

impl Desk {
    /// Puts back what a run removed.
    ///
    /// # Errors
    /// Where nothing was kept, the run is still alive, or a server can't be asked.
    pub async fn undo(
        &self,
        session: &Arc<Session>,
        run: &str,
        part: &UndoPart,
    ) -> Result<UndoResult, WireError> {
        let record = self.record(run).await?;
        if record.state.phase.is_alive() {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("run {run} is not over"),
                "cancel it first, then undo it",
            )
            .into());
        }
        if record.state.deployment != session.deployment().id {
            return Err(Failure::new(
                FailureKind::BadInput,
                format!("run {run} is another deployment's"),
                "",
            )
            .into());
        }
        let key = self.inner.files.key_of(run).await?;
        let servers = Servers::inspect(&session.discovered().await?).await?;
        let attribution = Attribution::new(session.shared_strategy());
        let keys = part.keys.as_deref().map(planning::key_lines).transpose()?;
        let whole = part.namespace.is_none() && keys.is_none();
        let wanted = Part { namespace: part.namespace.clone(), keys };
        let (path, name) = (self.inner.files.path(run), run.to_owned());
        let open = move || Ok((UndoReader::open(&path, &name, &key)?, UndoReader::open(&path, &name, &key)?));
        let readers = off_thread(open).await?;
        self.audit(session, "purge.undo", run, "", serde_json::json!({ "whole": whole })).await?;
        let who = (run, self.inner.operator.as_str());
        let progress = Arc::new(Progress::default());
        self.inner.undoing.lock().insert(run.to_owned(), Arc::clone(&progress));
        let result = restore(readers, who, &servers, &attribution, &wanted, &progress, || self.now()).await;
        self.inner.undoing.lock().remove(run);
        let details = match &result {
            Ok(result) => serde_json::json!({
                "restored": result.restored,
                "conflicts": result.conflicts,
                "expired": result.expired,
                "unchanged": result.unchanged,
                "failed": result.failed,
            }),
            Err(failure) => serde_json::json!({ "why": failure.sentence }),
        };
        self.audit(session, "purge.undone", run, "", details).await?;
        let result = result?;
        if whole && result.failed == 0 {
            let mut record = record;
            record.undone_at = Some(self.now());
            self.inner.records.save_run(&record).await?;
        }
        Ok(result)
    }

    /// How far an undo of a run is; nothing of it where none is under way here.
    pub(crate) fn undo_progress(&self, run: &str) -> UndoProgress {
        let progress = self.inner.undoing.lock().get(run).cloned();
        progress.map_or_else(UndoProgress::default, |progress| UndoProgress {
            under_way: true,
            keys: progress.all.load(Ordering::Relaxed),
            done: progress.done.load(Ordering::Relaxed),
        })
    }

    pub(crate) async fn undo_settings(&self) -> UndoSettings {
        self.inner.files.settings().await
    }

    pub(crate) async fn set_undo_settings(&self, settings: UndoSettings) -> Result<UndoSettings, WireError> {
        let settings = self.inner.files.set_settings(settings).await?;
        self.inner.files.tidy(settings, &self.alive());
        Ok(settings)
    }

    pub(super) fn alive(&self) -> Vec<String> {
        let runs = self.inner.runs.lock();
        runs.iter().filter(|(_, handle)| !handle.has_ended()).map(|(run, _)| run.clone()).collect()
    }
}
