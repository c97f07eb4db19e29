//! How each incident is played and undone.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;

use super::Incident;
use crate::database::Database;
use crate::error::LabError;
use crate::namespace::{Access, Namespace};
use crate::service::Service;
use crate::traffic::{Noise, Traffic};

/// How many of the busiest namespaces a purge or a cliff takes.
const BUSIEST: usize = 3;
/// Until the cliff, so that all keys are set before the first runs out.
const CLIFF_AFTER: Duration = Duration::from_secs(2);
/// Size of one value of the runaway export.
const EXPORT_BYTES: usize = 64 * 1024;
/// Its keys.
const EXPORT_PREFIX: &str = "report-export:";
/// How long the export takes to write as much as the memory holds.
const FILLS_IN: Duration = Duration::from_secs(12);
/// The server stops this long …
const PAUSE: Duration = Duration::from_millis(100);
/// … this often.
const PAUSE_EVERY: Duration = Duration::from_millis(500);
/// Share of the database's CPU that the report uses.
const REPORT_LOAD: f64 = 0.7;
/// The noisy tenant's requests, a second.
const NOISY_RATE: f64 = 250.0;
/// Which tenant is noisy: not the most popular one.
const NOISY_TENANT: usize = 3;

/// What incidents act upon: the lab's own parts and nothing else.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) database: Arc<Database>,
    pub(crate) traffic: Arc<Traffic>,
    /// The lab's own connection.
    pub(crate) redis: MultiplexedConnection,
    pub(crate) max_memory_bytes: u64,
}

impl Stage {
    pub(super) fn allows(&self, incident: Incident) -> Result<(), LabError> {
        let workload = self.services[0].workload();
        if incident == Incident::NoisyTenant && !workload.namespaces().iter().any(Namespace::has_tenants) {
            return Err(LabError::NoTenants(workload.strategy.clone()));
        }
        Ok(())
    }

    pub(super) async fn play(
        &self,
        incident: Incident,
        lasting: Duration,
        end: &CancellationToken,
    ) -> Result<(), LabError> {
        match incident {
            Incident::TtlCliff => {
                self.cliff().await?;
                wait(lasting, end).await;
                Ok(())
            }
            Incident::MassPurge => {
                for pattern in self.busiest() {
                    let purged = self.services[0].cache().delete_pattern(&pattern).await;
                    purged.map_err(|error| LabError::Incident(error.to_string()))?;
                }
                wait(lasting, end).await;
                Ok(())
            }
            Incident::VersionBump => self.deploy(lasting, end).await,
            Incident::MemoryPressure => {
                let filled = self.fill(lasting, end).await;
                // What was written goes in any case.
                let emptied = self.remove_exports().await;
                filled.and(emptied)
            }
            Incident::SlowServer => self.pause_again_and_again(lasting, end).await,
            Incident::NoisyTenant => {
                let noise = Noise { tenant: NOISY_TENANT, requests_per_second: NOISY_RATE };
                self.traffic.set_noise(Some(noise));
                wait(lasting, end).await;
                self.traffic.set_noise(None);
                Ok(())
            }
            Incident::DatabaseLoad => {
                self.database.set_foreign_load(REPORT_LOAD);
                wait(lasting, end).await;
                self.database.set_foreign_load(0.0);
                Ok(())
            }
        }
    }

    /// Patterns of the busiest namespaces that hold a value: everything after their first literal.
    fn busiest(&self) -> Vec<String> {
        let service = &self.services[0];
        let cached = |namespace: &&Namespace| {
            namespace.in_redis() && !matches!(namespace.access, Access::Counter | Access::Indirect)
        };
        let mut namespaces: Vec<&Namespace> = service.workload().namespaces().iter().filter(cached).collect();
        namespaces.sort_by(|left, right| right.requests_per_second.total_cmp(&left.requests_per_second));
        let pattern = |namespace: &Namespace| {
            let any: Vec<(String, String)> =
                namespace.template.fields().map(|field| (field.to_owned(), "*".to_owned())).collect();
            namespace.fill(&any, service.version())
        };
        namespaces.into_iter().take(BUSIEST).map(pattern).collect()
    }

    async fn cliff(&self) -> Result<(), LabError> {
        let cache = self.services[0].cache();
        let failed = |error: crate::cache::CacheError| LabError::Incident(error.to_string());
        let edge = tokio::time::Instant::now() + CLIFF_AFTER;
        for pattern in self.busiest() {
            let mut cursor = 0;
            loop {
                let (next, keys) = cache.scan(cursor, &pattern).await.map_err(failed)?;
                for key in keys {
                    let left = edge.saturating_duration_since(tokio::time::Instant::now());
                    cache.expire(&key, left.max(Duration::from_millis(1))).await.map_err(failed)?;
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(())
    }

    /// Instances change one after the other. Ended early, the deploy is rolled back.
    async fn deploy(&self, lasting: Duration, end: &CancellationToken) -> Result<(), LabError> {
        let failed = |error: crate::cache::CacheError| LabError::Incident(error.to_string());
        let old = self.services[0].version();
        if self.services[0].versioned().next().is_none() {
            self.services[0].cache().flush().await.map_err(failed)?;
            wait(lasting, end).await;
            return Ok(());
        }
        let step = lasting / u32::try_from(self.services.len() + 1).unwrap_or(2);
        for service in &self.services {
            service.deploy(old + 1);
            if !wait(step, end).await {
                for service in &self.services {
                    service.deploy(old);
                }
                return Ok(());
            }
        }
        self.services[0].retire(old).await.map_err(failed)?;
        wait(step, end).await;
        Ok(())
    }

    async fn fill(&self, lasting: Duration, end: &CancellationToken) -> Result<(), LabError> {
        let value = vec![b'x'; EXPORT_BYTES];
        let values = (self.max_memory_bytes / EXPORT_BYTES as u64).max(1);
        let every = FILLS_IN / u32::try_from(values).unwrap_or(u32::MAX);
        let begun = tokio::time::Instant::now();
        let mut redis = self.redis.clone();
        for number in 0_u64.. {
            if begun.elapsed() >= lasting || end.is_cancelled() {
                break;
            }
            redis::cmd("SET")
                .arg(format!("{EXPORT_PREFIX}{number}"))
                .arg(&value)
                .exec_async(&mut redis)
                .await
                .map_err(LabError::redis("write the runaway export"))?;
            wait(every, end).await;
        }
        Ok(())
    }

    async fn remove_exports(&self) -> Result<(), LabError> {
        let mut redis = self.redis.clone();
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{EXPORT_PREFIX}*"))
                .arg("COUNT")
                .arg(500)
                .query_async(&mut redis)
                .await
                .map_err(LabError::redis("find the runaway export"))?;
            if !keys.is_empty() {
                let removing = redis::cmd("UNLINK").arg(keys).exec_async(&mut redis).await;
                removing.map_err(LabError::redis("remove the runaway export"))?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn pause_again_and_again(
        &self,
        lasting: Duration,
        end: &CancellationToken,
    ) -> Result<(), LabError> {
        let begun = tokio::time::Instant::now();
        let mut redis = self.redis.clone();
        while begun.elapsed() < lasting && !end.is_cancelled() {
            // It ends by itself: a paused server would not hear an order to go on from a dead lab.
            redis::cmd("CLIENT")
                .arg("PAUSE")
                .arg(PAUSE.as_millis() as u64)
                .arg("ALL")
                .exec_async(&mut redis)
                .await
                .map_err(LabError::redis("pause the server"))?;
            wait(PAUSE_EVERY, end).await;
        }
        Ok(())
    }
}

/// Waits, or until the end is called for; gives back whether the whole time passed.
async fn wait(lasting: Duration, end: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(lasting) => true,
        () = end.cancelled() => false,
    }
}
