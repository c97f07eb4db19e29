//! One action at a time per deployment, whoever starts it and from where: a lock in the deployment itself.
//!
//! `SET … NX PX` by a value that nobody else has (a server that is full takes it by a script); renewed and released only
//! while the value is ours, which a WATCH makes sure of. Who does not get it reads whose it is. Whoever holds it stops
//! acting some time before the server would let it go, so that a holder that was out of touch never acts beside the next
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use parking_lot::Mutex;
use redis::{Pipeline, Value};
use tokio::task::JoinHandle;

use crate::clock::even_asleep;
use crate::failure::{Failure, FailureKind};
use crate::feed::said;
use crate::plan::Plan;
use crate::servers::Servers;

/// Takes the lock where a server is full and evicts nothing: then SET is refused, just when room is to be made. Within a
/// script it is not, once the script has written something (`scriptVerifyOOM` in Redis's script.c): UNLINK writes
/// nothing here that the SET would not replace. Gives back the holder's value where it is not free, nor held by
/// `ARGV[3]`.
const TAKE_WHEN_FULL: &str = "local h=redis.call('GETRANGE',KEYS[1],0,-1) if h~='' and h~=ARGV[3] then return h end \
     redis.call('UNLINK',KEYS[1]) redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) return 1";

/// Does something to the lock there, while its value is `ARGV[1]`.
const REPLACE_WHEN_FULL: &str = "if redis.call('GETRANGE',KEYS[1],0,-1)~=ARGV[1] then return 0 end \
     redis.call(unpack(ARGV,2)) return 1";

/// Locks are named as ours, counted to no namespace and never removed by a purge.
const PREFIX: &str = "cachescope:lock:";
/// How long the server remembers the last fence of a plan.
const FENCE_LIVES: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How often a lock that is waited for is asked for.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// What a lock is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockName(String);

impl LockName {
    /// Whatever changes what is there: one at a time in the whole deployment.
    pub(crate) fn deployment() -> Self {
        Self(format!("{PREFIX}purge"))
    }

    /// What a plan needs: one that only fills keys locks itself out alone, so that other plans can run beside it.
    pub(crate) fn of(plan: &Plan, plan_hash: &str) -> Self {
        if !plan.only_warms() {
            return Self::deployment();
        }
        Self(format!("{PREFIX}warm:{}", &plan_hash[..plan_hash.len().min(16)]))
    }

    /// Its key.
    pub(crate) fn key(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The key of the number that grows with every holder. In a Cluster it is in the lock's slot.
    fn fence(&self) -> String {
        format!("cachescope:lock:fence:{{{}}}", self.0)
    }
}

/// How long the server keeps it without a word from us.
const LIVES: Duration = Duration::from_secs(30);
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// How long after the last renewal we go on.
const TRUSTED: Duration = Duration::from_secs(20);

/// A lock that is held. Dropped, it ends by itself at the server.
#[derive(Debug)]
pub(crate) struct Lock {
    shared: Arc<Shared>,
    renewing: JoinHandle<()>,
    connection: ActingConnection,
    name: LockName,
    value: Vec<u8>,
    fence: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    /// By [`even_asleep`].
    renewed: Mutex<Duration>,
    lost: AtomicBool,
}

/// Whether a lock that was renewed at one moment is ours at another. One that was renewed later than now was not.
fn is_trusted(renewed: Duration, now: Duration) -> bool {
    now.checked_sub(renewed).is_some_and(|since| since < TRUSTED)
}

/// Who holds a lock.
pub(crate) async fn holder(servers: &Servers, name: &LockName) -> Result<Option<String>, Failure> {
    for server in &servers.primaries {
        let mut connection = ActingConnection::new(Arc::clone(&server.node));
        match read(&mut connection, name).await? {
            Held::Elsewhere => {}
            Held::By(value) => return Ok(Some(name_in(&value))),
            Held::Free => return Ok(None),
        }
    }
    Ok(None)
}

impl Lock {
    /// The same as [`Self::acquire`], but waits for another holder, as long as it may.
    pub(crate) async fn await_turn(
        servers: &Servers,
        name: &LockName,
        operator: &str,
        run: &str,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        loop {
            match Self::acquire(servers, name, operator, run).await {
                Err(failure) if failure.kind == FailureKind::Locked && began.elapsed() < patience => {
                    tokio::time::sleep(ASKED_EVERY).await;
                }
                other => return other,
            }
        }
    }

    /// Takes the lock for a run. A lock that this very run left behind is taken over.
    pub(crate) async fn acquire(
        servers: &Servers,
        name: &LockName,
        operator: &str,
        run: &str,
    ) -> Result<Self, Failure> {
        let token = crate::canonical::hex(&rand::random::<[u8; 16]>());
        let value = format!("{token} {run} {operator}").into_bytes();
        for server in &servers.primaries {
            let mut connection = ActingConnection::new(Arc::clone(&server.node));
            let mut asked = Pipeline::new();
            asked.cmd("SET").arg(name.key()).arg(&value).arg("NX").arg("PX").arg(LIVES.as_millis() as u64);
            let began = even_asleep();
            let answer = connection.ask_without_lookups(0, &asked).await?;
            match answer.replies.first() {
                Some(Value::Okay) => return Ok(Self::held(connection, name.clone(), value, began).await),
                Some(Value::ServerError(error)) if matches!(error.code(), "MOVED" | "ASK") => continue,
                Some(Value::ServerError(error)) if error.code() == "OOM" => {
                    return take_when_full(connection, name, value, run).await;
                }
                Some(Value::ServerError(error)) => {
                    return Err(Failure::server(
                        format!("{} does not give the lock: {}", server.name, said(error)),
                        "let the user SET keys like cachescope:lock:*",
                    ));
                }
                _ => {}
            }
            let Held::By(other) = read(&mut connection, name).await? else {
                return Err(locked("somebody else"));
            };
            if run_in(&other) != Some(run) {
                return Err(locked(&name_in(&other)));
            }
            let mut take_over = Pipeline::new();
            take_over.cmd("SET").arg(name.key()).arg(&value).arg("PX").arg(LIVES.as_millis() as u64);
            let began = even_asleep();
            return match replace(&mut connection, name, &other, &take_over).await? {
                true => Ok(Self::held(connection, name.clone(), value, began).await),
                false => Err(locked("somebody else")),
            };
        }
        Err(Failure::server("no server answers for the lock's slot", "see that the Cluster covers all slots"))
    }

    async fn held(mut connection: ActingConnection, name: LockName, value: Vec<u8>, began: Duration) -> Self {
        let fence = match count_up(&mut connection, &name).await {
            Ok(fence) => fence,
            // The lock holds without it; only an endpoint could not tell two holders apart.
            Err(error) => {
                tracing::debug!(%error, "the lock has no fence");
                None
            }
        };
        let shared = Arc::new(Shared { renewed: Mutex::new(began), lost: AtomicBool::new(false) });
        let renewing = tokio::spawn(renew(
            ActingConnection::new(Arc::clone(connection.node())),
            name.clone(),
            value.clone(),
            Arc::clone(&shared),
        ));
        Self { shared, renewing, connection, name, value, fence }
    }

    /// A number that no earlier holder has; `None` where the server does not count.
    pub(crate) fn fence(&self) -> Option<u64> {
        self.fence
    }

    /// Whether we may act.
    pub(crate) fn is_ours(&self) -> bool {
        !self.shared.lost.load(Ordering::Acquire) && is_trusted(*self.shared.renewed.lock(), even_asleep())
    }

    /// Gives it back. One that can't be given back ends by itself.
    pub(crate) async fn release(mut self) {
        self.renewing.abort();
        let mut remove = Pipeline::new();
        remove.cmd("UNLINK").arg(self.name.key());
        if let Err(error) = replace(&mut self.connection, &self.name, &self.value, &remove).await {
            tracing::info!(%error, "the lock ends by itself in {} s", LIVES.as_secs());
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(mut connection: ActingConnection, name: LockName, value: Vec<u8>, shared: Arc<Shared>) {
    let mut renewal = Pipeline::new();
    renewal.cmd("PEXPIRE").arg(name.key()).arg(LIVES.as_millis() as u64);
    loop {
        tokio::time::sleep(RENEWED_EVERY).await;
        let began = even_asleep();
        match replace(&mut connection, &name, &value, &renewal).await {
            Ok(true) => *shared.renewed.lock() = began,
            Ok(false) => {
                shared.lost.store(true, Ordering::Release);
                return;
            }
            // Out of touch: tried again until we no longer trust it.
            Err(error) => tracing::warn!(%error, "the lock was not renewed"),
        }
    }
}

/// The same as [`Lock::acquire`] at a server that is full.
async fn take_when_full(
    mut connection: ActingConnection,
    name: &LockName,
    value: Vec<u8>,
    run: &str,
) -> Result<Lock, Failure> {
    let mut left_behind = Vec::new();
    // A second time where this very run left it behind.
    for _ in 0..2 {
        let mut asked = Pipeline::new();
        let lives = LIVES.as_millis() as u64;
        asked.cmd("EVAL").arg(TAKE_WHEN_FULL).arg(1).arg(name.key()).arg(&value).arg(lives).arg(&left_behind);
        let lookups = |replies: &[Value]| match replies.first() {
            Some(Value::Int(_)) if left_behind.is_empty() => (0, 1),
            Some(Value::Int(_) | Value::BulkString(_)) => (1, 0),
            _ => (0, 0),
        };
        let began = even_asleep();
        let answer = connection.ask(0, &asked, lookups).await?;
        match answer.replies.into_iter().next() {
            Some(Value::Int(1)) => return Ok(Lock::held(connection, name.clone(), value, began).await),
            Some(Value::BulkString(other)) if run_in(&other) == Some(run) => left_behind = other,
            Some(Value::BulkString(other)) => return Err(locked(&name_in(&other))),
            Some(Value::ServerError(error)) => {
                return Err(Failure::server(
                    format!(
                        "{} is out of memory and does not give the lock: {}",
                        connection.node().name(),
                        said(&error)
                    ),
                    "let the user run EVAL on cachescope:lock:*, or raise maxmemory for the time of the run",
                ));
            }
            _ => break,
        }
    }
    Err(locked("somebody else"))
}

/// Does something to the lock while it has this value; `false` where it has another.
async fn replace(
    connection: &mut ActingConnection,
    name: &LockName,
    value: &[u8],
    with: &Pipeline,
) -> Result<bool, Failure> {
    let mut watch = Pipeline::new();
    watch.cmd("WATCH").arg(name.key());
    connection.ask_without_lookups(0, &watch).await?;
    let held = read(connection, name).await?;
    if !matches!(held, Held::By(ref now) if now == value) {
        let mut forget = Pipeline::new();
        forget.cmd("UNWATCH");
        connection.ask_without_lookups(0, &forget).await?;
        return Ok(false);
    }
    let mut transaction = Pipeline::new();
    transaction.cmd("MULTI");
    with.cmd_iter().for_each(|command| {
        transaction.add_command(command.clone());
    });
    transaction.cmd("EXEC");
    let answer = connection.ask_without_lookups(0, &transaction).await?;
    let full = |reply: &Value| matches!(reply, Value::ServerError(error) if error.code() == "OOM");
    if answer.replies.iter().any(full) {
        return replace_when_full(connection, name, value, with).await;
    }
    Ok(matches!(answer.replies.last(), Some(Value::Array(_))))
}

/// The same at a server that is full, which queues nothing for a transaction.
async fn replace_when_full(
    connection: &mut ActingConnection,
    name: &LockName,
    value: &[u8],
    with: &Pipeline,
) -> Result<bool, Failure> {
    let mut asked = Pipeline::new();
    for command in with.cmd_iter() {
        let eval = asked.cmd("EVAL").arg(REPLACE_WHEN_FULL).arg(1).arg(name.key()).arg(value);
        for argument in command.args_iter() {
            if let redis::Arg::Simple(argument) = argument {
                eval.arg(argument);
            }
        }
    }
    let lookups = |replies: &[Value]| (replies.len() as u64, 0);
    match connection.ask(0, &asked, lookups).await?.replies.first() {
        Some(Value::Int(done)) => Ok(*done == 1),
        Some(Value::ServerError(error)) => Err(Failure::server(
            format!("{} is out of memory and keeps no lock: {}", connection.node().name(), said(error)),
            "let the user run EVAL on cachescope:lock:*",
        )),
        _ => Ok(false),
    }
}

/// Counts a plan's holders. The deployment's own lock has no fence: what it guards is compared at the server.
async fn count_up(connection: &mut ActingConnection, name: &LockName) -> Result<Option<u64>, Failure> {
    if *name == LockName::deployment() {
        return Ok(None);
    }
    let fence = name.fence();
    let mut asked = Pipeline::new();
    asked.cmd("INCR").arg(&fence);
    asked.cmd("PEXPIRE").arg(&fence).arg(FENCE_LIVES.as_millis() as u64);
    let answer = connection.ask_without_lookups(0, &asked).await?;
    Ok(match answer.replies.first() {
        Some(Value::Int(fence)) => u64::try_from(*fence).ok(),
        _ => None,
    })
}

enum Held {
    Free,
    By(Vec<u8>),
    Elsewhere,
}

/// GETRANGE, because it is a lookup like GET and is not timed as a read of the application's.
async fn read(connection: &mut ActingConnection, name: &LockName) -> Result<Held, Failure> {
    let mut asked = Pipeline::new();
    asked.cmd("GETRANGE").arg(name.key()).arg(0).arg(-1);
    let lookups = |replies: &[Value]| match replies.first() {
        Some(Value::BulkString(value)) if value.is_empty() => (0, 1),
        Some(Value::BulkString(_)) => (1, 0),
        _ => (0, 0),
    };
    let node = connection.node().name();
    match connection.ask(0, &asked, lookups).await?.replies.into_iter().next() {
        Some(Value::BulkString(value)) if value.is_empty() => Ok(Held::Free),
        Some(Value::BulkString(value)) => Ok(Held::By(value)),
        Some(Value::ServerError(error)) if matches!(error.code(), "MOVED" | "ASK") => Ok(Held::Elsewhere),
        Some(Value::ServerError(error)) => Err(Failure::server(
            format!("{node} does not tell whether somebody else is at it: {}", said(&error)),
            "let the user run GETRANGE on cachescope:lock:*",
        )),
        _ => Err(Failure::server(format!("{node} answers GETRANGE with something else"), "")),
    }
}

pub(crate) fn locked(who: &str) -> Failure {
    Failure::new(
        FailureKind::Locked,
        format!("{who} is purging or warming this deployment"),
        "wait until that run has ended; the lock of one that died ends after 30 s",
    )
}

/// `token run operator`: the operator's name may hold spaces.
fn name_in(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    cachescope_model::key::printable(text.splitn(3, ' ').nth(2).unwrap_or("somebody else").as_bytes())
}

fn run_in(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()?.split(' ').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_not_trusted_after_a_sleep_nor_by_a_clock_set_back() {
        let renewed = Duration::from_secs(1_000);
        let after = |seconds| is_trusted(renewed, renewed + Duration::from_secs(seconds));
        assert!(after(0) && after(19));
        assert!(!after(20) && !after(3_600));
        assert!(!is_trusted(renewed, renewed - Duration::from_secs(1)));
    }

    #[test]
    fn the_locks_clock_goes_on() {
        let before = even_asleep();
        std::thread::sleep(Duration::from_millis(2));
        assert!(even_asleep() > before);
    }
}
