//! Our own file.
//!
//! ```json
//! { "cachescope": "deployments", "version": 1, "deployments": [ { "name": …, "redis_url": … } ] }
//! ```
//!
//! What a deployment holds is no secret by its making: addresses carry no password, and TLS files are paths.

use cachescope_model::deployment::Deployment;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entry, File, bad, unknown};
use crate::wire::{DeploymentDraft, WireError};

const KIND: &str = "deployments";

/// Grows when an older Cachescope would read a newer file wrongly.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    cachescope: String,
    version: u32,
    deployments: Vec<Deployment>,
}

/// The file of these deployments.
#[must_use]
pub fn write(deployments: &[Deployment]) -> String {
    let document =
        Document { cachescope: KIND.to_owned(), version: VERSION, deployments: deployments.to_vec() };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a file of ours; `None` where it is another one.
pub(super) fn read(json: &Value) -> Result<Option<File>, WireError> {
    if json["cachescope"] != KIND {
        return Ok(None);
    }
    if json["version"].as_u64().is_some_and(|version| version > u64::from(VERSION)) {
        return Err(bad("the file was written by a newer Cachescope", "update this one and try again"));
    }
    let document: Document = serde_json::from_value(json.clone()).map_err(|_| unknown())?;
    let entries = document.deployments.into_iter().map(entry).collect();
    Ok(Some(File { format: "Cachescope", entries }))
}

fn entry(deployment: Deployment) -> Entry {
    let id = deployment.id.clone();
    // As identities are made (128 bits, hexadecimal); another one might be no name for a keychain or a link.
    let (ssh, ssh_key) =
        deployment.ssh.map(|hop| (hop.to_string(), hop.key.unwrap_or_default())).unwrap_or_default();
    let good = id.0.len() == 32 && id.0.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    Entry {
        draft: DeploymentDraft {
            id: None,
            name: deployment.name,
            environment: deployment.environment,
            redis_url: deployment.redis_url.unwrap_or_default(),
            ssh,
            ssh_key_file: ssh_key,
            ssh_http: deployment.ssh_http,
            prometheus_url: deployment.prometheus_url.unwrap_or_default(),
            metrics_urls: deployment.metrics_urls,
            strategy: deployment.strategy.unwrap_or_default(),
            ca_file: deployment.tls.ca.unwrap_or_default(),
            cert_file: deployment.tls.cert.unwrap_or_default(),
            key_file: deployment.tls.key.unwrap_or_default(),
            group: deployment.group.unwrap_or_default(),
            colour: deployment.colour,
            ..DeploymentDraft::default()
        },
        id: good.then_some(id),
        ..Entry::default()
    }
}
