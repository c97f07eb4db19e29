//! A deployment behind an SSH server, watched: by the command, and by a session whose tunnel is cut.

use anyhow::{Context, Result, ensure};
use cachescope_app::connection_test;
use cachescope_app::deployments;
use cachescope_app::session::Session;
use cachescope_app::wire::{ConnectionState, DeploymentDraft, StepResult};
use cachescope_lab::servers::SshServer;
use cachescope_model::deployment::Environment;
use cachescope_model::source::SourceId;
use cachescope_model::window::Window;
use cachescope_store::Secrets;
use cachescope_tests::waiting::wait_for;

use crate::support::{Site, command, tunnel};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_watches_through_an_ssh_server() -> Result<()> {
    let site = Site::new().await?;
    site.redis.typed("SET session:1 a").await?;
    let configuration = site.configuration(None)?;
    let state = tempfile::tempdir()?;
    let url = site.redis.url();
    let address = site.ssh.address();
    let key = site.ssh.locked_key().display().to_string();
    let snapshot = [
        "snapshot",
        "--redis",
        &url,
        "--ssh",
        &address,
        "--ssh-key",
        &key,
        "--watch-for",
        "2s",
        "--sources",
        "info",
        "--timeout",
        "20s",
        "--json",
    ];
    let output = command(state.path(), &configuration, Some(SshServer::PASSPHRASE), &snapshot).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert!(printed["namespaces"].is_array(), "{printed}");
    assert!(!format!("{said}{printed}").contains(SshServer::PASSPHRASE));
    // The same without its passphrase: one line, and the status of a server that is out of reach.
    let output = command(state.path(), &configuration, None, &snapshot).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("wants a passphrase") && said.trim().lines().count() == 1, "{said}");
    // A server that would be an option is bad input.
    let output =
        command(state.path(), &configuration, None, &["doctor", "--redis", &url, "--ssh=-oProxyCommand=x"])
            .await?;
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_that_is_cut_is_a_gap_and_is_opened_again() -> Result<()> {
    let mut site = Site::new().await?;
    let draft = DeploymentDraft {
        redis_url: site.redis.url(),
        ssh: "lab".to_owned(),
        environment: Some(Environment::Development),
        ..DeploymentDraft::default()
    };
    let (deployment, secrets) = deployments::from_draft(&draft)?;
    let mut plan = deployments::plan(deployment, secrets).await;
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    let hop = plan.deployment.ssh.clone().context("it has one")?;
    plan.sources = Some([SourceId::Info].into());
    plan.ssh = Some(tunnel(hop, configuration, None)?.into());
    let session = Session::start(plan);
    let connection = || session.connection(&session.snapshot(Window::OneMinute).sources);
    let until = async |state: ConnectionState| {
        wait_for(&format!("the connection is {state:?}"), async || {
            let now = connection();
            ensure!(now.state == state, "it is {now:?}");
            Ok(Some(now))
        })
        .await
    };
    until(ConnectionState::Live).await?;
    site.ssh.stop();
    let lost = until(ConnectionState::Lost).await?;
    wait_for("what is lost is the tunnel, and that is said", async || {
        Ok(connection().detail.contains("SSH").then_some(()))
    })
    .await?;
    site.ssh.restart().await?;
    let again = until(ConnectionState::Live).await?;
    assert!(again.last_data_at > lost.last_data_at, "data comes again");
    session.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_test_says_that_it_is_the_ssh_server_that_fails() -> Result<()> {
    let draft = DeploymentDraft {
        redis_url: "redis://cache".to_owned(),
        ssh: "nowhere.invalid".to_owned(),
        ..DeploymentDraft::default()
    };
    let report = connection_test::run(&draft, &Secrets::session_only(), None).await;
    assert!(!report.usable);
    let first = &report.steps[0];
    assert!(first.title.contains("SSH tunnel through nowhere.invalid"), "{report:?}");
    assert_eq!(first.result, StepResult::Failed, "{report:?}");
    assert!(first.detail.contains("resolve") && !first.remedy.is_empty(), "{report:?}");
    assert!(report.steps[1..].iter().all(|step| step.result == StepResult::Skipped), "{report:?}");
    Ok(())
}
