//! Handing JSON to somebody else's endpoint. Of its address only scheme, host and port are ever shown: with most
//! webhooks the path is the secret.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::address::{Address, Credentials};
use super::client::{HttpClient, HttpOptions};
use crate::error::{ErrorCode, SourceError};

/// Deadline of a whole delivery.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a receiver may answer; nobody reads more of it than a sentence.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
/// Longer addresses are a mistake of the clipboard.
const MOST_CHARACTERS: usize = 2_048;

/// An endpoint that takes JSON.
#[derive(Clone, Debug)]
pub struct Webhook {
    http: HttpClient,
}

impl Webhook {
    /// The endpoint at `url`, or at `path` below it where there is one.
    ///
    /// # Errors
    /// When the address can't be read, or TLS can't be set up.
    pub fn new(
        url: &SecretString,
        token: Option<SecretString>,
        path: Option<&str>,
        timeout: Option<Duration>,
    ) -> Result<Self, SourceError> {
        let (address, in_url) = parse(url)?;
        let address = path.map_or_else(|| address.clone(), |path| address.below(path)).with_hidden_path();
        let timeout = timeout.unwrap_or(TIMEOUT);
        let options = HttpOptions {
            credentials: token.map_or(Credentials::None, Credentials::Bearer),
            connect_timeout: timeout.min(Duration::from_secs(5)),
            timeout,
            max_bytes: MOST_ANSWER_BYTES,
            ..HttpOptions::default()
        };
        Ok(Self { http: HttpClient::of(address, in_url, options)? })
    }

    /// What may be shown of an address.
    ///
    /// # Errors
    /// When it is none; the sentence does not repeat it.
    pub fn shown(url: &SecretString) -> Result<String, SourceError> {
        Ok(parse(url)?.0.with_hidden_path().as_str().to_owned())
    }

    /// Hands the JSON over once.
    ///
    /// # Errors
    /// When it was not taken: the sentence names scheme and host, never the path.
    pub async fn deliver(&self, json: String) -> Result<(), SourceError> {
        self.http.post_json(json).await.map(|_answer| ())
    }
}

fn parse(url: &SecretString) -> Result<(Address, Credentials), SourceError> {
    let bad = |reason: &str| {
        let sentence = format!("this is no address of a webhook: {reason}");
        SourceError::new(ErrorCode::BadUrl, sentence, "paste it whole, as https://host/path")
    };
    let written = url.expose_secret();
    if written.trim().is_empty() {
        return Err(bad("it is empty"));
    }
    if written.chars().count() > MOST_CHARACTERS {
        return Err(bad("it has more than 2048 characters"));
    }
    // Its own sentence would repeat what may be a secret.
    Address::parse(written).map_err(|_| bad("it must begin with http:// or https:// and name a host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_an_error_nor_what_is_shown_holds_the_path_the_query_or_a_password() {
        for written in [
            "hooks.example/T0/hunter2",
            "ftp://hooks.example/hunter2",
            "",
            "https://",
            "http://ho st/hunter2",
        ] {
            let error = Webhook::shown(&SecretString::from(written)).expect_err(written);
            assert_eq!(error.code(), "bad_url");
            assert!(!format!("{error}{}", error.remedy()).contains("hunter2"), "{error}");
        }
        let url = SecretString::from("https://u:hunter2@hooks.example:8443/T0/hunter2?x=hunter2");
        assert_eq!(Webhook::shown(&url).expect("an address"), "https://hooks.example:8443");
    }
}
