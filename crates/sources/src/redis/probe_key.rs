//! What is asked of one key, so that it leaves no trace and fetches nothing large.
//!
//! MEMORY USAGE comes first: it counts nowhere, and says whether the key is there and how large it is. Then
//! either GET, of a string of moderate size on a connection that said CLIENT NO-TOUCH (Redis 7.2), or TYPE, which
//! never makes a key look used (`LOOKUP_NOTOUCH` in Redis's db.c) and brings no value. Both count as lookups of
//! ours.

use std::collections::HashMap;

use cachescope_model::sample::{ProbeCandidate, ProbedKey};
use redis::Value;

use super::command::text;
use super::connect::Connection;
use super::failure::was_executed;
use super::node::{Gate, RedisNode};
use crate::error::{ErrorCode, SourceError};

/// Larger values are not fetched, in bytes.
const LARGEST_VALUE: u64 = 64 * 1024;
/// Keys whose type is remembered.
const REMEMBERED: usize = 1024;

/// A probe's outcome.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) probed: ProbedKey,
    /// A lookup of ours missed, which the server announces.
    pub(super) missed: bool,
}

/// Probes keys of one server on a connection of its own.
#[derive(Debug)]
pub(super) struct Prober {
    connection: Option<Connection>,
    may_touch: bool,
    /// Why GET is not asked, and what would enable it.
    no_get: Option<(String, String)>,
    unweighed: Option<SourceError>,
    /// Whether a key holds a string.
    strings: HashMap<(u16, bytes::Bytes), bool>,
}

/// What MEMORY USAGE says of a key.
enum Weight {
    Bytes(u64),
    Gone,
    /// It may not be asked.
    Unknown,
}

/// A lookup's answer.
enum Answer {
    There(Value),
    Gone,
    /// Not executed: no permission, another node's key.
    Refused(SourceError),
}

impl Prober {
    pub(super) fn new(may_touch: bool) -> Self {
        Self { connection: None, may_touch, no_get: None, unweighed: None, strings: HashMap::new() }
    }

    /// The server may be another one the next time.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.may_touch);
    }

    /// What it can't do here, and what would enable it.
    pub(super) fn partial(&self) -> Option<(String, String)> {
        if let Some(error) = &self.unweighed {
            return Some((
                format!("asks TYPE instead of GET, because the size of values is not known: {error}"),
                error.remedy().to_owned(),
            ));
        }
        self.no_get.clone()
    }

    /// Probes one key. After an error, [`forget`](Self::forget) it all.
    pub(super) async fn probe(
        &mut self,
        node: &RedisNode,
        candidate: &ProbeCandidate,
    ) -> Result<Seen, SourceError> {
        let mut gate = node.gate().await;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(&mut gate).await?,
        };
        let seen = self.probe_on(&mut gate, &mut connection, candidate).await?;
        self.connection = Some(connection);
        Ok(seen)
    }

    async fn connect(&mut self, gate: &mut Gate<'_>) -> Result<Connection, SourceError> {
        let mut connection = gate.connect_apart().await?;
        let no_touch = redis::cmd("CLIENT").arg("NO-TOUCH").arg("ON").clone();
        let reply = gate.ask_apart(&mut connection, 0, &no_touch).await?;
        self.no_get = match reply {
            Value::ServerError(error) if !self.may_touch => {
                let error = gate.refusal("CLIENT NO-TOUCH", &error);
                let because = if error.kind() == ErrorCode::Permission {
                    error.to_string()
                } else {
                    "the server has no CLIENT NO-TOUCH, which came with Redis 7.2".to_owned()
                };
                let detail = format!(
                    "asks TYPE instead of GET, which would make keys look used: {because}; the time that values \
                     take is not in it"
                );
                let allowed = error.kind() != ErrorCode::Permission;
                Some((detail, if allowed { String::new() } else { error.remedy().to_owned() }))
            }
            _ => None,
        };
        Ok(connection)
    }

    async fn probe_on(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut Connection,
        candidate: &ProbeCandidate,
    ) -> Result<Seen, SourceError> {
        let (database, key) = (candidate.database, &candidate.key);
        let of = |seconds: f64, hit: bool, with_value: bool, missed: bool| Seen {
            probed: ProbedKey { database, key: key.clone(), seconds, hit, with_value },
            missed,
        };
        let size = match self.weigh(gate, connection, candidate).await? {
            Weight::Gone => return Ok(of(0.0, false, false, false)),
            Weight::Bytes(bytes) => Some(bytes),
            Weight::Unknown => None,
        };
        let place = (database, key.clone());
        let fits = size.is_some_and(|size| size <= LARGEST_VALUE);
        if fits && self.no_get.is_none() {
            let string = match self.strings.get(&place) {
                Some(string) => *string,
                None => match self.lookup(gate, connection, candidate, "TYPE").await? {
                    Answer::There(kind) => {
                        if self.strings.len() >= REMEMBERED {
                            self.strings.clear();
                        }
                        let string = text(&kind).as_deref() == Some("string");
                        self.strings.insert(place.clone(), string);
                        string
                    }
                    Answer::Gone => return Ok(of(0.0, false, false, true)),
                    Answer::Refused(error) => return elsewhere(error).map(|()| of(0.0, false, false, false)),
                },
            };
            if string {
                match self.lookup(gate, connection, candidate, "GET").await? {
                    Answer::There(Value::ServerError(_)) => {
                        // It holds something else by now.
                        self.strings.remove(&place);
                    }
                    Answer::There(_) => return Ok(of(gate.round_trip().as_secs_f64(), true, true, false)),
                    Answer::Gone => return Ok(of(0.0, false, true, true)),
                    Answer::Refused(error) if error.kind() == ErrorCode::Permission => {
                        let detail = format!("asks TYPE instead of GET: {error}");
                        self.no_get = Some((detail, error.remedy().to_owned()));
                    }
                    Answer::Refused(error) => return elsewhere(error).map(|()| of(0.0, false, false, false)),
                }
            }
        }
        match self.lookup(gate, connection, candidate, "TYPE").await? {
            Answer::There(_) => Ok(of(gate.round_trip().as_secs_f64(), true, false, false)),
            Answer::Gone => Ok(of(0.0, false, false, true)),
            Answer::Refused(error) => elsewhere(error).map(|()| of(0.0, false, false, false)),
        }
    }

    async fn weigh(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut Connection,
        candidate: &ProbeCandidate,
    ) -> Result<Weight, SourceError> {
        if self.unweighed.is_some() {
            return Ok(Weight::Unknown);
        }
        let usage =
            redis::cmd("MEMORY").arg("USAGE").arg(candidate.key.as_ref()).arg("SAMPLES").arg(1).clone();
        match gate.ask_apart(connection, candidate.database, &usage).await? {
            Value::Int(bytes) => Ok(Weight::Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))),
            Value::Nil => Ok(Weight::Gone),
            Value::ServerError(error) if error.code() == "MOVED" => Ok(Weight::Gone),
            Value::ServerError(error) => {
                let error = gate.refusal("MEMORY USAGE", &error);
                if matches!(error.kind(), ErrorCode::Permission | ErrorCode::Unsupported) {
                    self.unweighed = Some(error);
                    Ok(Weight::Unknown)
                } else {
                    Err(error)
                }
            }
            _ => Ok(Weight::Unknown),
        }
    }

    /// Asks GET or TYPE and counts it as the server does.
    async fn lookup(
        &mut self,
        gate: &mut Gate<'_>,
        connection: &mut Connection,
        candidate: &ProbeCandidate,
        name: &str,
    ) -> Result<Answer, SourceError> {
        let gets = i64::from(name == "GET");
        // Before it is sent, as all commands of ours: an answer that never comes may have been given.
        gate.count_gets(gets);
        let command = redis::cmd(name).arg(candidate.key.as_ref()).clone();
        let reply = gate.ask_apart(connection, candidate.database, &command).await?;
        if !was_executed(&reply) {
            gate.count_gets(-gets);
            let Value::ServerError(error) = &reply else { return Ok(Answer::Gone) };
            if error.code() == "MOVED" {
                return Ok(Answer::Refused(moved()));
            }
            return Ok(Answer::Refused(gate.refusal(name, error)));
        }
        let gone = matches!(reply, Value::Nil) || name == "TYPE" && text(&reply).as_deref() == Some("none");
        gate.count_lookups(u64::from(!gone), u64::from(gone));
        Ok(if gone { Answer::Gone } else { Answer::There(reply) })
    }
}

fn moved() -> SourceError {
    SourceError::new(ErrorCode::WrongRole, "the key belongs to another server of the cluster by now", "")
}

/// A key that moved to another server is merely gone from here; other refusals are failures.
fn elsewhere(error: SourceError) -> Result<(), SourceError> {
    if error.kind() == ErrorCode::WrongRole { Ok(()) } else { Err(error) }
}
