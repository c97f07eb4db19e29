//! What is sent in one go, and how its replies are read: a step of SCAN, and questions about keys met before.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use cachescope_model::key::OUR_PREFIX;
use cachescope_model::scan::{KeyDetails, ScannedKey, Ttl};
use redis::Value;

use super::super::failure::{is_elsewhere, was_executed};
use super::super::node::Gate;
use super::super::raw::{RawConnection, Reply};
use super::strata::Choice;
use crate::error::{ErrorCode, SourceError};

/// Names longer than this are left out: they would have to be held in memory many times.
const LONGEST_KEY: usize = 1024 * 1024;
/// Types, encodings and errors are no longer.
const LONGEST_WORD: usize = 1024;

/// A key on its way through the questions.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) key: Bytes,
    pub(super) choice: Choice,
    pub(super) memory: Option<u64>,
    pub(super) partly_weighed: bool,
    pub(super) ttl: Option<Ttl>,
    pub(super) details: Option<Box<KeyDetails>>,
    pub(super) gone: bool,
}

impl Met {
    pub(super) fn new(key: Bytes, choice: Choice) -> Self {
        Self { key, choice, memory: None, partly_weighed: false, ttl: None, details: None, gone: false }
    }

    pub(super) fn kind(&self) -> Option<&str> {
        self.details.as_ref()?.kind.as_deref()
    }

    pub(super) fn into_scanned(self) -> ScannedKey {
        ScannedKey {
            key: self.key,
            stratum: self.choice.stratum,
            memory: self.memory,
            partly_weighed: self.partly_weighed,
            ttl: self.ttl,
            details: self.details,
        }
    }
}

/// A question about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// MEMORY USAGE by some elements.
    Weigh,
    /// MEMORY USAGE of every element.
    WeighAll,
    Ttl,
    Type,
    Encoding,
    Idle,
}

impl Ask {
    fn command(self) -> &'static str {
        match self {
            Self::Weigh | Self::WeighAll => "MEMORY USAGE",
            Self::Ttl => "PTTL",
            Self::Type => "TYPE",
            Self::Encoding => "OBJECT ENCODING",
            Self::Idle => "OBJECT IDLETIME",
        }
    }

    /// Whether the server counts it as a lookup of the key.
    fn is_lookup(self) -> bool {
        !matches!(self, Self::Weigh | Self::WeighAll)
    }

    /// Whether a lookup that misses is announced as an event as well; OBJECT's are not.
    fn announces_miss(self) -> bool {
        matches!(self, Self::Ttl | Self::Type)
    }
}

/// What is refused for the rest of a scan.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) memory: Option<SourceError>,
    pub(super) ttl: Option<SourceError>,
    pub(super) details: Option<SourceError>,
    /// The policy counts uses instead of keeping their times.
    pub(super) idle: bool,
}

impl Refused {
    /// Where keys can't be weighed, they are counted and no more: nothing would tell beforehand whether a
    /// question is about a key that is still there.
    pub(super) fn allows(&self, ask: Ask) -> bool {
        self.memory.is_none()
            && match ask {
                Ask::Weigh | Ask::WeighAll => true,
                Ask::Ttl => self.ttl.is_none(),
                Ask::Type | Ask::Encoding => self.details.is_none(),
                Ask::Idle => self.details.is_none() && !self.idle,
            }
    }
}

/// A request, before and after it was sent.
#[derive(Debug)]
pub(super) struct Request {
    /// The place of its database in the walk.
    pub(super) place: usize,
    /// A step of SCAN from this cursor.
    pub(super) scan: Option<u64>,
    pub(super) asks: Vec<(u32, Ask)>,
    /// Questions for requests after this one: too heavy to be sent together.
    pub(super) later: Vec<(u32, Ask)>,
    pub(super) met: Vec<Met>,
    /// Whether the keys were weighed for the first time.
    pub(super) first: bool,
}

/// Cursor and keys of a SCAN reply.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) cursor: u64,
    pub(super) keys: Vec<Bytes>,
    pub(super) bytes: usize,
    /// Keys left out because of their length.
    pub(super) too_long: u64,
}

impl Request {
    pub(super) fn step(place: usize, cursor: u64) -> Self {
        Self { place, scan: Some(cursor), asks: Vec::new(), later: Vec::new(), met: Vec::new(), first: true }
    }

    /// Asks for next to nothing and waits for it: a step of SCAN from the beginning, because a user who may do no
    /// more than scan may do that, and its keys come round again.
    pub(super) async fn probe(
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
    ) -> Result<(), SourceError> {
        let mut probe = Self::step(0, 0);
        let asked = match probe.send(gate, connection, 1, &[]).await {
            Ok(()) => probe.read_step(gate, connection).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if asked.is_err() {
            probe.uncount(gate);
        }
        asked
    }

    /// How many commands it is.
    pub(super) fn commands(&self) -> u64 {
        u64::from(self.scan.is_some()) + self.asks.len() as u64
    }

    fn lookups(&self) -> u64 {
        self.asks.iter().filter(|(_, ask)| ask.is_lookup()).count() as u64
    }

    /// Sends it. It counts as done from now on: whoever is dropped while waiting has still caused the traffic.
    pub(super) async fn send(
        &self,
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
        count: usize,
        samples: &[u8],
    ) -> Result<(), SourceError> {
        if let Some(cursor) = self.scan {
            connection.add(&[b"SCAN", cursor.to_string().as_bytes(), b"COUNT", count.to_string().as_bytes()]);
        }
        for (place, ask) in &self.asks {
            let Some(met) = self.met.get(*place as usize) else { continue };
            let key: &[u8] = &met.key;
            match ask {
                Ask::Weigh => connection.add(&[b"MEMORY", b"USAGE", key, b"SAMPLES", samples]),
                Ask::WeighAll => connection.add(&[b"MEMORY", b"USAGE", key, b"SAMPLES", b"0"]),
                Ask::Ttl => connection.add(&[b"PTTL", key]),
                Ask::Type => connection.add(&[b"TYPE", key]),
                Ask::Encoding => connection.add(&[b"OBJECT", b"ENCODING", key]),
                Ask::Idle => connection.add(&[b"OBJECT", b"IDLETIME", key]),
            }
        }
        *gate.commands() += self.commands();
        gate.count_lookups(self.lookups(), 0);
        connection.flush("SCAN").await
    }

    /// Takes back what was counted: nobody knows how much of it was done when its connection broke.
    pub(super) fn uncount(&self, gate: &mut Gate<'_>) {
        let commands = gate.commands();
        *commands = commands.saturating_sub(self.commands());
        gate.uncount_lookups(self.lookups(), 0);
    }

    /// Reads the reply to SCAN.
    pub(super) async fn read_step(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
    ) -> Result<Step, SourceError> {
        let unreadable = |connection: &RawConnection| connection.unreadable("SCAN");
        match connection.reply("SCAN", LONGEST_WORD).await? {
            Reply::Array(2) => {}
            Reply::Error(Value::ServerError(error)) => {
                let executed = was_executed(&Value::ServerError(error.clone()));
                self.scan = None;
                *gate.commands() -= u64::from(!executed);
                return Err(gate.refusal("SCAN", &error));
            }
            _ => return Err(unreadable(connection)),
        }
        let cursor = match connection.reply("SCAN", LONGEST_WORD).await? {
            Reply::Bulk => std::str::from_utf8(connection.bytes()).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let cursor: u64 = cursor.ok_or_else(|| unreadable(connection))?;
        let Reply::Array(length) = connection.reply("SCAN", LONGEST_WORD).await? else {
            return Err(unreadable(connection));
        };
        let mut names = BytesMut::with_capacity(length.min(4096) * 24);
        let mut ends = Vec::with_capacity(length.min(4096));
        let mut too_long = 0;
        for _ in 0..length {
            match connection.reply("SCAN", LONGEST_KEY).await? {
                Reply::Bulk if connection.bytes().starts_with(OUR_PREFIX) => {}
                Reply::Bulk => {
                    names.extend_from_slice(connection.bytes());
                    ends.push(names.len());
                }
                Reply::TooLong => too_long += 1,
                _ => return Err(unreadable(connection)),
            }
        }
        self.scan = None;
        let bytes = names.len();
        let mut names = names.freeze();
        let mut before = 0;
        let keys =
            ends.into_iter().map(|end| names.split_to(end - std::mem::replace(&mut before, end))).collect();
        Ok(Step { cursor, keys, bytes, too_long })
    }

    /// Reads the replies to its questions. Returns the keys whose lookups missed and were announced.
    pub(super) async fn read_asks(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut RawConnection,
        refused: &mut Refused,
    ) -> Result<Vec<Bytes>, SourceError> {
        let mut missed = Vec::new();
        for number in 0..self.asks.len() {
            let (place, ask) = self.asks[number];
            let reply = match connection.reply(ask.command(), LONGEST_WORD).await {
                Ok(reply) => reply,
                Err(error) => {
                    // What was answered stays counted; only the rest is asked again.
                    self.asks.drain(..number);
                    return Err(error);
                }
            };
            let Some(met) = self.met.get_mut(place as usize) else { continue };
            if let Reply::Error(Value::ServerError(error)) = &reply {
                let executed = was_executed(&Value::ServerError(error.clone()));
                *gate.commands() -= u64::from(!executed);
                if is_elsewhere(error) {
                    // Counted and not weighed; one that has gone is counted where it is.
                    met.gone |= error.code() == "ASK";
                    gate.uncount_lookups(u64::from(ask.is_lookup()), 0);
                    continue;
                }
                if let Err(error) = refuse(gate, ask, error, executed, refused) {
                    self.asks.drain(..=number);
                    return Err(error);
                }
                continue;
            }
            if take(met, ask, &reply, connection.bytes()) {
                continue;
            }
            met.gone = true;
            if ask.is_lookup() {
                gate.uncount_lookups(1, 0);
                gate.count_lookups(0, 1);
            }
            if ask.announces_miss() {
                missed.push(met.key.clone());
            }
        }
        self.asks.clear();
        Ok(missed)
    }
}

/// Takes note of an answer; `false`: the key is gone.
fn take(met: &mut Met, ask: Ask, reply: &Reply, bytes: &[u8]) -> bool {
    let details = |met: &mut Met, set: &mut dyn FnMut(&mut KeyDetails)| {
        let by_lot = met.choice.details;
        set(met.details.get_or_insert_with(|| Box::new(KeyDetails { by_lot, ..KeyDetails::default() })));
        true
    };
    match (ask, reply) {
        (Ask::Weigh | Ask::WeighAll, Reply::Int(bytes)) => {
            met.memory = u64::try_from(*bytes).ok();
            true
        }
        // -2: no such key, -1: no time to live (documentation of PTTL, since 2.8).
        (Ask::Ttl, Reply::Int(-2)) => false,
        (Ask::Ttl, Reply::Int(millis)) => {
            met.ttl = Some(u64::try_from(*millis).map_or(Ttl::None, Ttl::Millis));
            true
        }
        (Ask::Type, Reply::Status | Reply::Bulk) if bytes == b"none" => false,
        (Ask::Type, Reply::Status | Reply::Bulk) => {
            details(met, &mut |details| details.kind = Some(word(bytes)))
        }
        (Ask::Encoding, Reply::Status | Reply::Bulk) => {
            details(met, &mut |details| details.encoding = Some(word(bytes)))
        }
        (Ask::Idle, Reply::Int(seconds)) => {
            let seconds = u64::try_from(*seconds).ok();
            details(met, &mut |details| details.idle_seconds = seconds)
        }
        (_, Reply::Nil) => false,
        // An answer of another kind than documented says nothing.
        _ => true,
    }
}

/// Takes note of a refusal, or gives it back where the scan can't go on.
fn refuse(
    gate: &mut Gate<'_>,
    ask: Ask,
    error: &redis::ServerError,
    executed: bool,
    refused: &mut Refused,
) -> Result<(), SourceError> {
    // OBJECT IDLETIME looks the key up before it says that the policy keeps no times (objectCommand in
    // Redis's object.c).
    let looked_up = ask == Ask::Idle && executed;
    if ask.is_lookup() && !looked_up {
        gate.uncount_lookups(1, 0);
    }
    let words = gate.refusal(ask.command(), error);
    match ask {
        Ask::Idle if executed => refused.idle = true,
        Ask::Type | Ask::Encoding | Ask::Idle => refused.details = Some(words),
        Ask::Ttl => refused.ttl = Some(words),
        Ask::Weigh | Ask::WeighAll => match words.kind() {
            ErrorCode::Permission | ErrorCode::Unsupported => refused.memory = Some(words),
            _ => return Err(words),
        },
    }
    Ok(())
}

/// A type's or encoding's name; the usual ones take no memory.
fn word(bytes: &[u8]) -> Cow<'static, str> {
    const KNOWN: [&str; 16] = [
        "string",
        "hash",
        "list",
        "set",
        "zset",
        "stream",
        "embstr",
        "raw",
        "int",
        "listpack",
        "ziplist",
        "quicklist",
        "hashtable",
        "intset",
        "skiplist",
        "linkedlist",
    ];
    match KNOWN.into_iter().find(|known| known.as_bytes() == bytes) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(String::from_utf8_lossy(bytes).chars().take(40).collect()),
    }
}
