//! Settings of other people's servers in our keeping: approved, recorded, changed, and put back whatever happens
//! to us.
//!
//! | step | file |
//! |---|---|
//! | the operator approves exactly what was shown | `approval.rs` |
//! | it is recorded before it is changed, and settled when it is put back | [`Custody`], here |
//! | a process of its own puts it back when ours is killed | `keeper.rs` (our end), `keeping.rs` (its own) |
//! | what both say to each other | `protocol.rs` |
//! | outliving the terminal and the kill that ends us | `detached.rs` |
//!
//! Where both processes die with their machine, the next start of a Cachescope that reaches the server finds
//! the record and puts it back ([`Custody::recover`]).
//!
//! Two Cachescopes that share a state directory know each other's changes by the records. One elsewhere is
//! not known: what it changed counts as the operator's.

mod approval;
mod detached;
mod held;
mod keeper;
pub mod keeping;
mod protocol;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cachescope_model::source::SourceId;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::settings::{
    self, ChangePlan, KnownChange, PutBack, Setting, plan_events, plan_slow_log,
};
use cachescope_store::{ChangingLock, Holder, NewChange, RecordedChange, Store};

pub(crate) use self::approval::Approvals;
pub(crate) use self::held::Held;
use self::keeper::Keeper;
use self::protocol::{HeldChange, Hold};
use crate::session::SessionPlan;
use crate::wire::{WireError, WireErrorCode};

/// How long another process may keep us from planning and recording.
const LOCK_WITHIN: Duration = Duration::from_secs(5);
/// A sample that is over for this long without having been put back is put back by the keeper: our process is
/// stopped, or stuck.
const GRACE: Duration = Duration::from_secs(60);

/// What needs a change of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// Misses, evictions and expirations are announced.
    Events,
    /// Every command is logged for a while.
    SlowLog,
}

impl Guarded {
    /// Which source it is for.
    #[must_use]
    pub const fn source(self) -> SourceId {
        match self {
            Self::Events => SourceId::Events,
            Self::SlowLog => SourceId::SlowLog,
        }
    }
}

/// The keeping of what this process changes. Clones are the same.
#[derive(Clone)]
pub struct Custody {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    holder: Holder,
    keeper: Arc<Keeper>,
}

impl Custody {
    /// `program` is what becomes the keeper when it is started with [`keeping::ARGUMENT`]; without one nothing
    /// is changed that a kill of ours could leave behind.
    ///
    /// # Errors
    /// When the state directory can't be written: what can't be recorded is not changed.
    pub fn open(store: Store, directory: PathBuf, program: Option<PathBuf>) -> Result<Self, WireError> {
        let holder = store.hold()?;
        let keeper = Arc::new(Keeper::new(directory, program));
        Ok(Self { inner: Arc::new(Inner { store, holder, keeper }) })
    }

    /// What would be changed on a server. Writes nothing to it, except what a crash of ours left behind.
    ///
    /// # Errors
    /// Why it can't or must not be changed.
    pub async fn plan(&self, node: &RedisNode, what: Guarded) -> Result<ChangePlan, WireError> {
        self.recover(node).await?;
        let open = self.inner.store.open_changes().await?;
        let mine = open.iter().any(|record| {
            record.change.holder == self.inner.holder.id()
                && record.change.node == *node.name()
                && record.change.setting == Setting::SlowLogThreshold.name()
        });
        if mine && what == Guarded::SlowLog {
            return Err(WireError::new(WireErrorCode::BadInput, "the slow log is sampled already")
                .with_remedy("switch it off first to begin anew"));
        }
        Ok(plan(node, what, &known(&open)).await?)
    }

    /// Changes what was approved, until the [`Held`] puts it back or this process ends. For the slow log the
    /// change itself is left to the sample, which makes it again and again.
    ///
    /// # Errors
    /// When it is not any more as it was shown, can't be recorded, nobody could put it back after a kill of
    /// ours, or the server refuses. Then nothing stays changed.
    pub(crate) async fn take(
        &self,
        session: &SessionPlan,
        node: &Arc<RedisNode>,
        what: Guarded,
        approved: &ChangePlan,
        at_most: Option<Duration>,
        at: Timestamp,
    ) -> Result<Held, WireError> {
        let lock = self.lock().await?;
        let (plan, records) = self.record(session, node, what, approved, self.inner.holder.id(), at).await?;
        let hold = Hold {
            url: node.target().public_url(),
            password: node.target().password().map(protocol::expose),
            tls: session.deployment.tls.clone(),
            ssh: session.deployment.ssh.clone(),
            ssh_secret: session.ssh.as_ref().and_then(|tunnel| tunnel.secret()).map(protocol::expose),
            timeout_ms: u64::try_from(session.timeout.as_millis()).unwrap_or(u64::MAX),
            holder: self.inner.holder.id().to_owned(),
            run_id: plan.run_id.clone(),
            changes: records.iter().map(HeldChange::of).collect(),
            expires_ms: at_most
                .map(|at_most| u64::try_from((at_most + GRACE).as_millis()).unwrap_or(u64::MAX)),
        };
        let mut held = Held { custody: self.clone(), node: Arc::clone(node), plan, records, keeper: None };
        if held.records.is_empty() {
            return Ok(held);
        }
        match self.inner.keeper.hold(hold).await {
            Ok(id) => held.keeper = Some(id),
            Err(error) => {
                held.settle_unchanged().await;
                return Err(error);
            }
        }
        if what == Guarded::Events
            && let Err(error) = settings::change(node, &held.plan).await
        {
            // What was made before the refusal is undone already, unless the connection broke.
            if let Err(left) = held.put_back().await {
                tracing::warn!(%left, "the keeper puts back what is left");
            }
            return Err(error.into());
        }
        drop(lock);
        Ok(held)
    }

    /// Changes what was approved for good: until [`put_back_lasting`](Self::put_back_lasting).
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub async fn change_lasting(
        &self,
        session: &SessionPlan,
        node: &Arc<RedisNode>,
        approved: &ChangePlan,
        at: Timestamp,
    ) -> Result<(), WireError> {
        let _lock = self.lock().await?;
        let (plan, records) = self.record(session, node, Guarded::Events, approved, "", at).await?;
        if let Err(error) = settings::change(node, &plan).await {
            let mut held =
                Held { custody: self.clone(), node: Arc::clone(node), plan, records, keeper: None };
            if let Err(left) = held.put_back().await {
                tracing::warn!(%left, "it stays recorded as changed");
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Puts back what was changed for good on this server. Gives what became of it, setting by setting; nothing
    /// where nothing is recorded.
    ///
    /// # Errors
    /// When the server can't be asked or refuses; the record stays then.
    pub async fn put_back_lasting(&self, node: &RedisNode) -> Result<Vec<(Setting, PutBack)>, WireError> {
        let open = self.inner.store.open_changes().await?;
        self.put_back_all(node, open.into_iter().filter(RecordedChange::is_lasting).collect()).await
    }

    /// Puts back what a process that is gone left changed on this server. To be called when a server is reached.
    ///
    /// # Errors
    /// When the server can't be asked or refuses; the records stay then.
    pub async fn recover(&self, node: &RedisNode) -> Result<Vec<(Setting, PutBack)>, WireError> {
        let left = self.left_behind().await?;
        self.put_back_all(node, left).await
    }

    /// Whether a process that is gone left anything changed, on any server.
    pub(crate) async fn has_left_behind(&self) -> bool {
        match self.left_behind().await {
            Ok(left) => !left.is_empty(),
            Err(error) => {
                tracing::warn!(%error, "the recorded changes can't be read");
                false
            }
        }
    }

    async fn left_behind(&self) -> Result<Vec<RecordedChange>, WireError> {
        let open = self.inner.store.open_changes().await?;
        let gone = |record: &RecordedChange| {
            !record.is_lasting() && !self.inner.store.is_alive(&record.change.holder)
        };
        Ok(open.into_iter().filter(gone).collect())
    }

    async fn put_back_all(
        &self,
        node: &RedisNode,
        records: Vec<RecordedChange>,
    ) -> Result<Vec<(Setting, PutBack)>, WireError> {
        let mut outcomes = Vec::new();
        if records.is_empty() {
            return Ok(outcomes);
        }
        let run_id = settings::run_id_of(node).await?;
        for record in records {
            let here = record.change.run_id == run_id || record.change.node == *node.name();
            if let (true, Some(change)) = (here, known_change(&record)) {
                outcomes.push((change.setting, put_back(&self.inner.store, node, record.id, &change).await?));
            }
        }
        Ok(outcomes)
    }

    async fn lock(&self) -> Result<ChangingLock, WireError> {
        let store = self.inner.store.clone();
        let locked = tokio::task::spawn_blocking(move || store.lock_changes(LOCK_WITHIN)).await;
        let broken = |error| WireError::new(WireErrorCode::Internal, format!("no lock on changes: {error}"));
        Ok(locked.map_err(broken)??)
    }

    /// Plans again, and writes down what is about to be changed if it is what was approved.
    async fn record(
        &self,
        session: &SessionPlan,
        node: &RedisNode,
        what: Guarded,
        approved: &ChangePlan,
        holder: &str,
        at: Timestamp,
    ) -> Result<(ChangePlan, Vec<RecordedChange>), WireError> {
        let open = self.inner.store.open_changes().await?;
        let plan = plan(node, what, &known(&open)).await?;
        if plan != *approved {
            return Err(approval::void("the server is not any more as it was when this was shown"));
        }
        let changes = plan.changes.iter().map(|change| NewChange {
            holder: holder.to_owned(),
            deployment: session.deployment.id.clone(),
            node: plan.node.to_string(),
            run_id: plan.run_id.clone(),
            setting: change.setting.name().to_owned(),
            old_value: change.old.clone(),
            new_value: change.new.clone(),
            at,
        });
        let records = self.inner.store.record_changes(changes.collect()).await?;
        Ok((plan, records))
    }
}

async fn plan(
    node: &RedisNode,
    what: Guarded,
    known: &[KnownChange],
) -> Result<ChangePlan, cachescope_sources::error::SourceError> {
    match what {
        Guarded::Events => plan_events(node, known).await,
        Guarded::SlowLog => plan_slow_log(node, known).await,
    }
}

fn known_change(record: &RecordedChange) -> Option<KnownChange> {
    Some(KnownChange {
        run_id: record.change.run_id.clone(),
        setting: Setting::by_name(&record.change.setting)?,
        old: record.change.old_value.clone(),
        new: record.change.new_value.clone(),
    })
}

fn known(records: &[RecordedChange]) -> Vec<KnownChange> {
    records.iter().filter_map(known_change).collect()
}

/// Puts one recorded change back, as far as nobody else needs it, and settles its record.
async fn put_back(
    store: &Store,
    node: &RedisNode,
    record: i64,
    change: &KnownChange,
) -> Result<PutBack, WireError> {
    let open = store.open_changes().await?;
    let others: Vec<_> = open
        .iter()
        .filter(|other| other.id != record && (other.is_lasting() || store.is_alive(&other.change.holder)))
        .filter_map(known_change)
        .collect();
    let outcome = settings::put_back(node, change, &others).await?;
    store.settle_change(record, &outcome.to_string()).await?;
    tracing::info!(node = %node.target(), setting = change.setting.name(), "{outcome}");
    Ok(outcome)
}
