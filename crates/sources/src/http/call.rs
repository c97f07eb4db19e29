//! Requests that have somebody else's application do something: fill its cache, drop an entry. Each is one exchange with
//! one origin, with a deadline and a bound; nothing is repeated here.
//!
//! What could send such a request elsewhere is refused: another origin, a redirect to one, and, unless it is allowed,
//! an address of a private network (a name is looked at after it was resolved, on each connection).

use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};

use super::address::Address;
use super::client::{HttpOptions, MAX_REDIRECTS, tls};
use super::failure::{self, LeavesHost};
use super::public_only::{self, PublicOnly};
use crate::error::{ErrorCode, SourceError};
use crate::redis::TlsOptions;

/// The longest that a `Retry-After` is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// How an endpoint is called.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// Whom we trust and our own certificate.
    pub tls: TlsOptions,
    /// Deadline of a connection's set-up.
    pub connect_timeout: Duration,
    /// Deadline of a whole exchange.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes after decompression.
    pub max_bytes: usize,
    /// Whether addresses of private networks and of this machine may be called.
    pub private_addresses: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            max_bytes: 4 << 20,
            private_addresses: false,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its whole URL.
    pub url: String,
    /// Its headers; any of them may hold a secret.
    pub headers: Vec<(String, SecretString)>,
    /// Its body; empty for none.
    pub body: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The status.
    pub status: u16,
    /// How long the endpoint asks not to be called again, where it says so, at most two minutes.
    pub retry_after: Option<Duration>,
    /// Bytes of the answer.
    pub bytes: u64,
    /// From sending to the last byte.
    pub took: Duration,
}

/// Calls one origin.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    origin: String,
    options: HttpOptions,
}

impl Caller {
    /// For the origin of `url`.
    ///
    /// # Errors
    /// Code `bad_url` for what can't be called, `refused` for a private network without leave, `tls` for certificate files
    /// that can't be used.
    pub fn new(url: &str, options: &CallOptions) -> Result<Self, SourceError> {
        let address = parse(url)?;
        if !options.private_addresses {
            public_only::refuse_literal(&address)?;
        }
        let http = HttpOptions {
            tls: options.tls.clone(),
            connect_timeout: options.connect_timeout,
            timeout: options.timeout,
            max_bytes: options.max_bytes,
            ..HttpOptions::default()
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls(&address, &options.tls)?)
            .user_agent(concat!("cachescope/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(follow_within_origin))
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .referer(false)
            // A proxy would resolve names where we can't look.
            .no_proxy();
        let client = if options.private_addresses { client } else { client.dns_resolver(PublicOnly) };
        let client = client.build().map_err(|error| failure::of(&error, &address, &http))?;
        Ok(Self { client, origin: address.url().origin().ascii_serialization(), options: http })
    }

    /// Sends one request and reads its answer to the end. Any status is an answer.
    ///
    /// # Errors
    /// When it can't be sent, nothing answers in time, the answer is larger than the bound, or it would leave the
    /// origin.
    pub async fn call(&self, call: &Call) -> Result<Called, SourceError> {
        let address = parse(&call.url)?;
        if address.url().origin().ascii_serialization() != self.origin {
            let sentence = format!("{address} is not at {}, which the plan names", self.origin);
            return Err(SourceError::new(ErrorCode::BadUrl, sentence, "correct the URL"));
        }
        let method = method(&call.method)?;
        let mut request = self.client.request(method, address.url().clone()).headers(headers(call)?);
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        let began = Instant::now();
        let failed = |error: reqwest::Error| failure::of(&error, &address, &self.options);
        let mut response = request.send().await.map_err(failed)?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
        let mut bytes = 0;
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            bytes += piece.len();
            if bytes > self.options.max_bytes {
                let most = self.options.max_bytes;
                let sentence = format!("the answer of {address} is larger than {most} bytes");
                let remedy = "have the endpoint answer shortly, or allow larger answers in the plan";
                return Err(SourceError::new(ErrorCode::TooLarge, sentence, remedy));
            }
        }
        Ok(Called { status, retry_after, bytes: bytes as u64, took: began.elapsed() })
    }
}

/// Whether something can be called: its method and its headers can be sent, and its URL names a host.
///
/// # Errors
/// What can't, in one sentence.
pub fn check(call: &Call) -> Result<(), SourceError> {
    parse(&call.url)?;
    method(&call.method)?;
    headers(call).map(|_| ())
}

fn parse(written: &str) -> Result<Address, SourceError> {
    if !written.contains("://") {
        return Err(SourceError::new(
            ErrorCode::BadUrl,
            format!("{written:?} names no host to call"),
            "write it whole, as https://host/path, or give the application's address",
        ));
    }
    match Address::parse(written) {
        Ok((address, _)) if !written.contains('@') => Ok(address),
        Ok((address, _)) => Err(SourceError::new(
            ErrorCode::BadUrl,
            format!("the URL of {address} holds a name or a password"),
            "give secrets as a header, from the keychain",
        )),
        Err(error) => {
            let sentence = error.to_string().replace("is no address of metrics", "can't be called");
            Err(SourceError::new(ErrorCode::BadUrl, sentence, "write it as https://host/path"))
        }
    }
}

fn method(written: &str) -> Result<Method, SourceError> {
    const KNOWN: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    Method::from_bytes(written.as_bytes()).ok().filter(|method| KNOWN.contains(&method.as_str())).ok_or_else(
        || {
            let sentence = format!("{written:?} is no method that can be called");
            SourceError::new(ErrorCode::BadUrl, sentence, format!("write one of {}", KNOWN.join(", ")))
        },
    )
}

fn headers(call: &Call) -> Result<HeaderMap, SourceError> {
    let mut map = HeaderMap::new();
    for (name, value) in &call.headers {
        let refused = || {
            SourceError::new(ErrorCode::BadUrl, format!("the header {name:?} can't be sent"), "correct it")
        };
        let name_read = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let mut read = HeaderValue::try_from(value.expose_secret()).map_err(|_| refused())?;
        read.set_sensitive(true);
        map.insert(name_read, read);
    }
    Ok(map)
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            (at.to_utc() - chrono::Utc::now()).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A redirect may change the path, and nothing of the origin.
fn follow_within_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    if first.origin() == attempt.url().origin() && attempt.previous().len() <= MAX_REDIRECTS {
        return attempt.follow();
    }
    let leaves = LeavesHost {
        to: attempt.url().host_str().unwrap_or_default().to_owned(),
        endless: attempt.previous().len() > MAX_REDIRECTS,
        downgrade: first.host() == attempt.url().host() && first.scheme() == "https",
        other_port: false,
    };
    attempt.error(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_called_is_refused_in_one_sentence_without_its_secrets() {
        let call = |method: &str, url: &str, header: &str| Call {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: vec![(header.to_owned(), SecretString::from("v"))],
            body: String::new(),
        };
        for (made, part) in [
            (call("POST", "/api/cron/cache-warmup", "a"), "names no host"),
            (call("POST", "https://", "a"), "can't be called"),
            (call("POST", "ftp://host/x", "a"), "can't be called"),
            (call("POST", "https://u:hunter2@host/x", "a"), "holds a name or a password"),
            (call("CONNECT", "https://host/x", "a"), "no method"),
            (call("GET", "https://host/x", "a b"), "header"),
        ] {
            let error = check(&made).expect_err(&made.url).to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
        assert!(check(&call("GET", "https://host/x", "Authorization")).is_ok());
        let private = Caller::new("http://127.0.0.1:1/", &CallOptions::default()).expect_err("private");
        assert!(private.to_string().contains("private network"), "{private}");
    }

    #[test]
    fn a_wish_to_be_left_alone_is_read_as_seconds_or_as_a_date_and_is_bounded() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).expect("a header"));
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("86400"), Some(LONGEST_RETRY_AFTER));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }
}
