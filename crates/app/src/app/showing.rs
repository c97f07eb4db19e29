//! The demo: started once, and taken away with its deployment.

use cachescope_model::deployment::DeploymentId;

use super::{App, RunningDemo};
use crate::demo::{self, DemoProcess};
use crate::deployments;
use crate::secrets::DeploymentSecrets;
use crate::session::Session;
use crate::wire::{DemoStatus, WireError, WireErrorCode};

impl App {
    pub(super) fn demo_status(&self) -> DemoStatus {
        let missing = demo::missing(self.inner.host.companion().as_deref());
        let running = self.inner.demo_deployment.lock().clone();
        DemoStatus { available: missing.is_empty(), missing, running }
    }

    pub(super) async fn start_demo(&self) -> Result<DeploymentId, WireError> {
        // Held while starting: two clicks start one demo.
        let mut running = self.inner.demo.lock().await;
        if let Some(demo) = running.as_ref() {
            return Ok(demo.deployment.clone());
        }
        let companion = self.inner.host.companion();
        if let Some(missing) = demo::missing(companion.as_deref()).into_iter().next() {
            return Err(WireError::new(WireErrorCode::DemoUnavailable, missing));
        }
        let companion = companion.unwrap_or_default();
        let process = DemoProcess::start(&companion).await?;
        let deployment = demo::deployment(&process.addresses);
        let id = deployment.id.clone();
        let mut plan = deployments::plan(deployment, DeploymentSecrets::default()).await;
        plan.custody.clone_from(&self.inner.custody);
        *self.inner.demo_deployment.lock() = Some(id.clone());
        self.put(Session::start(plan));
        *running = Some(RunningDemo { process, deployment: id.clone() });
        Ok(id)
    }

    pub(super) async fn stop_demo(&self) {
        let mut running = self.inner.demo.lock().await;
        if let Some(demo) = running.take() {
            *self.inner.demo_deployment.lock() = None;
            self.take_away(&demo.deployment).await;
            demo.process.stop().await;
        }
    }
}
