//! A server behind an SSH server, and what reaches it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use cachescope_lab::servers::{KnownAs, LetsIn, RedisOptions, RedisServer, SshOptions, SshServer};
use cachescope_model::deployment::SshHop;
use cachescope_sources::error::SourceError;
use cachescope_sources::redis::{ConnectOptions, RedisNode, RedisTarget};
use cachescope_sources::ssh::Tunnel;
use cachescope_tests::programs;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis and an SSH server that lets through to it.
pub(crate) struct Site {
    pub(crate) redis: RedisServer,
    pub(crate) ssh: SshServer,
}

impl Site {
    pub(crate) async fn new() -> Result<Self> {
        Self::letting_in(LetsIn::Key).await
    }

    /// The same with an SSH server that wants something else than a key.
    pub(crate) async fn letting_in(lets_in: LetsIn) -> Result<Self> {
        Ok(Self {
            redis: RedisServer::start(RedisOptions::default()).await?,
            ssh: SshServer::start(SshOptions { lets_in, ..SshOptions::default() }).await?,
        })
    }

    /// A client's configuration that knows the SSH server and this key.
    pub(crate) fn configuration(&self, key: Option<&Path>) -> Result<PathBuf> {
        Ok(self.ssh.client_configuration(KnownAs::Itself, key, None)?)
    }

    /// The SSH server as it is typed.
    pub(crate) fn hop(&self, key: Option<PathBuf>) -> SshHop {
        SshHop {
            host: "127.0.0.1".to_owned(),
            port: Some(self.ssh.port()),
            user: Some(self.ssh.user().to_owned()),
            key: key.map(|path| path.display().to_string()),
        }
    }

    /// The Redis through a tunnel.
    pub(crate) fn through(&self, tunnel: Tunnel) -> Result<RedisNode> {
        node(&self.redis.url(), tunnel, ConnectOptions::default())
    }
}

/// A tunnel that asks by the built command.
pub(crate) fn tunnel(hop: SshHop, configuration: PathBuf, secret: Option<&str>) -> Result<Tunnel> {
    let secret = secret.map(|secret| secret.to_owned().into());
    Ok(Tunnel::new(hop, secret).configured_by(configuration).asking_by(Some(programs::cachescope()?)))
}

/// A node behind a tunnel, for patient machines.
pub(crate) fn node(url: &str, tunnel: Tunnel, options: ConnectOptions) -> Result<RedisNode> {
    cachescope_lab::servers::install_crypto();
    let options = ConnectOptions {
        ssh: Some(Arc::new(tunnel)),
        connect_timeout: PATIENCE,
        command_timeout: PATIENCE,
        ..options
    };
    Ok(RedisNode::new(RedisTarget::parse(url)?, options))
}

/// Asks the server behind a node.
pub(crate) async fn ping(node: &RedisNode) -> Result<(), SourceError> {
    node.gate().await.ask(&redis::cmd("PING")).await.map(|_| ())
}

/// The failure of a node that must not be reached.
pub(crate) async fn refused(node: &RedisNode) -> Result<SourceError> {
    ping(node).await.err().context("it should not have been reached")
}

/// Runs the command as somebody with this state directory, this SSH configuration and this SSH secret.
pub(crate) async fn command(
    state: &Path,
    configuration: &Path,
    secret: Option<&str>,
    arguments: &[&str],
) -> Result<Output> {
    let mut command = tokio::process::Command::new(programs::cachescope()?);
    command
        .args(arguments)
        .env("CACHESCOPE_STATE_DIR", state)
        .env("CACHESCOPE_SSH_CONFIG", configuration)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(secret) = secret {
        command.env("CACHESCOPE_SSH_PASSWORD", secret);
    }
    Ok(tokio::time::timeout(PATIENCE * 2, command.output()).await.context("it ends")??)
}
