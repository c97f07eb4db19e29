//! Requests as they come in life: at random times, whether or not the last was answered, to few keys often
//! and to many rarely.

mod plan;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::service::Service;
pub use plan::{Arrival, Plan};

/// How often due arrivals are sent: timers are no finer than a millisecond.
const TICK: Duration = Duration::from_millis(2);

/// A backlog older than this is dropped, as after the sleep of a laptop.
const LATEST: Duration = Duration::from_secs(1);

/// How traffic behaves.
#[derive(Clone, Debug)]
pub struct TrafficOptions {
    /// The order of requests follows from it.
    pub seed: u64,
    /// Requests under way at most; beyond it they are turned away and counted.
    pub concurrency: u32,
}

impl Default for TrafficOptions {
    fn default() -> Self {
        Self { seed: 1, concurrency: 256 }
    }
}

/// One tenant that asks for more than its share.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Which tenant.
    pub tenant: usize,
    /// How much it asks for, requests a second.
    pub requests_per_second: f64,
}

#[derive(Debug, Default)]
struct Figures {
    sent: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
}

/// Traffic that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Traffic {
    paused: watch::Sender<bool>,
    factor: Arc<Mutex<f64>>,
    noise: Arc<Mutex<Option<Noise>>>,
    under_way: Arc<Semaphore>,
    options: TrafficOptions,
    figures: Arc<Figures>,
    /// All permits, while paused: without one nothing is sent.
    held: Mutex<Option<OwnedSemaphorePermit>>,
    task: JoinHandle<()>,
}

struct Driver {
    services: Vec<Arc<Service>>,
    plan: Plan,
    random: StdRng,
    factor: Arc<Mutex<f64>>,
    noise: Arc<Mutex<Option<Noise>>>,
    under_way: Arc<Semaphore>,
    figures: Arc<Figures>,
    requests: JoinSet<()>,
}

impl Traffic {
    /// Starts the traffic of the services' workload, spread evenly over them.
    #[must_use]
    pub fn start(services: Vec<Arc<Service>>, options: TrafficOptions, paused: bool) -> Self {
        let (paused, waiting) = watch::channel(paused);
        let factor = Arc::new(Mutex::new(1.0));
        let noise = Arc::new(Mutex::new(None));
        let under_way = Arc::new(Semaphore::new(options.concurrency as usize));
        let figures = Arc::new(Figures::default());
        let plan = services.first().map(|service| Plan::new(service.workload())).unwrap_or_default();
        let driver = Driver {
            plan,
            services,
            random: StdRng::seed_from_u64(options.seed),
            factor: Arc::clone(&factor),
            noise: Arc::clone(&noise),
            under_way: Arc::clone(&under_way),
            figures: Arc::clone(&figures),
            requests: JoinSet::new(),
        };
        let task = tokio::spawn(driver.run(waiting));
        Self { paused, factor, noise, under_way, options, figures, held: Mutex::default(), task }
    }

    /// Stops sending and waits until every request under way is answered: the ledger then stands still.
    pub async fn pause(&self) {
        self.paused.send_replace(true);
        if self.held.lock().is_some() {
            return;
        }
        // All permits together mean that none is under way. The semaphore is never closed.
        let all = Arc::clone(&self.under_way).acquire_many_owned(self.options.concurrency).await.ok();
        *self.held.lock() = all;
    }

    /// Goes on.
    pub fn resume(&self) {
        self.held.lock().take();
        self.paused.send_replace(false);
    }

    /// Ends it for good, with the requests under way.
    pub fn stop(&self) {
        // They are in the driver's set and end with it.
        self.task.abort();
    }

    /// Multiplies the rate; 1 is the workload's own.
    pub fn set_factor(&self, factor: f64) {
        *self.factor.lock() = factor.clamp(0.0, 1_000.0);
    }

    /// Makes a tenant noisy, or none.
    pub fn set_noise(&self, noise: Option<Noise>) {
        *self.noise.lock() = noise;
    }

    /// Requests sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.figures.sent.load(Ordering::Relaxed)
    }

    /// Requests turned away because too many were under way.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.figures.turned_away.load(Ordering::Relaxed)
    }

    /// Requests that were answered with an error.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.figures.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Driver {
    async fn run(mut self, mut paused: watch::Receiver<bool>) {
        let mut next = Instant::now();
        let mut next_noise = Instant::now();
        loop {
            if *paused.borrow_and_update() {
                // The sender lives as long as this task.
                if paused.wait_for(|paused| !paused).await.is_err() {
                    return;
                }
                (next, next_noise) = (Instant::now(), Instant::now());
            }
            while self.requests.try_join_next().is_some() {}
            let now = Instant::now();
            if now.saturating_duration_since(next) > LATEST {
                next = now;
            }
            let rate = self.plan.per_second() * *self.factor.lock();
            if rate <= 0.0 {
                next = now;
            }
            while next <= now && rate > 0.0 && !*paused.borrow() {
                let arrival = self.plan.pick(&mut self.random);
                self.send(arrival);
                next += self.pause_at(rate);
            }
            let noise = *self.noise.lock();
            match noise {
                None => next_noise = now,
                Some(noise) => {
                    next_noise = next_noise.max(now.checked_sub(LATEST).unwrap_or(now));
                    while next_noise <= now && !*paused.borrow() {
                        if let Some(arrival) = self.plan.pick_of_tenant(noise.tenant, &mut self.random) {
                            self.send(arrival);
                        }
                        next_noise += self.pause_at(noise.requests_per_second.max(0.001));
                    }
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Times between independent arrivals are exponential.
    fn pause_at(&mut self, rate: f64) -> Duration {
        let unit: f64 = Exp1.sample(&mut self.random);
        Duration::from_secs_f64((unit / rate).min(3_600.0))
    }

    fn send(&mut self, arrival: Arrival) {
        let place = self.random.random_range(0..self.services.len());
        let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() else {
            self.figures.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.figures.sent.fetch_add(1, Ordering::Relaxed);
        let (service, figures) = (Arc::clone(&self.services[place]), Arc::clone(&self.figures));
        self.requests.spawn(async move {
            let answered = match arrival {
                Arrival::Read(target) => service.handle(&target, false).await.map(|_| ()),
                Arrival::Batch(targets) => service.handle_batch(&targets).await,
                Arrival::Update(target) => service.update(&target).await,
                Arrival::Event { patterns, fields } => service.trigger(patterns, &fields).await.map(|_| ()),
            };
            if answered.is_err() {
                figures.failed.fetch_add(1, Ordering::Relaxed);
            }
            drop(permit);
        });
    }
}
