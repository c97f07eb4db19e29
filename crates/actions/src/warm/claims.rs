//! One load of a key at a time, whoever else warms it under whatever plan: a claim in the deployment, which ends by
//! itself soon after the last request that its holder may have sent.

use std::time::Duration;

use redis::{Pipeline, Value};

use super::placed::Placed;
use crate::canonical::sha256;
use crate::failure::Failure;
use crate::feed::said;

/// How claims are named: as ours, so that they belong to no namespace.
pub(crate) const PREFIX: &str = "cachescope:lock:load:";

/// How long a claim lives beyond the deadline of its request.
const SLACK: Duration = Duration::from_secs(5);

fn name(database: u16, key: &[u8]) -> Vec<u8> {
    let mut of = database.to_le_bytes().to_vec();
    of.extend(key);
    format!("{PREFIX}{}", &sha256(&of)[..32]).into_bytes()
}

/// Claims keys for `holder`; says which are ours.
pub(crate) async fn claim(
    placed: &mut Placed,
    database: u16,
    keys: &[&[u8]],
    holder: &str,
    longest_request: Duration,
) -> Result<Vec<bool>, Failure> {
    let names: Vec<Vec<u8>> = keys.iter().map(|key| name(database, key)).collect();
    let lives = (longest_request + SLACK).as_millis() as u64;
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("SET").arg(&names[place]).arg(holder).arg("NX").arg("PX").arg(lives);
    };
    let borrowed: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let replies = placed.each(0, &borrowed, asked, |_| (0, 0)).await?;
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

/// Gives claims back.
pub(crate) async fn give_back(placed: &mut Placed, database: u16, keys: &[&[u8]]) -> Result<(), Failure> {
    let names: Vec<Vec<u8>> = keys.iter().map(|key| name(database, key)).collect();
    let borrowed: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("UNLINK").arg(&names[place]);
    };
    placed.each(0, &borrowed, asked, |_| (0, 0)).await.map(|_| ())
}
