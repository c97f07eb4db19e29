//! `cachescope mark`: what a deploy script says, for the window that shares its state directory.

use cachescope_app::alerts::{checked_mark, wall_clock_now};
use cachescope_app::demo;
use cachescope_app::host::state_directory;
use cachescope_app::wire::MarkDraft;
use cachescope_model::deployment::{DeploymentId, SshHop};
use cachescope_model::marks::{MarkKind, MarkSource};
use cachescope_sources::redis::RedisTarget;
use cachescope_sources::ssh;
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
    let (deployments, of) = match (&command.deployment, &command.redis) {
        (Some(name), _) => (vec![Some(find(&store, name).await?)], name.clone()),
        (None, Some(url)) => at_address(&store, url, command.ssh.as_deref()).await?,
        (None, None) => (vec![None], "every deployment".to_owned()),
    };
    let now = wall_clock_now();
    let mut marks = Vec::new();
    for deployment in deployments {
        let text = command.words.clone();
        let draft = MarkDraft { deployment, at: Some(now), kind: kind(command.kind), text };
        let mark = checked_mark(draft, MarkSource::Command, now)?;
        marks.push(store.add_mark(mark).await.map_err(failed)?);
    }
    if common.json {
        return match marks.as_slice() {
            [mark] => output::json(mark),
            marks => output::json(&marks),
        };
    }
    let told = marks.iter().map(|mark| format!("marked {} {:?} of {of}\n", mark.kind.name(), mark.text));
    output::text(&told.collect::<String>())
}

/// The deployments whose Redis has this address, whatever user, password and database the URL names, and the address
/// for people. The same address behind another SSH server is another Redis.
async fn at_address(
    store: &Store,
    url: &str,
    ssh: Option<&str>,
) -> Result<(Vec<Option<DeploymentId>>, String), Failure> {
    let wanted = RedisTarget::parse(url).map_err(|error| Failure::input(error.to_string()))?;
    let hop = ssh.map(ssh::parse).transpose()?;
    let behind = |hop: &SshHop| format!(" behind {hop}");
    let address = format!("{}{}", wanted.node_name(), hop.as_ref().map(behind).unwrap_or_default());
    let kept = store.deployments().await.map_err(|error| Failure::input(error.to_string()))?;
    let is_there = |own: &str| RedisTarget::parse(own).is_ok_and(|own| own.endpoint() == wanted.endpoint());
    let there: Vec<_> = kept.iter().filter(|it| it.redis_url.as_deref().is_some_and(is_there)).collect();
    let meant = there.iter().filter(|it| it.is_through(hop.as_ref()));
    let found: Vec<_> = meant.map(|it| Some(it.id.clone())).collect();
    if found.is_empty() {
        let mut others: Vec<_> =
            there.iter().filter_map(|it| Some(format!("--ssh {}", it.ssh.as_ref()?))).collect();
        others.dedup();
        let remedy = if others.is_empty() {
            "name one with --deployment, or none for all".to_owned()
        } else {
            format!("there is one behind another SSH server: add {}", others.join(" or "))
        };
        return Err(Failure::input(format!(
            "no deployment in this state directory is at {address}; {remedy}"
        )));
    }
    Ok((found, address))
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
