//! Names that are looked up for requests which must not reach a private network: of the addresses of a name only those
//! that belong to everybody are given to the connection, so that a name which points elsewhere a moment later is no
//! way around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Address;
use crate::error::{ErrorCode, SourceError};

const REMEDY: &str = "allow private addresses for this endpoint, if it is meant";

/// Looks names up, and leaves out addresses of private networks.
pub(super) struct PublicOnly;

/// The name has no address that may be used.
#[derive(Debug, thiserror::Error)]
#[error("{0} is in a private network")]
pub(super) struct Private(pub(super) String);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let some = !found.is_empty();
            let public: Vec<_> = found.into_iter().filter(|address| !is_private(address.ip())).collect();
            if some && public.is_empty() {
                return Err(Box::new(Private(name)) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Refuses an address that is written as a number, which nobody looks up.
pub(super) fn refuse_literal(address: &Address) -> Result<(), SourceError> {
    // However it was written, the crate spells an IPv4 address with dots.
    let host = address.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
    let literal = host.parse::<IpAddr>().ok();
    if literal.is_some_and(is_private) {
        return Err(refused(host));
    }
    Ok(())
}

/// In words.
pub(super) fn refused(host: &str) -> SourceError {
    let sentence = format!("{host} is in a private network, where nothing is sent");
    SourceError::new(ErrorCode::Refused, sentence, REMEDY)
}

/// Not reachable for everybody, by the registries of special addresses (RFC 6890 and what came after).
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && (18..20).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_private_v4(mapped);
    }
    let segments = address.segments();
    // What is translated to IPv4 (RFC 6052) goes where that goes.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_private_v4(Ipv4Addr::new(a, b, c, d));
    }
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || (segments[0] & 0xfe00) == 0xfc00
        || (segments[0] & 0xffc0) == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_told_however_they_are_written() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert!(is_private(private.parse().expect("an address")), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_private(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_refused_in_every_spelling() {
        for url in ["http://127.0.0.1/", "http://0x7f000001/", "http://[::1]/", "http://2130706433/"] {
            let (address, _) = Address::parse(url).expect("an address");
            assert!(refuse_literal(&address).is_err(), "{url}");
        }
        let (address, _) = Address::parse("https://cdn.example/").expect("an address");
        assert!(refuse_literal(&address).is_ok(), "a name is looked up first");
    }
}
