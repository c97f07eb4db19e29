//! Whether filling helps: it halts where the cache pushes keys out for what comes in, and where the hit rate of what is
//! filled does not rise.

use std::time::{Duration, Instant};

use super::driver::Driver;
use super::ending::{Ended, Stop};
use crate::failure::Failure;
use crate::plan::Action;
use crate::warm::Warm;
use crate::warm::strain::Strain;

/// The hit rate is over the last minute: so long after the beginning it must have risen …
const RISEN_AFTER: Duration = Duration::from_secs(90);
/// … by so much, unless it was as good as full before.
const RISE: f64 = 0.001;
const FULL: f64 = 0.99;

/// Whether a hit rate that was `before` has not risen, though it has had the time and the room to.
fn is_stuck(before: Option<f64>, now: f64, after: Duration) -> bool {
    after > RISEN_AFTER && before.is_some_and(|before| before < FULL && now < before + RISE)
}

impl Driver {
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
        if is_stuck(before, rate, began.elapsed()) {
            return Err(self.ending.because(Stop::Failed(Failure::refused(
                format!("halted by a stop rule: the hit rate does not rise, it is {:.1} %", rate * 100.0),
                "see which keys are missed: others than those that are loaded",
            ))));
        }
        Ok(())
    }

    pub(super) fn note_hit_rate(&self, warm: &Warm) {
        let rate = self.context.rules.hit_rate(&warm.namespaces);
        let state = &mut self.shared.record.lock().state;
        state.hit_rate_before = state.hit_rate_before.or(rate);
        state.hit_rate = rate.or(state.hit_rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_rate_is_stuck_where_it_had_time_and_room_to_rise_and_did_not() {
        let (soon, late) = (Duration::from_secs(89), Duration::from_secs(91));
        for (before, now, after, stuck) in [
            (Some(0.8), 0.8, soon, false),
            (Some(0.8), 0.8, late, true),
            (Some(0.8), 0.7, late, true),
            (Some(0.8), 0.802, late, false),
            (Some(0.995), 0.995, late, false),
            (None, 0.1, late, false),
        ] {
            assert_eq!(is_stuck(before, now, after), stuck, "{before:?} {now} {after:?}");
        }
    }
}
