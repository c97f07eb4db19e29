//! Adopting namespaces that were found into the strategy of a deployment.
//!
//! Which file is written is decided here, never by the page: the deployment's own strategy file, or, where it
//! follows a built-in strategy or none, a new file of ours in the state directory that begins as a copy.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cachescope_model::deployment::Deployment;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{NamespaceOrigin, NamespaceSnapshot, Snapshot};
use cachescope_model::template::Template;
use cachescope_strategy::{Adoption, BUILT_IN, Found, StrategyError};

use crate::wire::{AdoptionView, WireError, WireErrorCode};

/// What is to be written, and where.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The file.
    pub file: PathBuf,
    /// Whether it does not exist yet.
    pub new_file: bool,
    /// Its text as it was read.
    before: String,
    /// What becomes of it.
    pub adoption: Adoption,
}

impl Proposal {
    /// What a shell is shown.
    #[must_use]
    pub fn view(&self) -> AdoptionView {
        AdoptionView {
            file: self.file.display().to_string(),
            new_file: self.new_file,
            added: self.adoption.added.clone(),
            names: self.adoption.names.clone(),
        }
    }
}

/// The discovered namespaces of a snapshot with what was seen of them; `wanted` names their templates, `None`
/// takes all.
///
/// # Errors
/// `not_found` where a wanted one is not there or is documented already.
pub fn found(snapshot: &Snapshot, wanted: Option<&[String]>) -> Result<Vec<Found>, WireError> {
    let discovered: Vec<&NamespaceSnapshot> =
        snapshot.namespaces.iter().filter(|row| row.origin == NamespaceOrigin::Discovered).collect();
    let chosen = match wanted {
        None => discovered,
        Some(wanted) => {
            let mut chosen = Vec::with_capacity(wanted.len());
            for template in wanted {
                let Some(row) = discovered.iter().find(|row| row.namespace == *template) else {
                    let message = format!("{template:?} is no namespace that was found here");
                    return Err(WireError::new(WireErrorCode::NotFound, message)
                        .with_remedy("choose a row that is marked as found"));
                };
                chosen.push(*row);
            }
            chosen
        }
    };
    // A name that an application's label gave a row need not be a template.
    Ok(chosen.into_iter().filter_map(seen).collect())
}

fn seen(row: &NamespaceSnapshot) -> Option<Found> {
    let value = |kind: ReadingKind| row.readings.value(kind);
    let whole =
        |kind: ReadingKind| value(kind).filter(|value| *value >= 0.0).map(|value| value.round() as u64);
    Some(Found {
        template: Template::parse(&row.namespace).ok()?,
        keys: whole(ReadingKind::Keys),
        bytes: whole(ReadingKind::MemoryBytes),
        ttl: value(ReadingKind::TtlP50Seconds).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        no_ttl: value(ReadingKind::NoTtlRatio),
    })
}

/// What adopting these namespaces would write for a deployment. Reads files: to be called where that may block.
///
/// # Errors
/// Where the strategy file can't be read, or a table can't be added to it.
pub fn propose(
    deployment: &Deployment,
    state_directory: &Path,
    found: &[Found],
) -> Result<Proposal, WireError> {
    let built_in = |name: &str| BUILT_IN.iter().find(|strategy| strategy.name == name);
    let (file, new_file, before) = match deployment.strategy.as_deref() {
        Some(name) if built_in(name).is_none() => {
            let file = PathBuf::from(name);
            let text = cachescope_strategy::load::read(&file).map_err(refused)?;
            (file, false, text)
        }
        name => {
            let text = name.and_then(built_in).map(|strategy| strategy.text).unwrap_or_default();
            (free_file(&state_directory.join("strategies"), &deployment.id.0), true, text.to_owned())
        }
    };
    let title = format!("Namespaces of {}", deployment.name);
    let name = file.display().to_string();
    let adoption = cachescope_strategy::adopt(&name, &before, ("adopted", &title), found).map_err(refused)?;
    Ok(Proposal { file, new_file, before, adoption })
}

fn refused(error: StrategyError) -> WireError {
    WireError::new(WireErrorCode::BadInput, error.sentences().join(" / "))
        .with_remedy("mend the strategy file, or paste the lines into it yourself")
}

/// A name in our own folder that no file has yet. Deployments' ids are ours, not typed.
fn free_file(folder: &Path, id: &str) -> PathBuf {
    let numbered = |number: u32| match number {
        1 => folder.join(format!("{id}.toml")),
        _ => folder.join(format!("{id}-{number}.toml")),
    };
    (1..1_000).map(numbered).find(|file| !file.exists()).unwrap_or_else(|| numbered(1_000))
}

/// Writes a proposal: whole or not at all, and only over the text it was made from.
///
/// # Errors
/// `storage` where the file can't be written or has changed meanwhile.
pub fn write(proposal: &Proposal) -> Result<(), WireError> {
    let failed = |what: &str, error: std::io::Error| {
        let message = format!("{} could not be {what}: {error}", proposal.file.display());
        WireError::new(WireErrorCode::Storage, message).with_remedy("paste the lines into the file yourself")
    };
    let folder = proposal.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut target = proposal.file.clone();
    if proposal.new_file {
        std::fs::create_dir_all(folder.unwrap_or(Path::new("."))).map_err(|error| failed("made", error))?;
    } else {
        // A link stays a link: what it leads to is replaced.
        target = proposal.file.canonicalize().map_err(|error| failed("found", error))?;
        if cachescope_strategy::load::read(&target).map_err(refused)? != proposal.before {
            let message = format!("{} has changed since it was read", proposal.file.display());
            return Err(
                WireError::new(WireErrorCode::Storage, message).with_remedy("look at it and try again")
            );
        }
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut written = tempfile::Builder::new()
        .prefix(".strategy-")
        .suffix(".toml")
        .tempfile_in(folder)
        .map_err(|error| failed("written", error))?;
    written.write_all(proposal.adoption.text.as_bytes()).map_err(|error| failed("written", error))?;
    if let Ok(known) = std::fs::metadata(&target) {
        written.as_file().set_permissions(known.permissions()).map_err(|error| failed("written", error))?;
    }
    written.as_file().sync_all().map_err(|error| failed("written", error))?;
    let placed = if proposal.new_file {
        written.persist_noclobber(&target).map(drop).map_err(|error| error.error)
    } else {
        written.persist(&target).map(drop).map_err(|error| error.error)
    };
    placed.map_err(|error| failed("written", error))
}
