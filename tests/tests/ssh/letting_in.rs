//! Who is let in, and with what.

use anyhow::Result;
use cachescope_lab::servers::{KnownAs, SshAgent, SshServer};
use cachescope_sources::ssh::{Tunnel, parse};

use crate::support::{Site, ping, refused, tunnel};

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
