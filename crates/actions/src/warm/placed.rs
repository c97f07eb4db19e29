//! Keys where they belong: to the server that answers for them, many at once, the answers in the keys' order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::redis::acting::{ActingConnection, Answer};
use futures::future::try_join_all;
use redis::{Pipeline, Value};

use super::server_clock::ServerClock;
use crate::failure::Failure;
use crate::servers::{Servers, slot_of, text_of};

/// How often keys that another server answers for by now are asked there.
const MOVES: usize = 3;

/// One connection to each primary, and which slots are whose.
#[derive(Debug)]
pub(crate) struct Placed {
    connections: Vec<ActingConnection>,
    /// The place of a slot's server; `None` outside a Cluster.
    slots: Option<Vec<u16>>,
    /// The clock of each server, once it was looked at.
    clocks: Vec<Option<ServerClock>>,
}

/// Replies in the order of the keys, and the longest exchange.
#[derive(Debug)]
pub(crate) struct Replies {
    pub(crate) values: Vec<Value>,
    pub(crate) longest: Duration,
}

impl Placed {
    /// Connections to every primary.
    pub(crate) async fn new(servers: &Servers) -> Result<Self, Failure> {
        if !servers.cluster && servers.primaries.len() != 1 {
            return Err(Failure::refused(
                format!(
                    "of {} separate servers it is not known which one a key belongs to",
                    servers.primaries.len()
                ),
                "use the address of one of them",
            ));
        }
        let node = |server: &crate::servers::Server| ActingConnection::new(Arc::clone(&server.node));
        let connections: Vec<_> = servers.primaries.iter().map(node).collect();
        let clocks = vec![None; connections.len()];
        let mut placed = Self { connections, slots: None, clocks };
        if servers.cluster {
            placed.slots = Some(placed.ask_slots().await?);
        }
        Ok(placed)
    }

    /// Who answers for which slot, by the nodes' own identities: addresses may differ by where one asks from.
    async fn ask_slots(&mut self) -> Result<Vec<u16>, Failure> {
        let mut places = HashMap::new();
        let mut told = None;
        for (place, connection) in self.connections.iter_mut().enumerate() {
            let mut asked = Pipeline::new();
            asked.cmd("CLUSTER").arg("MYID");
            asked.cmd("CLUSTER").arg("SLOTS");
            let replies = connection.ask_without_lookups(0, &asked).await?.replies;
            let mut replies = replies.into_iter();
            if let Some(id) = replies.next().as_ref().and_then(text_of) {
                places.insert(id, place as u16);
            }
            told = told.or(replies.next());
        }
        let mut slots = vec![0; 16_384];
        let Some(Value::Array(ranges)) = told else {
            return Err(Failure::server(
                "the Cluster does not tell which server answers for which slot",
                "let the user run CLUSTER SLOTS and CLUSTER MYID",
            ));
        };
        for range in ranges {
            let Value::Array(parts) = range else { continue };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else {
                continue;
            };
            let Some(place) = primary.get(2).and_then(text_of).and_then(|id| places.get(&id)) else {
                continue;
            };
            let (first, last) = (usize::try_from(*first).unwrap_or(0), usize::try_from(*last).unwrap_or(0));
            // Not a slice: a server's odd range, beyond the slots or backwards, must end nothing.
            for slot in slots.iter_mut().take(last + 1).skip(first) {
                *slot = *place;
            }
        }
        Ok(slots)
    }

    fn place_of(&self, key: &[u8]) -> usize {
        self.slots.as_ref().map_or(0, |slots| usize::from(slots[usize::from(slot_of(key))]))
    }

    /// Looks at the servers' clocks, as often as that is needed.
    pub(crate) async fn look_at_clocks(&mut self) -> Result<(), Failure> {
        for (clock, connection) in self.clocks.iter_mut().zip(&mut self.connections) {
            *clock = Some(ServerClock::look(clock.take(), connection).await?);
        }
        Ok(())
    }

    /// The clock of a key's server; `None` where it was not looked at.
    pub(crate) fn clock_of(&self, key: &[u8]) -> Option<ServerClock> {
        self.clocks.get(self.place_of(key)).copied().flatten()
    }

    /// Asks one command about each key, written by `command` from the key's place in `keys`. `lookups` says what the
    /// server counted of the replies.
    pub(crate) async fn each(
        &mut self,
        database: u16,
        keys: &[&[u8]],
        command: impl Fn(&mut Pipeline, usize),
        lookups: impl Fn(&[Value]) -> (u64, u64),
    ) -> Result<Replies, Failure> {
        let mut values: Vec<Value> = vec![Value::Nil; keys.len()];
        let mut longest = Duration::ZERO;
        let mut open: Vec<usize> = (0..keys.len()).collect();
        for round in 0..=MOVES {
            let mut by_server: Vec<Vec<usize>> = vec![Vec::new(); self.connections.len()];
            for place in open.drain(..) {
                by_server[self.place_of(keys[place])].push(place);
            }
            let exchanges =
                self.connections.iter_mut().zip(&by_server).filter(|(_, places)| !places.is_empty());
            let exchanges = exchanges.map(|(connection, places)| {
                let mut asked = Pipeline::with_capacity(places.len());
                places.iter().for_each(|place| command(&mut asked, *place));
                let lookups = &lookups;
                async move { connection.ask(database, &asked, lookups).await }
            });
            let answers: Vec<Answer> = try_join_all(exchanges).await?;
            for (answer, places) in
                answers.into_iter().zip(by_server.iter().filter(|places| !places.is_empty()))
            {
                longest = longest.max(answer.round_trip);
                for (value, place) in answer.replies.into_iter().zip(places) {
                    if is_elsewhere(&value) && round < MOVES {
                        open.push(*place);
                    }
                    values[*place] = value;
                }
            }
            if open.is_empty() {
                break;
            }
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            self.slots = Some(self.ask_slots().await?);
        }
        Ok(Replies { values, longest })
    }

    /// Forgets the connections, after an exchange of which nobody knows what was done.
    pub(crate) fn disconnect(&mut self) {
        self.connections.iter_mut().for_each(ActingConnection::disconnect);
    }
}

/// Whether another server answers for a key.
pub(crate) fn is_elsewhere(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN"))
}

/// How a key stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether it is there.
    pub(crate) there: bool,
    /// Milliseconds that it still lives; `None` for ever.
    pub(crate) left_ms: Option<u64>,
}

/// How keys stand. MEMORY USAGE tells without a lookup whether a key is there, so none of ours counts as a miss; only
/// those that are there are asked for their time to live.
pub(crate) async fn standing(
    placed: &mut Placed,
    database: u16,
    keys: &[&[u8]],
) -> Result<Vec<Standing>, Failure> {
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("MEMORY").arg("USAGE").arg(keys[place]).arg("SAMPLES").arg(1);
    };
    let found = placed.each(database, keys, asked, |_| (0, 0)).await?;
    let mut there = Vec::new();
    for (place, value) in found.values.iter().enumerate() {
        match value {
            Value::Int(_) => there.push(place),
            Value::Nil => {}
            Value::ServerError(error) => {
                return Err(Failure::server(
                    format!("a server does not tell whether a key is there: {}", crate::feed::said(error)),
                    "let the user run MEMORY USAGE",
                ));
            }
            _ => return Err(Failure::server("a server answers MEMORY USAGE with something else", "")),
        }
    }
    let mut all = vec![Standing::default(); keys.len()];
    let held: Vec<&[u8]> = there.iter().map(|place| keys[*place]).collect();
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("PTTL").arg(held[place]);
    };
    let left = placed.each(database, &held, asked, ttl_lookups).await?;
    for (place, value) in there.into_iter().zip(left.values) {
        all[place] = match value {
            Value::Int(left) if left >= -1 => Standing { there: true, left_ms: u64::try_from(left).ok() },
            Value::Int(_) => Standing::default(),
            // Not told how long: it is there all the same.
            _ => Standing { there: true, left_ms: None },
        };
    }
    Ok(all)
}

/// What PTTL adds to the server's hits and misses.
pub(crate) fn ttl_lookups(replies: &[Value]) -> (u64, u64) {
    replies.iter().fold((0, 0), |(hits, misses), reply| match reply {
        Value::Int(-2) => (hits, misses + 1),
        Value::Int(_) => (hits + 1, misses),
        _ => (hits, misses),
    })
}
