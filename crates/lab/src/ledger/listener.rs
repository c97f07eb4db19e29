//! Redis's own word about keys that went without the service's doing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Ledger;
use crate::error::LabError;
use crate::servers::RedisServer;

const EVICTED: &str = "__keyevent@0__:evicted";
const EXPIRED: &str = "__keyevent@0__:expired";
const FENCE: &str = "lab:fence";
/// How long a fence may take to come back: longer than any incident stops the server.
const FENCE_WITHIN: Duration = Duration::from_secs(10);

type Fences = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

/// Listens to evictions and expirations and tells the ledger. Dropping it ends the listening.
#[derive(Debug)]
pub struct EventListener {
    ledger: Arc<Ledger>,
    publisher: MultiplexedConnection,
    fences: Fences,
    task: JoinHandle<()>,
}

impl EventListener {
    /// Subscribes. The server must publish `Exe` at least.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn start(server: &RedisServer, ledger: Arc<Ledger>) -> Result<Self, LabError> {
        let publisher = server.connection().await?;
        let mut subscriber = server
            .client()?
            .get_async_pubsub()
            .await
            .map_err(LabError::redis("subscribe to keyspace events"))?;
        let channels = [EVICTED, EXPIRED, FENCE];
        subscriber.subscribe(&channels).await.map_err(LabError::redis("subscribe to keyspace events"))?;
        let fences = Fences::default();
        let (waiting, books) = (Arc::clone(&fences), Arc::clone(&ledger));
        let task = tokio::spawn(async move {
            let mut messages = subscriber.into_on_message();
            // The stream ends with the connection; fences then run into their deadline, which is reported.
            while let Some(message) = messages.next().await {
                let text = String::from_utf8_lossy(message.get_payload_bytes());
                match message.get_channel_name() {
                    EVICTED => books.evicted(&text),
                    EXPIRED => books.expired(&text),
                    _ => {
                        if let Some(fence) = waiting.lock().remove(text.as_ref()) {
                            // Nobody waits any more when the deadline has passed.
                            let _sent = fence.send(());
                        }
                    }
                }
            }
        });
        Ok(Self { ledger, publisher, fences, task })
    }

    /// Waits until every event that Redis sent before this call is in the ledger, and settles what it leaves
    /// unexplained.
    ///
    /// # Errors
    /// When the server does not answer in time.
    pub async fn settle(&self) -> Result<(), LabError> {
        let (sender, receiver) = oneshot::channel();
        let name = format!("{:032x}", rand::random::<u128>());
        self.fences.lock().insert(name.clone(), sender);
        let mut publisher = self.publisher.clone();
        let published = redis::cmd("PUBLISH").arg(FENCE).arg(&name).exec_async(&mut publisher).await;
        if let Err(error) = published {
            self.fences.lock().remove(&name);
            return Err(LabError::redis("publish a fence")(error));
        }
        if tokio::time::timeout(FENCE_WITHIN, receiver).await.is_err() {
            self.fences.lock().remove(&name);
            let seen = "the subscription is silent".to_owned();
            return Err(LabError::NoAgreement {
                what: "the end of the keyspace events",
                after: FENCE_WITHIN,
                seen,
            });
        }
        self.ledger.settle();
        Ok(())
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
