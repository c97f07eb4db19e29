//! Filling by requests. Every exchange and every request holds the driver's floor, so that a pause and a watch between
//! waves find nothing under way; besides what halts every action, evictions halt it, too many failures, and a hit rate
//! that does not rise.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::driver::Driver;
use super::ending::{Ended, Stop};
use super::filling::{Filling, LOOKS, LOOKS_APART};
use super::loading::Answered;
use crate::failure::Failure;
use crate::plan::{Action, KeyName, Scope};
use crate::selection::Selection;
use crate::warm::loader::Loaded;
use crate::warm::{Warm, WarmWay};

/// Keys that are looked at, loaded and looked at again together.
pub(super) const AT_ONCE: usize = 64;

/// Keys of a refresh that are taken away at once: only as many as are being loaded at a time.
pub(super) fn refreshed_at_once(action: &Action) -> usize {
    match action {
        Action::Refresh { warm, .. } => warm.limits.concurrency.max(1) as usize,
        _ => usize::MAX,
    }
}

impl Driver {
    /// What is asked of servers while nothing keeps us from it.
    pub(super) async fn ask<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Ended> {
        let _floor = self.floor().await?;
        let answered = self.ending.or(asked).await?;
        self.ending.unless(answered)
    }

    /// Fills what a step fills.
    pub(super) async fn warm(&self, step: usize, warm: &Warm) -> Result<(), Ended> {
        self.note_hit_rate(warm);
        if self.shared.record.lock().state.plan.how.throttle {
            // From now on it is measured, shown and judged.
            for server in &self.context.servers.primaries {
                self.felt(server).await?;
            }
        }
        let done = match &warm.way {
            WarmWay::Request { keys, database, .. } => {
                Box::pin(self.warm_by_one(warm, keys, *database)).await
            }
            WarmWay::RequestEach { keys, database, .. } => {
                Box::pin(self.warm_each(step, warm, keys, *database)).await
            }
            WarmWay::Copy { scope, jitter_percent, .. } => {
                Box::pin(self.copy(scope.as_ref(), *jitter_percent)).await
            }
        };
        self.note_hit_rate(warm);
        done
    }

    async fn warm_by_one(&self, warm: &Warm, keys: &[KeyName], database: u16) -> Result<(), Ended> {
        let mut filling = self.begin_filling(warm, 1).await?;
        let requests = self.ending.unless(self.requests(warm, &filling))?;
        let call = self.ending.unless(requests.whole())?;
        let loaded = {
            let _floor = self.floor().await?;
            self.ending.or(filling.loader.load(&call, &warm.success)).await?
        };
        self.note_traffic(&mut filling);
        match loaded {
            Loaded::Good => {}
            Loaded::Bad(why) => {
                self.shared.record.lock().state.counts.failed += keys.len().max(1) as u64;
                filling.bad(why);
                return self.ending.unless(filling.check_share(true));
            }
            Loaded::Hopeless(failure) => return Err(self.ending.because(Stop::Failed(failure))),
        }
        if !warm.success.exists {
            self.shared.record.lock().state.counts.filled += 1;
            return Ok(());
        }
        let why = if keys.is_empty() {
            self.without_keys(warm).await?
        } else {
            let at = Instant::now();
            let some = keys.iter().map(|key| Answered { key: &key.0, at }).collect();
            match self.verify(&mut filling, database, some).await? {
                0 => String::new(),
                missing => {
                    let all = keys.len();
                    format!("the endpoint says that it is done, and {missing} of {all} keys are not there")
                }
            }
        };
        if !why.is_empty() {
            let failure = Failure::server(why, "see what the endpoint does");
            return Err(self.ending.because(Stop::Failed(failure)));
        }
        self.shared.record.lock().state.counts.filled += u64::from(keys.is_empty());
        Ok(())
    }

    /// Which of the namespaces that the endpoint should have filled hold no key, in words.
    async fn without_keys(&self, warm: &Warm) -> Result<String, Ended> {
        let mut open: Vec<&String> = warm.namespaces.iter().collect();
        for look in 0..LOOKS {
            if look > 0 {
                self.ending.or(tokio::time::sleep(LOOKS_APART)).await?;
            }
            let mut without = Vec::new();
            for template in open {
                let scope = Scope::Namespace {
                    template: template.clone(),
                    fields: Default::default(),
                    stale_below: None,
                    database: None,
                };
                let selection = Selection::new(&scope, self.context.attribution.strategy());
                let selection = self.ending.unless(selection)?;
                if !self.ask(crate::feed::any(&self.context.servers, &selection)).await? {
                    without.push(template);
                }
            }
            open = without;
            if open.is_empty() {
                return Ok(String::new());
            }
        }
        let named: Vec<_> = open.iter().map(|template| template.as_str()).collect();
        Ok(format!("the endpoint says that it is done, and there is no key of {}", named.join(", ")))
    }

    async fn warm_each(
        &self,
        step: usize,
        warm: &Warm,
        keys: &[KeyName],
        database: u16,
    ) -> Result<(), Ended> {
        let mut filling = self.begin_filling(warm, 1).await?;
        let name = format!("{step}/warm");
        let mut at = self.shared.record.lock().cursors.get(&name).copied().unwrap_or(0) as usize;
        while at < keys.len() {
            let reserved = self.reserve(AT_ONCE.min(keys.len() - at));
            if reserved.keys == 0 {
                drop(reserved);
                self.watch_between_waves().await?;
                continue;
            }
            let to = at + reserved.keys;
            let some = self.unprotected(database, keys[at..to].iter().map(|key| key.0.clone()).collect());
            let filled = self.fill(&mut filling, database, &some).await;
            self.note_traffic(&mut filling);
            drop(reserved);
            self.wait_for_claims(database, filled?);
            at = to;
            self.shared.record.lock().cursors.insert(name.clone(), at as u64);
        }
        self.revisit(&mut filling).await?;
        self.ending.unless(filling.check_share(true))
    }

    /// Loads again what a refresh has just taken away. Every server has its own part of the rate.
    pub(super) async fn refill(
        &self,
        kept: &mut Option<Box<Filling>>,
        warm: &Warm,
        database: u16,
        keys: Vec<Vec<u8>>,
    ) -> Result<(), Ended> {
        let mut filling = match kept.take() {
            Some(filling) => filling,
            None => {
                self.note_hit_rate(warm);
                self.begin_filling(warm, self.context.servers.primaries.len()).await?
            }
        };
        let filled = self.fill(&mut filling, database, &self.unprotected(database, keys)).await;
        self.note_traffic(&mut filling);
        self.wait_for_claims(database, filled?);
        *kept = Some(filling);
        Ok(())
    }

    fn unprotected(&self, database: u16, mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let state = &mut self.shared.record.lock().state;
        if !state.plan.how.protected_too {
            let before = keys.len();
            keys.retain(|key| !self.context.attribution.is_protected(database, key));
            state.counts.protected += (before - keys.len()) as u64;
        }
        keys
    }

    pub(super) fn note_traffic(&self, filling: &mut Filling) {
        let bytes = filling.loader.bytes.load(Ordering::Relaxed);
        let counts = &mut self.shared.record.lock().state.counts;
        counts.requests += filling.loader.requests.swap(0, Ordering::Relaxed);
        counts.bytes += bytes - filling.noted_bytes;
        filling.noted_bytes = bytes;
    }
}
