//! The words that `ssh` is started with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cachescope_model::deployment::SshHop;

/// Names another file than `~/.ssh/config`, which `ssh` then reads alone (`ssh -F`).
pub(super) const CONFIG_VARIABLE: &str = "CACHESCOPE_SSH_CONFIG";

/// Whatever the configuration says. Forwardings of its own would be opened twice where the operator has them open;
/// commands, agents and displays are not what a tunnel is for; a quiet `ssh` could not say what failed.
const ALWAYS: [&str; 12] = [
    // Never weaker than asking, and that question is answered with nothing but a fingerprint that was approved.
    "StrictHostKeyChecking=ask",
    "FingerprintHash=sha256",
    "ClearAllForwardings=yes",
    "ControlMaster=yes",
    "ControlPersist=no",
    "ForwardAgent=no",
    "LogLevel=INFO",
    "NumberOfPasswordPrompts=1",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "ServerAliveCountMax=3",
    "ServerAliveInterval=5",
];

/// What says which server is meant, for every call.
pub(super) fn hop_words(hop: &SshHop, config: Option<&Path>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let config = config.map(Path::to_owned).or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from));
    if let Some(file) = config {
        words.extend(["-F".into(), file.into_os_string()]);
    }
    if let Some(port) = hop.port {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &hop.user {
        words.extend(["-l".into(), user.into()]);
    }
    if let Some(key) = &hop.key {
        // Otherwise keys of the agent are tried before it, and a server that counts lets nobody try many.
        words.extend(["-i".into(), key.into(), "-o".into(), "IdentitiesOnly=yes".into()]);
    }
    words.extend(["--".into(), hop.host.clone().into()]);
    words
}

/// The same for the master.
pub(super) fn master_words(
    hop: &SshHop,
    config: Option<&Path>,
    control: &Path,
    connect_timeout: Duration,
    may_ask: bool,
    password: bool,
) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["-M", "-N", "-T", "-a", "-x", "-S"].map(OsString::from).to_vec();
    words.push(control.into());
    for option in ALWAYS {
        words.extend(["-o".into(), option.into()]);
    }
    let seconds = connect_timeout.as_secs_f64().ceil().max(1.0);
    words.extend(["-o".into(), format!("ConnectTimeout={seconds:.0}").into()]);
    words.extend(["-o".into(), format!("BatchMode={}", if may_ask { "no" } else { "yes" }).into()]);
    if !password {
        // An empty one would be sent, and counted as an attempt.
        words.extend(["-o".into(), "PasswordAuthentication=no".into()]);
    }
    words.extend(hop_words(hop, config));
    words
}

/// What somebody types into a terminal to get there by hand.
pub(super) fn by_hand(hop: &SshHop) -> String {
    let mut line = "ssh ".to_owned();
    if let Some(port) = hop.port {
        line.push_str(&format!("-p {port} "));
    }
    if let Some(user) = &hop.user {
        line.push_str(&format!("{user}@"));
    }
    line.push_str(&hop.host);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_comes_last_and_behind_what_ends_the_options() {
        let hop = SshHop {
            host: "bastion".to_owned(),
            port: Some(2222),
            user: Some("ann".to_owned()),
            key: Some("~/.ssh/key".to_owned()),
        };
        let words =
            master_words(&hop, None, Path::new("/run/x/c"), Duration::from_millis(1200), false, false);
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words[words.len() - 2..], ["--", "bastion"]);
        let line = words.join(" ");
        for part in [
            "-S /run/x/c",
            "-p 2222 -l ann -i ~/.ssh/key -o IdentitiesOnly=yes",
            "StrictHostKeyChecking=ask",
            "ConnectTimeout=2",
            "BatchMode=yes",
            "PasswordAuthentication=no",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert_eq!(by_hand(&hop), "ssh -p 2222 ann@bastion");
    }
}
