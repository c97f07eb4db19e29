//! Every playbook of the five documents, run whole through the app's door: what it names is gone, what it does not name
//! stays, and a step that is not done from here says why.

mod page;
mod test_host;

use std::collections::BTreeMap;

use cachescope_actions::plan::{Action, Scope};
use cachescope_actions::run_state::RunPhase;
use cachescope_app::wire::{
    ActionDraft, EndpointsDraft, PlaybookView, PreviewedAction, Reply, Request, WireErrorCode,
};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_lab::{Lab, LabOptions};
use page::Page;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const STRATEGIES: [&str; 5] =
    ["multi-tenant-saas", "hot-rod-analytics", "task-management", "hotspot", "booking"];

async fn endpoints(page: &Page, draft: EndpointsDraft) {
    let asked = Request::SetEndpoints { deployment: page.deployment.clone(), draft };
    let Ok(Reply::SetEndpoints(view)) = page.app.handle(asked).await else { panic!("kept") };
    assert!(view.has_application_token);
    let asked = Request::Endpoints { deployment: page.deployment.clone() };
    let Ok(Reply::Endpoints(read)) = page.app.handle(asked).await else { panic!("read") };
    assert_eq!(read, view);
}

async fn playbooks(page: &Page) -> Vec<PlaybookView> {
    let asked = Request::Playbooks { deployment: page.deployment.clone() };
    let Ok(Reply::Playbooks(playbooks)) = page.app.handle(asked).await else { panic!("listed") };
    playbooks
}

async fn preview(page: &Page, name: &str, parameters: BTreeMap<String, String>) -> PreviewedAction {
    let draft = ActionDraft::Playbook { name: name.to_owned(), parameters };
    page.preview(draft, None).await.expect(name)
}

/// Says yes to everything.
async fn agreeing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 8_192];
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            if stream.read(&mut bytes).await.is_err() || stream.write_all(answer).await.is_err() {
                return;
            }
        }
    });
    url
}

/// A key that a scope takes; the value that a field has is the one that was set for it, or `x1`.
fn key_of(scope: &Scope) -> Vec<String> {
    match scope {
        Scope::Keys { keys, .. } => {
            keys.iter().map(|key| String::from_utf8_lossy(&key.0).into_owned()).collect()
        }
        Scope::Pattern { pattern, .. } => vec![pattern.replace('*', "x1").replace('\\', "")],
        Scope::Namespace { template, .. } => {
            let mut key = String::new();
            let mut rest = template.as_str();
            while let Some((before, after)) = rest.split_once('{') {
                let (field, after) = after.split_once('}').expect("a template");
                key.push_str(before);
                key.push_str(if field.ends_with('#') { "1" } else { "x1" });
                rest = after;
            }
            vec![key + rest]
        }
        // Its member is set beside it.
        Scope::Tag { .. } => vec!["tagged:1".to_owned()],
    }
}

async fn exists(connection: &mut MultiplexedConnection, key: &str) -> bool {
    redis::cmd("EXISTS").arg(key).query_async(connection).await.expect("asked")
}

#[tokio::test]
async fn every_documented_playbook_runs_whole_and_says_of_each_step_that_it_does_not_do_why() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let url = agreeing().await;
    let (mut played, mut asked_over_http) = (0, 0);
    for strategy in STRATEGIES {
        let page = Page::on(&server.url(), strategy).await;
        let unset = playbooks(&page).await;
        let says_why = |playbook: &PlaybookView| {
            playbook.steps.iter().all(|step| step.done_here || !step.note.is_empty())
        };
        assert!(unset.iter().all(says_why), "{strategy}: {unset:?}");
        endpoints(
            &page,
            EndpointsDraft {
                application_url: url.clone(),
                application_token: Some("hunter2".to_owned()),
                application_private: true,
                cdn_url: format!("{url}/purge"),
                cdn_private: true,
                ..EndpointsDraft::default()
            },
        )
        .await;
        for playbook in playbooks(&page).await {
            let name = format!("{strategy}/{}", playbook.name);
            assert!(says_why(&playbook), "{name}: {:?}", playbook.steps);
            let value = |field: &String| {
                let value = if field == "pattern" { "cache:reports:*" } else { "p7" };
                (field.clone(), value.to_owned())
            };
            let parameters: BTreeMap<_, _> = playbook.parameters.iter().map(value).collect();
            let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
            // A first preview says what the plan reaches.
            let plan = preview(&page, &playbook.name, parameters.clone()).await.preview.plan;
            let mut named = Vec::new();
            for step in plan.steps.iter().filter(|step| matches!(step, Action::Remove { .. })) {
                let Some(scope) = step.scope() else { continue };
                for key in key_of(scope) {
                    if let Scope::Tag { set, .. } = scope {
                        let () = redis::cmd("SADD")
                            .arg(&set.0)
                            .arg(&key)
                            .query_async(&mut connection)
                            .await
                            .expect("set");
                    }
                    let () =
                        redis::cmd("SET").arg(&key).arg("v").query_async(&mut connection).await.expect("set");
                    named.push(key);
                }
            }
            let () =
                redis::cmd("SET").arg("bystander").arg("v").query_async(&mut connection).await.expect("set");
            let mut draft_how = preview(&page, &playbook.name, parameters.clone()).await;
            if draft_how.approval.is_none() {
                // Documented playbooks that reach protected namespaces (sessions) need the override, as they should.
                assert!(draft_how.preview.protected_keys > 0, "{name}: {:?}", draft_how.preview.checks);
                let mut how = draft_how.preview.plan.how.clone();
                how.protected_too = true;
                let draft = ActionDraft::Playbook { name: playbook.name.clone(), parameters };
                draft_how = page.preview(draft, Some(how)).await.expect(&name);
            }
            let state = page.run(&draft_how).await;
            assert_eq!(state.phase, RunPhase::Finished, "{name}: {}", state.why);
            for key in &named {
                assert!(!exists(&mut connection, key).await, "{name}: {key} is there still");
            }
            assert!(exists(&mut connection, "bystander").await, "{name}");
            let requests = plan.steps.iter().filter(|step| matches!(step, Action::Request { .. })).count();
            assert_eq!(state.answers.len(), requests, "{name}: {:?}", state.answers);
            asked_over_http += requests;
            played += 1;
        }
        page.app.stop().await;
    }
    // All of the documents: nobody left one out by mistake.
    assert!(played >= 40, "{played} playbooks");
    assert!(asked_over_http >= 4, "{asked_over_http} requests");
}

#[tokio::test]
async fn the_documented_endpoint_of_a_real_application_purges_what_was_previewed() {
    let lab = Lab::start(LabOptions::quiet("hotspot")).await.expect("a lab starts");
    let mut connection = lab.redis().connection().await.expect("it answers");
    for number in 0..30 {
        let key = format!("cache:reports:revenue:2026-{number}");
        let () = redis::cmd("SET").arg(key).arg("v").query_async(&mut connection).await.expect("set");
    }
    let () =
        redis::cmd("SET").arg("cache:dashboard:x").arg("v").query_async(&mut connection).await.expect("set");
    let page = Page::on(&lab.redis().url(), "hotspot").await;
    let parameters = BTreeMap::from([("pattern".to_owned(), "cache:reports:*".to_owned())]);
    let draft = |token: &str| EndpointsDraft {
        application_url: lab.service_urls()[0].clone(),
        application_token: Some(token.to_owned()),
        application_private: true,
        ..EndpointsDraft::default()
    };
    endpoints(&page, draft("wrong")).await;
    let previewed = preview(&page, "manual-purge", parameters.clone()).await;
    assert_eq!(previewed.preview.keys, 30);
    let state = page.run(&previewed).await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("credentials") && !state.why.contains("wrong"), "{}", state.why);
    // Halted, it is ended for good by the same request that stops one that runs.
    let asked = Request::CancelRun { run: state.run.clone() };
    let Ok(Reply::CancelRun(ended)) = page.app.handle(asked.clone()).await else { panic!("ended") };
    assert_eq!(ended.phase, RunPhase::Cancelled);
    let again = page.app.handle(asked).await.expect_err("it is over");
    assert_eq!(again.code, WireErrorCode::BadInput);

    endpoints(&page, draft(lab.admin_token())).await;
    let previewed = preview(&page, "manual-purge", parameters).await;
    let state = page.run(&previewed).await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert!(state.answers[0].contains("\"purged\":30"), "{:?}", state.answers);
    let left: Vec<String> =
        redis::cmd("KEYS").arg("cache:reports:*").query_async(&mut connection).await.expect("listed");
    assert!(left.is_empty() && exists(&mut connection, "cache:dashboard:x").await, "{left:?}");
    page.app.stop().await;
    lab.shutdown().await;
}
