//! Warms that the program starts by itself: armed, kept over a restart, made up for once.

mod test_host;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use cachescope_actions::warm::schedule::MissedRuns;
use cachescope_app::App;
use cachescope_app::wire::{DeploymentDraft, Reply, Request, WarmDraft, WarmPlanView, WireErrorCode};
use cachescope_lab::http::HttpServer;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_store::Store;
use redis::aio::MultiplexedConnection;
use test_host::TestHost;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Application {
    redis: MultiplexedConnection,
    asked: AtomicU64,
}

async fn fill(State(application): State<Arc<Application>>) -> &'static str {
    application.asked.fetch_add(1, Ordering::SeqCst);
    let mut redis = application.redis.clone();
    let set = redis::cmd("SET").arg("dashboard:tile:v1").arg("v").exec_async(&mut redis).await;
    if set.is_ok() { "done" } else { "failed" }
}

fn strategy(url: &str) -> String {
    format!(
        "name = \"shop\"\ntitle = \"A shop\"\n[[namespace]]\nname = \"tile\"\ntitle = \"Tile\"\n\
         template = \"dashboard:tile:v1\"\n[[warm]]\nname = \"tiles\"\ntitle = \"Tiles\"\nkind = \"http\"\n\
         method = \"POST\"\nurl = \"{url}/cache/warm\"\nschedule = \"0 0 1 1 *\"\n\
         items = [{{ what = \"the tile\", namespaces = [\"tile\"] }}]\n"
    )
}

async fn plans(app: &App, deployment: &DeploymentId) -> Vec<WarmPlanView> {
    let asked = app.handle(Request::WarmPlans { deployment: deployment.clone() }).await;
    let Ok(Reply::WarmPlans(plans)) = asked else { panic!("another reply: {asked:?}") };
    plans
}

#[tokio::test(flavor = "multi_thread")]
async fn an_armed_schedule_outlives_the_program_and_makes_up_for_a_missed_run_once() {
    cachescope_lab::servers::install_crypto();
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let redis = server.connection().await.expect("it answers");
    let application = Arc::new(Application { redis, asked: AtomicU64::new(0) });
    let routes = Router::new().route("/cache/warm", post(fill)).with_state(Arc::clone(&application));
    let front = HttpServer::start(routes).await.expect("it listens");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("shop.toml");
    std::fs::write(&file, strategy(&front.url())).expect("written");
    let app = App::start(TestHost { directory: directory.path().to_owned() }).await;
    let draft = DeploymentDraft {
        name: "cache".to_owned(),
        environment: Some(Environment::Production),
        redis_url: server.address(),
        strategy: file.to_string_lossy().into_owned(),
        ..DeploymentDraft::default()
    };
    let saved = app.handle(Request::SaveDeployment { draft }).await.expect("saved");
    let Reply::SaveDeployment(deployment) = saved else { panic!("another reply") };
    let arm = |name: Option<&str>| Request::ArmSchedule {
        deployment: deployment.clone(),
        draft: WarmDraft { plan: Some("tiles".to_owned()), private_addresses: true, ..WarmDraft::default() },
        missed: MissedRuns::RunOnce,
        typed_name: name.map(str::to_owned),
        reason: Some("the day begins".to_owned()),
    };
    let refused = app.handle(arm(Some("cache"))).await.expect_err("the deployment is locked");
    assert_eq!(refused.code, WireErrorCode::Refused);
    let arming = Request::Arm { deployment: deployment.clone(), typed_name: "cache".to_owned() };
    app.handle(arming).await.expect("armed");
    assert!(app.handle(arm(None)).await.is_err(), "the name is not typed");
    app.handle(arm(Some("cache"))).await.expect("armed");
    let schedule = plans(&app, &deployment).await.remove(0).schedule.expect("it has one");
    assert_eq!(schedule.armed.map(|armed| armed.missed), Some(MissedRuns::RunOnce));
    drop(app);
    // As if the program had last looked before the turn of the year.
    let name = format!("warm.schedules.{}", deployment.0);
    let edited = async {
        loop {
            let path = directory.path().to_owned();
            let opened = tokio::task::spawn_blocking(move || Store::open(&path)).await.expect("it ends");
            let Ok(store) = opened else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let kept = store.setting(&name).await.expect("read").expect("kept");
            let mut json: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
            let until = json["tiles"]["decided"]["until"].as_i64().expect("a time");
            json["tiles"]["decided"]["until"] = (until - 366 * 86_400_000).into();
            store.set_setting(&name, &json.to_string()).await.expect("written");
            return;
        }
    };
    tokio::time::timeout(PATIENCE, edited).await.expect("the store is free");
    let app = App::start(TestHost { directory: directory.path().to_owned() }).await;
    let ran = async {
        loop {
            let schedule = plans(&app, &deployment).await.remove(0).schedule.expect("it has one");
            if let Some(last) = schedule.armed.and_then(|armed| armed.last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let last = tokio::time::timeout(PATIENCE, ran).await.expect("it is made up for");
    assert!(!last.run.is_empty(), "{}", last.said);
    let ended = async {
        loop {
            let asked = app.handle(Request::Run { run: last.run.clone() }).await.expect("it is known");
            let Reply::Run(state) = asked else { panic!("another reply") };
            if !state.phase.is_alive() {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let state = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    assert_eq!((state.why.as_str(), application.asked.load(Ordering::SeqCst)), ("", 1));
    let disarm = Request::DisarmSchedule { deployment: deployment.clone(), plan: "tiles".to_owned() };
    let Ok(Reply::DisarmSchedule(plans)) = app.handle(disarm).await else { panic!("another reply") };
    assert!(plans[0].schedule.as_ref().is_some_and(|schedule| schedule.armed.is_none()));
}
