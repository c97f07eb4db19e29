//! What we and the keeper say to each other: lines of JSON on its standard input, `ok` a line on its output.
//!
//! Credentials take this way because arguments and environments can be read by others.

use std::path::PathBuf;

use cachescope_model::deployment::{SshHop, TlsFiles};
use cachescope_store::RecordedChange;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The longest line that is read; an address and a few paths are far shorter.
pub(super) const MOST_BYTES: u64 = 64 * 1024;

/// The keeper's answer to every line it has understood.
pub(super) const OK: &str = "ok";

/// A line to the keeper. No `Debug`: it may hold a password.
#[derive(Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Line {
    /// First of all: where the records are.
    Begin {
        /// The state directory.
        directory: PathBuf,
    },
    /// Put this back when we are gone.
    Hold {
        /// Its number.
        id: u64,
        /// What.
        hold: Box<Hold>,
    },
    /// It was put back.
    Release {
        /// Its number.
        id: u64,
    },
}

/// What is to be put back on one server.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Hold {
    /// The server, without password.
    pub(super) url: String,
    pub(super) password: Option<String>,
    pub(super) tls: TlsFiles,
    /// The SSH server it is reached through, and what lets us in there.
    pub(super) ssh: Option<SshHop>,
    pub(super) ssh_secret: Option<String>,
    pub(super) timeout_ms: u64,
    /// Our process as a holder: while it is alive, the end of standard input means nothing.
    pub(super) holder: String,
    pub(super) run_id: String,
    /// In the order in which they were made.
    pub(super) changes: Vec<HeldChange>,
    /// After this it is put back even though we seem to live.
    pub(super) expires_ms: Option<u64>,
}

/// One change.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct HeldChange {
    pub(super) record: i64,
    pub(super) setting: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl HeldChange {
    pub(super) fn of(record: &RecordedChange) -> Self {
        Self {
            record: record.id,
            setting: record.change.setting.clone(),
            old: record.change.old_value.clone(),
            new: record.change.new_value.clone(),
        }
    }
}

/// The password for its way through the pipe.
pub(super) fn expose(password: &SecretString) -> String {
    password.expose_secret().to_owned()
}
