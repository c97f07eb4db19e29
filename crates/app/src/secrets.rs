//! The secrets of a deployment, and whom each of them may be shown to.
//!
//! A page that was taken over could put an address of its own into a deployment's form and wait for the kept password
//! to arrive there. So each secret is kept under a name that holds where it belongs: for another server, another user,
//! without TLS or behind another SSH server there is none, until somebody types it.

use cachescope_actions::canonical::sha256;
use cachescope_model::deployment::Deployment;
use cachescope_sources::http::Address;
use cachescope_sources::redis::RedisAddress;
use cachescope_store::Secrets;
use secrecy::SecretString;

/// Secrets of a deployment; what is `None` is not known.
#[derive(Clone, Debug, Default)]
pub struct DeploymentSecrets {
    /// Of the Redis user.
    pub redis_password: Option<SecretString>,
    /// Of the Sentinels' user.
    pub sentinel_password: Option<SecretString>,
    /// Of the SSH server: the passphrase of the key where one is named, otherwise the password.
    pub ssh_secret: Option<SecretString>,
    /// Bearer token of the Prometheus.
    pub prometheus_token: Option<SecretString>,
    /// Basic authentication at the Prometheus.
    pub prometheus_password: Option<SecretString>,
}

impl DeploymentSecrets {
    /// Reads what is kept for just the addresses of this deployment.
    pub(crate) async fn read(secrets: &Secrets, deployment: &Deployment) -> Self {
        let names = Names::of(deployment);
        let known = async |name: &Option<String>| match name {
            Some(name) => secrets.get(&deployment.id, name).await,
            None => None,
        };
        Self {
            redis_password: known(&names.redis_password).await,
            sentinel_password: known(&names.sentinel_password).await,
            ssh_secret: known(&names.ssh_secret).await,
            prometheus_token: known(&names.prometheus_token).await,
            prometheus_password: known(&names.prometheus_password).await,
        }
    }

    /// These, and where there is none the one that is known.
    pub(crate) fn or(self, known: Self) -> Self {
        Self {
            redis_password: self.redis_password.or(known.redis_password),
            sentinel_password: self.sentinel_password.or(known.sentinel_password),
            ssh_secret: self.ssh_secret.or(known.ssh_secret),
            prometheus_token: self.prometheus_token.or(known.prometheus_token),
            prometheus_password: self.prometheus_password.or(known.prometheus_password),
        }
    }

    /// Whether there is one.
    pub(crate) const fn is_some(&self) -> bool {
        self.redis_password.is_some()
            || self.sentinel_password.is_some()
            || self.ssh_secret.is_some()
            || self.prometheus_token.is_some()
            || self.prometheus_password.is_some()
    }

    /// Keeps those that are there, for the addresses of this deployment; the others stay as they are.
    pub(crate) async fn keep(self, secrets: &Secrets, deployment: &Deployment) {
        let names = Names::of(deployment);
        for (name, secret) in [
            (names.redis_password, self.redis_password),
            (names.sentinel_password, self.sentinel_password),
            (names.ssh_secret, self.ssh_secret),
            (names.prometheus_token, self.prometheus_token),
            (names.prometheus_password, self.prometheus_password),
        ] {
            if let (Some(name), Some(secret)) = (name, secret) {
                secrets.set(&deployment.id, &name, secret).await;
            }
        }
    }
}

/// Under which names the secrets of a deployment stand; `None` where it has no use for one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    redis_password: Option<String>,
    sentinel_password: Option<String>,
    ssh_secret: Option<String>,
    prometheus_token: Option<String>,
    prometheus_password: Option<String>,
}

impl Names {
    fn of(deployment: &Deployment) -> Self {
        let hop = deployment.ssh.as_ref();
        // What stands behind another SSH server is another server, though its address be the same.
        let through = hop.map(ToString::to_string).unwrap_or_default();
        let redis = deployment.redis_url.as_deref().and_then(|url| RedisAddress::parse(url).ok());
        let servers = redis.map(|address| address.login_scope());
        let prometheus = deployment.prometheus_url.as_deref().and_then(|url| Address::parse(url).ok());
        let behind = if deployment.ssh_http { format!(" behind {through}") } else { String::new() };
        let origin = prometheus.as_ref().map(|(address, _)| address.url().origin().ascii_serialization());
        let origin = origin.map(|origin| origin + &behind);
        let user = prometheus.as_ref().and_then(|(_, credentials)| credentials.user()).unwrap_or_default();
        Self {
            redis_password: servers.as_ref().map(|at| bound("redis-password", &[at, &through])),
            sentinel_password: servers.as_ref().map(|at| bound("sentinel-password", &[at, &through])),
            ssh_secret: hop
                .map(|hop| bound("ssh-secret", &[&through, hop.key.as_deref().unwrap_or_default()])),
            prometheus_token: origin.as_ref().map(|at| bound("prometheus-token", &[at])),
            prometheus_password: origin.as_ref().map(|at| bound("prometheus-password", &[at, user])),
        }
    }
}

/// The name of a secret that belongs to `place`: a keychain's entries are to be told apart, not to be read.
pub(crate) fn bound(kind: &str, place: &[&str]) -> String {
    format!("{kind}-{}", &sha256(place.join("\n").as_bytes())[..32])
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::deployments::from_draft;
    use crate::wire::DeploymentDraft;

    fn deployment(redis: &str, ssh: &str, key: &str, prometheus: &str) -> (Deployment, DeploymentSecrets) {
        let draft = DeploymentDraft {
            redis_url: redis.to_owned(),
            ssh: ssh.to_owned(),
            ssh_key_file: key.to_owned(),
            prometheus_url: prometheus.to_owned(),
            ..DeploymentDraft::default()
        };
        from_draft(&draft).expect("these can be watched")
    }

    #[test]
    fn a_redis_password_is_of_its_servers_user_tls_and_ssh_server_alone() {
        let name = |redis: &str, ssh: &str| Names::of(&deployment(redis, ssh, "", "").0).redis_password;
        let known = name("redis://ann@cache:6379", "bastion");
        assert!(known.is_some());
        for (redis, ssh, same) in [
            ("redis://ann:typed@cache:6379", "bastion", true),
            ("redis://ann@cache", "bastion", true),
            ("redis://ann@cache/3", "bastion", true),
            ("redis://ann@cache?direct=true", "bastion", true),
            ("redis://ann@cache:6380", "bastion", false),
            ("redis://ann@cache.evil.test:6379", "bastion", false),
            ("redis://ann@cache,evil.test", "bastion", false),
            ("redis+sentinel://ann@cache:6379/main", "bastion", false),
            ("redis://bob@cache:6379", "bastion", false),
            ("redis://cache:6379", "bastion", false),
            ("rediss://ann@cache:6379", "bastion", false),
            ("redis://ann@cache:6379", "evil.test", false),
            ("redis://ann@cache:6379", "", false),
        ] {
            assert_eq!(name(redis, ssh) == known, same, "{redis} {ssh}");
        }
    }

    #[test]
    fn a_sentinels_password_is_of_its_sentinels_alone() {
        let name = |redis: &str| Names::of(&deployment(redis, "", "", "").0).sentinel_password;
        let known = name("redis+sentinel://ann@a:26379,b:26379/main?sentinel_username=eye");
        assert_eq!(name("redis+sentinel://ann@a,b/main/2?sentinel_username=eye"), known);
        for other in [
            "redis+sentinel://ann@a,evil.test/main?sentinel_username=eye",
            "redis+sentinel://ann@a,b/main?sentinel_username=other",
            "redis+sentinel://ann@a,b/other?sentinel_username=eye",
            "rediss+sentinel://ann@a,b/main?sentinel_username=eye",
        ] {
            assert_ne!(name(other), known, "{other}");
        }
    }

    #[test]
    fn a_prometheus_secret_is_of_its_origin_and_a_password_of_its_user_too() {
        let names = |url: &str| Names::of(&deployment("", "", "", url).0);
        let known = names("https://ann@prom.test");
        for (url, token, password) in [
            ("https://ann:typed@prom.test:443/path/", true, true),
            ("https://bob@prom.test", true, false),
            ("https://prom.test", true, false),
            ("http://ann@prom.test", false, false),
            ("https://ann@prom.test:8443", false, false),
            ("https://ann@evil.test", false, false),
        ] {
            let other = names(url);
            assert_eq!(other.prometheus_token == known.prometheus_token, token, "{url}");
            assert_eq!(other.prometheus_password == known.prometheus_password, password, "{url}");
        }
    }

    #[test]
    fn a_prometheus_behind_an_ssh_server_is_another_one() {
        let (mut direct, _) = deployment("redis://cache", "bastion", "", "http://ann@localhost:9090");
        let known = Names::of(&direct);
        direct.ssh_http = true;
        let behind = Names::of(&direct);
        direct.ssh = Some(cachescope_sources::ssh::parse("evil.test").expect("a host"));
        let behind_another = Names::of(&direct);
        for (one, other) in [(&known, &behind), (&behind, &behind_another), (&known, &behind_another)] {
            assert_ne!(one.prometheus_token, other.prometheus_token);
            assert_ne!(one.prometheus_password, other.prometheus_password);
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_found_for_its_own_addresses_and_for_no_others() {
        let secrets = Secrets::session_only();
        let (mut kept, typed) =
            deployment("redis://ann:hunter2@cache", "", "", "http://ann:hunter3@prom.test");
        typed.keep(&secrets, &kept).await;
        let known = DeploymentSecrets::read(&secrets, &kept).await;
        assert_eq!(known.redis_password.expect("kept").expose_secret(), "hunter2");
        assert_eq!(known.prometheus_password.expect("kept").expose_secret(), "hunter3");
        kept.redis_url = Some("redis://ann@evil.test".to_owned());
        kept.prometheus_url = Some("http://ann@evil.test".to_owned());
        assert!(!DeploymentSecrets::read(&secrets, &kept).await.is_some());
    }
}
