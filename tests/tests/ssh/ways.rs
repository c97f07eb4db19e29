//! Where ways lead: to what the SSH server sees and allows.

use anyhow::{Context, Result};
use cachescope_lab::servers::{
    KnownAs, RedisCluster, RedisOptions, RedisServer, SentinelGroup, SentinelOptions, SshOptions, SshServer,
    free_port,
};
use cachescope_sources::redis::topology::Discovery;
use cachescope_sources::redis::{ConnectOptions, RedisAddress, TlsOptions};
use cachescope_sources::ssh::parse;

use crate::support::{PATIENCE, Site, node, ping, refused, tunnel};

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_not_allowed_is_told_from_one_that_leads_nowhere() -> Result<()> {
    let site = Site::new().await?;
    let nobody = free_port()?;
    let options = SshOptions::to_these(&[&format!("127.0.0.1:{nobody}"), "nowhere.invalid:6379"]);
    let strict = SshServer::start(options).await?;
    let configuration = strict.client_configuration(KnownAs::Itself, Some(&strict.key()), None)?;
    for (url, code, words) in [
        (site.redis.url(), "unreachable", "does not allow a way"),
        (format!("redis://127.0.0.1:{nobody}"), "refused", "nothing listens there"),
        ("redis://nowhere.invalid".to_owned(), "dns", "resolved by the SSH server"),
    ] {
        let to = node(&url, tunnel(parse("lab")?, configuration.clone(), None)?, ConnectOptions::default())?;
        let error = refused(&to).await?;
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.to_string().contains(words) && !error.remedy().is_empty(), "{url}: {error}");
    }
    let unix = node(
        "unix:///run/redis.sock",
        tunnel(parse("lab")?, configuration, None)?,
        ConnectOptions::default(),
    )?;
    assert_eq!(refused(&unix).await?.code(), "bad_url");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_goes_through_with_the_servers_own_name() -> Result<()> {
    let server = RedisServer::start(RedisOptions { tls: true, ..RedisOptions::default() }).await?;
    let ssh = SshServer::start(SshOptions::default()).await?;
    let configuration = ssh.client_configuration(KnownAs::Itself, Some(&ssh.key()), None)?;
    let made = server.certificates().context("it speaks TLS")?;
    let tls = TlsOptions {
        ca: Some(made.ca.clone()),
        cert: Some(made.client_certificate.clone()),
        key: Some(made.client_key.clone()),
    };
    let with = |tls| ConnectOptions { tls, ..ConnectOptions::default() };
    let through = || tunnel(parse("lab")?, configuration.clone(), None);
    ping(&node(&server.url(), through()?, with(tls))?).await?;
    // A certificate is checked there as everywhere.
    let error = refused(&node(&server.url(), through()?, with(TlsOptions::default()))?).await?;
    assert_eq!(error.code(), "tls", "{error}");
    Ok(())
}

/// The servers that are found behind an SSH server, each asked once.
async fn found(address: &str, ssh: &SshServer) -> Result<usize> {
    cachescope_lab::servers::install_crypto();
    let configuration = ssh.client_configuration(KnownAs::Itself, Some(&ssh.key()), None)?;
    let options = ConnectOptions {
        ssh: Some(tunnel(parse("lab")?, configuration, None)?.into()),
        connect_timeout: PATIENCE,
        command_timeout: PATIENCE,
        ..ConnectOptions::default()
    };
    let found = Discovery::new(RedisAddress::parse(address)?, options).try_to_look().await?;
    for node in &found.nodes {
        ping(node).await?;
    }
    Ok(found.nodes.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_and_what_sentinels_tell_of_are_reached_through_the_same_tunnel() -> Result<()> {
    let ssh = SshServer::start(SshOptions::default()).await?;
    let cluster = RedisCluster::start(RedisOptions::default()).await?;
    assert_eq!(found(&cluster.url(), &ssh).await?, cluster.nodes().len());
    drop(cluster);
    let group = SentinelGroup::start(SentinelOptions::default()).await?;
    let address = format!("redis+sentinel://{}/{}", group.sentinels()[0].address(), group.service());
    assert_eq!(found(&address, &ssh).await?, 1 + group.replicas().len());
    Ok(())
}
