//! Where a deployment's application and CDN are asked over HTTP, and with which token: addresses in the store, tokens in
//! the keychain.

use cachescope_actions::request::{Token, Tokens, origin_of};
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::deployment::DeploymentId;
use cachescope_sources::http::{Address, Credentials};
use cachescope_store::{Secrets, Store};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::records::storage;
use crate::wire::{EndpointsDraft, EndpointsView, WireError};

/// Names of the tokens in the keychain.
const APPLICATION_TOKEN: &str = "application-token";
const CDN_TOKEN: &str = "cdn-token";
/// Longest address, body or token that is taken.
const MOST_CHARACTERS: usize = 2_048;

/// What is kept of a deployment's endpoints: addresses, never a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// Base address of the application; empty for none.
    pub application_url: String,
    /// It may be in a private network.
    pub application_private: bool,
    /// Address that invalidates at the CDN; empty for none. `{path}` stands for one path.
    pub cdn_url: String,
    /// Its method; empty for POST.
    pub cdn_method: String,
    /// Its body, where `{paths}` stands for a JSON list of paths; empty for one of `paths` alone.
    pub cdn_body: String,
    /// It may be in a private network.
    pub cdn_private: bool,
    /// Whom the kept tokens were given for.
    application_token_origin: Option<String>,
    cdn_token_origin: Option<String>,
}

fn place(deployment: &DeploymentId) -> String {
    format!("endpoints.{}", deployment.0)
}

impl Endpoints {
    pub(crate) async fn read(store: &Store, deployment: &DeploymentId) -> Self {
        let kept = store.setting(&place(deployment)).await.ok().flatten();
        kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// The same where these tokens came with them.
    #[must_use]
    pub fn with_tokens(mut self, tokens: &Tokens) -> Self {
        self.application_token_origin = tokens.application.as_ref().and(origin_of(&self.application_url));
        self.cdn_token_origin = tokens.cdn.as_ref().and(origin_of(&self.cdn_url));
        self
    }

    /// The tokens that are known for these addresses.
    pub(crate) async fn tokens(&self, secrets: &Secrets, deployment: &DeploymentId) -> Tokens {
        let token = |secret: Option<SecretString>, origin: &Option<String>| {
            Some(Token { secret: secret?, origin: Some(origin.clone()?) })
        };
        let application = match self.application_token_origin {
            Some(_) => secrets.get(deployment, APPLICATION_TOKEN).await,
            None => None,
        };
        let cdn = match self.cdn_token_origin {
            Some(_) => secrets.get(deployment, CDN_TOKEN).await,
            None => None,
        };
        Tokens {
            application: token(application, &self.application_token_origin),
            cdn: token(cdn, &self.cdn_token_origin),
        }
    }

    /// What the page shows of them.
    pub(crate) fn view(&self) -> EndpointsView {
        let has = |url: &str, origin: &Option<String>| origin.is_some() && origin_of(url) == *origin;
        EndpointsView {
            has_application_token: has(&self.application_url, &self.application_token_origin),
            has_cdn_token: has(&self.cdn_url, &self.cdn_token_origin),
            application_url: self.application_url.clone(),
            application_private: self.application_private,
            cdn_url: self.cdn_url.clone(),
            cdn_method: self.cdn_method.clone(),
            cdn_body: self.cdn_body.clone(),
            cdn_private: self.cdn_private,
        }
    }

    /// Reads a form without its tokens.
    ///
    /// # Errors
    /// What can't be used.
    pub fn of_draft(draft: &EndpointsDraft) -> Result<Self, Failure> {
        let texts = [&draft.application_url, &draft.cdn_url, &draft.cdn_method, &draft.cdn_body];
        if texts.into_iter().any(|text| text.len() > MOST_CHARACTERS) {
            return Err(bad("a field is longer than 2,048 characters", "check what was pasted"));
        }
        let address = |text: &str| {
            let text = text.trim();
            if text.is_empty() {
                return Ok(String::new());
            }
            let (_, credentials) = Address::parse(text)?;
            if !matches!(credentials, Credentials::None) {
                let remedy = "leave name and password out, and give a token";
                return Err(bad("an endpoint's address must not hold a password", remedy));
            }
            Ok(text.trim_end_matches('/').to_owned())
        };
        Ok(Self {
            application_url: address(&draft.application_url)?,
            application_private: draft.application_private,
            cdn_url: address(&draft.cdn_url)?,
            cdn_method: draft.cdn_method.trim().to_ascii_uppercase(),
            cdn_body: draft.cdn_body.trim().to_owned(),
            cdn_private: draft.cdn_private,
            ..Self::default()
        })
    }

    /// Keeps a form: addresses in the store, tokens in the keychain. A token that was given for another host is not
    /// taken along to a new one.
    pub(crate) async fn keep(
        store: &Store,
        secrets: &Secrets,
        deployment: &DeploymentId,
        draft: EndpointsDraft,
    ) -> Result<Self, WireError> {
        let before = Self::read(store, deployment).await;
        let mut endpoints = Self::of_draft(&draft)?;
        endpoints.application_token_origin = before.application_token_origin;
        endpoints.cdn_token_origin = before.cdn_token_origin;
        for (name, token, url, origin) in [
            (
                APPLICATION_TOKEN,
                draft.application_token,
                &endpoints.application_url,
                &mut endpoints.application_token_origin,
            ),
            (CDN_TOKEN, draft.cdn_token, &endpoints.cdn_url, &mut endpoints.cdn_token_origin),
        ] {
            let Some(token) = token else { continue };
            if token.is_empty() || url.is_empty() {
                *origin = None;
                continue;
            }
            *origin = origin_of(url);
            secrets.set(deployment, name, SecretString::from(token)).await;
        }
        let text = serde_json::to_string(&endpoints).unwrap_or_default();
        store.set_setting(&place(deployment), &text).await.map_err(storage)?;
        Ok(endpoints)
    }
}

fn bad(sentence: &str, remedy: &str) -> Failure {
    Failure::new(FailureKind::BadInput, sentence, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(url: &str, token: Option<&str>) -> EndpointsDraft {
        EndpointsDraft {
            application_url: url.to_owned(),
            application_token: token.map(str::to_owned),
            ..EndpointsDraft::default()
        }
    }

    #[tokio::test]
    async fn a_token_stays_with_the_host_it_was_given_for_and_in_no_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("a store");
        let (secrets, id) = (Secrets::session_only(), DeploymentId("d".to_owned()));
        let given = draft("https://app.example/", Some("hunter2"));
        let kept = Endpoints::keep(&store, &secrets, &id, given).await.expect("kept");
        assert!(kept.view().has_application_token);
        let tokens = kept.tokens(&secrets, &id).await;
        assert_eq!(tokens.application.expect("known").origin.as_deref(), Some("https://app.example"));
        let same = Endpoints::keep(&store, &secrets, &id, draft("https://app.example/v2", None)).await;
        assert!(same.expect("kept").view().has_application_token, "the same host");
        let moved = Endpoints::keep(&store, &secrets, &id, draft("https://other.example", None)).await;
        let moved = moved.expect("kept");
        assert!(!moved.view().has_application_token, "another host");
        let tokens = moved.tokens(&secrets, &id).await;
        assert_ne!(tokens.application.and_then(|token| token.origin), origin_of(&moved.application_url));
        for entry in std::fs::read_dir(directory.path()).expect("listed").flatten() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{:?}", entry.path());
        }
    }

    #[test]
    fn an_address_with_a_password_or_of_another_kind_is_refused_without_repeating_it() {
        for url in ["https://u:hunter2@app.example", "ftp://app.example/hunter2", "app"] {
            let failure = Endpoints::of_draft(&draft(url, None)).expect_err(url);
            assert!(!failure.sentence.contains("hunter2") || url.starts_with("ftp"), "{}", failure.sentence);
        }
    }
}
