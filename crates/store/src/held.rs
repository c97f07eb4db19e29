//! Secrets that are in memory because the keychain does not have them (yet), and what it must still forget.

use std::collections::{BTreeSet, HashMap};

use cachescope_model::deployment::DeploymentId;
use secrecy::{ExposeSecret, SecretString};

/// Neither `Debug` nor serialisable, so that it can't end up in a log by accident.
#[derive(Default)]
pub(crate) struct Held {
    secrets: HashMap<(DeploymentId, String), SecretString>,
    removals: BTreeSet<DeploymentId>,
}

/// What the keychain has missed.
pub(crate) struct Arrears {
    pub(crate) removals: Vec<DeploymentId>,
    pub(crate) secrets: Vec<(DeploymentId, String, SecretString)>,
}

impl Held {
    pub(crate) fn get(&self, deployment: &DeploymentId, name: &str) -> Option<SecretString> {
        self.secrets.get(&(deployment.clone(), name.to_owned())).cloned()
    }

    pub(crate) fn hold(&mut self, deployment: &DeploymentId, name: &str, secret: SecretString) {
        self.secrets.insert((deployment.clone(), name.to_owned()), secret);
    }

    /// The keychain has `secret` now. A newer one that was set meanwhile stays.
    pub(crate) fn release(&mut self, deployment: &DeploymentId, name: &str, secret: &SecretString) {
        let key = (deployment.clone(), name.to_owned());
        if self.secrets.get(&key).is_some_and(|held| held.expose_secret() == secret.expose_secret()) {
            self.secrets.remove(&key);
        }
    }

    /// Drops a deployment's secrets; `from_keychain` notes that the keychain has to do so, too.
    pub(crate) fn forget(&mut self, deployment: &DeploymentId, from_keychain: bool) {
        self.secrets.retain(|(owner, _), _| owner != deployment);
        if from_keychain {
            self.removals.insert(deployment.clone());
        }
    }

    /// The keychain has forgotten the deployment.
    pub(crate) fn removed(&mut self, deployment: &DeploymentId) {
        self.removals.remove(deployment);
    }

    pub(crate) fn arrears(&self) -> Arrears {
        Arrears {
            removals: self.removals.iter().cloned().collect(),
            secrets: self
                .secrets
                .iter()
                .map(|((owner, name), secret)| (owner.clone(), name.clone(), secret.clone()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_set_while_an_older_one_is_being_stored_stays_held() {
        let mut held = Held::default();
        let deployment = DeploymentId("a".to_owned());
        let (older, newer) = (SecretString::from("older"), SecretString::from("newer"));
        held.hold(&deployment, "redis-password", older.clone());
        held.hold(&deployment, "redis-password", newer.clone());
        held.release(&deployment, "redis-password", &older);
        let kept = held.get(&deployment, "redis-password").expect("the newer one is not stored yet");
        assert_eq!(kept.expose_secret(), "newer");
        held.release(&deployment, "redis-password", &newer);
        assert!(held.get(&deployment, "redis-password").is_none());
    }

    #[test]
    fn a_forgotten_deployment_is_owed_to_the_keychain_until_it_was_removed_there() {
        let mut held = Held::default();
        let (gone, other) = (DeploymentId("gone".to_owned()), DeploymentId("other".to_owned()));
        held.hold(&gone, "ca", SecretString::from("x"));
        held.hold(&other, "ca", SecretString::from("y"));
        held.forget(&gone, true);
        let arrears = held.arrears();
        assert_eq!(arrears.removals, std::slice::from_ref(&gone));
        assert_eq!(arrears.secrets.len(), 1, "only the other deployment's secret is left");
        held.removed(&gone);
        assert!(held.arrears().removals.is_empty());
    }
}
