//! The documented cache service over Redis: cache-aside with single flight, tags, batches, counters, lists,
//! publish and subscribe, and an in-process cache in front.
//!
//! It serves without Redis too: every command has a deadline, and after a failure Redis is left alone for a
//! moment, so that requests go to the loader at once.

mod codec;
mod compute;
mod error;
mod flight;
mod in_process;
mod invalidation;
mod link;
mod lock;
mod operations;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::keyring::Keyring;
use crate::ledger::{Ledger, Span};
use crate::metrics::{MEMORY_LAYER, Metrics, REDIS_LAYER};
use crate::namespace::Namespace;

pub use cachescope_model::glob::matches as glob_matches;
pub use compute::{ComputeOptions, Computed, From};
pub use error::CacheError;
pub use invalidation::Subscription;

/// How a cache service behaves.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// Deadline of every command.
    pub command_within: Duration,
    /// How long Redis is left alone after it failed.
    pub rest_after_failure: Duration,
    /// Entries of the in-process cache.
    pub in_process_items: u64,
    /// How long an entry lives in the in-process cache at most.
    pub in_process_ttl: Duration,
    /// Values of at least so many bytes are compressed.
    pub compress_from: usize,
    /// How long the Redis lock of an expensive load is held at most.
    pub lock_ttl: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            command_within: Duration::from_secs(2),
            rest_after_failure: Duration::from_millis(500),
            in_process_items: 100,
            in_process_ttl: Duration::from_secs(2),
            compress_from: 64 * 1024,
            lock_ttl: Duration::from_secs(10),
        }
    }
}

/// One instance's cache. Clones share everything.
#[derive(Clone, Debug)]
pub struct CacheService {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: CacheOptions,
    /// Tells this instance's invalidations from those of others.
    instance: String,
    client: redis::Client,
    link: link::Link,
    in_process: in_process::InProcess,
    flight: flight::SingleFlight,
    observer: Observer,
    _invalidation: invalidation::Listener,
}

/// Where each lookup, store and load is counted: in the metrics and in the ledger, in one place, so that
/// they cannot disagree.
#[derive(Clone, Debug)]
struct Observer {
    keyring: Arc<Keyring>,
    labels: Arc<[String]>,
    metrics: Arc<Metrics>,
    ledger: Arc<Ledger>,
}

impl CacheService {
    /// A service for these namespaces over the server that `client` knows. It does not connect before it is
    /// used, so it can start while Redis is away.
    ///
    /// # Errors
    /// When the client's URL cannot be used.
    pub fn new(
        instance: &str,
        client: redis::Client,
        namespaces: &[Namespace],
        metrics: Arc<Metrics>,
        ledger: Arc<Ledger>,
        options: CacheOptions,
    ) -> Result<Self, CacheError> {
        let observer = Observer {
            keyring: Arc::new(Keyring::new(namespaces.iter().map(|it| &it.template))),
            labels: namespaces.iter().map(|it| it.label.clone()).collect(),
            metrics,
            ledger,
        };
        let in_process = in_process::InProcess::new(options.in_process_items);
        let instance = format!("{instance}-{:016x}", rand::random::<u64>());
        let inner = Inner {
            link: link::Link::new(&client, &options)?,
            flight: flight::SingleFlight::default(),
            _invalidation: invalidation::Listener::start(client.clone(), in_process.clone(), &instance),
            instance,
            in_process,
            observer,
            client,
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The in-process cache's entries dropped for want of space, so far.
    #[must_use]
    pub fn in_process_evictions(&self) -> u64 {
        self.inner.in_process.evictions()
    }

    /// Bytes of values in the in-process cache.
    #[must_use]
    pub fn in_process_bytes(&self) -> u64 {
        self.inner.in_process.bytes()
    }

    /// Redis's INFO, one section.
    ///
    /// # Errors
    /// When Redis does not answer in time.
    pub async fn info(&self, section: &str) -> Result<String, CacheError> {
        let mut command = redis::cmd("INFO");
        command.arg(section);
        self.inner.link.run(&command).await.map(|(info, _)| info)
    }
}

impl Observer {
    fn label(&self, key: &str) -> &str {
        let found = self.keyring.find(key.as_bytes());
        found.map_or("other", |found| self.labels[found.namespace].as_str())
    }

    /// A lookup that Redis answered.
    fn lookup(&self, key: &str, stored: Option<&Bytes>, span: Span) {
        self.metrics.lookup(REDIS_LAYER, self.label(key), stored.is_some());
        self.ledger.lookup(key, stored.map(Bytes::len), span);
    }

    /// A lookup in the in-process cache.
    fn in_process(&self, key: &str, hit: bool, took: Duration) {
        let label = self.label(key);
        self.metrics.lookup(MEMORY_LAYER, label, hit);
        self.metrics.operation(MEMORY_LAYER, label, "get", took);
        self.ledger.in_process(key, hit);
    }

    /// A command that Redis answered.
    fn operation(&self, key: &str, operation: &str, span: Span) {
        self.metrics.operation(REDIS_LAYER, self.label(key), operation, span.duration());
    }

    /// A command that failed.
    fn failed(&self, error: &CacheError, lookups: usize) {
        self.metrics.redis_error();
        if error.may_have_run() {
            for _ in 0..lookups {
                self.ledger.unanswered();
            }
        }
    }
}
