//! Counting what a plan would do. Writes nothing: SCAN and MEMORY USAGE are free of side effects, and what asking
//! for types and times to live adds to the server's counters is counted as ours.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cachescope_model::reading::Reading;
use cachescope_model::size;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::acting::ActingConnection;
use redis::{Pipeline, Value};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, FailureKind};
use crate::feed::{Feed, said};
use crate::guards::{Check, Limits, Verdict, judge};
use crate::lock::{self, LockName};
use crate::pace::{self, Pace, Work};
use crate::permission;
use crate::plan::{Action, Plan};
use crate::preview_result::{NamespaceShare, NodeShare, Preview, StepPreview, UndoOutlook};
use crate::reads::{Counters, Reads};
use crate::request::{self, Tokens};
use crate::run_state::StopRuleState;
use crate::selection::{Attribution, Selection};
use crate::servers::{Server, Servers};
use crate::tags;
use crate::tally::Tally;
use crate::warm::{MissedKey, WarmContext, outlook as warming};

/// Without a session, reads are taken from the servers' counters over at least this long.
const WATCH_COUNTERS: Duration = Duration::from_secs(1);

/// How far a preview is; readable while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Keys examined.
    pub scanned: AtomicU64,
    /// Keys there are.
    pub all_keys: AtomicU64,
    /// Keys reached.
    pub keys: AtomicU64,
}

/// What a preview has to know besides the servers.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The limits of the environment.
    pub limits: Limits,
    /// What a session knows of the reads; `None` without one.
    pub reads: Option<Reads>,
    /// Whether the undo file can be written, and how it is kept, in words; or why not.
    pub undo: Result<String, String>,
    /// Bytes that one key may have to be kept for undo.
    pub most_bytes_of_a_key: u64,
    /// Bytes that the undo file may have.
    pub most_undo_bytes: u64,
    /// What would halt a run now.
    pub stop_rules: Vec<StopRuleState>,
    /// What a warm works with.
    pub warm: WarmContext,
    /// Keys that are missed now, as a session counts them.
    pub missed: Vec<MissedKey>,
    /// The tokens of the deployment's endpoints.
    pub tokens: Tokens,
}

/// Counts what a plan would do.
///
/// # Errors
/// Where a scope would take everything, a server can't be asked, or it is called off.
pub async fn preview(
    plan: Plan,
    servers: &Servers,
    attribution: &Attribution,
    around: &Surroundings,
    progress: &Arc<Progress>,
    now: impl Fn() -> Timestamp,
    cancel: &CancellationToken,
) -> Result<Preview, Failure> {
    let plan_hash = plan.hash().map_err(|error| Failure::bad(error.to_string(), ""))?;
    let selections = resolved(selections(&plan, attribution)?, servers).await?;
    let reaching = selections.iter().flatten().count() as u64;
    progress.all_keys.store(servers.all_keys() * reaching, Ordering::Relaxed);
    let began = Instant::now();
    let mut tally = Tally::new(around.most_bytes_of_a_key, plan.how.protected_too);
    let mut steps = Vec::new();
    let mut nodes: BTreeMap<&str, (u64, Vec<bool>)> = BTreeMap::new();
    let mut samples: HashMap<&str, Vec<u8>> = HashMap::new();
    let (mut warms, mut warm_checks, mut due) = (Vec::new(), Vec::new(), Vec::new());
    for (action, selection) in plan.steps.iter().zip(&selections) {
        let mut reached = 0;
        if let Some(selection) = selection {
            tally.next_step();
            for server in &servers.primaries {
                let before = tally.keys();
                let (keys, slots) = nodes.entry(&server.name).or_insert_with(|| (0, vec![false; 16_384]));
                let mut walk = Walk { server, selection, attribution, tally: &mut tally, progress, cancel };
                let first = walk.count(plan.how.throttle, slots).await?;
                if let Some(first) = first {
                    samples.entry(&server.name).or_insert(first);
                }
                *keys += tally.keys() - before;
                reached += tally.keys() - before;
            }
        }
        if let Action::Warm { warm } = action {
            let known = (around.missed.as_slice(), around.reads.as_ref());
            let protected_too = plan.how.protected_too;
            let look = warming::look(warm, servers, attribution, &around.warm, known, protected_too, cancel);
            let found = Box::pin(look).await?;
            reached += found.outlook.due;
            progress.keys.fetch_add(found.outlook.due, Ordering::Relaxed);
            warms.push(found.outlook);
            warm_checks.extend(found.checks);
            due.extend(found.due);
        }
        let done_here = !matches!(action, Action::Shown { .. });
        steps.push(StepPreview { what: attribution.shown_step(action), keys: reached, done_here });
    }
    let needs_counters = around.reads.is_none() && tally.keys() > 0;
    if needs_counters {
        let rest = WATCH_COUNTERS.saturating_sub(began.elapsed());
        tokio::select! { () = tokio::time::sleep(rest) => {} () = cancel.cancelled() => return Err(cancelled()) }
    }
    let mut after = Vec::new();
    for server in &servers.primaries {
        let again = Server::inspect(&server.node).await?;
        if again.run_id != server.run_id {
            return Err(Failure::server(
                format!("{} was restarted meanwhile", server.name),
                "preview it again",
            ));
        }
        after.push(again);
    }
    let counters = Counters {
        before: sum(&servers.primaries),
        after: sum(&after),
        own: tally.own_lookups(),
        seconds: began.elapsed().as_secs_f64(),
    };
    let all_keys = after.iter().flat_map(|server| server.databases.values()).sum::<u64>().max(tally.keys());
    let namespaces = tally.namespaces(attribution);
    let predicted =
        crate::reads::predict(around.reads.as_ref(), &counters, &namespaces, tally.keys(), all_keys);
    let mut checks = around.stop_rules.iter().filter(|rule| rule.breached).map(breached).collect::<Vec<_>>();
    checks.extend(warm_checks);
    if let Some((_, key)) = due.first() {
        for server in &servers.primaries {
            samples.entry(&server.name).or_insert_with(|| key.clone());
        }
    }
    checks.extend(permission::check(&plan, servers, &samples).await?);
    checks.extend(request::checks(&plan, &around.tokens));
    let deployment = lock::holder(servers, &LockName::deployment()).await?;
    let own = lock::holder(servers, &LockName::of(&plan, &plan_hash)).await?;
    if let Some(holder) = deployment.or(own) {
        let sentence = format!("{holder} is purging or warming this deployment");
        checks.push(Check::refused("lock", sentence, "wait until that run has ended"));
    } else {
        checks.push(Check::passed("lock", "Nobody else is purging or warming here"));
    }
    let bytes = tally.bytes();
    let undo = outlook(&plan, servers, &checks, around, &bytes);
    let shares = |(node, (keys, slots)): (&str, (u64, Vec<bool>))| NodeShare {
        node: node.to_owned(),
        keys,
        slots: if servers.cluster { slots.iter().filter(|slot| **slot).count() as u32 } else { 0 },
    };
    let mut preview = Preview {
        plan_hash,
        at: now(),
        steps,
        keys: tally.keys() + warms.iter().map(|warm| warm.due).sum::<u64>(),
        all_keys,
        types: tally.types(),
        types_of: tally.asked(),
        ttl: tally.ttl_spread(),
        nodes: nodes.into_iter().map(shares).collect(),
        namespaces,
        sample: sample(&tally, attribution, &due),
        biggest: tally.biggest(attribution),
        oldest: tally.oldest(attribution),
        hottest: tally.hottest(attribution),
        no_uses: tally.no_uses(),
        protected_keys: tally.protected(),
        too_large_for_undo: tally.too_large(),
        undo,
        reads_per_second: predicted.reads,
        predicted_extra_misses_per_second: predicted.extra_misses,
        bytes,
        plan,
        warms,
        checks: Vec::new(),
    };
    checks.extend(judge(&preview, predicted.all_reads, around.limits));
    checks.extend(tally.remarks());
    preview.checks = checks;
    Ok(preview)
}

/// Names of some of the keys that are removed, or filled.
fn sample(tally: &Tally, attribution: &Attribution, due: &[(u16, Vec<u8>)]) -> Vec<String> {
    let mut names = tally.sample(attribution);
    if names.is_empty() {
        names.extend(due.iter().take(100).map(|(database, key)| attribution.shown(*database, key)));
    }
    names
}

/// The scopes of a plan's steps, read; `None` for steps without one.
pub(crate) fn selections(plan: &Plan, attribution: &Attribution) -> Result<Vec<Option<Selection>>, Failure> {
    if plan.steps.is_empty() {
        return Err(Failure::bad("the plan has no steps", "say what is to be done"));
    }
    for warm in plan.steps.iter().filter_map(Action::warm) {
        warming::check_shape(warm)?;
    }
    let read = |action: &Action| {
        action.scope().map(|scope| Selection::new(scope, attribution.strategy())).transpose()
    };
    plan.steps.iter().map(read).collect()
}

/// The same with tags read.
pub(crate) async fn resolved(
    selections: Vec<Option<Selection>>,
    servers: &Servers,
) -> Result<Vec<Option<Selection>>, Failure> {
    let mut all = Vec::with_capacity(selections.len());
    for selection in selections {
        all.push(match selection {
            Some(selection) => Some(tags::resolve(servers, selection).await?),
            None => None,
        });
    }
    Ok(all)
}

pub(crate) fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "it was called off", "")
}

fn sum(servers: &[Server]) -> (u64, u64) {
    servers.iter().fold((0, 0), |(hits, misses), server| (hits + server.lookups.0, misses + server.lookups.1))
}

fn breached(rule: &StopRuleState) -> Check {
    Check::refused(
        "stop-rule",
        format!("{}: {}", rule.name, rule.sentence),
        "wait until it is back within its limit",
    )
}

fn outlook(
    plan: &Plan,
    servers: &Servers,
    checks: &[Check],
    around: &Surroundings,
    bytes: &Reading,
) -> UndoOutlook {
    let no = |sentence: String| UndoOutlook { possible: false, sentence };
    if !plan.removes() {
        return UndoOutlook {
            possible: true,
            sentence: "Nothing is removed, so nothing has to be kept".to_owned(),
        };
    }
    if !servers.all_at_least((5, 0)) {
        return no("A server is older than Redis 5.0, which can't restore a time to live exactly".to_owned());
    }
    if let Some(check) =
        checks.iter().find(|check| check.code == "undo-permission" && check.verdict == Verdict::Refused)
    {
        return no(check.sentence.clone());
    }
    let kept = match &around.undo {
        Ok(kept) => kept,
        Err(why) => return no(why.clone()),
    };
    let needed = bytes.high.or(bytes.value).unwrap_or(0.0);
    if needed > around.most_undo_bytes as f64 {
        return no(format!(
            "The keys take about {}, and an undo file may have {}",
            size::format(needed),
            size::format(around.most_undo_bytes as f64)
        ));
    }
    UndoOutlook {
        possible: true,
        sentence: format!("Undo possible: at most about {}, {kept}", size::format(needed)),
    }
}

struct Walk<'a> {
    server: &'a Server,
    selection: &'a Selection,
    attribution: &'a Attribution,
    tally: &'a mut Tally,
    progress: &'a Arc<Progress>,
    cancel: &'a CancellationToken,
}

impl Walk<'_> {
    /// Counts the scope's keys at one server; gives back the name of one of them.
    async fn count(&mut self, throttled: bool, slots: &mut [bool]) -> Result<Option<Vec<u8>>, Failure> {
        let mut connection = ActingConnection::new(Arc::clone(&self.server.node));
        let mut first = None;
        let mut pace = Pace::new(throttled, None);
        for database in databases(self.server, self.selection) {
            let mut feed = Feed::new(database);
            loop {
                if self.cancel.is_cancelled() {
                    return Err(cancelled());
                }
                let count = pace.keys(Work::Scan);
                let page = feed.next(&mut connection, self.selection, count).await?;
                pace::rest(pace.exchanged(Work::Scan, count, 0, page.took)).await;
                self.progress.scanned.fetch_add(page.examined, Ordering::Relaxed);
                let mut keys = page.keys;
                if self.selection.named().is_some() {
                    keys = existing(&mut connection, database, keys).await?;
                }
                for chunk in keys.chunks(pace.keys(Work::Weigh)) {
                    let chosen = self.tally.take(database, chunk, self.attribution, slots);
                    if !chosen.is_empty() {
                        let by_uses = self.server.counts_uses;
                        let took = weigh(&mut connection, database, &chosen, by_uses, self.tally).await?;
                        pace::rest(pace.exchanged(Work::Weigh, chosen.len(), 0, took)).await;
                    }
                }
                if first.is_none() {
                    first = keys.first().cloned();
                }
                self.progress.keys.store(self.tally.keys(), Ordering::Relaxed);
                if page.last {
                    break;
                }
            }
        }
        Ok(first)
    }
}

/// The logical databases in which a scope can have keys.
pub(crate) fn databases(server: &Server, selection: &Selection) -> Vec<u16> {
    match selection.database() {
        Some(only) => vec![only],
        None => server.databases.keys().copied().collect(),
    }
}

/// Those of named keys that this server holds. MEMORY USAGE is no lookup.
pub(crate) async fn existing(
    connection: &mut ActingConnection,
    database: u16,
    keys: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Failure> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let mut asked = Pipeline::with_capacity(keys.len());
    for key in &keys {
        asked.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(1);
    }
    let answer = connection.ask_without_lookups(database, &asked).await?;
    let held = keys.into_iter().zip(answer.replies);
    Ok(held.filter(|(_, reply)| matches!(reply, Value::Int(_))).map(|(key, _)| key).collect())
}

/// Asks for bytes, type, time to live and use of keys.
async fn weigh(
    connection: &mut ActingConnection,
    database: u16,
    keys: &[&Vec<u8>],
    by_uses: bool,
    tally: &mut Tally,
) -> Result<Duration, Failure> {
    let mut asked = Pipeline::with_capacity(keys.len() * 4);
    for key in keys {
        asked.cmd("MEMORY").arg("USAGE").arg(key);
        asked.cmd("TYPE").arg(key);
        asked.cmd("PTTL").arg(key);
        // A lookup, but no use by the server's own count.
        asked.cmd("OBJECT").arg(if by_uses { "FREQ" } else { "IDLETIME" }).arg(key);
    }
    let lookups = |replies: &[Value]| {
        let of = |reply: &Value| match reply {
            Value::SimpleString(kind) if kind == "none" => (0, 1),
            Value::SimpleString(_) | Value::Int(-1) => (1, 0),
            Value::Int(-2) => (0, 1),
            Value::Int(ttl) if *ttl >= 0 => (1, 0),
            _ => (0, 0),
        };
        // An error comes after the lookup, but for a right that is missing.
        let used = |reply: &Value| match reply {
            Value::Int(_) => (1, 0),
            Value::Nil => (0, 1),
            Value::ServerError(error) if error.code() == "ERR" => (1, 0),
            _ => (0, 0),
        };
        let counted = replies.chunks_exact(4).flat_map(|four| [of(&four[1]), of(&four[2]), used(&four[3])]);
        counted.fold((0, 0), |(hits, misses), (hit, miss)| (hits + hit, misses + miss))
    };
    let mut own = (0, 0);
    let answer = connection
        .ask(database, &asked, |replies| {
            own = lookups(replies);
            own
        })
        .await?;
    tally.own(own);
    for (key, four) in keys.iter().zip(answer.replies.chunks_exact(4)) {
        let bytes = match four[0] {
            Value::Int(bytes) => u64::try_from(bytes).ok(),
            _ => None,
        };
        let kind = match &four[1] {
            Value::SimpleString(kind) if kind != "none" => Some(kind.as_str()),
            _ => None,
        };
        let ttl = match four[2] {
            Value::Int(ttl) if ttl >= -1 => Some(ttl),
            _ => None,
        };
        tally.weighed(database, key, bytes, kind, ttl);
        match &four[3] {
            Value::Int(used) => tally.used(database, key, by_uses, used.unsigned_abs()),
            Value::ServerError(error) => tally.use_is_not_told(&said(error)),
            _ => {}
        }
    }
    Ok(answer.round_trip)
}

/// Namespaces sorted, most keys first.
pub(crate) fn sorted(mut shares: Vec<NamespaceShare>) -> Vec<NamespaceShare> {
    shares.sort_by(|one, other| other.keys.cmp(&one.keys).then_with(|| one.namespace.cmp(&other.namespace)));
    shares
}
