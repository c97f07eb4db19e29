//! What went wrong with an exchange, in one sentence for people.

use std::error::Error;
use std::io::ErrorKind;

use reqwest::StatusCode;

use super::address::{Address, Credentials};
use super::client::HttpOptions;
use super::public_only::{self, Private};
use crate::error::{ErrorCode, SourceError};

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("redirect to {to}")]
pub(super) struct LeavesHost {
    pub(super) to: String,
    pub(super) endless: bool,
    pub(super) downgrade: bool,
    /// It stays on the host, and the tunnel does not lead there.
    pub(super) other_port: bool,
}

/// Every cause of an error, the error itself first. What an I/O error wraps counts too, although it does not
/// name it as its source.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    fn next<'e>(error: &&'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
        let error: &'e (dyn Error + 'static) = *error;
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), next)
}

/// The first cause of this type.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// Why an exchange failed.
pub(super) fn of(error: &reqwest::Error, address: &Address, options: &HttpOptions) -> SourceError {
    let host = address.url().host_str().unwrap_or_default();
    let fail = |code, sentence: String, remedy: &str| SourceError::new(code, sentence, remedy);
    if let Some(leaves) = cause::<LeavesHost>(error) {
        return of_redirect(leaves, address);
    }
    // A tunnel has said why there is no way.
    if let Some(no_way) = cause::<SourceError>(error) {
        return no_way.clone();
    }
    if let Some(Private(host)) = cause::<Private>(error) {
        return public_only::refused(host);
    }
    if error.is_timeout() {
        let seconds =
            if error.is_connect() { options.connect_timeout } else { options.timeout }.as_secs_f64();
        let what = if error.is_connect() { "connection to" } else { "whole answer from" };
        let sentence = format!("no {what} {address} within {seconds} s");
        return fail(
            ErrorCode::Timeout,
            sentence,
            "see whether the server hangs, or allow more with --timeout",
        );
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return of_tls(tls, address);
    }
    if causes(error).any(|cause| cause.to_string().starts_with("dns error")) {
        return fail(
            ErrorCode::Dns,
            format!("the host {host:?} is not known"),
            "check the name in the address",
        );
    }
    match io_kind(error) {
        Some(ErrorKind::ConnectionRefused) => fail(
            ErrorCode::Refused,
            format!("nothing listens at {address} (connection refused)"),
            "check host and port, and that the server runs",
        ),
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable) => {
            fail(ErrorCode::Unreachable, format!("{host} can't be reached"), "check the network and the VPN")
        }
        Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            closed(address)
        }
        _ if causes(error).any(|cause| cause.to_string().contains("connection closed")) => closed(address),
        _ => {
            let reason = causes(error).last().map(ToString::to_string).unwrap_or_default();
            let sentence = format!("what answers at {address} does not speak HTTP as expected: {reason}");
            fail(ErrorCode::Protocol, sentence, "check the port; with TLS the address begins with https://")
        }
    }
}

/// The kind of the innermost I/O error: the outer ones only wrap it.
fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    causes(error).filter_map(|error| error.downcast_ref::<std::io::Error>()).last().map(std::io::Error::kind)
}

fn closed(address: &Address) -> SourceError {
    let sentence = format!("{address} closed the connection before it had answered");
    let remedy = match address.url().scheme() {
        "http" => "check the port; where the server speaks TLS, write https://",
        _ => "check the port and the server's log",
    };
    SourceError::new(ErrorCode::Closed, sentence, remedy)
}

fn of_redirect(leaves: &LeavesHost, address: &Address) -> SourceError {
    let (sentence, remedy) = if leaves.endless {
        (format!("{address} redirects in a circle"), "check the address")
    } else if leaves.downgrade {
        (format!("{address} redirects to an address without TLS, which is not followed"), "check the server")
    } else if leaves.other_port {
        (
            format!("{address} redirects to another port, which is not followed through an SSH tunnel"),
            "give the address that it redirects to",
        )
    } else {
        (
            format!("{address} redirects to the host {:?}, which is not followed", leaves.to),
            "where that is a login page, give credentials; otherwise use the other address",
        )
    };
    SourceError::new(ErrorCode::Protocol, sentence, remedy)
}

fn of_tls(error: &rustls::Error, address: &Address) -> SourceError {
    use rustls::{CertificateError, Error as Tls};
    let (reason, remedy) = match error {
        Tls::InvalidMessage(_) => ("it does not speak TLS".to_owned(), "write http:// instead of https://"),
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "its certificate is signed by an authority that is not trusted here".to_owned(),
            "give the authority's certificate with --ca FILE",
        ),
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another host name".to_owned(),
            "use the name that stands in the certificate",
        ),
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("its certificate has expired".to_owned(), "renew the server's certificate, or check this clock")
        }
        Tls::AlertReceived(_) => (
            format!("it refused the handshake ({error})"),
            "where it asks for a client certificate, give --cert FILE and --key FILE",
        ),
        _ => (error.to_string(), "check the certificate and --ca, --cert, --key"),
    };
    SourceError::new(ErrorCode::Tls, format!("no TLS connection to {address}: {reason}"), remedy)
}

/// What a status other than 200 means.
pub(super) fn of_status(
    status: StatusCode,
    body: &[u8],
    address: &Address,
    options: &HttpOptions,
) -> SourceError {
    let number = status.as_u16();
    let has_credentials = !matches!(options.credentials, Credentials::None);
    let (code, sentence, remedy) = match number {
        401 if has_credentials => (
            ErrorCode::Auth,
            format!("{address} does not accept these credentials"),
            "check name and password",
        ),
        401 => (
            ErrorCode::Auth,
            format!("{address} asks for credentials"),
            "write them as https://name:password@host, or give a bearer token",
        ),
        403 => (
            ErrorCode::Permission,
            format!("{address} forbids this to us (403)"),
            "ask for access to it, or use other credentials",
        ),
        404 => (
            ErrorCode::Protocol,
            format!("there is no such page: {address} (404)"),
            "check the path; metrics are usually at /metrics",
        ),
        400 if contains(body, b"HTTPS server") || contains(body, b"HTTPS port") => {
            (ErrorCode::Tls, format!("{address} speaks TLS"), "write https:// instead of http://")
        }
        500..=599 => (
            ErrorCode::Server,
            format!("{address} answers with an error of its own ({status})"),
            "look at the server's log",
        ),
        _ => (ErrorCode::Protocol, format!("{address} answers with {status}"), "check the address"),
    };
    SourceError::new(code, sentence, remedy)
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).take(2000).any(|window| window == words)
}
