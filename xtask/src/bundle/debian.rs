//! The package's description and its making. It has no scripts: dpkg's triggers of `desktop-file-utils`,
//! `hicolor-icon-theme` and `shared-mime-info` keep the caches of menus, icons and link handlers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::contents::{Entry, PROGRAMS, entries};
use crate::run;

/// What is loaded at run time and so not seen by `dpkg-shlibdeps`, or spoken to: the tray's library, and a
/// keychain. Without them the program works and says what it does without.
const RECOMMENDS: &str = "libayatana-appindicator3-1, gnome-keyring | libkf5wallet-bin | keepassxc";

/// What the demo starts.
const SUGGESTS: &str = "redis-server, prometheus";

const DESCRIPTION: &str = "\
watches caches per key namespace and acts on them with guards
 Cachescope connects to Redis and to Prometheus endpoints and shows live hit
 rate, latency, memory and evictions of each key namespace, each with how sure
 it is. It judges documented thresholds, says why keys miss, and purges and
 warms with preview, approval and undo.
 .
 The package holds the window (cachescope-desktop) and the command (cachescope).
";

/// Packs the programs of `built` and everything that goes with them; the package lies in `folder`.
pub(crate) fn make(built: &Path, folder: &Path) -> Result<PathBuf> {
    let root = folder.join("root");
    // Left behind by a run that was broken off: what is in it would be packed as well.
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let mut installed_bytes = 0;
    for entry in entries(built) {
        installed_bytes += put(&entry, &root)?;
    }
    let architecture = run::output(run::command("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    let control = root.join("DEBIAN");
    make_folder(&control)?;
    fs::write(control.join("md5sums"), checksums(&root, built)?)?;
    fs::write(
        control.join("control"),
        format!(
            "Package: cachescope\nVersion: {version}\nArchitecture: {architecture}\nSection: database\n\
             Priority: optional\nMaintainer: The Cachescope authors <cachescope@localhost>\n\
             Installed-Size: {}\nDepends: {}\nRecommends: {RECOMMENDS}\nSuggests: {SUGGESTS}\n\
             Description: {DESCRIPTION}",
            installed_bytes.div_ceil(1024),
            libraries(built, &folder.join("libraries"))?,
        ),
    )?;
    let package = folder.join(format!("cachescope_{version}_{architecture}.deb"));
    // xz, which every dpkg of the last ten years unpacks.
    let mut pack = run::command("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&root).arg(&package);
    run::output(&mut pack)?;
    fs::remove_dir_all(&root)?;
    Ok(package)
}

/// Copies a file to its place, readable by everyone whatever this process's umask is, and gives its size.
fn put(entry: &Entry, root: &Path) -> Result<u64> {
    let to = root.join(&entry.to);
    make_folder(to.parent().unwrap_or(root))?;
    if entry.compressed {
        // Without name and time, so that the same source makes the same package.
        let packed = run::command("gzip").args(["-9", "-n", "-c"]).arg(&entry.from).output()?;
        fs::write(&to, packed.stdout)?;
    } else {
        fs::copy(&entry.from, &to).with_context(|| format!("{} can't be copied", entry.from.display()))?;
    }
    fs::set_permissions(&to, fs::Permissions::from_mode(if entry.executable { 0o755 } else { 0o644 }))?;
    Ok(fs::metadata(&to)?.len())
}

/// A folder and its parents, open to everyone.
fn make_folder(folder: &Path) -> Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    for folder in missing {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The sums that `dpkg --verify` compares with.
fn checksums(root: &Path, built: &Path) -> Result<String> {
    let mut sums = run::command("md5sum");
    sums.current_dir(root).args(entries(built).iter().map(|entry| entry.to.as_str()));
    run::output(&mut sums)
}

/// The packages of the libraries that the programs load, with their least versions, as Debian finds them out
/// (dpkg-shlibdeps(1)). They are those of the system that this runs on: build on the oldest one to be served.
fn libraries(built: &Path, scratch: &Path) -> Result<String> {
    // dpkg-shlibdeps wants to be in a source package.
    fs::create_dir_all(scratch.join("debian"))?;
    fs::write(
        scratch.join("debian/control"),
        "Source: cachescope\n\nPackage: cachescope\nArchitecture: any\n",
    )?;
    let mut find = run::command("dpkg-shlibdeps");
    find.current_dir(scratch).arg("-O").args(PROGRAMS.map(|name| built.join(name)));
    let found = run::output(&mut find)?;
    fs::remove_dir_all(scratch)?;
    let depends = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    depends.map(str::to_owned).context("dpkg-shlibdeps named no libraries")
}
