//! `docs/readings.md` and `docs/sources.md` say what the registries say.
//!
//! `UPDATE_DOCS=1 cargo test -p cachescope-model --test reference` writes them anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use cachescope_model::reading_kind::{Better, ReadingKind, Unit};
use cachescope_model::source::SourceId;

fn json_name<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn readings() -> String {
    let mut text = String::from(
        "# Readings\n\n\
         Every figure Cachescope shows. Each comes with its certainty: *exact* (counted), *estimated* (sampled, with a\n\
         95 % interval), *modelled* (under a named assumption) or *unavailable* (with the reason and what would enable\n\
         it). Rates and ratios are taken over the chosen window; no traffic is no data, never 0 % or 100 %.\n\n\
         | name in JSON | title | unit | better | by namespace | meaning | sources |\n|---|---|---|---|---|---|---|\n",
    );
    for spec in ReadingKind::ALL {
        let unit = match spec.unit {
            Unit::Ratio => "ratio, 0 to 1",
            Unit::PerSecond => "per second",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Count => "count",
        };
        let better = match spec.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
            Better::Neither => "–",
        };
        let sources: Vec<_> = SourceId::ALL
            .iter()
            .filter(|source| source.yields.contains(&spec.kind))
            .map(|source| source.id.name())
            .collect();
        let by_namespace = if spec.per_namespace { "yes" } else { "no" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {unit} | {better} | {by_namespace} | {} | {} |",
            json_name(spec.kind),
            spec.title,
            spec.meaning,
            sources.join(", ")
        );
    }
    text
}

fn sources() -> String {
    let mut text = String::from(
        "# Sources\n\n\
         Every way Cachescope observes. Nothing is changed on a server: where a setting is missing, the line that would\n\
         set it is shown. A costly source is off on production until you switch it on. `cachescope doctor --redis URL`\n\
         says which of them work on your server, and why others don't.\n",
    );
    for spec in SourceId::ALL {
        let _ = writeln!(text, "\n## {} (`{}`)\n\n{}\n", spec.title, spec.id.name(), spec.reads);
        if !spec.since.is_empty() {
            let _ = writeln!(text, "- Works with: Redis {} and newer", spec.since);
        }
        if !spec.acl.is_empty() {
            let _ = writeln!(text, "- Needs of the ACL user: `{}`", spec.acl.join(" "));
        }
        if !spec.config.is_empty() {
            let _ = writeln!(
                text,
                "- Needs of the server: `CONFIG SET {}`, merged with what is set",
                spec.config
            );
        }
        let _ = writeln!(text, "- Costs: {}", spec.cost);
        if spec.costly {
            let _ = writeln!(text, "- Off on production until switched on");
        }
        let yields: Vec<_> = spec.yields.iter().map(|kind| format!("`{}`", json_name(*kind))).collect();
        let _ = writeln!(text, "- Yields: {}", yields.join(", "));
    }
    text
}

fn compare(name: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).expect("docs/ can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == expected,
        "docs/{name} differs from the registry: run `UPDATE_DOCS=1 cargo test -p cachescope-model --test reference`"
    );
}

#[test]
fn the_page_of_readings_says_what_the_registry_says() {
    compare("readings.md", &readings());
}

#[test]
fn the_page_of_sources_says_what_the_registry_says() {
    compare("sources.md", &sources());
}
