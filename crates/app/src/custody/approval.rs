//! Approvals of changes to a server's settings: the plan is made again and compared before anything is changed.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::settings::ChangePlan;

use super::Guarded;
use crate::tokens::Tokens;
use crate::wire::{IssuedApproval, WireError, WireErrorCode};

#[derive(Default)]
pub(crate) struct Approvals {
    open: Tokens<Shown>,
}

struct Shown {
    deployment: DeploymentId,
    what: Guarded,
    plans: Vec<ChangePlan>,
}

impl Approvals {
    /// A token for these plans.
    pub(crate) fn issue(
        &self,
        deployment: &DeploymentId,
        what: Guarded,
        plans: Vec<ChangePlan>,
        now: Timestamp,
    ) -> IssuedApproval {
        self.open.issue(Shown { deployment: deployment.clone(), what, plans }, now)
    }

    /// What a token approves. It is of no use afterwards, whatever comes of it.
    ///
    /// # Errors
    /// `not_approved` where the token was never issued, was used, is too old, or is for something else.
    pub(crate) fn redeem(
        &self,
        token: &str,
        deployment: &DeploymentId,
        what: Guarded,
        now: Timestamp,
    ) -> Result<Vec<ChangePlan>, WireError> {
        match self.open.redeem(token, now) {
            Ok(shown) if shown.deployment == *deployment && shown.what == what => Ok(shown.plans),
            Ok(_) => Err(void("this approval is for something else")),
            Err(why) => Err(void(why)),
        }
    }
}

/// An approval that is of no use.
pub(super) fn void(why: &str) -> WireError {
    WireError::new(WireErrorCode::NotApproved, format!("nothing was changed: {why}"))
        .with_remedy("look at what would be changed, and approve that")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_good_for_what_it_was_issued_for_alone() {
        let approvals = Approvals::default();
        let id = |name: &str| DeploymentId(name.to_owned());
        let now = Timestamp(1_000);
        let issue = || approvals.issue(&id("a"), Guarded::Events, Vec::new(), now).token;
        for (token, deployment, what, good) in [
            (issue(), "a", Guarded::Events, true),
            (issue(), "b", Guarded::Events, false),
            (issue(), "a", Guarded::SlowLog, false),
        ] {
            let first = approvals.redeem(&token, &id(deployment), what, now);
            assert_eq!(first.is_ok(), good, "{deployment} {what:?}");
            let second = approvals.redeem(&token, &id("a"), Guarded::Events, now);
            assert_eq!(second.expect_err("it is spent").code, WireErrorCode::NotApproved);
        }
    }
}
