//! `cargo xtask bundle`: one Debian package with the window, the command, the desktop entry and the icons.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the release build, the limits of size, and the check of what came out |
//! | `contents` | which file goes where |
//! | `debian` | the package's description and its making, by Debian's own programs |
//!
//! Only for Linux. Tauri's bundler would download helpers for what `dpkg-deb` does.

mod contents;
mod debian;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::packages::Purpose;
use crate::workspace::{find_program, target};
use crate::{page, run, setup};

/// Largest desktop program, in bytes: what is installed is mapped into memory.
const MOST_PROGRAM_BYTES: u64 = 20_000_000;

/// Largest package, in bytes.
const MOST_PACKAGE_BYTES: u64 = 15_000_000;

/// Builds both programs for release and packs them into `target/bundle`.
pub(crate) fn run() -> Result<()> {
    setup::prepare(Purpose::Demo)?;
    page::build()?;
    let programs = ["-p", "cachescope-desktop", "-p", "cachescope-cli", "--bins"];
    run::foreground(run::cargo(&["build", "--release"]).args(programs))?;
    pack(&target().join("release"))
}

/// Packs the programs of a folder, and holds both to their limits.
pub(crate) fn pack(built: &Path) -> Result<()> {
    for (program, package) in [("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev")] {
        if find_program(program).is_none() {
            bail!("{program} is not installed; it makes the package and comes with Debian's {package}");
        }
    }
    // Other programs are run in other folders.
    let built = fs::canonicalize(built).with_context(|| format!("{} can't be read", built.display()))?;
    let built = built.as_path();
    for program in contents::PROGRAMS {
        let bytes = size_of(&built.join(program))?;
        eprintln!("{program}: {}", megabytes(bytes));
        if bytes > MOST_PROGRAM_BYTES {
            bail!("{program} is larger than {}", megabytes(MOST_PROGRAM_BYTES));
        }
    }
    let package = debian::make(built, &target().join("bundle"))?;
    check(&package)?;
    let bytes = size_of(&package)?;
    if bytes > MOST_PACKAGE_BYTES {
        bail!("the package is {}, more than {}", megabytes(bytes), megabytes(MOST_PACKAGE_BYTES));
    }
    eprintln!("\n{}: {}", package.display(), megabytes(bytes));
    eprintln!(
        "install it with `sudo apt install {}`, remove it with `sudo apt remove cachescope`",
        package.display()
    );
    Ok(())
}

/// Asks the finished package what it is and what is in it, shows both, and fails where something is missing,
/// does not belong to root, or may be written by others.
fn check(package: &Path) -> Result<()> {
    let description = run::output(run::command("dpkg-deb").arg("--info").arg(package))?;
    let listing = run::output(run::command("dpkg-deb").arg("--contents").arg(package))?;
    eprintln!("{description}\n{listing}");
    for (path, executable) in contents::expected() {
        let mode = if executable { "-rwxr-xr-x root/root " } else { "-rw-r--r-- root/root " };
        let there =
            listing.lines().any(|line| line.starts_with(mode) && line.ends_with(&format!(" ./{path}")));
        if !there {
            bail!("{path} is not in the package as {mode}");
        }
    }
    for field in ["Package: cachescope", "Depends: ", "Installed-Size: ", "Architecture: "] {
        if !description.contains(field) {
            bail!("the package's description has no {field:?}");
        }
    }
    Ok(())
}

fn size_of(file: &Path) -> Result<u64> {
    let metadata = fs::metadata(file).with_context(|| format!("{} is not there", file.display()))?;
    Ok(metadata.len())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder that is gone afterwards, also when the test fails.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Result<Self> {
            let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            fs::create_dir_all(&path)?;
            Ok(Self(path))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // What stays behind lies in the system's folder for that.
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    /// A package with a small program of the system in the place of both: it depends on a library as they do.
    fn package(folder: &Path) -> Result<PathBuf> {
        let built = folder.join("release");
        fs::create_dir_all(&built)?;
        for name in contents::PROGRAMS {
            fs::copy("/bin/true", built.join(name))?;
        }
        debian::make(&built, &folder.join("bundle"))
    }

    fn field(package: &Path, name: &str) -> Result<String> {
        run::output(run::command("dpkg-deb").arg("--field").arg(package).arg(name))
    }

    #[test]
    fn the_package_has_both_programs_the_desktop_entry_and_the_icons_and_says_what_it_needs() -> Result<()> {
        let folder = Folder::new("package")?;
        let package = package(&folder.0)?;
        check(&package)?;
        assert_eq!(field(&package, "Version")?.trim(), env!("CARGO_PKG_VERSION"));
        assert!(field(&package, "Depends")?.contains("libc6"), "libraries that the programs load are named");
        assert!(field(&package, "Recommends")?.contains("appindicator"), "the tray's is loaded later");
        Ok(())
    }

    #[test]
    fn the_package_installs_and_leaves_nothing_when_it_is_removed() -> Result<()> {
        let folder = Folder::new("install")?;
        let package = package(&folder.0)?;
        let root = folder.0.join("root");
        fs::create_dir_all(root.join("var/lib/dpkg/updates"))?;
        fs::create_dir_all(root.join("var/lib/dpkg/info"))?;
        fs::write(root.join("var/lib/dpkg/status"), "")?;
        let dpkg = |arguments: &[&str]| {
            let mut dpkg = run::command("dpkg");
            // A system of its own, in which none of the libraries is installed.
            dpkg.arg(format!("--root={}", root.display())).args(["--force-not-root", "--force-depends"]);
            dpkg.arg("--log=/dev/null").args(arguments);
            run::output(&mut dpkg)
        };
        dpkg(&["--install", &package.display().to_string()])?;
        for (path, _) in contents::expected() {
            assert!(root.join(&path).is_file(), "{path} is installed");
        }
        dpkg(&["--remove", "cachescope"])?;
        for (path, _) in contents::expected() {
            assert!(!root.join(&path).exists(), "{path} is removed");
        }
        assert!(!root.join("usr/share/doc/cachescope").exists(), "its own folders go with it");
        Ok(())
    }
}
