//! A signal of a real Prometheus halts a run, and keeps the next one from starting.

mod halting;
mod test_host;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cachescope_actions::plan::HowToRun;
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_app::App;
use cachescope_app::wire::{ActionDraft, PreviewedAction, Reply, Request};
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use cachescope_model::deployment::DeploymentId;
use halting::{Watched, until, watch};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const STRATEGY: &str = r#"
name = "stopping"
title = "Stopping"

[[namespace]]
name = "keys"
template = "k:{id}"
ttl = "undocumented"

[[signal]]
name = "db-cpu"
title = "Database CPU"
promql = "max(db_cpu_ratio)"
unit = "ratio"
above = 0.7
stops_actions = true
"#;

/// A database's exporter.
async fn exporter(busy: Arc<AtomicBool>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4_096];
            let value = if busy.load(Ordering::Relaxed) { 0.95 } else { 0.3 };
            let page = format!("# TYPE db_cpu_ratio gauge\ndb_cpu_ratio {value}\n");
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{page}", page.len());
            // A scrape that broke off comes again.
            if stream.read(&mut bytes).await.is_ok() {
                let _gone = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    address
}

async fn preview(app: &App, deployment: &DeploymentId, pattern: &str) -> PreviewedAction {
    let draft = ActionDraft::Pattern { pattern: pattern.to_owned(), database: None };
    // One wave, at the pace that nobody feels: it takes a while.
    let how = HowToRun { watch_between_waves_ms: 0, ..HowToRun::default() };
    let asked = Request::PreviewAction { deployment: deployment.clone(), draft, how: Some(how) };
    let Ok(Reply::PreviewAction(started)) = app.handle(asked).await else { panic!("it begins") };
    until(async || {
        let asked = Request::PreviewProgress { preview: started.preview.clone() };
        let Ok(Reply::PreviewProgress(progress)) = app.handle(asked).await else { panic!("told") };
        assert_eq!(progress.failed, None);
        progress.finished
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_of_a_real_prometheus_halts_a_run_and_keeps_the_next_one_from_starting() {
    install_crypto();
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in 0..150_000 {
        pipe.cmd("SET").arg(format!("k:{number}")).arg("v").ignore();
    }
    pipe.exec_async(&mut connection).await.expect("filled");
    let busy = Arc::new(AtomicBool::new(false));
    let exporter = exporter(Arc::clone(&busy)).await;
    let Watched { app, deployment, directory: _directory, _prometheus } =
        watch(&server, exporter, STRATEGY).await;
    // Until its value is known, it can't halt anything; the preview says how it stands.
    until(async || {
        let previewed = preview(&app, &deployment, "k:1").await;
        previewed.stop_rules.iter().any(|rule| rule.name == "Database CPU" && rule.known).then_some(())
    })
    .await;
    let previewed = preview(&app, &deployment, "k:*").await;
    assert!(previewed.stop_rules.iter().all(|rule| !rule.breached), "{:?}", previewed.stop_rules);
    let asked = Request::RunAction {
        deployment: deployment.clone(),
        approval: previewed.approval.map(|approval| approval.token).expect("nothing refuses"),
        plan_hash: previewed.preview.plan_hash,
        typed_name: None,
        reason: None,
    };
    let Ok(Reply::RunAction(run)) = app.handle(asked).await else { panic!("it starts") };
    let state = async || -> RunState {
        let Ok(Reply::Run(state)) = app.handle(Request::Run { run: run.run.clone() }).await else {
            panic!("told")
        };
        state
    };
    until(async || (state().await.counts.removed > 0).then_some(())).await;
    busy.store(true, Ordering::Relaxed);
    let halted = until(async || {
        let state = state().await;
        (!state.phase.is_alive()).then_some(state)
    })
    .await;
    assert_eq!(halted.phase, RunPhase::Halted, "{} of 150,000 removed", halted.counts.removed);
    assert!(halted.why.contains("Database CPU"), "{}", halted.why);
    let refused = preview(&app, &deployment, "k:1").await;
    assert!(refused.approval.is_none(), "no action starts while it is breached");
    assert!(refused.preview.checks.iter().any(|check| check.code == "stop-rule"));
    app.stop().await;
}
