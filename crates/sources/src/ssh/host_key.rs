//! A host whose key is not known: what `ssh` asks about it, and what the operator may say to that.
//!
//! Trusting a key is the operator's answer to `ssh`'s own question, and the answer is the fingerprint that they
//! approved: `ssh` compares it with the key that it sees and adds the key to the known hosts as it always does. So
//! nothing is added that was not approved, even where another server answers meanwhile, and where hosts are hashed, have
//! an alias or a file of their own is up to the configuration.

use crate::error::{ErrorCode, SourceError};

/// A host that `ssh` asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHost {
    /// As the known hosts would call it: `host` or `[host]:port`.
    pub host: String,
    /// The kind of its key, such as `ED25519`.
    pub kind: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// Whether keys of other kinds are known of it. Then it is no new host, and this key is not offered to be trusted.
    pub known_otherwise: bool,
}

impl UnknownHost {
    /// Reads the question of `ssh`; `None` where it is another one. What a server has somebody asked stands behind
    /// `(user@host)`, so none of them can put this question.
    pub(super) fn of_question(question: &str) -> Option<Self> {
        let (host, rest) = question.strip_prefix("The authenticity of host '")?.split_once('\'')?;
        let (host, _address) = host.split_once(" (").unwrap_or((host, ""));
        let (kind, fingerprint) =
            rest.lines().find_map(|line| line.split_once(" key fingerprint is ")).unwrap_or_default();
        Some(Self {
            host: host.to_owned(),
            kind: kind.trim().to_owned(),
            fingerprint: fingerprint.trim().trim_end_matches('.').to_owned(),
            known_otherwise: rest.contains("keys of different type are already known"),
        })
    }

    /// Whether the operator may be asked to trust it.
    pub(super) fn can_be_trusted(&self) -> bool {
        !self.known_otherwise && TrustedKey::new(&self.fingerprint).is_ok()
    }
}

impl std::fmt::Display for UnknownHost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.kind, self.fingerprint)
    }
}

/// A key that the operator has said to trust where it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    fingerprint: String,
    /// The one host it is trusted of; any on the way where it is not named.
    host: Option<String>,
}

impl TrustedKey {
    /// The key with this fingerprint, of whichever host on the way shows it.
    ///
    /// # Errors
    /// Code `bad_url` for what is no fingerprint (`SHA256:` and 43 characters of base64).
    pub fn new(fingerprint: &str) -> Result<Self, SourceError> {
        let digest = fingerprint.strip_prefix("SHA256:").unwrap_or_default();
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        if digest.len() != 43 || !digest.bytes().all(base64) {
            return Err(SourceError::new(
                ErrorCode::BadUrl,
                format!("{fingerprint:?} is no fingerprint of an SSH key"),
                "give it as `ssh-keygen -lf` prints it: SHA256: and 43 characters",
            ));
        }
        Ok(Self { fingerprint: fingerprint.to_owned(), host: None })
    }

    /// The same of no other host.
    #[must_use]
    pub fn of_host(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// What is answered to the question about this host; `None` where it is not the one that is trusted.
    pub(super) fn answer_to(&self, asked: &UnknownHost) -> Option<&str> {
        let is_it = asked.fingerprint == self.fingerprint && !asked.known_otherwise;
        let there = self.host.as_ref().is_none_or(|host| *host == asked.host);
        (is_it && there).then_some(&self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINT: &str = "SHA256:0DgRNTNqrwD7o0qQ+d/sAAAAAAAAAAAAAAAAAAAAAAA";

    fn question(middle: &str) -> String {
        format!(
            "The authenticity of host '[127.0.0.1]:22 ([127.0.0.1]:22)' can't be established{middle}\nED25519 key \
             fingerprint is {PRINT}.\nThis key is not known by any other names.\nAre you sure you want to continue \
             connecting (yes/no/[fingerprint])? "
        )
    }

    #[test]
    fn an_unknown_host_is_known_by_its_fingerprint() {
        let asked = UnknownHost::of_question(&question(".")).expect("it is about a host");
        assert_eq!(asked.host, "[127.0.0.1]:22");
        assert_eq!(asked.to_string(), format!("ED25519 {PRINT}"));
        assert!(asked.can_be_trusted());
        let key = TrustedKey::new(PRINT).expect("a fingerprint");
        assert_eq!(key.answer_to(&asked), Some(PRINT));
        assert_eq!(key.clone().of_host("[127.0.0.1]:22").answer_to(&asked), Some(PRINT));
        assert_eq!(key.of_host("127.0.0.1").answer_to(&asked), None, "another port is another host");
        let other = TrustedKey::new(&PRINT.replace("AAA", "BBB")).expect("a fingerprint");
        assert_eq!(other.answer_to(&asked), None);
    }

    #[test]
    fn a_host_of_which_another_kind_of_key_is_known_is_never_trusted() {
        let asked = question("\nbut keys of different type are already known for this host.");
        let asked = UnknownHost::of_question(&asked).expect("it is about a host");
        assert!(asked.known_otherwise && !asked.can_be_trusted());
        assert_eq!(TrustedKey::new(PRINT).expect("a fingerprint").answer_to(&asked), None);
    }

    #[test]
    fn what_a_server_has_somebody_asked_is_no_question_about_a_host() {
        assert_eq!(UnknownHost::of_question(&format!("(ann@host) {}", question("."))), None);
        assert_eq!(UnknownHost::of_question("ann@host's password: "), None);
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for text in ["", "SHA256:", "MD5:aa:bb", &PRINT[7..], &format!("{PRINT}=="), &PRINT.replace('+', "-")]
        {
            assert_eq!(TrustedKey::new(text).expect_err(text).code(), "bad_url", "{text}");
        }
    }
}
