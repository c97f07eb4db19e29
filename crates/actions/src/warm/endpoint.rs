//! From a plan's endpoint and a key to a request. What a key holds is data: it is written so that it can't change the
//! path, the query, a header or the structure of a body.

use std::collections::BTreeMap;

use cachescope_engine::matcher::Matcher;
use cachescope_model::key::printable;
use cachescope_model::template::Template;
use cachescope_sources::http::{Call, call};
use secrecy::{ExposeSecret as _, SecretString};

use super::plan::Endpoint;
use crate::failure::{Failure, FailureKind};
use crate::placeholders::{Piece, pieces};

/// Secrets by name.
pub type EndpointSecrets = BTreeMap<String, SecretString>;

/// Headers that HTTP itself sets.
const NOT_OURS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Requests<'e> {
    endpoint: &'e Endpoint,
    headers: Vec<(String, SecretString)>,
    /// What names the keys, and what of it is asked for.
    keyed: Option<(Matcher, Vec<String>)>,
}

impl<'e> Requests<'e> {
    /// For one request, or with `template` for one a key. `fence` grows with every holder of the plan's lock: an
    /// endpoint can refuse what an earlier one still sends.
    pub(crate) fn new(
        endpoint: &'e Endpoint,
        template: Option<&str>,
        secrets: &EndpointSecrets,
        fence: Option<u64>,
    ) -> Result<Self, Failure> {
        let mut headers = Vec::new();
        for (name, value) in &endpoint.headers {
            if NOT_OURS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(Failure::bad(
                    format!("the header {name} is not a plan's to set"),
                    "leave it out",
                ));
            }
            headers.push((name.clone(), SecretString::from(value.clone())));
        }
        let says_type = endpoint.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if !endpoint.body.is_empty() && !says_type {
            headers.push(("Content-Type".to_owned(), SecretString::from("application/json")));
        }
        if let Some(secret) = &endpoint.secret {
            let Some(value) = secrets.get(&secret.name) else {
                return Err(Failure::new(
                    FailureKind::BadInput,
                    format!("the secret {:?} of the endpoint is not known here", secret.name),
                    "give it once; it is kept in the keychain, or given to the command",
                ));
            };
            let whole = format!("{}{}", secret.prefix, value.expose_secret());
            headers.push((secret.header.clone(), SecretString::from(whole)));
        }
        if let Some(fence) = fence {
            headers.push(("Cachescope-Fence".to_owned(), SecretString::from(fence.to_string())));
        }
        let keyed = match template {
            None => None,
            Some(template) => Some(keyed(endpoint, template)?),
        };
        let requests = Self { endpoint, headers, keyed };
        if requests.keyed.is_none() {
            requests.whole()?;
        }
        Ok(requests)
    }

    /// The one request.
    pub(crate) fn whole(&self) -> Result<Call, Failure> {
        self.call(self.endpoint.url.clone(), self.endpoint.body.clone())
    }

    /// The request for a key.
    pub(crate) fn of_key(&self, key: &[u8]) -> Result<Call, Failure> {
        let Some((matcher, _)) = &self.keyed else { return self.whole() };
        let foreign = || {
            let key = printable(key);
            Failure::bad(format!("{key} is not named by the plan's template"), "leave it out of the plan")
        };
        let found = matcher.find(0, key).ok_or_else(foreign)?;
        let field = |name: &str| matcher.field(found, key, name).ok_or_else(foreign);
        let url = filled(&self.endpoint.url, &field, in_url)?;
        let body = filled(&self.endpoint.body, &field, in_json)?;
        self.call(url, body)
    }

    fn call(&self, url: String, body: String) -> Result<Call, Failure> {
        let made = Call { method: self.endpoint.method.clone(), url, headers: self.headers.clone(), body };
        call::check(&made).map_err(bad)?;
        Ok(made)
    }
}

/// A request that can't be made is the plan's fault, not a server's.
fn bad(error: cachescope_sources::error::SourceError) -> Failure {
    Failure::new(FailureKind::BadInput, error.to_string(), error.remedy())
}

fn keyed(endpoint: &Endpoint, template: &str) -> Result<(Matcher, Vec<String>), Failure> {
    let template = Template::parse(template).map_err(|error| Failure::bad(error.to_string(), ""))?;
    let known: Vec<String> = template.fields().map(str::to_owned).collect();
    let mut asked = Vec::new();
    for text in [&endpoint.url, &endpoint.body] {
        for piece in pieces(text) {
            if let Piece::Field(name) = piece {
                if !known.iter().any(|field| field == name) {
                    return Err(Failure::bad(
                        format!("{template} has no field {name:?}; it has {}", known.join(", ")),
                        "correct the field in the URL or the body",
                    ));
                }
                asked.push(name.to_owned());
            }
        }
    }
    if asked.is_empty() && !known.is_empty() {
        return Err(Failure::bad(
            format!(
                "neither the URL nor the body names a field of {template}, so every request would be the same"
            ),
            &format!(
                "write one of {}",
                known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let host = endpoint.url.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    if pieces(host).iter().any(|piece| matches!(piece, Piece::Field(_))) {
        return Err(Failure::bad(
            "a field stands in the URL's host, so a key could choose it",
            "write the host out",
        ));
    }
    Ok((Matcher::new(&[(template, None)]), asked))
}

fn filled<'k>(
    text: &str,
    field: &impl Fn(&str) -> Result<&'k [u8], Failure>,
    written: impl Fn(&[u8]) -> Result<String, Failure>,
) -> Result<String, Failure> {
    let mut all = String::with_capacity(text.len() + 32);
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => all.push_str(literal),
            Piece::Field(name) => all.push_str(&written(field(name)?)?),
        }
    }
    Ok(all)
}

/// Everything but unreserved characters is escaped (RFC 3986, section 2.3). A value of dots alone would be a step
/// upwards in the path, escaped or not.
fn in_url(value: &[u8]) -> Result<String, Failure> {
    use std::fmt::Write as _;
    if matches!(value, b"." | b"..") {
        return Err(Failure::bad(
            "a key's field consists of dots, which would be another path",
            "leave that key out of the plan",
        ));
    }
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(*byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Ok(text)
}

/// As within the quotes of a JSON string.
fn in_json(value: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(value).map_err(|_| {
        Failure::bad("a key's field is no text, so no body can be made of it", "leave that key out")
    })?;
    let quoted = serde_json::Value::from(text).to_string();
    Ok(quoted[1..quoted.len() - 1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: BTreeMap::new(),
            body: String::new(),
            secret: None,
            private_addresses: false,
        }
    }

    fn of(url: &str, template: &str, key: &[u8]) -> Result<String, Failure> {
        let endpoint = endpoint(url);
        let requests = Requests::new(&endpoint, Some(template), &EndpointSecrets::new(), None)?;
        Ok(requests.of_key(key)?.url)
    }

    #[test]
    fn a_keys_fields_fill_the_url_and_can_not_leave_their_place() {
        let (url, template) = ("https://api/tiles/{tile}?v={v}", "dashboard:tile:{tile}:v{v#}");
        for (key, filled) in [
            (&b"dashboard:tile:sales:v1"[..], "https://api/tiles/sales?v=1"),
            (b"dashboard:tile:a/b?c#d&e%:v1", "https://api/tiles/a%2Fb%3Fc%23d%26e%25?v=1"),
            (b"dashboard:tile:\xff \n:v1", "https://api/tiles/%FF%20%0A?v=1"),
        ] {
            assert_eq!(of(url, template, key).expect("filled"), filled);
        }
        for key in [&b"dashboard:tile:..:v1"[..], b"dashboard:tile:.:v1", b"other:key"] {
            assert!(of(url, template, key).is_err(), "{}", printable(key));
        }
    }

    #[test]
    fn unknown_fields_hosts_made_of_keys_and_urls_without_a_host_are_refused_in_one_sentence() {
        for (url, part) in [
            ("https://api/tiles/{tyle}", "no field \"tyle\""),
            ("https://{tile}.example/x", "host"),
            ("https://api/tiles", "every request would be the same"),
        ] {
            let failure = of(url, "tile:{tile}", b"tile:1").expect_err(url);
            assert!(failure.sentence.contains(part), "{url}: {failure}");
            assert_eq!(failure.kind, FailureKind::BadInput);
        }
        let failure = of("/tiles/{tile}", "tile:{tile}", b"tile:1").expect_err("no host");
        assert!(failure.sentence.contains("names no host"), "{failure}");
    }

    #[test]
    fn a_body_stays_json_whatever_a_key_holds_and_a_secret_is_only_in_its_header() {
        let mut endpoint = endpoint("https://api/warm");
        endpoint.body = r#"{"id":"{id}"}"#.to_owned();
        endpoint.secret = Some(super::super::plan::SecretHeader::bearer("token"));
        let mut secrets = EndpointSecrets::new();
        assert!(Requests::new(&endpoint, Some("a:{id}"), &secrets, None).is_err(), "the secret is not known");
        secrets.insert("token".to_owned(), SecretString::from("hunter2"));
        let requests = Requests::new(&endpoint, Some("a:{id}"), &secrets, Some(7)).expect("known");
        let call = requests.of_key(br#"a:x","y"="z\"#).expect("filled");
        let body: serde_json::Value = serde_json::from_str(&call.body).expect("JSON");
        assert_eq!(body["id"], r#"x","y"="z\"#);
        assert!(!format!("{call:?}").contains("hunter2"), "{call:?}");
        let sent = |name: &str| {
            let found = call.headers.iter().find(|(known, _)| known == name).expect("sent");
            found.1.expose_secret().to_owned()
        };
        assert_eq!(
            (sent("Authorization").as_str(), sent("Cachescope-Fence").as_str()),
            ("Bearer hunter2", "7")
        );
        assert_eq!(sent("Content-Type"), "application/json");
    }
}
