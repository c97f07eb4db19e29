//! Passwords and keys: in the operating system's keychain, or in memory until the process ends.
//!
//! The keychain is asked by a thread of its own ([`crate::keychain`]), because its library blocks and must
//! not run on an async runtime. A call waits five seconds at most: a locked keychain asks the operator on the
//! screen, and that may take until someone is back from lunch. What could not be stored is held in memory,
//! is said so, and is stored as soon as the keychain answers again.

use std::fmt;
use std::sync::Arc;

use cachescope_model::deployment::DeploymentId;
use parking_lot::Mutex;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::held::Held;
use crate::keychain::{self, Keychain, KeychainError};

const SESSION_ONLY: &str = "this session keeps passwords in memory only, until it ends";

/// Where secrets go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SecretsState {
    /// Into the operating system's keychain.
    Keychain,
    /// Into memory, until the process ends.
    SessionOnly {
        /// Why, and what would change it: one sentence for the operator.
        reason: String,
    },
}

/// Secrets by deployment and name (`redis-password`, `prometheus-password`, `ca`, …). Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    pub(crate) shared: Arc<Mutex<Shared>>,
    keychain: Option<Keychain>,
}

/// What callers and the keychain's thread both know. Locked for moments only, never while the keychain is
/// asked.
pub(crate) struct Shared {
    pub(crate) state: SecretsState,
    /// How often the keychain has answered after it had not.
    pub(crate) recoveries: watch::Sender<u64>,
    pub(crate) held: Held,
}

impl Secrets {
    /// Secrets in the operating system's keychain (Secret Service, macOS Keychain, Windows Credential
    /// Manager). Returns at once; the keychain is contacted in the background, and the first call waits for
    /// it. Falls back to memory by itself where there is none, it refuses, or it does not answer in 5 s.
    #[must_use]
    pub fn keychain() -> Self {
        let shared = Shared::new(SecretsState::Keychain);
        let shared = Arc::new(Mutex::new(shared));
        match Keychain::start(Arc::clone(&shared)) {
            Ok(keychain) => Self { shared, keychain: Some(keychain) },
            Err(error) => {
                let reason = format!("{SESSION_ONLY}, because a thread cannot be started ({error})");
                shared.lock().state = SecretsState::SessionOnly { reason };
                Self { shared, keychain: None }
            }
        }
    }

    /// Secrets in memory only; the keychain is never touched, not even by [`Secrets::remove`].
    #[must_use]
    pub fn session_only() -> Self {
        let state = SecretsState::SessionOnly { reason: SESSION_ONLY.to_owned() };
        Self { shared: Arc::new(Mutex::new(Shared::new(state))), keychain: None }
    }

    /// The secret, or `None` where none is known. While the keychain fails it is not asked again here (each
    /// time it might open a dialog); [`Secrets::state`] then says why, and [`Secrets::set`] tries it again.
    pub async fn get(&self, deployment: &DeploymentId, name: &str) -> Option<SecretString> {
        {
            let shared = self.shared.lock();
            if let Some(secret) = shared.held.get(deployment, name) {
                return Some(secret);
            }
            if shared.state != SecretsState::Keychain {
                return None;
            }
        }
        let (owner, key) = (deployment.clone(), name.to_owned());
        match self.ask(move || keychain::read(&owner, &key)).await {
            Ok(secret) => secret,
            Err(error) => {
                tracing::warn!("the secret {name} of deployment {} was not read: {error}", deployment.0);
                None
            }
        }
    }

    /// Keeps a secret, in place of the previous one of that name, and says where it went.
    pub async fn set(&self, deployment: &DeploymentId, name: &str, secret: SecretString) -> SecretsState {
        // Into memory first: it is there for this session whatever the keychain does.
        self.shared.lock().held.hold(deployment, name, secret.clone());
        let (owner, key, copy) = (deployment.clone(), name.to_owned(), secret.clone());
        match self.ask(move || keychain::write(&owner, &key, &copy)).await {
            Ok(()) => {
                self.shared.lock().held.release(deployment, name, &secret);
                SecretsState::Keychain
            }
            Err(error) => SecretsState::SessionOnly { reason: error.to_string() },
        }
    }

    /// Removes every secret of a deployment. `SessionOnly` means that the keychain could not be asked: what
    /// it holds is removed when it answers again, but only within this process.
    pub async fn remove(&self, deployment: &DeploymentId) -> SecretsState {
        self.shared.lock().held.forget(deployment, self.keychain.is_some());
        let owner = deployment.clone();
        match self.ask(move || keychain::remove_all(&owner)).await {
            Ok(()) => {
                self.shared.lock().held.removed(deployment);
                SecretsState::Keychain
            }
            Err(error) => {
                if self.keychain.is_some() {
                    tracing::warn!("the secrets of deployment {} stay behind: {error}", deployment.0);
                }
                SecretsState::SessionOnly { reason: error.to_string() }
            }
        }
    }

    /// Where secrets go, as far as is known: `Keychain` until it fails. Does not wait.
    #[must_use]
    pub fn state(&self) -> SecretsState {
        self.shared.lock().state.clone()
    }

    /// Changes whenever the keychain answers after it had not: what could not be read before may be readable now.
    #[must_use]
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.shared.lock().recoveries.subscribe()
    }

    /// Whether there is a keychain, as far as is known.
    #[must_use]
    pub fn can_be_asked(&self) -> bool {
        self.keychain.as_ref().is_some_and(Keychain::is_there)
    }

    /// Lets the keychain be asked again after it failed. One that was not there at the start stays away.
    pub fn try_again(&self) {
        if self.can_be_asked() {
            self.shared.lock().state = SecretsState::Keychain;
        }
    }

    /// Where secrets go, once the keychain was contacted or did not answer in 5 s.
    pub async fn settled_state(&self) -> SecretsState {
        if self.keychain.is_some() && self.state() == SecretsState::Keychain {
            // The answer does not matter: a failure is in the state by now.
            let _ = self.ask(|| Ok(())).await;
        }
        self.state()
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
    ) -> Result<T, KeychainError> {
        match &self.keychain {
            Some(keychain) => keychain.ask(&self.shared, question).await,
            None => Err(self.shared.lock().unavailable()),
        }
    }
}

impl Shared {
    fn new(state: SecretsState) -> Self {
        Self { state, recoveries: watch::Sender::new(0), held: Held::default() }
    }

    /// The error of a keychain that is known to be out of reach.
    pub(crate) fn unavailable(&self) -> KeychainError {
        match &self.state {
            SecretsState::SessionOnly { reason } => KeychainError::Unavailable(reason.clone()),
            SecretsState::Keychain => keychain::stopped(),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").field("state", &self.state()).finish_non_exhaustive()
    }
}
