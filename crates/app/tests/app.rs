//! The app behind its one door, with a host that is nothing but the trait, on a real server.

mod test_host;

use std::time::Duration;

use cachescope_app::App;
use cachescope_app::wire::{
    ConnectionState, DeploymentDraft, Frame, Reply, Request, RowQuery, RowSort, StepResult, View,
    WireErrorCode,
};
use cachescope_lab::eavesdropper::Eavesdropper;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::source::SourceId;
use cachescope_model::window::Window;
use test_host::TestHost;
use tokio::sync::mpsc;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn app(directory: &tempfile::TempDir) -> App {
    cachescope_lab::servers::install_crypto();
    App::start(TestHost { directory: directory.path().to_owned() }).await
}

async fn server() -> RedisServer {
    let options = RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() };
    RedisServer::start(options).await.expect("redis-server is installed")
}

fn draft(server: &RedisServer) -> DeploymentDraft {
    DeploymentDraft {
        name: "cache".to_owned(),
        environment: Some(Environment::Development),
        redis_url: server.address(),
        redis_password: Some("hunter2".to_owned()),
        ..DeploymentDraft::default()
    }
}

async fn save(app: &App, draft: DeploymentDraft) -> DeploymentId {
    match app.handle(Request::SaveDeployment { draft }).await.expect("the draft is fine") {
        Reply::SaveDeployment(id) => id,
        other => panic!("saving was answered with {other:?}"),
    }
}

/// Watches a deployment until its frames say that it is in this state.
async fn until(app: &App, deployment: &DeploymentId, wanted: ConnectionState) {
    let (seen, mut frames) = mpsc::unbounded_channel();
    let view = View::Deployment { deployment: deployment.clone(), window: Window::OneMinute };
    let watch = app.watch(view, move |frame| seen.send(frame).is_ok());
    let reached = async {
        while let Some(frame) = frames.recv().await {
            if let Frame::Instance(instance) = frame
                && instance.state == wanted
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the deployment reaches this state");
    drop(watch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_for_one_ssh_server_and_one_key_alone() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let typed = |id: Option<DeploymentId>, ssh: &str, key: &str, secret: Option<&str>| DeploymentDraft {
        id,
        // Nobody is reached: an SSH server of this name does not exist.
        redis_url: "redis://localhost".to_owned(),
        ssh: ssh.to_owned(),
        ssh_key_file: key.to_owned(),
        ssh_secret: secret.map(str::to_owned),
        ..DeploymentDraft::default()
    };
    let has_secret = async || {
        let listed = app.handle(Request::Deployments {}).await.expect("it answers");
        let said = serde_json::to_string(&listed).expect("replies are JSON");
        assert!(!said.contains("hunter2"), "{said}");
        let Reply::Deployments(views) = listed else { panic!("another answer: {listed:?}") };
        views[0].has_ssh_secret
    };
    let id = save(&app, typed(None, "ann@one.invalid", "/key", Some("hunter2"))).await;
    assert!(has_secret().await);
    for (ssh, key, kept) in [
        ("ann@one.invalid", "/key", true),
        // The passphrase of a key must not become the password where the key is taken away.
        ("ann@one.invalid", "", false),
        ("ann@two.invalid", "/key", false),
        ("", "", false),
        ("ann@one.invalid", "/key", true),
    ] {
        save(&app, typed(Some(id.clone()), ssh, key, None)).await;
        assert_eq!(has_secret().await, kept, "{ssh} {key}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_secrets_are_not_sent_to_another_address_that_is_put_into_the_form() {
    let server = server().await;
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let eavesdropper = Eavesdropper::start().await.expect("a port is free");
    let elsewhere = eavesdropper.address();
    let typed = DeploymentDraft {
        prometheus_url: "http://ann:hunter3@127.0.0.1:9".to_owned(),
        prometheus_token: Some("hunter4".to_owned()),
        ..draft(&server)
    };
    let id = save(&app, typed).await;
    until(&app, &id, ConnectionState::Partial).await;
    let another = |redis: &str, prometheus: &str| DeploymentDraft {
        id: Some(id.clone()),
        redis_url: redis.to_owned(),
        redis_password: None,
        prometheus_url: prometheus.to_owned(),
        ..draft(&server)
    };
    let moved = another(&format!("redis://{elsewhere}"), &format!("http://ann@{elsewhere}"));
    let asked = Request::TestConnection { draft: moved.clone(), trust: None };
    app.handle(asked).await.expect("it answers");
    save(&app, moved).await;
    let until_heard = async |what: &str| {
        let wait = async {
            while !eavesdropper.heard().contains(what) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it is said");
    };
    until_heard("HELLO").await;
    until_heard("GET /").await;
    // Basic authentication is base64 of `ann:hunter3`.
    for secret in ["HUNTER", "YW5uOmh1bnRlcjM"] {
        assert!(!eavesdropper.heard().contains(&secret.to_uppercase()), "{}", eavesdropper.heard());
    }
    // What is typed for it is sent, so that a secret would have been heard.
    let typed = DeploymentDraft {
        redis_password: Some("hunter5".to_owned()),
        ..another(&format!("redis://{elsewhere}"), "")
    };
    save(&app, typed).await;
    until_heard("HUNTER5").await;
    let before = another(&server.address(), "http://ann@127.0.0.1:9");
    save(&app, before).await;
    until(&app, &id, ConnectionState::Partial).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_tested_saved_watched_kept_and_removed_and_its_password_stays_inside() {
    let state = tempfile::tempdir().expect("a directory");
    let server = server().await;
    let app = app(&state).await;

    let tested =
        app.handle(Request::TestConnection { draft: draft(&server), trust: None }).await.expect("it answers");
    let Reply::TestConnection(report) = tested else { panic!("another answer: {tested:?}") };
    assert!(report.usable, "{report:?}");
    assert!(report.steps.iter().all(|step| step.result != StepResult::Failed), "{report:?}");

    let id = save(&app, draft(&server)).await;
    // Events are not switched on there, which the deployment says.
    until(&app, &id, ConnectionState::Partial).await;

    let listed = app.handle(Request::Deployments {}).await.expect("it answers");
    let said = serde_json::to_string(&listed).expect("replies are JSON");
    assert!(said.contains("\"has_redis_password\":true"), "{said}");
    assert!(!said.contains("hunter2"), "the page must never be told the password");
    for file in std::fs::read_dir(state.path()).expect("the directory is there") {
        let bytes = std::fs::read(file.expect("an entry").path()).unwrap_or_default();
        assert!(!bytes.windows(7).any(|some| some == b"hunter2"), "the password must not be written");
    }

    let query = RowQuery {
        deployment: id.clone(),
        window: Window::OneMinute,
        filter: String::new(),
        sort: RowSort::Trouble,
        descending: true,
        offset: 0,
        limit: 1_000_000,
        sparks: true,
        pinned: Vec::new(),
    };
    let rows = app.handle(Request::Rows { query }).await.expect("it answers");
    let Reply::Rows(page) = rows else { panic!("another answer: {rows:?}") };
    assert!(page.rows.iter().all(|row| row.cells.len() == page.columns.len()));

    app.handle(Request::SetSource {
        deployment: id.clone(),
        source: SourceId::Scan,
        on: false,
        approval: None,
    })
    .await
    .expect("it is there");
    app.stop().await;

    let again = self::app(&state).await;
    let listed = again.handle(Request::Deployments {}).await.expect("it answers");
    let Reply::Deployments(views) = &listed else { panic!("another answer: {listed:?}") };
    assert_eq!(views.len(), 1, "what was saved is there after a restart");
    assert!(!views[0].has_redis_password, "without a keychain a password lives as long as the program");
    again.handle(Request::RemoveDeployment { deployment: id.clone() }).await.expect("it is there");
    let gone = again.handle(Request::RemoveDeployment { deployment: id }).await.expect_err("it is gone");
    assert_eq!(gone.code, WireErrorCode::NotFound);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_answered_with_a_code_and_a_sentence_and_the_app_goes_on() {
    let state = tempfile::tempdir().expect("a directory");
    let server = server().await;
    let app = app(&state).await;
    let nobody = DeploymentId("nobody".to_owned());
    let asked = |redis: &str, strategy: &str| DeploymentDraft {
        redis_url: redis.to_owned(),
        strategy: strategy.to_owned(),
        ..DeploymentDraft::default()
    };

    for (request, code) in [
        (Request::SaveDeployment { draft: asked("", "") }, WireErrorCode::BadInput),
        (Request::SaveDeployment { draft: asked("nonsense://x", "") }, WireErrorCode::BadInput),
        (Request::Doctor { deployment: nobody.clone() }, WireErrorCode::NotFound),
        (Request::Findings { deployment: nobody.clone() }, WireErrorCode::NotFound),
        (Request::StartDemo {}, WireErrorCode::DemoUnavailable),
    ] {
        let error = app.handle(request.clone()).await.expect_err("it can't be done");
        assert_eq!(error.code, code, "{request:?}: {error}");
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
    }

    for (draft, words) in [
        (asked("127.0.0.1:1", ""), "refused"),
        (DeploymentDraft { redis_password: Some("wrong".to_owned()), ..draft(&server) }, "password"),
        (asked(&server.address(), "no-such-strategy"), "no strategy"),
    ] {
        let answer =
            app.handle(Request::TestConnection { draft, trust: None }).await.expect("a test always answers");
        let Reply::TestConnection(report) = answer else { panic!("another answer: {answer:?}") };
        assert!(!report.usable, "{words}: {report:?}");
        let told = report
            .steps
            .iter()
            .any(|step| step.result == StepResult::Failed && step.detail.to_lowercase().contains(words));
        assert!(told, "{words}: {report:?}");
    }
    assert!(app.handle(Request::AppInfo {}).await.is_ok());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_whose_server_ends_is_lost_and_comes_back_by_itself() {
    let state = tempfile::tempdir().expect("a directory");
    let mut server = server().await;
    let app = app(&state).await;
    let id = save(&app, draft(&server)).await;
    until(&app, &id, ConnectionState::Partial).await;
    server.stop();
    until(&app, &id, ConnectionState::Lost).await;
    server.restart().await.expect("it starts again");
    until(&app, &id, ConnectionState::Partial).await;
    app.stop().await;
}

/// Fills a server with keys that no strategy documents.
async fn fill(server: &RedisServer) {
    let client = redis::Client::open(server.url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in 0..40 {
        pipe.cmd("SET").arg(format!("basket:{number}:items")).arg("x").arg("EX").arg(600).ignore();
    }
    pipe.query_async::<()>(&mut connection).await.expect("they are set");
}

#[tokio::test(flavor = "multi_thread")]
async fn found_namespaces_are_adopted_into_a_file_of_ours_or_the_teams_own() {
    let state = tempfile::tempdir().expect("a directory");
    let server = server().await;
    fill(&server).await;
    let app = app(&state).await;
    let template = "basket:{id}:items".to_owned();
    let own = state.path().join("ours.toml");
    let text = "# Ours.\nname = \"ours\"\ntitle = \"Ours\"\n\n[[namespace]]\nname = \"user\"\ntemplate = \"user:{id}\"\nttl = \"1h\"\n";
    std::fs::write(&own, text).expect("it can be written");

    for strategy in [String::new(), own.display().to_string()] {
        let id = save(&app, DeploymentDraft { strategy: strategy.clone(), ..draft(&server) }).await;
        let namespaces = vec![template.clone()];
        let preview = async || {
            app.handle(Request::PreviewAdoption { deployment: id.clone(), namespaces: namespaces.clone() })
                .await
        };
        let patience = tokio::time::Instant::now() + PATIENCE;
        let view = loop {
            // It is found with the first scan.
            match preview().await {
                Ok(Reply::PreviewAdoption(view)) if view.added.contains("40 keys") => break view,
                other => assert!(tokio::time::Instant::now() < patience, "{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(view.new_file, strategy.is_empty(), "{view:?}");
        assert_eq!(std::fs::read_to_string(&own).expect("it is there"), text, "a preview writes nothing");
        let adopted = app
            .handle(Request::Adopt { deployment: id.clone(), namespaces: namespaces.clone() })
            .await
            .expect("it can be adopted");
        assert_eq!(adopted, Reply::Adopt(view.clone()));
        let written = std::fs::read_to_string(&view.file).expect("it is written");
        assert!(written.ends_with(&view.added), "{written}");
        assert!(strategy.is_empty() || written.starts_with(text), "what stood there stays: {written}");
        // Watched anew, it is documented: adopting it again is refused, and so is what was never found.
        for template in [template.clone(), "nobody:{id}".to_owned()] {
            let namespaces = vec![template.clone()];
            let error = app
                .handle(Request::Adopt { deployment: id.clone(), namespaces })
                .await
                .expect_err("nothing of this name was found");
            assert_eq!(error.code, WireErrorCode::NotFound);
        }
    }
    app.stop().await;
}
