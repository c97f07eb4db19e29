//! One monitored cache and how to reach it.

use serde::{Deserialize, Serialize};

/// Identifies a deployment for as long as it is kept; never reused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(transparent)]
pub struct DeploymentId(pub String);

/// How much harm a mistake would do. An unset one counts as production.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A developer's own.
    Development,
    /// Shared, but not with customers.
    Staging,
    /// Customers feel it.
    #[default]
    Production,
}

/// A deployment as it is kept: addresses and choices, never a secret.
///
/// URLs carry no password: what the operator typed is split into the URL without it and a secret that only
/// the keychain or memory holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Deployment {
    /// Its identity.
    pub id: DeploymentId,
    /// The name people know it by.
    pub name: String,
    /// `None` counts as production.
    pub environment: Option<Environment>,
    /// `redis://`, `rediss://` or `unix://`, without password; `None` where only metrics can be reached.
    pub redis_url: Option<String>,
    /// `http(s)://` base of a Prometheus server, without password.
    pub prometheus_url: Option<String>,
    /// `http(s)://` addresses of the application's or an exporter's exposition pages.
    pub metrics_urls: Vec<String>,
    /// A built-in strategy's name or a strategy file's path.
    pub strategy: Option<String>,
    /// Deployments that belong together have the same; `None` stands by itself.
    #[serde(default)]
    pub group: Option<String>,
    /// What tells it from others at a glance; it says nothing of how it stands.
    #[serde(default)]
    pub colour: Option<Colour>,
    /// Own TLS files; the system's certificate authorities and no client certificate where absent.
    #[serde(default)]
    pub tls: TlsFiles,
    /// The SSH server that the Redis is reached through; `None` where it is reached directly.
    #[serde(default)]
    pub ssh: Option<SshHop>,
    /// Whether its Prometheus and metrics pages are reached through that server, too. Where not, as in files of before
    /// there was the choice, they are reached directly.
    #[serde(default)]
    pub ssh_http: bool,
}

/// Colours that people with any eyes can tell apart in both themes; always beside a name, never instead of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say what they are")]
pub enum Colour {
    Grey,
    Red,
    Orange,
    Yellow,
    Green,
    Teal,
    Blue,
    Purple,
}

/// Paths of PEM files for TLS. Paths are no secrets; what the key file holds is never read into a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct TlsFiles {
    /// Certificate authorities to trust instead of the system's.
    pub ca: Option<String>,
    /// Client certificate.
    pub cert: Option<String>,
    /// Key of the client certificate.
    pub key: Option<String>,
}

/// An SSH server on the way to a deployment. What it leaves open is up to the operator's own SSH configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct SshHop {
    /// Its name or address, or an alias of the SSH configuration.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// Who logs in there.
    pub user: Option<String>,
    /// A private key's path. The key is read by `ssh` alone.
    pub key: Option<String>,
}

impl SshHop {
    /// Whether both are the same server, whoever logs in there: the usual port may be named or not. What stands behind
    /// an alias is not looked at.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        let port = |hop: &Self| hop.port.unwrap_or(22);
        self.host.eq_ignore_ascii_case(&other.host) && port(self) == port(other)
    }
}

impl std::fmt::Display for SshHop {
    /// `user@host:port`, as it is typed.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(formatter, "[{}]:{port}", self.host),
            Some(port) => write!(formatter, "{}:{port}", self.host),
            None => formatter.write_str(&self.host),
        }
    }
}

impl Deployment {
    /// Whether it is reached through this SSH server; directly, where that is none.
    #[must_use]
    pub fn is_through(&self, ssh: Option<&SshHop>) -> bool {
        match (&self.ssh, ssh) {
            (Some(own), Some(other)) => own.is_same_server(other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// Its environment, with an unset one counting as production.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment.unwrap_or_default()
    }
}
