//! The documented signals of a real Prometheus halt a warm: the database's CPU above 70 %, the API's 95th percentile above
//! 200 ms. The audit tells which.

mod halting;
mod page;
mod test_host;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_actions::warm::WarmLimits;
use cachescope_app::wire::{ActionDraft, AuditRow, Reply, Request, WarmDraft, WarmKeys};
use cachescope_lab::http::HttpServer;
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use halting::{Watched, until, watch};
use page::Page;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;

const STRATEGY: &str = r#"
name = "stopping"
title = "Stopping"

[[namespace]]
name = "item"
title = "Items"
template = "item:{id}"
ttl = "10m"

[[signal]]
name = "db-cpu"
title = "Database CPU"
promql = "max(db_cpu_ratio)"
unit = "ratio"
above = 0.7
stops_actions = true

[[signal]]
name = "api-p95"
title = "API p95"
promql = "max(api_p95_seconds)"
unit = "seconds"
above = "200ms"
stops_actions = true
"#;

/// The application, and what its exporter tells.
struct Application {
    redis: MultiplexedConnection,
    cpu: Mutex<f64>,
    p95: Mutex<f64>,
}

async fn metrics(State(application): State<Arc<Application>>) -> impl IntoResponse {
    let (cpu, p95) = (*application.cpu.lock(), *application.p95.lock());
    let page = format!(
        "# TYPE db_cpu_ratio gauge\ndb_cpu_ratio {cpu}\n# TYPE api_p95_seconds gauge\napi_p95_seconds {p95}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

async fn load(State(application): State<Arc<Application>>, Path(id): Path<String>) -> StatusCode {
    let mut redis = application.redis.clone();
    let set =
        redis::cmd("SET").arg(format!("item:{id}")).arg("v").arg("EX").arg(600).exec_async(&mut redis).await;
    if set.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_documented_signal_halts_a_warm_and_the_audit_tells_which() {
    install_crypto();
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let redis = server.connection().await.expect("it answers");
    let application = Arc::new(Application { redis, cpu: Mutex::new(0.3), p95: Mutex::new(0.05) });
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/load/{id}", get(load))
        .with_state(Arc::clone(&application));
    let front = HttpServer::start(routes).await.expect("it listens");
    let Watched { app, deployment, directory, _prometheus } =
        watch(&server, front.address().to_string(), STRATEGY).await;
    let page = Page { app, deployment, directory: Arc::new(directory) };
    for (round, (signal, figure, bad, good)) in
        [("Database CPU", &application.cpu, 0.95, 0.3), ("API p95", &application.p95, 0.9, 0.05)]
            .into_iter()
            .enumerate()
    {
        let draft = || {
            let keys = (0..5_000).map(|number| format!("item:{}", round * 5_000 + number)).collect();
            // Fifty a second: it takes a while.
            let limits = WarmLimits { per_minute: 3_000, ..WarmLimits::default() };
            let warm = WarmDraft {
                namespace: Some("item".to_owned()),
                keys: WarmKeys::Named { keys },
                url: Some(format!("{}/load/{{id}}", front.url())),
                private_addresses: true,
                limits: Some(limits),
                ..WarmDraft::default()
            };
            ActionDraft::Warm { warm: Box::new(warm) }
        };
        // Until both are known and within their limits.
        let previewed = until(async || {
            let found = page.preview(draft(), None).await.expect("looked at");
            let calm = found.stop_rules.iter().filter(|rule| rule.known && !rule.breached).count() == 2;
            (calm && found.approval.is_some()).then_some(found)
        })
        .await;
        let asked = Request::RunAction {
            deployment: page.deployment.clone(),
            approval: previewed.approval.map(|approval| approval.token).expect("nothing refuses"),
            plan_hash: previewed.preview.plan_hash,
            typed_name: None,
            reason: None,
        };
        let Ok(Reply::RunAction(run)) = page.app.handle(asked).await else { panic!("it starts") };
        let state = async || -> RunState {
            let asked = Request::Run { run: run.run.clone() };
            let Ok(Reply::Run(state)) = page.app.handle(asked).await else { panic!("told") };
            state
        };
        until(async || (state().await.counts.filled > 0).then_some(())).await;
        *figure.lock() = bad;
        let halted = until(async || {
            let state = state().await;
            (!state.phase.is_alive()).then_some(state)
        })
        .await;
        assert_eq!(halted.phase, RunPhase::Halted, "{signal}: {:?}", halted.counts);
        assert!(halted.why.contains("stop rule") && halted.why.contains(signal), "{}", halted.why);
        // It is written once the run has ended.
        let row: AuditRow = until(async || {
            let asked = page.app.handle(Request::Audit { deployment: None, before: None }).await;
            let Ok(Reply::Audit(rows)) = asked else { panic!("another reply: {asked:?}") };
            rows.into_iter().find(|row| row.run == run.run && row.event == "warm.halted")
        })
        .await;
        assert!(row.details.contains(signal), "{}", row.details);
        *figure.lock() = good;
        // Ended for good, so that the next one may begin.
        let asked = page.app.handle(Request::CancelRun { run: run.run.clone() }).await;
        assert!(matches!(asked, Ok(Reply::CancelRun(_))), "{asked:?}");
    }
    page.app.stop().await;
}
