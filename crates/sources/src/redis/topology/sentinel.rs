//! A primary and its replicas as Sentinels know them, and the moment in which they agree on another primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::SendError;
use redis::{Pipeline, PushInfo, PushKind, Value};

use super::super::command::text;
use super::super::connect::Connection;
use super::super::node::RedisNode;
use super::super::nodes::Company;
use super::reply::{Told, fields, host, list, number, port};
use crate::error::{ErrorCode, SourceError};

/// On which Sentinels announce another primary (documentation of Sentinel, "Pub/Sub messages").
const CHANNEL: &str = "+switch-master";

/// What one Sentinel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// The primary, and whether Sentinels call it down.
    pub(super) primary: (Told, bool),
    /// The replicas, likewise.
    pub(super) replicas: Vec<(Told, bool)>,
    /// Other Sentinels.
    pub(super) sentinels: Vec<Told>,
    /// Grows with every failover: of several views the one with the highest holds.
    pub(super) epoch: u64,
}

/// Asks one Sentinel for a primary.
///
/// # Errors
/// When it can't be reached, refuses, or doesn't know this primary.
pub(super) async fn ask(node: &RedisNode, service: &str) -> Result<View, SourceError> {
    let mut gate = node.gate().await;
    let mut asked = Pipeline::new();
    for subcommand in ["GET-MASTER-ADDR-BY-NAME", "MASTER", "REPLICAS", "SENTINELS"] {
        asked.cmd("SENTINEL").arg(subcommand).arg(service);
    }
    let replies = gate.ask_many(0, &asked).await?;
    let [address, primary, replicas, sentinels] = replies.as_slice() else {
        return Err(SourceError::new(
            ErrorCode::Protocol,
            format!("{} sent a reply to SENTINEL that can't be read", node.target()),
            "",
        ));
    };
    if let Value::ServerError(error) = address {
        return Err(gate.refusal("SENTINEL GET-MASTER-ADDR-BY-NAME", error));
    }
    let Some(at) = address_of(address) else {
        drop(gate);
        return Err(unknown(node, service).await);
    };
    // Before 5.0 replicas went by another name.
    let older = match replicas {
        Value::ServerError(_) => {
            let mut asked = Pipeline::new();
            asked.cmd("SENTINEL").arg("SLAVES").arg(service);
            gate.ask_many(0, &asked).await?.into_iter().next()
        }
        _ => None,
    };
    let replicas = older.as_ref().unwrap_or(replicas);
    let primary: Vec<_> = fields(primary);
    let epoch = primary.iter().find(|(name, _)| name == "config-epoch").and_then(|(_, value)| number(value));
    // A failover under way names the new primary before its entry is rewritten.
    let flags = member(&primary).filter(|(entry, _)| *entry == at);
    Ok(View {
        primary: (at.clone(), flags.is_some_and(|(_, down)| down)),
        replicas: members(replicas).into_iter().filter(|(replica, _)| *replica != at).collect(),
        sentinels: members(sentinels).into_iter().map(|(sentinel, _)| sentinel).collect(),
        epoch: epoch.unwrap_or(0),
    })
}

/// The primaries a Sentinel knows, by name.
///
/// # Errors
/// When it can't be reached or refuses.
pub(super) async fn services(node: &RedisNode) -> Result<Vec<String>, SourceError> {
    let mut gate = node.gate().await;
    let known = gate.ask(redis::cmd("SENTINEL").arg("MASTERS")).await?;
    let name = |primary: &Value| {
        fields(primary).into_iter().find(|(name, _)| name == "name").and_then(|(_, value)| text(value))
    };
    Ok(list(&known).iter().filter_map(name).collect())
}

async fn unknown(node: &RedisNode, service: &str) -> SourceError {
    let at = node.target();
    let known = services(node).await.unwrap_or_default();
    let (known, remedy) = match known.first() {
        Some(first) => (known.join(", "), format!("name one of those: redis+sentinel://{at}/{first}")),
        None => ("none".to_owned(), "SENTINEL MONITOR on the Sentinels names a primary".to_owned()),
    };
    let sentence = format!("the Sentinel at {at} knows no primary named {service}; it knows {known}");
    SourceError::new(ErrorCode::WrongRole, sentence, remedy)
}

fn address_of(reply: &Value) -> Option<Told> {
    match list(reply) {
        [at, on] => Some(Told { host: Some(host(at)?), port: port(on)? }),
        _ => None,
    }
}

fn members(reply: &Value) -> Vec<(Told, bool)> {
    list(reply).iter().filter_map(|entry| member(&fields(entry))).collect()
}

/// Address of an entry, and whether it is down.
fn member(entry: &[(String, &Value)]) -> Option<(Told, bool)> {
    let field = |wanted: &str| entry.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let flags = field("flags").and_then(text).unwrap_or_default();
    let down = flags.split(',').any(|flag| matches!(flag, "s_down" | "o_down" | "disconnected"));
    let at = Told { host: Some(host(field("ip")?)?), port: port(field("port")?)? };
    Some((at, down))
}

/// Listens to one Sentinel for another primary.
#[derive(Debug)]
pub(super) struct Listening {
    stands: Arc<AtomicBool>,
    _connection: Connection,
}

impl Listening {
    /// Subscribes; from then on every failover is news.
    ///
    /// # Errors
    /// When the subscription can't be made: then asking now and then has to do.
    pub(super) async fn begin(node: &RedisNode, company: &Arc<Company>) -> Result<Self, SourceError> {
        let stands = Arc::new(AtomicBool::new(true));
        let (company, standing) = (Arc::clone(company), Arc::clone(&stands));
        let take = move |push: PushInfo| {
            match push.kind {
                PushKind::Message => company.news.notify_one(),
                PushKind::Disconnection => {
                    standing.store(false, Ordering::Release);
                    company.news.notify_one();
                }
                _ => {}
            }
            Ok::<(), SendError>(())
        };
        let mut gate = node.gate().await;
        let mut connection = gate.connect_for_push(Arc::new(take)).await?;
        gate.subscribe_on(&mut connection, &[CHANNEL.to_owned()]).await?;
        Ok(Self { stands, _connection: connection })
    }

    /// Whether the connection stands.
    pub(super) fn stands(&self) -> bool {
        self.stands.load(Ordering::Acquire)
    }
}
