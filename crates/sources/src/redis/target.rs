//! Where a Redis server is and as whom to speak to it: the URL an operator types, taken apart.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cachescope_model::observation::NodeName;
use secrecy::SecretString;

use crate::error::{ErrorCode, SourceError};

/// The port Redis listens on where a URL names none.
pub const DEFAULT_PORT: u16 = 6379;

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Over TCP.
    Tcp {
        /// Host name or address, IPv6 without its brackets.
        host: String,
        /// TCP port.
        port: u16,
        /// Whether the connection is encrypted and the server's certificate verified.
        tls: bool,
    },
    /// Over a socket file on this machine.
    Unix(PathBuf),
}

/// A server's address and who asks. The password never leaves it except into the handshake.
#[derive(Clone, Debug)]
pub struct RedisTarget {
    endpoint: Endpoint,
    user: Option<String>,
    password: Option<SecretString>,
    database: u16,
}

impl RedisTarget {
    /// Reads `redis://`, `rediss://` (TLS), `unix://` or `redis+unix://` URLs and bare `host:port`.
    ///
    /// The form is `redis://[[user]:password@]host[:port][/database]`, and
    /// `unix://[[user]:password@]/path/to/socket[?db=3]`. User and password are percent-decoded. A name before
    /// `@` without a colon is a user whose password comes from elsewhere.
    ///
    /// # Errors
    /// With code `bad_url` and one sentence that says which part can't be read; it never repeats credentials.
    pub fn parse(url: &str) -> Result<Self, SourceError> {
        let url = url.trim();
        if url.is_empty() {
            return Err(bad("the Redis URL is empty".to_owned()));
        }
        let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => Self::parse_tcp(rest, query, false),
            "rediss" | "valkeys" => Self::parse_tcp(rest, query, true),
            "unix" | "redis+unix" | "valkey+unix" => Self::parse_unix(rest, query),
            "http" | "https" => Err(bad(format!(
                "{scheme}:// is not a Redis URL; metrics pages and Prometheus servers are given apart from Redis"
            ))),
            // What stands before "://" may be part of a password typed without a scheme: it is not repeated.
            _ => Err(bad("the Redis URL has an unknown scheme".to_owned())),
        }
    }

    fn parse_tcp(rest: &str, query: &str, tls: bool) -> Result<Self, SourceError> {
        let (credentials, rest) = split_credentials(rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(authority)?;
        let mut target = Self::new(Endpoint::Tcp { host, port, tls });
        target.take_credentials(credentials)?;
        let path = path.trim_end_matches('/');
        if !path.is_empty() {
            target.database = database(path)?;
        }
        target.take_query(query)?;
        Ok(target)
    }

    fn parse_unix(rest: &str, query: &str) -> Result<Self, SourceError> {
        // An @ may stand in the path as well: only one before the first slash ends the credentials.
        let before_path = rest.find('/').unwrap_or(rest.len());
        let (credentials, path) = match rest[..before_path].rfind('@') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        if !path.starts_with('/') || path.len() == 1 {
            return Err(bad(
                "a unix:// URL needs the full path of the socket, with three slashes: unix:///run/redis.sock"
                    .to_owned(),
            ));
        }
        let path = percent_decode(path).ok_or_else(|| bad("the socket path is not UTF-8".to_owned()))?;
        let mut target = Self::new(Endpoint::Unix(path.into()));
        target.take_credentials(credentials)?;
        target.take_query(query)?;
        Ok(target)
    }

    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, user: None, password: None, database: 0 }
    }

    fn take_credentials(&mut self, credentials: Option<&str>) -> Result<(), SourceError> {
        let Some(credentials) = credentials else { return Ok(()) };
        let decode = |text: &str| {
            percent_decode(text).ok_or_else(|| {
                bad("user or password in the Redis URL are wrongly percent-encoded".to_owned())
            })
        };
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (decode(user)?, Some(decode(password)?)),
            None => (decode(credentials)?, None),
        };
        self.user = Some(user).filter(|user| !user.is_empty());
        self.password = password.filter(|password| !password.is_empty()).map(SecretString::from);
        Ok(())
    }

    fn take_query(&mut self, query: &str) -> Result<(), SourceError> {
        let decode = |text: &str| {
            percent_decode(text).ok_or_else(|| bad("the Redis URL is wrongly percent-encoded".to_owned()))
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "db" => self.database = database(value)?,
                "user" => self.user = Some(decode(value)?),
                "pass" | "password" => self.password = Some(decode(value)?.into()),
                "protocol" => {} // both protocol versions are used, each where it is needed
                _ => {
                    return Err(bad(
                        "the Redis URL has a parameter other than db, user and pass after its '?'".to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The same target with another password, such as one from the keychain or a prompt.
    #[must_use]
    pub fn with_password(mut self, password: SecretString) -> Self {
        self.password = Some(password);
        self
    }

    /// As the same user with the same password, at another host and port of the same deployment. A server behind
    /// a socket file has no neighbours that could be reached otherwise than by TCP without TLS.
    #[must_use]
    pub fn at(&self, host: &str, port: u16) -> Self {
        let endpoint = Endpoint::Tcp { host: host.to_owned(), port, tls: self.tls() };
        Self { endpoint, ..self.clone() }
    }

    /// At the same address as another user.
    #[must_use]
    pub(super) fn with_login(self, user: Option<String>, password: Option<SecretString>) -> Self {
        Self { user, password, database: 0, ..self }
    }

    /// The same, but for the database.
    #[must_use]
    pub(super) fn in_first_database(self) -> Self {
        Self { database: 0, ..self }
    }

    /// How to reach it.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The ACL user; `None` is the default user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Its password.
    #[must_use]
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// The logical database the URL names; every database is watched all the same.
    #[must_use]
    pub fn database(&self) -> u16 {
        self.database
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn tls(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tcp { tls: true, .. })
    }

    /// The URL without the password; parsing it gives this target back, but for the password.
    #[must_use]
    pub fn public_url(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{}@", percent_encode(user))).unwrap_or_default();
        match &self.endpoint {
            Endpoint::Tcp { tls, .. } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                let database = if self.database == 0 { String::new() } else { format!("/{}", self.database) };
                format!("{scheme}://{user}{self}{database}")
            }
            Endpoint::Unix(path) => {
                let database =
                    if self.database == 0 { String::new() } else { format!("?db={}", self.database) };
                format!("unix://{user}{}{database}", percent_encode_path(&path.to_string_lossy()))
            }
        }
    }

    /// The server's name within a deployment: `host:port`, or the path of its socket.
    #[must_use]
    pub fn node_name(&self) -> NodeName {
        Arc::from(self.to_string())
    }
}

/// The address for people: `host:port`, `[::1]:6379` or the path of the socket.
impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

pub(super) fn bad(sentence: String) -> SourceError {
    SourceError::new(
        ErrorCode::BadUrl,
        sentence,
        "write redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path/to/socket; \
         percent-encode special characters of user and password",
    )
}

/// Splits `credentials@rest` at the last `@` before the path, so that an `@` typed into a password still works.
pub(super) fn split_credentials(rest: &str) -> (Option<&str>, &str) {
    let path = rest.rfind('@').map_or(rest.len(), |at| rest[at..].find('/').map_or(rest.len(), |s| at + s));
    match rest[..path].rfind('@') {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

fn split_port(authority: &str) -> Result<(String, u16), SourceError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| bad("the Redis URL has an IPv6 address without its closing ']'".to_owned()))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() && !host.contains('%') {
            return Err(bad(format!("[{host}] in the Redis URL is not an IPv6 address")));
        }
        let port = match after.strip_prefix(':') {
            None if after.is_empty() => None,
            Some(port) => Some(port),
            None => {
                return Err(bad("the Redis URL goes on after ']' with something other than :port".into()));
            }
        };
        (host, port)
    } else if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        (authority, None)
    } else {
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err(bad("the Redis URL names no host".to_owned()));
    }
    let ordinary = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if !host.chars().all(ordinary) {
        return Err(bad("the host in the Redis URL has characters that no host name has".to_owned()));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| bad("the port in the Redis URL is not a number from 1 to 65535".to_owned()))?,
    };
    Ok((host.to_owned(), port))
}

fn database(text: &str) -> Result<u16, SourceError> {
    text.parse().map_err(|_| bad("the database in the Redis URL is not a number from 0 to 65535".to_owned()))
}

pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn percent_encode(text: &str) -> String {
    encode_all_but(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn percent_encode_path(text: &str) -> String {
    encode_all_but(text, |byte| byte.is_ascii_graphic() && !b"%?#".contains(&byte))
}

fn encode_all_but(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, address, user, password, database, public) in [
            ("redis://localhost", "localhost:6379", None, None, 0, "redis://localhost:6379"),
            ("localhost", "localhost:6379", None, None, 0, "redis://localhost:6379"),
            ("10.0.0.1:7000", "10.0.0.1:7000", None, None, 0, "redis://10.0.0.1:7000"),
            ("redis://:secret@cache:6380/3", "cache:6380", None, Some("secret"), 3, "redis://cache:6380/3"),
            (
                "rediss://ann:p%40ss@cache/0",
                "cache:6379",
                Some("ann"),
                Some("p@ss"),
                0,
                "rediss://ann@cache:6379",
            ),
            (
                "redis://ann:p@ss:w/d@cache/1",
                "cache:6379",
                Some("ann"),
                Some("p@ss:w/d"),
                1,
                "redis://ann@cache:6379/1",
            ),
            ("redis://ann@cache", "cache:6379", Some("ann"), None, 0, "redis://ann@cache:6379"),
            ("redis://[::1]:6380/2", "[::1]:6380", None, None, 2, "redis://[::1]:6380/2"),
            ("redis://[fe80::2]", "[fe80::2]:6379", None, None, 0, "redis://[fe80::2]:6379"),
            ("::1", "[::1]:6379", None, None, 0, "redis://[::1]:6379"),
            ("redis://cache?db=4&protocol=resp3", "cache:6379", None, None, 4, "redis://cache:6379/4"),
            ("unix:///run/redis.sock", "/run/redis.sock", None, None, 0, "unix:///run/redis.sock"),
            (
                "redis+unix:///run/r@dis.sock?db=2&user=ann&pass=x%20y",
                "/run/r@dis.sock",
                Some("ann"),
                Some("x y"),
                2,
                "unix://ann@/run/r@dis.sock?db=2",
            ),
            (
                "unix://ann:pw@/run/redis.sock",
                "/run/redis.sock",
                Some("ann"),
                Some("pw"),
                0,
                "unix://ann@/run/redis.sock",
            ),
        ] {
            let target = RedisTarget::parse(url).expect(url);
            assert_eq!(target.to_string(), address, "{url}");
            assert_eq!(target.user(), user, "{url}");
            assert_eq!(target.password().map(|secret| secret.expose_secret()), password, "{url}");
            assert_eq!(target.database(), database, "{url}");
            assert_eq!(target.public_url(), public, "{url}");
            assert_eq!(target.tls(), url.starts_with("rediss"), "{url}");
            let again = RedisTarget::parse(public).expect(public);
            assert_eq!(again.public_url(), public, "{url}");
            assert!(!format!("{target:?}").contains("secret"), "{target:?}");
        }
    }

    #[test]
    fn bad_urls_are_refused_in_one_sentence_that_repeats_no_credentials() {
        for (url, words) in [
            ("", "empty"),
            ("ftp://hunter2@cache", "scheme"),
            ("http://cache:9121", "not a Redis URL"),
            ("redis://", "no host"),
            ("redis://:hunter2@", "no host"),
            ("redis://:hunter2@cache:port", "port"),
            ("redis://:hunter2@cache:0", "port"),
            ("redis://:hunter2@cache:70000", "port"),
            ("redis://:hunter2@cache/x", "database"),
            ("redis://:hunter2@cache/70000", "database"),
            ("redis://:hunter2%@cache", "percent-encoded"),
            ("redis://:hunter2@[::1", "]"),
            ("redis://:hunter2@[zz]", "IPv6"),
            ("redis://:hunter2@ca che", "host"),
            ("redis://:hunter2@cache?insecure=1", "parameter"),
            ("unix://:hunter2@run/redis.sock", "full path"),
            ("unix://", "full path"),
        ] {
            let error = RedisTarget::parse(url).expect_err(url);
            assert_eq!(error.code(), "bad_url", "{url}");
            let sentence = error.to_string();
            assert!(sentence.contains(words), "{url}: {sentence}");
            assert!(!sentence.contains("hunter2") && !sentence.contains('\n'), "{url}: {sentence}");
            assert!(!error.remedy().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_but_never_panics(url in ".{0,60}") {
            if let Ok(target) = RedisTarget::parse(&url) {
                let again = RedisTarget::parse(&target.public_url()).expect("a public URL can be read");
                prop_assert_eq!(again.public_url(), target.public_url());
            }
        }

        #[test]
        fn any_user_and_password_survive_percent_encoding(user in ".{1,20}", password in ".{1,20}") {
            let url = format!("redis://{}:{}@cache", percent_encode(&user), percent_encode(&password));
            let target = RedisTarget::parse(&url).expect("an encoded URL can be read");
            prop_assert_eq!(target.user(), Some(user.as_str()));
            prop_assert_eq!(target.password().map(|secret| secret.expose_secret()), Some(password.as_str()));
        }
    }
}
