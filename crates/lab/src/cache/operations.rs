//! The plain operations: get, set, delete, batches, counters and lists.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::compute::parse;
use super::{CacheError, CacheService, codec};

/// Keys looked at in one SCAN call, and deleted in one round trip.
const SCAN_COUNT: usize = 200;

impl CacheService {
    /// The value of a key, or `None`. One lookup.
    ///
    /// # Errors
    /// When Redis is away, or the value cannot be read.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        match self.inner.link.run::<Option<Bytes>>(&command).await {
            Ok((stored, span)) => {
                self.inner.observer.lookup(key, stored.as_ref(), span);
                self.inner.observer.operation(key, "get", span);
                stored.map(|stored| decoded(key, stored)).transpose()
            }
            Err(error) => {
                self.inner.observer.failed(&error, 1);
                Err(error)
            }
        }
    }

    /// The value of a key as JSON, or `None`.
    ///
    /// # Errors
    /// When Redis is away, or the value is of another shape.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        self.get_bytes(key).await?.map(|value| parse(key, &value)).transpose()
    }

    /// Stores a value.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn set_bytes(&self, key: &str, value: &Bytes, ttl: Option<Duration>) -> Result<(), CacheError> {
        self.set_tagged(key, value, &[], ttl).await
    }

    /// Stores a value as JSON.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn set<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        self.set_bytes(key, &json(key, value)?, ttl).await
    }

    /// Deletes keys, here and in every instance's in-process cache; gives back how many Redis had.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn delete(&self, keys: &[&str]) -> Result<u64, CacheError> {
        let removed = self.unlink(keys).await?;
        self.announce_keys(keys).await?;
        Ok(removed)
    }

    /// Unlinks keys one by one in one round trip, because only so the ledger learns which were there.
    pub(super) async fn unlink(&self, keys: &[&str]) -> Result<u64, CacheError> {
        let mut commands = redis::pipe();
        for key in keys {
            commands.cmd("UNLINK").arg(*key);
        }
        let (removed, span): (Vec<u64>, _) = self.counted(self.inner.link.run_all(&commands).await)?;
        for (key, removed) in keys.iter().zip(&removed) {
            self.inner.observer.operation(key, "delete", span);
            if *removed > 0 {
                self.inner.observer.ledger.deleted(key);
            }
        }
        Ok(removed.iter().sum())
    }

    /// Deletes every key that matches a pattern, here and in every instance's in-process cache; gives back
    /// how many. It walks the keyspace with SCAN: KEYS would stop the server.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<u64, CacheError> {
        let mut removed = 0;
        let mut cursor = 0;
        loop {
            let (next, keys) = self.scan(cursor, pattern).await?;
            if !keys.is_empty() {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                removed += self.unlink(&keys).await?;
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
        self.announce_patterns(&[pattern]).await?;
        Ok(removed)
    }

    /// One step of a walk over the keys that match. Keys that are no UTF-8 are none of this service's.
    pub(crate) async fn scan(&self, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), CacheError> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT);
        let ((next, keys), _): ((u64, Vec<Bytes>), _) = self.counted(self.inner.link.run(&command).await)?;
        let keys = keys.iter().filter_map(|key| std::str::from_utf8(key).ok().map(str::to_owned));
        Ok((next, keys.collect()))
    }

    /// The values of several keys in one command; one lookup a key.
    ///
    /// # Errors
    /// When Redis is away, or a value cannot be read.
    pub async fn mget_bytes(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, CacheError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("MGET");
        command.arg(keys);
        match self.inner.link.run::<Vec<Option<Bytes>>>(&command).await {
            Ok((values, span)) => {
                for (key, stored) in keys.iter().zip(&values) {
                    self.inner.observer.lookup(key, stored.as_ref(), span);
                    self.inner.observer.operation(key, "get", span);
                }
                let decode = |(key, stored): (&&str, Option<Bytes>)| {
                    stored.map(|stored| decoded(key, stored)).transpose()
                };
                keys.iter().zip(values).map(decode).collect()
            }
            Err(error) => {
                self.inner.observer.failed(&error, keys.len());
                Err(error)
            }
        }
    }

    /// The values of several keys as JSON.
    ///
    /// # Errors
    /// When Redis is away, or a value is of another shape.
    pub async fn mget<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>, CacheError> {
        let values = self.mget_bytes(keys).await?;
        let read = |(key, value): (&&str, Option<Bytes>)| value.map(|value| parse(key, &value)).transpose();
        keys.iter().zip(values).map(read).collect()
    }

    /// Stores several values in one round trip.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn mset_bytes(
        &self,
        entries: &[(&str, Bytes)],
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut commands = redis::pipe();
        let mut sizes = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let stored = codec::encode(value, self.inner.options.compress_from);
            sizes.push(stored.len());
            commands.add_command(set_command(key, &stored, ttl));
        }
        let (_, span): (Vec<String>, _) = self.counted(self.inner.link.run_all(&commands).await)?;
        for ((key, _), size) in entries.iter().zip(sizes) {
            self.inner.observer.ledger.stored(key, size, ttl, span);
            self.inner.observer.operation(key, "set", span);
        }
        Ok(())
    }

    /// Stores several values as JSON.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn mset<T: Serialize>(
        &self,
        entries: &[(&str, T)],
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        let entries: Result<Vec<(&str, Bytes)>, CacheError> =
            entries.iter().map(|(key, value)| json(key, value).map(|value| (*key, value))).collect();
        self.mset_bytes(&entries?, ttl).await
    }

    /// Counts up by one. No lookup to Redis.
    ///
    /// # Errors
    /// When Redis is away, or the key holds no number.
    pub async fn incr(&self, key: &str) -> Result<i64, CacheError> {
        self.add(key, "INCR").await
    }

    /// Counts down by one. No lookup to Redis.
    ///
    /// # Errors
    /// When Redis is away, or the key holds no number.
    pub async fn decr(&self, key: &str) -> Result<i64, CacheError> {
        self.add(key, "DECR").await
    }

    async fn add(&self, key: &str, verb: &str) -> Result<i64, CacheError> {
        let mut command = redis::cmd(verb);
        command.arg(key);
        let (value, span): (i64, _) = self.counted(self.inner.link.run(&command).await)?;
        self.inner.observer.operation(key, "incr", span);
        // The first count makes the key, without a time to live; later ones change neither.
        if value.abs() == 1 {
            self.inner.observer.ledger.stored(key, 1, None, span);
        }
        Ok(value)
    }

    /// Counts up within a window that begins with the first count (a rate limit); gives back the count.
    /// One lookup, as the limiter reads before it counts.
    ///
    /// # Errors
    /// When Redis is away, or the key holds no number.
    pub async fn count_in_window(&self, key: &str, window: Duration) -> Result<i64, CacheError> {
        self.counter(key).await?;
        let count = self.incr(key).await?;
        if count == 1 {
            self.expire(key, window).await?;
        }
        Ok(count)
    }

    /// A counter's value, or `None`. One lookup.
    ///
    /// # Errors
    /// When Redis is away, or the key holds no number.
    pub async fn counter(&self, key: &str) -> Result<Option<i64>, CacheError> {
        self.get(key).await
    }

    /// Sets the time to live of a key anew; gives back whether it was there. No lookup to Redis.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        let mut command = redis::cmd("PEXPIRE");
        command.arg(key).arg(millis(ttl));
        let (set, span): (bool, _) = self.counted(self.inner.link.run(&command).await)?;
        self.inner.observer.operation(key, "expire", span);
        if set {
            self.inner.observer.ledger.expires_in(key, ttl, span);
        }
        Ok(set)
    }

    /// Shortens the time to live of a key, never lengthens it; gives back whether it did. Needs Redis 7.0.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn expire_at_most(&self, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        let mut command = redis::cmd("PEXPIRE");
        command.arg(key).arg(millis(ttl)).arg("LT");
        let (set, span): (bool, _) = self.counted(self.inner.link.run(&command).await)?;
        if set {
            self.inner.observer.ledger.expires_in(key, ttl, span);
        }
        Ok(set)
    }

    /// Empties the database, as a careless deploy script does, and every instance's in-process cache.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn flush(&self) -> Result<(), CacheError> {
        let mut command = redis::cmd("FLUSHDB");
        command.arg("ASYNC");
        let _done: (String, _) = self.counted(self.inner.link.run(&command).await)?;
        self.inner.observer.ledger.flushed();
        self.announce_patterns(&["*"]).await
    }

    /// Puts a value at the head of a list; gives back the list's length.
    ///
    /// # Errors
    /// When Redis is away, or the key holds no list.
    pub async fn lpush<T: Serialize>(&self, key: &str, value: &T) -> Result<u64, CacheError> {
        let mut command = redis::cmd("LPUSH");
        command.arg(key).arg(json(key, value)?.as_ref());
        let (length, span) = self.counted(self.inner.link.run(&command).await)?;
        self.inner.observer.operation(key, "lpush", span);
        Ok(length)
    }

    /// Takes the value at the tail of a list, or `None`. A write to Redis, no lookup.
    ///
    /// # Errors
    /// When Redis is away, or the value is of another shape.
    pub async fn rpop<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let mut command = redis::cmd("RPOP");
        command.arg(key);
        let (value, span): (Option<Bytes>, _) = self.counted(self.inner.link.run(&command).await)?;
        self.inner.observer.operation(key, "rpop", span);
        value.map(|value| parse(key, &value)).transpose()
    }

    /// Counts a failure of a command that is no lookup.
    pub(super) fn counted<T>(&self, result: Result<T, CacheError>) -> Result<T, CacheError> {
        result.inspect_err(|error| self.inner.observer.failed(error, 0))
    }
}

/// SET with its time to live.
pub(super) fn set_command(key: &str, stored: &Bytes, ttl: Option<Duration>) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(stored.as_ref());
    if let Some(ttl) = ttl {
        command.arg("PX").arg(millis(ttl));
    }
    command
}

/// Whole milliseconds, at least 1: Redis takes no zero.
pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn json<T: Serialize>(key: &str, value: &T) -> Result<Bytes, CacheError> {
    let written = serde_json::to_vec(value);
    written
        .map(Bytes::from)
        .map_err(|error| CacheError::Value { key: key.to_owned(), reason: error.to_string() })
}

fn decoded(key: &str, stored: Bytes) -> Result<Bytes, CacheError> {
    codec::decode(stored)
        .map_err(|error| CacheError::Value { key: key.to_owned(), reason: error.to_string() })
}
