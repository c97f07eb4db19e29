//! Actions through the app's one door, as a page could ask for them, by somebody who tries to get around the guards.

mod test_host;

use std::time::Duration;

use cachescope_actions::run_state::RunPhase;
use cachescope_app::App;
use cachescope_app::wire::{
    ActionDraft, DeploymentDraft, PreviewedAction, Reply, Request, UndoPart, WireError, WireErrorCode,
};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{DeploymentId, Environment};
use test_host::TestHost;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Page {
    app: App,
    deployment: DeploymentId,
}

fn draft(server: &RedisServer, environment: Option<Environment>) -> DeploymentDraft {
    DeploymentDraft {
        name: "cache".to_owned(),
        environment,
        redis_url: server.address(),
        ..DeploymentDraft::default()
    }
}

async fn filled(keys: usize) -> RedisServer {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in 0..keys {
        pipe.cmd("SET").arg(format!("k:{number}")).arg("v");
    }
    for number in 0..keys * 30 {
        pipe.cmd("SET").arg(format!("other:{number}")).arg("v");
    }
    pipe.exec_async(&mut connection).await.expect("filled");
    server
}

async fn count(server: &RedisServer, pattern: &str) -> usize {
    let mut connection = server.connection().await.expect("it answers");
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("listed");
    keys.len()
}

impl Page {
    async fn on(
        server: &RedisServer,
        directory: &tempfile::TempDir,
        environment: Option<Environment>,
    ) -> Self {
        cachescope_lab::servers::install_crypto();
        let app = App::start(TestHost { directory: directory.path().to_owned() }).await;
        let saved = app.handle(Request::SaveDeployment { draft: draft(server, environment) }).await;
        let Reply::SaveDeployment(deployment) = saved.expect("saved") else { panic!("another reply") };
        Self { app, deployment }
    }

    async fn preview(&self, pattern: &str) -> Result<PreviewedAction, WireError> {
        self.preview_of(ActionDraft::Pattern { pattern: pattern.to_owned(), database: None }).await
    }

    async fn preview_of(&self, draft: ActionDraft) -> Result<PreviewedAction, WireError> {
        let asked = Request::PreviewAction { deployment: self.deployment.clone(), draft, how: None };
        let Reply::PreviewAction(started) = self.app.handle(asked).await? else { panic!("another reply") };
        let waited = async {
            loop {
                let asked = Request::PreviewProgress { preview: started.preview.clone() };
                let Reply::PreviewProgress(progress) = self.app.handle(asked).await? else {
                    panic!("another reply")
                };
                if let Some(failed) = progress.failed {
                    return Err(failed);
                }
                if let Some(finished) = progress.finished {
                    return Ok(finished);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("it ends")
    }

    async fn run(&self, token: &str, hash: &str, name: Option<&str>) -> Result<String, WireError> {
        let asked = Request::RunAction {
            deployment: self.deployment.clone(),
            approval: token.to_owned(),
            plan_hash: hash.to_owned(),
            typed_name: name.map(str::to_owned),
            reason: name.map(|_| "INC-2291".to_owned()),
        };
        let Reply::RunAction(state) = self.app.handle(asked).await? else { panic!("another reply") };
        Ok(state.run)
    }

    async fn arm(&self, name: &str) -> Result<(), WireError> {
        let asked = Request::Arm { deployment: self.deployment.clone(), typed_name: name.to_owned() };
        self.app.handle(asked).await.map(|_| ())
    }

    async fn ended(&self, run: &str) -> RunPhase {
        let waited = async {
            loop {
                let Reply::Run(state) =
                    self.app.handle(Request::Run { run: run.to_owned() }).await.expect("it is known")
                else {
                    panic!("another reply")
                };
                if !state.phase.is_alive() {
                    return state.phase;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("it ends")
    }
}

fn token(previewed: &PreviewedAction) -> &str {
    let approval = previewed.approval.as_ref();
    approval.map(|approval| approval.token.as_str()).expect("nothing refuses")
}

#[tokio::test]
async fn a_pages_requests_go_through_every_guard_of_production() {
    let server = filled(90).await;
    let directory = tempfile::tempdir().expect("a directory");
    // An unset environment counts as production.
    let page = Page::on(&server, &directory, None).await;
    let everything = page.preview("*").await.expect_err("everything is refused");
    assert_eq!(everything.code, WireErrorCode::BadInput);
    let too_many = page.preview("other:*").await.expect("counted");
    assert!(too_many.approval.is_none(), "97 % of the keys are beyond the limit");

    let previewed = page.preview("k:*").await.expect("counted");
    assert!(previewed.wants.armed && previewed.wants.reason);
    let (token, hash) = (token(&previewed), previewed.preview.plan_hash.clone());
    let refused =
        |code: WireErrorCode| move |error: WireError| assert_eq!(error.code, code, "{}", error.message);
    page.run(token, &hash, None).await.map_err(refused(WireErrorCode::Refused)).expect_err("not armed");
    page.arm("Cache").await.map_err(refused(WireErrorCode::Refused)).expect_err("another name");
    page.arm("cache").await.expect("armed");
    page.run(token, &hash, Some("Cache"))
        .await
        .map_err(refused(WireErrorCode::Refused))
        .expect_err("another name");
    page.run("forged", &hash, Some("cache"))
        .await
        .map_err(refused(WireErrorCode::NotApproved))
        .expect_err("a forged approval");
    assert_eq!(count(&server, "k:*").await, 90, "nothing is gone");
    // A guard that refuses before the token is looked at leaves it good; a plan that was edited spends it.
    page.run(token, &"0".repeat(64), Some("cache"))
        .await
        .map_err(refused(WireErrorCode::NotApproved))
        .expect_err("another plan was shown");
    page.run(token, &hash, Some("cache"))
        .await
        .map_err(refused(WireErrorCode::NotApproved))
        .expect_err("the token is spent");
    assert_eq!(count(&server, "k:*").await, 90, "nothing is gone");

    let previewed = page.preview("k:*").await.expect("counted");
    let run = page.run(self::token(&previewed), &hash, Some("cache")).await.expect("it runs");
    assert_eq!(page.ended(&run).await, RunPhase::Finished);
    assert_eq!((count(&server, "k:*").await, count(&server, "other:*").await), (0, 2_700));
    let asked = Request::UndoRun { run: run.clone(), part: UndoPart::default() };
    let Reply::UndoRun(undone) = page.app.handle(asked).await.expect("undone") else {
        panic!("another reply")
    };
    assert_eq!((undone.restored, undone.conflicts), (90, 0));
    assert_eq!(count(&server, "k:*").await, 90);
    let Reply::VerifyAudit(verdict) = page.app.handle(Request::VerifyAudit {}).await.expect("asked") else {
        panic!("another reply")
    };
    assert!(verdict.intact && verdict.rows > 8, "{verdict:?}");
    page.app.stop().await;
}

#[tokio::test]
async fn an_approval_is_void_for_a_renamed_deployment_and_for_another_instance() {
    let server = filled(20).await;
    let directory = tempfile::tempdir().expect("a directory");
    let page = Page::on(&server, &directory, Some(Environment::Development)).await;
    let previewed = page.preview("k:*").await.expect("counted");
    let hash = previewed.preview.plan_hash.clone();
    let renamed = DeploymentDraft {
        id: Some(page.deployment.clone()),
        name: "other".to_owned(),
        ..draft(&server, Some(Environment::Development))
    };
    page.app.handle(Request::SaveDeployment { draft: renamed }).await.expect("renamed");
    let error = page.run(token(&previewed), &hash, None).await.expect_err("renamed");
    assert_eq!(error.code, WireErrorCode::NotApproved, "{}", error.message);

    // A second program on the same state: it knows the deployment, and no approval of the first.
    let previewed = page.preview("k:*").await.expect("counted");
    let second = Page {
        app: App::start(TestHost { directory: directory.path().to_owned() }).await,
        deployment: page.deployment.clone(),
    };
    let error = second.run(token(&previewed), &hash, None).await.expect_err("another instance");
    assert_eq!(error.code, WireErrorCode::NotApproved, "{}", error.message);
    assert_eq!(count(&server, "k:*").await, 20, "nothing is gone");
    second.app.stop().await;
    page.app.stop().await;
}

#[tokio::test]
async fn a_page_can_not_widen_reuse_or_outlive_what_was_approved() {
    let mut server = filled(20).await;
    let directory = tempfile::tempdir().expect("a directory");
    let page = Page::on(&server, &directory, Some(Environment::Development)).await;
    // Templates, tenants and named keys that come to everything, in whatever way.
    for template in ["{a}:{b}", "{all*}", ""] {
        let draft = ActionDraft::Namespace { template: template.to_owned(), tenant: None, stale_below: None };
        let refused = page.preview_of(draft).await.expect_err("it is everything");
        assert_eq!(refused.code, WireErrorCode::BadInput, "{template}: {}", refused.message);
    }
    for pattern in ["", "*", "**", "?*", "[^]*", "*:*"] {
        let refused = page.preview(pattern).await.expect_err("it is everything");
        assert_eq!(refused.code, WireErrorCode::BadInput, "{pattern}: {}", refused.message);
    }
    let not_approved = |tried: Result<String, WireError>, why: &str| {
        let error = tried.expect_err(why);
        assert_eq!(error.code, WireErrorCode::NotApproved, "{why}: {}", error.message);
    };
    let narrow = page.preview("k:1*").await.expect("counted");
    let wide = page.preview("k:*").await.expect("counted");
    let hash_of = |previewed: &PreviewedAction| previewed.preview.plan_hash.clone();
    not_approved(page.run(token(&narrow), &hash_of(&wide), None).await, "for another plan");
    let run = page.run(token(&wide), &hash_of(&wide), None).await.expect("it runs");
    assert_eq!(page.ended(&run).await, RunPhase::Finished);
    assert_eq!(count(&server, "k:*").await, 0);
    let undo = Request::UndoRun { run, part: UndoPart::default() };
    page.app.handle(undo).await.expect("undone");
    not_approved(page.run(token(&wide), &hash_of(&wide), None).await, "a second time");
    assert_eq!(count(&server, "k:*").await, 20, "nothing is gone");
    // A restart is what a failover is as well: another run_id answers at the address.
    let old = page.preview("k:*").await.expect("counted");
    server.restart().await.expect("it restarts");
    let mut connection = server.connection().await.expect("it answers");
    let () = redis::cmd("SET").arg("k:new").arg("v").query_async(&mut connection).await.expect("set");
    page.run(token(&old), &hash_of(&old), None).await.expect_err("another server than was approved");
    assert_eq!(count(&server, "k:*").await, 1, "nothing is gone");
    page.app.stop().await;
}
