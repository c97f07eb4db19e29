//! Passwords that an `sshd` of the lab asks for, whoever runs it: PAM is told by a library in between (`pam_wrapper`) to
//! look into the lab's directory and not into the system's.

use std::path::Path;
use std::process::Command;

use super::process::{output, write_private};
use crate::error::LabError;

/// What has PAM let `user` in with `password` and nobody else: the environment of a process that asks it. The files are
/// written into `directory`.
pub(super) fn environment(
    directory: &Path,
    user: &str,
    password: &str,
) -> Result<Vec<(&'static str, String)>, LabError> {
    let installed = |arguments: &[&str]| {
        output(Command::new("pkg-config").args(arguments).arg("pam_wrapper"))
            .map(|printed| printed.trim().to_owned())
            .map_err(|_| LabError::NotInstalled {
                program: "pam_wrapper",
                package: "libpam-wrapper pkg-config",
                elsewhere: ", elsewhere see https://cwrap.org/pam_wrapper.html",
            })
    };
    let (library, modules) = (installed(&["--libs"])?, installed(&["--variable=modules"])?);
    let services = directory.join("pam");
    std::fs::create_dir_all(&services).map_err(LabError::io("make a directory for PAM"))?;
    let passwords = directory.join("passwords");
    write_private(&passwords, &format!("{user}:{password}:sshd\n"))?;
    let module = format!("required {modules}/pam_matrix.so passdb={}", passwords.display());
    let kinds = ["auth", "account", "password", "session"];
    write_private(&services.join("sshd"), &kinds.map(|kind| format!("{kind} {module}\n")).concat())?;
    Ok(vec![
        ("LD_PRELOAD", library),
        ("PAM_WRAPPER", "1".to_owned()),
        ("PAM_WRAPPER_SERVICE_DIR", services.display().to_string()),
    ])
}
