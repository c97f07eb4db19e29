//! `cachescope://…` as text.
//!
//! ```text
//! cachescope://overview
//! cachescope://deployment/<identity or name>
//! cachescope://deployment/<identity or name>/namespace/<template>
//! cachescope://alert/<identity>
//! ```
//!
//! Names and templates are percent-encoded (RFC 3986, section 2.1). Whoever can make somebody click writes links, so
//! what is not exactly one of these is refused, and nothing of it is repeated in the refusal.

use std::fmt;

use cachescope_actions::canonical;
use cachescope_model::telling::AlertRef;

/// The scheme that the desktop hands to this program.
pub const SCHEME: &str = "cachescope";

/// Longest link in bytes; names and templates are shorter, also when every byte is encoded.
const MOST_BYTES: usize = 4_096;

/// Characters of an alert's identity: 128 bits of a hash.
const ALERT_ID: usize = 32;

/// What a link names; whether it is here is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Every deployment.
    Overview,
    /// One deployment, by its identity or its name.
    Deployment {
        /// Identity or name.
        deployment: String,
        /// A namespace's template.
        namespace: Option<String>,
    },
    /// One alert, by its identity.
    Alert {
        /// As [`alert_id`] makes it.
        id: String,
    },
}

/// Why a text is no link of ours; says nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another scheme, or none.
    #[error("it does not begin with cachescope://")]
    Scheme,
    /// Too long to be one of ours.
    #[error("it is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// No such place.
    #[error("it names no place that there is; there are overview, deployment and alert")]
    NoSuchPlace,
    /// Encoded wrongly, or with characters that no name has.
    #[error("a name in it is empty, or is not encoded as a link's has to be")]
    Name,
}

impl Link {
    /// Reads a link.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        if text.len() > MOST_BYTES {
            return Err(LinkError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(LinkError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(LinkError::Scheme);
        }
        // A query or a fragment would be a part that is not understood.
        if rest.contains(['?', '#']) {
            return Err(LinkError::NoSuchPlace);
        }
        // Browsers may end the address of a host with a slash.
        let parts: Vec<&str> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
        match parts.as_slice() {
            ["overview" | ""] => Ok(Self::Overview),
            ["deployment", name] => Ok(Self::Deployment { deployment: decoded(name)?, namespace: None }),
            ["deployment", name, "namespace", template] => {
                Ok(Self::Deployment { deployment: decoded(name)?, namespace: Some(decoded(template)?) })
            }
            ["alert", id] if is_alert_id(id) => Ok(Self::Alert { id: (*id).to_owned() }),
            _ => Err(LinkError::NoSuchPlace),
        }
    }

    /// Whether a text wants to be a link of ours, be it a good one or not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overview => write!(formatter, "{SCHEME}://overview"),
            Self::Deployment { deployment, namespace } => {
                write!(formatter, "{SCHEME}://deployment/{}", encoded(deployment))?;
                match namespace {
                    Some(template) => write!(formatter, "/namespace/{}", encoded(template)),
                    None => Ok(()),
                }
            }
            Self::Alert { id } => write!(formatter, "{SCHEME}://alert/{id}"),
        }
    }
}

/// An alert's identity in links: the same on every computer that watches the deployment under the same identity.
pub(super) fn alert_id(alert: &AlertRef) -> String {
    let mut hash = canonical::hash(alert).unwrap_or_default();
    hash.truncate(ALERT_ID);
    hash
}

fn is_alert_id(text: &str) -> bool {
    text.len() == ALERT_ID && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Everything but unreserved characters (RFC 3986, section 2.3) as `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn decoded(text: &str) -> Result<String, LinkError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(LinkError::Name);
                bytes.push((digit(high)? * 16 + digit(low)?) as u8);
                after
            }
            (b'%', _) => return Err(LinkError::Name),
            (plain, after) => {
                bytes.push(*plain);
                after
            }
        };
    }
    let decoded = String::from_utf8(bytes).map_err(|_| LinkError::Name)?;
    if decoded.is_empty() || decoded.chars().any(char::is_control) {
        return Err(LinkError::Name);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(name: &str, namespace: Option<&str>) -> Link {
        Link::Deployment { deployment: name.to_owned(), namespace: namespace.map(str::to_owned) }
    }

    #[test]
    fn a_link_names_the_overview_a_deployment_a_namespace_or_an_alert() {
        let id = "0123456789abcdef0123456789abcdef";
        for (text, link) in [
            ("cachescope://overview", Link::Overview),
            ("cachescope://", Link::Overview),
            ("CacheScope://deployment/prod-eu-1/", deployment("prod-eu-1", None)),
            ("cachescope://deployment/prod%20eu", deployment("prod eu", None)),
            (
                "cachescope://deployment/a/namespace/session%3A%7BsessionId%7D",
                deployment("a", Some("session:{sessionId}")),
            ),
            // What a browser or a person leaves as it is.
            ("cachescope://deployment/a/namespace/session:{id}", deployment("a", Some("session:{id}"))),
            (&format!("cachescope://alert/{id}"), Link::Alert { id: id.to_owned() }),
        ] {
            assert_eq!(Link::parse(text), Ok(link), "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_link_is_refused_without_being_repeated() {
        for text in [
            "",
            "https://example.com/deployment/a",
            "cachescope:deployment/a",
            "javascript:cachescope://deployment/a",
            "cachescope://purge/a",
            "cachescope://deployment",
            "cachescope://deployment/",
            "cachescope://deployment/a/purge",
            "cachescope://deployment/a/namespace",
            "cachescope://deployment/a/namespace/",
            "cachescope://deployment/a/namespace/b/run",
            "cachescope://deployment/a?run=1",
            "cachescope://deployment/a#run",
            "cachescope://deployment/a%",
            "cachescope://deployment/a%4",
            "cachescope://deployment/a%zz",
            "cachescope://deployment/%ff",
            "cachescope://deployment/a%00b",
            "cachescope://deployment/a%0Ab",
            "cachescope://alert/",
            "cachescope://alert/short",
            "cachescope://alert/../../etc/passwd00000000000000000",
            "cachescope://user@deployment/a",
        ] {
            let error = Link::parse(text).expect_err(text);
            let words = error.to_string();
            assert!(!words.contains("example") && !words.contains("purge"), "{words}");
        }
        let long = format!("cachescope://deployment/{}", "a".repeat(MOST_BYTES));
        assert_eq!(Link::parse(&long), Err(LinkError::TooLong));
    }

    #[test]
    fn a_link_that_is_written_reads_back_whatever_the_names_are() {
        for name in ["a", "prod/eu 1", "ü🔥?#%", "a:{b}*[c]", "%41", "..", "{x}://"] {
            for link in [deployment(name, None), deployment("d", Some(name))] {
                let text = link.to_string();
                assert!(text.is_ascii(), "{text}");
                assert_eq!(Link::parse(&text), Ok(link), "{text}");
            }
        }
    }
}
