//! The requests of a page: some at a time and at the plan's rate. Each holds the driver's floor, so that a pause and a
//! watch between waves find nothing under way.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::driver::Driver;
use super::ending::{Ended, Stop};
use super::filling::Filling;
use crate::failure::Failure;
use crate::warm::endpoint::Requests;
use crate::warm::loader::Loaded;
use crate::warm::placed::standing;
use crate::warm::{Warm, WarmWay};

/// How often evictions are asked for.
const STRAIN_EVERY: Duration = Duration::from_secs(1);
/// How long the loop waits for nothing in particular.
const AT_MOST: Duration = Duration::from_millis(50);
/// How often it is looked whether loaded keys are there: a page takes half a minute at two requests a second, in which
/// a key that lives shortly would be gone again.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// A key of which the endpoint says that it is done.
#[derive(Clone, Copy)]
pub(super) struct Answered<'k> {
    pub(super) key: &'k [u8],
    /// Since then it has been growing older, at least.
    pub(super) at: Instant,
}

/// What became of a page's requests, also where the run ends among them.
#[derive(Default)]
pub(super) struct Answers<'k> {
    /// Done, says the endpoint, and not seen yet.
    pub(super) good: Vec<Answered<'k>>,
    /// Done and there.
    pub(super) seen: u64,
    /// Keys whose request was sent, and not answered.
    pub(super) under_way: HashSet<&'k [u8]>,
    /// Keys whose claim was lost before their turn came.
    pub(super) lost: Vec<&'k [u8]>,
}

impl Driver {
    pub(super) fn requests<'w>(&self, warm: &'w Warm, filling: &Filling) -> Result<Requests<'w>, Failure> {
        let (endpoint, template) = match &warm.way {
            WarmWay::RequestEach { endpoint, template, .. } => (endpoint, Some(template.as_str())),
            WarmWay::Request { endpoint, .. } => (endpoint, None),
            WarmWay::Copy { .. } => return Err(Failure::bad("a copy sends no requests", "")),
        };
        Requests::new(endpoint, template, &self.context.warm.secrets, filling.fence)
    }

    /// Sends the requests of claimed keys, until more fail than may: what is judged once those are looked at that did not.
    pub(super) async fn load<'k>(
        &self,
        filling: &mut Filling,
        database: u16,
        mut open: VecDeque<&'k [u8]>,
        answers: &mut Answers<'k>,
    ) -> Result<(), Ended> {
        let warm = filling.warm.clone();
        let requests = self.ending.unless(self.requests(&warm, filling))?;
        let at_a_time = warm.limits.concurrency.max(1) as usize;
        let (mut bad, mut hopeless) = (Vec::new(), None);
        let mut looked = Instant::now();
        let mut flying = FuturesUnordered::new();
        while hopeless.is_none() && (!open.is_empty() || !flying.is_empty()) {
            self.ending.check()?;
            if filling.looked.elapsed() > STRAIN_EVERY {
                filling.looked = Instant::now();
                self.look_at_strain(filling.evicted, filling.began).await?;
            }
            if filling.claims.want_renewal() {
                self.keep_claims(filling, database, &mut open, answers).await?;
            }
            if warm.success.exists && looked.elapsed() > LOOKED_EVERY {
                looked = Instant::now();
                self.look_meanwhile(filling, database, answers).await?;
            }
            let loader = &filling.loader;
            self.ending.unless(check_bytes(loader.bytes.load(Ordering::Relaxed), warm.limits.most_bytes))?;
            let mut wait = AT_MOST;
            while flying.len() < at_a_time && loader.held().is_none() {
                let Some(key) = open.front().copied() else { break };
                if let Err(still) = filling.rate.take(Instant::now()) {
                    wait = wait.min(still);
                    break;
                }
                open.pop_front();
                let call = self.ending.unless(requests.of_key(key))?;
                let (loader, success) = (Arc::clone(loader), &warm.success);
                answers.under_way.insert(key);
                flying.push(async move {
                    let _floor = self.floor().await?;
                    Ok::<_, Ended>((key, loader.load(&call, success).await))
                });
            }
            let came = async {
                tokio::select! {
                    Some(came) = flying.next() => Some(came),
                    () = tokio::time::sleep(wait) => None,
                }
            };
            let Some((key, loaded)) = self.ending.or(came).await?.transpose()? else { continue };
            answers.under_way.remove(key);
            match loaded {
                Loaded::Good => answers.good.push(Answered { key, at: Instant::now() }),
                Loaded::Bad(why) => bad.push(why),
                Loaded::Hopeless(failure) => hopeless = Some(failure),
            }
            // Within a page, too: a hanging endpoint is not asked 64 times.
            if filling.too_many_fail(answers.seen + answers.good.len() as u64, bad.len() as u64, false) {
                break;
            }
        }
        drop(flying);
        self.shared.record.lock().state.counts.failed += bad.len() as u64;
        bad.into_iter().for_each(|why| filling.bad(why));
        match hopeless {
            Some(failure) => Err(self.ending.because(Stop::Failed(failure))),
            None => Ok(()),
        }
    }

    /// Counts those that are there already; without the floor, as below.
    async fn look_meanwhile(
        &self,
        filling: &mut Filling,
        database: u16,
        answers: &mut Answers<'_>,
    ) -> Result<(), Ended> {
        let keys: Vec<&[u8]> = answers.good.iter().map(|answered| answered.key).collect();
        let found = self.ending.or(standing(&mut filling.placed, database, &keys)).await?;
        let found = self.ending.unless(found)?;
        answers.seen += self.count_there(&filling.warm, &mut answers.good, &found);
        Ok(())
    }

    /// Keeps the claims of what is under way or has yet to come. Without the floor, which requests that are not looked
    /// at meanwhile may hold.
    async fn keep_claims<'k>(
        &self,
        filling: &mut Filling,
        database: u16,
        open: &mut VecDeque<&'k [u8]>,
        answers: &mut Answers<'k>,
    ) -> Result<(), Ended> {
        let held: Vec<&[u8]> = open.iter().chain(&answers.under_way).copied().collect();
        let renewing = filling.claims.renew(&mut filling.placed, database, &held);
        let renewed = self.ending.or(renewing).await?;
        let ours = self.ending.unless(renewed)?;
        let waiting: Vec<&'k [u8]> = open.drain(..).collect();
        for (key, ours) in waiting.into_iter().zip(ours) {
            if ours {
                open.push_back(key);
            } else {
                answers.lost.push(key);
            }
        }
        Ok(())
    }
}

fn check_bytes(answered: u64, most: u64) -> Result<(), Failure> {
    if answered <= most {
        return Ok(());
    }
    Err(Failure::refused(
        format!("the endpoint has answered more than {most} bytes, the plan's limit"),
        "have it answer shortly, or raise the limit",
    ))
}
