//! What a session changes on its servers: previewed, approved, in force, put back.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::source::SourceId;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::settings::{ChangePlan, PutBack, Setting};
use cachescope_sources::redis::topology::Discovered;

use super::Session;
use crate::custody::{Custody, Guarded, Held};
use crate::wire::{SettingOutcome, WireError, WireErrorCode};

/// The longest pause between two attempts to put back what a crash left behind.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Session {
    fn custody(&self) -> Result<&Custody, WireError> {
        self.plan.custody.as_ref().ok_or_else(|| {
            WireError::new(
                WireErrorCode::Storage,
                "no settings are changed, because it could not be written down what to put back",
            )
            .with_remedy("see that the state directory can be written (--state-dir)")
        })
    }

    /// The servers, once it is known which there are.
    async fn redis_nodes(&self) -> Result<Vec<Arc<RedisNode>>, WireError> {
        if self.plan.deployment.redis_url.is_none() {
            return Err(WireError::new(WireErrorCode::BadInput, "this deployment has no Redis")
                .with_remedy("give it a Redis address"));
        }
        let followed = self.running.lock().followed();
        let found = async {
            loop {
                let mut change = std::pin::pin!(followed.notified());
                // Waiting begins before looking, so that no change is missed.
                change.as_mut().enable();
                let nodes = self.running.lock().redis_nodes();
                if !nodes.is_empty() {
                    return nodes;
                }
                change.await;
            }
        };
        // Connecting and the first answers may each take the timeout.
        tokio::time::timeout(self.plan.timeout * 4, found).await.map_err(|_| {
            WireError::new(WireErrorCode::Unreachable, "none of the deployment's servers is reached")
                .with_remedy("check its address, and try again")
        })
    }

    /// Which servers there are, once that is known.
    ///
    /// # Errors
    /// When there is no Redis, or none of it is reached.
    pub(crate) async fn discovered(&self) -> Result<Discovered, WireError> {
        self.redis_nodes().await?;
        Ok(self.running.lock().servers())
    }

    async fn redis_node(&self, plan: &ChangePlan) -> Result<Arc<RedisNode>, WireError> {
        self.redis_nodes().await?.into_iter().find(|node| node.name() == plan.node).ok_or_else(|| {
            WireError::new(WireErrorCode::NotFound, format!("{} is not there any more", plan.node))
                .with_remedy("look at what would be changed again")
        })
    }

    /// What would be changed, server by server. Writes nothing.
    ///
    /// # Errors
    /// Why it can't or must not be changed.
    pub async fn preview(&self, what: Guarded) -> Result<Vec<ChangePlan>, WireError> {
        let custody = self.custody()?;
        let nodes = self.redis_nodes().await?;
        let mut plans = Vec::with_capacity(nodes.len());
        for node in nodes {
            plans.push(custody.plan(&node, what).await?);
        }
        Ok(plans)
    }

    /// Has events announced as it was approved, until they are restored or the session ends.
    ///
    /// # Errors
    /// As [`Custody::take`]; then nothing stays changed.
    pub async fn enable_events(&self, plans: Vec<ChangePlan>) -> Result<(), WireError> {
        let mut held = self.held_events.lock().await;
        let taken = self.take_all(Guarded::Events, plans, None).await?;
        held.extend(taken);
        Ok(())
    }

    /// Puts back what [`enable_events`](Self::enable_events) changed.
    ///
    /// # Errors
    /// When a server can't be asked; what is left there stays recorded.
    pub async fn restore_events(&self) -> Result<Vec<SettingOutcome>, WireError> {
        let mut held = self.held_events.lock().await;
        let mut outcomes = Vec::new();
        while let Some(last) = held.last_mut() {
            outcomes.extend(put_back(last).await?);
            held.pop();
        }
        Ok(outcomes)
    }

    /// Has events announced as it was approved, beyond the end of this process: until
    /// [`restore_events_for_good`](Self::restore_events_for_good).
    ///
    /// # Errors
    /// As [`Custody::change_lasting`].
    pub async fn enable_events_for_good(&self, plans: &[ChangePlan]) -> Result<(), WireError> {
        let custody = self.custody()?;
        for plan in plans.iter().filter(|plan| !plan.is_empty()) {
            let node = self.redis_node(plan).await?;
            custody.change_lasting(&self.plan, &node, plan, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Puts back what was changed for good on the servers of this session, by whichever process; nothing where
    /// nothing is recorded.
    ///
    /// # Errors
    /// When a server can't be asked; what is left there stays recorded.
    pub async fn restore_events_for_good(&self) -> Result<Vec<SettingOutcome>, WireError> {
        let custody = self.custody()?;
        let mut outcomes = Vec::new();
        for node in self.redis_nodes().await? {
            let put_back = custody.put_back_lasting(&node).await?;
            outcomes.extend(
                put_back.into_iter().map(|(setting, put_back)| outcome(&node.name(), setting, &put_back)),
            );
        }
        Ok(outcomes)
    }

    /// Samples the slow log as it was approved, in place of reading it as it stands.
    ///
    /// # Errors
    /// As [`Custody::take`]; then nothing is sampled.
    pub async fn sample_slow_log(&self, plans: Vec<ChangePlan>) -> Result<(), WireError> {
        let at_most = cachescope_sources::redis::slow_log::SampleOptions::default().at_most;
        let held = self.take_all(Guarded::SlowLog, plans, Some(at_most)).await?;
        let unused = {
            let mut running = self.running.lock();
            running.set(SourceId::SlowLog, false, &self.plan);
            running.sample_slow_log(held);
            running.set(SourceId::SlowLog, true, &self.plan);
            running.take_unused()
        };
        for held in unused {
            held.settle_as_before().await;
        }
        Ok(())
    }

    async fn take_all(
        &self,
        what: Guarded,
        plans: Vec<ChangePlan>,
        at_most: Option<Duration>,
    ) -> Result<Vec<Held>, WireError> {
        let custody = self.custody()?;
        let mut taken: Vec<Held> = Vec::new();
        for plan in plans {
            let node = self.redis_node(&plan).await?;
            match custody.take(&self.plan, &node, what, &plan, at_most, self.clock.now()).await {
                Ok(held) => taken.push(held),
                Err(error) => {
                    for held in &mut taken {
                        if let Err(left) = put_back(held).await {
                            tracing::warn!(%left, "it is put back when this program ends");
                        }
                    }
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    /// Puts back what is still changed. For the end of the session: what fails is the keeper's.
    pub(super) async fn put_everything_back(&self) {
        if let Err(error) = self.restore_events().await {
            tracing::warn!(%error, "events could not be restored; the keeper goes on trying");
        }
    }

    /// Puts back what a crash left behind, as soon as a server is reached.
    pub(super) fn recover(self: &Arc<Self>) {
        let Some(custody) = self.plan.custody.clone() else { return };
        let cancel = self.cancel.clone();
        let running = Arc::clone(&self.running);
        tokio::spawn(async move {
            let followed = running.lock().followed();
            let mut pause = Duration::from_millis(500);
            let recovering = async {
                while custody.has_left_behind().await {
                    let mut change = std::pin::pin!(followed.notified());
                    change.as_mut().enable();
                    let nodes = running.lock().redis_nodes();
                    let mut unreached = false;
                    for node in nodes {
                        unreached |= custody.recover(&node).await.is_err();
                    }
                    // What is left belongs to a server that is not reached, or not one of this deployment.
                    if unreached {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    } else {
                        change.await;
                    }
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = recovering => {}
            }
        });
    }
}

fn outcome(node: &str, setting: Setting, put_back: &PutBack) -> SettingOutcome {
    SettingOutcome {
        node: node.to_owned(),
        setting: setting.name().to_owned(),
        outcome: put_back.to_string(),
    }
}

async fn put_back(held: &mut Held) -> Result<Vec<SettingOutcome>, WireError> {
    let plan = held.plan().clone();
    let outcomes = held.put_back().await?;
    let outcomes = outcomes.into_iter();
    Ok(outcomes.map(|(setting, put_back)| outcome(&plan.node, setting, &put_back)).collect())
}
