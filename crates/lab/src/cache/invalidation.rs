//! Publish and subscribe, and with them the invalidation of the in-process caches of all instances.

use std::time::Duration;

use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::in_process::InProcess;
use super::{CacheError, CacheService};

/// Where instances tell each other what is stale.
const CHANNEL: &str = "cache:invalidate";

/// How long to wait before subscribing again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// What is stale.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stale {
    /// The instance that says so.
    from: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
}

/// The task that obeys other instances. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct Listener {
    task: JoinHandle<()>,
}

impl Listener {
    pub(super) fn start(client: redis::Client, in_process: InProcess, instance: &str) -> Self {
        let instance = instance.to_owned();
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&client, &in_process, &instance).await {
                    tracing::debug!(%error, %instance, "no invalidations for now; subscribing again");
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        });
        Self { task }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    client: &redis::Client,
    in_process: &InProcess,
    instance: &str,
) -> Result<(), redis::RedisError> {
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe(CHANNEL).await?;
    // What was said while nobody listened is not repeated: everything may be stale.
    in_process.clear();
    let mut messages = subscriber.into_on_message();
    while let Some(message) = messages.next().await {
        match serde_json::from_slice::<Stale>(message.get_payload_bytes()) {
            // Its own words have been obeyed before they were said.
            Ok(stale) if stale.from == instance => {}
            Ok(stale) => {
                for key in &stale.keys {
                    in_process.remove(key).await;
                }
                for pattern in &stale.patterns {
                    in_process.remove_matching(pattern).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "an invalidation could not be read; dropping everything in process");
                in_process.clear();
            }
        }
    }
    Ok(())
}

/// A subscription by [`CacheService::subscribe`]. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    task: JoinHandle<()>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CacheService {
    /// Sends a message to all subscribers of a channel; gives back how many got it.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn publish<T: Serialize>(&self, channel: &str, message: &T) -> Result<u64, CacheError> {
        let text = serde_json::to_string(message)
            .map_err(|error| CacheError::Value { key: channel.to_owned(), reason: error.to_string() })?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(text);
        self.counted(self.inner.link.run(&command).await).map(|(receivers, _)| receivers)
    }

    /// Calls `handler` with every message of a channel that is of the wanted shape, until the subscription
    /// is dropped or the connection ends.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn subscribe<T: DeserializeOwned + Send>(
        &self,
        channel: &str,
        handler: impl Fn(T) + Send + 'static,
    ) -> Result<Subscription, CacheError> {
        let subscribing = async {
            let mut subscriber = self.inner.client.get_async_pubsub().await?;
            subscriber.subscribe(channel).await?;
            Ok::<_, redis::RedisError>(subscriber)
        };
        let subscribed = tokio::time::timeout(self.inner.options.command_within, subscribing).await;
        let subscriber =
            self.counted(subscribed.map_err(|_| CacheError::NoAnswer("the subscription hangs".to_owned())))??;
        let channel = channel.to_owned();
        let task = tokio::spawn(async move {
            let mut messages = subscriber.into_on_message();
            while let Some(message) = messages.next().await {
                match serde_json::from_slice(message.get_payload_bytes()) {
                    Ok(message) => handler(message),
                    Err(error) => tracing::warn!(%error, channel, "a message of another shape was left out"),
                }
            }
        });
        Ok(Subscription { task })
    }

    /// Drops keys from every instance's in-process cache, this one's first.
    pub(super) async fn announce_keys(&self, keys: &[&str]) -> Result<(), CacheError> {
        for key in keys {
            self.inner.in_process.remove(key).await;
        }
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.announce(Stale { keys, ..Stale::default() }).await
    }

    /// Drops what matches from every instance's in-process cache, this one's first.
    pub(super) async fn announce_patterns(&self, patterns: &[&str]) -> Result<(), CacheError> {
        for pattern in patterns {
            self.inner.in_process.remove_matching(pattern).await;
        }
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        self.announce(Stale { patterns, ..Stale::default() }).await
    }

    async fn announce(&self, stale: Stale) -> Result<(), CacheError> {
        let stale = Stale { from: self.inner.instance.clone(), ..stale };
        self.publish(CHANNEL, &stale).await.map(|_| ())
    }
}
