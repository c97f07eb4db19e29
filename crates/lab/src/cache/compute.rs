//! Get or compute: in-process cache, then Redis, then the loader, whose result is stored.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheError, CacheService};

/// How a value is looked for and kept.
#[derive(Clone, Debug, Default)]
pub struct ComputeOptions {
    /// Time to live in Redis; none keeps the value until it is evicted.
    pub ttl: Option<Duration>,
    /// Tags under which it can be invalidated.
    pub tags: Vec<String>,
    /// Look in the in-process cache first.
    pub in_process: bool,
    /// Hold the Redis lock while loading, so that other instances wait too.
    pub lock: bool,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The in-process cache.
    Memory,
    /// Redis.
    Redis,
    /// The loader, because neither had it.
    Loader,
    /// The loader, because Redis was away or its value unreadable.
    WithoutCache,
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The value.
    pub value: Bytes,
    /// Where it came from.
    pub from: From,
}

impl CacheService {
    /// The value of `key`, computed and stored when no layer has it. Concurrent calls of this instance
    /// compute once. When Redis is away the value is computed all the same.
    ///
    /// # Errors
    /// What `compute` says when it fails.
    pub async fn get_or_compute_bytes<F, E>(
        &self,
        key: &str,
        options: &ComputeOptions,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<Computed, CacheError>
    where
        F: Future<Output = Result<Bytes, E>> + Send + 'static,
        E: std::fmt::Display,
    {
        if options.in_process
            && let Some(value) = self.get_in_process(key).await
        {
            return Ok(Computed { value, from: From::Memory });
        }
        // While someone loads it here, Redis need not be asked: it does not have it.
        if let Some(value) = self.inner.flight.join(key).await {
            return value.map(|value| Computed { value, from: From::Loader });
        }
        let from = match self.get_bytes(key).await {
            Ok(Some(value)) => {
                self.keep_in_process(key, &value, options).await;
                return Ok(Computed { value, from: From::Redis });
            }
            Ok(None) => From::Loader,
            // Counted where it happened; the caller gets its value nevertheless.
            Err(_) => From::WithoutCache,
        };
        let (service, name, options_of_load) = (self.clone(), key.to_owned(), options.clone());
        let loading = move || {
            let computing = compute();
            async move { service.load(&name, &options_of_load, computing).await }
        };
        let value = self.inner.flight.run(key, loading).await?;
        self.keep_in_process(key, &value, options).await;
        Ok(Computed { value, from })
    }

    async fn load<E: std::fmt::Display>(
        &self,
        key: &str,
        options: &ComputeOptions,
        compute: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, CacheError> {
        let lock = if options.lock { self.lock(key).await } else { None };
        if options.lock
            && lock.is_none()
            && let Some(value) = self.await_other(key).await
        {
            return Ok(value);
        }
        let begun = Instant::now();
        let computed = compute.await;
        self.inner.observer.ledger.loaded(key, begun.elapsed());
        let value =
            computed.map_err(|error| CacheError::Load { key: key.to_owned(), reason: error.to_string() })?;
        // A value that could not be stored is as good for the caller; the failure is counted in the metrics.
        let _stored = self.set_tagged(key, &value, &options.tags, options.ttl).await;
        if let Some(lock) = lock {
            self.unlock(lock).await;
        }
        Ok(value)
    }

    async fn keep_in_process(&self, key: &str, value: &Bytes, options: &ComputeOptions) {
        if options.in_process {
            let ttl = options.ttl.map_or(self.inner.options.in_process_ttl, |ttl| {
                // A small part of the time to live at most: two layers of staleness must not double it.
                (ttl / 20).min(self.inner.options.in_process_ttl)
            });
            self.inner.in_process.set(key, value.clone(), ttl).await;
        }
    }

    /// [`Self::get_or_compute_bytes`] without Redis: for what is small, hot and may differ between instances.
    ///
    /// # Errors
    /// What `compute` says when it fails.
    pub async fn get_or_compute_in_process<F, E>(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<Computed, CacheError>
    where
        F: Future<Output = Result<Bytes, E>> + Send + 'static,
        E: std::fmt::Display,
    {
        if let Some(value) = self.get_in_process(key).await {
            return Ok(Computed { value, from: From::Memory });
        }
        let (observer, name) = (self.inner.observer.clone(), key.to_owned());
        let loading = move || {
            let computing = compute();
            async move {
                let begun = Instant::now();
                let computed = computing.await;
                observer.ledger.loaded(&name, begun.elapsed());
                computed.map_err(|error| CacheError::Load { key: name, reason: error.to_string() })
            }
        };
        let value = self.inner.flight.run(key, loading).await?;
        self.inner.in_process.set(key, value.clone(), ttl).await;
        Ok(Computed { value, from: From::Loader })
    }

    async fn get_in_process(&self, key: &str) -> Option<Bytes> {
        let begun = Instant::now();
        let value = self.inner.in_process.get(key).await;
        self.inner.observer.in_process(key, value.is_some(), begun.elapsed());
        value
    }

    /// [`Self::get_or_compute_bytes`] for values that are JSON.
    ///
    /// # Errors
    /// What `compute` says when it fails, or that the stored value is of another shape.
    pub async fn get_or_compute<T, F, E>(
        &self,
        key: &str,
        options: &ComputeOptions,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<T, CacheError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: std::fmt::Display,
    {
        let computing = move || {
            let value = compute();
            async move {
                let value = value.await.map_err(|error| error.to_string())?;
                serde_json::to_vec(&value).map(Bytes::from).map_err(|error| error.to_string())
            }
        };
        let computed = self.get_or_compute_bytes(key, options, computing).await?;
        parse(key, &computed.value)
    }

    /// Read-through: the cache stands in front of the source, and the caller never sees which answered.
    ///
    /// # Errors
    /// As [`Self::get_or_compute`].
    pub async fn read_through<T, F, E>(
        &self,
        key: &str,
        ttl: Duration,
        source: impl FnOnce() -> F + Send,
    ) -> Result<T, CacheError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: std::fmt::Display,
    {
        let options = ComputeOptions { ttl: Some(ttl), ..ComputeOptions::default() };
        self.get_or_compute(key, &options, source).await
    }

    /// Write-through: the source is written first, then the cache. When the source fails the cache is left
    /// alone; when the cache fails the key is dropped as far as possible, so that nothing stale is served.
    ///
    /// # Errors
    /// What `write` says when it fails, or why the cache could be neither written nor dropped.
    pub async fn write_through<E: std::fmt::Display>(
        &self,
        key: &str,
        value: &Bytes,
        ttl: Option<Duration>,
        write: impl Future<Output = Result<(), E>> + Send,
    ) -> Result<(), CacheError> {
        write.await.map_err(|error| CacheError::Load { key: key.to_owned(), reason: error.to_string() })?;
        match self.set_bytes(key, value, ttl).await {
            Ok(()) => self.announce_keys(&[key]).await,
            Err(_) => self.delete(&[key]).await.map(|_| ()),
        }
    }
}

/// Reads a JSON value.
pub(super) fn parse<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, CacheError> {
    serde_json::from_slice(value)
        .map_err(|error| CacheError::Value { key: key.to_owned(), reason: error.to_string() })
}
