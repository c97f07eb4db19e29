//! What is done beside the work: the operator is obeyed, what halts the run is judged five times a second whatever is
//! under way, the run is written down, and between waves the servers are watched.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::control::Wanted;
use super::driver::Driver;
use super::ending::{Ended, Stop};
use crate::failure::Failure;
use crate::pace;
use crate::run_state::{RunPhase, StopRuleState};

/// How often stop rules are judged: a breach halts within a second.
const JUDGED_EVERY: Duration = Duration::from_millis(200);
/// What others feel halts a run when it is past its limit so many times in a row, each time over what was felt since
/// the time before: one hiccup, of whatever cause, is none.
const STRIKES: u32 = 3;
/// How often a run is written down, in judgements.
const SAVED_EVERY: u32 = 3;
/// Over how long others' p99 is shown.
const SHOWN_OVER: Duration = Duration::from_secs(1);

impl Driver {
    /// Does what the operator wants, for as long as the run is driven.
    pub(super) async fn obeying(&self) -> Infallible {
        let mut wanted = self.wanted.clone();
        loop {
            let now = *wanted.borrow_and_update();
            match now {
                Wanted::Go => {}
                Wanted::Cancel => {
                    self.ending.because(Stop::Cancelled);
                }
                Wanted::Pause if self.pause(&mut wanted).await.is_ok() => continue,
                Wanted::Pause => {}
            }
            // The sender lives in what this driver holds itself.
            if wanted.changed().await.is_err() || self.ending.check().is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn pause(&self, wanted: &mut tokio::sync::watch::Receiver<Wanted>) -> Result<(), Ended> {
        let _quiet = tokio::select! {
            quiet = self.quiet() => quiet?,
            _gone_on = wanted.wait_for(|wanted| *wanted != Wanted::Pause) => return Ok(()),
        };
        self.phase(RunPhase::Paused, "paused").await?;
        let gone_on = wanted.wait_for(|wanted| *wanted != Wanted::Pause).await.map(|wanted| *wanted);
        match gone_on {
            Ok(Wanted::Go) => self.phase(RunPhase::Running, "resumed").await,
            _ => Ok(()),
        }
    }

    /// Judges what halts the run, for as long as it is driven.
    pub(super) async fn judging(&self) -> Infallible {
        let mut strikes = 0;
        let mut round = 0_u32;
        loop {
            tokio::time::sleep(JUDGED_EVERY).await;
            if self.judge(&mut strikes).is_err() {
                continue;
            }
            round += 1;
            if round.is_multiple_of(SAVED_EVERY) {
                let saved = self.save().await;
                let _ended = self.ending.unless(saved);
            }
        }
    }

    fn judge(&self, strikes: &mut u32) -> Result<(), Ended> {
        let mut rules = self.context.rules.judge();
        if let Some((felt, past)) = self.judge_felt() {
            *strikes = if past { *strikes + 1 } else { 0 };
            rules.insert(0, StopRuleState { breached: *strikes >= STRIKES, ..felt });
        }
        let breached = rules.iter().find(|rule| rule.breached).cloned();
        let mut record = self.shared.record.lock();
        let state = &mut record.state;
        state.stop_rules = rules;
        let shown = self.felt.lock().values().filter_map(|felt| felt.p99(SHOWN_OVER)).max();
        state.p99_seconds = shown.map(|p99| p99.as_secs_f64());
        let mut measured = self.measured.lock();
        let (since, before) = *measured;
        let seconds = since.elapsed().as_secs_f64();
        if seconds > 0.5 {
            let done = state.worked_off();
            state.keys_per_second = (done - before.min(done)) as f64 / seconds;
            *measured = (Instant::now(), done);
            let left = state.expected.saturating_sub(done) as f64;
            state.seconds_left = (state.keys_per_second > 0.0).then(|| left / state.keys_per_second);
        }
        match breached {
            Some(rule) => Err(self.ending.because(Stop::Failed(Failure::refused(
                format!("halted by a stop rule: {}: {}", rule.name, rule.sentence),
                "resume the run when it is back within its limit",
            )))),
            None => Ok(()),
        }
    }

    /// What others feel of the server that is worst off since it was judged last, and whether that is past its limit.
    fn judge_felt(&self) -> Option<(StopRuleState, bool)> {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let felt = self.felt.lock();
        let each = felt.values().filter_map(|felt| {
            let (p99, limit) = (felt.p99(JUDGED_EVERY)?, pace::halts_at(felt.baseline().p99));
            Some((p99.as_secs_f64() / limit.as_secs_f64().max(1e-9), p99, limit))
        });
        let (ratio, p99, limit) = each.max_by(|one, other| one.0.total_cmp(&other.0))?;
        let rule = StopRuleState {
            name: "p99 of round trips".to_owned(),
            sentence: format!("{:.1} ms, halts at {:.1} ms", ms(p99), ms(limit)),
            value: Some(p99.as_secs_f64()),
            limit: Some(limit.as_secs_f64()),
            breached: false,
            known: true,
        };
        Some((rule, ratio > 1.0))
    }

    /// Keys of `wanted` that the present wave takes, and whether they count to a wave; none where it is full.
    pub(super) fn reserve(&self, wanted: usize) -> Reserved<'_> {
        let mut reserved = self.reserved.lock();
        let Some(left) = self.left_of_the_wave(*reserved) else {
            return Reserved { driver: self, keys: wanted, counted: 0 };
        };
        let keys = wanted.min(usize::try_from(left).unwrap_or(usize::MAX));
        *reserved += keys as u64;
        Reserved { driver: self, keys, counted: keys as u64 }
    }

    /// `None` within the last wave, which has no end.
    fn left_of_the_wave(&self, reserved: u64) -> Option<u64> {
        let record = self.shared.record.lock();
        let state = &record.state;
        let wave = state.waves.iter().position(|wave| !wave.done)?;
        if wave + 1 == state.waves.len() {
            return None;
        }
        Some(state.waves[wave].up_to_keys.saturating_sub(state.worked_off() + reserved))
    }

    /// At the end of a wave nothing is done for a while.
    pub(super) async fn watch_between_waves(&self) -> Result<(), Ended> {
        let mut given_back = std::pin::pin!(self.given_back.notified());
        given_back.as_mut().enable();
        if *self.reserved.lock() > 0 && self.left_of_the_wave(0).is_some_and(|left| left > 0) {
            // Somebody else is at work on what is left of it, and may not need all of that.
            return self.ending.or(given_back).await;
        }
        let _quiet = self.quiet().await?;
        // Somebody else may have watched meanwhile.
        if self.left_of_the_wave(0).is_none_or(|left| left > 0) {
            return Ok(());
        }
        let watch_for =
            Duration::from_millis(self.shared.record.lock().state.plan.how.watch_between_waves_ms);
        self.phase(RunPhase::Watching, "wave").await?;
        let mut wanted = self.wanted.clone();
        let watched = async {
            tokio::select! {
                () = tokio::time::sleep(watch_for) => true,
                // Paused, it watches anew afterwards.
                _pause = wanted.wait_for(|wanted| *wanted == Wanted::Pause) => false,
            }
        };
        if !self.ending.or(watched).await? {
            return Ok(());
        }
        let mut record = self.shared.record.lock();
        let state = &mut record.state;
        let done = state.worked_off();
        state.phase = RunPhase::Running;
        if let Some(wave) = state.waves.iter_mut().find(|wave| !wave.done) {
            wave.done = true;
            wave.remark = format!("{done} keys, watched {} s, calm", watch_for.as_secs());
        }
        Ok(())
    }
}

/// Keys that may be removed now. Those that were are counted before this is dropped.
pub(super) struct Reserved<'d> {
    driver: &'d Driver,
    pub(super) keys: usize,
    counted: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        *self.driver.reserved.lock() -= self.counted;
        self.driver.given_back.notify_waiters();
    }
}
