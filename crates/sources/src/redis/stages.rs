//! Connecting to a server stage by stage, for someone who wants to see which of them fails.
//!
//! These are the stages of every connection, in the words that its errors have; here each is timed and described too.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use redis::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::command::Asked;
use super::connect::{ConnectOptions, Connection};
use super::failure::{refusal, user_of};
use super::stream::{Carrier, Reading, ServerStream, carrier, connect_any, no_answer, open, resolve, secure};
use super::target::{Endpoint, RedisTarget};
use super::topology::RedisAddress;
use crate::error::{ErrorCode, SourceError};

/// Servers of one address that are tried at once; of more the others are left out.
const MOST_SERVERS: usize = 16;

/// Round trips of which the shortest is told.
const PINGS: usize = 3;

/// Addresses of a name that are told.
const MOST_ADDRESSES: usize = 4;

/// A stage of connecting, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The name becomes addresses.
    Resolve,
    /// TCP, the socket file, or the way through a tunnel.
    Reach,
    /// TLS, and the server's certificate.
    Secure,
    /// The login.
    Authenticate,
    /// A round trip.
    Ping,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Resolve, Self::Reach, Self::Secure, Self::Authenticate, Self::Ping];
}

/// How a stage ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It worked; what was found.
    Worked(String),
    /// There was nothing to do, and why.
    NotNeeded(String),
    /// It failed; nothing after it was tried.
    Failed(SourceError),
}

/// The stages of one server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The server, for people: `host:port` or a path.
    pub server: String,
    /// The stages that were tried.
    pub stages: Vec<(Stage, Outcome)>,
}

impl Attempt {
    /// Why it ended early.
    #[must_use]
    pub fn failure(&self) -> Option<&SourceError> {
        self.stages.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Worked(_) | Outcome::NotNeeded(_) => None,
        })
    }
}

/// Tries every server that an address names, at most 16 of them and all at once; of a Sentinel group these are the
/// Sentinels. Each stage has the deadline of the options.
pub async fn attempts(address: &RedisAddress, options: &ConnectOptions) -> Vec<Attempt> {
    let mut tried = JoinSet::new();
    for (place, seed) in address.seeds().iter().take(MOST_SERVERS).enumerate() {
        let (target, options) = (Arc::new(address.sentinel_at(seed)), options.clone());
        tried.spawn(async move {
            let mut stages = Vec::new();
            if let Err((stage, error)) = attempt(&target, &options, &mut stages).await {
                stages.push((stage, Outcome::Failed(error)));
            }
            (place, Attempt { server: target.to_string(), stages })
        });
    }
    let mut attempts = tried.join_all().await;
    attempts.sort_by_key(|(place, _)| *place);
    attempts.into_iter().map(|(_, attempt)| attempt).collect()
}

type Stages = Vec<(Stage, Outcome)>;

async fn attempt(
    target: &Arc<RedisTarget>,
    options: &ConnectOptions,
    stages: &mut Stages,
) -> Result<(), (Stage, SourceError)> {
    let stream = match target.endpoint() {
        Endpoint::Unix(_) => {
            let stream = open(target, options, Reading::AtOnce).await.map_err(at(Stage::Reach))?;
            stages.push((Stage::Reach, Outcome::Worked("the socket is open".to_owned())));
            stream
        }
        Endpoint::Tcp { host, port, tls } => {
            let carrier = reach(host, *port, options, stages).await?;
            if *tls {
                let began = Instant::now();
                let stream =
                    secure(target, host, *port, carrier, options).await.map_err(at(Stage::Secure))?;
                let session = stream.get_ref().1;
                let version = match session.protocol_version() {
                    Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
                    Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
                    _ => "TLS",
                };
                let said = format!("{version}, the certificate is {host}'s, in {}", took(began.elapsed()));
                stages.push((Stage::Secure, Outcome::Worked(said)));
                ServerStream::new(Box::new(stream))
            } else {
                let said = "not asked for; an address with rediss:// asks for it".to_owned();
                stages.push((Stage::Secure, Outcome::NotNeeded(said)));
                ServerStream::new(Box::new(carrier))
            }
        }
    };
    let mut connection =
        Connection::over(stream, target, options, &Arc::new(AtomicU64::new(0)), &mut 0, None)
            .await
            .map_err(|error| refused(error, stages))?;
    stages.push((Stage::Authenticate, logged_in(target)));
    let round_trip = ping(target, &mut connection).await.map_err(at(Stage::Ping))?;
    let said = format!("answered in {}, the shortest of {PINGS}", took(round_trip));
    stages.push((Stage::Ping, Outcome::Worked(said)));
    Ok(())
}

/// With TLS 1.3 a server that wants a certificate of ours says so only when it is spoken to: then TLS was what failed.
fn refused(error: SourceError, stages: &mut Stages) -> (Stage, SourceError) {
    match stages.last() {
        Some((Stage::Secure, Outcome::Worked(_))) if error.kind() == ErrorCode::Tls => {
            stages.pop();
            (Stage::Secure, error)
        }
        _ => (Stage::Authenticate, error),
    }
}

fn at(stage: Stage) -> impl Fn(SourceError) -> (Stage, SourceError) {
    move |error| (stage, error)
}

async fn reach(
    host: &str,
    port: u16,
    options: &ConnectOptions,
    stages: &mut Stages,
) -> Result<Carrier, (Stage, SourceError)> {
    let deadline = options.connect_timeout;
    let late = || no_answer(host, deadline);
    if let Some(tunnel) = &options.ssh {
        let said = format!("{} resolves it", tunnel.hop());
        stages.push((Stage::Resolve, Outcome::NotNeeded(said)));
        let began = Instant::now();
        let carrier = carrier(host, port, options, Reading::AtOnce).await.map_err(at(Stage::Reach))?;
        let said = format!("reached from {} in {}", tunnel.hop(), took(began.elapsed()));
        stages.push((Stage::Reach, Outcome::Worked(said)));
        return Ok(carrier);
    }
    let found = timeout(deadline, resolve(host, port)).await;
    let addresses = found.map_err(|_| late()).and_then(|found| found).map_err(at(Stage::Resolve))?;
    let resolved = match host.parse::<IpAddr>() {
        Ok(_) => Outcome::NotNeeded("this is an address already".to_owned()),
        Err(_) => Outcome::Worked(told(&addresses)),
    };
    stages.push((Stage::Resolve, resolved));
    let began = Instant::now();
    let connected = timeout(deadline, connect_any(host, port, &addresses)).await;
    let tcp = connected.map_err(|_| late()).and_then(|tcp| tcp).map_err(at(Stage::Reach))?;
    let peer = tcp.peer_addr().map(|peer| peer.to_string()).unwrap_or_else(|_| host.to_owned());
    stages.push((Stage::Reach, Outcome::Worked(format!("{peer} in {}", took(began.elapsed())))));
    Ok(Carrier::direct(tcp))
}

fn told(addresses: &[SocketAddr]) -> String {
    let mut words: Vec<String> =
        addresses.iter().take(MOST_ADDRESSES).map(|address| address.ip().to_string()).collect();
    if addresses.len() > MOST_ADDRESSES {
        words.push(format!("and {} more", addresses.len() - MOST_ADDRESSES));
    }
    words.join(", ")
}

fn logged_in(target: &RedisTarget) -> Outcome {
    match target.password() {
        Some(_) => Outcome::Worked(format!("logged in as {}", user_of(target))),
        None => Outcome::NotNeeded(match target.user() {
            Some(user) => {
                format!("the server lets us in as its default user; without a password {user} is not named")
            }
            None => "the server asks for no password".to_owned(),
        }),
    }
}

async fn ping(target: &RedisTarget, connection: &mut Connection) -> Result<Duration, SourceError> {
    let mut shortest = Duration::MAX;
    for _ in 0..PINGS {
        let command = redis::cmd("PING");
        let asked = connection.ask(Asked::One(&command), &mut 0).await;
        let (replies, took) = asked.map_err(|failed| failed.error)?;
        if let Some(Value::ServerError(error)) = replies.first() {
            return Err(refusal(target, "PING", error));
        }
        shortest = shortest.min(took);
    }
    Ok(shortest)
}

/// `0.24 ms`, `12 ms`.
fn took(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}
