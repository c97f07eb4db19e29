//! Where an HTTP endpoint is and who we are there, kept apart: addresses are shown, secrets never.

use reqwest::Url;
use secrecy::SecretString;

use crate::error::{ErrorCode, SourceError};

/// How we identify ourselves to an endpoint.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// Name and password (RFC 7617).
    Basic {
        /// The name; shown nowhere, but no secret.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token (RFC 6750).
    Bearer(SecretString),
}

impl Credentials {
    /// The name of basic authentication.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Basic { user, .. } => Some(user),
            Self::None | Self::Bearer(_) => None,
        }
    }
}

/// An endpoint's address without name and password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    url: Url,
    shown: String,
}

impl Address {
    /// Reads an `http://` or `https://` address and takes name and password out of it.
    ///
    /// # Errors
    /// Code `bad_url`, when it is no such address. The sentence repeats the address without its secrets.
    pub fn parse(written: &str) -> Result<(Self, Credentials), SourceError> {
        let bad = |reason: &str| {
            let shown = without_userinfo(written);
            let sentence = format!("{shown:?} is no address of metrics: {reason}");
            SourceError::new(
                ErrorCode::BadUrl,
                sentence,
                "write it as http://host:9090 or https://host/metrics",
            )
        };
        let mut url = Url::parse(written.trim()).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://"));
        }
        let credentials = credentials_of(&url).ok_or_else(|| bad("name or password is not UTF-8"))?;
        let stripped = url.set_username("").and_then(|()| url.set_password(None));
        stripped.map_err(|()| bad("it has no host"))?;
        url.set_fragment(None);
        let shown = shown(&url);
        Ok((Self { url, shown }, credentials))
    }

    /// The address as it is fetched. Its query may hold a secret: show the address by its `Display` instead.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address as it may be shown: without name and password, secrets in its query masked.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The same address, of which only scheme, host and port are shown: where the path is the secret, as with
    /// webhooks.
    #[must_use]
    pub fn with_hidden_path(self) -> Self {
        let shown = self.url.origin().ascii_serialization();
        Self { shown, ..self }
    }

    /// The address of `path` below this one, which may itself be below a server's root (`https://host/prom`).
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        let shown = shown(&url);
        Self { url, shown }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

fn credentials_of(url: &Url) -> Option<Credentials> {
    if url.username().is_empty() && url.password().is_none() {
        return Some(Credentials::None);
    }
    let user = percent_decoded(url.username())?;
    let password = SecretString::from(percent_decoded(url.password().unwrap_or_default())?);
    Some(Credentials::Basic { user, password })
}

/// Resolves `%40` and the like; `None` where the result is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hexadecimal = |byte: &u8| char::from(*byte).to_digit(16);
        let pair = tail.first().and_then(hexadecimal).zip(tail.get(1).and_then(hexadecimal));
        match pair {
            Some((high, low)) if *first == b'%' => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Cuts out whatever may be name and password, also of text that is no address.
fn without_userinfo(written: &str) -> String {
    match written.rfind('@') {
        Some(at) => {
            let scheme = written.find("://").filter(|place| *place < at).map_or(0, |place| place + 3);
            format!("{}{}", &written[..scheme], &written[at + 1..])
        }
        None => written.to_owned(),
    }
}

/// The address for people. Exporters of many targets take the target in the query
/// (`/scrape?target=redis://user:secret@host`), and gateways take keys there.
fn shown(url: &Url) -> String {
    if url.query().is_none() {
        let shown = url.to_string();
        return if url.path() == "/" { shown.trim_end_matches('/').to_owned() } else { shown };
    }
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["token", "key", "secret", "pass", "auth", "sig"].iter().any(|word| name.contains(word))
    };
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let value = if secret(&name) { "***".to_owned() } else { without_userinfo(&value) };
            (name.into_owned(), value)
        })
        .collect();
    let mut shown = url.clone();
    shown.query_pairs_mut().clear().extend_pairs(pairs);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn name_and_password_are_taken_out_of_the_address() {
        let (address, credentials) =
            Address::parse("https://al%40ice:s%3Acr%2Fet@metrics.example:9/m?a=1#top").expect("an address");
        assert_eq!(address.as_str(), "https://metrics.example:9/m?a=1");
        match credentials {
            Credentials::Basic { user, password } => {
                assert_eq!((user.as_str(), password.expose_secret()), ("al@ice", "s:cr/et"));
            }
            other => panic!("basic credentials expected, not {other:?}"),
        }
        assert!(matches!(Address::parse("http://h/").expect("an address").1, Credentials::None));
    }

    #[test]
    fn no_secret_is_shown_whatever_is_wrong_with_the_address() {
        for written in [
            "redis://user:hunter2@host:6379",
            "http://user:hun:ter/hunter2@host",
            "user:hunter2@host",
            "http://user:hunter2@",
            "http://user:hunter2@ho st/",
        ] {
            let error = Address::parse(written).expect_err(written);
            assert_eq!(error.code(), "bad_url", "{written}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!error.remedy().contains("hunter2"), "{}", error.remedy());
        }
        let (address, _) = Address::parse("http://h/scrape?target=redis://u:hunter2@r:1&api_key=hunter2&x=1")
            .expect("an address");
        assert!(!address.to_string().contains("hunter2"), "{address}");
        assert!(address.url().query().is_some_and(|query| query.contains("hunter2")), "it is still fetched");
    }

    #[test]
    fn paths_are_appended_below_a_prefix() {
        for (base, whole) in [
            ("http://h:9090", "http://h:9090/api/v1/query"),
            ("http://h:9090/", "http://h:9090/api/v1/query"),
            ("https://h/prom/", "https://h/prom/api/v1/query"),
        ] {
            let (address, _) = Address::parse(base).expect(base);
            assert_eq!(address.below("api/v1/query").as_str(), whole);
        }
    }
}
