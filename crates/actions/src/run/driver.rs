//! Goes through the steps of a plan, the servers of a step and the pages of a server, and looks up between any two
//! exchanges: whether it shall go on, whether the lock is still ours, and what others feel.

mod copying;
mod warming;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::ActingConnection;
use futures::future::join_all;
use tokio::sync::watch;

use super::control::{Shared, Wanted};
use super::felt::Felt;
use super::removal::{Outcome, Removal};
use super::soften::soften;
use super::{RunContext, entry, small_steps};
use crate::failure::{Failure, FailureKind};
use crate::feed::Feed;
use crate::lock::Lock;
use crate::pace::Pace;
use crate::plan::Action;
use crate::preview::{databases, existing, resolved};
use crate::run_state::{RunPhase, RunState, StopRuleState};
use crate::selection::Selection;
use crate::servers::Server;
use warming::{Filling, refreshed_at_once};

/// How often a run is written down.
const SAVED_EVERY: Duration = Duration::from_millis(500);
/// How often stop rules are judged: a breach halts within a second.
const JUDGED_EVERY: Duration = Duration::from_millis(200);
/// Connections that work beside each other where nobody has to be spared: while one waits for the disk, another
/// reads.
const BESIDE_EACH_OTHER: usize = 3;
/// How often a server that broke off is asked again, and how far apart.
const ATTEMPTS: u32 = 4;
const APART: Duration = Duration::from_millis(500);
/// How often the servers are gone through again for keys that were on the move between them.
const PASSES: u32 = 20;

/// Why it goes no further.
enum Stop {
    Cancelled,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    context: RunContext,
    selections: Vec<Option<Selection>>,
    lock: Option<Lock>,
    wanted: watch::Receiver<Wanted>,
    saved: Instant,
    judged: Option<Instant>,
    measured: (Instant, u64),
    pace: Pace,
    felt: Option<Felt>,
    filling: Option<Box<Filling>>,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        context: RunContext,
        selections: Vec<Option<Selection>>,
        lock: Lock,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        let done = worked_off(&shared.record.lock().state);
        Self {
            shared,
            context,
            selections,
            lock: Some(lock),
            wanted,
            saved: Instant::now(),
            judged: None,
            measured: (Instant::now(), done),
            pace: Pace::new(true, None),
            felt: None,
            filling: None,
        }
    }

    /// Runs to the end, whatever that is, and writes down which.
    pub(super) async fn drive(mut self) {
        let (phase, failure, event) = match self.steps().await {
            Ok(()) => (RunPhase::Finished, None, "finished"),
            Err(Stop::Cancelled) => (RunPhase::Cancelled, None, "cancelled"),
            Err(Stop::Failed(failure)) => (RunPhase::Halted, Some(failure), "halted"),
        };
        {
            let state = &mut self.shared.record.lock().state;
            state.phase = phase;
            state.seconds_left = None;
            state.keys_per_second = 0.0;
            if let Some(failure) = failure {
                state.why = failure.sentence;
                state.remedy = failure.remedy;
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
        if let Some(lock) = self.lock.take() {
            lock.release().await;
        }
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        let plan = self.shared.record.lock().state.plan.clone();
        let selections = resolved(std::mem::take(&mut self.selections), &self.context.servers).await?;
        for (place, (action, selection)) in plan.steps.iter().zip(&selections).enumerate() {
            if (place as u32) < self.shared.record.lock().state.step {
                continue;
            }
            self.look_up().await?;
            match (action, selection) {
                (Action::BumpVersion { key, database }, _) => {
                    let mut command = redis::cmd("INCR");
                    command.arg(&key.0);
                    small_steps::run(&self.context.servers, *database, command).await?;
                    self.shared.record.lock().state.counts.other_steps += 1;
                }
                (Action::Publish { channel, message }, _) => {
                    let mut command = redis::cmd("PUBLISH");
                    command.arg(channel).arg(message);
                    let receivers = small_steps::run(&self.context.servers, 0, command).await?;
                    let counts = &mut self.shared.record.lock().state.counts;
                    counts.other_steps += 1;
                    counts.receivers += receivers.unsigned_abs();
                }
                (Action::Warm { warm }, _) => Box::pin(self.warm(place, warm)).await?,
                (_, Some(selection)) => {
                    if matches!(action.scope(), Some(crate::plan::Scope::Tag { .. })) {
                        // The tag may have other members than before an interruption.
                        let mut record = self.shared.record.lock();
                        record.cursors.clear();
                        record.ended.clear();
                    }
                    self.all_servers(place, action, selection).await?;
                }
                _ => {}
            }
            {
                let mut record = self.shared.record.lock();
                record.state.step = place as u32 + 1;
                record.cursors.clear();
                record.ended.clear();
            }
            self.save().await?;
        }
        Ok(())
    }

    /// Every server, and again while keys were on the move between servers.
    async fn all_servers(&mut self, step: usize, action: &Action, selection: &Selection) -> Result<(), Stop> {
        for _ in 0..PASSES {
            let moved_before = self.shared.record.lock().state.counts.moved;
            for server in self.context.servers.primaries.clone() {
                self.one_server(step, action, selection, &server).await?;
            }
            if self.shared.record.lock().state.counts.moved == moved_before || selection.named().is_some() {
                return Ok(());
            }
            {
                let mut record = self.shared.record.lock();
                record.cursors.clear();
                record.ended.clear();
            }
            self.rest(Duration::from_secs(1)).await?;
        }
        Err(Failure::server(
            "keys go on moving between the servers",
            "resume the run when the Cluster has settled; what was not removed is still there",
        )
        .into())
    }

    async fn one_server(
        &mut self,
        step: usize,
        action: &Action,
        selection: &Selection,
        server: &Server,
    ) -> Result<(), Stop> {
        let how = self.shared.record.lock().state.plan.how.clone();
        self.measure(server, how.throttle).await?;
        let beside = if how.throttle || !how.undo { 1 } else { BESIDE_EACH_OTHER };
        let node = || ActingConnection::new(Arc::clone(&server.node));
        let mut connections: Vec<_> = (0..beside).map(|_| node()).collect();
        for database in databases(server, selection) {
            let name = format!("{step}/{}/{database}", server.name);
            let cursor = {
                let record = self.shared.record.lock();
                if record.ended.contains(&name) {
                    continue;
                }
                record.cursors.get(&name).copied().unwrap_or(0)
            };
            let mut feed = Feed::new(database, cursor);
            loop {
                self.look_up().await?;
                let count = self.pace.keys().max(64);
                let [first, ..] = connections.as_mut_slice() else { return Ok(()) };
                let before = feed.cursor;
                let mut page = match feed.next(first, selection, count).await {
                    Ok(page) => page,
                    Err(failure) => {
                        feed.cursor = before;
                        self.again(server, failure).await?;
                        continue;
                    }
                };
                if selection.named().is_some() {
                    page.keys = existing(first, database, page.keys).await?;
                }
                self.page(action, server, database, page.keys, &mut connections).await?;
                {
                    let mut record = self.shared.record.lock();
                    record.state.counts.scanned += page.examined;
                    if page.last {
                        record.cursors.remove(&name);
                        record.ended.push(name.clone());
                    } else {
                        record.cursors.insert(name.clone(), feed.cursor);
                    }
                }
                if page.last {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Measures what others feel at a server before anything is done there, and begins to steer by it.
    async fn measure(&mut self, server: &Server, throttle: bool) -> Result<(), Stop> {
        let mut felt = Felt::new(server);
        let baseline = if throttle { Some(felt.baseline().await?) } else { None };
        self.pace = Pace::new(throttle, baseline);
        self.felt = throttle.then_some(felt);
        if let Some(baseline) = baseline {
            self.shared.record.lock().state.baseline_p99_seconds = Some(baseline.as_secs_f64());
        }
        Ok(())
    }

    async fn page(
        &mut self,
        action: &Action,
        server: &Server,
        database: u16,
        mut keys: Vec<Vec<u8>>,
        connections: &mut [ActingConnection],
    ) -> Result<(), Stop> {
        let protected_too = self.shared.record.lock().state.plan.how.protected_too;
        if !protected_too {
            let before = keys.len();
            keys.retain(|key| !self.context.attribution.is_protected(database, key));
            self.shared.record.lock().state.counts.protected += (before - keys.len()) as u64;
        }
        let mut failures = 0;
        while !keys.is_empty() {
            self.look_up().await?;
            let room = self.watch_between_waves().await?;
            let chunk = self.pace.keys().div_ceil(connections.len()).max(1);
            let at_once = refreshed_at_once(action);
            let count = keys.len().min(chunk * connections.len()).min(room.max(1)).min(at_once);
            let now = keys.split_off(keys.len() - count);
            let (outcome, failed) = self.exchange(action, server, database, &now, chunk, connections).await;
            self.counted(server, outcome);
            match failed {
                None => {
                    failures = 0;
                    if let Action::Refresh { warm, .. } = action {
                        Box::pin(self.refill(warm, database, &now)).await?;
                    }
                    let rest = self.pace.exchanged(outcome.longest);
                    self.rest(rest).await?;
                }
                Some(failure) => {
                    failures += 1;
                    connections.iter_mut().for_each(ActingConnection::disconnect);
                    if failures >= ATTEMPTS || failure.kind != FailureKind::Server {
                        return Err(failure.into());
                    }
                    self.again(server, failure).await?;
                    keys.extend(now);
                }
            }
            if self.saved.elapsed() > SAVED_EVERY {
                self.save().await?;
            }
        }
        Ok(())
    }

    async fn exchange(
        &self,
        action: &Action,
        server: &Server,
        database: u16,
        keys: &[Vec<u8>],
        chunk: usize,
        connections: &mut [ActingConnection],
    ) -> (Outcome, Option<Failure>) {
        if let Some((ttl_ms, jitter_ms)) = action.softens() {
            let Some(connection) = connections.first_mut() else { return (Outcome::default(), None) };
            return match soften(connection, database, keys, ttl_ms, jitter_ms).await {
                Ok(outcome) => (outcome, None),
                Err(failure) => (Outcome::default(), Some(failure)),
            };
        }
        let undo = self.shared.record.lock().state.plan.how.undo;
        let removals = keys.chunks(chunk).zip(connections.iter_mut()).map(|(keys, connection)| {
            let mut removal = Removal {
                connection,
                database,
                cluster: self.context.servers.cluster,
                undo: if undo { self.context.undo.as_ref() } else { None },
                most_bytes_of_a_key: self.context.most_bytes_of_a_key,
                tells_expiry: server.version >= (7, 0),
            };
            let keys = keys.to_vec();
            async move {
                let mut outcome = Outcome::default();
                let removed = removal.remove(keys, &mut outcome).await;
                (outcome, removed)
            }
        });
        // All of them to their end: what one has removed counts, whatever becomes of another.
        let (mut sum, mut failed) = (Outcome::default(), None);
        for (outcome, removed) in join_all(removals).await {
            sum.add(outcome);
            failed = failed.or(removed.err());
        }
        (sum, failed)
    }

    fn counted(&mut self, server: &Server, outcome: Outcome) {
        let undo_bytes = self.context.undo.as_ref().map(crate::undo::UndoWriter::bytes);
        let mut record = self.shared.record.lock();
        let state = &mut record.state;
        state.counts.removed += outcome.removed;
        state.counts.gone += outcome.gone;
        state.counts.too_large += outcome.too_large;
        state.counts.contended += outcome.contended;
        state.counts.moved += outcome.moved;
        if state.undo.is_some() {
            state.undo_bytes = undo_bytes.unwrap_or(state.undo_bytes);
        }
        match state.nodes.iter_mut().find(|node| node.node == server.name) {
            Some(node) => node.removed += outcome.removed,
            None => state.nodes.push(crate::run_state::NodeProgress {
                node: server.name.clone(),
                expected: 0,
                removed: outcome.removed,
            }),
        }
    }

    /// A server broke off or refused: goes on where it is the same as before, and gives up where it is not.
    async fn again(&mut self, server: &Server, failure: Failure) -> Result<(), Stop> {
        tracing::info!(server = server.name, %failure, "a run's exchange failed");
        for _ in 0..ATTEMPTS {
            match Server::inspect(&server.node).await {
                Ok(now) if now.run_id == server.run_id => return Ok(()),
                Ok(_) => {
                    return Err(Failure::server(
                        format!("{} was restarted while keys were removed", server.name),
                        "preview it again; undo puts back what was removed",
                    )
                    .into());
                }
                Err(other) if other.kind == FailureKind::Refused => return Err(other.into()),
                Err(_) => self.rest(APART).await?,
            }
        }
        Err(failure.into())
    }

    /// What may keep it from going on. An operator's pause lasts here.
    async fn look_up(&mut self) -> Result<(), Stop> {
        self.obey().await?;
        if !self.lock.as_ref().is_some_and(Lock::is_ours) {
            return Err(Failure::new(
                FailureKind::Locked,
                "the lock in the deployment is not ours any more",
                "see who else is at it, then resume the run",
            )
            .into());
        }
        if let Some(felt) = &mut self.felt
            && let Some(took) = felt.now().await?
        {
            self.pace.felt(Instant::now(), took);
        }
        if self.judged.is_none_or(|judged| judged.elapsed() > JUDGED_EVERY) {
            self.judged = Some(Instant::now());
            self.judge()?;
        }
        Ok(())
    }

    async fn obey(&mut self) -> Result<(), Stop> {
        let mut paused = false;
        loop {
            let wanted = *self.wanted.borrow_and_update();
            match wanted {
                Wanted::Cancel => return Err(Stop::Cancelled),
                Wanted::Go if paused => {
                    self.phase(RunPhase::Running, "resumed").await?;
                    return Ok(());
                }
                Wanted::Go => return Ok(()),
                Wanted::Pause if !paused => {
                    paused = true;
                    self.phase(RunPhase::Paused, "paused").await?;
                }
                Wanted::Pause => {
                    // The sender lives in what this driver holds itself.
                    if self.wanted.changed().await.is_err() {
                        return Err(Stop::Cancelled);
                    }
                }
            }
        }
    }

    async fn phase(&mut self, phase: RunPhase, event: &str) -> Result<(), Stop> {
        self.shared.record.lock().state.phase = phase;
        self.save().await?;
        let state = self.shared.record.lock().state.clone();
        self.context.records.audit(entry(&state, event)).await?;
        Ok(())
    }

    fn judge(&mut self) -> Result<(), Stop> {
        let mut rules = self.context.rules.judge();
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        if let (Some(p99), Some(limit)) = (self.pace.p99(), self.pace.limit()) {
            rules.insert(
                0,
                StopRuleState {
                    name: "p99 of round trips".to_owned(),
                    sentence: format!("{:.1} ms, halts at {:.1} ms", ms(p99), ms(limit)),
                    value: Some(p99.as_secs_f64()),
                    limit: Some(limit.as_secs_f64()),
                    breached: self.pace.is_breached(),
                    known: true,
                },
            );
        }
        let breached = rules.iter().find(|rule| rule.breached).cloned();
        {
            let mut record = self.shared.record.lock();
            let state = &mut record.state;
            state.stop_rules = rules;
            state.p99_seconds = self.pace.p99().map(|p99| p99.as_secs_f64());
            let done = worked_off(state);
            let (since, before) = self.measured;
            let seconds = since.elapsed().as_secs_f64();
            if seconds > 0.5 {
                state.keys_per_second = (done - before.min(done)) as f64 / seconds;
                self.measured = (Instant::now(), done);
                let left = state.expected.saturating_sub(done) as f64;
                state.seconds_left = (state.keys_per_second > 0.0).then(|| left / state.keys_per_second);
            }
        }
        match breached {
            Some(rule) => Err(Failure::refused(
                format!("halted by a stop rule: {}: {}", rule.name, rule.sentence),
                "resume the run when it is back within its limit",
            )
            .into()),
            None => Ok(()),
        }
    }

    /// At the end of a wave the server is watched for a while. Says how many keys the present wave still takes.
    async fn watch_between_waves(&mut self) -> Result<usize, Stop> {
        loop {
            let (reached, left, watch_for) = {
                let record = self.shared.record.lock();
                let state = &record.state;
                let Some(wave) = state.waves.iter().position(|wave| !wave.done) else {
                    return Ok(usize::MAX);
                };
                if wave + 1 == state.waves.len() {
                    return Ok(usize::MAX);
                }
                let up_to = state.waves[wave].up_to_keys;
                let left = up_to.saturating_sub(worked_off(state));
                (wave, left, Duration::from_millis(state.plan.how.watch_between_waves_ms))
            };
            if left > 0 {
                return Ok(usize::try_from(left).unwrap_or(usize::MAX));
            }
            self.phase(RunPhase::Watching, "wave").await?;
            let until = Instant::now() + watch_for;
            while Instant::now() < until {
                self.rest(Duration::from_millis(50)).await?;
                self.look_up().await?;
            }
            let mut record = self.shared.record.lock();
            let done = worked_off(&record.state);
            record.state.phase = RunPhase::Running;
            record.state.waves[reached].done = true;
            record.state.waves[reached].remark =
                format!("{done} keys, watched {} s, calm", watch_for.as_secs());
        }
    }

    /// Rests, but not longer than until something else is wanted.
    async fn rest(&mut self, rest: Duration) -> Result<(), Stop> {
        if rest.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _changed = self.wanted.changed() => self.obey().await?,
        }
        Ok(())
    }

    async fn save(&mut self) -> Result<(), Failure> {
        let record = {
            let mut record = self.shared.record.lock();
            record.state.at = self.context.now();
            record.clone()
        };
        self.saved = Instant::now();
        self.context.records.save_run(&record).await
    }
}

/// Keys that are dealt with, in the sense in which the preview counted them: a plan that only fills counts what is
/// filled, any other what it takes away.
fn worked_off(state: &RunState) -> u64 {
    if state.plan.only_warms() {
        state.counts.filled + state.counts.failed + state.counts.unfilled
    } else {
        state.counts.removed
    }
}
