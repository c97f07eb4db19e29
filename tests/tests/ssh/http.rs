//! A Prometheus and metrics pages behind an SSH server.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use cachescope_app::connection_test;
use cachescope_app::deployments;
use cachescope_app::finding;
use cachescope_app::session::Session;
use cachescope_app::wire::{ConnectionReport, ConnectionState, DeploymentDraft, StepResult};
use cachescope_lab::servers::{
    Certificates, KnownAs, PrometheusOptions, PrometheusServer, SshOptions, SshServer, free_port,
    install_crypto,
};
use cachescope_model::source::SourceId;
use cachescope_model::window::Window;
use cachescope_sources::http::metrics::{MetricsTarget, scrape};
use cachescope_sources::http::{HttpClient, HttpOptions};
use cachescope_sources::prometheus::query::PrometheusClient;
use cachescope_sources::redis::TlsOptions;
use cachescope_sources::ssh::{Tunnel, parse};
use cachescope_tests::waiting::wait_for;

use crate::support::{PATIENCE, Site, command, tunnel};

/// A tunnel through the lab's SSH server, by its alias.
fn through(ssh: &SshServer) -> Result<Arc<Tunnel>> {
    let configuration = ssh.client_configuration(KnownAs::Itself, Some(&ssh.key()), None)?;
    Ok(Arc::new(tunnel(parse("lab")?, configuration, None)?))
}

/// Deadlines for patient machines.
fn patient(ssh: Option<Arc<Tunnel>>) -> HttpOptions {
    install_crypto();
    HttpOptions { ssh, connect_timeout: PATIENCE, timeout: PATIENCE, ..HttpOptions::default() }
}

async fn prometheus() -> Result<PrometheusServer> {
    Ok(PrometheusServer::start(PrometheusOptions::default()).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_and_a_metrics_page_are_read_through_the_tunnel_and_not_beside_it() -> Result<()> {
    let (server, mut ssh) = (prometheus().await?, SshServer::start(SshOptions::default()).await?);
    let tunnel = through(&ssh)?;
    let client = PrometheusClient::new(&server.url(), patient(Some(Arc::clone(&tunnel))))?;
    // One that was not made yet, and several at once.
    let asked = futures::future::join_all((0..10).map(|_| client.build_info())).await;
    for build in asked {
        ensure!(!build?.version.is_empty());
    }
    // A page as large as they come: it arrives whole.
    let mut page = MetricsTarget::new(&format!("{}/metrics", server.url().trim_end_matches('/')));
    page.http = patient(Some(tunnel));
    let through = scrape(&page).await?;
    ensure!(through.samples.len() > 100 && through.bad_line_count == 0, "{} series", through.samples.len());
    // Without the SSH server there is no other way, and that is what is said.
    ssh.stop();
    wait_for("the loss is said to be that of the SSH server", async || {
        let error = client.build_info().await.err().context("it should not be reached")?;
        Ok((error.code() == "refused" && error.to_string().contains("SSH server")).then_some(()))
    })
    .await?;
    ssh.restart().await?;
    wait_for("it is reached again", async || Ok(client.build_info().await.ok())).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ssh_server_does_not_reach_or_allow_is_said_in_its_name() -> Result<()> {
    let server = prometheus().await?;
    let nobody = free_port()?;
    let allowed = SshOptions::to_these(&[&format!("127.0.0.1:{nobody}"), "nowhere.invalid:9090"]);
    let ssh = SshServer::start(allowed).await?;
    let tunnel = through(&ssh)?;
    for (url, code, words) in [
        (server.url(), "unreachable", "does not allow a way"),
        (format!("http://127.0.0.1:{nobody}"), "refused", "seen from the SSH server lab, nothing listens"),
        ("http://nowhere.invalid:9090".to_owned(), "dns", "resolved by the SSH server"),
    ] {
        let client = PrometheusClient::new(&url, patient(Some(Arc::clone(&tunnel))))?;
        let error = client.build_info().await.err().context(url.clone())?;
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.to_string().contains(words) && !error.remedy().is_empty(), "{url}: {error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_through_the_tunnel_is_with_the_servers_own_name() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let made = Certificates::make(directory.path())?;
    let serving = async |certificate: &Path, key: &Path| {
        let files = serde_json::json!({ "cert_file": certificate, "key_file": key });
        let web_config = Some(serde_json::json!({ "tls_server_config": files }).to_string());
        PrometheusServer::start(PrometheusOptions { web_config, ..PrometheusOptions::default() }).await
    };
    let server = serving(&made.server_certificate, &made.server_key).await?;
    // Its certificate is signed by the same authority, and for no host at all.
    let nameless = serving(&made.client_certificate, &made.client_key).await?;
    let ssh = SshServer::start(SshOptions::default()).await?;
    let tunnel = through(&ssh)?;
    let ask = async |server: &PrometheusServer, host: &str, ca: Option<&Path>| {
        let tls = TlsOptions { ca: ca.map(Into::into), ..TlsOptions::default() };
        let options = HttpOptions { tls, ..patient(Some(Arc::clone(&tunnel))) };
        PrometheusClient::new(&format!("https://{host}:{}", server.port()), options)?.build_info().await
    };
    ask(&server, "127.0.0.1", Some(&made.ca)).await?;
    ask(&server, "localhost", Some(&made.ca)).await?;
    for (server, ca, words) in
        [(&nameless, Some(made.ca.as_path()), "another host name"), (&server, None, "not trusted here")]
    {
        let asked = ask(server, "127.0.0.1", ca).await;
        let error = asked.err().context("a certificate is checked there as everywhere")?;
        assert_eq!(error.code(), "tls", "{words}: {error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_stays_at_the_one_address_that_the_ways_lead_to() -> Result<()> {
    let other = prometheus().await?;
    let elsewhere = format!("{}/metrics", other.url().trim_end_matches('/'));
    let app = Router::new()
        .route("/here", get(async || Redirect::temporary("/page")))
        .route("/page", get(async || "a 1\n"))
        .route("/elsewhere", get(async move || Redirect::temporary(&elsewhere)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let ssh = SshServer::start(SshOptions::default()).await?;
    let tunnel = through(&ssh)?;
    let get = async |path: &str, ssh: Option<Arc<Tunnel>>| {
        HttpClient::new(&format!("{base}{path}"), patient(ssh))?.get("text/plain").await
    };
    assert_eq!(get("/here", Some(Arc::clone(&tunnel))).await?.body, b"a 1\n");
    let error = get("/elsewhere", Some(tunnel)).await.err().context("the ways don't lead there")?;
    assert!(error.to_string().contains("another port"), "{error}");
    get("/elsewhere", None).await.context("directly, another port of the host is fine")?;
    serving.abort();
    Ok(())
}

/// A plan of a Redis and a Prometheus behind the site's SSH server.
async fn plan(
    site: &Site,
    prometheus: &str,
    ssh_http: bool,
    tunnel: Arc<Tunnel>,
) -> Result<cachescope_app::session::SessionPlan> {
    install_crypto();
    let draft = DeploymentDraft {
        redis_url: site.redis.url(),
        prometheus_url: prometheus.to_owned(),
        metrics_urls: vec![format!("{}/metrics", prometheus.trim_end_matches('/'))],
        ssh: "lab".to_owned(),
        ssh_http,
        ..DeploymentDraft::default()
    };
    let (deployment, secrets) = deployments::from_draft(&draft)?;
    let mut plan = deployments::plan(deployment, secrets).await;
    plan.ssh = Some(tunnel);
    plan.timeout = PATIENCE;
    Ok(plan)
}

fn of<'r>(report: &'r ConnectionReport, part: &str) -> Result<&'r cachescope_app::wire::ConnectionStep> {
    report.steps.iter().find(|step| step.title.contains(part)).with_context(|| format!("{part}: {report:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_test_reaches_the_prometheus_the_way_that_was_chosen() -> Result<()> {
    let (mut site, server) = (Site::new().await?, prometheus().await?);
    let through_it = plan(&site, &server.url(), true, through(&site.ssh)?).await?;
    let report = connection_test::of(&through_it).await;
    ensure!(report.usable, "{report:?}");
    for part in ["SSH tunnel through lab", "Ask the Prometheus", "Read the metrics page"] {
        assert_eq!(of(&report, part)?.result, StepResult::Ok, "{report:?}");
    }
    // One that only the other way leads to: the remedy says which.
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let direct = plan(&site, &nobody, false, through(&site.ssh)?).await?;
    let report = connection_test::of(&direct).await;
    let asked = of(&report, "Ask the Prometheus")?;
    assert_eq!(asked.result, StepResult::Failed, "{report:?}");
    assert!(asked.remedy.contains("through the SSH tunnel, too"), "{asked:?}");
    // Without the tunnel, what goes through it is not tried, and what does not is.
    site.ssh.stop();
    for (ssh_http, result) in [(true, StepResult::Skipped), (false, StepResult::Ok)] {
        let report =
            connection_test::of(&plan(&site, &server.url(), ssh_http, through(&site.ssh)?).await?).await;
        assert_eq!(of(&report, "SSH tunnel through lab")?.result, StepResult::Failed, "{report:?}");
        for part in ["Ask the Prometheus", "Read the metrics page"] {
            assert_eq!(of(&report, part)?.result, result, "{report:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_redis_watches_metrics_through_the_tunnel_alone() -> Result<()> {
    let (mut site, server) = (Site::new().await?, prometheus().await?);
    let mut plan = plan(&site, &server.url(), true, through(&site.ssh)?).await?;
    plan.deployment.redis_url = None;
    plan.sources = Some([SourceId::Metrics, SourceId::Prometheus].into());
    let session = Session::start(plan);
    // In part, as these metrics are no cache's.
    let until = async |state: ConnectionState| {
        wait_for(&format!("the connection is {state:?}"), async || {
            let now = session.connection(&session.snapshot(Window::OneMinute).sources);
            ensure!(now.state == state, "it is {now:?}");
            Ok(Some(()))
        })
        .await
    };
    until(ConnectionState::Partial).await?;
    site.ssh.stop();
    until(ConnectionState::Lost).await?;
    site.ssh.restart().await?;
    until(ConnectionState::Partial).await?;
    session.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_places_are_looked_at_from_the_ssh_server() -> Result<()> {
    install_crypto();
    let nobody = free_port()?;
    // It lets through to none of them, so no answer can have come by another way.
    let ssh = SshServer::start(SshOptions::to_these(&[&format!("127.0.0.1:{nobody}")])).await?;
    // A name that means something there alone is no reason not to look.
    let tried = finding::endpoints("redis://nowhere.invalid", Some(through(&ssh)?)).await?;
    assert_eq!(tried.len(), 6);
    for place in tried {
        assert!(!place.found && place.detail.contains("SSH server lab"), "{place:?}");
    }
    let error = finding::endpoints("redis://8.8.8.8", Some(through(&ssh)?)).await.err();
    assert_eq!(
        error.context("the internet is not knocked at")?.code,
        cachescope_app::wire::WireErrorCode::Refused
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_a_prometheus_through_the_tunnel_where_that_is_said() -> Result<()> {
    let (site, server) = (Site::new().await?, prometheus().await?);
    // It leads to the Redis alone.
    let redis = format!("127.0.0.1:{}", site.redis.port());
    let strict = SshServer::start(SshOptions::to_these(&[&redis])).await?;
    let state = tempfile::tempdir()?;
    let (redis_url, prometheus_url) = (site.redis.url(), server.url());
    let snapshot = async |ssh: &SshServer, more: &[&str]| {
        let configuration = ssh.client_configuration(KnownAs::Itself, Some(&ssh.key()), None)?;
        let typed = ["snapshot", "--redis", &redis_url, "--ssh", "lab", "--prometheus", &prometheus_url];
        let rest = ["--watch-for", "2s", "--sources", "info,prometheus", "--timeout", "20s", "--json"];
        let output =
            command(state.path(), &configuration, None, &[&typed[..], &rest[..], more].concat()).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}");
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let sources = printed["sources"].as_array().context("it lists its sources")?;
        let found = sources.iter().find(|source| source["source"] == "prometheus");
        Ok(found.context("one of them is the Prometheus")?.to_string())
    };
    // It answers, and has no series of a cache.
    let answers = "has none of the cache's series";
    let through = snapshot(&site.ssh, &["--ssh-http"]).await?;
    assert!(through.contains(answers), "{through}");
    let refused = snapshot(&strict, &["--ssh-http"]).await?;
    assert!(refused.contains("does not allow a way"), "{refused}");
    let direct = snapshot(&strict, &[]).await?;
    assert!(direct.contains(answers), "{direct}");
    let configuration = site.configuration(None)?;
    let alone = ["doctor", "--redis", &redis_url, "--ssh-http"];
    let output = command(state.path(), &configuration, None, &alone).await?;
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
