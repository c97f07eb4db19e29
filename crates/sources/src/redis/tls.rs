//! TLS: whom a connection trusts, how it identifies itself, and what its failures mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::stream::lower_first;
use super::target::RedisTarget;
use crate::error::{ErrorCode, SourceError};

/// Files for TLS; the server's certificate is always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Authorities to trust instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// Our certificate chain, PEM, where the server asks for one.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// The client side of a handshake as these options want it, with the ring provider.
    ///
    /// # Errors
    /// Code `tls`, when a file can't be read, holds no usable certificate or key, or one of the pair is missing.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, SourceError> {
        let roots = match &self.ca {
            Some(path) => roots_from(path)?,
            None => system_roots()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(format!("TLS can't be set up: {error}")))?
            .with_root_certificates(roots);
        let config = match (&self.cert, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let key_der = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| tls_error(format!("no private key in {}: {error}", key.display())))?;
                builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                    tls_error(format!("{} and {} don't fit: {error}", cert.display(), key.display()))
                })?
            }
            _ => {
                return Err(tls_error(
                    "a client certificate and its key are only of use together".to_owned(),
                ));
            }
        };
        Ok(Arc::new(config))
    }
}

fn tls_error(sentence: String) -> SourceError {
    SourceError::new(ErrorCode::Tls, sentence, "check the files given as CA, certificate and key")
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(tls_error(format!("{} holds no certificate", path.display())))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(tls_error(format!("no certificate can be read from {}: {error}", path.display()))),
    }
}

fn roots_from(path: &Path) -> Result<RootCertStore, SourceError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| {
            tls_error(format!("{} holds a certificate that can't be trusted: {error}", path.display()))
        })?;
    }
    Ok(roots)
}

/// The system's authorities. Single unreadable ones are left out, as browsers do; none at all is an error.
fn system_roots() -> Result<RootCertStore, SourceError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(SourceError::new(
            ErrorCode::Tls,
            "this machine's list of trusted certificate authorities is empty or can't be read",
            "install the ca-certificates package, or name the server's authority with a CA file",
        ));
    }
    Ok(roots)
}

/// A TLS connection to a port that speaks without.
pub(super) fn plain_port(target: &RedisTarget) -> SourceError {
    SourceError::new(
        ErrorCode::Tls,
        format!("{target} answers without TLS, but rediss:// asks for it"),
        "use redis:// for this port, or the port given as tls-port in the server's configuration",
    )
}

/// A plain connection to a port that wants TLS.
pub(super) fn tls_port(target: &RedisTarget) -> SourceError {
    SourceError::new(
        ErrorCode::Tls,
        format!("{target} wants TLS, but redis:// speaks without"),
        "use rediss:// for this port",
    )
}

/// Words for a TLS failure, in the handshake or later (with TLS 1.3 a server refuses our certificate later).
pub(super) fn tls_failure(target: &RedisTarget, error: &io::Error) -> SourceError {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};
    let make = |sentence: String, remedy: &str| SourceError::new(ErrorCode::Tls, sentence, remedy);
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) else {
        return make(
            format!("{target} ended the TLS handshake: {}", lower_first(&error.to_string())),
            "check that the port is the server's TLS port",
        );
    };
    match tls {
        Tls::InvalidMessage(_) => plain_port(target),
        Tls::InvalidCertificate(Bad::UnknownIssuer) => make(
            format!("the certificate of {target} is not signed by an authority that this machine trusts"),
            "name the authority's certificate with --ca FILE (or in the deployment's TLS settings)",
        ),
        Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            make(format!("the certificate of {target} has expired"), "renew the server's certificate")
        }
        Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => make(
            format!("the certificate of {target} is for another host name"),
            "use the host name that stands in the certificate",
        ),
        Tls::InvalidCertificate(other) => make(
            format!("the certificate of {target} can't be accepted: {other}"),
            "check the server's certificate",
        ),
        Tls::AlertReceived(Alert::CertificateRequired | Alert::HandshakeFailure | Alert::BadCertificate) => {
            make(
                format!("{target} wants a certificate of ours"),
                "give one with --cert FILE and --key FILE, or set tls-auth-clients no on the server",
            )
        }
        Tls::AlertReceived(Alert::UnknownCA) => make(
            format!("{target} doesn't trust the authority that signed our certificate"),
            "use a certificate signed by the authority in the server's tls-ca-cert-file",
        ),
        other => make(
            format!("TLS with {target} failed: {}", lower_first(&other.to_string())),
            "check the TLS settings of the server",
        ),
    }
}
