//! A page of keys: which are due, which of them are ours to load, and whether they are there afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RunContext;
use super::driver::Driver;
use super::ending::Ended;
use super::loading::{Answered, Answers};
use crate::failure::Failure;
use crate::warm::Warm;
use crate::warm::claims::Claims;
use crate::warm::loader::{Loader, Rate};
use crate::warm::placed::{Placed, Standing, standing};
use crate::warm::strain::Strain;

/// Requests from which on their share of failures says something.
const FIRST_SHARE: u64 = 5;
/// How often, and how far apart, a key is looked for that the endpoint says it has filled.
pub(super) const LOOKS: u32 = 4;
pub(super) const LOOKS_APART: Duration = Duration::from_millis(150);

/// What filling needs from the first key to the last.
pub(super) struct Filling {
    pub(super) warm: Warm,
    pub(super) loader: Arc<Loader>,
    pub(super) placed: Placed,
    pub(super) claims: Claims,
    pub(super) rate: Rate,
    pub(super) evicted: u64,
    pub(super) looked: Instant,
    pub(super) began: Instant,
    pub(super) fence: Option<u64>,
    /// Bytes of answers that the run's counts have already.
    pub(super) noted_bytes: u64,
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
        let longest = Duration::from_millis(u64::from(warm.limits.timeout_ms));
        Ok(Self {
            warm: warm.clone(),
            loader: Arc::new(Loader::new(endpoint, &warm.limits, &context.warm.tls)?),
            placed: Placed::new(&context.servers).await?,
            claims: Claims::of(holder, longest),
            rate: Rate::new((warm.limits.per_minute / beside.max(1)).max(1), Instant::now()),
            evicted: Strain::of(&context.servers).await?.evicted,
            looked: Instant::now(),
            began: Instant::now(),
            fence,
            noted_bytes: 0,
            good: 0,
            bad: 0,
            why: String::new(),
        })
    }

    pub(super) fn bad(&mut self, why: String) {
        self.bad += 1;
        self.why = why;
    }

    /// Whether more fails than may, of what was counted and so many more.
    pub(super) fn too_many_fail(&self, good: u64, bad: u64, at_the_end: bool) -> bool {
        let (limits, bad) = (&self.warm.limits, self.bad + bad);
        let all = self.good + good + bad;
        let by_number = limits.most_errors > 0 && bad > u64::from(limits.most_errors);
        let enough = all >= FIRST_SHARE || at_the_end;
        by_number || enough && bad * 100 > all * u64::from(limits.errors_percent)
    }

    /// Halts where more fails than may.
    pub(super) fn check_share(&self, at_the_end: bool) -> Result<(), Failure> {
        if !self.too_many_fail(0, 0, at_the_end) {
            return Ok(());
        }
        Err(Failure::refused(
            format!(
                "{} of {} loads came to nothing, more than the plan allows; the last: {}",
                self.bad,
                self.good + self.bad,
                self.why
            ),
            "see to the endpoint, then resume the run",
        ))
    }
}

impl Driver {
    /// `beside` says how many fill at once, each with its part of the rate.
    pub(super) async fn begin_filling(&self, warm: &Warm, beside: usize) -> Result<Box<Filling>, Ended> {
        let (fence, run) = (self.fence(), self.shared.record.lock().state.run.clone());
        let holder = format!("{run} {} {:016x}", fence.unwrap_or_default(), rand::random::<u64>());
        let made = Filling::new(warm, &self.context, fence, holder, beside as u32);
        Ok(Box::new(self.ask(made).await?))
    }

    /// Loads those of the keys that are due and that nobody else is loading, and looks whether they are there. Gives
    /// back those that somebody else is loading.
    pub(super) async fn fill(
        &self,
        filling: &mut Filling,
        database: u16,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, Ended> {
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let due = self.due(filling, database, &names).await?;
        let claiming = filling.claims.claim(&mut filling.placed, database, &due);
        let ours = self.ask(claiming).await?;
        let of = |wanted: bool| due.iter().zip(&ours).filter(move |(_, ours)| **ours == wanted);
        let claimed: Vec<&[u8]> = of(true).map(|(key, _)| *key).collect();
        let mut others: Vec<Vec<u8>> = of(false).map(|(key, _)| key.to_vec()).collect();
        // Between the look and the claim another one may have loaded a key and given its claim back.
        let open = self.due(filling, database, &claimed).await?;
        let mut answers = Answers::default();
        let loaded = self.load(filling, database, open.into(), &mut answers).await;
        // Claims are given back whatever came of it; those that can't be end by themselves, as do those of requests
        // that were broken off: their endpoint may be at it still.
        let over: Vec<&[u8]> =
            claimed.iter().filter(|key| !answers.under_way.contains(*key)).copied().collect();
        if let Err(failure) = filling.claims.give_back(&mut filling.placed, database, &over).await {
            tracing::debug!(%failure, "claims end by themselves");
            filling.placed.disconnect();
        }
        loaded?;
        others.extend(answers.lost.iter().map(|key| key.to_vec()));
        let good = answers.good.len() as u64;
        if !filling.warm.success.exists {
            filling.good += good;
            self.shared.record.lock().state.counts.filled += good;
        } else {
            let missing = self.verify(filling, database, answers.good).await?;
            filling.good += answers.seen + good - missing;
            for _ in 0..missing {
                filling.bad("the endpoint says that it is done, and the key is not there".to_owned());
            }
        }
        // Before the page counts as done: where too many failed, the rest of it was not sent.
        self.ending.unless(filling.check_share(false))?;
        Ok(others)
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

    /// Looks, more than once, which keys are there; gives back how many are not.
    pub(super) async fn verify(
        &self,
        filling: &mut Filling,
        database: u16,
        mut open: Vec<Answered<'_>>,
    ) -> Result<u64, Ended> {
        for look in 0..LOOKS {
            if open.is_empty() {
                break;
            }
            if look > 0 {
                // Some endpoints store a moment after they have answered.
                self.ending.or(tokio::time::sleep(LOOKS_APART)).await?;
            }
            let keys: Vec<&[u8]> = open.iter().map(|answered| answered.key).collect();
            let found = self.ask(standing(&mut filling.placed, database, &keys)).await?;
            self.count_there(&filling.warm, &mut open, &found);
        }
        self.shared.record.lock().state.counts.unfilled += open.len() as u64;
        Ok(open.len() as u64)
    }

    /// Counts keys that are there, and whether they live about as long as they should; leaves in `open` those that are
    /// not, and gives back how many are. `found` stands in the order of `open`.
    pub(super) fn count_there(&self, warm: &Warm, open: &mut Vec<Answered<'_>>, found: &[Standing]) -> u64 {
        let counts = &mut self.shared.record.lock().state.counts;
        let (before, mut found) = (open.len(), found.iter());
        open.retain(|answered| {
            let Some(standing) = found.next().filter(|standing| standing.there) else { return true };
            // What it has lived since belongs to its time to live.
            let lived = answered.at.elapsed().as_millis() as u64;
            let whole = standing.left_ms.map(|left| left + lived);
            counts.filled += 1;
            counts.wrong_ttl += u64::from(!warm.success.lives_right(whole));
            false
        });
        (before - open.len()) as u64
    }
}
