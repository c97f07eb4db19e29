//! What an operator can do with a run, and what can halt it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::run_state::{RunPhase, RunRecord, RunState, StopRuleState};

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Go,
    Pause,
    Cancel,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) record: Mutex<RunRecord>,
    pub(super) control: watch::Sender<Wanted>,
}

/// What halts a run besides what others feel: the strategy's critical rules, and signals that stop actions.
pub trait StopRules: Send + Sync {
    /// How they stand now. Asked several times a second, so it must not wait for anything.
    fn judge(&self) -> Vec<StopRuleState>;

    /// The hit rate of these namespaces together over the last minute, a ratio; `None` while it is not known.
    fn hit_rate(&self, namespaces: &[String]) -> Option<f64> {
        let _ = namespaces;
        None
    }
}

/// None.
impl StopRules for () {
    fn judge(&self) -> Vec<StopRuleState> {
        Vec::new()
    }
}

/// A run that was started. Dropping the handle leaves it running.
#[derive(Clone, Debug)]
pub struct RunHandle {
    shared: Arc<Shared>,
    over: watch::Receiver<bool>,
}

impl RunHandle {
    pub(super) fn new(shared: Arc<Shared>, over: watch::Receiver<bool>) -> Self {
        Self { shared, over }
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.shared.record.lock().state.clone()
    }

    /// What is kept of it.
    #[must_use]
    pub fn record(&self) -> RunRecord {
        self.shared.record.lock().clone()
    }

    /// Pauses it after the exchange under way.
    pub fn pause(&self) {
        self.want(Wanted::Pause);
    }

    /// Lets a paused one go on.
    pub fn go_on(&self) {
        self.want(Wanted::Go);
    }

    /// Ends it after the exchange under way.
    pub fn cancel(&self) {
        self.want(Wanted::Cancel);
    }

    fn want(&self, wanted: Wanted) {
        // What was cancelled stays so.
        self.shared.control.send_if_modified(|now| {
            let changes = *now != Wanted::Cancel && *now != wanted;
            if changes {
                *now = wanted;
            }
            changes
        });
    }

    /// Whether nothing is being done any more, in whatever way it ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until nothing is being done any more, and says how it stands.
    pub async fn ended(&self) -> RunState {
        let mut over = self.over.clone();
        // An error means that its task is gone.
        if over.wait_for(|over| *over).await.is_err() {
            let mut record = self.shared.record.lock();
            if record.state.phase.is_alive() {
                record.state.phase = RunPhase::Halted;
                "its task ended unexpectedly".clone_into(&mut record.state.why);
            }
        }
        self.state()
    }
}
