//! Our end of the keeper: started with the first change, told of each one, let go with the last.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::detached::detach;
use super::keeping::ARGUMENT;
use super::protocol::{Hold, Line, OK};
use crate::wire::{WireError, WireErrorCode};

/// Starting a program and answering a line take milliseconds; a busy machine gets seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Variables that may hold credentials of ours: the keeper gets its own through the pipe.
const CREDENTIALS: [&str; 3] =
    ["CACHESCOPE_REDIS_URL", "CACHESCOPE_REDIS_PASSWORD", "CACHESCOPE_PROMETHEUS_URL"];

pub(super) struct Keeper {
    directory: PathBuf,
    program: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    holds: BTreeMap<u64, Hold>,
    next: u64,
    /// Counts the processes, so that the end of an old one is not taken for that of the present one.
    started: u64,
}

struct Running {
    /// Closing it is the keeper's signal.
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Keeper {
    pub(super) fn new(directory: PathBuf, program: Option<PathBuf>) -> Self {
        Self { directory, program, state: Mutex::default() }
    }

    /// Has the keeper hold something. When this returns it does.
    ///
    /// # Errors
    /// When there is no keeper: then nothing must be changed.
    pub(super) async fn hold(self: &Arc<Self>, hold: Hold) -> Result<u64, WireError> {
        let mut state = self.state.lock().await;
        state.next += 1;
        let id = state.next;
        let told = self.tell_of(&mut state, id, &hold).await;
        match told {
            Ok(()) => {
                state.holds.insert(id, hold);
                Ok(id)
            }
            Err(why) => {
                // Half a line may be under way: this one is of no use any more. It sees that we live and goes;
                // what else it held needs a new one.
                state.running = None;
                self.begin_anew(&mut state).await;
                Err(WireError::new(
                    WireErrorCode::Internal,
                    format!("nothing was changed: the process that would put it back after a crash {why}"),
                )
                .with_remedy("see that the cachescope program can be started, then try again"))
            }
        }
    }

    /// It was put back.
    pub(super) async fn release(&self, id: u64) {
        let mut state = self.state.lock().await;
        if state.holds.remove(&id).is_none() {
            return;
        }
        if state.holds.is_empty() {
            state.running = None;
            return;
        }
        if let Some(running) = &mut state.running
            && let Err(why) = running.say(&Line::Release { id }).await
        {
            tracing::warn!("the keeper {why}");
        }
    }

    async fn tell_of(self: &Arc<Self>, state: &mut State, id: u64, hold: &Hold) -> Result<(), String> {
        if state.running.is_none() {
            self.start(state).await?;
        }
        match &mut state.running {
            Some(running) => running.say(&Line::Hold { id, hold: Box::new(hold.clone()) }).await,
            None => Err("is not there".to_owned()),
        }
    }

    async fn start(self: &Arc<Self>, state: &mut State) -> Result<(), String> {
        let Some(program) = &self.program else { return Err("can't be found".to_owned()) };
        let mut command = Command::new(program);
        command
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(false);
        for variable in CREDENTIALS {
            command.env_remove(variable);
        }
        detach(&mut command);
        let mut child = command.spawn().map_err(|error| format!("can't be started: {error}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("has no input".to_owned());
        };
        let mut running = Running { stdin, answers: BufReader::new(stdout).lines() };
        running.say(&Line::Begin { directory: self.directory.clone() }).await?;
        state.started += 1;
        tokio::spawn(watch(Arc::downgrade(self), child, state.started));
        state.running = Some(running);
        Ok(())
    }

    /// Starts a new keeper for everything that is held.
    async fn begin_anew(self: &Arc<Self>, state: &mut State) {
        let holds: Vec<_> = state.holds.iter().map(|(id, hold)| (*id, hold.clone())).collect();
        for (id, hold) in holds {
            if let Err(why) = self.tell_of(state, id, &hold).await {
                state.running = None;
                tracing::error!(
                    "the keeper of changed settings {why}: if this program is killed now, they are put back when \
                     Cachescope is started again"
                );
                return;
            }
        }
    }

    /// A keeper ended by itself. Boxed, because starting one begins to watch it, which comes back here.
    fn ended(self: Arc<Self>, which: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if state.started != which || state.holds.is_empty() {
                return;
            }
            tracing::warn!("the keeper of changed settings was ended by somebody; another one is started");
            state.running = None;
            self.begin_anew(&mut state).await;
        })
    }
}

async fn watch(keeper: Weak<Keeper>, mut child: Child, which: u64) {
    if let Err(error) = child.wait().await {
        tracing::debug!(%error, "the keeper can't be watched");
    }
    if let Some(keeper) = keeper.upgrade() {
        keeper.ended(which).await;
    }
}

impl Running {
    /// Says a line and awaits the answer.
    async fn say(&mut self, line: &Line) -> Result<(), String> {
        let mut text = serde_json::to_string(line).map_err(|error| format!("can't be told: {error}"))?;
        text.push('\n');
        let said = async {
            self.stdin.write_all(text.as_bytes()).await?;
            self.stdin.flush().await?;
            self.answers.next_line().await
        };
        match timeout(ANSWER_WITHIN, said).await {
            Ok(Ok(Some(answer))) if answer == OK => Ok(()),
            Ok(Ok(Some(answer))) => Err(format!("refuses: {answer}")),
            Ok(Ok(None)) => Err("has ended".to_owned()),
            Ok(Err(error)) => Err(format!("can't be told: {error}")),
            Err(_) => Err(format!("did not answer within {} s", ANSWER_WITHIN.as_secs())),
        }
    }
}
