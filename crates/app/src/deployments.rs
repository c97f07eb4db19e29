//! From a typed form to a deployment that can be kept, with its secrets taken out, and to a session's plan.

use std::sync::Arc;

use cachescope_model::deployment::{Deployment, SshHop, TlsFiles};
use cachescope_model::strategy::Strategy;
use cachescope_model::visible::visible;
use cachescope_sources::http::{Address, Credentials};
use cachescope_sources::redis::{Endpoint, RedisAddress, RedisTarget};
use cachescope_sources::ssh::{self, Tunnel};
use cachescope_store::{Secrets, Store};
use secrecy::{ExposeSecret as _, SecretString};

use crate::secrets::DeploymentSecrets;
use crate::session::{ScanPlan, SessionPlan};
use crate::strategies;
use crate::wire::{DeploymentDraft, WireError, WireErrorCode};

/// Longest address or name that is taken; more is a mistake of the clipboard.
const MOST_CHARACTERS: usize = 2_048;

/// Exposition pages of one deployment.
const MOST_METRICS_URLS: usize = 32;

fn bad(message: impl Into<String>, remedy: &str) -> WireError {
    WireError::new(WireErrorCode::BadInput, message).with_remedy(remedy)
}

/// An empty field is none.
fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The same of a name, which is shown in many places and typed to confirm: nothing hides in it.
fn given_name(text: &str) -> Option<String> {
    given(text).map(|name| visible(&name).into_owned())
}

/// A typed secret; an empty one is none.
fn secret(text: Option<&str>) -> Option<SecretString> {
    text.filter(|text| !text.is_empty()).map(|text| SecretString::from(text.to_owned()))
}

/// Reads a form. Passwords in URLs are taken out of them.
///
/// # Errors
/// `bad_input` with what can't be used and what to write instead.
pub fn from_draft(draft: &DeploymentDraft) -> Result<(Deployment, DeploymentSecrets), WireError> {
    let texts = [
        &draft.name,
        &draft.redis_url,
        &draft.ssh,
        &draft.ssh_key_file,
        &draft.prometheus_url,
        &draft.strategy,
        &draft.group,
    ];
    if texts.into_iter().chain(&draft.metrics_urls).any(|text| text.len() > MOST_CHARACTERS) {
        return Err(bad("a field is longer than 2,048 characters", "check what was pasted"));
    }
    if draft.metrics_urls.len() > MOST_METRICS_URLS {
        return Err(bad(
            "there are more than 32 metrics pages",
            "let a Prometheus scrape them and give its address",
        ));
    }
    let mut secrets = DeploymentSecrets {
        redis_password: secret(draft.redis_password.as_deref()),
        ..DeploymentSecrets::default()
    };
    let ssh = ssh_hop(draft)?;
    if ssh.is_some() {
        secrets.ssh_secret = secret(draft.ssh_secret.as_deref());
    }
    let mut host = None;
    let redis_url = match given(&draft.redis_url) {
        None => None,
        Some(url) => {
            let address = RedisAddress::parse(&url)?;
            let on_a_socket = |server: &RedisTarget| matches!(server.endpoint(), Endpoint::Unix(_));
            if ssh.is_some() && address.seeds().iter().any(on_a_socket) {
                return Err(bad(
                    "a unix:// address is a socket of this machine, which no SSH tunnel leads to",
                    "give the host and the port that the SSH server sees",
                ));
            }
            host = Some(address.to_string());
            secrets.redis_password = secrets.redis_password.or_else(|| address.password().cloned());
            secrets.sentinel_password = address.sentinel_password().cloned();
            Some(address.public_url())
        }
    };
    let prometheus_url = match given(&draft.prometheus_url) {
        None => None,
        Some(url) => {
            let (url, password) = split_http(&url)?;
            host = host.or_else(|| host_of(&url));
            secrets.prometheus_password = password;
            Some(url)
        }
    };
    secrets.prometheus_token = secret(draft.prometheus_token.as_deref());
    let mut metrics_urls = Vec::new();
    for url in draft.metrics_urls.iter().filter_map(|url| given(url)) {
        let (url, password) = split_http(&url)?;
        if password.is_some() {
            return Err(bad(
                "a metrics page's address must not hold a password",
                "let the page be reached without one, or let a Prometheus scrape it and give its address",
            ));
        }
        host = host.or_else(|| host_of(&url));
        metrics_urls.push(url);
    }
    let http = prometheus_url.is_some() || !metrics_urls.is_empty();
    if redis_url.is_none() && http && ssh.is_some() && !draft.ssh_http {
        return Err(bad(
            "nothing goes through the SSH server: there is no Redis, and Prometheus and metrics pages are reached \
             directly",
            "have them go through it, too, or leave it empty",
        ));
    }
    if redis_url.is_none() && !http {
        return Err(bad(
            "there is nothing to watch",
            "give the address of a Redis, of a Prometheus or of a metrics page",
        ));
    }
    let deployment = Deployment {
        id: draft.id.clone().unwrap_or_else(Store::new_deployment_id),
        name: given_name(&draft.name).or(host).unwrap_or_else(|| "Deployment".to_owned()),
        environment: draft.environment,
        redis_url,
        prometheus_url,
        metrics_urls,
        strategy: given(&draft.strategy),
        group: given_name(&draft.group),
        colour: draft.colour,
        tls: TlsFiles {
            ca: given(&draft.ca_file),
            cert: given(&draft.cert_file),
            key: given(&draft.key_file),
        },
        ssh_http: draft.ssh_http && ssh.is_some(),
        ssh,
    };
    Ok((deployment, secrets))
}

/// The typed SSH server; none where its field is empty, whatever else is typed.
pub(crate) fn ssh_hop(draft: &DeploymentDraft) -> Result<Option<SshHop>, WireError> {
    let Some(typed) = given(&draft.ssh) else { return Ok(None) };
    let mut hop = ssh::parse(&typed)?;
    hop.key = given(&draft.ssh_key_file);
    ssh::check(&hop)?;
    Ok(Some(hop))
}

/// The same with what is known of the deployment that it changes, for just the addresses that are typed.
pub(crate) async fn from_draft_with(
    draft: &DeploymentDraft,
    known: &Secrets,
) -> Result<(Deployment, DeploymentSecrets), WireError> {
    let (deployment, secrets) = from_draft(draft)?;
    let secrets = match draft.id {
        Some(_) => secrets.or(DeploymentSecrets::read(known, &deployment).await),
        None => secrets,
    };
    Ok((deployment, secrets))
}

/// The tunnel that a form's Prometheus and metrics pages are reached through; none where they are reached directly.
pub(crate) async fn http_tunnel(
    draft: &DeploymentDraft,
    known: &Secrets,
) -> Result<Option<Arc<Tunnel>>, WireError> {
    if !draft.ssh_http || given(&draft.ssh).is_none() {
        return Ok(None);
    }
    let (deployment, secrets) = from_draft_with(draft, known).await?;
    Ok(deployment.ssh.map(|hop| Arc::new(Tunnel::new(hop, secrets.ssh_secret.clone()))))
}

fn host_of(url: &str) -> Option<String> {
    Address::parse(url).ok()?.0.url().host_str().map(str::to_owned)
}

/// Splits an HTTP address into itself without password, and the password. The user's name stays: it is no secret.
fn split_http(text: &str) -> Result<(String, Option<SecretString>), WireError> {
    let (address, credentials) = Address::parse(text)?;
    let mut url = address.url().clone();
    let mut kept = None;
    if let Credentials::Basic { user, password } = credentials {
        // An address that was read as HTTP can hold a user.
        let set = url.set_username(&user);
        debug_assert!(set.is_ok(), "an HTTP address takes a user");
        kept = Some(password).filter(|password| !password.expose_secret().is_empty());
    }
    Ok((url.as_str().trim_end_matches('/').to_owned(), kept))
}

/// A kept HTTP address for the moment of connecting: without user, and who we are there. A token goes before a
/// password.
pub(crate) fn http_endpoint(
    url: &str,
    token: Option<&SecretString>,
    password: Option<&SecretString>,
) -> Result<(String, Credentials), WireError> {
    let (address, in_url) = Address::parse(url)?;
    let credentials = match (token, in_url) {
        (Some(token), _) => Credentials::Bearer(token.clone()),
        (None, Credentials::Basic { user, password: empty }) => {
            Credentials::Basic { user, password: password.cloned().unwrap_or(empty) }
        }
        (None, other) => other,
    };
    Ok((address.url().as_str().to_owned(), credentials))
}

/// Makes a session's plan. A strategy that can't be read does not keep the deployment from being watched: the
/// plan says so, and documents nothing.
pub async fn plan(deployment: Deployment, secrets: DeploymentSecrets) -> SessionPlan {
    let (strategy, notice) = match deployment.strategy.clone() {
        None => (Strategy::default(), String::new()),
        Some(name) => match strategies::resolve(name).await {
            Ok(strategy) => (strategy, String::new()),
            Err(error) => {
                let first = error.sentences().into_iter().next().unwrap_or_default();
                (Strategy::default(), format!("The strategy can't be used: {first}"))
            }
        },
    };
    let ssh = deployment.ssh.clone().map(|hop| Arc::new(Tunnel::new(hop, secrets.ssh_secret.clone())));
    SessionPlan {
        deployment,
        ssh,
        strategy: Arc::new(strategy),
        notice,
        secrets,
        sources: None,
        scan: ScanPlan::default(),
        timeout: std::time::Duration::from_secs(5),
        custody: None,
    }
}

impl std::fmt::Debug for SessionPlan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SessionPlan").field("deployment", &self.deployment.id).finish_non_exhaustive()
    }
}

/// The address with its passwords, for the moment of connecting.
pub(crate) fn redis_address(plan: &SessionPlan) -> Result<Option<RedisAddress>, WireError> {
    let Some(url) = &plan.deployment.redis_url else { return Ok(None) };
    let mut address = RedisAddress::parse(url)?;
    if let Some(password) = &plan.secrets.redis_password {
        address = address.with_password(password);
    }
    if let Some(password) = &plan.secrets.sentinel_password {
        address = address.with_sentinel_password(password);
    }
    Ok(Some(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(redis: &str, prometheus: &str) -> DeploymentDraft {
        DeploymentDraft {
            redis_url: redis.to_owned(),
            prometheus_url: prometheus.to_owned(),
            ..DeploymentDraft::default()
        }
    }

    #[test]
    fn passwords_leave_the_addresses_and_users_stay() {
        let (deployment, secrets) =
            from_draft(&draft("redis://viewer:s%40cret@cache.test:6380/2", "https://me:p%3Aw@prom.test/x/"))
                .expect("both addresses are fine");
        assert_eq!(deployment.redis_url.as_deref(), Some("redis://viewer@cache.test:6380/2"));
        assert_eq!(deployment.prometheus_url.as_deref(), Some("https://me@prom.test/x"));
        assert_eq!(deployment.name, "cache.test:6380");
        assert_eq!(secrets.redis_password.expect("taken out").expose_secret(), "s@cret");
        assert_eq!(secrets.prometheus_password.expect("taken out").expose_secret(), "p:w");
    }

    #[test]
    fn a_typed_password_goes_before_the_one_in_the_address() {
        let mut typed = draft("redis://u:old@h:1", "");
        typed.redis_password = Some("new".to_owned());
        let (_, secrets) = from_draft(&typed).expect("fine");
        assert_eq!(secrets.redis_password.expect("kept").expose_secret(), "new");
    }

    #[test]
    fn what_cannot_be_watched_is_refused_in_one_sentence_without_secrets() {
        for (redis, prometheus, words) in [
            ("", "", "nothing to watch"),
            ("", "ftp://u:hunter2@h", "must begin with http://"),
            ("", "http://", "no address of metrics"),
            ("http://u:hunter2@h", "", "not a Redis URL"),
        ] {
            let error = from_draft(&draft(redis, prometheus)).expect_err(redis);
            assert!(error.message.contains(words), "{redis}{prometheus}: {}", error.message);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(!error.remedy.is_empty(), "{}", error.message);
        }
    }

    #[test]
    fn an_ssh_server_is_kept_without_its_secret_and_only_with_something_it_can_lead_to() {
        let mut typed = draft("redis://localhost", "");
        typed.ssh = "ann@bastion:2222".to_owned();
        typed.ssh_key_file = "~/.ssh/key".to_owned();
        typed.ssh_secret = Some("hunter2".to_owned());
        let (deployment, secrets) = from_draft(&typed).expect("fine");
        let hop = deployment.ssh.clone().expect("it is kept");
        assert_eq!(
            (hop.to_string(), hop.key.as_deref()),
            ("ann@bastion:2222".to_owned(), Some("~/.ssh/key"))
        );
        assert!(!format!("{deployment:?}").contains("hunter2"));
        assert_eq!(secrets.ssh_secret.expect("kept").expose_secret(), "hunter2");
        for (redis, ssh) in [("redis://localhost", "-oProxyCommand=x"), ("unix:///run/r.sock", "bastion")] {
            let error =
                from_draft(&DeploymentDraft { ssh: ssh.to_owned(), ..draft(redis, "") }).expect_err(ssh);
            assert_eq!(error.code, WireErrorCode::BadInput, "{error}");
        }
        let alone = DeploymentDraft { ssh: "bastion".to_owned(), ..draft("", "http://prom.test") };
        let error = from_draft(&alone).expect_err("nothing goes through it");
        assert!(error.message.contains("nothing goes through the SSH server"), "{error}");
        let (deployment, _) =
            from_draft(&DeploymentDraft { ssh_http: true, ..alone }).expect("its Prometheus does");
        assert!(deployment.ssh.is_some() && deployment.ssh_http);
        let direct = DeploymentDraft { ssh_http: true, ..draft("", "http://prom.test") };
        assert!(
            !from_draft(&direct).expect("fine").0.ssh_http,
            "without an SSH server there is nothing to choose"
        );
    }

    #[test]
    fn a_draft_does_not_print_what_was_typed() {
        let mut typed = draft("redis://u:hunter2@h:1", "http://a:hunter2@b");
        typed.redis_password = Some("hunter2".to_owned());
        typed.ssh_secret = Some("hunter2".to_owned());
        assert!(!format!("{typed:?}").contains("hunter2"));
    }
}
