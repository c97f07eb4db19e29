//! Steps that somebody else does when he is asked over HTTP: the application's protected endpoint, the CDN.
//!
//! What is sent, and where, is part of the plan, so it is what was previewed and approved. The token is not: it comes
//! from the keychain at the moment of sending and goes to no other host than the one the operator gave it for.

use std::time::Duration;

use cachescope_sources::http::{Address, Credentials, HttpClient, HttpOptions};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};
use crate::guards::Check;
use crate::plan::{Action, Plan};

/// Deadline of an answer: a purge that takes longer is the application's to do in the background.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// An answer says how it went, no more.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
/// Of an answer's text, so much is kept.
const SHOWN_OF_AN_ANSWER: usize = 200;

const METHODS: [&str; 6] = ["POST", "PUT", "DELETE", "PATCH", "GET", "PURGE"];

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum AskedOf {
    /// The application whose cache it is.
    Application,
    /// The content delivery network in front of it.
    Cdn,
}

/// One request, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct HttpRequest {
    /// Who is asked, and so whose token is sent.
    pub of: AskedOf,
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// A body of JSON; empty for none.
    pub body: String,
    /// It wants a token.
    pub protected: bool,
    /// The address may be in a private network.
    pub private_address: bool,
}

/// A token, and whom it may be shown.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub secret: SecretString,
    /// Scheme, host and port that it was given for (`https://app.example`); `None` where it came with this very command.
    pub origin: Option<String>,
}

/// The tokens of a deployment's endpoints.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Of the application.
    pub application: Option<Token>,
    /// Of the CDN.
    pub cdn: Option<Token>,
}

impl Tokens {
    /// The token for a request; `None` where it wants none, or there is none for its address.
    fn of(&self, request: &HttpRequest) -> Option<&SecretString> {
        let token = match request.of {
            AskedOf::Application => self.application.as_ref(),
            AskedOf::Cdn => self.cdn.as_ref(),
        };
        let given_for = |token: &&Token| {
            token.origin.as_ref().is_none_or(|origin| origin_of(&request.url).as_ref() == Some(origin))
        };
        token.filter(|_| request.protected).filter(given_for).map(|token| &token.secret)
    }
}

/// Scheme, host and port of an address; `None` where it is none of HTTP.
#[must_use]
pub fn origin_of(url: &str) -> Option<String> {
    Some(Address::parse(url).ok()?.0.url().origin().ascii_serialization())
}

impl HttpRequest {
    fn client(&self, tokens: &Tokens) -> Result<HttpClient, Failure> {
        if !METHODS.contains(&self.method.as_str()) {
            return Err(Failure::bad(
                format!("{:?} is no method of a request that purges", self.method),
                "use POST, PUT, DELETE, PATCH, GET or PURGE",
            ));
        }
        if self.protected && !self.private_address && !self.url.starts_with("https://") {
            return Err(Failure::bad(
                format!("a token is not sent to {} without TLS", self.url),
                "give the address with https://, or say that it is in a private network",
            ));
        }
        let token = tokens.of(self);
        let options = HttpOptions {
            credentials: token.cloned().map_or(Credentials::None, Credentials::Bearer),
            timeout: ANSWERED_WITHIN,
            max_bytes: MOST_ANSWER_BYTES,
            private_addresses: self.private_address,
            follows: false,
            ..HttpOptions::default()
        };
        Ok(HttpClient::new(&self.url, options)?)
    }
}

/// Sends a request, once; gives back in words what was answered.
pub(crate) async fn send(request: &HttpRequest, tokens: &Tokens) -> Result<String, Failure> {
    let body = (!request.body.is_empty()).then(|| request.body.clone());
    let client = request.client(tokens)?;
    let answer = client.act(&request.method, body).await.map_err(|error| {
        // What was sent may have been done: it is not sent again by itself.
        Failure::new(FailureKind::Refused, error.to_string(), error.remedy())
    })?;
    let text = cachescope_model::key::printable(&answer.body);
    let shown: String = text.chars().take(SHOWN_OF_AN_ANSWER).collect();
    Ok(format!("{} {shown}", answer.status.as_u16()).trim_end().to_owned())
}

/// What of a plan's requests can't be sent, and what they do that is not kept.
pub(crate) fn checks(plan: &Plan, tokens: &Tokens) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut removes_elsewhere = false;
    for step in &plan.steps {
        let Action::Request { request, reaches, .. } = step else { continue };
        removes_elsewhere |= reaches.is_some();
        if let Err(failure) = request.client(tokens) {
            checks.push(Check::refused("request", failure.sentence, &failure.remedy));
        }
        if request.protected && tokens.of(request).is_none() {
            checks.push(Check::refused(
                "request-token",
                format!("{} asks for a token, and none is known", request.url),
                "give it where the deployment's endpoints are set, or in the environment",
            ));
        }
    }
    if removes_elsewhere {
        let sentence = "What the application removes is not kept and can't be put back from here";
        checks.push(Check::remark("request-undo", sentence, ""));
    }
    checks
}
