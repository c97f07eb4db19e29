//! `cachescope mark`: what a deploy script says, for the window that shares its state directory.

use cachescope_app::alerts::{checked_mark, wall_clock_now};
use cachescope_app::demo;
use cachescope_app::host::state_directory;
use cachescope_app::wire::MarkDraft;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{MarkKind, MarkSource};
use cachescope_store::{Store, StoreError};

use crate::arguments::{Common, Mark, MarkKindName};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(command: Mark, common: &Common) -> Result<(), Failure> {
    let directory = state_directory(common.state_dir.clone());
    let failed = |error: StoreError| Failure::input(error.to_string());
    let opened = tokio::task::spawn_blocking(move || Store::open(&directory)).await;
    let store = opened
        .map_err(|error| Failure::input(format!("the state directory could not be opened: {error}")))?
        .map_err(failed)?;
    let deployment = match &command.deployment {
        Some(name) => Some(find(&store, name).await?),
        None => None,
    };
    let draft = MarkDraft { deployment, at: None, kind: kind(command.kind), text: command.words };
    let mark = checked_mark(draft, MarkSource::Command, wall_clock_now())?;
    let mark = store.add_mark(mark).await.map_err(failed)?;
    if common.json {
        return output::json(&mark);
    }
    let of = command.deployment.as_deref().unwrap_or("every deployment");
    output::text(&format!("marked {} {:?} of {of}\n", mark.kind.name(), mark.text))
}

/// The deployment of a name or an identity.
async fn find(store: &Store, name: &str) -> Result<DeploymentId, Failure> {
    if name == demo::ID {
        return Ok(DeploymentId(name.to_owned()));
    }
    let kept = store.deployments().await.map_err(|error| Failure::input(error.to_string()))?;
    let found = kept.iter().find(|it| it.id.0 == name).or_else(|| {
        let mut named = kept.iter().filter(|it| it.name == name);
        // Of two with the same name neither is meant for certain.
        named.next().filter(|_| named.next().is_none())
    });
    found.map(|found| found.id.clone()).ok_or_else(|| {
        let known: Vec<&str> = kept.iter().map(|it| it.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::input(format!(
            "there is no one deployment {name:?} in this state directory; there are: {known}"
        ))
    })
}

const fn kind(name: MarkKindName) -> MarkKind {
    match name {
        MarkKindName::Deploy => MarkKind::Deploy,
        MarkKindName::Config => MarkKind::Config,
        MarkKindName::Purge => MarkKind::Purge,
        MarkKindName::Warm => MarkKind::Warm,
        MarkKindName::Note => MarkKind::Note,
    }
}
