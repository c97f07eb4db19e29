//! Deployments as a file: written without a secret, and read from our own files and those of other programs.
//!
//! | file | what |
//! |---|---|
//! | `own` | our own file: versioned JSON |
//! | `insight` | Redis Insight's JSON, and Another Redis Desktop Manager's, which is the same in other words |
//! | `tiny` | Tiny RDM's YAML |
//! | `judging` | what becomes of each entry: added, known already, or refused with a reason |
//!
//! A file comes from somebody else. Its entries go through the same door as what is typed into the form, nothing that
//! is kept is ever changed by one, and an environment that it does not say counts as production.

mod insight;
mod judging;
mod own;
mod tiny;

pub use judging::{Accepted, judge};
pub use own::write;

use cachescope_model::deployment::{Deployment, DeploymentId};
use cachescope_store::{Secrets, Store};

use crate::app::App;
use crate::demo;
use crate::wire::{DeploymentDraft, ImportReport, WireError, WireErrorCode};

/// Longest file that is read; Redis Insight takes as much.
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// Deployments of one file.
const MOST_ENTRIES: usize = 1_000;

/// What a file holds.
#[derive(Debug)]
pub struct File {
    /// Whose file it is, for people.
    pub format: &'static str,
    entries: Vec<Entry>,
}

/// One entry, as a form that somebody would have filled in.
#[derive(Debug, Default)]
struct Entry {
    draft: DeploymentDraft,
    /// Kept where it is free: then links lead to the same place on each computer.
    id: Option<DeploymentId>,
    /// What could not be taken over.
    notes: Vec<String>,
    /// Why it can't be used at all.
    refused: Option<String>,
}

/// Reads a file of ours or of another program, by what is in it.
///
/// # Errors
/// `bad_input` with what was expected; nothing of the file is repeated.
pub fn read(contents: &str) -> Result<File, WireError> {
    let text = contents.trim_start_matches('\u{feff}').trim();
    if text.len() > MOST_BYTES {
        return Err(bad("the file is larger than 10 MB", "choose an export of connections"));
    }
    let file = if text.starts_with("PK\u{3}\u{4}") {
        return Err(bad("the file is an archive", "unpack it, and choose the connections.yaml in it"));
    } else if let Some(json) = as_json(text) {
        own::read(&json)?.map_or_else(|| insight::read(&json, insight::INSIGHT), Ok)?
    } else if let Some(json) = from_base64(text) {
        insight::read(&json, insight::ANOTHER)?
    } else {
        tiny::read(text)?
    };
    if file.entries.is_empty() {
        return Err(bad("there is no deployment in the file", "choose an export of connections"));
    }
    if file.entries.len() > MOST_ENTRIES {
        return Err(bad("there are more than 1,000 deployments in the file", "split it"));
    }
    Ok(file)
}

fn bad(message: &str, remedy: &str) -> WireError {
    WireError::new(WireErrorCode::BadInput, message).with_remedy(remedy)
}

fn unknown() -> WireError {
    bad(
        "the file is no list of deployments that can be read",
        "choose an export of Cachescope, Redis Insight, Another Redis Desktop Manager or Tiny RDM",
    )
}

fn as_json(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}

/// Another Redis Desktop Manager writes its JSON in base64 (RFC 4648, section 4).
fn from_base64(text: &str) -> Option<serde_json::Value> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => continue,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    serde_json::from_slice(&bytes).ok()
}

/// Keeps what a file brought: the deployment in the store, its secrets in the keychain or in memory.
///
/// # Errors
/// When the store can't be written.
pub async fn keep(
    accepted: Accepted,
    store: Option<&Store>,
    secrets: &Secrets,
) -> Result<Deployment, WireError> {
    if let Some(store) = store {
        store.save_deployment(accepted.deployment.clone()).await?;
    }
    accepted.secrets.keep(secrets, &accepted.deployment).await;
    Ok(accepted.deployment)
}

impl App {
    /// Every deployment but the demo's, without a secret.
    pub(crate) fn export_deployments(&self) -> String {
        own::write(&self.own_deployments())
    }

    /// What would become of a file's entries; with `keep` they are added and watched.
    pub(crate) async fn import_deployments(
        &self,
        contents: &str,
        keep: bool,
    ) -> Result<ImportReport, WireError> {
        let (report, accepted) = judge(read(contents)?, &self.own_deployments());
        if !keep {
            return Ok(report);
        }
        for accepted in accepted {
            let deployment = self::keep(accepted, self.store(), self.secrets()).await?;
            self.begin(deployment).await;
        }
        Ok(ImportReport { kept: true, ..report })
    }

    fn own_deployments(&self) -> Vec<Deployment> {
        let all = self.sessions().into_iter().map(|session| session.deployment().clone());
        all.filter(|deployment| deployment.id.0 != demo::ID).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_it_is_written_elsewhere() {
        for (text, json) in [("W10=", "[]"), ("eyJhIjoxfQ==", r#"{"a":1}"#), ("WzEs\nMl0=", "[1,2]")] {
            assert_eq!(from_base64(text), as_json(json), "{text}");
        }
        for text in ["", "W10=!", "not base64", "////"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_deployments_is_refused_without_being_repeated() {
        for text in [
            "",
            "hunter2",
            "{}",
            "[]",
            "[1, \"hunter2\"]",
            r#"{"cachescope": "deployments", "version": 99, "deployments": []}"#,
            r#"{"cachescope": "deployments", "version": 1, "deployments": {}}"#,
            "PK\u{3}\u{4}hunter2",
            "- hunter2",
            "a: [",
        ] {
            let error = read(text).expect_err(text);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(!error.remedy.is_empty(), "{error:?}");
        }
    }
}
