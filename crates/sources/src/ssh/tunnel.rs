//! One way in for all connections of a deployment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::deployment::SshHop;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::failure;
use super::host_key::{TrustedKey, UnknownHost};
use super::master::{Master, NotOpen, Orders};
use super::mux::{self, NoWay, Way};
use crate::error::{ErrorCode, SourceError};
use crate::redis::Backoff;

/// A server that shuts out whoever fails too often is not asked more than so often.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// Otherwise the first pause …
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … and the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A tunnel through an SSH server. It is opened when it is first needed, once for all connections, opened again when
/// it is lost, and closed when this is dropped.
#[derive(Debug)]
pub struct Tunnel {
    orders: Orders,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    master: Option<Arc<Master>>,
    /// Until when the last failure is the answer.
    failed: Option<(Instant, SourceError)>,
    /// The host that is not known, where that was why.
    unknown: Option<UnknownHost>,
    backoff: Backoff,
}

impl Tunnel {
    /// Nothing is started by this. `secret` is the passphrase of the hop's key where it names one, otherwise the
    /// password. Questions of `ssh` are asked by this same program, which its `main` must know of
    /// ([`super::askpass::is_asked_for`]).
    #[must_use]
    pub fn new(hop: SshHop, secret: Option<SecretString>) -> Self {
        let asking = std::env::current_exe().ok();
        let backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let state = State { master: None, failed: None, unknown: None, backoff };
        let orders = Orders { hop, secret, asking, config: None, trusted: None };
        Self { orders, state: Mutex::new(state) }
    }

    /// The same with another program that asks; `None` lets nothing be asked.
    #[must_use]
    pub fn asking_by(mut self, program: Option<PathBuf>) -> Self {
        self.orders.asking = program;
        self
    }

    /// The same with another configuration than the operator's own.
    #[must_use]
    pub fn configured_by(mut self, file: PathBuf) -> Self {
        self.orders.config = Some(file);
        self
    }

    /// The same, which has `ssh` add this key to the operator's known hosts where it is not known yet. A host with
    /// another key that is known is refused all the same.
    #[must_use]
    pub fn trusting(mut self, key: TrustedKey) -> Self {
        self.orders.trusted = Some(key);
        self
    }

    /// The SSH server.
    #[must_use]
    pub fn hop(&self) -> &SshHop {
        &self.orders.hop
    }

    /// What it is let in with, where that was given.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretString> {
        self.orders.secret.as_ref()
    }

    /// Opens it, where it is not open.
    ///
    /// # Errors
    /// Codes `dns`, `refused`, `unreachable`, `timeout`, `host_key`, `auth`, `closed` or `bad_url`, with the step that
    /// failed.
    pub async fn open(&self, connect_timeout: Duration) -> Result<(), SourceError> {
        self.master(connect_timeout).await.map(|_| ())
    }

    /// The host that the operator may trust, where the last attempt to open it ended there.
    pub async fn unknown_host(&self) -> Option<UnknownHost> {
        self.state.lock().await.unknown.clone()
    }

    /// The host that was trusted when it was opened, and whether its key was added to the known hosts.
    pub async fn trusted_host(&self) -> Option<(UnknownHost, bool)> {
        self.state.lock().await.master.as_ref()?.said.trusted()
    }

    /// A way to an address as the SSH server sees it, which has connected by then.
    pub(crate) async fn way(&self, host: &str, port: u16, deadline: Duration) -> Result<Way, SourceError> {
        let master = self.master(deadline).await?;
        let hop = &self.orders.hop;
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let before = master.said.refused();
        match timeout(deadline, mux::open(&master.socket, host, port)).await {
            Ok(Ok(way)) => Ok(way),
            Ok(Err(NoWay::Refused)) => {
                Err(failure::no_way(hop, &address, &master.said.reason_after(before).await))
            }
            Ok(Err(NoWay::Lost(error))) => {
                tracing::debug!(%error, "ssh does not answer");
                Err(failure::lost(hop, &master.said))
            }
            Err(_) => Err(failure::no_answer(hop, &address, deadline)),
        }
    }

    /// The running master. Whoever comes while it is being started waits for it, and gets the same failure.
    async fn master(&self, connect_timeout: Duration) -> Result<Arc<Master>, SourceError> {
        let mut state = self.state.lock().await;
        if let Some(master) = &state.master {
            if !master.has_ended() {
                return Ok(Arc::clone(master));
            }
            tracing::warn!("{}", failure::lost(&self.orders.hop, &master.said));
            state.master = None;
        }
        if let Some((until, error)) = &state.failed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match Master::open(&self.orders, connect_timeout).await {
            Ok(master) => {
                let master = Arc::new(master);
                state.master = Some(Arc::clone(&master));
                state.failed = None;
                state.unknown = None;
                state.backoff.reset();
                Ok(master)
            }
            Err(NotOpen { error, unknown }) => {
                state.unknown = unknown;
                let pause = state.backoff.pause();
                let pause = if error.kind() == ErrorCode::Auth { AFTER_REFUSAL } else { pause };
                state.failed = Some((Instant::now() + pause, error.clone()));
                Err(error)
            }
        }
    }
}
