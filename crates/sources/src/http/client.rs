//! The one HTTP client: every request has a deadline, every answer a bound, every failure one sentence.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;

use super::address::{Address, Credentials};
use super::failure::{self, LeavesHost};
use super::public_only::{self, PublicOnly};
use super::tunnelled::Ways;
use crate::error::{ErrorCode, SourceError};
use crate::redis::TlsOptions;
use crate::ssh::Tunnel;

/// Redirects followed within the host.
pub(super) const MAX_REDIRECTS: usize = 5;

/// How an endpoint is reached.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Who we are; what stands in the URL wins.
    pub credentials: Credentials,
    /// The tunnel it is reached through; `None` reaches it directly.
    pub ssh: Option<Arc<Tunnel>>,
    /// Whom we trust and our own certificate.
    pub tls: TlsOptions,
    /// Deadline of a connection's set-up.
    pub connect_timeout: Duration,
    /// Deadline of a whole exchange, from the first byte sent to the last one received.
    pub timeout: Duration,
    /// Largest answer that is read, in bytes after decompression.
    pub max_bytes: usize,
    /// Addresses of private networks and of this machine may be meant. Where not, nothing is sent to one, whatever name
    /// it hides behind.
    pub private_addresses: bool,
    /// Redirects within the host are followed.
    pub follows: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            credentials: Credentials::None,
            ssh: None,
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            max_bytes: crate::prometheus::exposition::MAX_PAGE_BYTES,
            private_addresses: true,
            follows: true,
        }
    }
}

/// What an endpoint answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The `Content-Type` header, where it is readable.
    pub content_type: Option<String>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// A client for one endpoint.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    address: Address,
    options: HttpOptions,
    ways: Option<Ways>,
}

impl HttpClient {
    /// A client for the endpoint at `url`.
    ///
    /// # Errors
    /// Code `bad_url` for an address that can't be read, `tls` for certificate files that can't be used.
    pub fn new(url: &str, options: HttpOptions) -> Result<Self, SourceError> {
        let (address, in_url) = Address::parse(url)?;
        Self::of(address, in_url, options)
    }

    pub(super) fn of(
        address: Address,
        in_url: Credentials,
        options: HttpOptions,
    ) -> Result<Self, SourceError> {
        let credentials = match in_url {
            Credentials::None => options.credentials,
            in_url => in_url,
        };
        let options = HttpOptions { credentials, ..options };
        let mut builder = Client::builder();
        if !options.private_addresses {
            public_only::refuse_literal(&address)?;
            // A proxy would look the name up itself.
            builder = builder.dns_resolver(PublicOnly).no_proxy();
        }
        let ways = options.ssh.clone();
        let ways = ways.map(|tunnel| Ways::new(tunnel, &address, options.connect_timeout)).transpose()?;
        let tunnelled = ways.is_some();
        let follow = move |attempt: Attempt<'_>| follow_within_host(attempt, tunnelled);
        let client = builder
            .tls_backend_preconfigured(tls(&address, &options.tls)?)
            .user_agent(concat!("cachescope/", env!("CARGO_PKG_VERSION")))
            .redirect(if options.follows { Policy::custom(follow) } else { Policy::none() })
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .referer(false)
            .pool_max_idle_per_host(4);
        let client = match &ways {
            Some(ways) => ways.take(client),
            None => client,
        };
        let client = client.build().map_err(|error| failure::of(&error, &address, &options))?;
        Ok(Self { client, address, options, ways })
    }

    /// Where it goes, as it may be shown.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Fetches the endpoint's own address.
    ///
    /// # Errors
    /// When nothing answers in time, what answers is larger than the bound, or the status is not 200.
    pub async fn get(&self, accept: &str) -> Result<Answer, SourceError> {
        let request = self.client.get(self.address.url().clone()).header(ACCEPT, accept);
        let answer = self.exchange(request, &self.address).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            status => Err(failure::of_status(status, &answer.body, &self.address, &self.options)),
        }
    }

    /// Fetches the endpoint's own address and leaves its body to be taken piece by piece.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_in_pieces(&self, accept: &str) -> Result<Arriving<'_>, SourceError> {
        let request = self.client.get(self.address.url().clone()).header(ACCEPT, accept);
        let mut arriving = self.open(request, &self.address).await?;
        match arriving.response.status() {
            StatusCode::OK => Ok(arriving),
            status => {
                let body = arriving.whole().await?;
                Err(failure::of_status(status, &body, &self.address, &self.options))
            }
        }
    }

    /// Posts a form to `path` below the endpoint's address. Any status but 401 and 403 comes back as an
    /// answer: interfaces say in the body what was wrong.
    ///
    /// # Errors
    /// When nothing answers in time, what answers is larger than the bound, or we are not let in.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, SourceError> {
        let address = self.address.below(path);
        let request = self.client.post(address.url().clone()).form(form);
        let answer = self.exchange(request, &address).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(failure::of_status(answer.status, &answer.body, &address, &self.options))
            }
            _ => Ok(answer),
        }
    }

    /// Gets `path` below the endpoint's address; otherwise as [`Self::post_form`].
    ///
    /// # Errors
    /// As [`Self::post_form`].
    pub async fn get_below(&self, path: &str) -> Result<Answer, SourceError> {
        let address = self.address.below(path);
        let answer = self.exchange(self.client.get(address.url().clone()), &address).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(failure::of_status(answer.status, &answer.body, &address, &self.options))
            }
            _ => Ok(answer),
        }
    }

    /// Posts JSON to the endpoint's own address.
    ///
    /// # Errors
    /// When nothing answers in time, what answers is larger than the bound, or the status is no success.
    pub async fn post_json(&self, json: String) -> Result<Answer, SourceError> {
        let request = self.client.post(self.address.url().clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(json);
        let answer = self.exchange(request, &self.address).await?;
        match answer.status {
            status if status.is_success() => Ok(answer),
            status => Err(failure::of_status(status, &answer.body, &self.address, &self.options)),
        }
    }

    /// Sends a request that changes something to the endpoint's own address, once. Of such a client no redirect should be
    /// followed ([`HttpOptions::follows`]): most kinds would turn it into a mere GET.
    ///
    /// # Errors
    /// When nothing answers in time, what answers is larger than the bound, or the status is no success.
    pub async fn act(&self, method: &str, json: Option<String>) -> Result<Answer, SourceError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            SourceError::new(ErrorCode::BadUrl, format!("{method:?} is no method of HTTP"), "use POST")
        })?;
        let mut request = self.client.request(method, self.address.url().clone());
        if let Some(json) = json {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        let answer = self.exchange(request, &self.address).await?;
        match answer.status {
            status if status.is_success() => Ok(answer),
            status => Err(failure::of_status(status, &answer.body, &self.address, &self.options)),
        }
    }

    async fn exchange(&self, request: RequestBuilder, address: &Address) -> Result<Answer, SourceError> {
        let mut arriving = self.open(request, address).await?;
        let (status, content_type) = (arriving.response.status(), arriving.content_type());
        Ok(Answer { status, content_type, body: arriving.whole().await? })
    }

    async fn open<'c>(
        &'c self,
        request: RequestBuilder,
        address: &'c Address,
    ) -> Result<Arriving<'c>, SourceError> {
        if let Some(ways) = &self.ways {
            ways.ready().await?;
        }
        let request = match &self.options.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password.expose_secret())),
            Credentials::Bearer(token) => request.bearer_auth(token.expose_secret()),
        };
        let response = request.send().await.map_err(|error| failure::of(&error, address, &self.options))?;
        Ok(Arriving { response, address, options: &self.options, received: 0 })
    }
}

/// An answer whose body is on its way.
#[derive(Debug)]
pub struct Arriving<'c> {
    response: Response,
    address: &'c Address,
    options: &'c HttpOptions,
    received: usize,
}

impl Arriving<'_> {
    /// The `Content-Type` header, where it is readable.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// The next piece of the body, decompressed; `None` at its end.
    ///
    /// # Errors
    /// When it does not come in time, or the body is larger than the bound.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, SourceError> {
        if self.announced().is_some_and(|announced| announced > self.options.max_bytes) {
            return Err(self.too_large());
        }
        let failed = |error: reqwest::Error| failure::of(&error, self.address, self.options);
        let Some(piece) = self.response.chunk().await.map_err(failed)? else { return Ok(None) };
        self.received += piece.len();
        if self.received > self.options.max_bytes { Err(self.too_large()) } else { Ok(Some(piece)) }
    }

    async fn whole(&mut self) -> Result<Vec<u8>, SourceError> {
        let room = self.announced().filter(|announced| *announced <= self.options.max_bytes);
        let mut body = Vec::with_capacity(room.unwrap_or_default());
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn announced(&self) -> Option<usize> {
        self.response.content_length().and_then(|length| usize::try_from(length).ok())
    }

    fn too_large(&self) -> SourceError {
        let most = self.options.max_bytes.div_ceil(1024 * 1024);
        let sentence = format!("the answer of {} is larger than {most} MB", self.address);
        SourceError::new(ErrorCode::TooLarge, sentence, "ask for less: fewer series or a shorter time")
    }
}

/// Plain HTTP trusts nobody, so a machine without certificate authorities can still use it.
pub(super) fn tls(address: &Address, options: &TlsOptions) -> Result<ClientConfig, SourceError> {
    if address.url().scheme() == "https" {
        return options.client_config().map(|config| ClientConfig::clone(&config));
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| {
        SourceError::new(ErrorCode::Tls, format!("TLS can't be set up: {error}"), String::new())
    })?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// A redirect may change the path, not the host, and never give TLS up. Where the ways of a tunnel lead to one port, it
/// may not change that.
fn follow_within_host(attempt: Attempt<'_>, tunnelled: bool) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    let same_host = first.host() == attempt.url().host();
    let safe = first.scheme() != "https" || attempt.url().scheme() == "https";
    let same_port = first.port_or_known_default() == attempt.url().port_or_known_default();
    let there = same_host && (same_port || !tunnelled);
    if there && safe && attempt.previous().len() <= MAX_REDIRECTS {
        return attempt.follow();
    }
    let leaves = LeavesHost {
        to: attempt.url().host_str().unwrap_or_default().to_owned(),
        endless: attempt.previous().len() > MAX_REDIRECTS,
        downgrade: same_host && !safe,
        other_port: same_host && !there,
    };
    attempt.error(leaves)
}
