//! Follows which servers a deployment consists of, and starts and ends its sources there accordingly.

use std::sync::Arc;

use cachescope_model::observation::{Observation, Observed};
use cachescope_sources::redis::topology::Discovery;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::SessionPlan;
use super::sources::Running;

/// Starts to follow; ends when the session does.
pub(super) fn spawn(
    mut discovery: Discovery,
    running: Arc<Mutex<Running>>,
    plan: Arc<SessionPlan>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (cancel, sink, clock) = {
            let running = running.lock();
            (running.cancel.clone(), running.sink.clone(), running.clock)
        };
        let from = discovery.from();
        let mut known = None;
        let following = async {
            loop {
                let found = discovery.look().await;
                if known.as_ref() != Some(&found.topology) {
                    tracing::info!(topology = %found.topology, remark = found.topology.remark, "servers found");
                    known = Some(found.topology.clone());
                    // What is said of the servers comes before what they say.
                    let what = Observed::Topology(Box::new(found.topology.clone()));
                    let told = Observation { at: clock.now(), node: Arc::clone(&from), what };
                    if sink.send(told).await.is_err() {
                        return;
                    }
                    let ended = running.lock().follow(found.clone(), &plan);
                    for observation in ended {
                        if sink.send(observation).await.is_err() {
                            return;
                        }
                    }
                }
                discovery.until_worth_another_look(&found).await;
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = following => {}
        }
    })
}
