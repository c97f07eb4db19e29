//! The one place where times to live are shortened. `LT` never lengthens one, and takes no time to live for an
//! endless one (Redis 7.0).

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};

use super::removal::{Outcome, ended, refused};
use super::turns::Turns;
use crate::failure::Failure;
use crate::pace::Work;

pub(super) async fn soften(
    connection: &mut ActingConnection,
    turns: &Turns<'_>,
    database: u16,
    keys: &[Vec<u8>],
    (ttl_ms, jitter_ms): (u64, u64),
) -> Result<Outcome, Failure> {
    let mut asked = Pipeline::with_capacity(keys.len());
    for key in keys {
        let less = rand::random_range(0..=jitter_ms.min(ttl_ms.saturating_sub(1)));
        asked.cmd("PEXPIRE").arg(key).arg(ttl_ms - less).arg("LT");
    }
    let turn = turns.take().await.map_err(ended)?;
    let answer = connection.ask_without_lookups(database, &asked).await?;
    turn.took(Work::Change, keys.len(), 0, answer.round_trip);
    let mut outcome = Outcome::default();
    for reply in &answer.replies {
        match reply {
            Value::Int(1) => outcome.removed += 1,
            Value::Int(_) => outcome.gone += 1,
            Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK" | "TRYAGAIN") => {
                outcome.moved += 1
            }
            Value::ServerError(error) => return Err(refused(&connection.node().name(), error)),
            _ => return Err(Failure::server("PEXPIRE is answered with something else", "")),
        }
    }
    Ok(outcome)
}
