//! Runs as they are kept: how each stands, which of them were interrupted, and what of them can still be undone.

use std::fs::File;

use cachescope_actions::records::Records as _;
use cachescope_actions::run::{self, RunHandle};
use cachescope_actions::run_state::{RunPhase, RunRecord, RunState};
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::deployment::DeploymentId;

use super::desk::Desk;
use super::records::storage;
use crate::wire::{RunSummary, UndoSettings, UndoState, WireError};

/// Runs that a list shows.
const MOST_RUNS: u32 = 200;

impl Desk {
    /// The handle of a run of this process.
    pub(crate) fn handle(&self, run: &str) -> Option<RunHandle> {
        self.inner.runs.lock().get(run).cloned()
    }

    pub(super) async fn record(&self, run: &str) -> Result<RunRecord, Failure> {
        let document = self.inner.store.run(run).await.map_err(storage)?;
        let document = document.ok_or_else(|| {
            Failure::new(
                FailureKind::NotFound,
                format!("there is no run {run}"),
                "see `purge list` for those there are",
            )
        })?;
        let mut record: RunRecord = serde_json::from_str(&document).map_err(|error| {
            Failure::new(FailureKind::Storage, format!("run {run} can't be read: {error}"), "")
        })?;
        self.tell_the_interrupted(&mut record);
        Ok(record)
    }

    /// A run that was alive when it was last written down, and whose process is gone, was interrupted.
    fn tell_the_interrupted(&self, record: &mut RunRecord) {
        if !record.state.phase.is_alive()
            || self.handle(&record.state.run).is_some_and(|run| !run.has_ended())
        {
            return;
        }
        let path = self.inner.files.path(&record.state.run).with_extension("lock");
        let held = File::open(path).is_ok_and(|file| file.try_lock().is_err());
        if !held {
            record.state.phase = RunPhase::Interrupted;
            "the process that ran it is gone".clone_into(&mut record.state.why);
            "resume it, or undo what was removed".clone_into(&mut record.state.remedy);
        }
    }

    /// How a run stands.
    ///
    /// # Errors
    /// Where there is no such run.
    pub async fn state(&self, run: &str) -> Result<RunState, WireError> {
        if let Some(handle) = self.handle(run) {
            return Ok(handle.state());
        }
        Ok(self.record(run).await?.state)
    }

    /// Runs, the newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn runs(&self, deployment: Option<&DeploymentId>) -> Result<Vec<RunSummary>, WireError> {
        let documents = self.inner.store.runs(deployment.map(|id| id.0.clone()), MOST_RUNS).await?;
        let settings = self.inner.files.settings().await;
        let mut summaries = Vec::with_capacity(documents.len());
        for document in documents {
            let Ok(mut record) = serde_json::from_str::<RunRecord>(&document) else { continue };
            self.tell_the_interrupted(&mut record);
            if let Some(handle) = self.handle(&record.state.run) {
                record.state = handle.state();
            }
            summaries.push(self.summary(record, settings));
        }
        Ok(summaries)
    }

    fn summary(&self, record: RunRecord, settings: UndoSettings) -> RunSummary {
        let state = record.state;
        let kept = self.inner.files.path(&state.run).exists();
        let undo = match (&state.undo, record.undone_at) {
            (None, _) => UndoState::None,
            (Some(_), Some(at)) => UndoState::Done { at },
            (Some(_), None) if kept => UndoState::Possible {
                until: state.at.plus_millis(i64::from(settings.keep_days) * 86_400_000),
            },
            (Some(_), None) => UndoState::Gone,
        };
        RunSummary {
            run: state.run,
            deployment: state.deployment,
            deployment_name: state.deployment_name,
            title: state.plan.title,
            operator: state.operator,
            reason: state.reason,
            began: state.began,
            at: state.at,
            phase: state.phase,
            why: state.why,
            expected: state.expected,
            counts: state.counts,
            undo,
            undo_bytes: state.undo_bytes,
        }
    }

    /// Ends a run for good: one that is under way after the exchange under way, one that was halted or interrupted at
    /// once. What it removed stays in its undo file.
    ///
    /// # Errors
    /// Where it is over, unknown, or under way in another program.
    pub async fn end(&self, name: &str) -> Result<RunState, WireError> {
        if let Some(handle) = self.handle(name).filter(|handle| !handle.has_ended()) {
            if handle.state().phase.is_alive() {
                handle.cancel();
                return Ok(handle.state());
            }
            // It stands already, and is being written down.
            handle.ended().await;
        }
        let mut record = self.record(name).await?;
        if record.state.phase.is_over() {
            return Err(Failure::new(FailureKind::BadInput, format!("run {name} is over"), "").into());
        }
        if record.state.phase.is_alive() {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("run {name} is under way in another program of this machine"),
                "end it there",
            )
            .into());
        }
        record.state.phase = RunPhase::Cancelled;
        record.state.at = self.now();
        record.state.remedy.clear();
        let records = &self.inner.records;
        records.save_run(&record).await?;
        records.audit(run::entry(&record.state, "cancelled")).await?;
        self.inner.runs.lock().remove(name);
        Ok(record.state)
    }
}
