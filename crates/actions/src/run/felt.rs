//! What other clients feel of one server: round trips of PING, made at a steady pace on a connection of their own, so
//! that one that has to wait behind a batch of ours shows it. They are made on a thread of their own: what else this
//! process does must not pass for the server's doing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cachescope_sources::redis::acting::Pulse;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::pace::{Baseline, felt_from, percentile};
use crate::servers::Server;

/// How far apart they are.
const EVERY: Duration = Duration::from_millis(2);
/// How many make a baseline.
const BASELINE: usize = 250;
/// How long they are remembered.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Of a hundred requests one may be slow, and chance makes it somewhat more in a short time.
const SLOW_RATIO: f64 = 0.01;
const BY_CHANCE: f64 = 1.5;

/// Measures until it is dropped.
pub(crate) struct Felt {
    seen: Arc<Mutex<Seen>>,
    baseline: Baseline,
    _alive: oneshot::Sender<()>,
}

impl Felt {
    /// Measures the baseline, before anything is done, and goes on measuring.
    pub(crate) async fn start(server: &Server) -> Result<Self, Failure> {
        let pulse = Pulse::new(Arc::clone(&server.node));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (tell, told) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        let cannot = |error: std::io::Error| {
            Failure::storage(
                format!("what others feel can't be measured: {error}"),
                "let it have a thread more",
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let measured = Arc::clone(&seen);
        thread::Builder::new()
            .name("felt".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = measure(pulse, tell, &measured) => {}
                        // Nobody wants to know any more.
                        _gone = ended => {}
                    }
                });
            })
            .map_err(cannot)?;
        let baseline = told.await.map_err(|_| Failure::server("what others feel is not measured", ""))??;
        Ok(Self { seen, baseline, _alive: alive })
    }

    pub(crate) fn baseline(&self) -> Baseline {
        self.baseline
    }

    /// The 99th percentile over the last `span`.
    pub(crate) fn p99(&self, span: Duration) -> Option<Duration> {
        self.seen.lock().p99(Instant::now(), span)
    }

    /// Whether more round trips of the last `span` were slow than without us; `None` where there were none.
    pub(crate) fn strained(&self, span: Duration) -> Option<bool> {
        self.seen.lock().strained(Instant::now(), span, felt_from(self.baseline))
    }
}

async fn measure(mut pulse: Pulse, tell: oneshot::Sender<Result<Baseline, Failure>>, seen: &Mutex<Seen>) {
    let told = tell.send(baseline(&mut pulse).await);
    if told.is_err() {
        return;
    }
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

async fn baseline(pulse: &mut Pulse) -> Result<Baseline, Failure> {
    pulse.connect().await?;
    let mut samples = Vec::with_capacity(BASELINE);
    let began = Instant::now();
    // From afar fewer do: nobody waits for half a minute.
    while samples.len() < BASELINE && (samples.len() < BASELINE / 4 || began.elapsed() < REMEMBERED) {
        samples.push(pulse.beat().await?);
        tokio::time::sleep(EVERY).await;
    }
    let quantile = |quantile| percentile(samples.iter().copied(), quantile).unwrap_or_default();
    Ok(Baseline { median: quantile(0.5), p99: quantile(0.99) })
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

    /// What was felt over the last `span`, what is being waited for included.
    fn over(&self, now: Instant, span: Duration) -> impl Iterator<Item = Duration> {
        let recent = self.recent.iter().filter(move |(then, _)| now.duration_since(*then) <= span);
        let waiting = self.under_way.map(|since| now.duration_since(since)).filter(|waited| *waited > EVERY);
        recent.map(|(_, took)| *took).chain(waiting.into_iter().flat_map(with_those_that_had_to_wait))
    }

    fn p99(&self, now: Instant, span: Duration) -> Option<Duration> {
        percentile(self.over(now, span), 0.99)
    }

    fn strained(&self, now: Instant, span: Duration, slow_from: Duration) -> Option<bool> {
        let (all, slow) = self
            .over(now, span)
            .fold((0_u32, 0_u32), |(all, slow), took| (all + 1, slow + u32::from(took > slow_from)));
        (all > 0).then(|| f64::from(slow) > f64::from(all) * SLOW_RATIO + BY_CHANCE)
    }
}

/// While one was waited for, others at the same pace would have waited too, each for so much less: without them a server
/// that stands still for a second would have been felt once. Beyond what is remembered there are no more: a machine
/// that slept for a night is no server that stood still.
fn with_those_that_had_to_wait(took: Duration) -> impl Iterator<Item = Duration> {
    let fits = |left: &Duration| left.checked_sub(EVERY).filter(|left| *left >= EVERY);
    let most = REMEMBERED.as_millis() / EVERY.as_millis();
    std::iter::successors(Some(took), fits).take(most as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_server_that_stands_still_is_felt_while_it_does_and_by_all_that_would_have_asked() {
        let now = Instant::now();
        let mut seen = Seen::default();
        (0..100_u32).for_each(|place| seen.add(now + EVERY * place, MS));
        let then = now + EVERY * 100;
        assert_eq!(seen.p99(then, MS * 200), Some(MS));
        seen.under_way = Some(then);
        let p99 = seen.p99(then + MS * 150, MS * 200).expect("there are samples");
        assert!(p99 >= MS * 140, "it is still waited for: {p99:?}");
        assert_eq!(seen.strained(then + MS * 150, MS * 200, MS * 2), Some(true));
        seen.add(then + MS * 300, MS * 300);
        assert_eq!(seen.recent.iter().filter(|(_, took)| *took > MS).count(), 150, "300 ms at one each 2 ms");
        assert_eq!(seen.p99(then + MS * 600, MS * 200), None, "nothing lately");
        assert_eq!(seen.strained(then + MS * 600, MS * 200, MS), None);
    }

    #[test]
    fn a_slow_round_trip_in_a_hundred_is_no_strain_and_three_are() {
        let now = Instant::now();
        let mut seen = Seen::default();
        for place in 0..200_u32 {
            let took = if place % 100 == 99 { MS } else { MS / 10 };
            seen.add(now + MS / 2 * place, took);
        }
        let then = now + MS * 100;
        assert_eq!(seen.strained(then, MS * 200, MS / 2), Some(false));
        (0..2).for_each(|_| seen.add(then, MS));
        assert_eq!(seen.strained(then, MS * 200, MS / 2), Some(true));
    }

    #[test]
    fn a_night_of_sleep_is_one_second_of_waiting() {
        let mut seen = Seen::default();
        seen.add(Instant::now(), Duration::from_secs(8 * 3_600));
        assert_eq!(seen.recent.len(), 500);
    }
}
