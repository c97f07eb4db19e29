//! Switching sources on and off, those that change a server's settings only with an approval.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::source::SourceId;
use cachescope_sources::redis::settings::ChangePlan;

use super::App;
use crate::custody::Guarded;
use crate::prices;
use crate::wire::{SourcePrice, WireError};

impl App {
    /// What a source would cost and change, and the approval of just that.
    pub(super) async fn preview(
        &self,
        id: &DeploymentId,
        source: SourceId,
    ) -> Result<SourcePrice, WireError> {
        let session = self.session(id)?;
        let what = match source {
            SourceId::Events => Guarded::Events,
            SourceId::SlowLog => Guarded::SlowLog,
            _ => return Ok(prices::of_source(source)),
        };
        let plans = session.preview(what).await?;
        let to_approve = what == Guarded::SlowLog || plans.iter().any(|plan| !plan.is_empty());
        let approval = to_approve.then(|| self.inner.approvals.issue(id, what, plans.clone(), self.now()));
        Ok(prices::of_change(what, &plans, approval))
    }

    pub(super) fn redeem(
        &self,
        token: &str,
        id: &DeploymentId,
        what: Guarded,
    ) -> Result<Vec<ChangePlan>, WireError> {
        self.inner.approvals.redeem(token, id, what, self.now())
    }

    pub(super) async fn set_source(
        &self,
        id: &DeploymentId,
        source: SourceId,
        on: bool,
        approval: Option<&str>,
    ) -> Result<(), WireError> {
        let session = self.session(id)?;
        match (source, on, approval) {
            (SourceId::SlowLog, true, Some(token)) => {
                let approved = self.redeem(token, id, Guarded::SlowLog)?;
                session.sample_slow_log(approved).await?;
            }
            _ => session.set_source(source, on),
        }
        if source == SourceId::Events && !on {
            session.restore_events().await?;
        }
        Ok(())
    }
}
