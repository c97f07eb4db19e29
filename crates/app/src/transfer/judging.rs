//! What becomes of each entry of a file.

use cachescope_model::deployment::{Deployment, DeploymentId};
use cachescope_sources::ssh;

use super::{Entry, File};
use crate::deployments;
use crate::places::encoded;
use crate::secrets::DeploymentSecrets;
use crate::wire::{DeploymentDraft, ImportOutcome, ImportReport, ImportedDeployment};

/// An entry that can be added.
#[derive(Debug)]
pub struct Accepted {
    /// What is to be kept.
    pub deployment: Deployment,
    /// What goes to the keychain.
    pub secrets: DeploymentSecrets,
}

/// Says of each entry whether it is new, known or no good; gives the new ones.
#[must_use]
pub fn judge(file: File, known: &[Deployment]) -> (ImportReport, Vec<Accepted>) {
    let mut all = known.to_vec();
    let (mut accepted, mut said) = (Vec::new(), Vec::new());
    for entry in file.entries {
        let (words, good) = one(entry, &all);
        said.push(words);
        if let Some(good) = good {
            all.push(good.deployment.clone());
            accepted.push(good);
        }
    }
    (ImportReport { format: file.format.to_owned(), kept: false, deployments: said }, accepted)
}

fn one(entry: Entry, known: &[Deployment]) -> (ImportedDeployment, Option<Accepted>) {
    let mut said = ImportedDeployment {
        name: entry.draft.name.clone(),
        address: String::new(),
        group: entry.draft.group.clone(),
        outcome: ImportOutcome::Refused,
        secrets: false,
        notes: entry.notes,
    };
    if let Some(why) = entry.refused {
        said.notes.insert(0, why);
        return (said, None);
    }
    let (mut deployment, secrets) = match deployments::from_draft(&entry.draft) {
        Ok(read) => read,
        Err(error) => {
            said.notes.insert(0, error.message);
            return (said, None);
        }
    };
    let addresses = [&deployment.redis_url, &deployment.prometheus_url];
    said.address =
        addresses.into_iter().flatten().chain(&deployment.metrics_urls).next().cloned().unwrap_or_default();
    said.name.clone_from(&deployment.name);
    let taken = |id: &DeploymentId| known.iter().any(|it| it.id == *id);
    if entry.id.as_ref().is_some_and(taken) || known.iter().any(|it| is_the_same(it, &deployment)) {
        said.outcome = ImportOutcome::Known;
        return (said, None);
    }
    if let Some(id) = entry.id {
        deployment.id = id;
    }
    said.outcome = ImportOutcome::New;
    said.secrets = secrets.is_some();
    (said, Some(Accepted { deployment, secrets }))
}

/// Whether two deployments watch the same: then the file's one would be the second. The same address behind another
/// SSH server is another one.
fn is_the_same(one: &Deployment, other: &Deployment) -> bool {
    let addresses = |it: &Deployment| {
        (it.redis_url.clone(), it.prometheus_url.clone().filter(|_| it.redis_url.is_none()))
    };
    one.is_through(other.ssh.as_ref())
        && addresses(one) == addresses(other)
        && (one.redis_url.is_some() || one.prometheus_url.is_some() || one.metrics_urls == other.metrics_urls)
}

/// An SSH server as other programs keep it. Their passwords, passphrases and keys that stand in the file itself are
/// left there.
#[derive(Debug, Default)]
pub(super) struct Tunnel {
    pub(super) host: String,
    pub(super) port: String,
    pub(super) user: String,
    /// A private key's path; a key itself is none.
    pub(super) key_file: String,
    /// Whether the file holds what lets somebody in there.
    pub(super) secret: bool,
}

impl Tunnel {
    /// As it is typed; `None` where a part can't be read.
    fn typed(&self) -> Option<String> {
        let mut hop = ssh::parse(&self.host).ok().filter(|hop| hop.user.is_none() && hop.port.is_none())?;
        hop.user = Some(self.user.clone()).filter(|user| !user.is_empty());
        // The usual port is left to the SSH configuration.
        hop.port = match self.port.as_str() {
            "" | "22" => None,
            port => Some(port.parse().ok()?),
        };
        ssh::check(&hop).ok().map(|()| hop.to_string())
    }
}

/// A connection as other programs keep it: in parts.
pub(super) struct Parts {
    pub(super) host: String,
    pub(super) port: String,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) tls: bool,
    /// The primary's name at its Sentinels; empty where it is reached directly.
    pub(super) sentinel: String,
    /// User and password of the Sentinels.
    pub(super) sentinel_login: Option<(String, Option<String>)>,
    /// The SSH server it is reached through.
    pub(super) tunnel: Option<Tunnel>,
}

impl Parts {
    /// The same as a form that somebody would have filled in.
    pub(super) fn entry(self, name: String) -> Entry {
        let address = self.address();
        let mut entry = Entry {
            draft: DeploymentDraft {
                name,
                redis_url: address.clone().unwrap_or_default(),
                redis_password: self.password,
                ..DeploymentDraft::default()
            },
            ..Entry::default()
        };
        if address.is_none() {
            entry.refused = Some("its host or port can't be read".to_owned());
        }
        let Some(tunnel) = self.tunnel else { return entry };
        match tunnel.typed() {
            Some(typed) => entry.draft.ssh = typed,
            // Without it the address would mean another server.
            None => entry.refused = Some("the SSH server it is reached through can't be read".to_owned()),
        }
        if tunnel.secret {
            entry.notes.push(
                "what lets in at its SSH server is not taken over: give its key's path, passphrase or password in the \
                 form, or use your agent"
                    .to_owned(),
            );
        }
        entry.draft.ssh_key_file = tunnel.key_file;
        entry
    }

    /// The address as it would be typed; the Sentinels' password goes with it and is taken out of it by the form's
    /// reader. `None` where a part would change the meaning of the others.
    fn address(&self) -> Option<String> {
        let user = if self.user.is_empty() { String::new() } else { format!("{}@", encoded(&self.user)) };
        if self.host.starts_with('/') {
            // A socket's path stands where the host does.
            return Some(format!("unix://{user}{}", encoded_path(&self.host)));
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || !host.bytes().all(good) {
            return None;
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let sentinel = !self.sentinel.is_empty();
        let usual = if sentinel { 26_379 } else { 6_379 };
        let port: u16 = if self.port.is_empty() { usual } else { self.port.parse().ok()? };
        let database: u16 = if self.database.is_empty() { 0 } else { self.database.parse().ok()? };
        let mut path = if sentinel { format!("/{}", encoded(&self.sentinel)) } else { String::new() };
        if database > 0 {
            path.push_str(&format!("/{database}"));
        }
        let scheme = match (sentinel, self.tls) {
            (true, false) => "redis+sentinel",
            (true, true) => "rediss+sentinel",
            (false, true) => "rediss",
            (false, false) => "redis",
        };
        let mut url = format!("{scheme}://{user}{host}:{port}{path}");
        if let Some((user, password)) = &self.sentinel_login {
            let mut query = Vec::new();
            if !user.is_empty() {
                query.push(format!("sentinel_username={}", encoded(user)));
            }
            if let Some(password) = password {
                query.push(format!("sentinel_password={}", encoded(password)));
            }
            if !query.is_empty() {
                url.push_str(&format!("?{}", query.join("&")));
            }
        }
        Some(url)
    }
}

fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}
