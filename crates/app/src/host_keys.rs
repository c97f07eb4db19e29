//! Keys of SSH servers that the operator may trust: what a connection test showed, and the token that stands for it.
//!
//! A token is for one host key of one SSH server as it was typed. A host that is known by another key gets none.

use cachescope_model::deployment::SshHop;
use cachescope_model::time::Timestamp;
use cachescope_sources::ssh::TrustedKey;

use crate::deployments;
use crate::tokens::Tokens;
use crate::wire::{ConnectionReport, DeploymentDraft, WireError, WireErrorCode};

#[derive(Default)]
pub(crate) struct HostKeys {
    shown: Tokens<(String, TrustedKey)>,
}

/// The SSH server as it is typed; its key's file may be changed meanwhile.
fn typed(draft: &DeploymentDraft) -> Option<String> {
    deployments::ssh_hop(draft).ok().flatten().map(|hop: SshHop| hop.to_string())
}

impl HostKeys {
    /// Adds the token to a report that shows such a key.
    pub(crate) fn offer(&self, draft: &DeploymentDraft, report: &mut ConnectionReport, now: Timestamp) {
        let unknown = report.steps.iter().find_map(|step| step.unknown_host.as_ref());
        let (Some(unknown), Some(server)) = (unknown, typed(draft)) else { return };
        // One that can't be read was not offered to begin with.
        let Ok(key) = TrustedKey::new(&unknown.fingerprint) else { return };
        report.trust = Some(self.shown.issue((server, key.of_host(&unknown.host)), now));
    }

    /// The key that a token approves.
    ///
    /// # Errors
    /// `not_approved` where the token is of no use, or the draft is for another SSH server.
    pub(crate) fn approved(
        &self,
        draft: &DeploymentDraft,
        token: &str,
        now: Timestamp,
    ) -> Result<TrustedKey, WireError> {
        let why = match self.shown.redeem(token, now) {
            Ok((server, key)) if typed(draft).as_ref() == Some(&server) => return Ok(key),
            Ok(_) => "the key was shown for another SSH server",
            Err(why) => why,
        };
        Err(WireError::new(WireErrorCode::NotApproved, format!("no key was trusted: {why}"))
            .with_remedy("test the connection again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ConnectionStep, StepResult, UnknownHostKey};

    #[test]
    fn a_token_trusts_one_key_of_the_server_that_it_was_shown_for() {
        let keys = HostKeys::default();
        let (now, fingerprint) = (Timestamp(1_000), format!("SHA256:{}", "A".repeat(43)));
        let draft = |ssh: &str| DeploymentDraft { ssh: ssh.to_owned(), ..DeploymentDraft::default() };
        let shown = |fingerprint: &str| ConnectionReport {
            usable: false,
            steps: vec![ConnectionStep {
                title: String::new(),
                result: StepResult::Failed,
                detail: String::new(),
                remedy: String::new(),
                unknown_host: Some(UnknownHostKey {
                    host: "bastion".to_owned(),
                    kind: "ED25519".to_owned(),
                    fingerprint: fingerprint.to_owned(),
                }),
            }],
            trust: None,
        };
        let issue = || {
            let mut report = shown(&fingerprint);
            keys.offer(&draft("ann@bastion"), &mut report, now);
            report.trust.expect("it is offered").token
        };
        let key = TrustedKey::new(&fingerprint).expect("a fingerprint").of_host("bastion");
        assert_eq!(keys.approved(&draft(" ann@bastion "), &issue(), now), Ok(key));
        for (ssh, token, at) in [
            ("ann@evil.test", issue(), now),
            ("ann@bastion:2222", issue(), now),
            ("", issue(), now),
            ("ann@bastion", issue(), now.plus_millis(300_000)),
            ("ann@bastion", "forged".to_owned(), now),
        ] {
            let error = keys.approved(&draft(ssh), &token, at).expect_err(ssh);
            assert_eq!(error.code, WireErrorCode::NotApproved, "{error}");
            assert!(keys.approved(&draft("ann@bastion"), &token, now).is_err(), "it is spent");
        }
        let mut unreadable = shown("MD5:aa");
        keys.offer(&draft("bastion"), &mut unreadable, now);
        assert!(unreadable.trust.is_none());
    }
}
