//! `[[playbook]]` and `[[warm]]`: what is purged and what is loaded, on which occasion.

use cachescope_model::strategy::{Playbook, Trigger, WarmItem, WarmKind, WarmLimits, WarmPlan};

use crate::names::Kind;
use crate::namespaces::Placed;
use crate::section::Section;
use crate::steps::step;
use crate::value;

/// Reads one `[[playbook]]`; `namespaces` are those its steps may reach.
pub(crate) fn playbook(mut section: Section<'_>, namespaces: &[Placed]) -> Playbook {
    let name = section.named(Kind::Playbook);
    let playbook = Playbook {
        title: section.text("title").unwrap_or_else(|| name.clone()),
        name,
        triggers: triggers(&section),
        steps: section.tables("steps").into_iter().filter_map(|row| step(row, namespaces)).collect(),
        note: section.text_or_empty("note"),
    };
    if !section.has("steps") {
        section.missing("steps", "[{ pattern = \"user:*\" }]");
    } else if section.is_empty("steps") {
        section.error("steps", "`steps` is empty; write steps = [{ pattern = \"user:*\" }]");
    }
    section.finish();
    playbook
}

/// `on = ["…"]` for what happens, `schedule = "0 6 * * *"` for the clock.
fn triggers(section: &Section<'_>) -> Vec<Trigger> {
    let events = section.texts("on").into_iter().map(Trigger::Event);
    let schedule = section.read("schedule", value::cron).map(Trigger::Schedule);
    events.chain(schedule).collect()
}

/// Reads one `[[warm]]`; `None` where its kind is not known.
pub(crate) fn warm(mut section: Section<'_>) -> Option<WarmPlan> {
    let name = section.named(Kind::Warm);
    let kind = kind(&section);
    let limits = WarmLimits {
        per_second: section.number("per_second"),
        concurrency: section.small_integer("concurrency"),
        max_errors: section.small_integer("max_errors"),
        only_below: section.integer("only_below"),
    };
    for (key, zero) in [
        ("per_second", limits.per_second.is_some_and(|rate| rate <= 0.0)),
        ("concurrency", limits.concurrency == Some(0)),
    ] {
        if zero {
            section.error(
                key,
                format!("`{key}` is 0, so nothing would ever be loaded; write at least 1 or leave it out"),
            );
        }
    }
    let title = section.text("title").unwrap_or_else(|| name.clone());
    let triggers = triggers(&section);
    let items = section.tables("items").into_iter().map(item).collect();
    let condition = section.text_or_empty("condition");
    let (planned, note) = (section.flag("planned"), section.text_or_empty("note"));
    section.finish();
    kind.map(|kind| WarmPlan { name, title, kind, triggers, items, limits, condition, planned, note })
}

/// The ways to warm, as files write them.
#[derive(Clone, Copy)]
enum Way {
    Http,
    HttpEach,
    Application,
    Traffic,
    Copy,
}

fn kind(section: &Section<'_>) -> Option<WarmKind> {
    if !section.has("kind") {
        section.missing("kind", "\"http\"");
    }
    let ways = [
        ("http", Way::Http),
        ("http_each", Way::HttpEach),
        ("application", Way::Application),
        ("traffic", Way::Traffic),
        ("copy", Way::Copy),
    ];
    let Some(way) = section.word("kind", &ways) else {
        // Which keys belong here can't be told, so none of these is called unknown.
        for key in ["method", "url", "from"] {
            section.text(key);
        }
        return None;
    };
    let request = || {
        let method = section.text("method").unwrap_or_else(|| "GET".to_owned());
        (method, section.required_text("url", "\"https://api.example.com/cache/warm\""))
    };
    Some(match way {
        Way::Http => {
            let (method, url) = request();
            WarmKind::Http { method, url }
        }
        Way::HttpEach => {
            let (method, url) = request();
            WarmKind::HttpEach { method, url }
        }
        Way::Copy => WarmKind::Copy { from: section.required_text("from", "\"the old instances\"") },
        Way::Traffic => WarmKind::Traffic,
        Way::Application => WarmKind::Application,
    })
}

fn item(section: Section<'_>) -> WarmItem {
    let item = WarmItem {
        what: section.required_text("what", "\"active organisations\""),
        namespaces: section.references("namespaces", Kind::Namespace),
        query: section.text_or_empty("query"),
        limit: section.integer("limit"),
        ttl: section.duration("ttl"),
    };
    section.finish();
    item
}
