//! What every source is given: where it stands, what time it is, where observations go and when to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cachescope_model::observation::{NodeName, Observation, Observed};
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::time::Timestamp;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// How much further the wall clock has gone than the monotonic one because the machine slept, in milliseconds.
/// Of the process, not of a session: all of it sleeps.
static SLEPT_MILLIS: AtomicI64 = AtomicI64::new(0);

/// A wall clock that is further ahead than this slept, or was set; less is its correction by the network.
const SLEEP_MILLIS: i64 = 2_000;

/// The time of a session: one wall-clock reading carried on by the monotonic clock.
///
/// Copies agree with each other, and [`now`](Self::now) never goes back, whatever happens to the wall clock.
/// A sleep of the machine, during which monotonic clocks may stand still, is made up for by
/// [`notice_sleep`](Self::notice_sleep).
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    wall_millis: i64,
    started: Instant,
    slept_before: i64,
}

impl SessionClock {
    /// Reads the wall clock once.
    #[must_use]
    pub fn start() -> Self {
        Self {
            wall_millis: wall_millis(),
            started: Instant::now(),
            slept_before: SLEPT_MILLIS.load(Ordering::Relaxed),
        }
    }

    /// The session's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The session's time at a monotonic moment; moments before the session count as its start.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Timestamp {
        let elapsed = moment.saturating_duration_since(self.started).as_millis();
        let slept = SLEPT_MILLIS.load(Ordering::Relaxed) - self.slept_before;
        Timestamp(
            self.wall_millis.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX)).saturating_add(slept),
        )
    }

    /// Compares with the wall clock and jumps forward where that is seconds ahead: the machine has slept, or
    /// its clock was set. To be called about once a second. Returns by how much it jumped, in milliseconds.
    pub fn notice_sleep(&self) -> i64 {
        self.jump_to(wall_millis())
    }

    fn jump_to(&self, wall: i64) -> i64 {
        let slept = SLEPT_MILLIS.load(Ordering::Relaxed);
        let ahead = wall - self.now().millis();
        if ahead < SLEEP_MILLIS {
            return 0;
        }
        // Two sessions that notice the same sleep must not both add it: the second finds it added.
        match SLEPT_MILLIS.compare_exchange(slept, slept + ahead, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => ahead,
            Err(_) => 0,
        }
    }
}

fn wall_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// What a running source knows of the session it belongs to. Clones share the memory of the last status.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Which server or endpoint its observations are about.
    pub node: NodeName,
    /// The session's time.
    pub clock: SessionClock,
    /// Where observations go; bounded, its receiver decides how much may wait.
    pub sink: mpsc::Sender<Observation>,
    /// Cancelled when the source has to end.
    pub cancel: CancellationToken,
    last_status: Arc<Mutex<Vec<SourceStatus>>>,
}

impl SourceContext {
    /// A context for the sources of one node.
    #[must_use]
    pub fn new(
        node: NodeName,
        clock: SessionClock,
        sink: mpsc::Sender<Observation>,
        cancel: CancellationToken,
    ) -> Self {
        Self { node, clock, sink, cancel, last_status: Arc::default() }
    }

    /// Hands on what was seen just now. `false`: the receiver is gone or the source is cancelled, so stop.
    pub async fn send(&self, what: Observed) -> bool {
        self.send_at(self.clock.now(), what).await
    }

    /// Hands on what was seen at `at`. `false`: the receiver is gone or the source is cancelled, so stop.
    pub async fn send_at(&self, at: Timestamp, what: Observed) -> bool {
        let observation = Observation { at, node: Arc::clone(&self.node), what };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => false,
            sent = self.sink.send(observation) => sent.is_ok(),
        }
    }

    /// Reports how a source is doing; sends nothing where that is what was said last. `since` is kept while
    /// the health stays the same and only the words change. `false`: stop.
    pub async fn status(
        &self,
        source: SourceId,
        health: SourceHealth,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> bool {
        let (detail, remedy) = (detail.into(), remedy.into());
        let mut said = self.last_status.lock().await;
        let last = said.iter().position(|status| status.source == source);
        let mut since = self.clock.now();
        if let Some(last) = last.and_then(|place| said.get(place))
            && last.health == health
        {
            if last.detail == detail && last.remedy == remedy {
                return !self.cancel.is_cancelled() && !self.sink.is_closed();
            }
            since = last.since;
        }
        let status = SourceStatus { source, health, since, detail, remedy };
        match last {
            Some(place) => said[place] = status.clone(),
            None => said.push(status.clone()),
        }
        // The lock is held while sending, so that clones report in the order in which they decided.
        self.send(Observed::Status(status)).await
    }

    /// Waits for `pause` or for the end of the source. `false`: it is cancelled, so stop.
    pub async fn sleep(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(bound: usize) -> (SourceContext, mpsc::Receiver<Observation>) {
        let (sink, observations) = mpsc::channel(bound);
        let context =
            SourceContext::new("here:1".into(), SessionClock::start(), sink, CancellationToken::new());
        (context, observations)
    }

    #[tokio::test]
    async fn a_status_is_sent_once_until_something_about_it_changes() {
        let (context, mut observations) = context(10);
        for detail in ["lost", "lost", "still lost"] {
            assert!(context.status(SourceId::Info, SourceHealth::Failed, detail, "wait").await);
        }
        assert!(context.clone().status(SourceId::Info, SourceHealth::Ok, "", "").await);
        assert!(context.status(SourceId::Info, SourceHealth::Ok, "", "").await);
        assert!(context.status(SourceId::Events, SourceHealth::Ok, "", "").await);
        drop(context);
        let mut seen = Vec::new();
        while let Some(Observation { what: Observed::Status(status), .. }) = observations.recv().await {
            seen.push(status);
        }
        let words: Vec<_> = seen.iter().map(|status| (status.source, status.detail.as_str())).collect();
        assert_eq!(
            words,
            [
                (SourceId::Info, "lost"),
                (SourceId::Info, "still lost"),
                (SourceId::Info, ""),
                (SourceId::Events, "")
            ]
        );
        assert_eq!(seen[0].since, seen[1].since, "it has been failing since the first word of it");
    }

    #[tokio::test]
    async fn sending_ends_when_the_receiver_goes_or_the_source_is_cancelled_with_a_full_sink() {
        let (gone, observations) = context(1);
        drop(observations);
        assert!(!gone.send(Observed::EventsLost).await);

        let (full, _observations) = context(1);
        assert!(full.send(Observed::EventsLost).await);
        let waiting = tokio::spawn({
            let full = full.clone();
            async move { full.send(Observed::EventsLost).await }
        });
        full.cancel.cancel();
        assert!(!waiting.await.expect("the sender ends"));
        assert!(!full.sleep(Duration::from_secs(3600)).await);
    }

    #[test]
    fn the_clock_never_goes_back_and_copies_agree() {
        let clock = SessionClock::start();
        let copy = clock;
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = copy.now();
            assert!(now >= last);
            last = now;
        }
        let moment = Instant::now();
        assert_eq!(clock.at(moment), copy.at(moment));
    }

    #[test]
    fn a_slept_hour_is_made_up_for_once_and_a_clock_set_back_is_not_followed() {
        let clock = SessionClock::start();
        let hour = 3_600_000;
        let before = clock.now().millis();
        assert_eq!(clock.jump_to(before + 1_000), 0, "a second is a correction, not a sleep");
        assert!(clock.jump_to(before + hour) > hour - 1_000);
        assert!(clock.now().millis() >= before + hour);
        assert_eq!(clock.jump_to(before - hour), 0);
        assert!(clock.now().millis() >= before + hour);
    }
}
