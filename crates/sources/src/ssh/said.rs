//! What `ssh` said on its standard error, and what it asked: kept shortly, for the words of an error.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::watch;

use super::host_key::UnknownHost;

/// Lines that are kept; a changed host key alone takes fourteen.
const MOST_LINES: usize = 40;
/// Of a line.
const MOST_CHARACTERS: usize = 400;
/// Questions that are kept.
const MOST_QUESTIONS: usize = 16;
/// The line about a way that could not be made is written before we are told, and may be read a moment later.
const REASON_WITHIN: Duration = Duration::from_millis(500);

/// A question of `ssh`, without its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether this host is to be trusted.
    Host {
        /// What it shows.
        unknown: UnknownHost,
        /// Whether it is.
        trusted: bool,
    },
    /// The passphrase of this key.
    Passphrase {
        /// The key's path.
        key: String,
        /// Whether it was given.
        answered: bool,
    },
    /// Our password there.
    Password {
        /// Whether it was given.
        answered: bool,
    },
    /// Anything else.
    Other(String),
}

impl Question {
    /// Whether a server asks, and we have no answer. `ssh` would send an empty one, which counts as a failed login.
    pub(super) fn is_unanswerable(&self) -> bool {
        match self {
            Self::Password { answered } => !answered,
            Self::Other(words) => words.starts_with('(') || words.to_lowercase().ends_with("'s password:"),
            Self::Host { .. } | Self::Passphrase { .. } => false,
        }
    }
}

/// Everything said so far.
#[derive(Clone, Debug)]
pub(super) struct Said {
    kept: Arc<Mutex<Kept>>,
    /// How many ways could not be made.
    refused: watch::Sender<u64>,
    /// Whether a server asked what can't be answered.
    stuck: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    questions: Vec<Question>,
    /// Why the last way could not be made.
    reason: String,
}

impl Default for Said {
    fn default() -> Self {
        Self { kept: Arc::default(), refused: watch::Sender::new(0), stuck: watch::Sender::new(false) }
    }
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads lines until there are no more.
    pub(super) async fn listen(self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            // A line without an end is cut; its rest is a line of its own.
            let read = (&mut output).take(64 * 1024).read_until(b'\n', &mut line).await;
            if !matches!(read, Ok(count) if count > 0) {
                return;
            }
            self.line(&String::from_utf8_lossy(&line));
        }
    }

    fn line(&self, line: &str) {
        let line: String =
            line.trim().chars().filter(|character| !character.is_control()).take(MOST_CHARACTERS).collect();
        if line.is_empty() {
            return;
        }
        tracing::debug!("ssh: {line}");
        let mut kept = self.lock();
        if let Some((_, reason)) = line.split_once(": open failed: ") {
            reason.clone_into(&mut kept.reason);
            drop(kept);
            self.refused.send_modify(|count| *count += 1);
            return;
        }
        if kept.lines.len() == MOST_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    pub(super) fn asked(&self, question: Question) {
        let stuck = question.is_unanswerable();
        let mut kept = self.lock();
        if kept.questions.len() < MOST_QUESTIONS {
            kept.questions.push(question);
        }
        drop(kept);
        if stuck {
            self.stuck.send_replace(true);
        }
    }

    /// Waits until a server asks what can't be answered.
    pub(super) async fn stuck(&self) {
        // An error would mean that there is no sender any more, which this is one of.
        let mut stuck = self.stuck.subscribe();
        let _asked = stuck.wait_for(|stuck| *stuck).await;
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        self.lock().questions.clone()
    }

    /// The host that was asked about and not trusted.
    pub(super) fn not_trusted(&self) -> Option<UnknownHost> {
        self.lock().questions.iter().find_map(|question| match question {
            Question::Host { unknown, trusted: false } => Some(unknown.clone()),
            _ => None,
        })
    }

    /// What became of the key of a host that was asked about and trusted: whether it was added to the known hosts.
    /// `None` where none was.
    pub(super) fn trusted(&self) -> Option<(UnknownHost, bool)> {
        let kept = self.lock();
        let host = kept.questions.iter().rev().find_map(|question| match question {
            Question::Host { unknown, trusted: true } => Some(unknown.clone()),
            _ => None,
        })?;
        let failed = kept.lines.iter().any(|line| line.starts_with("Failed to add the host"));
        Some((host, !failed))
    }

    /// How many ways could not be made so far.
    pub(super) fn refused(&self) -> u64 {
        *self.refused.borrow()
    }

    /// Why a way could not be made that was asked for when `before` others could not; empty where nothing was said.
    pub(super) async fn reason_after(&self, before: u64) -> String {
        let mut refused = self.refused.subscribe();
        let told = tokio::time::timeout(REASON_WITHIN, refused.wait_for(|count| *count > before)).await;
        if matches!(told, Ok(Ok(_))) { self.lock().reason.clone() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_is_kept_shortly_and_reasons_apart() {
        let said = Said::default();
        let mut text: String = (0..100).map(|number| format!("line {number}\r\n")).collect();
        text.push_str("\u{1b}[31mred\n\nchannel 2: open failed: connect failed: Connection refused\n");
        text.push_str(&"x".repeat(5_000));
        said.clone().listen(text.as_bytes()).await;
        let lines = said.lines();
        assert_eq!(lines.len(), MOST_LINES);
        assert!(lines.contains(&"[31mred".to_owned()), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= MOST_CHARACTERS && !line.contains("open failed")));
        assert_eq!(said.reason_after(0).await, "connect failed: Connection refused");
        assert_eq!(said.reason_after(1).await, "", "nothing was said since");
    }
}
