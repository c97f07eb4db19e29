//! One `sshd` on a port of this machine, with keys of its own: it lets in who started it, to nothing but other ports.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::passwords;
use super::port::free_port;
use super::process::{
    PORT_ATTEMPTS, Process, Program, Started, log_of, output, read_log, state_directory, write_private,
};
use crate::error::LabError;

const SSHD: Program = Program {
    name: "sshd",
    package: "openssh-server",
    elsewhere: ", elsewhere see https://www.openssh.com/portable.html",
    ready: "Server listening on",
};

const AGENT: Program = Program {
    name: "ssh-agent",
    package: "openssh-client",
    elsewhere: ", elsewhere see https://www.openssh.com/portable.html",
    ready: "SSH_AUTH_SOCK=",
};

/// Where a `sshd` of root keeps nothing while it talks to strangers. Its service makes it otherwise.
const EMPTY_DIRECTORY: &str = "/run/sshd";

/// What an SSH server allows.
#[derive(Clone, Debug, Default)]
pub struct SshOptions {
    /// Ways are let through to these alone (`PermitOpen`), such as `127.0.0.1:7000`; empty: to all.
    pub permit_open: Vec<String>,
    /// What it lets somebody in with.
    pub lets_in: LetsIn,
}

impl SshOptions {
    /// Ways to these addresses alone.
    #[must_use]
    pub fn to_these(addresses: &[&str]) -> Self {
        Self { permit_open: addresses.iter().map(|&address| address.to_owned()).collect(), ..Self::default() }
    }
}

/// What an SSH server lets somebody in with. Passwords want `libpam-wrapper`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LetsIn {
    /// A key.
    #[default]
    Key,
    /// [`SshServer::PASSWORD`], by the method `password`.
    Password,
    /// The same, asked for in words of the server's own (`keyboard-interactive`).
    Asked,
    /// A key, or the password where there is none.
    KeyOrPassword,
}

impl LetsIn {
    /// As `sshd` calls its methods.
    fn methods(self) -> &'static str {
        match self {
            Self::Key => "publickey",
            Self::Password => "password",
            Self::Asked => "keyboard-interactive",
            Self::KeyOrPassword => "publickey password",
        }
    }
}

/// What a client knows of the server's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAs {
    /// The right one.
    Itself,
    /// None.
    Unknown,
    /// Another one, as if the server had been replaced.
    Another,
    /// One of another kind, as if the server had given up the kind that was known.
    AnotherKind,
}

/// A running SSH server. Dropping it ends the process with all its connections and removes its keys.
#[derive(Debug)]
pub struct SshServer {
    process: Option<Process>,
    port: u16,
    user: String,
    /// Of the process.
    environment: Vec<(&'static str, String)>,
    directory: TempDir,
}

impl SshServer {
    /// What it lets its user in with, where that is a password.
    pub const PASSWORD: &'static str = "tunnel 7 under the hill";

    /// The passphrase of [`Self::locked_key`].
    pub const PASSPHRASE: &'static str = "correct horse 9 battery";

    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When OpenSSH is not installed or the server does not become ready.
    pub async fn start(options: SshOptions) -> Result<Self, LabError> {
        let directory = state_directory("ssh")?;
        let at = |name: &str| directory.path().join(name);
        for (name, passphrase) in
            [("host", ""), ("other-host", ""), ("key", ""), ("locked", Self::PASSPHRASE), ("stranger", "")]
        {
            make_key(&at(name), "ed25519", passphrase)?;
        }
        make_key(&at("other-kind"), "ecdsa", "")?;
        let public = |name: &str| {
            let path = at(&format!("{name}.pub"));
            std::fs::read_to_string(&path).map_err(LabError::io(format!("read {}", path.display())))
        };
        write_private(&at("authorized_keys"), &format!("{}{}", public("key")?, public("locked")?))?;
        let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
        if output(Command::new("id").arg("-u"))?.trim() == "0" && !Path::new(EMPTY_DIRECTORY).is_dir() {
            std::fs::create_dir(EMPTY_DIRECTORY).map_err(LabError::io(format!("make {EMPTY_DIRECTORY}")))?;
        }
        let environment = match options.lets_in {
            LetsIn::Key => Vec::new(),
            _ => passwords::environment(directory.path(), &user, Self::PASSWORD)?,
        };
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            write_private(&at("sshd_config"), &configuration(directory.path(), port, &options))?;
            if let Started::Ready(process) = launch(directory.path(), &environment).await? {
                return Ok(Self { process: Some(process), port, user, environment, directory });
            }
        }
        Err(LabError::NoPort { program: SSHD.name, attempts: PORT_ATTEMPTS })
    }

    /// Ends it with all its connections, each of which is a process of its own, and keeps port and keys for [`Self::restart`].
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill_all();
        }
    }

    /// Starts it again on the same port.
    ///
    /// # Errors
    /// As [`Self::start`], or when someone took the port in the meantime.
    pub async fn restart(&mut self) -> Result<(), LabError> {
        self.stop();
        match launch(self.directory.path(), &self.environment).await? {
            Started::Ready(process) => {
                self.process = Some(process);
                Ok(())
            }
            Started::PortTaken => Err(LabError::NoPort { program: SSHD.name, attempts: 1 }),
        }
    }

    /// What it has written since it was started: who was let in with what, and who was not.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn log(&self) -> Result<String, LabError> {
        read_log(&log_of(SSHD, self.directory.path()))
    }

    /// The port of 127.0.0.1 it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whom it lets in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// `user@127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}@127.0.0.1:{}", self.user, self.port)
    }

    /// A private key that it knows.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    /// Another one, which wants [`Self::PASSPHRASE`].
    #[must_use]
    pub fn locked_key(&self) -> PathBuf {
        self.directory.path().join("locked")
    }

    /// A private key that it doesn't know.
    #[must_use]
    pub fn strange_key(&self) -> PathBuf {
        self.directory.path().join("stranger")
    }

    /// The fingerprint of its own key, such as `SHA256:…`.
    ///
    /// # Errors
    /// When `ssh-keygen` can't be run.
    pub fn fingerprint(&self) -> Result<String, LabError> {
        let listed =
            output(Command::new("ssh-keygen").arg("-lf").arg(self.directory.path().join("host.pub")))?;
        Ok(listed.split_whitespace().nth(1).unwrap_or_default().to_owned())
    }

    /// A client's configuration, which knows the server as `lab` too. Without `agent` no agent is asked, and without
    /// `key` no key of a file is tried. Nothing of the user's own is read or written by a client that has it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn client_configuration(
        &self,
        known: KnownAs,
        key: Option<&Path>,
        agent: Option<&SshAgent>,
    ) -> Result<PathBuf, LabError> {
        let directory = tempfile::Builder::new()
            .prefix("client-")
            .tempdir_in(self.directory.path())
            .map_err(LabError::io("make a client's directory"))?
            .keep();
        let host_key = match known {
            KnownAs::Itself => Some("host.pub"),
            KnownAs::Another => Some("other-host.pub"),
            KnownAs::AnotherKind => Some("other-kind.pub"),
            KnownAs::Unknown => None,
        };
        let mut hosts = String::new();
        if let Some(name) = host_key {
            let path = self.directory.path().join(name);
            let text = std::fs::read_to_string(&path).map_err(LabError::io("read the server's key"))?;
            hosts = format!("[127.0.0.1]:{} {text}", self.port);
        }
        write_private(&directory.join("known_hosts"), &hosts)?;
        let key = key.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        let agent_socket =
            agent.map_or_else(|| "none".to_owned(), |agent| agent.socket().display().to_string());
        let path = directory.join("config");
        write_private(
            &path,
            &format!(
                "Host lab\n  HostName 127.0.0.1\n  Port {}\n  User {}\nHost *\n  UserKnownHostsFile {}\n  \
                 GlobalKnownHostsFile /dev/null\n  IdentityFile {key}\n  IdentityAgent {agent_socket}\n  \
                 IdentitiesOnly {}\n",
                self.port,
                self.user,
                directory.join("known_hosts").display(),
                if agent.is_some() { "no" } else { "yes" },
            ),
        )?;
        Ok(path)
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn launch(directory: &Path, environment: &[(&'static str, String)]) -> Result<Started, LabError> {
    let arguments = ["-D", "-e", "-f"].map(str::to_owned).into_iter();
    let configuration = directory.join("sshd_config").display().to_string();
    let arguments: Vec<_> = arguments.chain([configuration]).collect();
    Process::start_with(SSHD, &arguments, environment, directory).await
}

fn configuration(directory: &Path, port: u16, options: &SshOptions) -> String {
    let at = |name: &str| directory.join(name).display().to_string();
    let pam = if options.lets_in == LetsIn::Key { "no" } else { "yes" };
    let mut text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
         AuthenticationMethods {}\nUsePAM {pam}\nPasswordAuthentication {pam}\n\
         KbdInteractiveAuthentication {pam}\nPermitRootLogin yes\nStrictModes no\nX11Forwarding no\nAllowAgentForwarding no\n\
         AllowStreamLocalForwarding no\nPermitTTY no\nMaxStartups 100\nForceCommand /bin/false\n",
        at("host"),
        at("authorized_keys"),
        options.lets_in.methods(),
    );
    if !options.permit_open.is_empty() {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "PermitOpen {}", options.permit_open.join(" "));
    }
    text
}

fn make_key(path: &Path, kind: &str, passphrase: &str) -> Result<(), LabError> {
    // Few rounds of its key derivation: it protects nothing.
    let arguments = ["-q", "-t", kind, "-a", "2", "-C", "cachescope-lab", "-N", passphrase, "-f"];
    output(Command::new("ssh-keygen").args(arguments).arg(path)).map(|_| ())
}

/// A running `ssh-agent` of its own. Dropping it ends it.
#[derive(Debug)]
pub struct SshAgent {
    _process: Process,
    directory: TempDir,
}

impl SshAgent {
    /// Starts one that holds `key`, which has no passphrase.
    ///
    /// # Errors
    /// When it is not installed, does not become ready or does not take the key.
    pub async fn holding(key: &Path) -> Result<Self, LabError> {
        let directory = state_directory("agent")?;
        let socket = directory.path().join("socket");
        let arguments = ["-D".to_owned(), "-a".to_owned(), socket.display().to_string()];
        let Started::Ready(process) = Process::start(AGENT, &arguments, directory.path()).await? else {
            return Err(LabError::NoPort { program: AGENT.name, attempts: 1 });
        };
        let agent = Self { _process: process, directory };
        output(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", agent.socket()))?;
        Ok(agent)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}
