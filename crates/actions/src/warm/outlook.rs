//! What a warm would do: which keys are due, whether the endpoint can be called, whether there is room, and how much of
//! the hit rate it would win back. Nothing is written and no endpoint is called.

use cachescope_model::size;
use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::dump::{check_version, version_read_by};
use super::endpoint::Requests;
use super::loader::Loader;
use super::placed::{Placed, standing};
use super::plan::{Warm, WarmWay};
use super::source::{CopySource, WarmContext};
use super::strain::Strain;
use crate::failure::{Failure, FailureKind};
use crate::feed::Walk;
use crate::guards::Check;
use crate::plan::KeyName;
use crate::preview::cancelled;
use crate::reads::Reads;
use crate::selection::{Attribution, Selection};
use crate::servers::Servers;

/// Keys that are looked at in one exchange.
const PAGE: usize = 500;
/// Names that are shown.
const SHOWN: usize = 100;

/// A key that is missed, as a session counts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct MissedKey {
    /// The template of its namespace; empty where it belongs to none.
    pub namespace: String,
    /// Its logical database.
    pub database: u16,
    /// Its name.
    pub key: KeyName,
    /// Misses a second.
    pub per_second: f64,
    /// Why it is missed: `expired`, `evicted`, `deleted`, `cold` or `unknown`.
    pub cause: String,
}

/// What a warm would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct WarmOutlook {
    /// Keys that would be loaded; 0 where the application alone knows them.
    #[ts(type = "number")]
    pub due: u64,
    /// Keys that are there already and stay as they are.
    #[ts(type = "number")]
    pub there: u64,
    /// Requests that would be sent.
    #[ts(type = "number")]
    pub requests: u64,
    /// Seconds that they take at least, by the plan's rate.
    pub least_seconds: f64,
    /// Bytes that a copy would bring, at the source.
    #[ts(type = "number")]
    pub bytes: u64,
    /// How much hit rate it would win back, by namespace.
    pub won_back: Vec<WonBack>,
}

/// How much hit rate a namespace would win back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
pub struct WonBack {
    /// Its template.
    pub namespace: String,
    /// Its hit rate now, a ratio; `None` while that is not known.
    pub hit_rate: Option<f64>,
    /// What it would be without the misses of the keys that are due; `None` where those are not known.
    pub hit_rate_after: Option<f64>,
    /// Misses a second of the keys that are due.
    pub misses_per_second: f64,
}

/// What was found, with the checks and the names of some of the keys.
pub(crate) struct Found {
    pub(crate) outlook: WarmOutlook,
    pub(crate) checks: Vec<Check>,
    pub(crate) due: Vec<(u16, Vec<u8>)>,
}

/// Looks.
pub(crate) async fn look(
    warm: &Warm,
    servers: &Servers,
    attribution: &Attribution,
    context: &WarmContext,
    (missed, reads): (&[MissedKey], Option<&Reads>),
    protected_too: bool,
    cancel: &CancellationToken,
) -> Result<Found, Failure> {
    let mut found = Found { outlook: WarmOutlook::default(), checks: Vec::new(), due: Vec::new() };
    let mut placed = Placed::new(servers).await?;
    match &warm.way {
        WarmWay::Request { endpoint, keys, database } => {
            found.checks.push(callable(Requests::new(endpoint, None, &context.secrets, None), warm, context));
            found.outlook.requests = 1;
            named(&mut found, warm, keys, *database, &mut placed, cancel).await?;
        }
        WarmWay::RequestEach { endpoint, template, keys, database } => {
            let requests = Requests::new(endpoint, Some(template), &context.secrets, None);
            let each = requests.and_then(|requests| {
                keys.iter().try_for_each(|key| requests.of_key(&key.0).map(|_| ()))?;
                Ok(requests)
            });
            found.checks.push(callable(each, warm, context));
            named(&mut found, warm, keys, *database, &mut placed, cancel).await?;
            found.outlook.requests = found.outlook.due;
            found.outlook.least_seconds =
                found.outlook.due as f64 * 60.0 / f64::from(warm.limits.per_minute.max(1));
        }
        WarmWay::Copy { scope, .. } => {
            let selection =
                scope.as_ref().map(|scope| Selection::new(scope, attribution.strategy())).transpose()?;
            copied(&mut found, servers, selection, context.source()?, &mut placed, cancel).await?;
        }
    }
    let strain = Strain::of(servers).await?;
    found.checks.push(room(&found.outlook, strain));
    let protected =
        found.due.iter().filter(|(database, key)| attribution.is_protected(*database, key)).count();
    if protected > 0 && !protected_too {
        found.checks.push(Check::refused(
            "protected",
            format!("{protected} of the keys belong to protected namespaces (sessions, rate limits, locks, queues)"),
            "leave them out, or have the plan include protected ones",
        ));
    }
    if found.outlook.due == 0 && found.outlook.there > 0 {
        found.checks.push(Check::remark(
            "due",
            "Every key is there already, so there is nothing to load",
            "",
        ));
    }
    found.outlook.won_back = won_back(&found.due, attribution, missed, reads);
    found.due.truncate(SHOWN);
    Ok(found)
}

fn callable(made: Result<Requests<'_>, Failure>, warm: &Warm, context: &WarmContext) -> Check {
    let Some(endpoint) = warm.endpoint() else { return Check::passed("endpoint", "No endpoint is called") };
    let reached = made.and_then(|_| Loader::new(endpoint, &warm.limits, &context.tls));
    match reached {
        Err(failure) => Check::refused("endpoint", failure.sentence, &failure.remedy),
        Ok(_) if endpoint.secret.is_some() && endpoint.url.starts_with("http://") => Check::remark(
            "endpoint",
            format!("The secret goes to {} without TLS", endpoint.url),
            "use https where the network is not yours alone",
        ),
        Ok(_) => Check::passed(
            "endpoint",
            format!(
                "{} {}, at most {} a minute and {} at a time",
                endpoint.method, endpoint.url, warm.limits.per_minute, warm.limits.concurrency
            ),
        ),
    }
}

fn room(outlook: &WarmOutlook, strain: Strain) -> Check {
    match strain.room {
        None => Check::passed("room", "No memory limit is set"),
        Some(room) if outlook.bytes > room => Check::refused(
            "room",
            format!(
                "The keys take about {}, and {} are left below maxmemory",
                size::format(outlook.bytes as f64),
                size::format(room as f64)
            ),
            "choose fewer keys, or give the cache more memory",
        ),
        Some(0) => Check::remark(
            "room",
            "The cache is full, so whatever is loaded pushes something else out",
            "the run stops as soon as keys are evicted",
        ),
        Some(room) => {
            Check::passed("room", format!("{} are left below maxmemory", size::format(room as f64)))
        }
    }
}

async fn named(
    found: &mut Found,
    warm: &Warm,
    keys: &[KeyName],
    database: u16,
    placed: &mut Placed,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    for some in keys.chunks(PAGE) {
        if cancel.is_cancelled() {
            return Err(cancelled());
        }
        let some: Vec<&[u8]> = some.iter().map(|key| key.0.as_slice()).collect();
        for (key, standing) in some.iter().zip(standing(placed, database, &some).await?) {
            if standing.there && !warm.success.is_due(standing.left_ms) {
                found.outlook.there += 1;
            } else {
                found.outlook.due += 1;
                found.due.push((database, key.to_vec()));
            }
        }
    }
    Ok(())
}

async fn copied(
    found: &mut Found,
    servers: &Servers,
    selection: Option<Selection>,
    source: &CopySource,
    placed: &mut Placed,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    match source {
        CopySource::Servers(sources) => {
            let selection = selection
                .ok_or_else(|| Failure::bad("it is not said which keys are copied", "name a namespace"))?;
            let mut written = 0;
            for server in &sources.primaries {
                written = written.max(version_read_by(server).await?);
                let mut walk = Walk::new(server, &selection, PAGE);
                loop {
                    if cancel.is_cancelled() {
                        return Err(cancelled());
                    }
                    let Some((database, keys)) = walk.next().await? else { break };
                    let held = weighed(&mut walk.connection, database, keys).await?;
                    missing(found, placed, database, held).await?;
                }
            }
            for server in &servers.primaries {
                let read = version_read_by(server).await?;
                found.checks.push(match check_version(written, read, &server.name) {
                    Ok(()) => {
                        Check::passed("dump-version", format!("{} reads what the source writes", server.name))
                    }
                    Err(failure) => Check::refused("dump-version", failure.sentence, &failure.remedy),
                });
            }
        }
        CopySource::Undo(opens) => {
            let opens = Arc::clone(opens);
            let read = move || -> Result<Vec<(u16, Vec<u8>, u64)>, Failure> {
                let (mut reader, mut all) = (opens()?, Vec::new());
                while let Some(batch) = reader.next_batch() {
                    let wanted = batch.into_iter().filter(|kept| {
                        selection.as_ref().is_none_or(|selection| selection.takes(kept.database, &kept.key))
                    });
                    all.extend(wanted.map(|kept| (kept.database, kept.key, kept.payload.len() as u64)));
                }
                Ok(all)
            };
            let all = tokio::task::spawn_blocking(read).await.map_err(|error| {
                Failure::storage(format!("reading the undo file was broken off: {error}"), "")
            })??;
            let mut by_database: BTreeMap<u16, Vec<(Vec<u8>, u64)>> = BTreeMap::new();
            for (database, key, bytes) in all {
                by_database.entry(database).or_default().push((key, bytes));
            }
            for (database, keys) in by_database {
                for some in keys.chunks(PAGE) {
                    if cancel.is_cancelled() {
                        return Err(cancelled());
                    }
                    missing(found, placed, database, some.to_vec()).await?;
                }
            }
        }
    }
    Ok(())
}

/// Keys that are there, with their bytes. MEMORY USAGE is no lookup.
async fn weighed(
    connection: &mut ActingConnection,
    database: u16,
    keys: Vec<Vec<u8>>,
) -> Result<Vec<(Vec<u8>, u64)>, Failure> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = Pipeline::with_capacity(keys.len());
    for key in &keys {
        asked.cmd("MEMORY").arg("USAGE").arg(key);
    }
    let answer = connection.ask_without_lookups(database, &asked).await?;
    let held = keys.into_iter().zip(answer.replies).filter_map(|(key, value)| match value {
        Value::Int(bytes) => Some((key, bytes.unsigned_abs())),
        _ => None,
    });
    Ok(held.collect())
}

/// Counts which of them the target has not.
async fn missing(
    found: &mut Found,
    placed: &mut Placed,
    database: u16,
    keys: Vec<(Vec<u8>, u64)>,
) -> Result<(), Failure> {
    let names: Vec<&[u8]> = keys.iter().map(|(key, _)| key.as_slice()).collect();
    let asked = |pipe: &mut Pipeline, place: usize| {
        pipe.cmd("MEMORY").arg("USAGE").arg(names[place]).arg("SAMPLES").arg(1);
    };
    let there = placed.each(database, &names, asked, |_| (0, 0)).await?;
    for ((key, bytes), value) in keys.iter().zip(there.values) {
        if matches!(value, Value::Nil) {
            found.outlook.due += 1;
            found.outlook.bytes += bytes;
            if found.due.len() < SHOWN {
                found.due.push((database, key.clone()));
            }
        } else {
            found.outlook.there += 1;
        }
    }
    Ok(())
}

/// The misses of the keys that are due, taken out of each namespace's. A key whose misses nobody has counted wins
/// nothing back that could be said.
fn won_back(
    due: &[(u16, Vec<u8>)],
    attribution: &Attribution,
    missed: &[MissedKey],
    reads: Option<&Reads>,
) -> Vec<WonBack> {
    let known: std::collections::HashMap<(u16, &[u8]), f64> =
        missed.iter().map(|key| ((key.database, key.key.0.as_slice()), key.per_second)).collect();
    let mut by_namespace: BTreeMap<String, (f64, bool)> = BTreeMap::new();
    for (database, key) in due {
        let namespace = attribution.namespace(*database, key);
        let name = namespace.map(|namespace| namespace.template.as_str()).unwrap_or_default();
        let (misses, some) = by_namespace.entry(name.to_owned()).or_default();
        if let Some(rate) = known.get(&(*database, key.as_slice())) {
            *misses += rate;
            *some = true;
        }
    }
    let of = |(namespace, (misses, some)): (String, (f64, bool))| {
        let reads = reads.and_then(|reads| reads.namespaces.get(&namespace));
        let hit_rate = reads.and_then(|reads| reads.hit_rate.value);
        let lookups = reads.and_then(|reads| reads.lookups_per_second.value).filter(|lookups| *lookups > 0.0);
        let after = match (hit_rate, lookups) {
            (Some(now), Some(lookups)) if some => Some((now + misses / lookups).min(1.0)),
            _ => None,
        };
        WonBack { namespace, hit_rate, hit_rate_after: after, misses_per_second: misses }
    };
    by_namespace.into_iter().map(of).collect()
}

/// A plan whose keys are too many, or which nothing would do.
pub(crate) fn check_shape(warm: &Warm) -> Result<(), Failure> {
    let keys = warm.keys().len();
    if keys > super::candidates::MOST {
        return Err(Failure::bad(
            format!("the plan names {keys} keys, and {} are the most", super::candidates::MOST),
            "take the most missed ones, or copy",
        ));
    }
    let limits = &warm.limits;
    if limits.per_minute == 0 || limits.concurrency == 0 || limits.timeout_ms == 0 {
        return Err(Failure::bad(
            "a limit of the plan is 0, so nothing would ever be loaded",
            "write at least 1",
        ));
    }
    if limits.concurrency > 64 || limits.retries > 10 || limits.timeout_ms > 120_000 {
        return Err(Failure::new(
            FailureKind::BadInput,
            "a limit of the plan is beyond what is gentle",
            "at most 64 at a time, 10 repetitions and 120 s a request",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cachescope_model::reading::Reading;
    use cachescope_model::strategy::{Namespace, Strategy};
    use cachescope_model::template::Template;

    use super::*;
    use crate::reads::NamespaceReads;

    #[test]
    fn what_is_won_back_is_the_misses_of_the_keys_that_are_due_and_unknown_where_nobody_counted_them() {
        let namespace = |text: &str| Namespace::new(Template::parse(text).expect("a template"));
        let strategy =
            Strategy { namespaces: vec![namespace("a:{id}"), namespace("b:{id}")], ..Strategy::default() };
        let attribution = Attribution::new(Arc::new(strategy));
        let missed = [MissedKey {
            namespace: "a:{id}".to_owned(),
            database: 0,
            key: KeyName(b"a:1".to_vec()),
            per_second: 2.0,
            cause: "expired".to_owned(),
        }];
        let of = |lookups: f64, hits: f64| NamespaceReads {
            lookups_per_second: Reading::exact(lookups, "", 60.0),
            hit_rate: Reading::exact(hits, "", 60.0),
            keys: None,
        };
        let namespaces =
            BTreeMap::from([("a:{id}".to_owned(), of(20.0, 0.7)), ("b:{id}".to_owned(), of(20.0, 0.5))]);
        let reads = Reads { namespaces, ..Reads::default() };
        let due = [(0, b"a:1".to_vec()), (0, b"a:2".to_vec()), (0, b"b:1".to_vec())];
        let won = won_back(&due, &attribution, &missed, Some(&reads));
        assert_eq!(won[0].hit_rate_after.map(|rate| (rate * 1_000.0).round()), Some(800.0), "{won:?}");
        assert_eq!(won[1].hit_rate_after, None, "{won:?}");
        assert!(won_back(&due, &attribution, &missed, None).iter().all(|won| won.hit_rate_after.is_none()));
    }
}
