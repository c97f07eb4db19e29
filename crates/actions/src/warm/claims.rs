//! One load of a key at a time, whoever else warms it under whatever plan: a claim in the deployment. Its holder renews
//! it while the key's turn has not come or its request is under way; left alone, it ends by itself soon after the last
//! request that its holder may have sent.

use std::time::{Duration, Instant};

use redis::{Pipeline, Value};

use super::placed::{Placed, is_elsewhere};
use crate::canonical::sha256;
use crate::failure::Failure;
use crate::feed::said;

/// How claims are named: as ours, so that they belong to no namespace.
pub(crate) const PREFIX: &str = "cachescope:lock:load:";

/// How often claims are renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// How long a claim lives beyond the deadline of a request that was sent just before its next renewal.
const SLACK: Duration = Duration::from_secs(5);
/// The longest that somebody else's claim is waited for: more than any of ours lives.
const LONGEST: Duration = Duration::from_secs(180);

/// Whose claims these are.
#[derive(Debug)]
pub(crate) struct Claims {
    holder: Vec<u8>,
    lives: Duration,
    renewed: Instant,
}

fn name(database: u16, key: &[u8]) -> Vec<u8> {
    let mut of = database.to_le_bytes().to_vec();
    of.extend(key);
    format!("{PREFIX}{}", &sha256(&of)[..32]).into_bytes()
}

fn names(database: u16, keys: &[&[u8]]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| name(database, key)).collect()
}

fn borrowed(names: &[Vec<u8>]) -> Vec<&[u8]> {
    names.iter().map(Vec::as_slice).collect()
}

impl Claims {
    /// `holder` is a name that no other run has. A request of its takes `longest_request` at most.
    pub(crate) fn of(holder: String, longest_request: Duration) -> Self {
        let lives = longest_request + RENEWED_EVERY + SLACK;
        Self { holder: holder.into_bytes(), lives, renewed: Instant::now() }
    }

    /// Claims keys; says which are ours.
    pub(crate) async fn claim(
        &mut self,
        placed: &mut Placed,
        database: u16,
        keys: &[&[u8]],
    ) -> Result<Vec<bool>, Failure> {
        let (names, lives) = (names(database, keys), self.lives.as_millis() as u64);
        self.renewed = Instant::now();
        let holder = &self.holder;
        let asked = |pipe: &mut Pipeline, place: usize| {
            pipe.cmd("SET").arg(&names[place]).arg(holder).arg("NX").arg("PX").arg(lives);
        };
        let replies = placed.each(0, &borrowed(&names), asked, |_| (0, 0)).await?;
        let ours = replies.values.into_iter().map(|value| match value {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            Value::ServerError(error) if error.code() == "OOM" => Err(Failure::server(
                format!("the cache is full: {}", said(&error)),
                "make room, or have it evict, then resume the run",
            )),
            Value::ServerError(error) => Err(Failure::server(
                format!("a server does not take claims: {}", said(&error)),
                "let the user SET keys like cachescope:*",
            )),
            _ => Err(Failure::server("a server answers SET with something else", "")),
        });
        ours.collect()
    }

    /// Whether it is time to [`Self::renew`] them.
    pub(crate) fn want_renewal(&self) -> bool {
        self.renewed.elapsed() >= RENEWED_EVERY
    }

    /// Renews claims; says which are ours still. One may have ended while this machine slept.
    pub(crate) async fn renew(
        &mut self,
        placed: &mut Placed,
        database: u16,
        keys: &[&[u8]],
    ) -> Result<Vec<bool>, Failure> {
        let (names, lives) = (names(database, keys), self.lives.as_millis() as u64);
        self.renewed = Instant::now();
        let mut ours = self.ours(placed, &names).await?;
        let places: Vec<usize> = (0..names.len()).filter(|place| ours[*place]).collect();
        let held: Vec<&[u8]> = places.iter().map(|place| names[*place].as_slice()).collect();
        let asked = |pipe: &mut Pipeline, place: usize| {
            pipe.cmd("PEXPIRE").arg(held[place]).arg(lives);
        };
        let replies = placed.each(0, &held, asked, |_| (0, 0)).await?;
        for (place, value) in places.into_iter().zip(replies.values) {
            ours[place] = value == Value::Int(1);
        }
        Ok(ours)
    }

    /// Gives back those that are ours.
    pub(crate) async fn give_back(
        &self,
        placed: &mut Placed,
        database: u16,
        keys: &[&[u8]],
    ) -> Result<(), Failure> {
        let names = names(database, keys);
        let ours = self.ours(placed, &names).await?;
        let held: Vec<&[u8]> =
            names.iter().zip(ours).filter(|(_, ours)| *ours).map(|(name, _)| name.as_slice()).collect();
        let asked = |pipe: &mut Pipeline, place: usize| {
            pipe.cmd("UNLINK").arg(held[place]);
        };
        placed.each(0, &held, asked, |_| (0, 0)).await.map(|_| ())
    }

    async fn ours(&self, placed: &mut Placed, names: &[Vec<u8>]) -> Result<Vec<bool>, Failure> {
        let asked = |pipe: &mut Pipeline, place: usize| {
            pipe.cmd("GETRANGE").arg(&names[place]).arg(0).arg(-1);
        };
        let lookups = |replies: &[Value]| {
            replies.iter().fold((0, 0), |(hits, misses), reply| match reply {
                Value::BulkString(value) if value.is_empty() => (hits, misses + 1),
                Value::BulkString(_) => (hits + 1, misses),
                _ => (hits, misses),
            })
        };
        let replies = placed.each(0, &borrowed(names), asked, lookups).await?;
        let ours = replies.values.into_iter().map(|value| match value {
            Value::BulkString(holder) => Ok(holder == self.holder),
            moved if is_elsewhere(&moved) => Ok(false),
            Value::ServerError(error) => Err(Failure::server(
                format!("a server does not tell whose claims these are: {}", said(&error)),
                "let the user run GETRANGE on cachescope:*",
            )),
            _ => Err(Failure::server("a server answers GETRANGE with something else", "")),
        });
        ours.collect()
    }
}

/// How long it takes at most until the claims of these keys have ended, if nobody renews them. One without an end is
/// not waited for.
pub(crate) async fn end_within(
    placed: &mut Placed,
    database: u16,
    keys: &[&[u8]],
) -> Result<Duration, Failure> {
    let names = names(database, keys);
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("PTTL").arg(&names[place]);
    };
    let replies = placed.each(0, &borrowed(&names), asked, super::placed::ttl_lookups).await?;
    let left = replies.values.iter().filter_map(|value| match value {
        Value::Int(left) => u64::try_from(*left).ok().map(Duration::from_millis),
        _ => None,
    });
    Ok(left.max().unwrap_or_default().min(LONGEST))
}
