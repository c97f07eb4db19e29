//! The optional Redis lock around an expensive load, for when single flight in one process is not enough.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::CacheService;
use crate::ledger::Span;

/// How often one who waits looks whether the value has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Deletes the lock only when it is still ours. Gives back 1 when it was, 0 when another holds it by now,
/// −1 when it ran out (Redis documentation, "Distributed locks": release by compare and delete).
const RELEASE: &str = "local holder = redis.call('GET', KEYS[1])
if not holder then return -1 end
if holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1";

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    key: String,
    token: String,
}

impl CacheService {
    /// Takes the lock of `key`; `None` when another has it or Redis is away. SET NX is no lookup to Redis.
    pub(super) async fn lock(&self, key: &str) -> Option<Lock> {
        let lock = Lock { key: format!("lock:{key}"), token: format!("{:032x}", rand::random::<u128>()) };
        let ttl = u64::try_from(self.inner.options.lock_ttl.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("SET");
        command.arg(&lock.key).arg(&lock.token).arg("NX").arg("PX").arg(ttl);
        match self.inner.link.run::<Option<String>>(&command).await {
            Ok((Some(_), span)) => {
                let observer = &self.inner.observer;
                observer.ledger.stored(&lock.key, lock.token.len(), Some(self.inner.options.lock_ttl), span);
                Some(lock)
            }
            Ok((None, _)) => None,
            Err(error) => {
                self.inner.observer.failed(&error, 0);
                None
            }
        }
    }

    /// Releases a lock. The script reads the lock, which Redis counts as a lookup, and so does the ledger.
    pub(super) async fn unlock(&self, lock: Lock) {
        let mut command = redis::cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(&lock.key).arg(&lock.token);
        match self.inner.link.run::<i64>(&command).await {
            Ok((outcome, span)) => self.released(&lock, outcome, span),
            // It runs out by itself.
            Err(error) => self.inner.observer.failed(&error, 1),
        }
    }

    fn released(&self, lock: &Lock, outcome: i64, span: Span) {
        let ledger = &self.inner.observer.ledger;
        ledger.lookup(&lock.key, (outcome >= 0).then_some(lock.token.len()), span);
        if outcome == 1 {
            ledger.deleted(&lock.key);
        }
    }

    /// Waits for the value that the holder of the lock is loading; `None` when it does not come in time.
    pub(super) async fn await_other(&self, key: &str) -> Option<Bytes> {
        let begun = Instant::now();
        while begun.elapsed() < self.inner.options.lock_ttl {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.get_bytes(key).await {
                Ok(Some(value)) => return Some(value),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
        None
    }
}
