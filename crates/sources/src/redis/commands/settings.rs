//! What a server says about itself beside the bursts: which misses it announces, how large its clients' requests
//! are, and where the keys of commands stand that nobody here knows.

use redis::Value;

use super::lookups::Lookups;
use crate::error::{ErrorCode, SourceError};
use crate::redis::command::text;
use crate::redis::events::{count_databases, miss_channels, read_setting};
use crate::redis::link::Manners;
use crate::redis::node::{Gate, RedisNode};
use crate::redis::permissions::is_refusal;

/// So many databases are listened to within a burst.
const MOST_DATABASES: u16 = 64;

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether misses are announced; `None` where that can't be read.
    pub(super) misses: Option<bool>,
    /// The largest request that any client sent lately, in bytes; 0 where that isn't told.
    pub(super) largest_request: u64,
    channels: Vec<String>,
}

impl Settings {
    /// The channels to subscribe to. Where misses are known not to be announced, one is enough: it keeps the
    /// connection in the class of clients whose output buffer is bounded.
    pub(super) fn channels(&self) -> &[String] {
        if self.misses == Some(false) { self.channels.get(..1).unwrap_or_default() } else { &self.channels }
    }
}

pub(super) async fn read(node: &RedisNode, manners: &Manners) -> Result<Settings, SourceError> {
    let mut gate = node.gate().await;
    let misses = read_setting(&mut gate).await?.and_then(|flags| flags.channels().misses);
    let databases = match manners.hello.mode.as_str() {
        "cluster" => 1,
        _ => count_databases(&mut gate).await?.min(MOST_DATABASES),
    };
    let largest_request = largest_request(&mut gate).await?;
    Ok(Settings { misses, largest_request, channels: miss_channels(databases) })
}

/// `client_recent_max_input_buffer`, of the last seconds, since Redis 6.0.
async fn largest_request(gate: &mut Gate<'_>) -> Result<u64, SourceError> {
    match gate.ask(redis::cmd("INFO").arg("clients")).await {
        Ok(reply) => Ok(text(&reply)
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.strip_prefix("client_recent_max_input_buffer:")?.trim().parse().ok())
            .unwrap_or(0)),
        Err(error) if is_refusal(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Asks where the keys of commands stand that came up and are not known.
pub(super) async fn learn(node: &RedisNode, lookups: &mut Lookups) -> Result<(), SourceError> {
    let wanted = lookups.take_wanted();
    if wanted.is_empty() {
        return Ok(());
    }
    let command = redis::cmd("COMMAND").arg("INFO").arg(&wanted).clone();
    let told = match node.gate().await.ask(&command).await {
        Ok(Value::Array(told)) => told,
        Ok(_) => Vec::new(),
        Err(error) if is_refusal(&error) || error.kind() == ErrorCode::Protocol => Vec::new(),
        Err(error) => return Err(error),
    };
    for (place, name) in wanted.iter().enumerate() {
        match told.get(place) {
            Some(Value::Array(fields)) => {
                // Name, arity, flags, first key, last key, step (documentation of COMMAND).
                let number = |place: usize| match fields.get(place) {
                    Some(Value::Int(number)) => *number,
                    _ => -1,
                };
                let flags = match fields.get(2) {
                    Some(Value::Array(flags) | Value::Set(flags)) => flags.iter().filter_map(text).collect(),
                    _ => Vec::new(),
                };
                lookups.learn(name, &flags, number(3), number(4), number(5));
            }
            _ => lookups.give_up(name),
        }
    }
    Ok(())
}
