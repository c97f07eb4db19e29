//! Deployments that go into a file and come from one: of ours and of other programs.

mod test_host;

use cachescope_app::App;
use cachescope_app::wire::{
    DeploymentDraft, DeploymentView, ImportOutcome, ImportReport, Reply, Request, WireError,
};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{Colour, Environment};
use test_host::TestHost;

async fn app(directory: &tempfile::TempDir) -> App {
    cachescope_lab::servers::install_crypto();
    App::start(TestHost { directory: directory.path().to_owned() }).await
}

async fn import(app: &App, contents: &str, keep: bool) -> Result<ImportReport, WireError> {
    let contents = contents.to_owned();
    match app.handle(Request::ImportDeployments { contents, keep }).await? {
        Reply::ImportDeployments(report) => Ok(report),
        other => panic!("an import was answered with {other:?}"),
    }
}

async fn deployments(app: &App) -> Vec<DeploymentView> {
    match app.handle(Request::Deployments {}).await.expect("they are listed") {
        Reply::Deployments(views) => views,
        other => panic!("deployments were answered with {other:?}"),
    }
}

async fn export(app: &App) -> String {
    match app.handle(Request::ExportDeployments {}).await.expect("they are written") {
        Reply::ExportDeployments(text) => text,
        other => panic!("an export was answered with {other:?}"),
    }
}

fn outcomes(report: &ImportReport) -> Vec<(&str, &str, ImportOutcome)> {
    report.deployments.iter().map(|it| (it.name.as_str(), it.address.as_str(), it.outcome)).collect()
}

fn draft(name: &str, redis_url: &str) -> DeploymentDraft {
    DeploymentDraft {
        name: name.to_owned(),
        environment: Some(Environment::Staging),
        redis_url: redis_url.to_owned(),
        redis_password: Some("hunter2".to_owned()),
        group: "Payments".to_owned(),
        colour: Some(Colour::Teal),
        ..DeploymentDraft::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_no_secret_and_comes_back_as_it_was_but_never_over_what_is_there() {
    let (here, there) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let first = app(&here).await;
    // Nobody listens there: what is kept does not depend on it.
    for draft in [draft("orders", "redis://ann:hunter2@127.0.0.1:1/2"), draft("carts", "127.0.0.1:2")] {
        first.handle(Request::SaveDeployment { draft }).await.expect("it is kept");
    }
    let text = export(&first).await;
    assert!(!text.contains("hunter2"), "{text}");

    // Into another one: the same, with the same identities, so that links lead there as well.
    let second = app(&there).await;
    let preview = import(&second, &text, false).await.expect("it is read");
    assert!(!preview.kept && deployments(&second).await.is_empty(), "a preview adds nothing");
    let report = import(&second, &text, true).await.expect("it is read");
    assert_eq!((report.format.as_str(), report.kept), ("Cachescope", true));
    assert!(report.deployments.iter().all(|it| it.outcome == ImportOutcome::New), "{report:?}");
    let kept = |views: Vec<DeploymentView>| views.into_iter().map(|it| it.deployment).collect::<Vec<_>>();
    assert_eq!(kept(deployments(&second).await), kept(deployments(&first).await));
    assert_eq!(kept(deployments(&second).await)[0].group.as_deref(), Some("Payments"));

    // Once more, with another name: what is there stays as it is.
    let changed = text.replace("orders", "renamed").replace("Payments", "Other");
    let report = import(&second, &changed, true).await.expect("it is read");
    assert!(report.deployments.iter().all(|it| it.outcome == ImportOutcome::Known), "{report:?}");
    assert_eq!(kept(deployments(&second).await), kept(deployments(&first).await));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_ours_with_a_password_in_an_address_keeps_it_out_of_what_is_kept() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let text = r#"{"cachescope": "deployments", "version": 1, "deployments": [
        {"id": "../../etc", "name": "a", "environment": null, "redis_url": "redis://u:hunter2@127.0.0.1:1",
         "prometheus_url": null, "metrics_urls": [], "strategy": null}]}"#;
    let report = import(&app, text, true).await.expect("it is read");
    assert!(report.deployments[0].secrets && !format!("{report:?}").contains("hunter2"), "{report:?}");
    let kept = deployments(&app).await;
    assert!(kept[0].has_redis_password && !format!("{kept:?}").contains("hunter2"));
    assert_ne!(kept[0].deployment.id.0, "../../etc", "an identity that is none of ours is not taken");
    assert_eq!(kept[0].deployment.environment(), Environment::Production, "what is not said is production");
    assert!(!export(&app).await.contains("hunter2"));
    app.stop().await;
}

/// As Redis Insight writes them.
const INSIGHT: &str = r#"[
  {"host": "cache.internal", "port": 6380, "name": "Orders", "db": 3, "username": "viewer", "password": "hunter2",
   "connectionType": "STANDALONE", "tls": true, "verifyServerCert": true, "modules": [], "compressor": "NONE"},
  {"host": "10.1.2.3", "port": 26379, "name": "Sessions", "db": 0, "username": null, "password": "hunter2-sentinel",
   "connectionType": "SENTINEL", "sentinelMaster": {"name": "main group", "username": "default", "password": "hunter2"}},
  {"host": "cluster.internal", "port": 7000, "name": "Cluster", "connectionType": "CLUSTER", "tls": true,
   "caCert": {"name": "ca", "certificate": "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----"}},
  {"host": "bastion.internal", "port": 6379, "name": "Tunnel", "ssh": true,
   "sshOptions": {"host": "bastion", "port": 22, "username": "me", "password": "hunter2"}},
  {"host": "evil/@elsewhere", "port": 6379, "name": "Odd"},
  {"host": "cache.internal", "port": 6380, "name": "Orders again", "db": 3, "username": "viewer", "tls": true}
]"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_insight_wrote_is_read_with_its_passwords_kept_apart() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let report = import(&app, INSIGHT, false).await.expect("it is read");
    assert_eq!(report.format, "Redis Insight");
    use ImportOutcome::{Known, New, Refused};
    assert_eq!(
        outcomes(&report),
        [
            ("Orders", "rediss://viewer@cache.internal:6380/3", New),
            ("Sessions", "redis+sentinel://default@10.1.2.3:26379/main%20group", New),
            ("Cluster", "rediss://cluster.internal:7000", New),
            ("Tunnel", "redis://bastion.internal:6379", New),
            ("Odd", "", Refused),
            ("Orders again", "rediss://viewer@cache.internal:6380/3", Known),
        ]
    );
    assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
    assert!(report.deployments[0].secrets && report.deployments[1].secrets && !report.deployments[2].secrets);
    assert!(report.deployments[2].notes[0].contains("certificates"), "{report:?}");
    // What lets in at the SSH server stays in the file.
    assert!(report.deployments[3].notes[0].contains("SSH") && !report.deployments[3].secrets, "{report:?}");
    import(&app, INSIGHT, true).await.expect("it is read");
    let kept = deployments(&app).await;
    let hop = kept[3].deployment.ssh.as_ref().expect("it is reached through one");
    assert_eq!((hop.to_string(), hop.key.as_deref()), ("me@bastion".to_owned(), None));
    assert!(!kept[3].has_ssh_secret && !export(&app).await.contains("hunter2"));
    app.stop().await;
}

/// The same in the words of Another Redis Desktop Manager, which writes them in base64.
const ANOTHER: &str = "W3siaG9zdCI6IjEwLjEuMi4zIiwicG9ydCI6IjYzNzkiLCJhdXRoIjoiaHVudGVyMiIsInVzZXJuYW1lIjoiIiwibmFtZSI6Ik9yZGVycyIsInNlcGFyYX\
    RvciI6IjoiLCJjbHVzdGVyIjpmYWxzZSwiY29sb3IiOiIjNDA5RUZGIn0seyJob3N0IjoiMTAuMS4yLjQiLCJwb3J0IjoyNjM3OSwiYXV0aCI6Imh1bnRl\
    cjItcyIsIm5hbWUiOiJTIiwic2VudGluZWxPcHRpb25zIjp7Im1hc3Rlck5hbWUiOiJteW1hc3RlciIsIm5vZGVQYXNzd29yZCI6Imh1bnRlcjIifX1d";

#[tokio::test(flavor = "multi_thread")]
async fn what_another_redis_desktop_manager_wrote_is_read() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let report = import(&app, ANOTHER, true).await.expect("it is read");
    assert_eq!(report.format, "Another Redis Desktop Manager");
    assert_eq!(
        outcomes(&report),
        [
            ("Orders", "redis://10.1.2.3:6379", ImportOutcome::New),
            ("S", "redis+sentinel://10.1.2.4:26379/mymaster", ImportOutcome::New),
        ]
    );
    let kept = deployments(&app).await;
    assert_eq!(kept[0].deployment.colour, Some(Colour::Blue));
    assert!(kept.iter().all(|it| it.has_redis_password));
    app.stop().await;
}

/// As Tiny RDM keeps them.
const TINY: &str = "\
- name: Payments
  type: group
  connections:
    - name: Ledger
      addr: 10.1.2.3
      port: 6390
      username: viewer
      password: \"hunter2: #1\"
      mark_color: '#67C23A'
      ssl:
        enable: true
        caFile: /etc/ca.pem
      ssh:
        enable: false
        login_type: pwd
- name: Tunnelled
  addr: 10.1.2.9
  port: 6379
  ssh:
    enable: true
    addr: bastion
    port: 2222
    username: me
    login_type: pkfile
    pk_file: /home/me/.ssh/key
    passphrase: hunter2
- name: Local
  addr: 127.0.0.1
";

#[tokio::test(flavor = "multi_thread")]
async fn what_tiny_rdm_keeps_is_read_with_its_groups() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let report = import(&app, TINY, true).await.expect("it is read");
    assert_eq!(report.format, "Tiny RDM");
    use ImportOutcome::New;
    assert_eq!(
        outcomes(&report),
        [
            ("Ledger", "rediss://viewer@10.1.2.3:6390", New),
            ("Tunnelled", "redis://10.1.2.9:6379", New),
            ("Local", "redis://127.0.0.1:6379", New),
        ]
    );
    let kept = deployments(&app).await;
    let ledger = &kept[0].deployment;
    assert_eq!((ledger.group.as_deref(), ledger.colour), (Some("Payments"), Some(Colour::Green)));
    assert_eq!(ledger.tls.ca.as_deref(), Some("/etc/ca.pem"));
    assert!(kept[0].has_redis_password && kept[0].deployment.ssh.is_none(), "it is switched off");
    let hop = kept[1].deployment.ssh.as_ref().expect("it is reached through one");
    assert_eq!(
        (hop.to_string(), hop.key.as_deref()),
        ("me@bastion:2222".to_owned(), Some("/home/me/.ssh/key"))
    );
    assert!(!kept[1].has_ssh_secret && report.deployments[1].notes[0].contains("SSH"), "{report:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_address_behind_another_ssh_server_is_another_deployment() {
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    let entry = |ssh: &str| serde_json::json!({"host": "cache", "port": 6379, "ssh": true, "sshHost": ssh});
    let bad = entry("-oProxyCommand=touch");
    let text = serde_json::json!([{"host": "cache", "port": 6379}, entry("a"), entry("b"), entry("a"), bad]);
    let report = import(&app, &text.to_string(), true).await.expect("it is read");
    use ImportOutcome::{Known, New, Refused};
    let outcomes: Vec<_> = report.deployments.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [New, New, New, Known, Refused], "{report:?}");
    // Written and read again it is the same.
    let file = export(&app).await;
    assert!(file.contains("\"ssh\""), "{file}");
    let again = import(&app, &file, false).await.expect("it is read");
    assert!(again.deployments.iter().all(|it| it.outcome == Known), "{again:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_metrics_goes_along_and_is_direct_in_files_that_do_not_say_it() {
    let entry = |id: char, more: serde_json::Value| {
        let mut entry = serde_json::json!({
            "id": id.to_string().repeat(32), "name": id, "environment": null, "redis_url": null,
            "prometheus_url": format!("http://prometheus-{id}:9090"), "metrics_urls": [], "strategy": null,
        });
        for (name, value) in more.as_object().expect("fields") {
            entry[name] = value.clone();
        }
        entry
    };
    let hop = serde_json::json!({"host": "bastion", "port": null, "user": null, "key": null});
    let through = entry('a', serde_json::json!({"ssh": hop, "ssh_http": true}));
    let older = entry('b', serde_json::json!({"ssh": hop, "redis_url": "redis://cache"}));
    let text =
        serde_json::json!({"cachescope": "deployments", "version": 1, "deployments": [through, older]});
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    import(&app, &text.to_string(), true).await.expect("it is read");
    let file: serde_json::Value = serde_json::from_str(&export(&app).await).expect("it is JSON");
    let ways: Vec<_> =
        file["deployments"].as_array().expect("a list").iter().map(|it| &it["ssh_http"]).collect();
    assert_eq!(ways, [true, false], "{file}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_came_from_a_file_opens_the_server() {
    let options = RedisOptions { password: Some("a b:c@d/#".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("redis-server is installed");
    let port = server.address().rsplit_once(':').map(|(_, port)| port.to_owned()).expect("a port");
    let text = serde_json::json!([{"host": "127.0.0.1", "port": port, "password": "a b:c@d/#"}]).to_string();
    let state = tempfile::tempdir().expect("a directory");
    let app = app(&state).await;
    import(&app, &text, true).await.expect("it is read");
    let id = deployments(&app).await[0].deployment.id.clone();
    let doctor = app.handle(Request::Doctor { deployment: id }).await.expect("the server is reached");
    let Reply::Doctor(report) = doctor else { panic!("another answer: {doctor:?}") };
    assert!(report.server.contains("redis"), "{report:?}");
    app.stop().await;
}
