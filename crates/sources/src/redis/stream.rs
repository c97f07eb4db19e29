//! Opening a byte stream to a server, and saying in one sentence why it can't be opened.
//!
//! The redis crate is handed a ready stream: that way DNS, TCP, TLS and protocol each have their own deadline
//! and their own words.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::ConnectOptions;
use super::diagnose::speaks_plainly;
use super::leisurely::Leisurely;
use super::target::{Endpoint, RedisTarget};
use super::tls::{plain_port, tls_failure};
use crate::error::{ErrorCode, SourceError};
use crate::ssh::Way;

/// Anything that can carry the protocol.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for S {}

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
    pub(super) fn new(inner: Box<dyn Duplex>) -> Self {
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

/// How soon what comes is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// At once.
    AtOnce,
    /// Every few milliseconds, which spares the server the work of waking us; more often after something was written.
    Leisurely,
}

/// Opens a stream to `target`, each step within the deadline for connecting.
///
/// # Errors
/// Codes `dns`, `refused`, `unreachable`, `timeout` or `tls`, and those of a tunnel.
pub(crate) async fn open(
    target: &RedisTarget,
    options: &ConnectOptions,
    reading: Reading,
) -> Result<ServerStream, SourceError> {
    let deadline = options.connect_timeout;
    match target.endpoint() {
        Endpoint::Unix(_) if options.ssh.is_some() => Err(SourceError::new(
            ErrorCode::BadUrl,
            "a unix:// address is a socket of this machine, which no SSH tunnel leads to",
            "give the host and the port that the SSH server sees",
        )),
        Endpoint::Unix(path) => {
            let stream = timeout(deadline, UnixStream::connect(path))
                .await
                .map_err(|_| no_answer(&target.to_string(), deadline))?
                .map_err(|error| unix_failure(path, &error))?;
            let carrier = match reading {
                Reading::AtOnce => Carrier::direct(stream),
                Reading::Leisurely => {
                    let stream = stream.into_std().map_err(|error| unix_failure(path, &error))?;
                    Carrier::direct(Leisurely::new(stream))
                }
            };
            Ok(ServerStream::new(Box::new(carrier)))
        }
        Endpoint::Tcp { host, port, tls: encrypted } => {
            let carrier = carrier(host, *port, options, reading).await?;
            if !encrypted {
                return Ok(ServerStream::new(Box::new(carrier)));
            }
            Ok(ServerStream::new(Box::new(secure(target, host, *port, carrier, options).await?)))
        }
    }
}

/// Speaks TLS over what reaches the server, within the deadline for connecting, and checks its certificate.
pub(super) async fn secure(
    target: &RedisTarget,
    host: &str,
    port: u16,
    carrier: Carrier,
    options: &ConnectOptions,
) -> Result<TlsStream<Carrier>, SourceError> {
    let deadline = options.connect_timeout;
    let connector = TlsConnector::from(options.tls.client_config()?);
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        SourceError::new(
            ErrorCode::Tls,
            format!("{host} is not a name that a certificate can be checked against"),
            "use the host name that stands in the server's certificate",
        )
    })?;
    match timeout(deadline, connector.connect(name, carrier)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(tls_failure(target, &error)),
        // A plain Redis waits for the end of a line and may never answer a TLS greeting.
        Err(_) if speaks_plainly(host, port, options).await => Err(plain_port(target)),
        Err(_) => Err(no_answer(&target.to_string(), deadline)),
    }
}

/// What carries bytes to an address, directly or through a tunnel.
pub(super) struct Carrier {
    stream: Box<dyn Duplex>,
    /// Of a tunnel: when it closes, the way is taken down.
    _control: Option<UnixStream>,
}

impl Carrier {
    pub(super) fn direct(stream: impl Duplex + 'static) -> Self {
        Self { stream: Box::new(stream), _control: None }
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Reaches an address within the deadline for connecting; a tunnel that is not open yet is opened first.
pub(super) async fn carrier(
    host: &str,
    port: u16,
    options: &ConnectOptions,
    reading: Reading,
) -> Result<Carrier, SourceError> {
    let deadline = options.connect_timeout;
    let unusable = |error: io::Error| {
        SourceError::new(
            ErrorCode::Unreachable,
            format!(
                "the connection to {} can't be used: {}",
                host_and_port(host, port),
                lower_first(&error.to_string())
            ),
            "it is tried again by itself",
        )
    };
    if let Some(tunnel) = &options.ssh {
        // Apart: most connections need no tunnel, and whatever waits for one of them would have to hold its room.
        let Way { stream, control } = Box::pin(tunnel.way(host, port, deadline)).await?;
        let stream: Box<dyn Duplex> = match reading {
            Reading::AtOnce => Box::new(stream),
            Reading::Leisurely => Box::new(Leisurely::new(stream.into_std().map_err(unusable)?)),
        };
        return Ok(Carrier { stream, _control: Some(control) });
    }
    let tcp = timeout(deadline, async { connect_any(host, port, &resolve(host, port).await?).await })
        .await
        .map_err(|_| no_answer(&host_and_port(host, port), deadline))??;
    Ok(match reading {
        Reading::AtOnce => Carrier::direct(tcp),
        Reading::Leisurely => Carrier::direct(Leisurely::new(tcp.into_std().map_err(unusable)?)),
    })
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The addresses of a host; at least one.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, SourceError> {
    let found = lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
    let why = match found {
        Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
        Ok(_) => format!("the host name {host} has no address"),
        Err(error) => {
            format!("the host name {host} can't be resolved: {}", lower_first(&error.to_string()))
        }
    };
    Err(SourceError::new(ErrorCode::Dns, why, "check the spelling of the host, the DNS server and the VPN"))
}

/// Connects to the first of these addresses that takes us.
pub(super) async fn connect_any(
    host: &str,
    port: u16,
    addresses: &[SocketAddr],
) -> Result<TcpStream, SourceError> {
    let address = host_and_port(host, port);
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
        None => SourceError::new(ErrorCode::Unreachable, format!("{address} has no address to try"), ""),
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

/// An error of another library as the end of one of our sentences.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    match chars.next() {
        Some(first) if !text.starts_with("DNS") => first.to_lowercase().chain(chars).collect(),
        Some(first) => std::iter::once(first).chain(chars).collect(),
        None => String::new(),
    }
}
