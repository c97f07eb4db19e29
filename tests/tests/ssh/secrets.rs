//! A passphrase is nowhere that others can look.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cachescope_lab::servers::SshServer;

use crate::support::{Site, ping, tunnel};

/// Whether the bytes hold the passphrase.
fn holds(bytes: &[u8]) -> bool {
    let secret = SshServer::PASSPHRASE.as_bytes();
    bytes.windows(secret.len()).any(|window| window == secret)
}

/// Files below a directory that hold the passphrase.
fn telling(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => telling(&path, found),
            // A socket can't be read, and holds nothing.
            Ok(kind) if kind.is_file() && std::fs::read(&path).is_ok_and(|bytes| holds(&bytes)) => {
                found.push(path)
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_in_no_argument_environment_or_file_and_the_sockets_are_ours_alone() -> Result<()> {
    let site = Site::new().await?;
    let configuration = site.configuration(None)?;
    let words = configuration.display().to_string();
    let tunnel = tunnel(site.hop(Some(site.ssh.locked_key())), configuration, Some(SshServer::PASSPHRASE))?;
    assert!(!format!("{tunnel:?}").contains(SshServer::PASSPHRASE), "a tunnel does not print it");
    let node = site.through(tunnel)?;
    ping(&node).await?;
    assert!(!format!("{node:?}").contains(SshServer::PASSPHRASE), "nor does what goes through it");
    // Every process that belongs to the tunnel; its own environment holds the socket to ask at, so it was looked at.
    let mut looked_at = 0;
    let mut directory = None;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&line).split('\0').any(|word| word == words) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        assert!(!holds(&line) && !holds(&environment), "{}", String::from_utf8_lossy(&line));
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
    telling(&directory, &mut found);
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}
