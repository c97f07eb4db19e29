//! Incidents played on command: each ends by itself, and can be ended before.

mod playing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::LabError;
use playing::Stage;

/// What can go wrong with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Incident {
    /// All keys run out at the same moment.
    TtlCliff,
    /// Someone else fills the memory: an eviction storm.
    MemoryPressure,
    /// Someone purges the busiest namespaces.
    MassPurge,
    /// A deploy changes the version in the keys, or empties the cache where keys carry none.
    VersionBump,
    /// The server stops for a tenth of a second, twice a second.
    SlowServer,
    /// One tenant asks for thousands of entities.
    NoisyTenant,
    /// Someone else uses the database's CPU, and loads take long.
    DatabaseLoad,
}

impl Incident {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TtlCliff,
        Self::MemoryPressure,
        Self::MassPurge,
        Self::VersionBump,
        Self::SlowServer,
        Self::NoisyTenant,
        Self::DatabaseLoad,
    ];

    /// Its name in commands and URLs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TtlCliff => "ttl-cliff",
            Self::MemoryPressure => "memory-pressure",
            Self::MassPurge => "mass-purge",
            Self::VersionBump => "version-bump",
            Self::SlowServer => "slow-server",
            Self::NoisyTenant => "noisy-tenant",
            Self::DatabaseLoad => "database-load",
        }
    }

    /// What happens, in one sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::TtlCliff => "All keys of the busiest namespaces run out at the same moment.",
            Self::MemoryPressure => {
                "A runaway export fills the memory, and Redis evicts what the service needs."
            }
            Self::MassPurge => "Someone purges the busiest namespaces by pattern.",
            Self::VersionBump => {
                "A deploy changes the version in the keys, instance by instance; where keys carry none, its script flushes the cache."
            }
            Self::SlowServer => "Redis stops for a tenth of a second, twice a second.",
            Self::NoisyTenant => "One tenant asks for thousands of entities that nobody asked for before.",
            Self::DatabaseLoad => {
                "A report uses most of the database's CPU, and loads take several times as long."
            }
        }
    }

    /// The incident of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|incident| incident.name() == name)
    }
}

/// The longest an incident may last.
pub const LONGEST: Duration = Duration::from_secs(1_800);

/// An incident that runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunningIncident {
    /// Its name.
    pub name: &'static str,
    /// Seconds until it ends by itself.
    pub ends_in_seconds: f64,
}

/// Plays incidents on one lab. Dropping it stops what runs; the lab's servers end with the lab.
#[derive(Debug)]
pub struct Incidents {
    stage: Arc<Stage>,
    running: Mutex<BTreeMap<Incident, Running>>,
}

#[derive(Debug)]
struct Running {
    until: Instant,
    end: CancellationToken,
    task: JoinHandle<Result<(), LabError>>,
}

impl Incidents {
    pub(crate) fn new(stage: Stage) -> Self {
        Self { stage: Arc::new(stage), running: Mutex::default() }
    }

    /// Begins an incident; it ends by itself after `lasting`, at most after half an hour. One that runs
    /// already goes on as it is.
    ///
    /// # Errors
    /// When the strategy knows nothing that this incident concerns.
    pub fn play(&self, incident: Incident, lasting: Duration) -> Result<(), LabError> {
        self.stage.allows(incident)?;
        let lasting = lasting.min(LONGEST);
        let mut running = self.running.lock();
        if running.get(&incident).is_some_and(|it| !it.task.is_finished()) {
            return Ok(());
        }
        let end = CancellationToken::new();
        let (stage, ended) = (Arc::clone(&self.stage), end.clone());
        let task = tokio::spawn(async move {
            let played = stage.play(incident, lasting, &ended).await;
            if let Err(error) = &played {
                tracing::error!(%error, incident = incident.name(), "an incident could not be played to its end");
            }
            played
        });
        running.insert(incident, Running { until: Instant::now() + lasting, end, task });
        Ok(())
    }

    /// Ends an incident now and waits until it is undone. One that does not run is ended already.
    ///
    /// # Errors
    /// When it could not be undone.
    pub async fn end(&self, incident: Incident) -> Result<(), LabError> {
        let Some(running) = self.running.lock().remove(&incident) else { return Ok(()) };
        running.end.cancel();
        finished(running.task).await
    }

    /// Waits until an incident has ended by itself.
    ///
    /// # Errors
    /// When it could not be played to its end.
    pub async fn ended(&self, incident: Incident) -> Result<(), LabError> {
        let Some(running) = self.running.lock().remove(&incident) else { return Ok(()) };
        finished(running.task).await
    }

    /// Which ones run.
    #[must_use]
    pub fn running(&self) -> Vec<RunningIncident> {
        let now = Instant::now();
        let mut running = self.running.lock();
        running.retain(|_, it| !it.task.is_finished());
        let shown = running.iter().map(|(incident, it)| RunningIncident {
            name: incident.name(),
            ends_in_seconds: it.until.saturating_duration_since(now).as_secs_f64(),
        });
        shown.collect()
    }
}

async fn finished(task: JoinHandle<Result<(), LabError>>) -> Result<(), LabError> {
    match task.await {
        Ok(played) => played,
        // Nobody aborts it but the drop of its owner, who is here: so it panicked.
        Err(error) => Err(LabError::Incident(error.to_string())),
    }
}

impl Drop for Incidents {
    fn drop(&mut self) {
        for running in self.running.lock().values() {
            running.task.abort();
        }
    }
}

pub(crate) use playing::Stage as IncidentStage;
