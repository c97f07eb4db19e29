//! Filling keys by requests: some at a time and at the plan's rate, each looked at afterwards. Between any two the
//! driver looks up as for every action; besides, it halts where keys begin to be evicted, where too much fails, and
//! where the hit rate does not rise.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::{Driver, Stop};
use crate::failure::Failure;
use crate::lock::Lock;
use crate::plan::{Action, KeyName};
use crate::run::RunContext;
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
/// How long a loop waits for nothing in particular before it looks up again.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);
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
    ) -> Result<Self, Failure> {
        let Some(endpoint) = warm.endpoint() else {
            return Err(Failure::bad("the plan names no endpoint", ""));
        };
        Ok(Self {
            warm: warm.clone(),
            loader: Loader::new(endpoint, &warm.limits, &context.warm.tls)?,
            placed: Placed::new(&context.servers).await?,
            rate: Rate::new(warm.limits.per_minute, Instant::now()),
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
    /// Fills what a step fills.
    pub(super) async fn warm(&mut self, step: usize, warm: &Warm) -> Result<(), Stop> {
        self.note_hit_rate(warm);
        let throttle = self.shared.record.lock().state.plan.how.throttle;
        let first = self.context.servers.primaries.first().cloned();
        if let Some(server) = first.filter(|_| throttle) {
            self.measure(&server, true).await?;
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

    async fn begin_filling(&mut self, warm: &Warm) -> Result<Box<Filling>, Failure> {
        let (fence, run) =
            (self.lock.as_ref().and_then(Lock::fence), self.shared.record.lock().state.run.clone());
        let holder = format!("{run} {}", fence.unwrap_or_default());
        Ok(Box::new(Filling::new(warm, &self.context, fence, holder).await?))
    }

    async fn warm_by_one(&mut self, warm: &Warm, keys: &[KeyName], database: u16) -> Result<(), Stop> {
        let mut filling = self.begin_filling(warm).await?;
        let Some(endpoint) = warm.endpoint() else { return Ok(()) };
        let requests = Requests::new(endpoint, None, &self.context.warm.secrets, filling.fence)?;
        let call = requests.whole()?;
        let loaded = {
            let mut loading = std::pin::pin!(filling.loader.load(&call, &warm.success));
            loop {
                tokio::select! {
                    loaded = &mut loading => break loaded,
                    () = tokio::time::sleep(LOOK_UP_EVERY) => self.look_up().await?,
                }
            }
        };
        let (good, mut why) = match loaded {
            Loaded::Good => (true, String::new()),
            Loaded::Bad(why) => (false, why),
            Loaded::Hopeless(failure) => return Err(failure.into()),
        };
        self.note_traffic(&filling);
        if !good {
            self.shared.record.lock().state.counts.failed += keys.len().max(1) as u64;
            filling.bad(why);
            return Ok(filling.check_share(true)?);
        }
        if !warm.success.exists {
            self.shared.record.lock().state.counts.filled += 1;
            return Ok(());
        }
        if keys.is_empty() {
            why = self.without_keys(warm).await?;
        } else {
            let some: Vec<&[u8]> = keys.iter().map(|key| key.0.as_slice()).collect();
            let missing = self.verify(&mut filling, database, &some).await?;
            if missing > 0 {
                why = format!(
                    "the endpoint says that it is done, and {missing} of {} keys are not there",
                    keys.len()
                );
            }
        }
        if !why.is_empty() {
            return Err(Failure::server(why, "see what the endpoint does").into());
        }
        if keys.is_empty() {
            self.shared.record.lock().state.counts.filled += 1;
        }
        Ok(())
    }

    /// Which of the namespaces that the endpoint should have filled hold no key, in words.
    async fn without_keys(&mut self, warm: &Warm) -> Result<String, Stop> {
        let mut open: Vec<&String> = warm.namespaces.iter().collect();
        for look in 0..LOOKS {
            if look > 0 {
                self.rest(LOOKS_APART).await?;
            }
            let mut without = Vec::new();
            for template in open {
                let scope = crate::plan::Scope::Namespace {
                    template: template.clone(),
                    fields: Default::default(),
                    stale_below: None,
                    database: None,
                };
                let selection = Selection::new(&scope, self.context.attribution.strategy())?;
                if !crate::feed::any(&self.context.servers, &selection).await? {
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
        &mut self,
        step: usize,
        warm: &Warm,
        keys: &[KeyName],
        database: u16,
    ) -> Result<(), Stop> {
        let mut filling = self.begin_filling(warm).await?;
        let name = format!("{step}/warm");
        let mut at = self.shared.record.lock().cursors.get(&name).copied().unwrap_or(0) as usize;
        while at < keys.len() {
            self.look_up().await?;
            let room = self.watch_between_waves().await?;
            let to = keys.len().min(at + AT_ONCE.min(room.max(1)));
            let some: Vec<Vec<u8>> = keys[at..to].iter().map(|key| key.0.clone()).collect();
            let filled = self.fill(&mut filling, database, some).await;
            self.note_traffic(&filling);
            filled?;
            at = to;
            self.shared.record.lock().cursors.insert(name.clone(), at as u64);
            filling.check_share(false)?;
            self.save().await?;
        }
        Ok(filling.check_share(true)?)
    }

    /// Loads again what a refresh has just taken away.
    pub(super) async fn refill(&mut self, warm: &Warm, database: u16, keys: &[Vec<u8>]) -> Result<(), Stop> {
        let mut filling = match self.filling.take().filter(|filling| filling.warm == *warm) {
            Some(filling) => filling,
            None => {
                self.note_hit_rate(warm);
                self.begin_filling(warm).await?
            }
        };
        let filled = self.fill(&mut filling, database, keys.to_vec()).await;
        self.note_traffic(&filling);
        filled?;
        filling.check_share(false)?;
        self.filling = Some(filling);
        Ok(())
    }

    /// Loads those of the keys that are due and that nobody else is loading, and looks whether they are there.
    async fn fill(
        &mut self,
        filling: &mut Filling,
        database: u16,
        mut keys: Vec<Vec<u8>>,
    ) -> Result<(), Stop> {
        if !self.shared.record.lock().state.plan.how.protected_too {
            let before = keys.len();
            keys.retain(|key| !self.context.attribution.is_protected(database, key));
            self.shared.record.lock().state.counts.protected += (before - keys.len()) as u64;
        }
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let success = filling.warm.success.clone();
        let mut due = Vec::new();
        for (key, standing) in names.iter().zip(standing(&mut filling.placed, database, &names).await?) {
            if !standing.there || success.is_due(standing.left_ms) {
                due.push(*key);
            } else {
                self.shared.record.lock().state.counts.there += 1;
            }
        }
        let longest = filling.longest();
        let ours = claims::claim(&mut filling.placed, database, &due, &filling.holder, longest).await?;
        let claimed: Vec<&[u8]> =
            due.iter().zip(ours).filter(|(_, ours)| *ours).map(|(key, _)| *key).collect();
        self.shared.record.lock().state.counts.claimed += (due.len() - claimed.len()) as u64;
        // Between the look and the claim another one may have loaded a key and given its claim back.
        let mut open = VecDeque::new();
        for (key, standing) in claimed.iter().zip(standing(&mut filling.placed, database, &claimed).await?) {
            if !standing.there || success.is_due(standing.left_ms) {
                open.push_back(*key);
            } else {
                self.shared.record.lock().state.counts.there += 1;
            }
        }
        let loaded = self.load(filling, open).await;
        // Claims are given back whatever came of it; those that can't be end by themselves.
        if let Err(failure) = claims::give_back(&mut filling.placed, database, &claimed).await {
            tracing::debug!(%failure, "claims end by themselves");
            filling.placed.disconnect();
        }
        let loaded = loaded?;
        if !success.exists {
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

    /// Sends the requests; gives back the keys for which the endpoint says that it is done.
    async fn load<'k>(
        &mut self,
        filling: &mut Filling,
        mut open: VecDeque<&'k [u8]>,
    ) -> Result<Vec<&'k [u8]>, Stop> {
        let warm = filling.warm.clone();
        let (endpoint, template) = match &warm.way {
            WarmWay::RequestEach { endpoint, template, .. } => (endpoint, Some(template.as_str())),
            WarmWay::Request { endpoint, .. } => (endpoint, None),
            WarmWay::Copy { .. } => return Ok(Vec::new()),
        };
        let requests = Requests::new(endpoint, template, &self.context.warm.secrets, filling.fence)?;
        let at_a_time = warm.limits.concurrency.max(1) as usize;
        let mut done = Vec::new();
        let mut flying = FuturesUnordered::new();
        let loader = &filling.loader;
        let (mut bad, mut hopeless) = (Vec::new(), None);
        while hopeless.is_none() && (!open.is_empty() || !flying.is_empty()) {
            self.look_up().await?;
            if filling.looked.elapsed() > STRAIN_EVERY {
                filling.looked = Instant::now();
                self.look_at_strain(filling.evicted, filling.began).await?;
            }
            if loader.bytes.load(Ordering::Relaxed) > warm.limits.most_bytes {
                return Err(Failure::refused(
                    format!(
                        "the endpoint has answered more than {} bytes, the plan's limit",
                        warm.limits.most_bytes
                    ),
                    "have it answer shortly, or raise the limit",
                )
                .into());
            }
            let mut wait = LOOK_UP_EVERY;
            while flying.len() < at_a_time && loader.held().is_none() {
                let Some(key) = open.front().copied() else { break };
                if let Err(still) = filling.rate.take(Instant::now()) {
                    wait = wait.min(still);
                    break;
                }
                open.pop_front();
                let call = requests.of_key(key)?;
                let success = &warm.success;
                flying.push(async move { (key, loader.load(&call, success).await) });
            }
            tokio::select! {
                Some((key, loaded)) = flying.next() => match loaded {
                    Loaded::Good => done.push(key),
                    Loaded::Bad(why) => bad.push(why),
                    Loaded::Hopeless(failure) => hopeless = Some(failure),
                },
                () = tokio::time::sleep(wait) => {}
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
            Some(failure) => Err(failure.into()),
            None if !open.is_empty() => {
                filling.check_share(false)?;
                Ok(done)
            }
            None => Ok(done),
        }
    }

    /// Counts which keys are there, and live about as long as they should; gives back how many are not there.
    async fn verify(&mut self, filling: &mut Filling, database: u16, keys: &[&[u8]]) -> Result<u64, Stop> {
        let mut open = keys.to_vec();
        for look in 0..LOOKS {
            if open.is_empty() {
                break;
            }
            if look > 0 {
                // Some endpoints store a moment after they have answered.
                self.rest(LOOKS_APART).await?;
            }
            let found = standing(&mut filling.placed, database, &open).await?;
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
    pub(super) async fn look_at_strain(&mut self, evicted_before: u64, began: Instant) -> Result<(), Stop> {
        let now = Strain::of(&self.context.servers).await?;
        if now.evicted > evicted_before {
            return Err(Failure::refused(
                format!(
                    "halted by a stop rule: the cache is full and has begun to evict ({} keys since the start)",
                    now.evicted - evicted_before
                ),
                "give it more memory, or load less",
            )
            .into());
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
            return Err(Failure::refused(
                format!("halted by a stop rule: the hit rate does not rise, it is {:.1} %", rate * 100.0),
                "see which keys are missed: others than those that are loaded",
            )
            .into());
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
