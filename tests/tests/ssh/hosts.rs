//! Which host is trusted: one whose key is known, and no other.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cachescope_app::connection_test;
use cachescope_app::deployments;
use cachescope_app::wire::{ConnectionStep, DeploymentDraft, StepResult};
use cachescope_lab::servers::{KnownAs, SshOptions, SshServer};
use cachescope_sources::ssh::{TrustedKey, Tunnel, parse};

use crate::support::{PATIENCE, Site, command, ping, refused, tunnel};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_refused_with_its_fingerprint_and_the_command_that_adds_it() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Unknown, Some(&site.ssh.key()), None)?;
    // Not even where the operator's configuration would take any.
    let hosts = configuration.with_file_name("known_hosts");
    let mut text = std::fs::read_to_string(&configuration)?;
    text.push_str("  StrictHostKeyChecking no\n");
    std::fs::write(&configuration, text)?;
    let error = refused(&site.through(tunnel(site.hop(None), configuration, Some("hunter2"))?)?).await?;
    assert_eq!(error.code(), "host_key", "{error}");
    assert!(error.to_string().contains(&site.ssh.fingerprint()?), "{error}");
    let by_hand = format!("ssh -p {} {}@127.0.0.1", site.ssh.port(), site.ssh.user());
    assert!(error.remedy().contains(&by_hand), "{}", error.remedy());
    assert_eq!(std::fs::read_to_string(hosts)?, "", "nothing is added behind the operator's back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_key_has_changed_is_refused_loudly() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Another, Some(&site.ssh.key()), None)?;
    let error = refused(&site.through(tunnel(site.hop(None), configuration, None)?)?).await?;
    assert_eq!(error.code(), "host_key", "{error}");
    assert!(error.to_string().contains("CHANGED"), "{error}");
    assert!(error.to_string().contains(&site.ssh.fingerprint()?), "{error}");
    assert!(error.remedy().contains("ssh-keygen"), "{}", error.remedy());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_which_only_another_kind_of_key_is_known_counts_as_changed() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::AnotherKind, Some(&site.ssh.key()), None)?;
    let before = known_hosts(&configuration)?;
    // Not even where somebody was made to approve it.
    let key = TrustedKey::new(&site.ssh.fingerprint()?)?;
    let tunnel = tunnel(site.hop(None), configuration.clone(), None)?.trusting(key);
    let error = tunnel.open(PATIENCE).await.err().context("it is not the host that is known")?;
    assert_eq!(error.code(), "host_key", "{error}");
    // Some versions of `ssh` ask nothing then, and refuse it as one that has changed.
    let said = error.to_string();
    assert!(said.contains("another kind of key") || said.contains("has CHANGED"), "{error}");
    assert!(error.remedy().contains("ssh-keygen"), "{}", error.remedy());
    assert_eq!(tunnel.unknown_host().await, None, "it is not offered to be trusted");
    assert_eq!(known_hosts(&configuration)?, before);
    Ok(())
}

fn known_hosts(configuration: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(configuration.with_file_name("known_hosts"))?)
}

/// What a connection test says of the SSH server.
async fn tested(site: &Site, tunnel: Tunnel) -> Result<ConnectionStep> {
    cachescope_lab::servers::install_crypto();
    let draft =
        DeploymentDraft { redis_url: site.redis.url(), ssh: "lab".to_owned(), ..DeploymentDraft::default() };
    let (deployment, secrets) = deployments::from_draft(&draft)?;
    let mut plan = deployments::plan(deployment, secrets).await;
    plan.timeout = PATIENCE;
    plan.ssh = Some(Arc::new(tunnel));
    let report = connection_test::of(&plan).await;
    let step = report.steps.iter().find(|step| step.title.contains("SSH tunnel"));
    ensure!(step.is_some_and(|step| report.usable == (step.result != StepResult::Failed)), "{report:?}");
    step.cloned().context("the tunnel is one of its steps")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_shown_and_added_when_it_is_approved_as_the_configuration_keeps_hosts() -> Result<()>
{
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Unknown, Some(&site.ssh.key()), None)?;
    let text = std::fs::read_to_string(&configuration)?;
    std::fs::write(&configuration, format!("{text}  HashKnownHosts yes\n"))?;
    let through = || tunnel(parse("lab")?, configuration.clone(), None);
    let refused = tested(&site, through()?).await?;
    assert_eq!(refused.result, StepResult::Failed, "{refused:?}");
    let shown = refused.unknown_host.clone().context("its key is shown")?;
    assert_eq!(shown.fingerprint, site.ssh.fingerprint()?);
    assert_eq!((shown.kind.as_str(), shown.host), ("ED25519", format!("[127.0.0.1]:{}", site.ssh.port())));
    assert!(refused.remedy.contains(&format!("--ssh-trust {}", shown.fingerprint)), "{refused:?}");
    // Another fingerprint, or another host's, is not this one.
    let key = TrustedKey::new(&shown.fingerprint)?;
    let other = TrustedKey::new(&format!("SHA256:{}", "A".repeat(43)))?;
    for wrong in [other, key.clone().of_host("127.0.0.1")] {
        let refused = tested(&site, through()?.trusting(wrong)).await?;
        assert!(refused.result == StepResult::Failed && refused.unknown_host.is_some(), "{refused:?}");
        assert_eq!(known_hosts(&configuration)?, "", "nothing was added");
    }
    let added = tested(&site, through()?.trusting(key)).await?;
    assert_eq!(added.result, StepResult::Ok, "{added:?}");
    assert!(added.detail.contains("was added to your known hosts"), "{added:?}");
    let known = known_hosts(&configuration)?;
    assert!(
        known.starts_with("|1|") && known.lines().count() == 1,
        "hashed, as the configuration says: {known}"
    );
    let again = tested(&site, through()?).await?;
    assert!(again.result == StepResult::Ok && again.detail.contains("its key is known"), "{again:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_not_offered_and_no_approval_makes_it_trusted() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Another, Some(&site.ssh.key()), None)?;
    let before = known_hosts(&configuration)?;
    let key = TrustedKey::new(&site.ssh.fingerprint()?)?;
    for tunnel in [
        tunnel(parse("lab")?, configuration.clone(), None)?,
        tunnel(parse("lab")?, configuration.clone(), None)?.trusting(key),
    ] {
        let refused = tested(&site, tunnel).await?;
        assert!(refused.detail.contains("CHANGED") && refused.unknown_host.is_none(), "{refused:?}");
    }
    assert_eq!(known_hosts(&configuration)?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_not_be_written_is_trusted_for_this_once_and_that_is_said() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Unknown, Some(&site.ssh.key()), None)?;
    let nowhere = configuration.with_file_name("missing").join("known_hosts");
    let text = std::fs::read_to_string(&configuration)?;
    let file = configuration.with_file_name("known_hosts").display().to_string();
    std::fs::write(&configuration, text.replace(&file, &nowhere.display().to_string()))?;
    let key = TrustedKey::new(&site.ssh.fingerprint()?)?;
    let step = tested(&site, tunnel(parse("lab")?, configuration, None)?.trusting(key)).await?;
    assert_eq!(step.result, StepResult::Warning, "{step:?}");
    assert!(
        step.detail.contains("can't be added to your known hosts") && !step.remedy.is_empty(),
        "{step:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_is_trusted_by_itself_before_the_server_behind_it() -> Result<()> {
    let site = Site::new().await?;
    let jump = SshServer::start(SshOptions::default()).await?;
    let configuration = site.ssh.client_configuration(KnownAs::Unknown, Some(&site.ssh.key()), None)?;
    let jumping = format!(
        "Host jump\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\nHost lab\n  ProxyJump jump\n",
        jump.port(),
        jump.user(),
        jump.key().display()
    );
    std::fs::write(&configuration, jumping + &std::fs::read_to_string(&configuration)?)?;
    let through = || tunnel(parse("lab")?, configuration.clone(), None);
    for (server, whose) in [(&jump, "the jump host"), (&site.ssh, "the SSH server lab")] {
        let tunnel = through()?;
        let error = tunnel.open(PATIENCE).await.err().context("one of them is not known")?;
        assert!(error.to_string().starts_with(&format!("the key of {whose}")), "{error}");
        let unknown = tunnel.unknown_host().await.context("it can be trusted")?;
        assert_eq!(unknown.fingerprint, server.fingerprint()?);
        assert_eq!(unknown.host, format!("[127.0.0.1]:{}", server.port()));
        let key = TrustedKey::new(&unknown.fingerprint)?.of_host(&unknown.host);
        // The first time the server behind the jump host is still not known.
        let opened = through()?.trusting(key).open(PATIENCE).await;
        assert_eq!(opened.is_ok(), server.port() == site.ssh.port(), "{opened:?}");
    }
    assert_eq!(known_hosts(&configuration)?.lines().count(), 2);
    ping(&site.through(through()?)?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_trusts_a_key_by_the_fingerprint_that_is_given() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.ssh.client_configuration(KnownAs::Unknown, Some(&site.ssh.key()), None)?;
    let state = tempfile::tempdir()?;
    let (url, print) = (site.redis.url(), site.ssh.fingerprint()?);
    let doctor = async |more: &[&str]| {
        let typed = ["doctor", "--redis", &url, "--ssh", "lab", "--timeout", "20s"];
        let output = command(state.path(), &configuration, None, &[&typed, more].concat()).await?;
        anyhow::Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (status, said) = doctor(&[]).await?;
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&format!("--ssh-trust {print}")), "{said}");
    let (status, said) = doctor(&["--ssh-trust", "SHA256:abc"]).await?;
    assert_eq!(status, Some(2), "{said}");
    let (status, said) = doctor(&["--ssh-trust", &format!("SHA256:{}", "A".repeat(43))]).await?;
    assert_eq!(status, Some(3), "{said}");
    assert_eq!(known_hosts(&configuration)?, "");
    for more in [&["--ssh-trust", &print][..], &[]] {
        let (status, said) = doctor(more).await?;
        assert_eq!(status, Some(0), "{said}");
    }
    Ok(())
}
