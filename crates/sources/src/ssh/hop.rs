//! An SSH server as it is typed.
//!
//! Its words become arguments of a program, and `ssh` hands host and user on to the shell where the configuration has
//! a `ProxyCommand`. So what could be taken for an option or for something else than a name is refused here.

use cachescope_model::deployment::SshHop;

use crate::error::{ErrorCode, SourceError};

/// Longest name; DNS allows 253 characters.
const MOST_CHARACTERS: usize = 255;

/// Reads `[user@]host[:port]`; `host` may be an alias of the SSH configuration.
///
/// # Errors
/// Code `bad_url` with what can't be used.
pub fn parse(text: &str) -> Result<SshHop, SourceError> {
    let text = text.trim();
    let text = text.strip_prefix("ssh://").map_or(text, |rest| rest.trim_end_matches('/'));
    let (user, address) = match text.rsplit_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, text),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        // Several colons without brackets are an IPv6 address.
        None if address.matches(':').count() > 1 => (address, None),
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(bad("the port of the SSH server is no number from 1 to 65535")),
        },
    };
    let hop = SshHop { host: host.to_owned(), port, user, key: None };
    check(&hop)?;
    Ok(hop)
}

/// Whether `ssh` would read each part as what it is meant to be.
///
/// # Errors
/// Code `bad_url` with the part that it would not.
pub fn check(hop: &SshHop) -> Result<(), SourceError> {
    if hop.host.is_empty() {
        return Err(bad("the SSH server has no host name"));
    }
    if !is_plain(&hop.host, |byte| byte.is_ascii_alphanumeric() || b"._:%-".contains(&byte)) {
        return Err(bad(
            "the SSH server's host holds characters that no host name has, or begins with a dash",
        ));
    }
    // As OpenSSH's own `valid_ruser`, and no white space.
    let user_byte = |byte: u8| byte.is_ascii_graphic() && !b"'`\"\\;&<>|(){}$".contains(&byte);
    if hop.user.as_ref().is_some_and(|user| !is_plain(user, user_byte)) {
        return Err(bad(
            "the SSH server's user holds characters that no user name has, or begins with a dash",
        ));
    }
    if hop.key.as_ref().is_some_and(|key| key.is_empty() || key.chars().any(char::is_control)) {
        return Err(bad("the path of the SSH key can't be used"));
    }
    Ok(())
}

fn is_plain(text: &str, good: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= MOST_CHARACTERS && !text.starts_with('-') && text.bytes().all(good)
}

fn bad(sentence: &str) -> SourceError {
    SourceError::new(
        ErrorCode::BadUrl,
        sentence,
        "write user@host:port, host, or a name from your SSH configuration",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_typed_is_taken_apart() {
        for (text, host, port, user, again) in [
            ("bastion", "bastion", None, None, "bastion"),
            (" ann@bastion.test:2222 ", "bastion.test", Some(2222), Some("ann"), "ann@bastion.test:2222"),
            ("ssh://ann@10.0.0.1/", "10.0.0.1", None, Some("ann"), "ann@10.0.0.1"),
            ("ann@corp.test@bastion", "bastion", None, Some("ann@corp.test"), "ann@corp.test@bastion"),
            ("[::1]:22", "::1", Some(22), None, "[::1]:22"),
            ("fe80::1%eth0", "fe80::1%eth0", None, None, "fe80::1%eth0"),
        ] {
            let hop = parse(text).expect(text);
            assert_eq!((hop.host.as_str(), hop.port, hop.user.as_deref()), (host, port, user), "{text}");
            assert_eq!(hop.to_string(), again, "{text}");
        }
    }

    #[test]
    fn what_ssh_would_read_as_something_else_is_refused() {
        for text in [
            "",
            "ann@",
            "-oProxyCommand=touch /tmp/x",
            "-oProxyCommand=x",
            "ann@-oProxyCommand=x",
            "-l@host",
            "bas tion",
            "bastion\n-oProxyCommand=x",
            "$(touch x)",
            "`x`@host",
            "a;b@host",
            "a\\@host",
            "host:",
            "host:0",
            "host:70000",
            "host:22 -v",
            "[::1]22x",
            "höst",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.code(), "bad_url", "{text}");
            assert!(!error.remedy().is_empty() && !error.to_string().contains('\n'), "{text}");
        }
        let with_key = |key: &str| SshHop { key: Some(key.to_owned()), ..parse("host").expect("fine") };
        assert!(check(&with_key("~/.ssh/id_ed25519")).is_ok());
        assert!(check(&with_key("")).is_err() && check(&with_key("a\nb")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_names_a_host_that_is_no_option(text in ".{0,40}") {
            if let Ok(hop) = parse(&text) {
                prop_assert!(!hop.host.starts_with('-') && !hop.host.contains(char::is_whitespace));
                prop_assert!(hop.user.iter().all(|user| !user.starts_with('-')));
                prop_assert_eq!(parse(&hop.to_string()).expect("what is shown can be typed"), hop);
            }
        }
    }
}
