//! Keys that somebody else was loading when their turn came. At the end of a step they are looked at again until they
//! are there or their claims have ended, which those of one that was killed do by themselves; then they are loaded from
//! here. Only what stays claimed counts as loaded by somebody else.

use std::time::{Duration, Instant};

use super::driver::Driver;
use super::ending::Ended;
use super::filling::Filling;
use super::warming::AT_ONCE;
use crate::plan::KeyName;
use crate::warm::Warm;
use crate::warm::candidates::{Candidate, MOST};
use crate::warm::claims;

/// How far apart the looks are at least, and how many times as long as a look takes.
const APART: Duration = Duration::from_millis(250);
const RESTS: u32 = 4;

impl Driver {
    /// Keeps keys for later. More than a plan may name are not waited for.
    pub(super) fn wait_for_claims(&self, database: u16, keys: Vec<Vec<u8>>) {
        let mut record = self.shared.record.lock();
        record.state.counts.claimed += keys.len() as u64;
        let room = MOST.saturating_sub(record.waiting.len());
        let kept = keys.into_iter().take(room);
        record.waiting.extend(kept.map(|key| Candidate { database, key: KeyName(key) }));
    }

    /// The same for a step that has not been filling until here.
    pub(super) async fn revisit_after(&self, warm: &Warm) -> Result<(), Ended> {
        if self.shared.record.lock().waiting.is_empty() {
            return Ok(());
        }
        let mut filling = self.begin_filling(warm, 1).await?;
        self.revisit(&mut filling).await
    }

    /// Looks at what was kept for later until none of it is left or all claims of the beginning have ended.
    pub(super) async fn revisit(&self, filling: &mut Filling) -> Result<(), Ended> {
        let until = Instant::now() + self.claims_end_within(filling).await?;
        loop {
            let began = Instant::now();
            // The last look is behind the end of the claims, however long the run was paused.
            let last = began >= until;
            self.look_again(filling).await?;
            {
                let mut record = self.shared.record.lock();
                if last {
                    record.waiting.clear();
                }
                if record.waiting.is_empty() {
                    return Ok(());
                }
            }
            let rest = APART.max(began.elapsed() * RESTS);
            self.ending.or(tokio::time::sleep(rest)).await?;
        }
    }

    async fn claims_end_within(&self, filling: &mut Filling) -> Result<Duration, Ended> {
        let waiting = self.shared.record.lock().waiting.clone();
        let mut longest = Duration::ZERO;
        for page in waiting.chunks(AT_ONCE) {
            for (database, keys) in by_database(page) {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                let ending = claims::end_within(&mut filling.placed, database, &keys);
                longest = longest.max(self.ask(ending).await?);
            }
        }
        // A server ends a key within a millisecond of its time.
        Ok(longest + Duration::from_millis(2))
    }

    /// Goes through all of them once, page by page. What is still claimed goes to the end of the list.
    async fn look_again(&self, filling: &mut Filling) -> Result<(), Ended> {
        let mut left = self.shared.record.lock().waiting.len();
        while left > 0 {
            let page: Vec<Candidate> =
                self.shared.record.lock().waiting.iter().take(left.min(AT_ONCE)).cloned().collect();
            let mut still = Vec::new();
            for (database, keys) in by_database(&page) {
                let filled = self.fill(filling, database, &keys).await;
                self.note_traffic(filling);
                let others = filled?.into_iter();
                still.extend(others.map(|key| Candidate { database, key: KeyName(key) }));
            }
            left -= page.len();
            let mut record = self.shared.record.lock();
            record.state.counts.claimed -= (page.len() - still.len()) as u64;
            record.waiting.drain(..page.len());
            record.waiting.extend(still);
            drop(record);
            self.ending.unless(filling.check_share(false))?;
        }
        Ok(())
    }
}

fn by_database(page: &[Candidate]) -> Vec<(u16, Vec<Vec<u8>>)> {
    let mut all: Vec<(u16, Vec<Vec<u8>>)> = Vec::new();
    for candidate in page {
        match all.iter_mut().find(|(database, _)| *database == candidate.database) {
            Some((_, keys)) => keys.push(candidate.key.0.clone()),
            None => all.push((candidate.database, vec![candidate.key.0.clone()])),
        }
    }
    all
}
