//! Keys that are worth warming: those that expire soon, and those that a run has removed. The most missed ones come
//! from a session, which counts them.

use std::collections::BinaryHeap;
use std::time::Duration;

use redis::{Pipeline, Value};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::placed::ttl_lookups;
use super::source::OpensUndo;
use crate::failure::Failure;
use crate::feed::Walk;
use crate::plan::{KeyName, Scope};
use crate::preview::cancelled;
use crate::selection::{Attribution, Selection};
use crate::servers::Servers;

/// The most keys that a plan names.
pub const MOST: usize = 10_000;
/// Keys of one page.
const PAGE: usize = 200;

/// A key of a logical database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Candidate {
    /// Its logical database.
    pub database: u16,
    /// Its name.
    pub key: KeyName,
}

/// Keys of a scope that expire within `within`, the next to go first, at most [`MOST`]. Rests as long as it asks.
///
/// # Errors
/// Where the scope can't be read or a server can't be asked.
pub async fn expiring(
    servers: &Servers,
    attribution: &Attribution,
    scope: &Scope,
    within: Duration,
    cancel: &CancellationToken,
) -> Result<Vec<Candidate>, Failure> {
    let selection = Selection::new(scope, attribution.strategy())?;
    let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    // The longest-lived is on top and gives way.
    let mut soonest: BinaryHeap<(i64, Candidate)> = BinaryHeap::new();
    for server in &servers.primaries {
        let mut walk = Walk::new(server, &selection, PAGE);
        loop {
            if cancel.is_cancelled() {
                return Err(cancelled());
            }
            let Some((database, keys)) = walk.next().await? else { break };
            if keys.is_empty() {
                continue;
            }
            let mut asked = Pipeline::with_capacity(keys.len());
            keys.iter().for_each(|key| {
                asked.cmd("PTTL").arg(key);
            });
            let answer = walk.connection.ask(database, &asked, ttl_lookups).await?;
            for (key, left) in keys.into_iter().zip(answer.replies) {
                let Value::Int(left @ 0..) = left else { continue };
                if left <= within {
                    soonest.push((left, Candidate { database, key: KeyName(key) }));
                }
                if soonest.len() > MOST {
                    soonest.pop();
                }
            }
            tokio::time::sleep(answer.round_trip).await;
        }
    }
    Ok(soonest.into_sorted_vec().into_iter().map(|(_, candidate)| candidate).collect())
}

/// Keys that a run has removed and kept, each once, in the order in which they were removed, at most [`MOST`]; and
/// whether there are more. Reads the whole file: call it where blocking is allowed.
///
/// # Errors
/// Where the file can't be opened.
pub fn of_run(
    opens: &OpensUndo,
    wanted: impl Fn(&Candidate) -> bool,
) -> Result<(Vec<Candidate>, bool), Failure> {
    let mut reader = opens()?;
    let (mut seen, mut found) = (std::collections::HashSet::new(), Vec::new());
    while let Some(batch) = reader.next_batch() {
        for kept in batch {
            let candidate = Candidate { database: kept.database, key: KeyName(kept.key) };
            if !wanted(&candidate) || !seen.insert((candidate.database, candidate.key.clone())) {
                continue;
            }
            if found.len() == MOST {
                return Ok((found, true));
            }
            found.push(candidate);
        }
    }
    Ok((found, false))
}
