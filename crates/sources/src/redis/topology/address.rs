//! The address of a deployment: one server or several, from which the others are found.

use std::fmt;

use secrecy::SecretString;

use super::super::target::{RedisTarget, bad, percent_decode, percent_encode, split_credentials};
use crate::error::SourceError;

/// The port Sentinels listen on where a URL names none.
const SENTINEL_PORT: u16 = 26379;

/// Addresses one URL may name; a deployment is found from any one of its servers.
const MOST_SEEDS: usize = 64;

/// Where to begin, and as whom to speak to the servers that are found from there.
#[derive(Clone, Debug)]
pub struct RedisAddress {
    seeds: Vec<RedisTarget>,
    sentinel: Option<SentinelService>,
    direct: bool,
}

/// A primary as Sentinels know it.
#[derive(Clone, Debug)]
pub(crate) struct SentinelService {
    pub(crate) service: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
}

impl RedisAddress {
    /// Reads what [`RedisTarget::parse`] reads, and besides:
    ///
    /// - several hosts: `redis://user@host1:7000,host2:7000`, or without scheme;
    /// - Sentinels: `redis+sentinel://user@host1:26379,host2/SERVICE[/database]` (also `redis-sentinel://`,
    ///   `rediss+sentinel://` for TLS, and `#SERVICE`). User and password are those of the data servers;
    ///   `?sentinel_username=…&sentinel_password=…` are those of the Sentinels;
    /// - `?direct=true`: watch these servers alone and look for no others.
    ///
    /// # Errors
    /// With code `bad_url` and one sentence that says which part can't be read; it never repeats credentials.
    pub fn parse(url: &str) -> Result<Self, SourceError> {
        let url = url.trim();
        if url.is_empty() {
            return Self::of_one(url);
        }
        let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
        let scheme = scheme.to_ascii_lowercase();
        let (base, sentinel) = match scheme.as_str() {
            "redis+sentinel" | "redis-sentinel" | "valkey+sentinel" => ("redis", true),
            "rediss+sentinel" | "rediss-sentinel" | "valkeys+sentinel" => ("rediss", true),
            "redis" | "valkey" => ("redis", false),
            "rediss" | "valkeys" => ("rediss", false),
            // A socket file has one server, and what is no scheme of ours is told so by the parser of one.
            _ => return Self::of_one(url),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        let (query, fragment) = query.split_once('#').map_or((query, ""), |(query, after)| (query, after));
        let (rest, fragment) = match rest.rsplit_once('#') {
            // A '#' before an '@' is part of a password.
            Some((before, after)) if !after.contains('@') => (before, after),
            _ => (rest, fragment),
        };
        let (credentials, rest) = split_credentials(rest);
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut own = Own::default();
        let query = own.take(query)?;
        let (service, path) = match (sentinel, fragment.is_empty()) {
            (false, true) => (None, path),
            (false, false) => {
                return Err(bad("the Redis URL has a '#' where only a Sentinel's has one".into()));
            }
            (true, false) => (Some(fragment), path),
            (true, true) => {
                let (service, path) = path.split_once('/').unwrap_or((path, ""));
                (Some(service), path)
            }
        };
        let hosts: Vec<&str> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            return Err(bad("the Redis URL names no host".to_owned()));
        }
        if hosts.len() > MOST_SEEDS {
            return Err(bad(format!("the Redis URL names more than {MOST_SEEDS} hosts: a few are enough")));
        }
        let credentials = credentials.map(|credentials| format!("{credentials}@")).unwrap_or_default();
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let one = |host: &&str| {
            let port =
                if sentinel && !names_port(host) { format!(":{SENTINEL_PORT}") } else { String::new() };
            RedisTarget::parse(&format!("{base}://{credentials}{host}{port}{path}{query}"))
        };
        let seeds = hosts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        let sentinel = service.map(|service| own.service(service)).transpose()?;
        Ok(Self { seeds, sentinel, direct: own.direct })
    }

    fn of_one(url: &str) -> Result<Self, SourceError> {
        Ok(Self { seeds: vec![RedisTarget::parse(url)?], sentinel: None, direct: false })
    }

    /// Where to begin; at least one. Of a Sentinel group these are the Sentinels' addresses with the login of
    /// the data servers.
    #[must_use]
    pub fn seeds(&self) -> &[RedisTarget] {
        &self.seeds
    }

    pub(crate) fn sentinel(&self) -> Option<&SentinelService> {
        self.sentinel.as_ref()
    }

    pub(super) fn set_service(
        &mut self,
        service: &str,
        user: Option<String>,
        password: Option<SecretString>,
    ) {
        self.sentinel = Some(SentinelService { service: service.to_owned(), user, password });
    }

    /// Whether no other servers are to be looked for.
    pub(crate) fn direct(&self) -> bool {
        self.direct
    }

    /// The address of a Sentinel with the login for it.
    pub(crate) fn sentinel_at(&self, seed: &RedisTarget) -> RedisTarget {
        match &self.sentinel {
            Some(service) => seed.clone().with_login(service.user.clone(), service.password.clone()),
            None => seed.clone(),
        }
    }

    /// Password of the data servers.
    #[must_use]
    pub fn password(&self) -> Option<&SecretString> {
        self.seeds.first().and_then(RedisTarget::password)
    }

    /// Password of the Sentinels.
    #[must_use]
    pub fn sentinel_password(&self) -> Option<&SecretString> {
        self.sentinel.as_ref()?.password.as_ref()
    }

    /// The same with another password of the data servers.
    #[must_use]
    pub fn with_password(mut self, password: &SecretString) -> Self {
        self.seeds = self.seeds.into_iter().map(|seed| seed.with_password(password.clone())).collect();
        self
    }

    /// The same with another password of the Sentinels; nothing changes where none are named.
    #[must_use]
    pub fn with_sentinel_password(mut self, password: &SecretString) -> Self {
        if let Some(service) = &mut self.sentinel {
            service.password = Some(password.clone());
        }
        self
    }

    /// Whom a login may be shown to, as one text: the servers, the service that Sentinels are asked for, with or
    /// without TLS, and the users. Two addresses that differ in the database alone have the same.
    #[must_use]
    pub fn login_scope(&self) -> String {
        let seeds = self.seeds.iter().map(|seed| seed.clone().in_first_database()).collect();
        Self { seeds, direct: false, sentinel: self.sentinel.clone() }.public_url()
    }

    /// The URL without passwords; parsing it gives this address back, but for the passwords.
    #[must_use]
    pub fn public_url(&self) -> String {
        let [first, ..] = self.seeds.as_slice() else { return String::new() };
        let mut url = if self.seeds.len() == 1 && self.sentinel.is_none() {
            first.public_url()
        } else {
            let scheme = if first.tls() { "rediss" } else { "redis" };
            let sentinel = if self.sentinel.is_some() { "+sentinel" } else { "" };
            let user = first.user().map(|user| format!("{}@", percent_encode(user))).unwrap_or_default();
            let service = self.sentinel.as_ref().map(|known| format!("/{}", percent_encode(&known.service)));
            let database =
                if first.database() == 0 { String::new() } else { format!("/{}", first.database()) };
            let hosts: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
            format!("{scheme}{sentinel}://{user}{}{}{database}", hosts.join(","), service.unwrap_or_default())
        };
        let mut add = |parameter: String| {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&parameter);
        };
        if let Some(user) = self.sentinel.as_ref().and_then(|known| known.user.as_ref()) {
            add(format!("sentinel_username={}", percent_encode(user)));
        }
        if self.direct {
            add("direct=true".to_owned());
        }
        url
    }
}

/// For people: `cache:6379`, `a:7000 and 2 more`, `mymaster by a:26379 and 2 more`.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(known) = &self.sentinel {
            write!(f, "{} by ", known.service)?;
        }
        if let Some(first) = self.seeds.first() {
            write!(f, "{first}")?;
        }
        if self.seeds.len() > 1 {
            write!(f, " and {} more", self.seeds.len() - 1)?;
        }
        Ok(())
    }
}

/// Parameters of a URL that are about the deployment and not about one server.
#[derive(Default)]
struct Own {
    direct: bool,
    sentinel_user: Option<String>,
    sentinel_password: Option<SecretString>,
}

impl Own {
    /// Takes its own out of a query and returns the rest.
    fn take(&mut self, query: &str) -> Result<String, SourceError> {
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = || {
                percent_decode(value)
                    .ok_or_else(|| bad("the Redis URL is wrongly percent-encoded".to_owned()))
            };
            match name {
                "direct" => self.direct = !matches!(value, "false" | "no" | "0"),
                "sentinel_username" | "sentinel_user" => self.sentinel_user = Some(decoded()?),
                "sentinel_password" => self.sentinel_password = Some(decoded()?.into()),
                _ => rest.push(pair),
            }
        }
        Ok(rest.join("&"))
    }

    fn service(&self, service: &str) -> Result<SentinelService, SourceError> {
        let service = percent_decode(service).filter(|service| !service.is_empty()).ok_or_else(|| {
            bad("the Sentinel URL doesn't name the primary: redis+sentinel://host:26379/mymaster".to_owned())
        })?;
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(SentinelService {
            service,
            user: filled(&self.sentinel_user),
            password: self.sentinel_password.clone(),
        })
    }
}

fn names_port(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(address) => address.contains("]:"),
        None => host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn addresses_of_several_servers_are_taken_apart_and_put_together() {
        for (url, seeds, service, words, public) in [
            ("a:1,b", "a:1 b:6379", None, "a:1 and 1 more", "redis://a:1,b:6379"),
            ("redis://u:p%40@a:1,b:2/3", "a:1 b:2", None, "a:1 and 1 more", "redis://u@a:1,b:2/3"),
            ("rediss://[::1]:7,c", "[::1]:7 c:6379", None, "[::1]:7 and 1 more", "rediss://[::1]:7,c:6379"),
            ("redis://a", "a:6379", None, "a:6379", "redis://a:6379"),
            ("redis://a?direct=true", "a:6379", None, "a:6379", "redis://a:6379?direct=true"),
            ("redis://a/2?direct", "a:6379", None, "a:6379", "redis://a:6379/2?direct=true"),
            ("unix:///run/r.sock", "/run/r.sock", None, "/run/r.sock", "unix:///run/r.sock"),
            (
                "redis-sentinel://:pw@s1,s2:5,[::1]/my%20master/4?sentinel_username=w&sentinel_password=x",
                "s1:26379 s2:5 [::1]:26379",
                Some("my master"),
                "my master by s1:26379 and 2 more",
                "redis+sentinel://s1:26379,s2:5,[::1]:26379/my%20master/4?sentinel_username=w",
            ),
            ("rediss+sentinel://s#m", "s:26379", Some("m"), "m by s:26379", "rediss+sentinel://s:26379/m"),
        ] {
            let address = RedisAddress::parse(url).expect(url);
            let said: Vec<_> = address.seeds().iter().map(ToString::to_string).collect();
            assert_eq!(said.join(" "), seeds, "{url}");
            assert_eq!(address.sentinel().map(|known| known.service.as_str()), service, "{url}");
            assert_eq!(address.to_string(), words, "{url}");
            assert_eq!(address.public_url(), public, "{url}");
            let again = RedisAddress::parse(public).expect(public);
            assert_eq!(again.public_url(), public);
            assert_eq!(again.direct(), address.direct());
        }
    }

    #[test]
    fn every_server_gets_the_login_and_sentinels_their_own() {
        let address = RedisAddress::parse(
            "redis+sentinel://ann:one@a,b/m?sentinel_password=two&sentinel_username=watch",
        )
        .expect("a good URL");
        let password = |target: &RedisTarget| target.password().map(|it| it.expose_secret().to_owned());
        for seed in address.seeds() {
            assert_eq!((seed.user(), password(seed).as_deref()), (Some("ann"), Some("one")));
            let sentinel = address.sentinel_at(seed);
            assert_eq!((sentinel.user(), password(&sentinel).as_deref()), (Some("watch"), Some("two")));
        }
        let elsewhere = address.seeds()[0].at("10.0.0.9", 6380);
        assert_eq!(elsewhere.to_string(), "10.0.0.9:6380");
        assert_eq!(password(&elsewhere).as_deref(), Some("one"));
    }

    #[test]
    fn what_can_not_be_read_is_told_without_a_secret() {
        for (url, words) in [
            ("", "empty"),
            ("redis://hunter2:x@", "names no host"),
            ("redis://,", "names no host"),
            ("redis+sentinel://:hunter2@a", "doesn't name the primary"),
            ("redis://u:hunter2@a,b:x", "port"),
            ("redis://u:hunter2@a?nonsense=1", "parameter"),
            ("nonsense://u:hunter2@a", "unknown scheme"),
        ] {
            let error = RedisAddress::parse(url).expect_err(url);
            assert!(error.to_string().contains(words), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
