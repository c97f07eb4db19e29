//! Approvals: a token stands for one previewed plan of one deployment, for one operator, once and for five minutes,
//! on servers that have not been restarted or replaced since.
//!
//! Only the token's hash is kept. The plan comes from what was kept and never from whoever brings the token, so
//! there is nothing to edit.

use std::collections::BTreeMap;
use std::time::Duration;

use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::clock::{Clock, ClockReading};
use crate::failure::{Failure, FailureKind};
use crate::plan::Plan;
use crate::preview_result::{NodeShare, Preview};
use crate::records::Records;

/// How long what was previewed may be approved.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// To whom and what an approval is bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// What it is called.
    pub deployment_name: String,
    /// Its environment.
    pub environment: Environment,
    /// Who, as `user@host`.
    pub operator: String,
    /// The `run_id` of every primary.
    pub run_ids: BTreeMap<String, String>,
}

/// What is kept under a token's hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    bound: Bound,
    plan: Plan,
    plan_hash: String,
    issued: ClockReading,
    keys: u64,
    nodes: Vec<NodeShare>,
    predicted: Option<f64>,
}

/// A token, as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A plan that may be run. There is no other way to one than [`redeem`].
#[derive(Debug)]
pub struct Approval {
    bound: Bound,
    plan: Plan,
    plan_hash: String,
    keys: u64,
    nodes: Vec<NodeShare>,
    predicted: Option<f64>,
}

impl Approval {
    /// To whom and what it is bound.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// What may be run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its hash.
    #[must_use]
    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }

    /// Keys that the preview counted.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Misses a second that the preview predicted.
    #[must_use]
    pub fn predicted(&self) -> Option<f64> {
        self.predicted
    }

    /// The keys by server.
    #[must_use]
    pub fn nodes(&self) -> &[NodeShare] {
        &self.nodes
    }
}

/// A token for a previewed plan.
///
/// # Errors
/// Where a check of the preview refuses, or the approval can't be kept.
pub async fn issue(
    records: &dyn Records,
    clock: &dyn Clock,
    bound: Bound,
    preview: &Preview,
) -> Result<IssuedToken, Failure> {
    if let Some(check) = crate::guards::refusal(&preview.checks) {
        return Err(Failure::refused(check.sentence.clone(), &check.remedy));
    }
    let token = canonical::hex(&rand::random::<[u8; 32]>());
    let issued = clock.read();
    let expires_at = issued.wall.plus_millis(LIFETIME.as_millis() as i64);
    let kept = Kept {
        bound,
        plan: preview.plan.clone(),
        plan_hash: preview.plan_hash.clone(),
        issued,
        keys: preview.keys,
        nodes: preview.nodes.clone(),
        predicted: preview.predicted_extra_misses_per_second.value,
    };
    let document = serde_json::to_string(&kept)
        .map_err(|error| Failure::storage(format!("the approval can't be written: {error}"), ""))?;
    records.keep_approval(canonical::sha256(token.as_bytes()), document).await?;
    Ok(IssuedToken { token, expires_at })
}

/// What a token approves, once; it is of no use afterwards, whatever comes of it. `shown` is the hash of the plan
/// that the operator saw, where the shell says it.
///
/// # Errors
/// Where the token was never issued, was used, is too old, or stands for something else than `now_bound`.
pub async fn redeem(
    records: &dyn Records,
    clock: &dyn Clock,
    token: &str,
    now_bound: &Bound,
    shown: Option<&str>,
) -> Result<Approval, Failure> {
    let Some(document) = records.take_approval(canonical::sha256(token.as_bytes())).await? else {
        return Err(void("this was not approved, or the approval was used already"));
    };
    let kept: Kept = serde_json::from_str(&document).map_err(|_| void("the approval can't be read"))?;
    let elapsed = clock.read().since(&kept.issued).map_err(void)?;
    if elapsed >= LIFETIME {
        return Err(void("the approval is older than five minutes"));
    }
    let hash = kept.plan.hash().map_err(|_| void("the approved plan can't be read"))?;
    if hash != kept.plan_hash || shown.is_some_and(|shown| shown != hash) {
        return Err(void("the plan is not the one that was previewed"));
    }
    let (then, now) = (&kept.bound, now_bound);
    let differs = if then.deployment != now.deployment {
        Some("it is for another deployment")
    } else if then.deployment_name != now.deployment_name {
        Some("the deployment has another name since")
    } else if then.environment != now.environment {
        Some("the deployment's environment was changed since")
    } else if then.operator != now.operator {
        Some("it is somebody else's")
    } else if then.run_ids != now.run_ids {
        Some("a server was restarted, failed over or replaced since")
    } else {
        None
    };
    if let Some(why) = differs {
        return Err(void(why));
    }
    let Kept { bound, plan, plan_hash, keys, nodes, predicted, .. } = kept;
    Ok(Approval { bound, plan, plan_hash, keys, nodes, predicted })
}

fn void(why: &str) -> Failure {
    Failure::new(
        FailureKind::NotApproved,
        format!("nothing was changed: {why}"),
        "preview it again, and approve that",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use cachescope_model::reading::Reading;
    use parking_lot::Mutex;

    use super::*;
    use crate::plan::{Action, HowToRun, Scope};
    use crate::preview_result::{TtlSpread, UndoOutlook};
    use crate::records::{AuditEntry, Recorded};
    use crate::run_state::RunRecord;

    #[derive(Default)]
    struct InMemory(Mutex<HashMap<String, String>>);

    impl Records for InMemory {
        fn keep_approval<'a>(&'a self, token_hash: String, document: String) -> Recorded<'a, ()> {
            self.0.lock().insert(token_hash, document);
            Box::pin(std::future::ready(Ok(())))
        }
        fn take_approval<'a>(&'a self, token_hash: String) -> Recorded<'a, Option<String>> {
            let taken = self.0.lock().remove(&token_hash);
            Box::pin(std::future::ready(Ok(taken)))
        }
        fn save_run<'a>(&'a self, _record: &'a RunRecord) -> Recorded<'a, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
        fn audit<'a>(&'a self, _entry: AuditEntry) -> Recorded<'a, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    struct SetClock(Mutex<ClockReading>);

    impl SetClock {
        fn pass(&self, wall_ms: i64, awake_ms: u64) {
            let mut reading = self.0.lock();
            reading.wall = reading.wall.plus_millis(wall_ms);
            reading.awake_ms += awake_ms;
        }
    }

    impl Clock for SetClock {
        fn read(&self) -> ClockReading {
            self.0.lock().clone()
        }
    }

    fn clock() -> SetClock {
        let reading = ClockReading { wall: Timestamp(1_000_000), awake_ms: 5_000, since: "start".to_owned() };
        SetClock(Mutex::new(reading))
    }

    fn bound() -> Bound {
        Bound {
            deployment: DeploymentId("d".to_owned()),
            deployment_name: "prod".to_owned(),
            environment: Environment::Production,
            operator: "ada@laptop".to_owned(),
            run_ids: BTreeMap::from([("a:1".to_owned(), "r1".to_owned())]),
        }
    }

    fn preview() -> Preview {
        let scope = Scope::Pattern { pattern: "user:*".to_owned(), database: None };
        let plan = Plan {
            deployment: bound().deployment,
            title: "Delete".to_owned(),
            steps: vec![Action::Remove { scope }],
            how: HowToRun::default(),
        };
        Preview {
            plan_hash: plan.hash().expect("hashed"),
            plan,
            at: Timestamp(0),
            steps: Vec::new(),
            keys: 1,
            all_keys: 10,
            bytes: Reading::exact(0.0, "", 0.0),
            types: BTreeMap::new(),
            types_of: 0,
            ttl: TtlSpread::default(),
            nodes: Vec::new(),
            namespaces: Vec::new(),
            sample: Vec::new(),
            biggest: Vec::new(),
            oldest: Vec::new(),
            hottest: Vec::new(),
            no_uses: String::new(),
            protected_keys: 0,
            too_large_for_undo: 0,
            undo: UndoOutlook { possible: true, sentence: String::new() },
            reads_per_second: Reading::exact(0.0, "", 0.0),
            predicted_extra_misses_per_second: Reading::exact(0.0, "", 0.0),
            warms: Vec::new(),
            checks: Vec::new(),
        }
    }

    #[tokio::test]
    async fn an_approval_is_good_once_for_just_what_was_previewed() {
        type Change = fn(&mut Bound);
        let unchanged: Change = |_| {};
        let cases: [(&str, Change, i64, u64, bool); 12] = [
            ("as it was", unchanged, 0, 0, true),
            ("just in time", unchanged, 299_999, 299_999, true),
            ("too late", unchanged, 300_000, 300_000, false),
            ("after sleep", unchanged, 60_000, 1_000, false),
            ("with the clock set back", unchanged, -2_000, 1_000, false),
            ("with the clock set back to just after the issue", unchanged, 1_000, 400_000, false),
            ("another deployment", |bound| bound.deployment.0.push('x'), 0, 0, false),
            ("renamed", |bound| bound.deployment_name.push('x'), 0, 0, false),
            ("another environment", |bound| bound.environment = Environment::Development, 0, 0, false),
            ("another operator", |bound| bound.operator.push('x'), 0, 0, false),
            (
                "after failover",
                |bound| {
                    bound.run_ids.insert("a:1".to_owned(), "r2".to_owned());
                },
                0,
                0,
                false,
            ),
            (
                "with another server",
                |bound| {
                    bound.run_ids.insert("b:1".to_owned(), "r9".to_owned());
                },
                0,
                0,
                false,
            ),
        ];
        for (name, change, wall, awake, good) in cases {
            let (records, clock) = (InMemory::default(), clock());
            let token = issue(&records, &clock, bound(), &preview()).await.expect("nothing refuses").token;
            clock.pass(wall, awake);
            let mut now = bound();
            change(&mut now);
            let first = redeem(&records, &clock, &token, &now, None).await;
            assert_eq!(first.is_ok(), good, "{name}");
            let second = redeem(&records, &clock, &token, &bound(), None).await.expect_err("it is spent");
            assert_eq!(second.kind, FailureKind::NotApproved, "{name}");
        }
    }

    #[tokio::test]
    async fn forged_tokens_edited_plans_and_refused_previews_are_no_approvals() {
        let (records, clock) = (InMemory::default(), clock());
        let forged = redeem(&records, &clock, "forged", &bound(), None).await.expect_err("never issued");
        assert_eq!(forged.kind, FailureKind::NotApproved);
        let token = issue(&records, &clock, bound(), &preview()).await.expect("nothing refuses").token;
        let other = redeem(&records, &clock, &token, &bound(), Some("another hash")).await;
        assert!(other.is_err(), "another plan was shown");
        let token = issue(&records, &clock, bound(), &preview()).await.expect("nothing refuses").token;
        for document in records.0.lock().values_mut() {
            *document = document.replace("user:*", "session:*");
        }
        assert!(redeem(&records, &clock, &token, &bound(), None).await.is_err(), "the kept plan was edited");
        let mut refused = preview();
        refused.checks.push(crate::guards::Check::refused("protected", "no", ""));
        assert!(issue(&records, &clock, bound(), &refused).await.is_err());
    }
}
