//! What became of a tunnel, in one sentence that names the step.

use cachescope_model::deployment::SshHop;

use super::command::by_hand;
use super::host_key::UnknownHost;
use super::said::{Question, Said};
use crate::error::{ErrorCode, SourceError};
use crate::redis::lower_first;

/// There is no `ssh`, or it can't be started.
pub(super) fn no_program(hop: &SshHop, error: &std::io::Error) -> SourceError {
    SourceError::new(
        ErrorCode::Unreachable,
        format!(
            "the SSH server {hop} can't be reached: ssh can't be started: {}",
            lower_first(&error.to_string())
        ),
        "install OpenSSH's client: on Debian or Ubuntu `apt-get install openssh-client`",
    )
}

/// Something on this machine that a tunnel needs.
pub(super) fn local(hop: &SshHop, what: &str, error: &std::io::Error) -> SourceError {
    SourceError::new(
        ErrorCode::Unreachable,
        format!("the SSH tunnel through {hop} can't be made: {what}: {}", lower_first(&error.to_string())),
        "check that the directory for temporary files can be written to",
    )
}

/// The configuration can't be read, or no server is meant by it.
pub(super) fn bad_configuration(hop: &SshHop, said: &str) -> SourceError {
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("ssh gave no reason");
    SourceError::new(
        ErrorCode::BadUrl,
        format!("ssh can't make sense of {hop}: {}", lower_first(last)),
        format!("run `ssh -G {}` and mend your SSH configuration", hop.host),
    )
}

/// It took longer than it may.
pub(super) fn too_long(hop: &SshHop, seconds: u64) -> SourceError {
    SourceError::new(
        ErrorCode::Timeout,
        format!("the SSH server {hop} let nobody in within {seconds} s"),
        format!("run `{}` in a terminal to see what it waits for, such as a key to be touched", by_hand(hop)),
    )
}

/// Why `ssh` ended before there was a tunnel.
pub(super) fn not_open(hop: &SshHop, known_as: &str, said: &Said) -> SourceError {
    let lines = said.lines();
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    let make = |code, sentence: String, remedy: String| SourceError::new(code, sentence, remedy);
    if has("HOST IDENTIFICATION HAS CHANGED") || has("REVOKED HOST KEY") {
        return changed_key(hop, &lines);
    }
    if let Some(unknown) = said.not_trusted() {
        return unknown_key(hop, known_as, &unknown);
    }
    if has("Host key verification failed") {
        return make(
            ErrorCode::HostKey,
            format!("the key of the SSH server {hop} is not known here"),
            format!("`{}` in a terminal shows its fingerprint and adds it to your known hosts", by_hand(hop)),
        );
    }
    let questions = said.questions();
    if has("Permission denied")
        || has("Too many authentication failures")
        || has("No more authentication methods")
        || questions.iter().any(Question::is_unanswerable)
    {
        return not_let_in(hop, &lines, &questions);
    }
    let last = lines.last().map_or("ssh gave no reason", String::as_str);
    let last = lower_first(last.strip_prefix("ssh: ").unwrap_or(last));
    let sentence = format!("the SSH server {hop} can't be reached: {last}");
    if has("Could not resolve hostname") {
        return make(
            ErrorCode::Dns,
            sentence,
            "check the spelling of the SSH server, the DNS server and the VPN".to_owned(),
        );
    }
    if has("Bad configuration option") || has("terminating, ") {
        return bad_configuration(hop, &lines.join("\n"));
    }
    let code = if has("Connection refused") {
        ErrorCode::Refused
    } else if has("timed out") {
        ErrorCode::Timeout
    } else if has("Connection closed") || has("Connection reset") || has("kex_exchange") {
        ErrorCode::Closed
    } else {
        ErrorCode::Unreachable
    };
    make(
        code,
        sentence,
        format!("check host and port of the SSH server; `{}` should let you in", by_hand(hop)),
    )
}

/// A host that `ssh` asks about. It may be a jump host on the way.
fn unknown_key(hop: &SshHop, known_as: &str, unknown: &UnknownHost) -> SourceError {
    let host = &unknown.host;
    let whose = if host.eq_ignore_ascii_case(known_as) || host.is_empty() {
        format!("the SSH server {hop}")
    } else {
        format!("the jump host {host} on the way to the SSH server {hop}")
    };
    if unknown.known_otherwise {
        let name = if host.is_empty() { &hop.host } else { host };
        return SourceError::new(
            ErrorCode::HostKey,
            format!(
                "{whose} shows another kind of key, {unknown}, than is known of it: somebody may stand between here \
                 and there, so nothing was sent"
            ),
            format!(
                "ask whoever runs it whether its keys were replaced; only then `ssh-keygen -R '{name}'` forgets the \
                 old ones"
            ),
        );
    }
    SourceError::new(
        ErrorCode::HostKey,
        format!("the key of {whose} is not known here: it shows {unknown}"),
        format!(
            "compare that fingerprint with whoever runs the server; then trust it in the connection's test, with \
             --ssh-trust {}, or with `{}` in a terminal",
            unknown.fingerprint,
            by_hand(hop)
        ),
    )
}

fn changed_key(hop: &SshHop, lines: &[String]) -> SourceError {
    let shown =
        lines.iter().find(|line| line.starts_with("SHA256:")).map(|print| print.trim_end_matches('.'));
    let shown = shown.map(|print| format!(" and shows {print}")).unwrap_or_default();
    let removing = lines.iter().find(|line| line.starts_with("ssh-keygen ")).cloned();
    let removing = removing.unwrap_or_else(|| format!("ssh-keygen -R {}", hop.host));
    SourceError::new(
        ErrorCode::HostKey,
        format!(
            "the key of the SSH server {hop} has CHANGED{shown}: somebody may stand between here and there, so \
             nothing was sent"
        ),
        format!(
            "ask whoever runs it whether its key was replaced; only then `{removing}` forgets the old one"
        ),
    )
}

/// Everything that was tried was refused.
fn not_let_in(hop: &SshHop, lines: &[String], questions: &[Question]) -> SourceError {
    let make = |sentence: String, remedy: String| SourceError::new(ErrorCode::Auth, sentence, remedy);
    for question in questions.iter().rev() {
        match question {
            Question::Password { answered: true } => {
                return make(
                    format!("the SSH server {hop} refuses the password"),
                    "check user and password of the SSH server".to_owned(),
                );
            }
            Question::Other(words) => {
                return make(
                    format!("the SSH server {hop} asks for what can't be answered here: {words:?}"),
                    "use a key, or open the tunnel by hand and give its local address".to_owned(),
                );
            }
            _ => {}
        }
    }
    if questions.contains(&Question::Password { answered: false }) {
        return make(
            format!("the SSH server {hop} asks for a password, which was not given"),
            "give the password, or a key that it knows".to_owned(),
        );
    }
    let mut keys = questions.iter().filter_map(|question| match question {
        Question::Passphrase { key, answered } => Some((key, *answered)),
        _ => None,
    });
    if let Some((key, answered)) = keys.next_back() {
        // One that opens its key is not asked for again, but one that doesn't isn't either: ssh gives up on it.
        let sentence = if answered {
            format!("the SSH server {hop} does not let us in with the key {key}, or its passphrase is wrong")
        } else {
            format!("the SSH key {key} wants a passphrase, which was not given")
        };
        return make(
            sentence,
            "name the key and give its passphrase, or add it to your agent with ssh-add".to_owned(),
        );
    }
    if let Some(line) = lines.iter().find(|line| {
        line.contains("UNPROTECTED PRIVATE KEY")
            || line.contains("bad permissions")
            || line.contains("not accessible")
            || line.contains("Load key")
    }) {
        return make(
            format!("the SSH server {hop} lets nobody in: {}", lower_first(line.trim_matches(['@', ' ']))),
            "check the path of the key and its permissions: nobody but you may read it".to_owned(),
        );
    }
    let methods = lines.iter().rev().find_map(|line| {
        let (_, methods) = line.split_once("Permission denied (")?;
        Some(format!(" (it takes {})", methods.trim_end_matches([')', '.'])))
    });
    make(
        format!("the SSH server {hop} does not let us in{}", methods.unwrap_or_default()),
        format!(
            "give a key or a password, or add a key to your agent with ssh-add; `{}` should let you in",
            by_hand(hop)
        ),
    )
}

/// The tunnel was there and is gone.
pub(super) fn lost(hop: &SshHop, said: &Said) -> SourceError {
    let last = said.lines().last().map(|line| format!(": {}", lower_first(line))).unwrap_or_default();
    SourceError::new(
        ErrorCode::Closed,
        format!("the SSH tunnel through {hop} was lost{last}"),
        "it is opened again by itself",
    )
}

/// The SSH server can't connect to an address, or won't.
pub(super) fn no_way(hop: &SshHop, address: &str, reason: &str) -> SourceError {
    let (code, sentence, remedy) = if reason.contains("administratively prohibited") {
        (
            ErrorCode::Unreachable,
            format!("the SSH server {hop} does not allow a way to {address}"),
            "allow it in its sshd_config (AllowTcpForwarding, PermitOpen) or for the key (permitopen)",
        )
    } else if reason.contains("Connection refused") {
        (
            ErrorCode::Refused,
            format!(
                "{address} refused the connection: seen from the SSH server {hop}, nothing listens there"
            ),
            "check host and port, which are those that the SSH server sees, and whether the server is running",
        )
    } else if reason.contains("Name or service")
        || reason.contains("name resolution")
        || reason.contains("not known")
    {
        (
            ErrorCode::Dns,
            format!("the host of {address} can't be resolved by the SSH server {hop}"),
            "give the name or address that the SSH server knows it by",
        )
    } else {
        let why = if reason.is_empty() { "no reason was given" } else { reason };
        (
            ErrorCode::Unreachable,
            format!("{address} can't be reached from the SSH server {hop}: {}", lower_first(why)),
            "check host and port, which are those that the SSH server sees, and what stands between the two",
        )
    };
    SourceError::new(code, sentence, remedy)
}

/// The SSH server was asked for a way and has not answered.
pub(super) fn no_answer(hop: &SshHop, address: &str, within: std::time::Duration) -> SourceError {
    SourceError::new(
        ErrorCode::Timeout,
        format!("{address} did not answer the SSH server {hop} within {:.1} s", within.as_secs_f64()),
        "check host and port, which are those that the SSH server sees, and what stands between the two",
    )
}

#[cfg(test)]
mod tests {
    use super::super::hop::parse;
    use super::*;

    async fn said(lines: &str, questions: &[Question]) -> Said {
        let said = Said::default();
        said.clone().listen(lines.as_bytes()).await;
        questions.iter().for_each(|question| said.asked(question.clone()));
        said
    }

    #[tokio::test]
    async fn every_step_has_its_code_and_words() {
        let hop = parse("ann@bastion:2222").expect("fine");
        let password = Question::Password { answered: true };
        let phrase = |answered| Question::Passphrase { key: "/k".to_owned(), answered };
        let host = |name: &str, known_otherwise| {
            let (kind, fingerprint) = ("ED25519".to_owned(), "SHA256:abc".to_owned());
            let unknown = UnknownHost { host: name.to_owned(), kind, fingerprint, known_otherwise };
            Question::Host { unknown, trusted: false }
        };
        for (lines, questions, code, words) in [
            (
                "ssh: Could not resolve hostname bastion: Name or service not known",
                vec![],
                "dns",
                "could not resolve",
            ),
            ("ssh: connect to host bastion port 2222: Connection refused", vec![], "refused", "refused"),
            ("ssh: connect to host bastion port 2222: Connection timed out", vec![], "timeout", "timed out"),
            ("ssh: connect to host bastion port 2222: No route to host", vec![], "unreachable", "No route"),
            ("kex_exchange_identification: Connection closed by remote host", vec![], "closed", "closed"),
            ("Host key verification failed.", vec![], "host_key", "not known here"),
            (
                "Host key verification failed.",
                vec![host("bastion", false)],
                "host_key",
                "the SSH server ann@bastion:2222 is not known here: it shows ED25519 SHA256:abc",
            ),
            (
                "Host key verification failed.",
                vec![host("jump", false)],
                "host_key",
                "the jump host jump on the way to the SSH server ann@bastion:2222 is not known",
            ),
            (
                "Host key verification failed.",
                vec![host("bastion", true)],
                "host_key",
                "shows another kind of key",
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nSHA256:new.\nHost key verification failed.",
                vec![],
                "host_key",
                "has CHANGED and shows SHA256:new",
            ),
            (
                "ann@bastion: Permission denied (publickey,password).",
                vec![],
                "auth",
                "it takes publickey,password",
            ),
            ("ann@bastion: Permission denied (password).", vec![password], "auth", "refuses the password"),
            ("", vec![Question::Password { answered: false }], "auth", "asks for a password, which was not"),
            (
                "",
                vec![Question::Password { answered: true }, Question::Password { answered: false }],
                "auth",
                "refuses the password",
            ),
            ("", vec![Question::Other("(ann@bastion) Code:".to_owned())], "auth", "can't be answered here"),
            (
                "ann@bastion: Permission denied (publickey).",
                vec![phrase(false)],
                "auth",
                "wants a passphrase",
            ),
            (
                "ann@bastion: Permission denied (publickey).",
                vec![phrase(true)],
                "auth",
                "passphrase is wrong",
            ),
            (
                "ann@bastion: Permission denied (keyboard-interactive).",
                vec![Question::Other("(ann@bastion) Verification code:".to_owned())],
                "auth",
                "Verification code",
            ),
            ("", vec![], "unreachable", "gave no reason"),
        ] {
            let error = not_open(&hop, "bastion", &said(lines, &questions).await);
            assert_eq!(error.code(), code, "{lines}: {error}");
            assert!(error.to_string().contains(words), "{lines}: {error}");
            assert!(error.to_string().contains("SSH") && !error.remedy().is_empty(), "{lines}: {error}");
        }
    }

    #[test]
    fn a_way_that_is_refused_is_told_from_one_that_leads_nowhere() {
        let hop = parse("bastion").expect("fine");
        for (reason, code, words) in [
            ("administratively prohibited: open failed", "unreachable", "does not allow"),
            ("connect failed: Connection refused", "refused", "nothing listens"),
            ("connect failed: Name or service not known", "dns", "resolved"),
            ("connect failed: No route to host", "unreachable", "no route"),
            ("", "unreachable", "no reason"),
        ] {
            let error = no_way(&hop, "cache:6379", reason);
            assert_eq!(error.code(), code, "{reason}");
            let sentence = error.to_string().to_lowercase();
            assert!(sentence.contains(words) && sentence.contains("bastion"), "{reason}: {error}");
        }
    }
}
