//! Running an approved plan: wave by wave, at the pace that others don't feel, written down as it goes.
//!
//! `control` is what an operator can do meanwhile, `driver` goes through the steps and `one_server` through a server's
//! pages, `watching` judges what halts the run and watches between waves, `ending` is why it goes no further, `removal`
//! is the one place where keys are removed, `soften` the one where they are shortened, `small_steps` are those of one
//! command or request, `felt` measures what others feel, `turns` says whose turn it is. `warming` and `copying` are the
//! places where keys are filled: `filling` does a page, `loading` sends its requests, `claimed` comes back to what somebody
//! else was loading, `helping` halts what does not help.

mod claimed;
mod control;
mod copying;
mod driver;
mod ending;
mod felt;
mod filling;
mod helping;
mod loading;
mod one_server;
mod removal;
mod small_steps;
mod soften;
mod turns;
mod warming;
mod watching;

use std::sync::Arc;

use cachescope_model::time::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use control::{RunHandle, StopRules};
use control::{Shared, Wanted};
pub(crate) use felt::Felt;

use crate::approval::Approval;
use crate::clock::Clock;
use crate::failure::{Failure, FailureKind};
use crate::lock::{Lock, LockName};
use crate::records::{AuditEntry, Records};
use crate::request::Tokens;
use crate::run_state::{NodeProgress, RunCounts, RunPhase, RunRecord, RunState, WaveState};
use crate::selection::Attribution;
use crate::servers::Servers;
use crate::undo::UndoWriter;
use crate::warm::WarmContext;

/// Keys below which waves are no use: the first 1 % would be a handful.
const WAVES_FROM: u64 = 1_000;
/// Up to which share of the keys each wave goes.
const WAVES: [f64; 3] = [0.01, 0.1, 1.0];

/// What a run works with.
pub struct RunContext {
    /// Where.
    pub servers: Servers,
    /// Whose keys are whose.
    pub attribution: Arc<Attribution>,
    /// Who writes down what is done.
    pub records: Arc<dyn Records>,
    /// What halts it besides what others feel.
    pub rules: Arc<dyn StopRules>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where what is removed is kept; `None` where the plan keeps nothing.
    pub undo: Option<UndoWriter>,
    /// Bytes that one key may have to be kept.
    pub most_bytes_of_a_key: u64,
    /// What a warm works with.
    pub warm: WarmContext,
    /// The tokens of the deployment's endpoints.
    pub tokens: Tokens,
}

impl RunContext {
    fn now(&self) -> Timestamp {
        self.clock.read().wall
    }
}

/// Starts an approved plan under the name `run`.
///
/// # Errors
/// Where somebody else is at it, the servers are not those that were approved, or it can't be written down.
pub async fn start(
    approval: Approval,
    run: String,
    reason: String,
    context: RunContext,
) -> Result<RunHandle, Failure> {
    let bound = approval.bound();
    if context.servers.run_ids() != bound.run_ids {
        return Err(Failure::new(
            FailureKind::NotApproved,
            "nothing was changed: a server was restarted, failed over or replaced since the approval",
            "preview it again, and approve that",
        ));
    }
    let plan = approval.plan().clone();
    let removes = plan.removes();
    if plan.how.undo && removes && context.undo.is_none() {
        return Err(Failure::storage("the plan keeps what it removes, and there is no undo file", ""));
    }
    let expected = approval.keys();
    let waved = plan.how.watch_between_waves_ms > 0 && expected >= WAVES_FROM;
    let wave = |ratio: f64| WaveState {
        up_to_ratio: ratio,
        up_to_keys: (expected as f64 * ratio).ceil() as u64,
        done: false,
        remark: String::new(),
    };
    let progress = |share: &crate::preview_result::NodeShare| NodeProgress {
        node: share.node.clone(),
        expected: share.keys,
        removed: 0,
    };
    let undo = context.undo.as_ref().filter(|_| removes && plan.how.undo);
    let state = RunState {
        run: run.clone(),
        deployment: bound.deployment.clone(),
        deployment_name: bound.deployment_name.clone(),
        plan_hash: approval.plan_hash().to_owned(),
        operator: bound.operator.clone(),
        reason,
        began: context.now(),
        at: context.now(),
        phase: RunPhase::Running,
        why: String::new(),
        remedy: String::new(),
        expected,
        predicted_extra_misses_per_second: approval.predicted(),
        step: 0,
        counts: RunCounts::default(),
        waves: if waved { WAVES.map(wave).to_vec() } else { vec![wave(1.0)] },
        nodes: approval.nodes().iter().map(progress).collect(),
        keys_per_second: 0.0,
        seconds_left: None,
        baseline_p99_seconds: None,
        p99_seconds: None,
        stop_rules: Vec::new(),
        undo: undo.and_then(|undo| Some(undo.path().file_name()?.to_string_lossy().into_owned())),
        undo_bytes: undo.map_or(0, UndoWriter::bytes),
        hit_rate_before: None,
        hit_rate: None,
        answers: Vec::new(),
        plan,
    };
    let record = RunRecord {
        state,
        run_ids: bound.run_ids.clone(),
        cursors: Default::default(),
        places: Default::default(),
        ended: Vec::new(),
        waiting: Vec::new(),
        undone_at: None,
    };
    begin(record, context, "started").await
}

/// Lets a run go on that was halted, or that the end of its process interrupted. What was removed before is in its
/// undo file already; keys that were not come up again.
///
/// # Errors
/// Where it is over, or the servers are not those that were approved.
pub async fn resume(mut record: RunRecord, context: RunContext) -> Result<RunHandle, Failure> {
    if record.state.phase.is_over() {
        return Err(Failure::bad(format!("run {} is over", record.state.run), "preview and run it again"));
    }
    if context.servers.run_ids() != record.run_ids {
        return Err(Failure::new(
            FailureKind::NotApproved,
            "a server was restarted, failed over or replaced since this run was approved",
            "preview it again, and approve that",
        ));
    }
    if record.state.plan.how.undo && record.state.plan.removes() && context.undo.is_none() {
        return Err(Failure::storage("the plan keeps what it removes, and there is no undo file", ""));
    }
    record.state.phase = RunPhase::Running;
    record.state.why.clear();
    record.state.remedy.clear();
    begin(record, context, "resumed").await
}

async fn begin(record: RunRecord, context: RunContext, event: &str) -> Result<RunHandle, Failure> {
    let selections = crate::preview::selections(&record.state.plan, &context.attribution)?;
    let state = &record.state;
    let (name, whole) = (LockName::of(&state.plan, &state.plan_hash), LockName::deployment());
    if name != whole
        && let Some(holder) = crate::lock::holder(&context.servers, &whole).await?
    {
        return Err(crate::lock::locked(&holder));
    }
    let patience = context.warm.wait_for_lock;
    let lock = Lock::await_turn(&context.servers, &name, &state.operator, &state.run, patience).await?;
    let written = async {
        context.records.save_run(&record).await?;
        context.records.audit(entry(&record.state, event)).await
    };
    if let Err(error) = written.await {
        lock.release().await;
        return Err(error);
    }
    let (control, wanted) = watch::channel(Wanted::Go);
    let (ended, over) = watch::channel(false);
    let shared = Arc::new(Shared { record: Mutex::new(record), control });
    let driver = driver::Driver::new(Arc::clone(&shared), context, lock, wanted);
    tokio::spawn(async move {
        driver.drive(selections).await;
        ended.send_replace(true);
    });
    Ok(RunHandle::new(shared, over))
}

/// A row for the audit.
#[must_use]
pub fn entry(state: &RunState, event: &str) -> AuditEntry {
    AuditEntry {
        operator: state.operator.clone(),
        deployment: state.deployment.clone(),
        deployment_name: state.deployment_name.clone(),
        event: format!("{}.{event}", state.plan.word()),
        run: state.run.clone(),
        reason: state.reason.clone(),
        details: serde_json::json!({
            "plan": state.plan_hash,
            "title": state.plan.title,
            "expected": state.expected,
            "counts": state.counts,
            "undo": state.undo,
            "answers": state.answers,
            "why": state.why,
        }),
    }
}
