//! The steps of a playbook: one table a step, one action a table.

use cachescope_model::strategy::{Step, StepAction};
use cachescope_model::template::Template;

use crate::names::Kind;
use crate::namespaces::Placed;
use crate::overlap::{intersect, reaches};
use crate::section::Section;
use crate::value;

const ACTIONS: [&str; 13] = [
    "delete",
    "pattern",
    "namespace",
    "tag",
    "bump_version",
    "soft",
    "endpoint",
    "publish",
    "cdn",
    "route_tag",
    "client_query",
    "refresh_view",
    "automatic",
];

/// Reads one step; `None` where it says nothing to do. `namespaces` are those it may reach.
pub(crate) fn step(section: Section<'_>, namespaces: &[Placed]) -> Option<Step> {
    let named: Vec<&str> = ACTIONS.into_iter().filter(|action| section.has(action)).collect();
    let action = match named.as_slice() {
        [action] => read(&section, action),
        [] => {
            section.error("", format!("a step does nothing; write one of {}", ACTIONS.join(", ")));
            None
        }
        several => {
            let list = several.join("` and `");
            section.error(
                several[1],
                format!("a step does one thing, this one has `{list}`; make two steps of it"),
            );
            None
        }
    };
    if let Some(action) = &action {
        reach(&section, action, namespaces);
    }
    let handled_by = section.text("handled_by");
    let note = section.text_or_empty("note");
    if action.is_none() {
        // Which keys belong here can't be told, so none of these is called unknown.
        for key in ["ttl", "jitter", "message", "namespaces"] {
            section.has(key);
        }
    }
    section.finish();
    action.map(|action| Step { action, handled_by, note })
}

fn read(section: &Section<'_>, action: &str) -> Option<StepAction> {
    let text = |key| section.text(key).filter(|text| !text.is_empty());
    match action {
        "delete" => section.template("delete").map(|key| StepAction::Delete { key }),
        "pattern" => {
            section.read("pattern", value::purge_pattern).map(|pattern| StepAction::Pattern { pattern })
        }
        "namespace" => section
            .reference("namespace", Kind::Namespace)
            .map(|namespace| StepAction::Namespace { namespace }),
        "tag" => text("tag").map(|tag| StepAction::Tag { tag }),
        "bump_version" => {
            let namespaces = section.references("namespaces", Kind::Namespace);
            section.template("bump_version").map(|counter| StepAction::BumpVersion { counter, namespaces })
        }
        "soft" => {
            if !section.has("ttl") {
                section.missing("ttl", "\"30s\"");
            }
            let (ttl, jitter) = (section.lifetime("ttl"), section.duration("jitter"));
            let pattern = section.read("soft", value::purge_pattern)?;
            Some(StepAction::Soft { pattern, ttl: ttl?, jitter: jitter.unwrap_or_default() })
        }
        "endpoint" => {
            section.reference("endpoint", Kind::Endpoint).map(|endpoint| StepAction::Endpoint { endpoint })
        }
        "publish" => {
            let message = section.required_text("message", "\"{key}\"");
            text("publish").map(|channel| StepAction::Publish { channel, message })
        }
        "cdn" => Some(StepAction::Cdn { paths: section.texts("cdn") }),
        "route_tag" => text("route_tag").map(|tag| StepAction::RouteTag { tag }),
        "client_query" => Some(StepAction::ClientQuery { query: section.texts("client_query") }),
        "refresh_view" => {
            section.reference("refresh_view", Kind::View).map(|view| StepAction::RefreshView { view })
        }
        "automatic" => text("automatic").map(|how| StepAction::Automatic { how }),
        _ => None,
    }
}

/// Warns of a key or pattern that no namespace of the file could hold.
fn reach(section: &Section<'_>, action: &StepAction, namespaces: &[Placed]) {
    let any =
        |meets: &dyn Fn(&Template) -> bool| namespaces.iter().any(|placed| meets(&placed.namespace.template));
    let (key, written, reached) = match action {
        StepAction::Delete { key } => ("delete", key.as_str(), any(&|own| intersect(key, own))),
        StepAction::BumpVersion { counter, .. } => {
            ("bump_version", counter.as_str(), any(&|own| intersect(counter, own)))
        }
        StepAction::Pattern { pattern } => ("pattern", pattern.as_str(), any(&|own| reaches(pattern, own))),
        StepAction::Soft { pattern, .. } => ("soft", pattern.as_str(), any(&|own| reaches(pattern, own))),
        _ => return,
    };
    if !reached {
        section.warning(
            key,
            format!("{written:?} reaches no namespace of this file; correct it, or add the namespace"),
        );
    }
}
