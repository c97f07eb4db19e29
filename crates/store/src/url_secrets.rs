//! Does a URL contain a password? Asked before it is written to disk.
//!
//! Broader than a URL parser on purpose: what people paste is often no valid URL (a `/` or `#` left as it is
//! in the password), and a password may hide in a parameter (`unix:///run/redis.sock?pass=…`, or a second
//! URL in `?target=redis%3A%2F%2F…`, as exporters take it).

/// Query parameters whose value is a password: `pass` is how Redis URLs with a socket carry it.
const PASSWORD_PARAMETERS: [&str; 3] = ["pass", "password", "passwd"];

/// Whether the text contains `user:password@`, also nested in its query, or a password parameter.
pub(crate) fn holds_password(url: &str) -> bool {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let query = percent_decoded(query);
    // Without a query split, too: an unescaped `?` may stand in the password itself.
    authority_holds_password(after_scheme(url))
        || authority_holds_password(after_scheme(address))
        || query.match_indices("://").any(|(at, mark)| authority_holds_password(&query[at + mark.len()..]))
        || query.split(['&', '?', ';']).any(is_password_parameter)
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// `rest` starts where the authority does (RFC 3986, section 3.2) and may go on to the end of the URL.
fn authority_holds_password(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#', '&']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if let Some((userinfo, _host)) = authority.rsplit_once('@') {
        return userinfo.split_once(':').is_some_and(|(_, password)| !password.is_empty());
    }
    // `user:pa/ss@host`: what stands where a port should is no port, and the `@` comes later.
    let is_bracketed_ip = authority.starts_with('[');
    let port = authority.split_once(':').map(|(_, port)| port);
    !is_bracketed_ip
        && tail.contains('@')
        && port.is_some_and(|port| !port.chars().all(|digit| digit.is_ascii_digit()))
}

fn is_password_parameter(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        !value.is_empty() && PASSWORD_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// Decodes `%XX` (RFC 3986, section 2.1); what is no valid escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = match bytes.get(at..at + 3) {
            Some(&[b'%', high, low]) => digit(high).zip(digit(low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_wherever_it_hides() {
        for url in [
            "redis://user:hunter2@cache:6379/0",
            "rediss://:hunter2@cache",
            "redis://user:hunter2@[::1]:6379",
            "redis://user:p@ss@cache:6379",
            "redis://user:pa/ss@cache:6379",
            "redis://user:pa#ss@cache:6379",
            "redis://user:pa?ss@cache:6379",
            "redis://user:1/2?3x@cache:6379?pass=x",
            "user:hunter2@cache:6379",
            "https://user:hunter2@prometheus/base?x=1",
            "unix:///run/redis.sock?db=1&pass=hunter2",
            "unix://user:hunter2@/run/redis.sock",
            "http://exporter:9121/scrape?target=redis://user:hunter2@cache:6379",
            "http://exporter:9121/scrape?target=redis%3A%2F%2F%3Ahunter2%40cache%3A6379",
            "http://exporter:9121/scrape?check=a&Password=hunter2",
        ] {
            assert!(holds_password(url), "{url}");
        }
    }

    #[test]
    fn a_url_without_a_password_passes() {
        for url in [
            "redis://cache:6379/0",
            "redis://user@cache:6379",
            "redis://user:@cache:6379",
            "redis://[::1]:6379/0?protocol=resp3",
            "redis+unix:///run/redis.sock?db=1&user=reader",
            "unix:///run/user:1000/redis.sock",
            "cache:6379",
            "http://prometheus:9090/a@b:c",
            "http://[fe80::1]/a@b",
            "http://exporter:9121/scrape?target=redis://cache:6379&check-keys=user:*@x",
            "http://exporter:9121/scrape?target=redis%3A%2F%2Fuser%40cache%3A6379",
            "https://metrics.example/?pass=&q=100%",
            "",
        ] {
            assert!(!holds_password(url), "{url}");
        }
    }
}
