//! The thread that talks to the operating system's keychain, one question at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

use cachescope_model::deployment::DeploymentId;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, mpsc, oneshot};
use tokio::time::timeout;

use crate::held::Arrears;
use crate::secrets::{SecretsState, Shared};

/// Under which all secrets stand in the keychain.
const SERVICE: &str = "cachescope";

/// How long a caller waits: for its turn, for the keychain, and for an operator who unlocks it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the keychain did not do as asked, in a sentence for the operator. Never holds a secret: the library's
/// own errors may (a value that is no text), so only their harmless parts are taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeychainError {
    /// It can't be used at all now.
    #[error("{0}")]
    Unavailable(String),
    /// It works, but not for this secret.
    #[error("{0}")]
    Refused(String),
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(crate) struct Keychain {
    jobs: mpsc::Sender<Job>,
    /// Held by the question that the thread works on, from before it is sent until it is answered.
    turn: Arc<Turn<()>>,
    /// Somebody has waited in vain. Until a question is answered, callers that don't get the turn at once
    /// don't wait for it.
    overdue: Arc<AtomicBool>,
}

impl Keychain {
    /// Starts the thread, which first opens the keychain. It ends when the last clone is dropped.
    pub(crate) fn start(shared: Arc<Mutex<Shared>>) -> io::Result<Self> {
        // Whoever has the turn is the only sender, so there is never more than one job.
        let (jobs, mut queue) = mpsc::channel::<Job>(1);
        let turn = Arc::new(Turn::new(()));
        let overdue = Arc::new(AtomicBool::new(false));
        let opening = Arc::clone(&turn).try_lock_owned();
        let answered = Arc::clone(&overdue);
        thread::Builder::new().name("keychain".to_owned()).spawn(move || {
            let opened = open();
            note(&shared, &opened);
            answered.store(false, Ordering::Relaxed);
            if opened.is_err() {
                // Closed before the first one gets the turn: whoever asks is told at once.
                drop((queue, opening));
                return;
            }
            drop(opening);
            while let Some(job) = queue.blocking_recv() {
                job();
            }
        })?;
        Ok(Self { jobs, turn, overdue })
    }

    /// Whether it could be opened, as far as is known.
    pub(crate) fn is_there(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Has the thread answer a question, and keeps the state up to date.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        shared: &Arc<Mutex<Shared>>,
        question: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let asked = async {
            let turn = self.take_turn().await.ok_or_else(no_answer)?;
            let (answer, answered) = oneshot::channel();
            let (known, overdue) = (Arc::clone(shared), Arc::clone(&self.overdue));
            let job = move || {
                let outcome = question();
                note(&known, &outcome);
                overdue.store(false, Ordering::Relaxed);
                drop::<OwnedMutexGuard<()>>(turn);
                // Nobody may be waiting any more: the state was noted all the same.
                let _ = answer.send(outcome);
            };
            self.jobs.send(Box::new(job)).await.map_err(|_| shared.lock().unavailable())?;
            answered.await.unwrap_or_else(|_| Err(stopped()))
        };
        let outcome = timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            self.overdue.store(true, Ordering::Relaxed);
            Err(no_answer())
        });
        if let Err(KeychainError::Unavailable(reason)) = &outcome {
            shared.lock().state = SecretsState::SessionOnly { reason: reason.clone() };
        }
        outcome
    }

    async fn take_turn(&self) -> Option<OwnedMutexGuard<()>> {
        let turn = Arc::clone(&self.turn);
        if self.overdue.load(Ordering::Relaxed) {
            turn.try_lock_owned().ok()
        } else {
            Some(turn.lock_owned().await)
        }
    }
}

/// Notes on the keychain's thread how it fared. When it works again, it first gets what it has missed.
fn note<T>(shared: &Mutex<Shared>, outcome: &Result<T, KeychainError>) {
    let state = match outcome {
        Err(KeychainError::Unavailable(reason)) => SecretsState::SessionOnly { reason: reason.clone() },
        Ok(_) | Err(KeychainError::Refused(_)) => {
            let was_away = shared.lock().state != SecretsState::Keychain;
            match if was_away { catch_up(shared) } else { Ok(()) } {
                Ok(()) => SecretsState::Keychain,
                Err(error) => SecretsState::SessionOnly { reason: error.to_string() },
            }
        }
    };
    let mut shared = shared.lock();
    let recovered = state == SecretsState::Keychain && shared.state != state;
    shared.state = state;
    if recovered {
        shared.recoveries.send_modify(|recoveries| *recoveries += 1);
    }
}

fn catch_up(shared: &Mutex<Shared>) -> Result<(), KeychainError> {
    let Arrears { removals, secrets } = shared.lock().held.arrears();
    for deployment in removals {
        remove_all(&deployment)?;
        shared.lock().held.removed(&deployment);
    }
    for (deployment, name, secret) in secrets {
        match write(&deployment, &name, &secret) {
            Ok(()) => shared.lock().held.release(&deployment, &name, &secret),
            // It was told when it was set, and stays in memory.
            Err(KeychainError::Refused(_)) => {}
            Err(unavailable) => return Err(unavailable),
        }
    }
    Ok(())
}

/// Reads one secret.
pub(crate) fn read(deployment: &DeploymentId, name: &str) -> Result<Option<SecretString>, KeychainError> {
    read_account(&secret_account(deployment, name)).map(|found| found.map(SecretString::from))
}

/// Writes one secret. Its name is noted first: a crash in between leaves a name without a secret, which does
/// no harm, and never a secret that [`remove_all`] would not find.
pub(crate) fn write(
    deployment: &DeploymentId,
    name: &str,
    secret: &SecretString,
) -> Result<(), KeychainError> {
    let mut names = names(deployment)?;
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
        write_account(&deployment.0, &names.join("\n"))?;
    }
    write_account(&secret_account(deployment, name), secret.expose_secret())
}

/// Removes every secret of a deployment, and then the list of their names.
pub(crate) fn remove_all(deployment: &DeploymentId) -> Result<(), KeychainError> {
    for name in names(deployment)? {
        remove_account(&secret_account(deployment, &name))?;
    }
    remove_account(&deployment.0)
}

/// The names of a deployment's secrets, one a line. They stand in the keychain, too, so that they are there
/// exactly when the secrets are: no keychain of the three can be searched through this library.
fn names(deployment: &DeploymentId) -> Result<Vec<String>, KeychainError> {
    let lines = read_account(&deployment.0)?.unwrap_or_default();
    Ok(lines.lines().map(str::to_owned).collect())
}

fn secret_account(deployment: &DeploymentId, name: &str) -> String {
    format!("{}/{name}", deployment.0)
}

fn open() -> Result<(), KeychainError> {
    match keyring::Entry::store_status() {
        Ok(()) => Ok(()),
        Err(error) => Err(KeychainError::Unavailable(format!(
            "no keychain can be reached ({}): passwords stay in memory until Cachescope ends; start a keychain such as GNOME Keyring and restart Cachescope to keep them",
            harmless(error)
        ))),
    }
}

fn read_account(account: &str) -> Result<Option<String>, KeychainError> {
    let entry = keyring::Entry::new(SERVICE, account).map_err(said)?;
    match entry.get_secret() {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            KeychainError::Refused("the keychain holds something that is no text under this name".to_owned())
        }),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(said(error)),
    }
}

fn write_account(account: &str, text: &str) -> Result<(), KeychainError> {
    // Bytes rather than a "password": Windows would double their length, and allows 2,560.
    keyring::Entry::new(SERVICE, account).and_then(|entry| entry.set_secret(text.as_bytes())).map_err(said)
}

fn remove_account(account: &str) -> Result<(), KeychainError> {
    match keyring::Entry::new(SERVICE, account).and_then(|entry| entry.delete_credential()) {
        Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
        Err(error) => Err(said(error)),
    }
}

fn said(error: keyring::Error) -> KeychainError {
    use keyring::Error;
    match &error {
        Error::NoStorageAccess(_) => KeychainError::Unavailable(format!(
            "the keychain is locked or refused access ({}): passwords stay in memory until Cachescope ends; unlock it and enter the password again to keep it",
            harmless(&error)
        )),
        Error::NoDefaultStore | Error::PlatformFailure(_) | Error::BadStoreFormat(_) => {
            KeychainError::Unavailable(format!(
                "the keychain failed ({}): passwords stay in memory until Cachescope ends; check the keychain, restart Cachescope and enter them again to keep them",
                harmless(&error)
            ))
        }
        _ => KeychainError::Refused(format!(
            "the keychain did not take this secret ({}): it stays in memory until Cachescope ends",
            harmless(&error)
        )),
    }
}

/// The library's words where they can't contain a value.
fn harmless(error: &keyring::Error) -> String {
    use keyring::Error;
    match error {
        Error::NoStorageAccess(cause) | Error::PlatformFailure(cause) => cause.to_string(),
        Error::TooLong(_, limit) => format!("it is longer than the {limit} characters it allows"),
        Error::Ambiguous(_) => "it holds several under one name; remove them there".to_owned(),
        Error::NoDefaultStore => "there is none".to_owned(),
        Error::NoEntry => "it holds none of this name".to_owned(),
        _ => "its value or its form is not what it should be".to_owned(),
    }
}

/// It is stuck, or waits for the operator.
fn no_answer() -> KeychainError {
    KeychainError::Unavailable(format!(
        "the keychain did not answer within {} s: passwords stay in memory; unlock it, and those entered in this session are stored when it answers",
        PATIENCE.as_secs()
    ))
}

/// The thread is gone.
pub(crate) fn stopped() -> KeychainError {
    KeychainError::Unavailable(
        "the access to the keychain has stopped after an internal failure: passwords stay in memory until Cachescope ends; restart it to try again"
            .to_owned(),
    )
}
