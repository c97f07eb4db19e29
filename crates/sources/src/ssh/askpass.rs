//! Questions of `ssh`, and our answers.
//!
//! `ssh` starts a program for each question (`SSH_ASKPASS`), with the question as its argument, and reads the answer
//! from its output. That program is this one again: it takes the question to the socket that [`VARIABLE`] names, and
//! prints what comes back. So a secret is in no argument, environment or file. The socket lies in a directory of
//! ours that nobody else may enter, and who asks must be the same user.
//!
//! A passphrase goes to a key, which stays on this machine; a password to nobody but the server that is meant: not
//! to a jump host, and not to whoever asks for something else. A host's key is trusted where the operator has approved its
//! fingerprint. Each question is answered once. Where a server asks what can't be answered, `ssh` is ended before it says so
//! there: an empty answer is a failed login, and who fails too often is shut out.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::host_key::{TrustedKey, UnknownHost};
use super::said::{Question, Said};

/// Where an asking process of this program finds us. No secret.
pub(super) const VARIABLE: &str = "CACHESCOPE_ASKPASS";

/// Longest question; that about a host is a few hundred bytes.
const MOST_BYTES: u64 = 16 * 1024;
/// A question and its answer take milliseconds.
const WITHIN: Duration = Duration::from_secs(10);

/// Whether the program was started to ask. Shells ask this before anything else.
#[must_use]
pub fn is_asked_for() -> bool {
    std::env::var_os(VARIABLE).is_some() && std::env::args_os().len() == 2
}

/// Asks, and prints the answer.
#[must_use]
pub fn run() -> ExitCode {
    let question = std::env::args_os().nth(1).unwrap_or_default();
    let socket = std::env::var_os(VARIABLE).unwrap_or_default();
    if std::env::var_os("SSH_ASKPASS_PROMPT").is_some_and(|kind| kind == "none") {
        // A remark to be seen while a hardware key waits to be touched; it blinks by itself. `ssh` ends us when it
        // was, and our output when it ends itself.
        let mut nothing = Vec::new();
        let _closed = io::stdin().take(1).read_to_end(&mut nothing);
        return ExitCode::SUCCESS;
    }
    match ask(Path::new(&socket), question.as_encoded_bytes()) {
        Ok(answer) if !answer.is_empty() => {
            let mut output = io::stdout().lock();
            let written = output.write_all(&answer).and_then(|()| output.write_all(b"\n"));
            if written.and_then(|()| output.flush()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => ExitCode::FAILURE,
    }
}

fn ask(socket: &Path, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    stream.write_all(question)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// What may be given to whom.
#[derive(Debug)]
pub(super) struct Answers {
    /// The passphrase of the key that was named.
    passphrase: Option<SecretString>,
    /// Our password at the server that is meant.
    password: Option<SecretString>,
    /// `user@host` as the server that is meant is called in questions.
    logins: Vec<String>,
    /// The key that is trusted where it is not known.
    trusted: Option<TrustedKey>,
    /// Questions that were answered.
    answered: Vec<String>,
}

impl Answers {
    pub(super) fn new(
        passphrase: Option<SecretString>,
        password: Option<SecretString>,
        logins: Vec<String>,
        trusted: Option<TrustedKey>,
    ) -> Self {
        Self { passphrase, password, logins, trusted, answered: Vec::new() }
    }

    /// What is asked, and the answer to it.
    fn to(&mut self, question: &str) -> (Question, Option<SecretString>) {
        let first = !self.answered.iter().any(|known| known == question);
        if let Some(unknown) = UnknownHost::of_question(question) {
            let print = self.trusted.as_ref().and_then(|key| key.answer_to(&unknown)).filter(|_| first);
            let answer = print.map(SecretString::from);
            if answer.is_some() {
                self.answered.push(question.to_owned());
            }
            return (Question::Host { unknown, trusted: answer.is_some() }, answer);
        }
        let secret = if question.starts_with("Enter passphrase for ") {
            &self.passphrase
        } else if self.is_our_password(question) {
            &self.password
        } else {
            return (Question::Other(question.trim().chars().take(200).collect()), None);
        };
        let answer = secret.clone().filter(|_| first);
        let answered = answer.is_some();
        if answered {
            self.answered.push(question.to_owned());
        }
        let asked = if question.starts_with("Enter passphrase for ") {
            Question::Passphrase { key: quoted(question), answered }
        } else {
            Question::Password { answered }
        };
        (asked, answer)
    }

    /// `user@host's password: ` (the method `password`) or `(user@host) Password: ` (`keyboard-interactive`, where
    /// what stands behind the bracket is the server's own).
    fn is_our_password(&self, question: &str) -> bool {
        let lower = question.to_lowercase();
        self.logins.iter().map(|login| login.to_lowercase()).any(|login| {
            lower.trim_end() == format!("{login}'s password:")
                || lower
                    .strip_prefix(&format!("({login}) "))
                    .is_some_and(|theirs| matches!(theirs.trim(), "password:" | "password"))
        })
    }
}

/// What stands in quotes.
fn quoted(question: &str) -> String {
    let mut parts = question.split(['\'', '"']);
    parts.nth(1).unwrap_or_default().to_owned()
}

/// Answers until it is dropped. Questions come one after the other.
pub(super) async fn answer(listener: UnixListener, mut answers: Answers, said: Said) {
    let ours = rustix::process::geteuid().as_raw();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "questions of ssh can't be heard");
                return;
            }
        };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == ours) {
            tracing::warn!("another user asked for what only ssh may ask");
            continue;
        }
        match timeout(WITHIN, one(stream, &mut answers, &said)).await {
            Ok(Ok(Asked::Answered)) => {}
            // Who waits for it ends `ssh`, and then this.
            Ok(Ok(Asked::InVain(_unanswered))) => std::future::pending().await,
            Ok(Err(error)) => tracing::debug!(%error, "a question of ssh broke off"),
            Err(_) => tracing::debug!("a question of ssh did not end"),
        }
    }
}

/// What became of a question.
enum Asked {
    /// There was an answer, or none was as good.
    Answered,
    /// There is none, and `ssh` must not take that for an empty one: it waits for as long as this is there.
    InVain(UnixStream),
}

async fn one(mut stream: UnixStream, answers: &mut Answers, said: &Said) -> io::Result<Asked> {
    let mut question = Vec::new();
    (&mut stream).take(MOST_BYTES).read_to_end(&mut question).await?;
    let (asked, answer) = answers.to(&String::from_utf8_lossy(&question));
    let in_vain = asked.is_unanswerable();
    said.asked(asked);
    if in_vain {
        return Ok(Asked::InVain(stream));
    }
    if let Some(answer) = answer {
        stream.write_all(answer.expose_secret().as_bytes()).await?;
    }
    stream.shutdown().await?;
    Ok(Asked::Answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        let secret = |text: &str| Some(SecretString::from(text.to_owned()));
        Answers::new(secret("phrase"), secret("word"), vec!["ann@10.0.0.1".to_owned()], None)
    }

    #[test]
    fn each_secret_goes_where_it_is_meant_to_and_nowhere_else() {
        for (question, given) in [
            ("Enter passphrase for key '/home/ann/.ssh/id': ", Some("phrase")),
            ("ann@10.0.0.1's password: ", Some("word")),
            ("Ann@10.0.0.1's password: ", Some("word")),
            ("(ann@10.0.0.1) Password: ", Some("word")),
            ("(ann@10.0.0.1) Password:", Some("word")),
            // A jump host, another user, another question, and a server that pretends to be another one.
            ("ann@jump's password: ", None),
            ("root@10.0.0.1's password: ", None),
            ("(ann@10.0.0.1) Verification code: ", None),
            ("(ann@jump) ann@10.0.0.1's password: ", None),
            ("(ann@jump) (ann@10.0.0.1) Password: ", None),
            ("Enter PIN for ED25519-SK key: ", None),
            ("", None),
            ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", None),
        ] {
            let (asked, answer) = answers().to(question);
            assert_eq!(answer.as_ref().map(|it| it.expose_secret()), given, "{question}");
            assert!(!format!("{asked:?}").contains("phrase\"") && !format!("{asked:?}").contains("word\""));
        }
    }

    #[test]
    fn a_question_is_answered_once() {
        let mut answers = answers();
        assert!(answers.to("ann@10.0.0.1's password: ").1.is_some());
        let (asked, again) = answers.to("ann@10.0.0.1's password: ");
        assert!(again.is_none() && asked == Question::Password { answered: false });
        assert!(answers.to("Enter passphrase for key 'a': ").1.is_some(), "another one is");
    }

    #[test]
    fn a_host_is_trusted_by_the_fingerprint_that_was_approved_and_by_none_unasked() {
        let print = format!("SHA256:{}", "A".repeat(43));
        let question = format!(
            "The authenticity of host 'bastion (10.0.0.1)' can't be established.\nED25519 key fingerprint is \
             {print}.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? "
        );
        let is_trusted = |asked: &Question| matches!(asked, Question::Host { trusted: true, .. });
        let (asked, answer) = answers().to(&question);
        assert!(answer.is_none() && !is_trusted(&asked), "{asked:?}");
        let key = TrustedKey::new(&print).expect("a fingerprint");
        let mut trusting = Answers { trusted: Some(key), ..answers() };
        let (asked, answer) = trusting.to(&question);
        assert_eq!(answer.expect("it was approved").expose_secret(), print);
        assert!(is_trusted(&asked), "{asked:?}");
        assert!(trusting.to(&question).1.is_none(), "once");
        let other = question.replace("AAA", "BBB");
        assert!(trusting.to(&other).1.is_none(), "another key was not approved");
    }
}
