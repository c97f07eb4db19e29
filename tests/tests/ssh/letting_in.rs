//! Who is let in, and with what.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cachescope_lab::servers::{KnownAs, LetsIn, SshAgent, SshServer};
use cachescope_sources::ssh::{Tunnel, parse};

use crate::support::{PATIENCE, Site, command, ping, refused, tunnel};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_an_agent_and_an_alias_let_in() -> Result<()> {
    let site = Site::new().await?;
    // The key named in the form, where the configuration has none.
    let keyless = site.configuration(None)?;
    ping(&site.through(tunnel(site.hop(Some(site.ssh.key())), keyless.clone(), None)?)?).await?;
    // Without it nobody is let in: so it was the key.
    let error = refused(&site.through(tunnel(site.hop(None), keyless, None)?)?).await?;
    assert_eq!(error.code(), "auth", "{error}");
    assert!(error.to_string().contains(&site.ssh.address()) && !error.remedy().is_empty(), "{error}");
    // An alias alone: host, port, user and key are the configuration's.
    let configuration = site.configuration(Some(&site.ssh.key()))?;
    ping(&site.through(tunnel(parse("lab")?, configuration, None)?)?).await?;
    // A key that only an agent holds.
    let agent = SshAgent::holding(&site.ssh.key()).await?;
    let asks_agent = site.ssh.client_configuration(KnownAs::Itself, None, Some(&agent))?;
    ping(&site.through(tunnel(site.hop(None), asks_agent.clone(), None)?)?).await?;
    // Without a program that could ask anything, too.
    let silent = Tunnel::new(site.hop(None), None).configured_by(asks_agent).asking_by(None);
    ping(&site.through(silent)?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_key_opens_with_its_passphrase_alone() -> Result<()> {
    let site = Site::new().await?;
    let hop = site.hop(Some(site.ssh.locked_key()));
    let with = |secret| {
        let configuration = site.configuration(None)?;
        site.through(tunnel(hop.clone(), configuration, secret)?)
    };
    ping(&with(Some(SshServer::PASSPHRASE))?).await?;
    for (secret, words) in [(None, "wants a passphrase"), (Some("hunter2"), "passphrase is wrong")] {
        let error = refused(&with(secret)?).await?;
        assert_eq!(error.code(), "auth", "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_server_does_not_know_and_a_server_that_is_not_there_are_told_apart() -> Result<()> {
    let mut site = Site::new().await?;
    let configuration = site.configuration(None)?;
    let strange = tunnel(site.hop(Some(site.ssh.strange_key())), configuration.clone(), None)?;
    let error = refused(&site.through(strange)?).await?;
    assert_eq!(error.code(), "auth", "{error}");
    assert!(error.to_string().contains("publickey"), "what it takes is said: {error}");
    let elsewhere = tunnel(parse("nowhere.invalid")?, configuration.clone(), None)?;
    let error = refused(&site.through(elsewhere)?).await?;
    assert_eq!(error.code(), "dns", "{error}");
    site.ssh.stop();
    let gone = tunnel(site.hop(Some(site.ssh.key())), configuration, None)?;
    let error = refused(&site.through(gone)?).await?;
    assert_eq!(error.code(), "refused", "{error}");
    assert!(error.to_string().contains("SSH server"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_ssh_refuses_is_said_to_be_it() -> Result<()> {
    let site = Site::new().await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("config");
    std::fs::write(&path, "NoSuchOption yes\n")?;
    let error = refused(&site.through(tunnel(site.hop(None), path, None)?)?).await?;
    assert_eq!(error.code(), "bad_url", "{error}");
    assert!(error.to_string().contains("bad configuration option"), "{error}");
    Ok(())
}

/// How often a server has refused a password.
fn refusals(site: &Site) -> Result<usize> {
    let log = site.ssh.log()?;
    Ok(log.lines().filter(|line| line.contains("Failed password") || line.contains("PAM: Auth")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_in_however_the_server_asks_for_it() -> Result<()> {
    for (lets_in, method, wants) in [
        (LetsIn::Password, "password", "it takes password"),
        (LetsIn::Asked, "keyboard-interactive", "asks for a password, which was not given"),
    ] {
        let site = Site::letting_in(lets_in).await?;
        let with = |secret| site.through(tunnel(site.hop(None), site.configuration(None)?, secret)?);
        ping(&with(Some(SshServer::PASSWORD))?).await?;
        assert!(site.ssh.log()?.contains(&format!("Accepted {method}")), "{}", site.ssh.log()?);
        // Without one nothing is tried, not even an empty one, and what is wanted is said.
        let error = refused(&with(None)?).await?;
        assert_eq!(error.code(), "auth", "{method}: {error}");
        assert!(error.to_string().contains(wants), "{error}");
        assert_eq!(refusals(&site)?, 0, "{method}: {}", site.ssh.log()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_to_be_wrong_and_is_tried_once() -> Result<()> {
    for lets_in in [LetsIn::Password, LetsIn::Asked] {
        let site = Site::letting_in(lets_in).await?;
        let tunnel = tunnel(site.hop(None), site.configuration(None)?, Some("hunter2"))?;
        // Whoever comes next is told the same, and the server is left alone: it may shut out who fails too often.
        for _ in 0..3 {
            let error = tunnel.open(PATIENCE).await.err().context("it does not let in")?;
            assert_eq!(error.code(), "auth", "{lets_in:?}: {error}");
            assert!(error.to_string().contains("refuses the password"), "{lets_in:?}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert_eq!(refusals(&site)?, 1, "{lets_in:?}: {}", site.ssh.log()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_kept_back_where_a_key_lets_in() -> Result<()> {
    let site = Site::letting_in(LetsIn::KeyOrPassword).await?;
    let with = |key: PathBuf, secret| {
        site.through(tunnel(site.hop(None), site.configuration(Some(&key))?, Some(secret))?)
    };
    ping(&with(site.ssh.key(), "hunter2")?).await?;
    let log = site.ssh.log()?;
    assert!(log.contains("Accepted publickey") && refusals(&site)? == 0, "{log}");
    // And given where the key does not.
    ping(&with(site.ssh.strange_key(), SshServer::PASSWORD)?).await?;
    assert!(site.ssh.log()?.contains("Accepted password"), "{}", site.ssh.log()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_takes_a_password_from_its_environment_and_shows_it_nowhere() -> Result<()> {
    let site = Site::letting_in(LetsIn::Password).await?;
    let (configuration, state) = (site.configuration(None)?, tempfile::tempdir()?);
    let url = site.redis.url();
    let doctor = ["doctor", "--redis", &url, "--ssh", "lab", "--timeout", "20s"];
    for (secret, status) in [(SshServer::PASSWORD, 0), ("hunter2", 3)] {
        let output = command(state.path(), &configuration, Some(secret), &doctor).await?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(!said.contains(secret), "{said}");
    }
    Ok(())
}
