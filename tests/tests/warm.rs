//! Warms by the command: planned, previewed, run once and from a crontab's line; and what becomes of a plan whose
//! runner was killed.

use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use cachescope_lab::http::HttpServer;
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use cachescope_tests::programs;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::process::Command;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const STRATEGY: &str = r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "tile"
title = "Tiles"
template = "dashboard:tile:{tile}:v1"
ttl = "1m"

[[warm]]
name = "tiles"
title = "Tiles before the day"
kind = "http_each"
url = "/api/tiles/{tile}"
schedule = "0 6 * * *"
items = [{ what = "the tiles", namespaces = ["tile"] }]
"#;

struct Application {
    redis: MultiplexedConnection,
    loads: Mutex<HashMap<String, u64>>,
    takes: Duration,
}

async fn load(
    State(application): State<Arc<Application>>,
    Path(tile): Path<String>,
    headers: HeaderMap,
) -> StatusCode {
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some("Bearer hunter2") {
        return StatusCode::UNAUTHORIZED;
    }
    *application.loads.lock().entry(tile.clone()).or_default() += 1;
    // What was begun is brought to its end, also where nobody waits for the answer any more.
    let loading = tokio::spawn(async move {
        tokio::time::sleep(application.takes).await;
        let mut redis = application.redis.clone();
        let mut set = redis::cmd("SET");
        set.arg(format!("dashboard:tile:{tile}:v1")).arg("v").arg("EX").arg(60);
        set.query_async::<()>(&mut redis).await.is_ok()
    });
    if loading.await.unwrap_or(false) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

struct Stage {
    server: RedisServer,
    application: Arc<Application>,
    front: HttpServer,
    strategy: tempfile::NamedTempFile,
    state: tempfile::TempDir,
}

impl Stage {
    async fn set(takes: Duration) -> Self {
        install_crypto();
        let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
        let redis = server.connection().await.expect("it answers");
        let application = Arc::new(Application { redis, loads: Mutex::default(), takes });
        let routes = Router::new().route("/api/tiles/{tile}", get(load)).with_state(Arc::clone(&application));
        let front = HttpServer::start(routes).await.expect("it listens");
        let strategy = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        std::fs::write(strategy.path(), STRATEGY).expect("written");
        Self { server, application, front, strategy, state: tempfile::tempdir().expect("a directory") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::cachescope().expect("it is built"));
        command
            .args(arguments)
            .arg("--json")
            .env("CACHESCOPE_STATE_DIR", self.state.path())
            .env("CACHESCOPE_ENDPOINT_TOKEN", "hunter2")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn warm(&self, what: &str, more: &[&str]) -> Command {
        let (url, strategy) = (self.server.url(), self.strategy.path().to_string_lossy().into_owned());
        let mut command = self.command(&["warm", what]);
        command
            .args([
                "--redis",
                &url,
                "--strategy",
                &strategy,
                "--environment",
                "development",
                "--plan",
                "tiles",
            ])
            .args(more);
        command
    }

    async fn output(&self, mut command: Command) -> Output {
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts")
    }

    async fn json(&self, command: Command) -> Value {
        let output = self.output(command).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn loads(&self) -> (u64, u64) {
        let loads = self.application.loads.lock();
        (loads.values().sum(), loads.values().copied().max().unwrap_or(0))
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).flat_map(|number| ["--key-name".to_owned(), format!("dashboard:tile:t{number}:v1")]).collect()
}

#[tokio::test]
async fn a_warm_is_planned_previewed_run_once_and_run_again_from_a_crontab_without_loading_what_is_there() {
    let stage = Stage::set(Duration::from_millis(1)).await;
    let keys = keys(5);
    let base = stage.front.url();
    let mut more: Vec<&str> = keys.iter().map(String::as_str).collect();
    let refused = stage.output(stage.warm("preview", &more)).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("names no host"), "{said}");
    more.extend(["--base-url", &base]);
    let refused = stage.output(stage.warm("preview", &more)).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("private network"), "{said}");
    more.push("--allow-private");
    let plan = stage.json(stage.warm("plan", &more)).await;
    let preview = stage.json(stage.warm("preview", &more)).await;
    assert_eq!((&preview["keys"], &preview["plan_hash"]), (&5.into(), &plan["plan_hash"]));
    assert_eq!(stage.loads().0, 0, "a preview calls no endpoint");
    assert!(!preview.to_string().contains("hunter2"));
    let token = preview["token"].as_str().expect("a token").to_owned();
    let run = stage.json(stage.command(&["warm", "run", "--approve", &token])).await;
    assert_eq!((&run["filled"], stage.loads()), (&5.into(), (5, 1)), "{run}");
    let again = stage.output(stage.command(&["warm", "run", "--approve", &token])).await;
    assert_eq!(again.status.code(), Some(2), "a token is spent");
    // As a crontab runs it: only the plan that is meant, and what is there stays as it is.
    let hash = plan["plan_hash"].as_str().expect("a hash");
    let mut unattended = more.clone();
    unattended.extend(["--unattended", "--plan-hash", hash]);
    let run = stage.json(stage.warm("run", &unattended)).await;
    assert_eq!(
        (&run["filled"], &run["counts"]["there"], stage.loads()),
        (&0.into(), &5.into(), (5, 1)),
        "{run}"
    );
    let mut other = more.clone();
    other.extend(["--unattended", "--plan-hash", "0000"]);
    assert_eq!(stage.output(stage.warm("run", &other)).await.status.code(), Some(1));
    let audit = stage.output(stage.command(&["audit", "export"])).await;
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    for event in ["warm.previewed", "warm.started", "warm.finished"] {
        assert!(audit.contains(event), "{event}");
    }
    assert!(!audit.contains("hunter2"));
}

#[tokio::test]
async fn documented_plans_are_listed_with_their_next_runs_and_their_lines_for_a_crontab() {
    let stage = Stage::set(Duration::ZERO).await;
    let strategy = stage.strategy.path().to_string_lossy().into_owned();
    let plans = stage.json(stage.command(&["warm", "plan", "--strategy", &strategy])).await;
    let schedule = &plans[0]["schedule"];
    assert_eq!(schedule["next_runs"].as_array().map(Vec::len), Some(5), "{plans}");
    let line = schedule["crontab"].as_str().unwrap_or_default();
    assert!(line.contains("0 6 * * * cachescope warm run --plan tiles --unattended"), "{line}");
    for (name, plans) in [
        ("hot-rod-analytics", &["before-peak-hours"][..]),
        ("multi-tenant-saas", &["application-start", "deployment-copy"]),
        ("task-management", &["application-start"]),
        ("booking", &["tenants"]),
    ] {
        let listed = stage.json(stage.command(&["warm", "plan", "--strategy", name])).await;
        let names: Vec<&str> =
            listed.as_array().expect("a list").iter().filter_map(|plan| plan["name"].as_str()).collect();
        assert!(plans.iter().all(|plan| names.contains(plan)), "{name}: {names:?}");
    }
}

/// Its lock ends 30 s after it was killed: so long the other one waits, and so long this takes.
#[tokio::test]
async fn the_plan_of_a_killed_runner_is_taken_over_and_no_key_is_loaded_by_both() {
    let stage = Stage::set(Duration::from_millis(20)).await;
    let keys = keys(200);
    let base = stage.front.url();
    let mut more: Vec<&str> = keys.iter().map(String::as_str).collect();
    more.extend(["--base-url", &base, "--allow-private", "--per-minute", "6000", "--unattended"]);
    let mut first = stage.warm("run", &more).spawn().expect("it starts");
    while stage.loads().0 < 50 {
        assert!(first.try_wait().expect("asked").is_none(), "it still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut waiting = more.clone();
    waiting.extend(["--wait", "90s"]);
    first.start_kill().expect("killed");
    first.wait().await.expect("it is gone");
    let run = stage.json(stage.warm("run", &waiting)).await;
    let (all, most) = stage.loads();
    // A load whose answer the killed one never saw has filled its key all the same.
    assert_eq!((all, most), (200, 1), "{run}");
    let done = run["filled"].as_u64().unwrap_or(0) + run["counts"]["there"].as_u64().unwrap_or(0);
    assert_eq!((done, &run["counts"]["claimed"]), (200, &0.into()), "{run}");
}
