//! Finding out, with a connection more, why one failed. Only done after a failure.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connect::ConnectOptions;
use super::stream::{Reading, carrier};
use super::target::{Endpoint, RedisTarget};

/// Whether a fresh plain connection gets a Redis answer to PING.
pub(super) async fn speaks_plainly(host: &str, port: u16, options: &ConnectOptions) -> bool {
    let probe = async {
        let mut stream = carrier(host, port, options, Reading::AtOnce).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut first = [0u8; 1];
        stream.read_exact(&mut first).await.ok()?;
        Some(matches!(first[0], b'+' | b'-'))
    };
    timeout(options.connect_timeout, probe).await.ok().flatten().unwrap_or(false)
}

/// What a server says unasked on a fresh connection, where it does: Redis refuses a client it has no room for,
/// or that protected mode keeps out, before reading anything, and what it says is lost when we speak first.
pub(super) async fn unasked_words(target: &RedisTarget, options: &ConnectOptions) -> Option<String> {
    let Endpoint::Tcp { host, port, tls: false } = target.endpoint() else { return None };
    let listen = async {
        let mut stream = carrier(host, *port, options, Reading::AtOnce).await.ok()?;
        let mut words = Vec::new();
        stream.read_to_end(&mut words).await.ok()?;
        Some(words)
    };
    let words = timeout(options.connect_timeout.min(Duration::from_secs(1)), listen).await.ok().flatten()?;
    Some(String::from_utf8_lossy(&words).trim().to_owned())
}

/// Whether the port of a plain target answers a TLS greeting with TLS.
pub(super) async fn speaks_tls(target: &RedisTarget, options: &ConnectOptions) -> bool {
    let Endpoint::Tcp { host, port, .. } = target.endpoint() else { return false };
    let probe = async {
        let tcp = carrier(host, *port, options, Reading::AtOnce).await.ok()?;
        // The system's authorities are not needed to learn whether TLS is spoken: any answer in TLS will do.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(host.clone()).ok()?;
        match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
            Ok(_) => Some(true),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) => Some(true),
                _ => Some(false),
            },
        }
    };
    timeout(options.connect_timeout, probe).await.ok().flatten().unwrap_or(false)
}
