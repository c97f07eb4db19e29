//! Which host is trusted: one whose key is known, and no other.

use anyhow::Result;
use cachescope_lab::servers::KnownAs;

use crate::support::{Site, refused, tunnel};

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
