//! Everything about one namespace.

use cachescope_model::duration;
use cachescope_model::misses::MissInsights;
use cachescope_model::strategy::Namespace;
use cachescope_model::window::Window;

use crate::session::Session;
use crate::wire::{Fact, NamespaceDetail, WireError, WireErrorCode};

/// Its readings with their reasons, and what the strategy says.
pub(crate) fn namespace(
    session: &Session,
    namespace: &str,
    window: Window,
) -> Result<NamespaceDetail, WireError> {
    let snapshot = session.snapshot(window);
    let found = snapshot.namespaces.iter().find(|row| row.namespace == namespace).cloned();
    let documented = session.strategy().namespaces.iter().find(|entry| entry.template.as_str() == namespace);
    let Some(found) = found else { return Err(gone(namespace)) };
    Ok(NamespaceDetail {
        at: snapshot.at,
        keys: session.keys(namespace, window),
        snapshot: found,
        documented: documented.map(facts).unwrap_or_default(),
        contents: session.contents(namespace),
    })
}

/// What its misses say beyond their number.
pub(crate) fn misses(
    session: &Session,
    namespace: Option<&str>,
    window: Window,
) -> Result<MissInsights, WireError> {
    session.misses(namespace, window).ok_or_else(|| gone(namespace.unwrap_or_default()))
}

fn gone(namespace: &str) -> WireError {
    let words = format!("there is no namespace {namespace:?} any more");
    WireError::new(WireErrorCode::NotFound, words).with_remedy("choose another row")
}

/// What the document says about a namespace, a fact a line.
fn facts(namespace: &Namespace) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut say = |label: &str, value: String| facts.push(Fact { label: label.to_owned(), value });
    match namespace.ttl {
        Some(ttl) => {
            let upper = namespace.facts.ttl_max.map(|most| format!(" to {}", duration::format(most)));
            let sliding = if namespace.facts.sliding { ", renewed on use" } else { "" };
            say("Time to live", format!("{}{}{sliding}", duration::format(ttl), upper.unwrap_or_default()));
        }
        None if namespace.facts.permanent => say("Time to live", "none: its keys stay".to_owned()),
        None => {}
    }
    if let Some(target) = namespace.hit_rate_target {
        say("Hit rate target", format!("above {} %", (target * 1000.0).round() / 10.0));
    }
    if !namespace.invalidated_on.is_empty() {
        say("Invalidated on", namespace.invalidated_on.join(", "));
    }
    if let Some(tenant) = &namespace.tenant {
        say("Tenant", format!("the field {{{tenant}}}"));
    }
    if let Some(version) = &namespace.version {
        say("Version", format!("the field {{{version}}}"));
    }
    if namespace.facts.immutable {
        say("Values", "never change".to_owned());
    }
    if namespace.protected {
        say("Protected", "purging it needs an explicit override".to_owned());
    }
    if !namespace.facts.note.is_empty() {
        say("Note", namespace.facts.note.clone());
    }
    facts
}
