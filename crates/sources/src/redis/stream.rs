//! Opening a byte stream to a server, and saying in one sentence why it can't be opened.
//!
//! The redis crate is handed a ready stream: that way DNS, TCP, TLS and protocol each have their own deadline
//! and their own words.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::target::{Endpoint, RedisTarget};
use super::tls::TlsOptions;
use crate::error::{ErrorCode, SourceError};

/// Anything that can carry the protocol.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// How many of a server's first bytes are kept to tell what it is.
const KEPT: usize = 16;

/// The first bytes a server sent on a connection: they tell what it is when it is no Redis.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstBytes(Arc<Mutex<Vec<u8>>>);

impl FirstBytes {
    pub(crate) fn get(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, bytes: &[u8]) -> usize {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT - kept.len().min(KEPT);
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        kept.len()
    }
}

/// An open stream that remembers the first bytes that came in.
pub(crate) struct ServerStream {
    inner: Box<dyn Duplex>,
    first: FirstBytes,
    kept: usize,
}

impl ServerStream {
    fn new(inner: Box<dyn Duplex>) -> Self {
        Self { inner, first: FirstBytes::default(), kept: 0 }
    }

    pub(crate) fn first_bytes(&self) -> FirstBytes {
        self.first.clone()
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.kept < KEPT && matches!(polled, Poll::Ready(Ok(()))) {
            self.kept = self.first.keep(&buf.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Opens a stream to `target` within `deadline`.
///
/// # Errors
/// Codes `dns`, `refused`, `unreachable`, `timeout` or `tls`.
pub(crate) async fn open(
    target: &RedisTarget,
    tls: &TlsOptions,
    deadline: Duration,
) -> Result<ServerStream, SourceError> {
    match target.endpoint() {
        Endpoint::Unix(path) => {
            let stream = timeout(deadline, UnixStream::connect(path))
                .await
                .map_err(|_| no_answer(&target.to_string(), deadline))?
                .map_err(|error| unix_failure(path, &error))?;
            Ok(ServerStream::new(Box::new(stream)))
        }
        Endpoint::Tcp { host, port, tls: encrypted } => {
            let tcp = timeout(deadline, connect_tcp(host, *port))
                .await
                .map_err(|_| no_answer(&target.to_string(), deadline))??;
            if !encrypted {
                return Ok(ServerStream::new(Box::new(tcp)));
            }
            let connector = TlsConnector::from(tls.client_config()?);
            let name = ServerName::try_from(host.clone()).map_err(|_| {
                SourceError::new(
                    ErrorCode::Tls,
                    format!("{host} is not a name that a certificate can be checked against"),
                    "use the host name that stands in the server's certificate",
                )
            })?;
            match timeout(deadline, connector.connect(name, tcp)).await {
                Ok(Ok(stream)) => Ok(ServerStream::new(Box::new(stream))),
                Ok(Err(error)) => Err(tls_failure(target, &error)),
                // A plain Redis waits for the end of a line and may never answer a TLS greeting.
                Err(_) if speaks_plainly(host, *port, deadline).await => Err(plain_port(target)),
                Err(_) => Err(no_answer(&target.to_string(), deadline)),
            }
        }
    }
}

async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, SourceError> {
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let addresses = lookup_host((host, port)).await.map_err(|error| {
        SourceError::new(
            ErrorCode::Dns,
            format!("the host name {host} can't be resolved: {}", lower_first(&error.to_string())),
            "check the spelling of the host, the DNS server and the VPN",
        )
    })?;
    let mut last = None;
    for one in addresses {
        match TcpStream::connect(one).await {
            Ok(stream) => {
                // Without it a reply of a few bytes may wait for the next one; failing to set it is harmless.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY can't be set");
                }
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        None => SourceError::new(
            ErrorCode::Dns,
            format!("the host name {host} has no address"),
            "check the spelling of the host, the DNS server and the VPN",
        ),
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => SourceError::new(
            ErrorCode::Refused,
            format!("{address} refused the connection: nothing listens there"),
            "check host and port, and whether the server is running",
        ),
        Some(error) => SourceError::new(
            ErrorCode::Unreachable,
            format!("{address} can't be reached: {}", lower_first(&error.to_string())),
            "check the network, the firewall and the VPN",
        ),
    })
}

fn unix_failure(path: &Path, error: &io::Error) -> SourceError {
    let path = path.display();
    let (code, sentence, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (
            ErrorCode::Unreachable,
            format!("there is no socket at {path}"),
            "check the path against the server's unixsocket setting, and whether the server is running",
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorCode::Unreachable,
            format!("this user may not open the socket {path}"),
            "widen the server's unixsocketperm setting, or join the group that owns the socket",
        ),
        io::ErrorKind::ConnectionRefused => (
            ErrorCode::Refused,
            format!("{path} refused the connection: no server listens on it"),
            "check whether the server is running; the file may be left over from an earlier one",
        ),
        _ => (
            ErrorCode::Unreachable,
            format!("the socket {path} can't be opened: {}", lower_first(&error.to_string())),
            "check that the path names a socket",
        ),
    };
    SourceError::new(code, sentence, remedy)
}

/// Nothing came back in time.
pub(crate) fn no_answer(address: &str, deadline: Duration) -> SourceError {
    SourceError::new(
        ErrorCode::Timeout,
        format!(
            "{address} did not answer within {}",
            cachescope_model::duration::format(Duration::from_millis(
                u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)
            ))
        ),
        "check that the server is not stalled and that no firewall drops the packets; a longer --timeout may help",
    )
}

/// A TLS connection to a port that speaks without.
fn plain_port(target: &RedisTarget) -> SourceError {
    SourceError::new(
        ErrorCode::Tls,
        format!("{target} answers without TLS, but rediss:// asks for it"),
        "use redis:// for this port, or the port given as tls-port in the server's configuration",
    )
}

/// A plain connection to a port that wants TLS.
pub(crate) fn tls_port(target: &RedisTarget) -> SourceError {
    SourceError::new(
        ErrorCode::Tls,
        format!("{target} wants TLS, but redis:// speaks without"),
        "use rediss:// for this port",
    )
}

/// Words for a TLS failure, in the handshake or later (with TLS 1.3 a server refuses our certificate later).
pub(crate) fn tls_failure(target: &RedisTarget, error: &io::Error) -> SourceError {
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

/// Whether a fresh plain connection gets a Redis answer to PING.
async fn speaks_plainly(host: &str, port: u16, deadline: Duration) -> bool {
    let probe = async {
        let mut stream = connect_tcp(host, port).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut first = [0u8; 1];
        stream.read_exact(&mut first).await.ok()?;
        Some(matches!(first[0], b'+' | b'-'))
    };
    timeout(deadline, probe).await.ok().flatten().unwrap_or(false)
}

/// What a server says unasked on a fresh connection, where it does: Redis refuses a client it has no room for,
/// or that protected mode keeps out, before reading anything, and what it says is lost when we speak first.
pub(crate) async fn unasked_words(target: &RedisTarget, deadline: Duration) -> Option<String> {
    let Endpoint::Tcp { host, port, tls: false } = target.endpoint() else { return None };
    let listen = async {
        let mut stream = connect_tcp(host, *port).await.ok()?;
        let mut words = Vec::new();
        stream.read_to_end(&mut words).await.ok()?;
        Some(words)
    };
    let words = timeout(deadline.min(Duration::from_secs(1)), listen).await.ok().flatten()?;
    Some(String::from_utf8_lossy(&words).trim().to_owned())
}

/// Whether the port of a plain target answers a TLS greeting with TLS.
pub(crate) async fn speaks_tls(target: &RedisTarget, deadline: Duration) -> bool {
    let Endpoint::Tcp { host, port, .. } = target.endpoint() else { return false };
    let probe = async {
        let tcp = connect_tcp(host, *port).await.ok()?;
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
    timeout(deadline, probe).await.ok().flatten().unwrap_or(false)
}

/// An error of another library as the end of one of our sentences.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    match chars.next() {
        Some(first) if !text.starts_with("DNS") => first.to_lowercase().chain(chars).collect(),
        Some(first) => std::iter::once(first).chain(chars).collect(),
        None => String::new(),
    }
}
