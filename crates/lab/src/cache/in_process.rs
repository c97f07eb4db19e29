//! The in-process cache in front of Redis: a hundred entries, the least recently used go first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;

use cachescope_model::glob;

/// A value and how long it may stay.
#[derive(Clone, Debug)]
struct Entry {
    value: Bytes,
    ttl: Duration,
}

/// Entries live as long as they say, whatever is read meanwhile.
struct OwnTtl;

impl Expiry<String, Entry> for OwnTtl {
    fn expire_after_create(&self, _key: &String, entry: &Entry, _at: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        entry: &Entry,
        _at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// The cache. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct InProcess {
    entries: Cache<String, Entry>,
    evictions: Arc<AtomicU64>,
}

impl InProcess {
    pub(super) fn new(items: u64) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evictions);
        let entries = Cache::builder()
            .max_capacity(items)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(OwnTtl)
            .eviction_listener(move |_key, _entry, cause| {
                if cause == RemovalCause::Size {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self { entries, evictions }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Bytes> {
        self.entries.get(key).await.map(|entry| entry.value)
    }

    pub(super) async fn set(&self, key: &str, value: Bytes, ttl: Duration) {
        self.entries.insert(key.to_owned(), Entry { value, ttl }).await;
    }

    pub(super) async fn remove(&self, key: &str) {
        self.entries.invalidate(key).await;
    }

    pub(super) async fn remove_matching(&self, pattern: &str) {
        let matching: Vec<Arc<String>> = self
            .entries
            .iter()
            .filter(|(key, _)| glob::matches(pattern.as_bytes(), key.as_bytes()))
            .map(|(key, _)| key)
            .collect();
        for key in matching {
            self.entries.invalidate(key.as_str()).await;
        }
    }

    pub(super) fn clear(&self) {
        self.entries.invalidate_all();
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.iter().map(|(key, entry)| (key.len() + entry.value.len()) as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hundred_entries_stay_and_the_least_recently_used_go() {
        let cache = InProcess::new(100);
        let minute = Duration::from_secs(60);
        for number in 0..100 {
            cache.set(&format!("key:{number}"), Bytes::from_static(b"v"), minute).await;
        }
        cache.entries.run_pending_tasks().await;
        assert!(cache.get("key:0").await.is_some(), "it is there, and now the most recently used");
        for number in 100..150 {
            cache.set(&format!("key:{number}"), Bytes::from_static(b"v"), minute).await;
        }
        cache.entries.run_pending_tasks().await;
        assert_eq!((cache.entries.entry_count(), cache.evictions()), (100, 50));
        assert!(cache.get("key:0").await.is_some());
        assert!(cache.get("key:1").await.is_none());
    }

    #[tokio::test]
    async fn a_pattern_removes_what_it_matches() {
        let cache = InProcess::new(100);
        for key in ["a:1", "a:2", "b:1"] {
            cache.set(key, Bytes::from_static(b"v"), Duration::from_secs(60)).await;
        }
        cache.remove_matching("a:*").await;
        assert!(cache.get("a:1").await.is_none() && cache.get("a:2").await.is_none());
        assert!(cache.get("b:1").await.is_some());
    }
}
