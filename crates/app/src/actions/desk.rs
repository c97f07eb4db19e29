//! Use cases of actions on one state directory: preview, approve, run, resume, undo. The window and the command
//! both go through here, so that neither has a way around a guard.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use cachescope_actions::approval::{self, Bound};
use cachescope_actions::clock::Clock;
use cachescope_actions::guards::{Limits, Said, refusal, said_enough};
use cachescope_actions::plan::{HowToRun, Plan};
use cachescope_actions::preview::{Progress, Surroundings, preview};
use cachescope_actions::records::{AuditEntry, Records};
use cachescope_actions::run::{self, RunContext, RunHandle, StopRules as _};
use cachescope_actions::run_state::{RunPhase, RunRecord, RunState, UndoResult};
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::{MasterKey, Part, UndoReader, UndoWriter, restore};
use cachescope_actions::{Failure, FailureKind, operator};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::marks::{Mark, MarkKind, MarkSource};
use cachescope_model::time::Timestamp;
use cachescope_store::{Secrets, Store, owner_only};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::planning;
use super::records::{StoreRecords, storage};
use super::surroundings::{SessionRules, reads};
use super::undo_files::UndoFiles;
use super::warming::{self, WarmDesk};
use crate::session::Session;
use crate::wire::{
    ActionDraft, IssuedApproval, PreviewedAction, RunSummary, UndoPart, UndoSettings, UndoState, Wanted,
    WireError,
};

/// The largest key that is kept for undo: it is held in memory once.
const MOST_BYTES_OF_A_KEY: u64 = 64 << 20;
/// Runs that a list shows.
const MOST_RUNS: u32 = 200;

/// Actions of one state directory.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    records: Arc<StoreRecords<Arc<dyn Clock>>>,
    store: Store,
    files: UndoFiles,
    clock: Arc<dyn Clock>,
    operator: String,
    runs: Mutex<HashMap<String, RunHandle>>,
    warm: WarmDesk,
}

impl Desk {
    /// Opens the desk of a state directory. `keychain` is where the key of undo files goes; without one it goes to a
    /// file that its owner alone can read.
    #[must_use]
    pub fn new(store: Store, directory: PathBuf, keychain: Option<Secrets>, clock: Arc<dyn Clock>) -> Self {
        let records = StoreRecords { store: store.clone(), clock: Arc::clone(&clock) };
        Self {
            inner: Arc::new(Inner {
                records: Arc::new(records),
                files: UndoFiles { store: store.clone(), directory, keychain },
                store,
                clock,
                operator: operator::name(),
                runs: Mutex::default(),
                warm: WarmDesk::default(),
            }),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.read().wall
    }

    /// Makes a plan of what an operator means.
    ///
    /// # Errors
    /// What can't be understood.
    pub async fn plan(
        &self,
        session: &Session,
        draft: &ActionDraft,
        how: Option<HowToRun>,
    ) -> Result<Plan, WireError> {
        let attribution = Attribution::new(session.shared_strategy());
        let how = how.unwrap_or_else(|| planning::how(session.deployment().environment()));
        if let ActionDraft::Warm { warm } = draft {
            return Ok(self.warm_plan(session, warm, how).await?);
        }
        Ok(planning::plan(draft, how, session.deployment(), &attribution)?)
    }

    /// Counts what a plan would do, and issues the approval where nothing refuses.
    ///
    /// # Errors
    /// Where it can't be counted.
    pub async fn preview(
        &self,
        session: &Arc<Session>,
        plan: Plan,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<PreviewedAction, WireError> {
        let servers = Servers::inspect(&session.discovered().await?).await?;
        let attribution = Attribution::new(session.shared_strategy());
        let environment = session.deployment().environment();
        let settings = self.inner.files.settings().await;
        let undo = match (plan.how.undo, self.inner.files.key().await) {
            (false, _) => Ok(String::new()),
            (true, Ok(key)) => Ok(format!("{}, kept {} days", key.kept(), settings.keep_days)),
            (true, Err(failure)) => Err(failure.sentence),
        };
        let around = Surroundings {
            limits: Limits::of(environment),
            reads: reads(session),
            undo,
            most_bytes_of_a_key: if plan.how.undo { MOST_BYTES_OF_A_KEY } else { u64::MAX },
            most_undo_bytes: settings.most_bytes_of_a_run,
            stop_rules: SessionRules::of(session).judge(),
            warm: self.warm_context(session, &plan).await?,
            missed: warming::missed(session),
        };
        let found = preview(plan, &servers, &attribution, &around, progress, || self.now(), cancel).await?;
        let approval = if refusal(&found.checks).is_none() {
            let bound = self.bound(session, &servers);
            let records = self.inner.records.as_ref();
            let issued = approval::issue(records, self.inner.clock.as_ref(), bound, &found).await?;
            Some(IssuedApproval { token: issued.token, expires_at: issued.expires_at })
        } else {
            None
        };
        let details = serde_json::json!({
            "plan": found.plan_hash,
            "title": found.plan.title,
            "keys": found.keys,
            "approvable": approval.is_some(),
            "refused": refusal(&found.checks).map(|check| &check.code),
        });
        let event = format!("{}.previewed", found.plan.word());
        self.audit(session, &event, "", "", details).await?;
        let production = environment == Environment::Production;
        Ok(PreviewedAction {
            preview: found,
            stop_rules: around.stop_rules,
            limits: around.limits,
            approval,
            wants: Wanted {
                environment,
                armed: production,
                typed_name: production.then(|| session.deployment().name.clone()),
                reason: production,
            },
        })
    }

    fn bound(&self, session: &Session, servers: &Servers) -> Bound {
        let deployment = session.deployment();
        Bound {
            deployment: deployment.id.clone(),
            deployment_name: deployment.name.clone(),
            environment: deployment.environment(),
            operator: self.inner.operator.clone(),
            run_ids: servers.run_ids(),
        }
    }

    /// Runs what a token approves, where the operator has said what the environment wants to hear.
    ///
    /// # Errors
    /// Where a guard refuses: then nothing was changed, and the token is spent unless it was not yet asked for.
    pub async fn run(
        &self,
        session: &Arc<Session>,
        token: &str,
        shown: Option<&str>,
        said: Said,
    ) -> Result<RunHandle, WireError> {
        let started = self.try_to_run(session, token, shown, &said).await;
        if let Err(failure) = &started {
            let reason = said.reason.as_deref().unwrap_or_default();
            let details = serde_json::json!({ "why": failure.sentence });
            self.audit(session, "purge.refused", "", reason, details).await?;
        }
        Ok(started?)
    }

    async fn try_to_run(
        &self,
        session: &Arc<Session>,
        token: &str,
        shown: Option<&str>,
        said: &Said,
    ) -> Result<RunHandle, Failure> {
        let deployment = session.deployment();
        let checks = said_enough(deployment.environment(), &deployment.name, said, self.now());
        if let Some(check) = refusal(&checks) {
            return Err(Failure::new(FailureKind::Refused, check.sentence.clone(), check.remedy.clone()));
        }
        let found = session.discovered().await.map_err(of_wire)?;
        let servers = Servers::inspect(&found).await?;
        let bound = self.bound(session, &servers);
        let (records, clock) = (self.inner.records.as_ref(), self.inner.clock.as_ref());
        let approval = approval::redeem(records, clock, token, &bound, shown).await?;
        let rules = SessionRules::of(session);
        if let Some(rule) = rules.judge().into_iter().find(|rule| rule.breached) {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("nothing was changed: {}: {}", rule.name, rule.sentence),
                "wait until it is back within its limit, then preview again",
            ));
        }
        let run = format!("{:016x}", rand_run());
        let plan = approval.plan().clone();
        let context = self.context(session, servers, &run, &plan).await?;
        let claim = self.claim(&run)?;
        let reason = said.reason.clone().unwrap_or_default();
        let handle = run::start(approval, run.clone(), reason, context).await?;
        self.mark(&handle.state()).await;
        self.keep(run, handle.clone(), claim);
        Ok(handle)
    }

    /// Figures are read against what was done.
    async fn mark(&self, state: &RunState) {
        let mark = Mark {
            id: 0,
            deployment: Some(state.deployment.clone()),
            at: state.began,
            kind: if state.plan.only_warms() { MarkKind::Warm } else { MarkKind::Purge },
            text: format!("{} (run {})", state.plan.title, state.run).chars().take(200).collect(),
            source: MarkSource::Observed,
        };
        if let Err(error) = self.inner.store.add_mark(mark).await {
            tracing::warn!(%error, run = state.run, "the run has no mark in the timeline");
        }
    }

    async fn context(
        &self,
        session: &Arc<Session>,
        servers: Servers,
        run: &str,
        plan: &Plan,
    ) -> Result<RunContext, Failure> {
        let files = &self.inner.files;
        files.make_directory()?;
        let settings = files.settings().await;
        let warm = self.warm_context(session, plan).await?;
        let undo = if plan.removes() && plan.how.undo {
            let key = if files.path(run).exists() { files.key_of(run).await? } else { files.key().await? };
            let (path, run) = (files.path(run), run.to_owned());
            let open = move || UndoWriter::open(&path, &run, &key, settings.most_bytes_of_a_run);
            Some(off_thread(open).await?)
        } else {
            None
        };
        Ok(RunContext {
            servers,
            attribution: Arc::new(Attribution::new(session.shared_strategy())),
            records: Arc::clone(&self.inner.records) as Arc<dyn Records>,
            rules: Arc::new(SessionRules::of(session)),
            clock: Arc::clone(&self.inner.clock),
            undo,
            most_bytes_of_a_key: MOST_BYTES_OF_A_KEY,
            warm,
        })
    }

    /// Shows other processes of this machine that a run is alive; ends with this process however it ends.
    fn claim(&self, run: &str) -> Result<File, Failure> {
        self.inner.files.make_directory()?;
        let path = self.inner.files.path(run).with_extension("lock");
        let failed =
            |why: String| Failure::new(FailureKind::Storage, format!("{}: {why}", path.display()), "");
        let file = owner_only::open_file(&path).map_err(|error| failed(error.to_string()))?;
        file.try_lock().map_err(|_| {
            Failure::new(
                FailureKind::Locked,
                format!("run {run} is alive in another process"),
                "control it there",
            )
        })?;
        Ok(file)
    }

    fn keep(&self, run: String, handle: RunHandle, claim: File) {
        self.inner.runs.lock().insert(run.clone(), handle.clone());
        let desk = self.clone();
        tokio::spawn(async move {
            handle.ended().await;
            drop(claim);
            let path = desk.inner.files.path(&run).with_extension("lock");
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(%error, "a run's claim stays behind");
            }
            let settings = desk.inner.files.settings().await;
            let mut alive = desk.alive();
            alive.push(run);
            desk.inner.files.tidy(settings, &alive);
        });
    }

    /// Lets a run go on: one that is paused here, or one that was halted or interrupted.
    ///
    /// # Errors
    /// Where it is over or unknown, is another deployment's, or a guard refuses.
    pub async fn resume(
        &self,
        session: &Arc<Session>,
        run: &str,
        said: &Said,
    ) -> Result<RunHandle, WireError> {
        let living = self.handle(run).filter(|handle| !handle.has_ended());
        if let Some(handle) = living {
            handle.go_on();
            return Ok(handle);
        }
        let record = self.record(run).await?;
        let deployment = session.deployment();
        if record.state.deployment != deployment.id {
            return Err(Failure::new(
                FailureKind::BadInput,
                format!("run {run} is another deployment's"),
                "",
            )
            .into());
        }
        let checks = said_enough(deployment.environment(), &deployment.name, said, self.now());
        if let Some(check) = refusal(&checks) {
            return Err(
                Failure::new(FailureKind::Refused, check.sentence.clone(), check.remedy.clone()).into()
            );
        }
        let claim = self.claim(run)?;
        let servers = Servers::inspect(&session.discovered().await?).await?;
        let context = self.context(session, servers, run, &record.state.plan).await?;
        let handle = run::resume(record, context).await?;
        self.keep(run.to_owned(), handle.clone(), claim);
        Ok(handle)
    }

    /// The handle of a run of this process.
    pub(crate) fn handle(&self, run: &str) -> Option<RunHandle> {
        self.inner.runs.lock().get(run).cloned()
    }

    async fn record(&self, run: &str) -> Result<RunRecord, Failure> {
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
        let (reader, again) = off_thread(open).await?;
        self.audit(session, "purge.undo", run, "", serde_json::json!({ "whole": whole })).await?;
        let who = (run, self.inner.operator.as_str());
        let result = restore(reader, again, who, &servers, &attribution, &wanted, || self.now()).await;
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

    pub(crate) async fn undo_settings(&self) -> UndoSettings {
        self.inner.files.settings().await
    }

    pub(crate) async fn set_undo_settings(&self, settings: UndoSettings) -> Result<UndoSettings, WireError> {
        let settings = self.inner.files.set_settings(settings).await?;
        self.inner.files.tidy(settings, &self.alive());
        Ok(settings)
    }

    fn alive(&self) -> Vec<String> {
        let runs = self.inner.runs.lock();
        runs.iter().filter(|(_, handle)| !handle.has_ended()).map(|(run, _)| run.clone()).collect()
    }

    /// Where the undo file of a run is, and its key.
    pub(super) async fn undo_file(&self, run: &str) -> Result<(PathBuf, MasterKey), Failure> {
        Ok((self.inner.files.path(run), self.inner.files.key_of(run).await?))
    }

    pub(super) fn operator(&self) -> &str {
        &self.inner.operator
    }

    pub(super) fn warm(&self) -> &WarmDesk {
        &self.inner.warm
    }

    pub(super) fn keychain(&self) -> Option<&Secrets> {
        self.inner.files.keychain.as_ref()
    }

    /// The store, for the audit.
    pub(super) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(super) async fn audit(
        &self,
        session: &Session,
        event: &str,
        run: &str,
        reason: &str,
        details: serde_json::Value,
    ) -> Result<(), WireError> {
        let deployment = session.deployment();
        let entry = AuditEntry {
            operator: self.inner.operator.clone(),
            deployment: deployment.id.clone(),
            deployment_name: deployment.name.clone(),
            event: event.to_owned(),
            run: run.to_owned(),
            reason: reason.to_owned(),
            details,
        };
        Ok(self.inner.records.audit(entry).await?)
    }
}

fn rand_run() -> u64 {
    // The store's identities are random; half of one is enough for a run.
    u64::from_str_radix(&Store::new_deployment_id().0[..16], 16).unwrap_or(0)
}

pub(super) fn of_wire(error: WireError) -> Failure {
    Failure::new(FailureKind::Server, error.message, error.remedy)
}

/// Work with files, off the runtime's threads.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(FailureKind::Storage, format!("it was broken off: {error}"), ""))?
}
