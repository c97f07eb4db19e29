//! The one task that feeds the engine: observations as they come, and the end of each second.

use std::sync::Arc;
use std::time::Duration;

use cachescope_engine::Engine;
use cachescope_model::observation::{Observation, Observed};
use cachescope_model::sample::ProbeCandidate;
use cachescope_model::time::Timestamp;
use cachescope_sources::context::SessionClock;
use cachescope_sources::redis::scan::Steering;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Observations that may wait. Sources wait when it is full (events count what they drop), so that a slow
/// engine slows the observing and never the cache. The large ones are bounded by their source: an event batch
/// holds at most 64 KiB of keys.
const WAITING: usize = 512;

/// Observations taken at once, so that the engine's lock is held shortly.
const BATCH: usize = 64;

/// Keys that may be probed at one time, over all namespaces.
const MOST_PROBED: usize = 200;

/// INFO replies that are shown at once, instead of at the end of their second: the first brings levels, the
/// second the first rates.
const AT_ONCE: u8 = 2;

pub(super) struct Worker {
    pub(super) engine: Arc<Mutex<Engine>>,
    pub(super) clock: SessionClock,
    pub(super) observations: mpsc::Receiver<Observation>,
    pub(super) last_data: Arc<Mutex<Option<Timestamp>>>,
    pub(super) cancel: CancellationToken,
    /// INFO replies that came so far, up to [`AT_ONCE`].
    pub(super) infos: u8,
    /// Keys that may be probed, anew every second.
    pub(super) candidates: watch::Sender<Arc<Vec<ProbeCandidate>>>,
    /// Tells precise scans when they have met enough.
    pub(super) steering: Steering,
}

pub(super) fn channel() -> (mpsc::Sender<Observation>, mpsc::Receiver<Observation>) {
    mpsc::channel(WAITING)
}

/// Starts the worker and returns the count of its ticks.
pub(super) fn spawn(mut worker: Worker) -> watch::Receiver<u64> {
    let (ticked, ticks) = watch::channel(0);
    tokio::spawn(async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        // After a sleep of the machine one tick is enough: the engine sees the gap by the time it is given.
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut waiting = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                () = worker.cancel.cancelled() => break,
                _ = second.tick() => {
                    worker.clock.notice_sleep();
                    worker.engine.lock().advance(worker.clock.now());
                    worker.offer_keys();
                    ticked.send_modify(|tick| *tick += 1);
                }
                received = worker.observations.recv_many(&mut waiting, BATCH) => {
                    if received == 0 {
                        break;
                    }
                    if worker.take(&mut waiting) {
                        // What someone waits for at first sight shall not wait for the next second.
                        worker.engine.lock().advance(worker.clock.now());
                        ticked.send_modify(|tick| *tick += 1);
                    }
                }
            }
        }
    });
    ticks
}

impl Worker {
    /// Tells which keys may be probed, where they are others than before.
    fn offer_keys(&self) {
        let keys = self.engine.lock().probe_candidates(MOST_PROBED);
        self.candidates.send_if_modified(|known| {
            let changed = **known != keys;
            if changed {
                *known = Arc::new(keys);
            }
            changed
        });
    }

    /// Feeds the engine. Returns whether this was the first data of the session, its first rates, or the end of
    /// a scan.
    fn take(&mut self, waiting: &mut Vec<Observation>) -> bool {
        let infos = waiting.iter().filter(|seen| matches!(seen.what, Observed::Info(_))).count();
        let scanned = waiting.iter().any(|seen| matches!(seen.what, Observed::ScanFinished(_)));
        let newest = waiting.iter().filter(|seen| is_data(&seen.what)).map(|seen| seen.at).max();
        {
            let mut engine = self.engine.lock();
            for observation in waiting.drain(..) {
                engine.observe(&observation);
            }
            for (node, scan) in engine.scans_with_enough() {
                self.steering.enough(&node.into(), scan);
            }
        }
        let mut last = self.last_data.lock();
        let first = last.is_none() && newest.is_some();
        *last = (*last).max(newest);
        let early = infos > 0 && self.infos < AT_ONCE;
        self.infos = self.infos.saturating_add(u8::try_from(infos).unwrap_or(u8::MAX)).min(AT_ONCE);
        first || early || scanned
    }
}

/// Whether an observation is data of the deployment, and not merely word about a source.
fn is_data(what: &Observed) -> bool {
    matches!(what, Observed::Info(_) | Observed::Metrics(_) | Observed::Events(_) | Observed::ScanChunk(_))
}
