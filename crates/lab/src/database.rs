//! The simulated database behind the loaders: the busier it is, the slower it answers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Over which time the load is averaged.
const AVERAGED_OVER: Duration = Duration::from_secs(3);

/// Connections of the pool: queries beyond them wait.
const CONNECTIONS: usize = 40;

/// The most that load can multiply a query's time: a real server times out instead of growing further.
const WORST_SLOWDOWN: f64 = 20.0;

/// A database whose CPU is shared by its queries.
///
/// A query's time is its CPU time divided by the idle share of the CPU, the mean response time of a single
/// processor-sharing server (M/G/1-PS), and at most [`WORST_SLOWDOWN`] times its CPU time.
#[derive(Debug)]
pub struct Database {
    /// CPU seconds that it can give in a second.
    cores: f64,
    pool: Semaphore,
    load: Mutex<Load>,
    /// How often each entity was updated.
    revisions: Mutex<HashMap<Box<str>, u64>>,
}

#[derive(Debug)]
struct Load {
    /// CPU seconds a second, exponentially averaged.
    average: f64,
    at: Instant,
    /// CPU seconds a second that an incident adds.
    foreign: f64,
}

impl Load {
    fn decay(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.average *= (-passed / AVERAGED_OVER.as_secs_f64()).exp();
        self.at = now;
    }
}

impl Database {
    /// An idle database with so many cores.
    #[must_use]
    pub fn new(cores: f64) -> Self {
        let load = Load { average: 0.0, at: Instant::now(), foreign: 0.0 };
        Self { cores, pool: Semaphore::new(CONNECTIONS), load: Mutex::new(load), revisions: Mutex::default() }
    }

    /// Runs a query of that much CPU time; gives back how long it took.
    pub async fn query(&self, cost: Duration) -> Duration {
        let begun = Instant::now();
        // The pool is never closed, so waiting for a connection cannot fail; a closed one would not limit.
        let _connection = self.pool.acquire().await;
        let busy = {
            let mut load = self.load.lock();
            load.decay(Instant::now());
            load.average += cost.as_secs_f64() / AVERAGED_OVER.as_secs_f64();
            self.busy(&load)
        };
        let slowdown = slowdown(busy);
        tokio::time::sleep(cost.mul_f64(slowdown)).await;
        begun.elapsed()
    }

    /// Changes the entity behind a key; the next load gives another value.
    pub fn update(&self, entity: &str) {
        *self.revisions.lock().entry(entity.into()).or_default() += 1;
    }

    /// How often the entity behind a key was changed.
    #[must_use]
    pub fn revision(&self, entity: &str) -> u64 {
        self.revisions.lock().get(entity).copied().unwrap_or(0)
    }

    /// The share of its CPU in use, 0 to 1.
    #[must_use]
    pub fn cpu_ratio(&self) -> f64 {
        let mut load = self.load.lock();
        load.decay(Instant::now());
        self.busy(&load)
    }

    /// Adds the load of others, as a share of its CPU; 0 takes it away.
    pub fn set_foreign_load(&self, ratio: f64) {
        self.load.lock().foreign = ratio.max(0.0) * self.cores;
    }

    fn busy(&self, load: &Load) -> f64 {
        ((load.average + load.foreign) / self.cores).clamp(0.0, 1.0)
    }
}

/// By how much a query takes longer than its CPU time when the share `busy` of the CPU is in use.
fn slowdown(busy: f64) -> f64 {
    (1.0 / (1.0 - busy).max(f64::EPSILON)).min(WORST_SLOWDOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_database_answers_later_than_an_idle_one_and_never_stalls() {
        for (busy, times) in [(0.0, 1.0), (0.5, 2.0), (0.9, 10.0), (1.0, WORST_SLOWDOWN)] {
            assert!((slowdown(busy) - times).abs() < 1e-9, "{busy}: {}", slowdown(busy));
        }
    }

    #[tokio::test]
    async fn queries_and_foreign_load_show_as_cpu_in_use() {
        let database = Database::new(1.0);
        assert!(database.cpu_ratio() < f64::EPSILON);
        database.query(Duration::from_millis(5)).await;
        assert!(database.cpu_ratio() > 0.0);
        database.set_foreign_load(0.9);
        assert!(database.cpu_ratio() >= 0.9);
        database.set_foreign_load(0.0);
        assert!(database.cpu_ratio() < 0.1);
    }
}
