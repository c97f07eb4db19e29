//! What the operator does with deployments: list, save, adopt a strategy, forget.

use std::sync::Arc;

use cachescope_model::deployment::DeploymentId;
use cachescope_store::SecretsState;

use super::App;
use crate::adoption::{self, Proposal};
use crate::session::Session;
use crate::wire::{
    AdoptionView, AppInfo, ConnectionReport, DeploymentDraft, DeploymentView, SecretsPlace, WireError,
    WireErrorCode,
};
use crate::{connection_test, demo, deployments};

impl App {
    pub(super) fn info(&self) -> AppInfo {
        let secrets = match self.inner.secrets.state() {
            SecretsState::Keychain => SecretsPlace::Keychain,
            SecretsState::SessionOnly { reason } => SecretsPlace::SessionOnly { reason },
        };
        AppInfo {
            version: self.inner.host.version(),
            secrets,
            keychain: self.inner.secrets.can_be_asked(),
            notices: self.inner.notices.clone(),
        }
    }

    pub(super) fn deployment_views(&self) -> Vec<DeploymentView> {
        let demo = self.inner.demo_deployment.lock().clone();
        let view = |session: &Arc<Session>| {
            let plan = session.plan();
            DeploymentView {
                demo: demo.as_ref() == Some(&plan.deployment.id),
                has_redis_password: plan.secrets.redis_password.is_some(),
                has_ssh_secret: plan.ssh.as_ref().is_some_and(|tunnel| tunnel.secret().is_some()),
                has_prometheus_secret: plan.secrets.prometheus_password.is_some()
                    || plan.secrets.prometheus_token.is_some(),
                sources_on: session.sources_on(),
                deployment: plan.deployment.clone(),
            }
        };
        self.sessions().iter().map(view).collect()
    }

    pub(super) async fn test_connection(
        &self,
        draft: &DeploymentDraft,
        trust: Option<&str>,
    ) -> Result<ConnectionReport, WireError> {
        let keys = &self.inner.host_keys;
        let trusted = trust.map(|token| keys.approved(draft, token, self.now())).transpose()?;
        let mut report = connection_test::run(draft, &self.inner.secrets, trusted).await;
        keys.offer(draft, &mut report, self.now());
        Ok(report)
    }

    pub(super) async fn save(&self, draft: DeploymentDraft) -> Result<DeploymentId, WireError> {
        if draft.id.as_ref().is_some_and(|id| *id == DeploymentId(demo::ID.to_owned())) {
            return Err(WireError::new(WireErrorCode::BadInput, "the demo's deployment can't be changed")
                .with_remedy("add a deployment of your own"));
        }
        if let Some(id) = &draft.id {
            self.session(id)?;
        }
        let (deployment, secrets) = deployments::from_draft(&draft)?;
        let id = deployment.id.clone();
        if let Some(store) = &self.inner.store {
            store.save_deployment(deployment.clone()).await?;
        }
        secrets.keep(&self.inner.secrets, &deployment).await;
        if let Ok(old) = self.session(&id) {
            self.end(&old).await;
        }
        self.begin(deployment).await;
        Ok(id)
    }

    pub(super) async fn proposal(
        &self,
        id: &DeploymentId,
        namespaces: Vec<String>,
    ) -> Result<Proposal, WireError> {
        let session = self.session(id)?;
        let found = adoption::found(&session.snapshot(Default::default()), Some(&namespaces))?;
        let (deployment, directory) = (session.deployment().clone(), self.inner.host.state_directory());
        off_thread(move || adoption::propose(&deployment, &directory, &found)).await
    }

    pub(super) async fn adopt(
        &self,
        id: &DeploymentId,
        namespaces: Vec<String>,
    ) -> Result<AdoptionView, WireError> {
        if *id == DeploymentId(demo::ID.to_owned()) {
            return Err(WireError::new(WireErrorCode::BadInput, "the demo's strategy can't be changed")
                .with_remedy("copy the lines, or adopt on a deployment of your own"));
        }
        let proposal = self.proposal(id, namespaces).await?;
        let view = proposal.view();
        if proposal.adoption.names.is_empty() {
            return Ok(view);
        }
        let written = proposal.clone();
        off_thread(move || adoption::write(&written)).await?;
        let mut deployment = self.session(id)?.deployment().clone();
        deployment.strategy = Some(proposal.file.display().to_string());
        if let Some(store) = &self.inner.store {
            store.save_deployment(deployment.clone()).await?;
        }
        self.end(&*self.session(id)?).await;
        self.begin(deployment).await;
        Ok(view)
    }

    pub(super) async fn remove(&self, id: &DeploymentId) -> Result<(), WireError> {
        if *id == DeploymentId(demo::ID.to_owned()) {
            self.stop_demo().await;
            return Ok(());
        }
        self.session(id)?;
        if let Some(store) = &self.inner.store {
            store.remove_deployment(id.clone()).await?;
        }
        self.inner.secrets.remove(id).await;
        self.take_away(id).await;
        self.inner.alerts.forget(id).await;
        Ok(())
    }
}

/// Work with files, off the runtime's threads: a path may lead to a slow disk.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WireError> + Send + 'static,
) -> Result<T, WireError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(WireError::new(WireErrorCode::Storage, format!("it was broken off: {error}"))),
    }
}
