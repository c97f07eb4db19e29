//! Filling keys by requests: some at a time and at the plan's rate, each looked at afterwards. Every exchange and every
//! request holds the driver's floor, so that a pause and a watch between waves find nothing under way; besides what halts
//! every action, evictions halt it, too many failures, and a hit rate that does not rise.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::RunContext;
use super::driver::Driver;
use super::ending::{Ended, Stop};
use crate::failure::Failure;
use crate::plan::{Action, KeyName, Scope};
use crate::selection::Selection;
use crate::warm::claims;
use crate::warm::endpoint::Requests;
use crate::warm::loader::{Loaded, Loader, Rate};
use crate::warm::placed::{Placed, standing};
use crate::warm::strain::Strain;
use crate::warm::{Warm, WarmWay};

/// Keys that are looked at, loaded and looked at again together.
const AT_ONCE: usize = 64;
/// How often evictions are asked for.
const STRAIN_EVERY: Duration = Duration::from_secs(1);
/// How long a loop waits for nothing in particular.
const AT_MOST: Duration = Duration::from_millis(50);
/// Requests from which on their share of failures says something.
const FIRST_SHARE: u64 = 5;
/// How often, and how far apart, a key is looked for that the endpoint says it has filled.
const LOOKS: u32 = 4;
const LOOKS_APART: Duration = Duration::from_millis(150);
/// The hit rate is over the last minute: so long after the beginning it must have risen …
const RISEN_AFTER: Duration = Duration::from_secs(90);
/// … by so much, unless it was as good as full before.
const RISE: f64 = 0.001;
const FULL: f64 = 0.99;

/// Keys of a refresh that are taken away at once: only as many as are being loaded at a time.
pub(super) fn refreshed_at_once(action: &Action) -> usize {
    match action {
        Action::Refresh { warm, .. } => warm.limits.concurrency.max(1) as usize,
        _ => usize::MAX,
    }
}

/// What filling needs from the first key to the last.
pub(super) struct Filling {
    warm: Warm,
    loader: Loader,
    placed: Placed,
    rate: Rate,
    evicted: u64,
    looked: Instant,
    began: Instant,
    fence: Option<u64>,
    /// Who claims keys.
    holder: String,
    /// How the requests came out, and the last bad one in words.
    good: u64,
    bad: u64,
    why: String,
}

impl Filling {
    async fn new(
        warm: &Warm,
        context: &RunContext,
        fence: Option<u64>,
        holder: String,
        beside: u32,
    ) -> Result<Self, Failure> {
        let Some(endpoint) = warm.endpoint() else {
            return Err(Failure::bad("the plan names no endpoint", ""));
        };
        Ok(Self {
            warm: warm.clone(),
            loader: Loader::new(endpoint, &warm.limits, &context.warm.tls)?,
            placed: Placed::new(&context.servers).await?,
            rate: Rate::new((warm.limits.per_minute / beside.max(1)).max(1), Instant::now()),
            evicted: Strain::of(&context.servers).await?.evicted,
            looked: Instant::now(),
            began: Instant::now(),
            fence,
            holder,
            good: 0,
            bad: 0,
            why: String::new(),
        })
    }

    /// How long one key may take at most, with all repetitions.
    fn longest(&self) -> Duration {
        let limits = &self.warm.limits;
        Duration::from_millis(u64::from(limits.timeout_ms)) * (limits.retries + 1)
    }

    fn bad(&mut self, why: String) {
        self.bad += 1;
        self.why = why;
    }

    /// Halts where more fails than may.
    fn check_share(&self, at_the_end: bool) -> Result<(), Failure> {
        let (limits, all) = (&self.warm.limits, self.good + self.bad);
        let by_number = limits.most_errors > 0 && self.bad > u64::from(limits.most_errors);
        let enough = all >= FIRST_SHARE || at_the_end;
        let by_share = enough && self.bad * 100 > all * u64::from(limits.errors_percent);
        if !by_number && !by_share {
            return Ok(());
        }
        Err(Failure::refused(
            format!(
                "{} of {all} loads came to nothing, more than the plan allows; the last: {}",
                self.bad, self.why
            ),
            "see to the endpoint, then resume the run",
        ))
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

    /// `beside` says how many fill at once, each with its part of the rate.
    async fn begin_filling(&self, warm: &Warm, beside: usize) -> Result<Box<Filling>, Ended> {
        let (fence, run) = (self.fence(), self.shared.record.lock().state.run.clone());
        let holder = format!("{run} {}", fence.unwrap_or_default());
        let made = Filling::new(warm, &self.context, fence, holder, beside as u32);
        Ok(Box::new(self.ask(made).await?))
    }

    fn requests<'w>(&self, warm: &'w Warm, filling: &Filling) -> Result<Requests<'w>, Failure> {
        let (endpoint, template) = match &warm.way {
            WarmWay::RequestEach { endpoint, template, .. } => (endpoint, Some(template.as_str())),
            WarmWay::Request { endpoint, .. } => (endpoint, None),
            WarmWay::Copy { .. } => return Err(Failure::bad("a copy sends no requests", "")),
        };
        Requests::new(endpoint, template, &self.context.warm.secrets, filling.fence)
    }

    async fn warm_by_one(&self, warm: &Warm, keys: &[KeyName], database: u16) -> Result<(), Ended> {
        let mut filling = self.begin_filling(warm, 1).await?;
        let requests = self.ending.unless(self.requests(warm, &filling))?;
        let call = self.ending.unless(requests.whole())?;
        let loaded = {
            let _floor = self.floor().await?;
            self.ending.or(filling.loader.load(&call, &warm.success)).await?
        };
        self.note_traffic(&filling);
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
            let some: Vec<&[u8]> = keys.iter().map(|key| key.0.as_slice()).collect();
            match self.verify(&mut filling, database, &some).await? {
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
            let some: Vec<Vec<u8>> = keys[at..to].iter().map(|key| key.0.clone()).collect();
            let filled = self.fill(&mut filling, database, some).await;
            self.note_traffic(&filling);
            drop(reserved);
            filled?;
            at = to;
            self.shared.record.lock().cursors.insert(name.clone(), at as u64);
            self.ending.unless(filling.check_share(false))?;
        }
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
        let filled = self.fill(&mut filling, database, keys).await;
        self.note_traffic(&filling);
        filled?;
        self.ending.unless(filling.check_share(false))?;
        *kept = Some(filling);
        Ok(())
    }

    /// Loads those of the keys that are due and that nobody else is loading, and looks whether they are there.
    async fn fill(&self, filling: &mut Filling, database: u16, mut keys: Vec<Vec<u8>>) -> Result<(), Ended> {
        if !self.shared.record.lock().state.plan.how.protected_too {
            let before = keys.len();
            keys.retain(|key| !self.context.attribution.is_protected(database, key));
            self.shared.record.lock().state.counts.protected += (before - keys.len()) as u64;
        }
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let due = self.due(filling, database, &names).await?;
        let longest = filling.longest();
        let claiming = claims::claim(&mut filling.placed, database, &due, &filling.holder, longest);
        let ours = self.ask(claiming).await?;
        let claimed: Vec<&[u8]> =
            due.iter().zip(ours).filter(|(_, ours)| *ours).map(|(key, _)| *key).collect();
        self.shared.record.lock().state.counts.claimed += (due.len() - claimed.len()) as u64;
        // Between the look and the claim another one may have loaded a key and given its claim back.
        let open = self.due(filling, database, &claimed).await?;
        let loaded = self.load(filling, open.into()).await;
        // Claims are given back whatever came of it; those that can't be end by themselves.
        if let Err(failure) = claims::give_back(&mut filling.placed, database, &claimed).await {
            tracing::debug!(%failure, "claims end by themselves");
            filling.placed.disconnect();
        }
        let loaded = loaded?;
        if !filling.warm.success.exists {
            filling.good += loaded.len() as u64;
            self.shared.record.lock().state.counts.filled += loaded.len() as u64;
            return Ok(());
        }
        let missing = self.verify(filling, database, &loaded).await?;
        filling.good += loaded.len() as u64 - missing;
        for _ in 0..missing {
            filling.bad("the endpoint says that it is done, and the key is not there".to_owned());
        }
        Ok(())
    }

    /// Those that are not there, or expire too soon; the others are counted as there.
    async fn due<'k>(
        &self,
        filling: &mut Filling,
        database: u16,
        keys: &[&'k [u8]],
    ) -> Result<Vec<&'k [u8]>, Ended> {
        let found = self.ask(standing(&mut filling.placed, database, keys)).await?;
        let success = &filling.warm.success;
        let mut due = Vec::new();
        for (key, standing) in keys.iter().zip(found) {
            if !standing.there || success.is_due(standing.left_ms) {
                due.push(*key);
            }
        }
        self.shared.record.lock().state.counts.there += (keys.len() - due.len()) as u64;
        Ok(due)
    }

    /// Sends the requests; gives back the keys for which the endpoint says that it is done.
    async fn load<'k>(
        &self,
        filling: &mut Filling,
        mut open: VecDeque<&'k [u8]>,
    ) -> Result<Vec<&'k [u8]>, Ended> {
        let warm = filling.warm.clone();
        let requests = self.ending.unless(self.requests(&warm, filling))?;
        let at_a_time = warm.limits.concurrency.max(1) as usize;
        let mut done = Vec::new();
        let mut flying = FuturesUnordered::new();
        let loader = &filling.loader;
        let (mut bad, mut hopeless) = (Vec::new(), None);
        while hopeless.is_none() && (!open.is_empty() || !flying.is_empty()) {
            self.ending.check()?;
            if filling.looked.elapsed() > STRAIN_EVERY {
                filling.looked = Instant::now();
                self.look_at_strain(filling.evicted, filling.began).await?;
            }
            if loader.bytes.load(Ordering::Relaxed) > warm.limits.most_bytes {
                return Err(self.ending.because(Stop::Failed(Failure::refused(
                    format!(
                        "the endpoint has answered more than {} bytes, the plan's limit",
                        warm.limits.most_bytes
                    ),
                    "have it answer shortly, or raise the limit",
                ))));
            }
            let mut wait = AT_MOST;
            while flying.len() < at_a_time && loader.held().is_none() {
                let Some(key) = open.front().copied() else { break };
                if let Err(still) = filling.rate.take(Instant::now()) {
                    wait = wait.min(still);
                    break;
                }
                open.pop_front();
                let call = self.ending.unless(requests.of_key(key))?;
                let success = &warm.success;
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
            match self.ending.or(came).await?.transpose()? {
                Some((key, Loaded::Good)) => done.push(key),
                Some((_, Loaded::Bad(why))) => bad.push(why),
                Some((_, Loaded::Hopeless(failure))) => hopeless = Some(failure),
                None => {}
            }
            // Within a page, too: a hanging endpoint is not asked 64 times.
            let failed = filling.bad + bad.len() as u64;
            let all = filling.good + done.len() as u64 + failed;
            if all >= FIRST_SHARE && failed * 100 > all * u64::from(warm.limits.errors_percent) {
                break;
            }
        }
        drop(flying);
        self.shared.record.lock().state.counts.failed += bad.len() as u64;
        bad.into_iter().for_each(|why| filling.bad(why));
        match hopeless {
            Some(failure) => Err(self.ending.because(Stop::Failed(failure))),
            None => {
                self.ending.unless(filling.check_share(false))?;
                Ok(done)
            }
        }
    }

    /// Counts which keys are there, and live about as long as they should; gives back how many are not there.
    async fn verify(&self, filling: &mut Filling, database: u16, keys: &[&[u8]]) -> Result<u64, Ended> {
        let mut open = keys.to_vec();
        for look in 0..LOOKS {
            if open.is_empty() {
                break;
            }
            if look > 0 {
                // Some endpoints store a moment after they have answered.
                self.ending.or(tokio::time::sleep(LOOKS_APART)).await?;
            }
            let found = self.ask(standing(&mut filling.placed, database, &open)).await?;
            let mut still = Vec::new();
            let counts = &mut self.shared.record.lock().state.counts;
            for (key, standing) in open.iter().zip(found) {
                if !standing.there {
                    still.push(*key);
                    continue;
                }
                counts.filled += 1;
                counts.wrong_ttl += u64::from(!filling.warm.success.lives_right(standing.left_ms));
            }
            open = still;
        }
        self.shared.record.lock().state.counts.unfilled += open.len() as u64;
        Ok(open.len() as u64)
    }

    /// Halts where the cache pushes keys out, or where all the loading does not help.
    pub(super) async fn look_at_strain(&self, evicted_before: u64, began: Instant) -> Result<(), Ended> {
        // Without the floor, which requests that are not looked at meanwhile may hold.
        let now = self.ending.or(Strain::of(&self.context.servers)).await?;
        let now = self.ending.unless(now)?;
        if now.evicted > evicted_before {
            return Err(self.ending.because(Stop::Failed(Failure::refused(
                format!(
                    "halted by a stop rule: the cache is full and has begun to evict ({} keys since the start)",
                    now.evicted - evicted_before
                ),
                "give it more memory, or load less",
            ))));
        }
        let (namespaces, before) = {
            let state = &self.shared.record.lock().state;
            let warm = state.plan.steps.get(state.step as usize).and_then(Action::warm);
            (warm.map(|warm| warm.namespaces.clone()).unwrap_or_default(), state.hit_rate_before)
        };
        let Some(rate) = self.context.rules.hit_rate(&namespaces) else { return Ok(()) };
        self.shared.record.lock().state.hit_rate = Some(rate);
        let stuck = before.is_some_and(|before| before < FULL && rate < before + RISE);
        if stuck && began.elapsed() > RISEN_AFTER {
            return Err(self.ending.because(Stop::Failed(Failure::refused(
                format!("halted by a stop rule: the hit rate does not rise, it is {:.1} %", rate * 100.0),
                "see which keys are missed: others than those that are loaded",
            ))));
        }
        Ok(())
    }

    fn note_hit_rate(&self, warm: &Warm) {
        let rate = self.context.rules.hit_rate(&warm.namespaces);
        let state = &mut self.shared.record.lock().state;
        state.hit_rate_before = state.hit_rate_before.or(rate);
        state.hit_rate = rate.or(state.hit_rate);
    }

    fn note_traffic(&self, filling: &Filling) {
        let counts = &mut self.shared.record.lock().state.counts;
        counts.requests += filling.loader.requests.swap(0, Ordering::Relaxed);
        counts.bytes += filling.loader.bytes.load(Ordering::Relaxed).saturating_sub(counts.bytes);
    }
}
