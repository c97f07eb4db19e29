//! Actions behind the app's door: previews, approvals and runs of every deployment, owned by the app, so that they
//! outlive the window that asked for them.
//!
//! `desk` is what can be done, for the window and the command alike, `run_list` and `undoing` what can be done with runs
//! there are; `planning` and `warming` make plans, `asking` their requests over HTTP, `endpoints` says whom they may ask,
//! `schedules` starts warms by the clock, `surroundings` says what a session knows; `records`, `undo_files` and `audit` are
//! what is written down.

mod asking;
mod audit;
mod desk;
mod endpoints;
pub mod planning;
mod records;
mod run_list;
mod schedules;
mod surroundings;
mod undo_files;
mod undoing;
mod warming;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cachescope_actions::guards::{ARMED_FOR, Said};
use cachescope_actions::preview::Progress;
use cachescope_actions::request::Tokens;
use cachescope_actions::run::RunHandle;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub use desk::Desk;
pub use endpoints::Endpoints;
pub use warming::warm_plans;

use crate::app::App;
use crate::session::Session;
use crate::wire::{
    ActionDraft, Armed, CopyFromDraft, Nothing, PreviewProgress, PreviewStarted, PreviewedAction, Reply,
    Request, WireError, WireErrorCode,
};

/// Previews that are remembered at once; the oldest go first.
const MOST_PREVIEWS: usize = 16;

/// What the window's actions are made of.
pub(crate) struct Actions {
    /// `None` where nothing can be written down: then nothing is done.
    pub(crate) desk: Option<Desk>,
    previews: Mutex<Vec<Arc<RunningPreview>>>,
    armed: Mutex<HashMap<DeploymentId, Timestamp>>,
}

struct RunningPreview {
    id: String,
    progress: Arc<Progress>,
    cancel: CancellationToken,
    result: Mutex<Option<Result<PreviewedAction, WireError>>>,
}

impl Actions {
    pub(crate) fn new(desk: Option<Desk>) -> Self {
        Self { desk, previews: Mutex::default(), armed: Mutex::default() }
    }

    fn desk(&self) -> Result<&Desk, WireError> {
        self.desk.as_ref().ok_or_else(|| {
            WireError::new(WireErrorCode::Storage, "nothing is done, because it could not be written down")
                .with_remedy("see that the state directory can be written (--state-dir)")
        })
    }

    fn preview(&self, id: &str) -> Result<Arc<RunningPreview>, WireError> {
        let previews = self.previews.lock();
        previews.iter().find(|preview| preview.id == id).cloned().ok_or_else(|| {
            WireError::new(WireErrorCode::NotFound, "this preview is not there any more")
                .with_remedy("preview it again")
        })
    }

    fn armed(&self, deployment: &DeploymentId) -> Option<Timestamp> {
        let now = self.desk.as_ref()?.now();
        self.armed.lock().get(deployment).copied().filter(|until| *until > now)
    }
}

impl App {
    /// Answers the requests about actions.
    pub(crate) async fn handle_action(&self, request: Request) -> Result<Reply, WireError> {
        let actions = self.actions();
        Ok(match request {
            Request::Playbooks { deployment } => {
                let session = self.session(&deployment)?;
                let (endpoints, _) = self.endpoints(&deployment).await;
                Reply::Playbooks(planning::playbooks(session.strategy(), &endpoints))
            }
            Request::WarmPlans { deployment } => {
                let session = self.session(&deployment)?;
                Reply::WarmPlans(warm_views(actions.desk()?, &session).await)
            }
            Request::ArmSchedule { deployment, draft, missed, typed_name, reason } => {
                let session = self.session(&deployment)?;
                let said = Said { name: typed_name, reason, armed_until: actions.armed(&deployment) };
                let desk = actions.desk()?;
                desk.arm_schedule(&session, draft, missed, &said).await?;
                Reply::ArmSchedule(warm_views(desk, &session).await)
            }
            Request::DisarmSchedule { deployment, plan } => {
                let session = self.session(&deployment)?;
                let desk = actions.desk()?;
                desk.disarm_schedule(&session, &plan, "").await?;
                Reply::DisarmSchedule(warm_views(desk, &session).await)
            }
            Request::SetEndpointSecret { deployment, name, secret } => {
                let session = self.session(&deployment)?;
                Reply::SetEndpointSecret(actions.desk()?.keep_secret(&session, &name, secret).await)
            }
            Request::PreviewAction { deployment, draft, how } => {
                let session = self.session(&deployment)?;
                if let ActionDraft::Warm { warm } = &draft
                    && let Some(CopyFromDraft::Deployment { deployment }) = &warm.copy_from
                {
                    actions.desk()?.know_source(&deployment.0, self.session(deployment)?);
                }
                self.tell_endpoints(&deployment).await?;
                Reply::PreviewAction(begin_preview(actions, &session, &draft, how)?)
            }
            Request::PreviewProgress { preview } => {
                let running = actions.preview(&preview)?;
                Reply::PreviewProgress(progress(&running))
            }
            Request::CancelPreview { preview } => {
                actions.preview(&preview)?.cancel.cancel();
                actions.previews.lock().retain(|other| other.id != preview);
                Reply::CancelPreview(Nothing {})
            }
            Request::Arm { deployment, typed_name } => Reply::Arm(self.arm(&deployment, &typed_name).await?),
            Request::Disarm { deployment } => {
                let session = self.session(&deployment)?;
                actions.armed.lock().remove(&deployment);
                let desk = actions.desk()?;
                desk.audit(&session, "deployment.disarmed", "", "", serde_json::json!({})).await?;
                Reply::Disarm(Armed::default())
            }
            Request::ArmedUntil { deployment } => {
                Reply::ArmedUntil(Armed { until: actions.armed(&deployment) })
            }
            Request::RunAction { deployment, approval, plan_hash, typed_name, reason } => {
                let session = self.session(&deployment)?;
                let said = Said { name: typed_name, reason, armed_until: actions.armed(&deployment) };
                self.tell_endpoints(&deployment).await?;
                let run = actions.desk()?.run(&session, &approval, Some(&plan_hash), said).await?;
                Reply::RunAction(run.state())
            }
            Request::Run { run } => Reply::Run(actions.desk()?.state(&run).await?),
            Request::Runs { deployment } => Reply::Runs(actions.desk()?.runs(deployment.as_ref()).await?),
            Request::PauseRun { run } => Reply::PauseRun(self.living(&run)?.pause_and_tell()),
            Request::CancelRun { run } => Reply::CancelRun(actions.desk()?.end(&run).await?),
            Request::ResumeRun { run } => {
                let desk = actions.desk()?;
                let state = desk.state(&run).await?;
                let session = self.session(&state.deployment)?;
                self.tell_endpoints(&state.deployment).await?;
                // The run was approved with name and reason; armed it must be now.
                let armed_until = actions.armed(&state.deployment);
                let said =
                    Said { name: Some(state.deployment_name), reason: Some(state.reason), armed_until };
                Reply::ResumeRun(desk.resume(&session, &run, &said).await?.state())
            }
            Request::UndoRun { run, part } => {
                let desk = actions.desk()?;
                let session = self.session(&desk.state(&run).await?.deployment)?;
                Reply::UndoRun(desk.undo(&session, &run, &part).await?)
            }
            Request::UndoProgress { run } => Reply::UndoProgress(actions.desk()?.undo_progress(&run)),
            Request::Endpoints { deployment } => {
                self.session(&deployment)?;
                Reply::Endpoints(self.endpoints(&deployment).await.0.view())
            }
            Request::SetEndpoints { deployment, draft } => {
                let session = self.session(&deployment)?;
                let desk = actions.desk()?;
                let kept = Endpoints::keep(desk.store(), self.secrets(), &deployment, draft).await?;
                let hosts = serde_json::json!({
                    "application": kept.application_url,
                    "cdn": kept.cdn_url,
                });
                desk.audit(&session, "deployment.endpoints", "", "", hosts).await?;
                Reply::SetEndpoints(kept.view())
            }
            Request::Audit { deployment, before } => {
                let deployment = deployment.map(|deployment| deployment.0);
                Reply::Audit(actions.desk()?.audit_rows(deployment, before).await?)
            }
            Request::VerifyAudit {} => Reply::VerifyAudit(actions.desk()?.verify_audit().await?),
            Request::ExportAudit { format } => {
                Reply::ExportAudit(actions.desk()?.export_audit(format).await?)
            }
            Request::UndoSettings {} => Reply::UndoSettings(actions.desk()?.undo_settings().await),
            Request::SetUndoSettings { settings } => {
                Reply::SetUndoSettings(actions.desk()?.set_undo_settings(settings).await?)
            }
            _ => return Err(WireError::new(WireErrorCode::Internal, "this is no request about actions")),
        })
    }

    /// Starts the schedules that are due, of every deployment.
    pub(crate) async fn start_schedules(&self, sessions: Vec<Arc<Session>>) {
        let Some(desk) = &self.actions().desk else { return };
        for session in sessions {
            if let Err(error) = desk.start_due(&session).await {
                tracing::warn!(%error, "a deployment's schedules could not be looked at");
            }
        }
    }

    /// A deployment's endpoints with their tokens; none without a store.
    async fn endpoints(&self, deployment: &DeploymentId) -> (Endpoints, Tokens) {
        let Ok(desk) = self.actions().desk() else { return Default::default() };
        let endpoints = Endpoints::read(desk.store(), deployment).await;
        let tokens = endpoints.tokens(self.secrets(), deployment).await;
        (endpoints, tokens)
    }

    async fn tell_endpoints(&self, deployment: &DeploymentId) -> Result<(), WireError> {
        let (endpoints, tokens) = self.endpoints(deployment).await;
        self.actions().desk()?.set_endpoints(deployment, endpoints, tokens);
        Ok(())
    }

    async fn arm(&self, deployment: &DeploymentId, typed_name: &str) -> Result<Armed, WireError> {
        let session = self.session(deployment)?;
        let actions = self.actions();
        let desk = actions.desk()?;
        if typed_name != session.deployment().name {
            return Err(WireError::new(WireErrorCode::Refused, "the typed name is not the deployment's")
                .with_remedy("type the name exactly"));
        }
        desk.audit(&session, "deployment.armed", "", "", serde_json::json!({})).await?;
        let until = desk.now().plus_millis(ARMED_FOR.as_millis() as i64);
        actions.armed.lock().insert(deployment.clone(), until);
        Ok(Armed { until: Some(until) })
    }

    fn living(&self, run: &str) -> Result<Living, WireError> {
        let handle = self.actions().desk()?.handle(run).filter(|handle| !handle.has_ended());
        handle.map(Living).ok_or_else(|| {
            WireError::new(WireErrorCode::NotFound, format!("run {run} is not alive in this program"))
        })
    }
}

/// The documented warm plans, with how their schedules stand.
async fn warm_views(desk: &Desk, session: &Session) -> Vec<crate::wire::WarmPlanView> {
    let armed = desk.schedules(session).await;
    let mut views = warming::warm_plans(session.strategy(), &target_of(session), desk.now());
    for view in &mut views {
        if let (Some(schedule), Some(kept)) = (&mut view.schedule, armed.get(&view.name)) {
            schedule.armed = Some(schedules::shown(kept));
        }
    }
    views
}

/// A deployment as a command's options name it; passwords are not part of what is kept.
fn target_of(session: &Session) -> String {
    let deployment = session.deployment();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut words = vec!["--unattended".to_owned()];
    words.extend(deployment.redis_url.as_deref().map(|url| format!("--redis {}", quoted(url))));
    if let Some(hop) = &deployment.ssh {
        words.push(format!("--ssh {}", quoted(&hop.to_string())));
        words.extend(hop.key.as_deref().map(|key| format!("--ssh-key {}", quoted(key))));
    }
    words.extend(deployment.strategy.as_deref().map(|name| format!("--strategy {}", quoted(name))));
    words.join(" ")
}

struct Living(RunHandle);

impl Living {
    fn pause_and_tell(&self) -> cachescope_actions::run_state::RunState {
        self.0.pause();
        self.0.state()
    }
}

fn begin_preview(
    actions: &Actions,
    session: &Arc<Session>,
    draft: &ActionDraft,
    how: Option<cachescope_actions::plan::HowToRun>,
) -> Result<PreviewStarted, WireError> {
    let desk = actions.desk()?.clone();
    let draft = draft.clone();
    let running = Arc::new(RunningPreview {
        id: cachescope_store::Store::new_deployment_id().0,
        progress: Arc::default(),
        cancel: CancellationToken::new(),
        result: Mutex::new(None),
    });
    {
        let mut previews = actions.previews.lock();
        if previews.len() == MOST_PREVIEWS {
            previews.remove(0).cancel.cancel();
        }
        previews.push(Arc::clone(&running));
    }
    let (session, of_task) = (Arc::clone(session), Arc::clone(&running));
    tokio::spawn(async move {
        let previewed = async {
            let plan = desk.plan(&session, &draft, how).await?;
            desk.preview(&session, plan, &of_task.progress, &of_task.cancel).await
        };
        let result = Box::pin(previewed).await;
        *of_task.result.lock() = Some(result);
    });
    Ok(PreviewStarted { preview: running.id.clone() })
}

fn progress(running: &RunningPreview) -> PreviewProgress {
    let (finished, failed) = match &*running.result.lock() {
        None => (None, None),
        Some(Ok(finished)) => (Some(finished.clone()), None),
        Some(Err(error)) => (None, Some(error.clone())),
    };
    PreviewProgress {
        preview: running.id.clone(),
        scanned: running.progress.scanned.load(Ordering::Relaxed),
        all_keys: running.progress.all_keys.load(Ordering::Relaxed),
        keys: running.progress.keys.load(Ordering::Relaxed),
        finished,
        failed,
    }
}
