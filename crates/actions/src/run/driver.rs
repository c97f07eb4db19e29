//! Goes through the steps of a plan. The servers of a step are worked on beside each other (`one_server`), while
//! `watching` obeys the operator, judges what halts the run and writes it down.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use parking_lot::Mutex;
use tokio::sync::{Notify, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, watch};

use super::control::{Shared, Wanted};
use super::ending::{Ended, Ending, Stop};
use super::felt::Felt;
use super::one_server::OneServer;
use super::{RunContext, entry, small_steps};
use crate::failure::{Failure, FailureKind};
use crate::lock::Lock;
use crate::plan::Action;
use crate::preview::resolved;
use crate::run_state::RunPhase;
use crate::selection::Selection;
use crate::servers::Server;

/// How often the servers are gone through again for keys that were on the move between them.
const PASSES: u32 = 20;
/// Servers that are worked on beside each other.
const SERVERS_AT_ONCE: usize = 8;
/// Values that are held in memory at once, of all servers, in units of [`VALUE_UNIT`] bytes: 64 MB.
pub(super) const VALUES_AT_ONCE: u32 = 1_024;
pub(super) const VALUE_UNIT: u64 = 64 << 10;
/// How long the lock's return is waited for. One that is not given back ends by itself.
const RELEASED_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) context: RunContext,
    pub(super) ending: Ending,
    pub(super) wanted: watch::Receiver<Wanted>,
    /// Whoever asks a server for something holds it to read; who holds it to write knows that nothing is under way.
    floor: RwLock<()>,
    /// Keys that are being removed and count to the present wave.
    pub(super) reserved: Mutex<u64>,
    /// Some of them are not any more.
    pub(super) given_back: Notify,
    pub(super) felt: Mutex<HashMap<String, Arc<Felt>>>,
    pub(super) values: Semaphore,
    /// A server was found to be full, and takes no transactions.
    pub(super) full: AtomicBool,
    /// Keys of which was sent that they go, and not heard that they went.
    pub(super) in_doubt: AtomicU64,
    /// The small step that was sent, in words, until it is answered.
    small_step: Mutex<Option<String>>,
    lock: Option<Lock>,
    pub(super) measured: Mutex<(Instant, u64)>,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        context: RunContext,
        lock: Lock,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        let done = shared.record.lock().state.worked_off();
        Self {
            shared,
            context,
            ending: Ending::default(),
            wanted,
            floor: RwLock::new(()),
            reserved: Mutex::new(0),
            given_back: Notify::new(),
            felt: Mutex::default(),
            values: Semaphore::new(VALUES_AT_ONCE as usize),
            full: AtomicBool::new(false),
            in_doubt: AtomicU64::new(0),
            small_step: Mutex::new(None),
            lock: Some(lock),
            measured: Mutex::new((Instant::now(), done)),
        }
    }

    /// Runs to the end, whatever that is, and writes down which.
    pub(super) async fn drive(mut self, selections: Vec<Option<Selection>>) {
        let done = tokio::select! {
            biased;
            done = self.steps(selections) => done,
            // What a server does not answer in time is dropped with its connection.
            () = self.ending.overdue() => Err(Ended),
            never = self.obeying() => match never {},
            never = self.judging() => match never {},
        };
        let (phase, failure, event) = match (done, self.ending.why()) {
            (Ok(()), _) => (RunPhase::Finished, None, "finished"),
            (Err(Ended), Some(Stop::Cancelled)) => (RunPhase::Cancelled, None, "cancelled"),
            (Err(Ended), Some(Stop::Failed(failure))) => (RunPhase::Halted, Some(failure), "halted"),
            (Err(Ended), None) => (RunPhase::Halted, None, "halted"),
        };
        self.felt.lock().clear();
        {
            let state = &mut self.shared.record.lock().state;
            state.phase = phase;
            state.seconds_left = None;
            state.keys_per_second = 0.0;
            if let Some(failure) = failure {
                state.why = failure.sentence;
                state.remedy = failure.remedy;
            }
            let in_doubt = self.in_doubt.load(Ordering::Acquire);
            state.counts.in_doubt += in_doubt;
            let kept = if state.undo.is_some() { "; all are in the undo file" } else { "" };
            let keys =
                (in_doubt > 0).then(|| format!("it is not known whether {in_doubt} keys were removed{kept}"));
            let step = self.small_step.lock().take();
            let step = step.map(|step| format!("it is not known whether this was done: {step}"));
            // Of a finished run they came up again, and were gone.
            for doubt in keys.into_iter().chain(step).filter(|_| phase != RunPhase::Finished) {
                state.why = if state.why.is_empty() { doubt } else { format!("{}; {doubt}", state.why) };
            }
            if phase == RunPhase::Finished {
                state.waves.iter_mut().for_each(|wave| wave.done = true);
            }
        }
        let state = self.shared.record.lock().state.clone();
        if let Err(error) = self.save().await {
            tracing::error!(%error, run = state.run, "how the run ended could not be written down");
        }
        if let Err(error) = self.context.records.audit(entry(&state, event)).await {
            tracing::error!(%error, run = state.run, "the end of the run is missing in the audit");
        }
        if let Some(lock) = self.lock.take()
            && tokio::time::timeout(RELEASED_WITHIN, lock.release()).await.is_err()
        {
            tracing::info!(run = state.run, "the lock was not given back and ends by itself");
        }
    }

    async fn steps(&self, selections: Vec<Option<Selection>>) -> Result<(), Ended> {
        let plan = self.shared.record.lock().state.plan.clone();
        let selections = self.ending.or(resolved(selections, &self.context.servers)).await?;
        let selections = self.ending.unless(selections)?;
        for (place, (action, selection)) in plan.steps.iter().zip(&selections).enumerate() {
            if (place as u32) < self.shared.record.lock().state.step {
                continue;
            }
            match (action, selection.as_ref().filter(|_| action.works_on_keys())) {
                (Action::Warm { warm }, _) => Box::pin(self.warm(place, warm)).await?,
                (_, Some(selection)) => {
                    if matches!(action.scope(), Some(crate::plan::Scope::Tag { .. })) {
                        // The tag may have other members than before an interruption.
                        self.forget_places();
                    }
                    self.all_servers(place, action, selection).await?;
                    if let Action::Refresh { warm, .. } = action {
                        Box::pin(self.revisit_after(warm)).await?;
                    }
                }
                (_, None) => self.small_step(action).await?,
            }
            self.shared.record.lock().state.step = place as u32 + 1;
            self.forget_places();
            let saved = self.save().await;
            self.ending.unless(saved)?;
        }
        Ok(())
    }

    /// A step that is done by one command or request.
    async fn small_step(&self, action: &Action) -> Result<(), Ended> {
        let _floor = self.floor().await?;
        *self.small_step.lock() = Some(self.context.attribution.shown_step(action));
        let done = small_steps::run(action, &self.context).await;
        *self.small_step.lock() = None;
        let done = self.ending.unless(done)?;
        let state = &mut self.shared.record.lock().state;
        let counts = &mut state.counts;
        counts.other_steps += u64::from(done.done);
        counts.receivers += done.receivers;
        if let Some(answer) = done.answer {
            state.answers.push(format!("{action}: {answer}"));
        }
        Ok(())
    }

    fn forget_places(&self) {
        let mut record = self.shared.record.lock();
        record.cursors.clear();
        record.places.clear();
        record.ended.clear();
    }

    /// Every server, and again while keys were on the move between servers.
    async fn all_servers(&self, step: usize, action: &Action, selection: &Selection) -> Result<(), Ended> {
        for _ in 0..PASSES {
            let moved_before = self.shared.record.lock().state.counts.moved;
            let one = |server: &Server| {
                let part = OneServer::new(self, server.clone(), step, action, selection);
                // Boxed, because each is a state of some kilobytes.
                Box::pin(part.run())
            };
            let parts: Vec<_> = self.context.servers.primaries.iter().map(one).collect();
            // All of them to their end: one that can't go on ends the run, which the others hear of.
            let ends: Vec<Result<(), Ended>> =
                stream::iter(parts).buffer_unordered(SERVERS_AT_ONCE).collect().await;
            ends.into_iter().collect::<Result<(), Ended>>()?;
            if self.shared.record.lock().state.counts.moved == moved_before || selection.named().is_some() {
                return Ok(());
            }
            self.still_the_same().await?;
            self.forget_places();
            self.ending.or(tokio::time::sleep(Duration::from_secs(1))).await?;
        }
        Err(self.ending.because(Stop::Failed(Failure::server(
            "keys go on moving between the servers",
            "resume the run when the Cluster has settled; what was not removed is still there",
        ))))
    }

    /// Keys move when slots are dealt out anew, and when a server has lost its slots to the one that replaced it: then
    /// the run is not the approved one any more.
    async fn still_the_same(&self) -> Result<(), Ended> {
        for server in &self.context.servers.primaries {
            let now = self.ending.or(Server::inspect(&server.node)).await?;
            let now = self.ending.unless(now)?;
            if now.run_id != server.run_id {
                return Err(self.ending.because(Stop::Failed(restarted(&server.name))));
            }
        }
        Ok(())
    }

    /// The right to ask a server for something. While the run is paused, or watches, nobody gets it.
    pub(super) async fn floor(&self) -> Result<RwLockReadGuard<'_, ()>, Ended> {
        let floor = self.ending.or(self.floor.read()).await?;
        self.ending.check()?;
        if !self.lock.as_ref().is_some_and(Lock::is_ours) {
            return Err(self.ending.because(Stop::Failed(Failure::new(
                FailureKind::Locked,
                "the lock in the deployment is not ours any more",
                "see who else is at it, then resume the run",
            ))));
        }
        Ok(floor)
    }

    /// Waits until nothing is under way, and keeps it so.
    pub(super) async fn quiet(&self) -> Result<RwLockWriteGuard<'_, ()>, Ended> {
        self.ending.or(self.floor.write()).await
    }

    /// A number that no earlier holder of the plan's lock has.
    pub(super) fn fence(&self) -> Option<u64> {
        self.lock.as_ref().and_then(Lock::fence)
    }

    /// What others feel of a server, measured from the first time on that somebody asks.
    pub(super) async fn felt(&self, server: &Server) -> Result<Arc<Felt>, Ended> {
        if let Some(felt) = self.felt.lock().get(&server.name) {
            return Ok(Arc::clone(felt));
        }
        let felt = self.ending.or(Felt::start(server)).await?;
        let felt = Arc::new(self.ending.unless(felt)?);
        let baseline = felt.baseline().p99.as_secs_f64();
        {
            let state = &mut self.shared.record.lock().state;
            // Of several servers the slowest counts.
            state.baseline_p99_seconds = Some(state.baseline_p99_seconds.unwrap_or(0.0).max(baseline));
        }
        self.felt.lock().insert(server.name.clone(), Arc::clone(&felt));
        Ok(felt)
    }

    pub(super) async fn phase(&self, phase: RunPhase, event: &str) -> Result<(), Ended> {
        self.shared.record.lock().state.phase = phase;
        let saved = self.save().await;
        self.ending.unless(saved)?;
        let state = self.shared.record.lock().state.clone();
        let written = self.context.records.audit(entry(&state, event)).await;
        self.ending.unless(written)
    }

    pub(super) async fn save(&self) -> Result<(), Failure> {
        let record = {
            let mut record = self.shared.record.lock();
            record.state.at = self.context.now();
            record.clone()
        };
        self.context.records.save_run(&record).await
    }
}

pub(super) fn restarted(server: &str) -> Failure {
    Failure::server(
        format!("{server} was restarted or failed over while keys were removed"),
        "preview it again; undo puts back what was removed",
    )
}
