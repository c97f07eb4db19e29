//! Which packages of the system are needed for what, and how they are installed.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::find_program;

/// What someone wants to do with the repository. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Compile everything and look at the demo.
    Demo,
    /// Run every check.
    Test,
}

/// Debian's names, a program or a pkg-config module that shows it is there where there is no dpkg, and the
/// purpose.
const PACKAGES: &[(&str, Probe, Purpose)] = &[
    ("build-essential", Probe::Program("cc"), Purpose::Demo),
    ("pkg-config", Probe::Program("pkg-config"), Purpose::Demo),
    ("libwebkit2gtk-4.1-dev", Probe::Module("webkit2gtk-4.1"), Purpose::Demo),
    ("libgtk-3-dev", Probe::Module("gtk+-3.0"), Purpose::Demo),
    ("libdbus-1-dev", Probe::Module("dbus-1"), Purpose::Demo),
    ("redis-server", Probe::Program("redis-server"), Purpose::Demo),
    ("prometheus", Probe::Program("prometheus"), Purpose::Demo),
    ("prometheus-redis-exporter", Probe::Program("prometheus-redis-exporter"), Purpose::Test),
    ("prometheus-alertmanager", Probe::Program("prometheus-alertmanager"), Purpose::Test),
    ("libayatana-appindicator3-1", Probe::Module("ayatana-appindicator3-0.1"), Purpose::Test),
    ("dunst", Probe::Program("dunst"), Purpose::Test),
    ("webkit2gtk-driver", Probe::Program("WebKitWebDriver"), Purpose::Test),
    ("xvfb", Probe::Program("Xvfb"), Purpose::Test),
    ("xauth", Probe::Program("xauth"), Purpose::Test),
    ("dbus", Probe::Program("dbus-run-session"), Purpose::Test),
    ("gnome-keyring", Probe::Program("gnome-keyring-daemon"), Purpose::Test),
    ("openssh-client", Probe::Program("ssh"), Purpose::Test),
    ("openssh-server", Probe::Program("sshd"), Purpose::Test),
    ("libpam-wrapper", Probe::Module("pam_wrapper"), Purpose::Test),
    ("faketime", Probe::Program("faketime"), Purpose::Test),
];

/// Packages whose service Debian would start at once and at every boot, and its name. The tests and the demo start their
/// own on free ports; a developer's machine must not get servers it did not ask for.
const SERVICES: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("prometheus", "prometheus"),
    ("prometheus-redis-exporter", "prometheus-redis-exporter"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("openssh-server", "ssh"),
];

enum Probe {
    Program(&'static str),
    Module(&'static str),
}

/// Installs what is missing for `purpose`.
///
/// # Errors
/// With the line to paste where it can't be done from here.
pub(crate) fn install(purpose: Purpose) -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        // The webview is part of the system there; what else is missing says so itself.
        return Ok(());
    }
    let wanted: Vec<_> = PACKAGES.iter().filter(|(_, _, needed_for)| *needed_for <= purpose).collect();
    if find_program("dpkg-query").is_none() {
        let missing: Vec<_> =
            wanted.iter().filter(|(_, probe, _)| !probe.is_there()).map(|(name, _, _)| *name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        bail!(
            "these are missing: {}. The names are Debian's; install what your system calls them and try again",
            missing.join(", ")
        );
    }
    let installed = installed_debian_packages()?;
    let missing: Vec<&str> =
        wanted.iter().map(|(name, _, _)| *name).filter(|name| !installed.contains(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_get_install(&missing)
}

impl Probe {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => find_program(name).is_some(),
            Self::Module(name) => run::succeeds(run::command("pkg-config").args(["--exists", name])),
        }
    }
}

fn installed_debian_packages() -> Result<BTreeSet<String>> {
    let mut query = run::command("dpkg-query");
    let listing = run::output(query.args(["--show", "--showformat=${db:Status-Status} ${Package}\\n"]))?;
    let installed = listing.lines().filter_map(|line| line.strip_prefix("installed "));
    Ok(installed.map(str::to_owned).collect())
}

/// One privileged script, so that a password is asked for once and the guard is undone whatever happens.
///
/// `policy-rc.d` is Debian's own way to forbid starting services during an installation (101: forbidden, see
/// invoke-rc.d(8)). Images of containers bring one; where there is none, one is put up for the duration.
const SCRIPT: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends $PACKAGES
if command -v systemctl > /dev/null; then
    for service in $SERVICES; do systemctl disable --quiet "$service" 2> /dev/null || true; done
fi
"#;

fn apt_get_install(missing: &[&str]) -> Result<()> {
    let packages = missing.join(" ");
    let services: Vec<&str> = SERVICES
        .iter()
        .filter(|(package, _)| missing.contains(package))
        .map(|(_, service)| *service)
        .collect();
    let by_hand = format!("apt-get install --no-install-recommends {packages}");
    eprintln!("missing packages: {packages}");

    let root = run::output(run::command("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        run::command("env")
    } else if find_program("sudo").is_some() {
        let mut sudo = run::command("sudo");
        if std::env::var_os("CI").is_some() {
            // Nobody is there to type a password.
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("neither root nor sudo: have someone run `{by_hand}` and try again");
    };
    command
        .arg(format!("PACKAGES={packages}"))
        .arg(format!("SERVICES={}", services.join(" ")))
        .args(["sh", "-c", SCRIPT]);
    let status = command.status()?;
    if !status.success() {
        bail!("the packages could not be installed; run `{by_hand}` as root and try again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_that_must_not_start_is_a_package_we_install() {
        for (package, _) in SERVICES {
            assert!(PACKAGES.iter().any(|(name, _, _)| name == package), "{package}");
        }
    }

    #[test]
    fn what_the_tests_need_includes_what_the_demo_needs() {
        assert!(Purpose::Demo < Purpose::Test);
    }
}
