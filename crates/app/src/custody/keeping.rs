//! The keeper: a process that waits for the end of the one that changed settings, and puts them back.
//!
//! It is the same program, started with [`ARGUMENT`]. It knows that we are gone when its standard input ends,
//! which the operating system sees to however we went. It puts back what it holds, for a minute at most, and
//! ends. What it can't put back stays recorded for the next start.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::redis::settings::{KnownChange, Setting};
use cachescope_sources::redis::{RedisNode, RedisTarget};
use cachescope_sources::ssh::Tunnel;
use cachescope_store::Store;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::detached::asked_to_end;
use super::protocol::{Hold, Line, MOST_BYTES, OK};
use super::put_back;
use crate::session::connect_options;

/// What makes a shell's program a keeper when it is its only argument. No command for people.
pub const ARGUMENT: &str = "keep-settings";

/// How long it goes on trying after our end. A server that is away longer has its values put back at the next
/// start, or has lost ours by then.
const AT_MOST: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A process that ends closes its files one after the other: its lock may go this much later than our input.
const DYING_FOR: Duration = Duration::from_secs(2);

/// Whether the program was started as a keeper. Shells ask this before anything else.
#[must_use]
pub fn is_asked_for() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().is_some_and(|first| first == ARGUMENT) && arguments.next().is_none()
}

/// Keeps until what it holds is put back or its time is up.
#[must_use]
pub fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let kept = runtime.block_on(keep());
    runtime.shutdown_timeout(Duration::from_secs(1));
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Kept {
    hold: Hold,
    expires: Option<Instant>,
}

async fn keep() -> bool {
    let mut lines = lines();
    let mut store = None;
    let mut kept: BTreeMap<u64, Kept> = BTreeMap::new();
    loop {
        let expires = kept.values().filter_map(|kept| kept.expires).min();
        let line = tokio::select! {
            biased;
            line = lines.recv() => line,
            () = asked_to_end() => None,
            () = at(expires) => {
                let now = Instant::now();
                let due = |kept: &Kept| kept.expires.is_some_and(|expires| expires <= now);
                let over: Vec<_> = kept.extract_if(.., |_, kept| due(kept)).map(|(_, kept)| kept.hold).collect();
                if !put_all_back(store.as_ref(), over).await {
                    return false;
                }
                continue;
            }
        };
        let answer = match line {
            None => break,
            Some(Line::Begin { directory }) => match open(&directory).await {
                Ok(opened) => {
                    store = Some(opened);
                    OK.to_owned()
                }
                Err(error) => error,
            },
            Some(Line::Hold { id, hold }) => {
                let expires = hold.expires_ms.map(|millis| Instant::now() + Duration::from_millis(millis));
                kept.insert(id, Kept { hold: *hold, expires });
                OK.to_owned()
            }
            Some(Line::Release { id }) => {
                kept.remove(&id);
                OK.to_owned()
            }
        };
        // Whoever asked may be gone, which the next line shows.
        let mut output = std::io::stdout().lock();
        let _told = writeln!(output, "{}", answer.replace('\n', " ")).and_then(|()| output.flush());
    }
    let mut left = Vec::new();
    for Kept { hold, .. } in kept.into_values() {
        if store.as_ref().is_some_and(|store| store.is_alive(&hold.holder)) && !is_dying(&store, &hold).await
        {
            continue; // it has another keeper now, or puts it back itself
        }
        left.push(hold);
    }
    put_all_back(store.as_ref(), left).await
}

/// Whether a holder that still seems to live is gone in a moment.
async fn is_dying(store: &Option<Store>, hold: &Hold) -> bool {
    let Some(store) = store else { return true };
    let until = Instant::now() + DYING_FOR;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if !store.is_alive(&hold.holder) {
            return true;
        }
    }
    false
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn open(directory: &Path) -> Result<Store, String> {
    let directory = directory.to_owned();
    match tokio::task::spawn_blocking(move || Store::open(&directory)).await {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The lines of standard input, read by a thread of its own because reading can't be cancelled. Ends with it,
/// or with a line that can't be read.
fn lines() -> mpsc::Receiver<Line> {
    let (sink, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut text = String::new();
            match input.by_ref().take(MOST_BYTES).read_line(&mut text) {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            let Ok(line) = serde_json::from_str(&text) else { return };
            if sink.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Puts everything back, all servers at once. `false`: something is left.
async fn put_all_back(store: Option<&Store>, holds: Vec<Hold>) -> bool {
    let Some(store) = store else { return holds.is_empty() };
    let mut tasks = JoinSet::new();
    for hold in holds {
        let store = store.clone();
        tasks.spawn(async move { tokio::time::timeout(AT_MOST, put_hold_back(&store, &hold)).await.is_ok() });
    }
    tasks.join_all().await.into_iter().all(|done| done)
}

async fn put_hold_back(store: &Store, hold: &Hold) {
    let Ok(target) = RedisTarget::parse(&hold.url) else { return };
    let target = match &hold.password {
        Some(password) => target.with_password(SecretString::from(password.clone())),
        None => target,
    };
    let ssh = hold.ssh.clone().map(|hop| Arc::new(Tunnel::new(hop, hold.ssh_secret.clone().map(Into::into))));
    let timeout = Duration::from_millis(hold.timeout_ms.clamp(100, 60_000));
    let node = RedisNode::new(target, connect_options(&hold.tls, ssh, timeout));
    let mut changes: Vec<_> = hold.changes.iter().collect();
    while let Some(held) = changes.last() {
        let Some(setting) = Setting::by_name(&held.setting) else {
            changes.pop();
            continue;
        };
        let change = KnownChange {
            run_id: hold.run_id.clone(),
            setting,
            old: held.old.clone(),
            new: held.new.clone(),
        };
        match put_back(store, &node, held.record, &change).await {
            Ok(_outcome) => {
                changes.pop();
            }
            // The server may be restarting, or its network away: whoever called says for how long.
            Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}
