//! An SSH server on the way, as it is typed.

use std::path::PathBuf;
use std::sync::Arc;

use cachescope_sources::ssh::{self, TrustedKey, Tunnel};
use clap::Args;

use crate::failure::Failure;

/// The variable that may hold the secret, so that it stands in no process list.
const SECRET_VARIABLE: &str = "CACHESCOPE_SSH_PASSWORD";

/// An SSH server to go through.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Ssh {
    /// Go through this SSH server, or alias of ~/.ssh/config, with the ssh of this machine.
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    pub(crate) ssh: Option<String>,
    /// Private key for it, instead of those of the agent and of ~/.ssh/config.
    #[arg(long, value_name = "FILE", requires = "ssh")]
    pub(crate) ssh_key: Option<PathBuf>,
    /// Ask for the passphrase of that key; without one, for the password at the SSH server.
    #[arg(long)]
    pub(crate) ask_ssh_password: bool,
    /// Add the SSH server's key to your known hosts if it has this fingerprint and no key of it is known yet.
    #[arg(long, value_name = "SHA256:…")]
    pub(crate) ssh_trust: Option<String>,
}

impl Ssh {
    /// The passphrase of the key that is named, otherwise the password.
    pub(crate) fn secret(&self) -> Result<Option<String>, Failure> {
        if self.ask_ssh_password {
            let words = if self.ssh_key.is_some() { "Passphrase of the SSH key: " } else { "SSH password: " };
            return crate::deployment::prompted(words);
        }
        Ok(std::env::var(SECRET_VARIABLE).ok().filter(|secret| !secret.is_empty()))
    }

    /// The key that is trusted where it is not known.
    pub(crate) fn trusted(&self) -> Result<Option<TrustedKey>, Failure> {
        if self.ssh_trust.is_some() && self.ssh.is_none() {
            return Err(Failure::input("--ssh-trust needs an SSH server: give it with --ssh"));
        }
        Ok(self.ssh_trust.as_deref().map(TrustedKey::new).transpose()?)
    }

    /// The tunnel of a command that reaches nothing else than one address over HTTP.
    pub(crate) fn tunnel(&self) -> Result<Option<Arc<Tunnel>>, Failure> {
        let trusted = self.trusted()?;
        let Some(typed) = &self.ssh else { return Ok(None) };
        let mut hop = ssh::parse(typed)?;
        hop.key = self.ssh_key.as_ref().map(|path| path.to_string_lossy().into_owned());
        ssh::check(&hop)?;
        let tunnel = Tunnel::new(hop, self.secret()?.map(Into::into));
        Ok(Some(Arc::new(match trusted {
            Some(key) => tunnel.trusting(key),
            None => tunnel,
        })))
    }
}
