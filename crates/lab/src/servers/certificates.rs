//! A certificate authority of one afternoon, with a server and a client certificate.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::process::write_private;
use crate::error::LabError;

/// PEM files that a TLS server and its clients need. They live as long as their server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The authority that signed both; what a client is told to trust.
    pub ca: PathBuf,
    /// The server's certificate, for 127.0.0.1, ::1 and localhost.
    pub server_certificate: PathBuf,
    /// The server's private key.
    pub server_key: PathBuf,
    /// A client's certificate, for servers that ask for one.
    pub client_certificate: PathBuf,
    /// The client's private key.
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `directory`.
    ///
    /// # Errors
    /// When a key cannot be generated or a file not be written.
    pub fn make(directory: &Path) -> Result<Self, LabError> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "Cachescope lab authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let (server_certificate, server_key) = signed(&authority, "Cachescope lab server", &names)?;
        let (client_certificate, client_key) = signed(&authority, "Cachescope lab client", &[])?;

        let write = |name: &str, contents: &str| {
            let path = directory.join(name);
            write_private(&path, contents).map(|()| path)
        };
        Ok(Self {
            ca: write("ca.pem", &authority.pem())?,
            server_certificate: write("server.pem", &server_certificate)?,
            server_key: write("server.key", &server_key)?,
            client_certificate: write("client.pem", &client_certificate)?,
            client_key: write("client.key", &client_key)?,
        })
    }
}

fn signed(
    authority: &CertifiedIssuer<'_, KeyPair>,
    common_name: &str,
    names: &[String],
) -> Result<(String, String), LabError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
