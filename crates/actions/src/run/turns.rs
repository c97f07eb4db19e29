//! Whose turn it is at one server. Where others are spared, exchanges go one after the other, with the rests that the
//! pace wants between them; elsewhere beside each other. Paused, or at the end of a wave, nobody's turn comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::acting::ActingConnection;
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, RwLockReadGuard, Semaphore, SemaphorePermit};

use super::driver::Driver;
use super::ending::Ended;
use super::felt::Felt;
use crate::pace::{Pace, Work};

pub(super) struct Turns<'d> {
    driver: &'d Driver,
    felt: Option<Arc<Felt>>,
    pace: Mutex<Pace>,
    /// Until when nobody's turn comes; held by whose turn it is.
    rested: tokio::sync::Mutex<Option<Instant>>,
}

impl<'d> Turns<'d> {
    /// Nobody is spared.
    pub(super) fn all_at_once(driver: &'d Driver) -> Self {
        Self { driver, felt: None, pace: Mutex::new(Pace::new(false, None)), rested: Default::default() }
    }

    /// Others are.
    pub(super) fn sparing(driver: &'d Driver, felt: Arc<Felt>) -> Self {
        let pace = Mutex::new(Pace::new(true, Some(felt.baseline())));
        Self { driver, felt: Some(felt), pace, rested: Default::default() }
    }

    /// Keys of the next exchange.
    pub(super) fn keys(&self, work: Work) -> usize {
        self.pace.lock().keys(work)
    }

    /// Bytes of values that an exchange of several keys may have.
    pub(super) fn light_bytes(&self) -> u64 {
        self.pace.lock().light_bytes()
    }

    /// Waits until something may be asked.
    pub(super) async fn take(&self) -> Result<Turn<'_>, Ended> {
        let ending = &self.driver.ending;
        let alone = if self.felt.is_some() {
            let rested = ending.or(self.rested.lock()).await?;
            if let Some(until) = *rested {
                ending.or(tokio::time::sleep_until(until.into())).await?;
            }
            Some(rested)
        } else {
            None
        };
        Ok(Turn { turns: self, alone, _floor: self.driver.floor().await? })
    }
}

/// The right to one exchange.
pub(super) struct Turn<'t> {
    turns: &'t Turns<'t>,
    alone: Option<MutexGuard<'t, Option<Instant>>>,
    _floor: RwLockReadGuard<'t, ()>,
}

impl Turn<'_> {
    /// The exchange was about so many keys, whose values have so many bytes, and took so long.
    pub(super) fn took(mut self, work: Work, keys: usize, bytes: u64, took: Duration) {
        let (Some(rested), Some(felt)) = (&mut self.alone, &self.turns.felt) else { return };
        let mut pace = self.turns.pace.lock();
        let now = Instant::now();
        pace.steer(now, |span| felt.strained(span));
        let rest = pace.exchanged(work, keys, bytes, took);
        **rested = Some(now + rest).filter(|_| !rest.is_zero());
    }
}

/// Connections to one server, each of which keeps what it was told to watch until it has removed that.
pub(super) struct Lines {
    node: Arc<RedisNode>,
    free: Mutex<Vec<ActingConnection>>,
    room: Semaphore,
}

impl Lines {
    pub(super) fn new(node: &Arc<RedisNode>, lines: usize) -> Self {
        let free = (0..lines).map(|_| ActingConnection::new(Arc::clone(node))).collect();
        Self { node: Arc::clone(node), free: Mutex::new(free), room: Semaphore::new(lines) }
    }

    /// Waits until one is free.
    pub(super) async fn take(&self) -> Line<'_> {
        // Never closed.
        let room = self.room.acquire().await.ok();
        let connection = self.free.lock().pop();
        Line {
            connection: connection.unwrap_or_else(|| ActingConnection::new(Arc::clone(&self.node))),
            lines: self,
            _room: room,
        }
    }

    /// Ends those that are free.
    pub(super) fn disconnect(&self) {
        self.free.lock().iter_mut().for_each(ActingConnection::disconnect);
    }
}

pub(super) struct Line<'l> {
    pub(super) connection: ActingConnection,
    lines: &'l Lines,
    _room: Option<SemaphorePermit<'l>>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let fresh = ActingConnection::new(Arc::clone(&self.lines.node));
        self.lines.free.lock().push(std::mem::replace(&mut self.connection, fresh));
    }
}
