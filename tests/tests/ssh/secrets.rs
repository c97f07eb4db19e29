//! A secret is nowhere that others can look.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cachescope_lab::servers::{LetsIn, SshServer};

use crate::support::{Site, ping, tunnel};

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Files below a directory that hold the secret.
fn telling(directory: &Path, secret: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => telling(&path, secret, found),
            // A socket can't be read, and holds nothing.
            Ok(kind) if kind.is_file() && std::fs::read(&path).is_ok_and(|bytes| holds(&bytes, secret)) => {
                found.push(path)
            }
            _ => {}
        }
    }
}

/// Opens a tunnel with a secret, and looks for that where others could.
async fn is_nowhere(site: &Site, key: Option<PathBuf>, secret: &str) -> Result<()> {
    let configuration = site.configuration(None)?;
    let words = configuration.display().to_string();
    let tunnel = tunnel(site.hop(key), configuration, Some(secret))?;
    assert!(!format!("{tunnel:?}").contains(secret), "a tunnel does not print it");
    let node = site.through(tunnel)?;
    ping(&node).await?;
    assert!(!format!("{node:?}").contains(secret), "nor does what goes through it");
    // Every process that belongs to the tunnel; its own environment holds the socket to ask at, so it was looked at.
    let mut looked_at = 0;
    let mut directory = None;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&line).split('\0').any(|word| word == words) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let told = holds(&line, secret) || holds(&environment, secret);
        assert!(!told, "{}", String::from_utf8_lossy(&line));
        let environment = String::from_utf8_lossy(&environment).into_owned();
        if let Some(socket) = environment.split('\0').find_map(|it| it.strip_prefix("CACHESCOPE_ASKPASS=")) {
            looked_at += 1;
            directory = Path::new(socket).parent().map(PathBuf::from);
        }
    }
    assert!(looked_at >= 2, "the shell and ssh itself");
    let directory = directory.context("the socket lies somewhere")?;
    let mode = std::fs::metadata(&directory)?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "nobody else may enter");
    let mut found = Vec::new();
    telling(&directory, secret, &mut found);
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_in_no_argument_environment_or_file_and_the_sockets_are_ours_alone() -> Result<()> {
    let site = Site::new().await?;
    is_nowhere(&site, Some(site.ssh.locked_key()), SshServer::PASSPHRASE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_argument_environment_or_file_either() -> Result<()> {
    let site = Site::letting_in(LetsIn::Password).await?;
    is_nowhere(&site, None, SshServer::PASSWORD).await
}
