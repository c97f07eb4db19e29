//! One `redis-server`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::certificates::Certificates;
use super::port::free_port;
use super::process::{PORT_ATTEMPTS, Process, Program, Started, state_directory, write_private};
use crate::error::LabError;

/// Deadline of every command the lab sends on its own behalf.
const COMMAND_WITHIN: Duration = Duration::from_secs(10);

pub(super) const REDIS: Program = Program {
    name: "redis-server",
    package: "redis-server",
    elsewhere: ", on macOS `brew install redis`, elsewhere see https://redis.io/docs/latest/operate/oss_and_stack/install/",
    ready: "Ready to accept connections",
};

/// How a `redis-server` is to be started. The default is a plain one without password or persistence.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// Lines for its configuration file: directive and value, the value written as in `redis.conf`.
    pub config: Vec<(String, String)>,
    /// ACL rules as after `user ` in `redis.conf`, such as `alice on >secret ~app:* +get`.
    pub users: Vec<String>,
    /// Password of the default user.
    pub password: Option<String>,
    /// Serve TLS (and nothing else) on the port, with certificates made for the occasion.
    pub tls: bool,
    /// With `tls`: refuse clients without a certificate signed by the same authority.
    pub require_client_certificate: bool,
    /// Listen on a unix socket too.
    pub unix_socket: bool,
    /// Which keyspace events to publish, such as `Emxe`; none when unset.
    pub notify_keyspace_events: Option<String>,
}

/// A running `redis-server`. Dropping it ends the process and removes its directory.
#[derive(Debug)]
pub struct RedisServer {
    // Before the directory: the process must end before its files go.
    process: Option<Process>,
    port: u16,
    options: RedisOptions,
    mode: Mode,
    certificates: Option<Certificates>,
    directory: TempDir,
}

/// What the program is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Standalone,
    /// A cluster's bus has a port of its own, because the default, 10,000 above, may lie beyond 65,535.
    Cluster {
        bus: u16,
    },
    Sentinel,
}

impl RedisServer {
    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    /// When `redis-server` is not installed, refuses its configuration or does not become ready.
    pub async fn start(options: RedisOptions) -> Result<Self, LabError> {
        Self::start_as(options, || Ok(Mode::Standalone)).await
    }

    pub(super) async fn start_as(
        options: RedisOptions,
        mode: impl Fn() -> Result<Mode, LabError>,
    ) -> Result<Self, LabError> {
        let directory = state_directory("redis")?;
        let certificates = if options.tls { Some(Certificates::make(directory.path())?) } else { None };
        let mut server =
            Self { process: None, port: 0, options, mode: Mode::Standalone, certificates, directory };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port()?;
            server.mode = mode()?;
            if let Started::Ready(process) = server.launch().await? {
                server.process = Some(process);
                return Ok(server);
            }
        }
        Err(LabError::NoPort { program: REDIS.name, attempts: PORT_ATTEMPTS })
    }

    async fn launch(&self) -> Result<Started, LabError> {
        let path = self.directory.path().join("redis.conf");
        write_private(&path, &self.configuration())?;
        let mut arguments = vec![path.display().to_string()];
        let mut program = REDIS;
        if self.mode == Mode::Sentinel {
            arguments.push("--sentinel".to_owned());
            program.ready = "+monitor";
        }
        Process::start(program, &arguments, self.directory.path()).await
    }

    fn configuration(&self) -> String {
        let mut text = String::from("bind 127.0.0.1\ndaemonize no\n");
        let mut line = |directive: &str, value: &str| {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{directive} {value}");
        };
        line("dir", &self.directory.path().display().to_string());
        let port = self.port.to_string();
        match &self.certificates {
            None => line("port", &port),
            Some(made) => {
                line("port", "0");
                line("tls-port", &port);
                line("tls-cert-file", &made.server_certificate.display().to_string());
                line("tls-key-file", &made.server_key.display().to_string());
                line("tls-ca-cert-file", &made.ca.display().to_string());
                line("tls-auth-clients", if self.options.require_client_certificate { "yes" } else { "no" });
            }
        }
        if let Mode::Cluster { bus } = self.mode {
            line("cluster-enabled", "yes");
            line("cluster-port", &bus.to_string());
            line("cluster-config-file", "nodes.conf");
        }
        if self.mode != Mode::Sentinel {
            line("save", "\"\"");
            line("appendonly", "no");
        }
        if let Some(path) = self.unix_socket() {
            line("unixsocket", &path.display().to_string());
            line("unixsocketperm", "700");
        }
        if let Some(password) = &self.options.password {
            line("requirepass", &quoted(password));
        }
        if let Some(flags) = &self.options.notify_keyspace_events {
            line("notify-keyspace-events", &quoted(flags));
        }
        for rule in &self.options.users {
            line("user", rule);
        }
        for (directive, value) in &self.options.config {
            line(directive, value);
        }
        text
    }

    /// The TCP port of 127.0.0.1 it listens on; the TLS port where it speaks TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the cluster bus; 0 outside a cluster.
    pub(super) fn bus_port(&self) -> u16 {
        if let Mode::Cluster { bus } = self.mode { bus } else { 0 }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL with the default user's password: `redis://…`, or `rediss://…` where it speaks TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        let login = self.options.password.as_deref().map(|it| format!(":{}@", percent_encoded(it)));
        format!("{scheme}://{}127.0.0.1:{}/", login.unwrap_or_default(), self.port)
    }

    /// The process id; `None` while stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where its unix socket is, when the options asked for one.
    #[must_use]
    pub fn unix_socket(&self) -> Option<PathBuf> {
        self.options.unix_socket.then(|| self.directory.path().join("redis.sock"))
    }

    /// Its certificates, when it speaks TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Its temporary directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the process and keeps the port and the directory for [`Self::restart`]. What it held is gone.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Ends the process and starts it again on the same port, with a new `run_id` and an empty keyspace.
    ///
    /// # Errors
    /// As [`Self::start`], or when someone took the port in the meantime.
    pub async fn restart(&mut self) -> Result<(), LabError> {
        self.stop();
        match self.launch().await? {
            Started::Ready(process) => {
                self.process = Some(process);
                Ok(())
            }
            Started::PortTaken => Err(LabError::NoPort { program: REDIS.name, attempts: 1 }),
        }
    }

    /// A client that trusts the server's authority and carries the client certificate where there is one.
    ///
    /// # Errors
    /// When a certificate file cannot be read.
    pub fn client(&self) -> Result<redis::Client, LabError> {
        let failed = || LabError::redis(format!("prepare a client for {}", self.address()));
        let Some(made) = &self.certificates else {
            return redis::Client::open(self.url()).map_err(failed());
        };
        super::install_crypto();
        let read =
            |path: &Path| std::fs::read(path).map_err(LabError::io(format!("read {}", path.display())));
        let client_cert = read(&made.client_certificate)?;
        let client_tls = redis::ClientTlsConfig { client_cert, client_key: read(&made.client_key)? };
        let certificates =
            redis::TlsCertificates { client_tls: Some(client_tls), root_cert: Some(read(&made.ca)?) };
        redis::Client::build_with_tls(self.url(), certificates).map_err(failed())
    }

    /// A connection with deadlines, as the default user.
    ///
    /// # Errors
    /// When the server does not answer in time or refuses.
    pub async fn connection(&self) -> Result<MultiplexedConnection, LabError> {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(COMMAND_WITHIN))
            .set_response_timeout(Some(COMMAND_WITHIN));
        let client = self.client()?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        connecting.await.map_err(LabError::redis(format!("connect to {}", self.address())))
    }

    /// Types a line as an operator would at `redis-cli`, its words parted by spaces, as the default user.
    ///
    /// # Errors
    /// When the server does not answer in time or refuses.
    pub async fn typed(&self, line: &str) -> Result<(), LabError> {
        let mut command = redis::Cmd::new();
        line.split(' ').for_each(|word| {
            command.arg(word);
        });
        command.exec_async(&mut self.connection().await?).await.map_err(LabError::redis(line.to_owned()))
    }
}

/// A value as one word of a configuration file.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A password as it may stand in a URL (RFC 3986, section 2.1).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
