//! One instance of the application: it answers requests from the cache and loads from the database what the
//! cache does not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::cache::{CacheError, CacheService, ComputeOptions, Computed, From};
use crate::database::Database;
use crate::metrics::Metrics;
use crate::namespace::{Access, Namespace, TENANT_FIELD, Update};
use crate::workload::Workload;

/// Rows that one query of a warm-up loads.
const WARMED_TOGETHER: usize = 50;

/// How long values of the previous version stay after a deploy, where the document says five minutes.
pub const GRACE: Duration = Duration::from_secs(300);

/// An entity of a namespace: the fields of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The place of its namespace in the workload.
    pub namespace: usize,
    /// Field names and values, without the version.
    pub fields: Vec<(String, String)>,
}

/// What a service is made of.
#[derive(Debug)]
pub struct ServiceParts {
    /// Its name in logs.
    pub name: String,
    /// What it serves.
    pub workload: Arc<Workload>,
    /// Its cache.
    pub cache: CacheService,
    /// The database all instances share.
    pub database: Arc<Database>,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    /// Whether its page carries the figures of Redis as a whole, so that a sum over instances is right.
    pub leader: bool,
    /// What opens its administrative routes.
    pub admin_token: String,
    /// How long values of the previous version stay after a deploy.
    pub grace: Duration,
}

/// One instance of the application.
#[derive(Debug)]
pub struct Service {
    parts: ServiceParts,
    /// The version of the code, which stands in versioned keys.
    version: AtomicU64,
    /// Text that values are cut from.
    filler: Bytes,
    /// Evictions that were already reported: of Redis and in process.
    reported_evictions: parking_lot::Mutex<(u64, u64)>,
}

impl Service {
    /// An instance at version 1 of its code.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Self {
        let largest = parts.workload.namespaces().iter().map(|it| it.value_bytes).max().unwrap_or(0);
        for namespace in parts.workload.namespaces() {
            let layer =
                if namespace.in_redis() { crate::metrics::REDIS_LAYER } else { crate::metrics::MEMORY_LAYER };
            parts.metrics.announce(layer, &namespace.label);
        }
        Self {
            parts,
            version: AtomicU64::new(1),
            filler: filler(largest * 2 + 64),
            reported_evictions: parking_lot::Mutex::new((0, 0)),
        }
    }

    /// What it serves.
    #[must_use]
    pub fn workload(&self) -> &Arc<Workload> {
        &self.parts.workload
    }

    /// Its cache.
    #[must_use]
    pub fn cache(&self) -> &CacheService {
        &self.parts.cache
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Whether a token opens the administrative routes. The comparison takes as long for every token.
    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        let wanted = self.parts.admin_token.as_bytes();
        let differences = token.bytes().zip(wanted).fold(0, |sum, (left, right)| sum | (left ^ right));
        token.len() == wanted.len() && differences == 0
    }

    fn namespace(&self, target: &Target) -> &Namespace {
        &self.parts.workload.namespaces()[target.namespace]
    }

    /// The version of its code.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Answers a request for one entity, and measures how long that took.
    ///
    /// # Errors
    /// When the loader fails. That Redis is away is no error: the answer then comes from the database.
    pub async fn handle(&self, target: &Target, bypass: bool) -> Result<Computed, CacheError> {
        let begun = Instant::now();
        let answer = if bypass { Ok(self.without_cache(target).await) } else { self.read(target).await };
        let status = if answer.is_ok() { 200 } else { 503 };
        let route = format!("/api/{}", self.namespace(target).label);
        self.parts.metrics.request(&route, status, begun.elapsed());
        answer
    }

    async fn without_cache(&self, target: &Target) -> Computed {
        let value = self.loader(target, &self.key(target))().await;
        Computed { value: value.unwrap_or_else(|never| match never {}), from: From::WithoutCache }
    }

    /// The key of an entity at this version of the code.
    #[must_use]
    pub fn key(&self, target: &Target) -> String {
        self.namespace(target).fill(&target.fields, self.version())
    }

    async fn read(&self, target: &Target) -> Result<Computed, CacheError> {
        let namespace = self.namespace(target);
        let cache = &self.parts.cache;
        let key = self.key(target);
        let ttl = namespace.ttl;
        match namespace.access {
            Access::MemoryOnly => {
                let ttl = ttl.unwrap_or(Duration::from_secs(300));
                cache.get_or_compute_in_process(&key, ttl, self.loader(target, &key)).await
            }
            Access::Counter => {
                let window = ttl.unwrap_or(Duration::from_secs(60));
                // A limiter that cannot count lets pass: the service works without cache.
                let count = cache.count_in_window(&key, window).await.unwrap_or(0);
                Ok(Computed { value: Bytes::from(count.to_string()), from: From::Redis })
            }
            Access::Versioned => {
                let key = self.versioned_key(target).await?.unwrap_or(key);
                cache.get_or_compute_bytes(&key, &self.options(target), self.loader(target, &key)).await
            }
            Access::Indirect => {
                let count = cache.counter(&key).await?.unwrap_or(0);
                Ok(Computed { value: Bytes::from(count.to_string()), from: From::Redis })
            }
            Access::CacheAside | Access::Locked | Access::Refreshed => {
                let computed = cache
                    .get_or_compute_bytes(&key, &self.options(target), self.loader(target, &key))
                    .await?;
                if namespace.access == Access::Refreshed
                    && computed.from == From::Redis
                    && let Some(ttl) = ttl
                {
                    // Failing to extend a session shortens it; the failure is counted in the metrics.
                    let _extended = cache.expire(&key, ttl).await;
                }
                Ok(computed)
            }
        }
    }

    /// The key of an entity's current version, by its counter; `None` when Redis is away.
    async fn versioned_key(&self, target: &Target) -> Result<Option<String>, CacheError> {
        let namespace = self.namespace(target);
        let Some(counter) = self.counter_key(target) else { return Ok(None) };
        let version = match self.parts.cache.counter(&counter).await {
            Ok(Some(version)) => version,
            Ok(None) => match self.parts.cache.incr(&counter).await {
                Ok(version) => version,
                Err(_) => return Ok(None),
            },
            Err(_) => return Ok(None),
        };
        Ok(Some(namespace.fill(&target.fields, version.unsigned_abs())))
    }

    fn counter_key(&self, target: &Target) -> Option<String> {
        let label = self.namespace(target).version_counter.as_deref()?;
        let (_, counter) = self.parts.workload.namespace(label)?;
        Some(counter.fill(&target.fields, 0))
    }

    /// Answers a request for several entities of one namespace: one MGET, and one store for what it missed.
    ///
    /// # Errors
    /// When a stored value cannot be read.
    pub async fn handle_batch(&self, targets: &[Target]) -> Result<(), CacheError> {
        let Some(first) = targets.first() else { return Ok(()) };
        let begun = Instant::now();
        let keys: Vec<String> = targets.iter().map(|target| self.key(target)).collect();
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = match self.parts.cache.mget_bytes(&names).await {
            Ok(found) => found,
            Err(CacheError::Value { .. }) => vec![None; keys.len()],
            Err(_) => {
                for (target, key) in targets.iter().zip(&keys) {
                    // The loader cannot fail; see its type.
                    let _value = self.loader(target, key)().await;
                }
                return Ok(());
            }
        };
        let mut missed = Vec::new();
        for ((target, key), value) in targets.iter().zip(&names).zip(found) {
            if value.is_none() {
                let loaded = self.loader(target, key)().await.unwrap_or_else(|never| match never {});
                missed.push((*key, loaded));
            }
        }
        let stored = self.parts.cache.mset_bytes(&missed, self.namespace(first).ttl).await;
        let route = format!("/api/{}", self.namespace(first).label);
        self.parts.metrics.request(&route, 200, begun.elapsed());
        // The caller has its values; what could not be stored is counted in the metrics.
        stored.or(Ok(()))
    }

    fn options(&self, target: &Target) -> ComputeOptions {
        let namespace = self.namespace(target);
        let tenant = target.fields.iter().find(|(name, _)| name == TENANT_FIELD);
        ComputeOptions {
            ttl: namespace.ttl,
            // Tags stand for the groups the documents invalidate together; here, the tenant.
            tags: tenant.map(|(_, tenant)| format!("tenant:{tenant}")).into_iter().collect(),
            in_process: namespace.in_process,
            lock: namespace.access == Access::Locked,
        }
    }

    /// Loads an entity's value from the database.
    fn loader(
        &self,
        target: &Target,
        key: &str,
    ) -> impl FnOnce() -> futures::future::BoxFuture<'static, Result<Bytes, std::convert::Infallible>> + Send + use<>
    {
        let namespace = self.namespace(target);
        let (cost, size, entity) = (namespace.load_cost, namespace.size_of(key), self.entity(target));
        let (database, metrics) = (Arc::clone(&self.parts.database), Arc::clone(&self.parts.metrics));
        let filler = self.filler.clone();
        move || {
            Box::pin(async move {
                metrics.database_query(database.query(cost).await);
                Ok(value(&entity, database.revision(&entity), size, &filler))
            })
        }
    }

    /// What the database knows it by: its key without the version of the code.
    fn entity(&self, target: &Target) -> String {
        self.namespace(target).fill(&target.fields, 0)
    }

    /// Changes an entity in the database and treats its key as the document says.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn update(&self, target: &Target) -> Result<(), CacheError> {
        let namespace = self.namespace(target);
        let (key, entity) = (self.key(target), self.entity(target));
        self.parts.database.update(&entity);
        match namespace.update {
            Update::Invalidate => self.parts.cache.delete(&[&key]).await.map(|_| ()),
            Update::WriteThrough => {
                let revision = self.parts.database.revision(&entity);
                let new = value(&entity, revision, namespace.size_of(&key), &self.filler);
                let database = Arc::clone(&self.parts.database);
                let cost = namespace.load_cost;
                let write = async move {
                    database.query(cost).await;
                    Ok::<(), std::convert::Infallible>(())
                };
                self.parts.cache.write_through(&key, &new, namespace.ttl, write).await
            }
            Update::Version => match self.counter_key(target) {
                Some(counter) => self.parts.cache.incr(&counter).await.map(|_| ()),
                None => Ok(()),
            },
        }
    }

    /// A documented event happened: drops what the document says; gives back how many keys that were.
    /// Placeholders other than the tenant are filled from `fields`, or by the target's key when a pattern
    /// names one entity.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn trigger(&self, patterns: &[&str], fields: &[(String, String)]) -> Result<u64, CacheError> {
        let mut removed = 0;
        for pattern in patterns {
            let mut pattern = (*pattern).to_owned();
            for (name, value) in fields {
                pattern = pattern.replace(&format!("{{{name}}}"), value);
            }
            removed += if pattern.contains(['*', '?', '[']) {
                self.parts.cache.delete_pattern(&pattern).await?
            } else {
                self.parts.cache.delete(&[&pattern]).await?
            };
        }
        Ok(removed)
    }

    /// Loads and stores what the documents warm; gives back how many keys. It makes no lookups.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn warm(&self) -> Result<u64, CacheError> {
        self.fill(|namespace| namespace.warmed, |_| 1.0).await
    }

    /// Stores what a cache that has been running for a while holds: the most popular keys, each at another
    /// point of its life, so that they do not all run out together. It makes no lookups.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn prefill(&self) -> Result<u64, CacheError> {
        // The golden ratio spreads consecutive chunks evenly (Weyl's sequence).
        self.fill(|namespace| namespace.prefilled, |chunk| (f64::from(chunk) * 0.618_034).fract().max(0.05))
            .await
    }

    async fn fill(
        &self,
        keys: impl Fn(&Namespace) -> usize,
        life_left: impl Fn(u32) -> f64,
    ) -> Result<u64, CacheError> {
        let mut filled = 0;
        let mut chunks = 0;
        for (place, namespace) in self.parts.workload.namespaces().iter().enumerate() {
            let items: Vec<usize> = (0..keys(namespace).min(namespace.items)).collect();
            for tenant in 0..namespace.tenants {
                for chunk in items.chunks(WARMED_TOGETHER) {
                    chunks += 1;
                    let ttl = namespace.ttl.map(|ttl| ttl.mul_f64(life_left(chunks)));
                    filled += self.fill_chunk(place, tenant, chunk, ttl).await?;
                }
            }
        }
        Ok(filled)
    }

    async fn fill_chunk(
        &self,
        place: usize,
        tenant: usize,
        items: &[usize],
        ttl: Option<Duration>,
    ) -> Result<u64, CacheError> {
        let namespace = &self.parts.workload.namespaces()[place];
        // One query for all rows.
        self.parts.metrics.database_query(self.parts.database.query(namespace.load_cost).await);
        let entries: Vec<(String, Bytes)> = items
            .iter()
            .map(|item| {
                let target = Target { namespace: place, fields: namespace.fields_of(tenant, *item) };
                let (key, entity) = (self.key(&target), self.entity(&target));
                let revision = self.parts.database.revision(&entity);
                let value = value(&entity, revision, namespace.size_of(&key), &self.filler);
                (key, value)
            })
            .collect();
        let borrowed: Vec<(&str, Bytes)> =
            entries.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        self.parts.cache.mset_bytes(&borrowed, ttl).await?;
        Ok(entries.len() as u64)
    }

    /// Changes the version of the code. The values of the old one stay for those who still run it.
    pub fn deploy(&self, version: u64) {
        self.version.store(version, Ordering::Relaxed);
    }

    /// Lets the values of an old version run out within the grace period; gives back how many keys that
    /// concerned.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub async fn retire(&self, version: u64) -> Result<u64, CacheError> {
        let mut retired = 0;
        for namespace in self.versioned() {
            let any = |name: &String| (name.clone(), "*".to_owned());
            let fields: Vec<(String, String)> = namespace.fields.iter().map(|(name, _)| any(name)).collect();
            let pattern = namespace.fill(&fields, version);
            let mut cursor = 0;
            loop {
                let (next, keys) = self.parts.cache.scan(cursor, &pattern).await?;
                for key in keys {
                    retired += u64::from(self.parts.cache.expire_at_most(&key, self.parts.grace).await?);
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(retired)
    }

    /// Namespaces whose keys carry the version of the code.
    pub fn versioned(&self) -> impl Iterator<Item = &Namespace> {
        self.parts
            .workload
            .namespaces()
            .iter()
            .filter(|namespace| namespace.has_version() && namespace.access != Access::Versioned)
    }

    /// The metrics page, with the figures of the moment.
    ///
    /// # Errors
    /// When the page cannot be written, which is a defect of the metrics.
    pub async fn metrics_page(&self) -> Result<Vec<u8>, prometheus::Error> {
        let metrics = &self.parts.metrics;
        metrics.database_cpu(self.parts.database.cpu_ratio());
        metrics.size(crate::metrics::MEMORY_LAYER, self.parts.cache.in_process_bytes() as f64);
        let mut redis = None;
        if self.parts.leader
            && let Ok(memory) = self.parts.cache.info("memory").await
            && let Ok(stats) = self.parts.cache.info("stats").await
        {
            metrics.size(crate::metrics::REDIS_LAYER, info_field(&memory, "used_memory").unwrap_or(0) as f64);
            redis = info_field(&stats, "evicted_keys");
        }
        let in_process = self.parts.cache.in_process_evictions();
        let mut reported = self.reported_evictions.lock();
        if let Some(redis) = redis {
            metrics.evicted(
                crate::metrics::REDIS_LAYER,
                "maxmemory",
                redis.saturating_sub(reported.0) as f64,
            );
            reported.0 = redis;
        }
        metrics.evicted(crate::metrics::MEMORY_LAYER, "size", in_process.saturating_sub(reported.1) as f64);
        reported.1 = in_process;
        drop(reported);
        metrics.page()
    }
}

/// A number in an answer to INFO.
pub(crate) fn info_field(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}

/// The JSON of an entity, of about `size` bytes; another one after each update.
fn value(entity: &str, revision: u64, size: usize, filler: &Bytes) -> Bytes {
    let mut text = Vec::with_capacity(size.max(64));
    text.extend_from_slice(br#"{"id":"#);
    text.extend_from_slice(serde_json::Value::from(entity).to_string().as_bytes());
    text.extend_from_slice(format!(r#","revision":{revision},"data":""#).as_bytes());
    let rest = size.saturating_sub(text.len() + 2).min(filler.len());
    text.extend_from_slice(&filler[..rest]);
    text.extend_from_slice(br#""}"#);
    text.into()
}

/// Words of random letters: it compresses about as well as JSON does.
fn filler(size: usize) -> Bytes {
    use rand::{RngExt, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(0);
    let words: Vec<Vec<u8>> = (0..500)
        .map(|_| (0..random.random_range(2..9)).map(|_| random.random_range(b'a'..=b'z')).collect())
        .collect();
    let mut text = Vec::with_capacity(size + 10);
    while text.len() < size {
        text.extend_from_slice(&words[random.random_range(0..words.len())]);
        text.push(b' ');
    }
    text.truncate(size);
    text.into()
}
