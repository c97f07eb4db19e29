//! What other clients feel of one server: round trips of PING, made at a steady pace on a connection of their own, so
//! that one that has to wait behind a batch of ours shows it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::Pulse;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::pace::percentile;
use crate::servers::Server;

/// How far apart they are.
const EVERY: Duration = Duration::from_millis(5);
/// How many make a baseline.
const BASELINE: usize = 100;
/// How long they are remembered.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Measures until it is dropped.
pub(crate) struct Felt {
    seen: Arc<Mutex<Seen>>,
    baseline: Duration,
    task: JoinHandle<()>,
}

impl Felt {
    /// Measures the baseline, before anything is done, and goes on measuring.
    pub(crate) async fn start(server: &Server) -> Result<Self, Failure> {
        let mut pulse = Pulse::new(Arc::clone(&server.node));
        pulse.connect().await?;
        let mut samples = Vec::with_capacity(BASELINE);
        for _ in 0..BASELINE {
            samples.push(pulse.beat().await?);
            tokio::time::sleep(EVERY).await;
        }
        let baseline = percentile(samples.into_iter(), 0.99).unwrap_or_default();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(measure(pulse, Arc::clone(&seen)));
        Ok(Self { seen, baseline, task })
    }

    pub(crate) fn baseline(&self) -> Duration {
        self.baseline
    }

    /// The 99th percentile over the last `span`.
    pub(crate) fn p99(&self, span: Duration) -> Option<Duration> {
        self.seen.lock().p99(Instant::now(), span)
    }
}

impl Drop for Felt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn measure(mut pulse: Pulse, seen: Arc<Mutex<Seen>>) {
    loop {
        tokio::time::sleep(EVERY).await;
        // Waiting for the gate is no server's fault.
        if pulse.connect().await.is_err() {
            continue;
        }
        let began = Instant::now();
        seen.lock().under_way = Some(began);
        let took = pulse.beat().await.unwrap_or_else(|_| began.elapsed());
        seen.lock().add(Instant::now(), took);
    }
}

#[derive(Debug, Default)]
struct Seen {
    recent: VecDeque<(Instant, Duration)>,
    /// Since when one is waited for.
    under_way: Option<Instant>,
}

impl Seen {
    fn add(&mut self, at: Instant, took: Duration) {
        self.under_way = None;
        self.recent.extend(with_those_that_had_to_wait(took).map(|took| (at, took)));
        while self.recent.front().is_some_and(|(then, _)| at.duration_since(*then) > REMEMBERED) {
            self.recent.pop_front();
        }
    }

    fn p99(&self, now: Instant, span: Duration) -> Option<Duration> {
        let recent = self.recent.iter().filter(|(then, _)| now.duration_since(*then) <= span);
        let waiting = self.under_way.map(|since| now.duration_since(since)).filter(|waited| *waited > EVERY);
        let waiting = waiting.into_iter().flat_map(with_those_that_had_to_wait);
        percentile(recent.map(|(_, took)| *took).chain(waiting), 0.99)
    }
}

/// While one was waited for, others at the same pace would have waited too, each for so much less: without them a server
/// that stands still for a second would have been felt once.
fn with_those_that_had_to_wait(took: Duration) -> impl Iterator<Item = Duration> {
    let fits = |left: &Duration| left.checked_sub(EVERY).filter(|left| *left >= EVERY);
    std::iter::successors(Some(took), fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_server_that_stands_still_is_felt_while_it_does_and_by_all_that_would_have_asked() {
        let now = Instant::now();
        let mut seen = Seen::default();
        (0..40_u32).for_each(|place| seen.add(now + EVERY * place, MS));
        let then = now + EVERY * 40;
        assert_eq!(seen.p99(then, MS * 200), Some(MS));
        seen.under_way = Some(then);
        let p99 = seen.p99(then + MS * 150, MS * 200).expect("there are samples");
        assert!(p99 >= MS * 145, "it is still waited for: {p99:?}");
        seen.add(then + MS * 300, MS * 300);
        assert_eq!(seen.recent.iter().filter(|(_, took)| *took > MS).count(), 60, "300 ms at one each 5 ms");
        assert_eq!(seen.p99(then + MS * 600, MS * 200), None, "nothing lately");
    }
}
