//! One running `ssh`: started, awaited until it lets ways through, and ended with us.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cachescope_model::deployment::SshHop;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::askpass::{self, Answers};
use super::host_key::{TrustedKey, UnknownHost};
use super::said::Said;
use super::{command, directory, failure, mux};
use crate::error::SourceError;

/// A server lets somebody in within a second; somebody who has to touch a key takes longer.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// Reading the configuration may run programs that it names (`Match exec`).
const CONFIGURATION_WITHIN: Duration = Duration::from_secs(10);
/// From one look at the socket to the next.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What an ended `ssh` still has to say is there by then.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// The shell waits for the end of its input, which the system closes when this process is gone, however it went; then
/// it ends `ssh`. When `ssh` ends, so does the shell, and removes their directory.
const WATCHED: &str = r#"
directory=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
ssh=$!
{ read -r _ <&3; kill "$ssh"; } >/dev/null 2>&1 &
watching=$!
exec 3<&-
wait "$ssh"
ended=$?
kill "$watching" 2>/dev/null
rm -rf -- "$directory"
exit "$ended"
"#;

/// Everything that says how to get there.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) hop: SshHop,
    /// The passphrase of the key where one is named, otherwise the password.
    pub(super) secret: Option<SecretString>,
    /// The program that asks; `None` lets nothing be asked.
    pub(super) asking: Option<PathBuf>,
    /// Read instead of `~/.ssh/config`.
    pub(super) config: Option<PathBuf>,
    /// A key to trust where it is not known.
    pub(super) trusted: Option<TrustedKey>,
}

/// Why there is no running `ssh`.
#[derive(Debug)]
pub(super) struct NotOpen {
    pub(super) error: SourceError,
    /// The host that the operator would have to trust first.
    pub(super) unknown: Option<UnknownHost>,
}

impl From<SourceError> for NotOpen {
    fn from(error: SourceError) -> Self {
        Self { error, unknown: None }
    }
}

/// What the configuration makes of what was typed.
struct Configured {
    /// Who we are there, as questions call it.
    logins: Vec<String>,
    /// How the known hosts call the server.
    known_as: String,
}

/// A running `ssh`. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) socket: PathBuf,
    pub(super) said: Said,
    ended: watch::Receiver<bool>,
    /// Closed when this is dropped, which is the sign to end.
    _stays: ChildStdin,
    _directory: TempDir,
}

/// Whoever answers its questions, ended together with it.
#[derive(Debug)]
struct Answering(JoinHandle<()>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Master {
    /// Starts it and waits until it lets ways through.
    pub(super) async fn open(orders: &Orders, connect_timeout: Duration) -> Result<Self, NotOpen> {
        let hop = &orders.hop;
        let by = Instant::now() + OPEN_WITHIN;
        let Configured { logins, known_as } = configured(orders).await?;
        let directory = directory::private()
            .map_err(|error| failure::local(hop, "no directory for its socket", &error))?;
        let socket = directory.path().join("c");
        let said = Said::default();

        let (passphrase, password) = match hop.key {
            Some(_) => (orders.secret.clone(), None),
            None => (None, orders.secret.clone()),
        };
        let words = command::master_words(
            hop,
            orders.config.as_deref(),
            &socket,
            connect_timeout,
            orders.asking.is_some(),
            password.is_some(),
        );
        let mut ssh = Command::new("/bin/sh");
        ssh.args(["-c", WATCHED, "ssh-tunnel"]).arg(directory.path()).arg("ssh").args(words);
        // An interrupt in the terminal is for us, who have things to put back on the other side first.
        ssh.process_group(0);
        ssh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut answering = None;
        if let Some(asking) = &orders.asking {
            let path = directory.path().join("a");
            let listener = UnixListener::bind(&path)
                .map_err(|error| failure::local(hop, "no socket for its questions", &error))?;
            let answers = Answers::new(passphrase, password, logins, orders.trusted.clone());
            answering = Some(Answering(tokio::spawn(askpass::answer(listener, answers, said.clone()))));
            ssh.env("SSH_ASKPASS", asking).env("SSH_ASKPASS_REQUIRE", "force").env(askpass::VARIABLE, path);
        }
        let mut child = ssh.spawn().map_err(|error| failure::no_program(hop, &error))?;
        let (Some(stays), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(failure::no_program(hop, &std::io::Error::other("it has no input")).into());
        };
        let listening = tokio::spawn(said.clone().listen(errors));
        let (end, ended) = watch::channel(false);
        tokio::spawn(async move {
            let status = child.wait().await;
            tracing::debug!(?status, "ssh has ended");
            // Not before: `ssh` would take a question that nobody hears for one with an empty answer.
            drop(answering);
            // Its last words first.
            let _heard = tokio::time::timeout(LAST_WORDS_WITHIN, listening).await;
            end.send_replace(true);
        });
        let master = Self { socket, said, ended, _stays: stays, _directory: directory };
        master.until_open(hop, &known_as, by).await?;
        Ok(master)
    }

    async fn until_open(&self, hop: &SshHop, known_as: &str, by: Instant) -> Result<(), NotOpen> {
        let mut ended = self.ended.clone();
        let open = async {
            loop {
                // There is no socket before somebody is let in.
                if self.socket.exists() && mux::greet(&self.socket).await.is_ok() {
                    return;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let waiting = async {
            tokio::select! {
                () = open => true,
                _ = ended.wait_for(|ended| *ended) => false,
                () = self.said.stuck() => false,
            }
        };
        match timeout_at(by, waiting).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let unknown = self.said.not_trusted().filter(UnknownHost::can_be_trusted);
                Err(NotOpen { error: failure::not_open(hop, known_as, &self.said), unknown })
            }
            Err(_) => Err(failure::too_long(hop, OPEN_WITHIN.as_secs()).into()),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

/// Asks `ssh -G`.
async fn configured(orders: &Orders) -> Result<Configured, SourceError> {
    let hop = &orders.hop;
    let words: Vec<OsString> = command::hop_words(hop, orders.config.as_deref());
    let mut asked = Command::new("ssh");
    asked.arg("-G").args(words).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let output = match tokio::time::timeout(CONFIGURATION_WITHIN, asked.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failure::no_program(hop, &error)),
        Err(_) => return Err(failure::too_long(hop, CONFIGURATION_WITHIN.as_secs())),
    };
    if !output.status.success() {
        return Err(failure::bad_configuration(hop, &String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let user = value("user").unwrap_or_default();
    let (host, alias) = (value("hostname"), value("hostkeyalias"));
    let logins = [host, alias].into_iter().flatten().map(|host| format!("{user}@{host}")).collect();
    let known_as = match (alias, host.unwrap_or_default(), value("port")) {
        (Some(alias), ..) => alias.to_owned(),
        (None, host, None | Some("22")) => host.to_owned(),
        (None, host, Some(port)) => format!("[{host}]:{port}"),
    };
    Ok(Configured { logins, known_as })
}
