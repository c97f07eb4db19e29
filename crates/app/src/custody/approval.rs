//! Approvals: tokens that the core issues with what it showed, and takes back once.
//!
//! The page has no authority: a token stands for one plan of one deployment, is of use once and for five
//! minutes, and the plan is made again and compared before anything is changed.

use std::time::Duration;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::settings::ChangePlan;
use parking_lot::Mutex;

use super::Guarded;
use crate::wire::{IssuedApproval, WireError, WireErrorCode};

/// How long what was shown may be approved.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Approvals that may be open at once; the oldest goes first.
const MOST_OPEN: usize = 64;

#[derive(Default)]
pub(crate) struct Approvals {
    open: Mutex<Vec<Issued>>,
}

struct Issued {
    token: String,
    deployment: DeploymentId,
    what: Guarded,
    plans: Vec<ChangePlan>,
    expires_at: Timestamp,
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
        let token = cachescope_store::Store::new_deployment_id().0;
        let expires_at = now.plus_millis(LIFETIME.as_millis() as i64);
        let mut open = self.open.lock();
        open.retain(|issued| issued.expires_at > now);
        if open.len() == MOST_OPEN {
            open.remove(0);
        }
        open.push(Issued { token: token.clone(), deployment: deployment.clone(), what, plans, expires_at });
        IssuedApproval { token, expires_at }
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
        let issued = {
            let mut open = self.open.lock();
            let place = open.iter().position(|issued| issued.token == token);
            place.map(|place| open.remove(place))
        };
        match issued {
            Some(issued) if issued.deployment != *deployment || issued.what != what => {
                Err(void("this approval is for something else"))
            }
            Some(issued) if issued.expires_at <= now => Err(void("this approval is older than five minutes")),
            Some(issued) => Ok(issued.plans),
            None => Err(void("this was not approved, or the approval was used already")),
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

    fn id(name: &str) -> DeploymentId {
        DeploymentId(name.to_owned())
    }

    #[test]
    fn an_approval_is_good_once_for_what_it_was_issued_for_and_five_minutes() {
        let approvals = Approvals::default();
        let now = Timestamp(1_000);
        let issue = || approvals.issue(&id("a"), Guarded::Events, Vec::new(), now).token;
        let late = now.plus_millis(300_000);
        for (token, deployment, what, at, good) in [
            (issue(), "a", Guarded::Events, now, true),
            (issue(), "a", Guarded::Events, late.plus_millis(-1), true),
            (issue(), "a", Guarded::Events, late, false),
            (issue(), "b", Guarded::Events, now, false),
            (issue(), "a", Guarded::SlowLog, now, false),
            ("forged".to_owned(), "a", Guarded::Events, now, false),
        ] {
            let first = approvals.redeem(&token, &id(deployment), what, at);
            assert_eq!(first.is_ok(), good, "{deployment} {what:?} {at:?}");
            let second = approvals.redeem(&token, &id("a"), Guarded::Events, now);
            assert_eq!(second.expect_err("it is spent").code, WireErrorCode::NotApproved);
        }
    }

    #[test]
    fn no_more_than_the_bound_are_open_and_the_oldest_goes_first() {
        let approvals = Approvals::default();
        let issue = || approvals.issue(&id("a"), Guarded::Events, Vec::new(), Timestamp(0)).token;
        let (first, second) = (issue(), issue());
        let mut last = String::new();
        for _ in 0..MOST_OPEN - 1 {
            last = issue();
        }
        for (token, good) in [(first, false), (second, true), (last, true)] {
            let redeemed = approvals.redeem(&token, &id("a"), Guarded::Events, Timestamp(1));
            assert_eq!(redeemed.is_ok(), good);
        }
    }
}
