//! All of it together: servers, two instances of a service, traffic, incidents and the ledger.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::{CacheOptions, CacheService};
use crate::control::{self, Controls};
use crate::database::Database;
use crate::error::LabError;
use crate::http::{self, HttpServer};
use crate::incident::{IncidentStage, Incidents};
use crate::ledger::{EventListener, Ledger, LedgerSnapshot};
use crate::metrics::Metrics;
use crate::servers::{
    PrometheusOptions, PrometheusServer, RedisExporter, RedisOptions, RedisServer, ScrapeJob, install_crypto,
};
use crate::service::{GRACE, Service, ServiceParts};
use crate::traffic::{Traffic, TrafficOptions};
use crate::workload::{STRATEGIES, Workload};

/// CPU seconds that the simulated database has in a second: enough for the misses of an undisturbed run at
/// about a third of its CPU, too little for a purged cache.
const DATABASE_CORES: f64 = 4.0;

/// The job name under which Prometheus scrapes the instances.
pub const SCRAPE_JOB: &str = "api";

/// How a lab is to be started.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// One of [`STRATEGIES`].
    pub strategy: String,
    /// Traffic of another kind; then `strategy` is only a name.
    pub workload: Option<Workload>,
    /// The order of requests follows from it.
    pub seed: u64,
    /// Whether requests are sent from the start; [`Traffic::resume`] starts them later.
    pub traffic: bool,
    /// Whether the cache is warmed at start, as the documents say, and holds what one that has been running
    /// for a while holds.
    pub warm: bool,
    /// Factor on every time to live. The default makes an hour six minutes.
    pub ttl_factor: f64,
    /// Factor on every rate.
    pub rate_factor: f64,
    /// How many namespaces beyond the strategy's to add.
    pub extra_namespaces: usize,
    /// Instances of the service, at least 1.
    pub instances: usize,
    /// Whether Prometheus runs and scrapes the instances.
    pub prometheus: bool,
    /// How often it scrapes.
    pub scrape_interval: Duration,
    /// Rule files for it, in Prometheus's YAML.
    pub prometheus_rules: Vec<String>,
    /// Whether the Redis exporter runs; Prometheus scrapes it too.
    pub exporter: bool,
    /// Options of the Redis server beyond what the lab sets: its events, `maxmemory` and the policy.
    pub redis: RedisOptions,
    /// How the instances' caches behave.
    pub cache: CacheOptions,
    /// The bearer token of the instances' administrative routes.
    pub admin_token: String,
}

impl LabOptions {
    /// The demo of a strategy.
    #[must_use]
    pub fn new(strategy: &str) -> Self {
        Self {
            strategy: strategy.to_owned(),
            workload: None,
            seed: 1,
            traffic: true,
            warm: true,
            ttl_factor: 0.1,
            rate_factor: 1.0,
            extra_namespaces: 0,
            instances: 2,
            prometheus: true,
            scrape_interval: Duration::from_secs(2),
            prometheus_rules: Vec::new(),
            exporter: false,
            redis: RedisOptions::default(),
            cache: CacheOptions::default(),
            admin_token: "lab-admin-token".to_owned(),
        }
    }

    /// Redis and the instances alone, without traffic and warm-up: for tests that make their own.
    #[must_use]
    pub fn quiet(strategy: &str) -> Self {
        Self { traffic: false, warm: false, prometheus: false, ..Self::new(strategy) }
    }

    fn workload(&self) -> Result<Workload, LabError> {
        let workload = match &self.workload {
            Some(workload) => workload.clone(),
            None => Workload::named(&self.strategy).ok_or_else(|| LabError::UnknownStrategy {
                name: self.strategy.clone(),
                known: STRATEGIES.join(", "),
            })?,
        };
        Ok(workload
            .with_ttl_factor(self.ttl_factor)
            .with_rate_factor(self.rate_factor)
            .with_extra_namespaces(self.extra_namespaces))
    }
}

/// A running lab. Dropping it ends everything it started.
#[derive(Debug)]
pub struct Lab {
    // In the order in which they must end: who asks before who answers.
    control: HttpServer,
    incidents: Arc<Incidents>,
    traffic: Arc<Traffic>,
    prometheus: Option<PrometheusServer>,
    exporter: Option<RedisExporter>,
    fronts: Vec<HttpServer>,
    services: Vec<Arc<Service>>,
    listener: Arc<EventListener>,
    ledger: Arc<Ledger>,
    workload: Arc<Workload>,
    redis: RedisServer,
    admin_token: String,
}

impl Lab {
    /// Starts a lab and waits until all of it serves.
    ///
    /// # Errors
    /// When a server is not installed or does not start, or the strategy is unknown.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        install_crypto();
        let workload = Arc::new(options.workload()?);
        let redis = RedisServer::start(redis_options(&options.redis, &workload)).await?;
        if options.redis.notify_keyspace_events.is_none() {
            announce_additions(&redis).await?;
        }
        let ledger = Arc::new(Ledger::new(workload.namespaces()));
        let listener = Arc::new(EventListener::start(&redis, Arc::clone(&ledger)).await?);
        let database = Arc::new(Database::new(DATABASE_CORES));
        let mut services = Vec::new();
        let mut fronts = Vec::new();
        for number in 0..options.instances.max(1) {
            let service = service(number, &options, &redis, &workload, &ledger, &database)?;
            fronts.push(HttpServer::start(http::routes(Arc::clone(&service))).await?);
            services.push(service);
        }
        if options.warm {
            let failed = |error: crate::cache::CacheError| LabError::WarmUp(error.to_string());
            services[0].prefill().await.map_err(failed)?;
            services[0].warm().await.map_err(failed)?;
        }
        let exporter = if options.exporter { Some(RedisExporter::start(&redis.url()).await?) } else { None };
        let prometheus = if options.prometheus {
            Some(prometheus(&options, &fronts, exporter.as_ref()).await?)
        } else {
            None
        };
        let traffic_options = TrafficOptions { seed: options.seed, ..TrafficOptions::default() };
        let traffic = Arc::new(Traffic::start(services.clone(), traffic_options, !options.traffic));
        let incidents = Arc::new(Incidents::new(IncidentStage {
            services: services.clone(),
            database,
            traffic: Arc::clone(&traffic),
            redis: redis.connection().await?,
            max_memory_bytes: workload.max_memory_bytes,
        }));
        let controls = Controls {
            incidents: Arc::clone(&incidents),
            traffic: Arc::clone(&traffic),
            ledger: Arc::clone(&ledger),
            listener: Arc::clone(&listener),
        };
        let control = HttpServer::start(control::routes(controls)).await?;
        let admin_token = options.admin_token;
        Ok(Self {
            control,
            incidents,
            traffic,
            prometheus,
            exporter,
            fronts,
            services,
            listener,
            ledger,
            workload,
            redis,
            admin_token,
        })
    }

    /// The strategy it plays.
    #[must_use]
    pub fn strategy(&self) -> &str {
        &self.workload.strategy
    }

    /// What is asked of the cache: namespaces with template, label and traffic.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The URL of its Redis.
    #[must_use]
    pub fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// Its Redis.
    #[must_use]
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// The same, to be stopped and restarted.
    pub fn redis_mut(&mut self) -> &mut RedisServer {
        &mut self.redis
    }

    /// The URL of its Prometheus, where it runs one.
    #[must_use]
    pub fn prometheus_url(&self) -> Option<String> {
        self.prometheus.as_ref().map(PrometheusServer::url)
    }

    /// Its Redis exporter, where it runs one.
    #[must_use]
    pub fn exporter(&self) -> Option<&RedisExporter> {
        self.exporter.as_ref()
    }

    /// The base URLs of the instances.
    #[must_use]
    pub fn service_urls(&self) -> Vec<String> {
        self.fronts.iter().map(HttpServer::url).collect()
    }

    /// The URLs of the instances' metrics pages.
    #[must_use]
    pub fn metrics_urls(&self) -> Vec<String> {
        self.fronts.iter().map(|front| format!("{}/metrics", front.url())).collect()
    }

    /// The URL of the control endpoint: `/incidents`, `/ledger`, `/traffic`.
    #[must_use]
    pub fn control_url(&self) -> String {
        self.control.url()
    }

    /// The bearer token of the instances' administrative routes.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The instances.
    #[must_use]
    pub fn services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// The traffic.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The incidents.
    #[must_use]
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger's figures after every event that Redis has sent is in.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn ledger_snapshot(&self) -> Result<LedgerSnapshot, LabError> {
        self.listener.settle().await?;
        Ok(self.ledger.snapshot())
    }

    /// Stops the traffic, waits for what is under way, and ends everything.
    pub async fn shutdown(self) {
        self.traffic.pause().await;
        drop(self);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Others hold it too, until their tasks have ended.
        self.traffic.stop();
    }
}

fn redis_options(given: &RedisOptions, workload: &Workload) -> RedisOptions {
    let mut options = given.clone();
    let mut default = |directive: &str, value: String| {
        if !options.config.iter().any(|(name, _)| name == directive) {
            options.config.push((directive.to_owned(), value));
        }
    };
    default("maxmemory", workload.max_memory_bytes.to_string());
    default("maxmemory-policy", "allkeys-lru".to_owned());
    options.notify_keyspace_events.get_or_insert_with(|| ANNOUNCED.to_owned());
    options
}

/// Keyspace events that every server since 6.0 knows: misses, expirations, evictions and deletions.
const ANNOUNCED: &str = "Emxeg";

/// Has additions announced as well, which tells causes of misses apart; a server before 7.0 refuses that.
async fn announce_additions(redis: &RedisServer) -> Result<(), LabError> {
    let mut connection = redis.connection().await?;
    let set = redis::cmd("CONFIG")
        .arg("SET")
        .arg("notify-keyspace-events")
        .arg(format!("{ANNOUNCED}n"))
        .exec_async(&mut connection)
        .await;
    if let Err(error) = set {
        tracing::debug!(%error, "additions are not announced");
    }
    Ok(())
}

fn service(
    number: usize,
    options: &LabOptions,
    redis: &RedisServer,
    workload: &Arc<Workload>,
    ledger: &Arc<Ledger>,
    database: &Arc<Database>,
) -> Result<Arc<Service>, LabError> {
    let name = format!("instance-{}", number + 1);
    let metrics = Arc::new(Metrics::new(workload.dialect, workload.namespaces().len()));
    let cache = CacheService::new(
        &name,
        redis.client()?,
        workload.namespaces(),
        Arc::clone(&metrics),
        Arc::clone(ledger),
        options.cache.clone(),
    )
    .map_err(|error| LabError::WarmUp(error.to_string()))?;
    Ok(Arc::new(Service::new(ServiceParts {
        name,
        workload: Arc::clone(workload),
        cache,
        database: Arc::clone(database),
        metrics,
        leader: number == 0,
        admin_token: options.admin_token.clone(),
        grace: GRACE.mul_f64(options.ttl_factor.clamp(0.001, 1.0)),
    })))
}

async fn prometheus(
    options: &LabOptions,
    fronts: &[HttpServer],
    exporter: Option<&RedisExporter>,
) -> Result<PrometheusServer, LabError> {
    let instances = fronts.iter().map(|front| front.address().to_string()).collect();
    let mut jobs = vec![ScrapeJob::new(SCRAPE_JOB, instances)];
    jobs.extend(exporter.map(|exporter| ScrapeJob::new("redis", vec![exporter.address()])));
    PrometheusServer::start(PrometheusOptions {
        jobs,
        scrape_interval: options.scrape_interval,
        rules: options.prometheus_rules.clone(),
        ..PrometheusOptions::default()
    })
    .await
}
