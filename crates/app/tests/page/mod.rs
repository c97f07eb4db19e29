//! A deployment and what the page asks of it, without a page.
#![allow(dead_code)] // each test uses its part of it

use std::sync::Arc;
use std::time::Duration;

use cachescope_actions::plan::HowToRun;
use cachescope_actions::run_state::RunState;
use cachescope_app::App;
use cachescope_app::wire::{ActionDraft, DeploymentDraft, PreviewedAction, Reply, Request, WireError};
use cachescope_lab::servers::install_crypto;
use cachescope_model::deployment::{DeploymentId, Environment};

use crate::test_host::TestHost;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) app: App,
    pub(crate) deployment: DeploymentId,
    pub(crate) directory: Arc<tempfile::TempDir>,
}

/// Has a deployment watched.
pub(crate) async fn save(app: &App, redis: &str, strategy: &str) -> DeploymentId {
    let draft = DeploymentDraft {
        environment: Some(Environment::Development),
        redis_url: redis.to_owned(),
        strategy: strategy.to_owned(),
        ..DeploymentDraft::default()
    };
    let saved = app.handle(Request::SaveDeployment { draft }).await;
    let Ok(Reply::SaveDeployment(deployment)) = saved else { panic!("saved") };
    deployment
}

impl Page {
    pub(crate) async fn on(redis: &str, strategy: &str) -> Self {
        install_crypto();
        let directory = tempfile::tempdir().expect("a directory");
        let app = App::start(TestHost { directory: directory.path().to_owned() }).await;
        let deployment = save(&app, redis, strategy).await;
        Self { app, deployment, directory: Arc::new(directory) }
    }

    pub(crate) async fn preview(
        &self,
        draft: ActionDraft,
        how: Option<HowToRun>,
    ) -> Result<PreviewedAction, WireError> {
        let asked = Request::PreviewAction { deployment: self.deployment.clone(), draft, how };
        let Reply::PreviewAction(started) = self.app.handle(asked).await? else { panic!("another reply") };
        let waited = async {
            loop {
                let asked = Request::PreviewProgress { preview: started.preview.clone() };
                let Ok(Reply::PreviewProgress(progress)) = self.app.handle(asked).await else {
                    panic!("another reply")
                };
                if let Some(error) = progress.failed {
                    return Err(error);
                }
                if let Some(finished) = progress.finished {
                    return Ok(finished);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("it ends")
    }

    pub(crate) async fn run(&self, previewed: &PreviewedAction) -> RunState {
        let approval = previewed.approval.as_ref();
        let token = approval.map(|approval| approval.token.clone());
        let asked = Request::RunAction {
            deployment: self.deployment.clone(),
            approval: token.unwrap_or_else(|| panic!("refused: {:?}", previewed.preview.checks)),
            plan_hash: previewed.preview.plan_hash.clone(),
            typed_name: None,
            reason: None,
        };
        let Reply::RunAction(state) = self.app.handle(asked).await.expect("it starts") else {
            panic!("another reply")
        };
        let waited = async {
            loop {
                let asked = Request::Run { run: state.run.clone() };
                let Ok(Reply::Run(state)) = self.app.handle(asked).await else { panic!("another reply") };
                if !state.phase.is_alive() {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("it ends")
    }
}
