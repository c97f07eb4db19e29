//! Documented warms that this program starts by itself: only those that an operator has armed, as they were armed, and
//! only while the deployment has the name and the environment that it had then. Whatever a guard refuses does not run.

use std::collections::BTreeMap;
use std::sync::Arc;

use cachescope_actions::guards::{ARMED_FOR, Said, refusal, said_enough};
use cachescope_actions::servers::Servers;
use cachescope_actions::warm::schedule::{self, Decided, DueRun, MissedRuns, Schedule};
use cachescope_actions::{Failure, FailureKind, canonical};
use cachescope_model::deployment::Environment;
use cachescope_model::strategy::{Strategy, Trigger};
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::planning::bad;
use super::records::storage;
use crate::session::Session;
use crate::wire::{ActionDraft, ArmedSchedule, ScheduledRun, WarmDraft, WireError};

/// An armed schedule as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    draft: WarmDraft,
    cron: String,
    missed: MissedRuns,
    decided: Decided,
    operator: String,
    reason: String,
    since: Timestamp,
    deployment_name: String,
    environment: Environment,
    last: Option<ScheduledRun>,
}

/// The armed schedules of a deployment, by the plan's name.
pub(super) type Schedules = BTreeMap<String, Kept>;

fn place(session: &Session) -> String {
    format!("warm.schedules.{}", session.deployment().id.0)
}

/// The cron expression of a documented plan.
pub(super) fn cron_of<'s>(strategy: &'s Strategy, plan: &str) -> Option<&'s str> {
    strategy.warm_plan(plan)?.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Schedule(cron) => Some(cron.0.as_str()),
        Trigger::Event(_) => None,
    })
}

impl Desk {
    /// The armed schedules of a deployment, read once.
    pub(super) async fn schedules(&self, session: &Session) -> Schedules {
        let id = &session.deployment().id;
        if let Some(known) = self.warm().schedules.lock().get(id) {
            return known.clone();
        }
        let kept = self.store().setting(&place(session)).await.ok().flatten();
        let read: Schedules = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        self.warm().schedules.lock().entry(id.clone()).or_insert(read).clone()
    }

    /// Changes them in one step.
    async fn change_schedules<T>(&self, session: &Session, change: impl FnOnce(&mut Schedules) -> T) -> T {
        self.schedules(session).await;
        let mut known = self.warm().schedules.lock();
        change(known.entry(session.deployment().id.clone()).or_default())
    }

    async fn keep_schedules(&self, session: &Session) -> Result<(), Failure> {
        let text = serde_json::to_string(&self.schedules(session).await).unwrap_or_default();
        self.store().set_setting(&place(session), &text).await.map_err(storage)
    }

    /// Arms a documented plan's schedule, where the operator has said what the environment wants to hear.
    pub(super) async fn arm_schedule(
        &self,
        session: &Session,
        draft: WarmDraft,
        missed: MissedRuns,
        said: &Said,
    ) -> Result<(), WireError> {
        let deployment = session.deployment();
        let checks = said_enough(deployment.environment(), &deployment.name, said, self.now());
        if let Some(check) = refusal(&checks) {
            return Err(
                Failure::new(FailureKind::Refused, check.sentence.clone(), check.remedy.clone()).into()
            );
        }
        let name = draft.plan.clone().unwrap_or_default();
        let cron = cron_of(session.strategy(), &name)
            .ok_or_else(|| bad(format!("the plan {name:?} has no schedule"), "give it one in the strategy"))?
            .to_owned();
        // What can't be planned now could not be run later. The keys are those of then.
        self.plan(session, &ActionDraft::Warm { warm: Box::new(draft.clone()) }, None).await?;
        let now = self.now();
        let kept = Kept {
            draft,
            cron,
            missed,
            decided: Decided::from(now),
            operator: self.operator().to_owned(),
            reason: said.reason.clone().unwrap_or_default(),
            since: now,
            deployment_name: deployment.name.clone(),
            environment: deployment.environment(),
            last: None,
        };
        let details = serde_json::json!({ "plan": name, "cron": kept.cron, "missed": kept.missed });
        self.audit(session, "schedule.armed", "", &kept.reason, details).await?;
        self.change_schedules(session, |all| all.insert(name, kept)).await;
        Ok(self.keep_schedules(session).await?)
    }

    /// Disarms a schedule; `why` is empty where an operator does it.
    pub(super) async fn disarm_schedule(
        &self,
        session: &Session,
        plan: &str,
        why: &str,
    ) -> Result<(), WireError> {
        if self.change_schedules(session, |all| all.remove(plan)).await.is_none() {
            return Ok(());
        }
        let details = serde_json::json!({ "plan": plan, "why": why });
        self.audit(session, "schedule.disarmed", "", "", details).await?;
        Ok(self.keep_schedules(session).await?)
    }

    /// Starts what is due. Called once a second; what takes longer runs on by itself.
    pub(super) async fn start_due(&self, session: &Arc<Session>) -> Result<(), WireError> {
        let now = self.now();
        let (due, stale) = self.change_schedules(session, |all| decide(all, session, now)).await;
        if !due.is_empty() {
            // Not written every second: after a restart everything since the last run counts as missed.
            self.keep_schedules(session).await?;
        }
        for name in stale {
            self.disarm_schedule(session, &name, "the deployment, its strategy or its schedule was changed")
                .await?;
        }
        for (name, kept, run) in due {
            let (desk, session) = (self.clone(), Arc::clone(session));
            tokio::spawn(async move {
                let last = Box::pin(desk.run_scheduled(&session, &kept, run)).await;
                let noted = |all: &mut Schedules| {
                    if let Some(kept) = all.get_mut(&name) {
                        kept.last = Some(last);
                    }
                };
                desk.change_schedules(&session, noted).await;
                if let Err(error) = desk.keep_schedules(&session).await {
                    tracing::warn!(%error, "what became of a scheduled run was not kept");
                }
            });
        }
        Ok(())
    }

    async fn run_scheduled(&self, session: &Arc<Session>, kept: &Kept, run: DueRun) -> ScheduledRun {
        let (started, said) = match self.try_scheduled(session, kept, run).await {
            Ok(Some(started)) => (started, "it was started".to_owned()),
            Ok(None) => (String::new(), "another instance has it".to_owned()),
            Err(failure) => (String::new(), failure.message),
        };
        if started.is_empty() {
            let details = serde_json::json!({ "plan": kept.draft.plan, "why": said });
            if let Err(error) = self.audit(session, "schedule.not_run", "", &kept.reason, details).await {
                tracing::warn!(%error, "a scheduled run that did not start is missing in the audit");
            }
        }
        ScheduledRun { at: run.at, run: started, said }
    }

    /// Previews and runs as an operator would; `None` where another instance has taken this time.
    async fn try_scheduled(
        &self,
        session: &Arc<Session>,
        kept: &Kept,
        run: DueRun,
    ) -> Result<Option<String>, WireError> {
        let servers = Servers::inspect(&session.discovered().await?).await?;
        let hash = canonical::hash(&kept.draft).map_err(|error| bad(error.to_string(), ""))?;
        if !schedule::take(&servers, &hash, run.at, self.operator()).await? {
            return Ok(None);
        }
        let plan =
            self.plan(session, &ActionDraft::Warm { warm: Box::new(kept.draft.clone()) }, None).await?;
        let found = self.preview(session, plan, &Arc::default(), &CancellationToken::new()).await?;
        if let Some(check) = refusal(&found.preview.checks) {
            return Err(
                Failure::new(FailureKind::Refused, check.sentence.clone(), check.remedy.clone()).into()
            );
        }
        let Some(approval) = &found.approval else { return Ok(None) };
        let said = Said {
            name: Some(kept.deployment_name.clone()),
            reason: Some(format!("schedule {} UTC, armed by {}: {}", kept.cron, kept.operator, kept.reason)),
            // Armed is the schedule itself.
            armed_until: Some(self.now().plus_millis(ARMED_FOR.as_millis() as i64 / 2)),
        };
        let handle = self.run(session, &approval.token, Some(&found.preview.plan_hash), said).await?;
        Ok(Some(handle.state().run))
    }
}

/// What is due, and what is not as it was armed any more.
fn decide(
    all: &mut Schedules,
    session: &Session,
    now: Timestamp,
) -> (Vec<(String, Kept, DueRun)>, Vec<String>) {
    let (mut due, mut stale) = (Vec::new(), Vec::new());
    let deployment = session.deployment();
    for (name, kept) in all {
        let same = kept.deployment_name == deployment.name && kept.environment == deployment.environment();
        if !same || cron_of(session.strategy(), name) != Some(kept.cron.as_str()) {
            stale.push(name.clone());
            continue;
        }
        let Ok(schedule) = Schedule::parse(&kept.cron) else { continue };
        let missed = kept.decided.missed;
        if let Some(run) = kept.decided.due(&schedule, now, kept.missed) {
            due.push((name.clone(), kept.clone(), run));
        } else if kept.decided.missed != missed {
            kept.last = Some(ScheduledRun { at: now, run: String::new(), said: "it was missed".to_owned() });
        }
    }
    (due, stale)
}

/// How an armed schedule is shown.
pub(super) fn shown(kept: &Kept) -> ArmedSchedule {
    ArmedSchedule {
        by: kept.operator.clone(),
        since: kept.since,
        missed: kept.missed,
        missed_runs: kept.decided.missed,
        last: kept.last.clone(),
    }
}
