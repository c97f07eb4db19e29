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
use cachescope_actions::preview::{self, Surroundings, preview};
use cachescope_actions::records::{AuditEntry, Records};
use cachescope_actions::request::Tokens;
use cachescope_actions::run::{self, RunContext, RunHandle, StopRules as _};
use cachescope_actions::run_state::RunState;
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::{MasterKey, Progress, UndoWriter};
use cachescope_actions::{Failure, FailureKind, operator};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::marks::{Mark, MarkKind, MarkSource};
use cachescope_model::time::Timestamp;
use cachescope_store::{Secrets, Store, owner_only};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::endpoints::Endpoints;
use super::planning;
use super::records::StoreRecords;
use super::surroundings::{SessionRules, reads};
use super::undo_files::UndoFiles;
use super::warming::{self, WarmDesk};
use crate::session::Session;
use crate::wire::{ActionDraft, IssuedApproval, PreviewedAction, Wanted, WireError};

/// The largest key that is kept for undo: it is held in memory once.
const MOST_BYTES_OF_A_KEY: u64 = 64 << 20;

/// Actions of one state directory.
#[derive(Clone)]
pub struct Desk {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) records: Arc<StoreRecords<Arc<dyn Clock>>>,
    pub(super) store: Store,
    pub(super) files: UndoFiles,
    clock: Arc<dyn Clock>,
    pub(super) operator: String,
    pub(super) runs: Mutex<HashMap<String, RunHandle>>,
    pub(super) undoing: Mutex<HashMap<String, Arc<Progress>>>,
    endpoints: Mutex<HashMap<DeploymentId, (Endpoints, Tokens)>>,
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
                undoing: Mutex::default(),
                endpoints: Mutex::default(),
            }),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.read().wall
    }

    /// Says where a deployment's application and CDN are, and with which token they are asked.
    pub fn set_endpoints(&self, deployment: &DeploymentId, endpoints: Endpoints, tokens: Tokens) {
        self.inner.endpoints.lock().insert(deployment.clone(), (endpoints, tokens));
    }

    fn endpoints(&self, deployment: &DeploymentId) -> (Endpoints, Tokens) {
        self.inner.endpoints.lock().get(deployment).cloned().unwrap_or_default()
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
        let (endpoints, _) = self.endpoints(&session.deployment().id);
        Ok(planning::plan(draft, how, session.deployment(), &attribution, &endpoints)?)
    }

    /// Counts what a plan would do, and issues the approval where nothing refuses.
    ///
    /// # Errors
    /// Where it can't be counted.
    pub async fn preview(
        &self,
        session: &Arc<Session>,
        plan: Plan,
        progress: &Arc<preview::Progress>,
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
            stop_rules: SessionRules::of(session, &plan).judge(),
            warm: self.warm_context(session, &plan).await?,
            missed: warming::missed(session),
            tokens: self.endpoints(&session.deployment().id).1,
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
        let rules = SessionRules::of(session, approval.plan());
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
            rules: Arc::new(SessionRules::of(session, plan)),
            clock: Arc::clone(&self.inner.clock),
            undo,
            most_bytes_of_a_key: MOST_BYTES_OF_A_KEY,
            warm,
            tokens: self.endpoints(&session.deployment().id).1,
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
