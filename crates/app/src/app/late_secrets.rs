//! Deployments whose secrets the keychain gives late: because it is slow, or waits for the operator to unlock it.
//!
//! Nothing waits for it. A deployment begins without its secrets, and once more when they can be read.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cachescope_store::{SecretsState, Store};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{App, Inner};
use crate::demo;
use crate::secrets::DeploymentSecrets;
use crate::session::Session;
use crate::wire::AppInfo;

/// For so long the kept deployments wait for their secrets at the start, all together. A keychain that is unlocked
/// answers within milliseconds.
const AT_START: Duration = Duration::from_secs(1);

impl App {
    pub(super) async fn begin_kept(&self, store: Option<Store>) {
        let Some(store) = store else { return };
        let kept = match store.deployments().await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(%error, "deployments can't be read");
                return;
            }
        };
        let (deadline, mut late) = (Instant::now() + AT_START, false);
        for deployment in kept {
            let reading = DeploymentSecrets::read(&self.inner.secrets, &deployment);
            let secrets = timeout_at(deadline, reading).await;
            late |= secrets.is_err();
            Box::pin(self.begin_with(deployment, secrets.unwrap_or_default())).await;
        }
        if late {
            let app = self.clone();
            tokio::spawn(async move { Box::pin(app.begin_those_without_secrets()).await });
        }
    }

    /// The operator wants the keychain to be asked again, which may show a dialog of the system.
    pub(super) async fn ask_keychain(&self) -> AppInfo {
        self.inner.secrets.try_again();
        self.begin_those_without_secrets().await;
        self.info()
    }

    /// Begins anew what was begun without secrets where there are some.
    async fn begin_those_without_secrets(&self) {
        for session in self.sessions() {
            let deployment = session.deployment().clone();
            if deployment.id.0 == demo::ID || session.plan().secrets.is_some() {
                continue;
            }
            let secrets = DeploymentSecrets::read(&self.inner.secrets, &deployment).await;
            if self.inner.secrets.state() != SecretsState::Keychain {
                return;
            }
            // It may have been changed or removed meanwhile.
            let still_there = self.session(&deployment.id).is_ok_and(|now| Arc::ptr_eq(&now, &session));
            if secrets.is_some() && still_there {
                self.end(&session).await;
                Box::pin(self.begin_with(deployment, secrets)).await;
            }
        }
    }

    /// Ends a session, so that another one of its deployment can begin.
    pub(super) async fn end(&self, session: &Session) {
        session.stop().await;
        self.judging_ended(Some(&session.deployment().id)).await;
    }
}

/// Waits for the keychain to answer after it did not, as long as the app lives.
pub(super) async fn heed(app: Weak<Inner>, mut recoveries: watch::Receiver<u64>) {
    while recoveries.changed().await.is_ok() {
        let Some(inner) = app.upgrade() else { return };
        Box::pin(App { inner }.begin_those_without_secrets()).await;
    }
}
