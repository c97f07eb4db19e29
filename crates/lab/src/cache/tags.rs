//! Tags: sets of keys that are invalidated together.

use std::time::Duration;

use bytes::Bytes;

use super::operations::set_command;
use super::{CacheError, CacheService, codec};

/// Members taken out of a tag's set in one round trip.
const MEMBERS: usize = 500;

/// How much longer than its last key a tag's set lives.
const TAG_OUTLIVES: Duration = Duration::from_secs(60);

impl CacheService {
    /// Stores a value under tags.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn set_with_tags(
        &self,
        key: &str,
        value: &Bytes,
        tags: &[String],
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        self.set_tagged(key, value, tags, ttl).await
    }

    pub(super) async fn set_tagged(
        &self,
        key: &str,
        value: &Bytes,
        tags: &[String],
        ttl: Option<Duration>,
    ) -> Result<(), CacheError> {
        let stored = codec::encode(value, self.inner.options.compress_from);
        let mut commands = redis::pipe();
        // The tag first: a key without its tag could not be invalidated, a tag without its key harms nobody.
        for tag in tags {
            let set = tag_key(tag);
            commands.cmd("SADD").arg(&set).arg(key).ignore();
            if let Some(ttl) = ttl {
                commands.cmd("EXPIRE").arg(&set).arg((ttl + TAG_OUTLIVES).as_secs()).ignore();
            }
        }
        commands.add_command(set_command(key, &stored, ttl));
        let (_, span): (Vec<String>, _) = self.counted(self.inner.link.run_all(&commands).await)?;
        self.inner.observer.ledger.stored(key, stored.len(), ttl, span);
        self.inner.observer.operation(key, "set", span);
        Ok(())
    }

    /// Deletes every key stored under a tag; gives back how many Redis had. SPOP empties the set as it
    /// reads, so that a key tagged meanwhile is kept, and Redis counts it as a write, not as a lookup.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn invalidate_tag(&self, tag: &str) -> Result<u64, CacheError> {
        let set = tag_key(tag);
        let mut removed = 0;
        loop {
            let mut command = redis::cmd("SPOP");
            command.arg(&set).arg(MEMBERS);
            let (keys, _): (Vec<String>, _) = self.counted(self.inner.link.run(&command).await)?;
            if keys.is_empty() {
                return Ok(removed);
            }
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            removed += self.unlink(&keys).await?;
            self.announce_keys(&keys).await?;
        }
    }
}

fn tag_key(tag: &str) -> String {
    format!("tag:{tag}")
}
