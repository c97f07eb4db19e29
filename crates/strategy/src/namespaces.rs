//! `[[namespace]]` and `[[data_class]]`: which keys there are and what is promised of them.

use cachescope_model::strategy::{AccessPattern, DataClass, Namespace, NamespaceFacts};
use cachescope_model::template::{FieldKind, Part, Template};

use crate::names::Kind;
use crate::problem::nearest;
use crate::section::Section;
use crate::value;

/// A namespace and the line on which its template stands.
pub(crate) struct Placed {
    pub(crate) namespace: Namespace,
    pub(crate) line: usize,
}

/// Reads one `[[namespace]]`; `None` where it has no usable template.
pub(crate) fn namespace(mut section: Section<'_>) -> Option<Placed> {
    let name = section.named(Kind::Namespace);
    if !section.has("template") {
        section.missing("template", "\"user:{userId}\"");
    }
    let template = section.template("template");
    let line = section.line_of("template");
    let title = section.text("title").unwrap_or_else(|| name.clone());
    let database = section.small_integer("database").and_then(|number| {
        u16::try_from(number)
            .map_err(|_| {
                section.error(
                    "database",
                    format!("`database`: {number} is no logical database; write 0 to 65535"),
                )
            })
            .ok()
    });
    let (tenant, version) = (section.text("tenant"), section.text("version"));
    let mut masked = section.texts("masked");
    if let Some(template) = &template {
        for (key, field) in [("tenant", &tenant), ("version", &version)] {
            if let Some(field) = field {
                field_exists(&section, template, key, field);
            }
        }
        if let Some(field) = &version {
            digits_expected(&section, template, field);
        }
        for field in &masked {
            field_exists(&section, template, "masked", field);
        }
    }
    masked.dedup();
    let ttl = if section.says("ttl", "undocumented") { None } else { section.lifetime("ttl") };
    let ttl_max = section.lifetime("ttl_max");
    let facts = NamespaceFacts {
        access: access(&section),
        sliding: section.flag("sliding"),
        immutable: section.flag("immutable"),
        permanent: section.flag("permanent"),
        ttl_max,
        assumed: section.flag("assumed"),
        tags: section.texts("tags"),
        masked,
        note: section.text_or_empty("note"),
    };
    match (ttl, ttl_max) {
        (Some(shortest), Some(longest)) if longest < shortest => {
            section.error(
                "ttl_max",
                "`ttl_max` is shorter than `ttl`; write the longer of the two as `ttl_max`",
            );
        }
        (None, Some(_)) if !section.has("ttl") => {
            section.error("ttl_max", "`ttl_max` stands without `ttl`; write the shortest time as `ttl`");
        }
        _ => {}
    }
    if section.has("ttl") && facts.permanent {
        section.error("permanent", "`permanent` keys have no time to live; remove `ttl` or `permanent`");
    } else if !section.has("ttl") && !facts.permanent {
        section.warning("", "no `ttl` is documented; write ttl = \"1h\", ttl = \"undocumented\", or permanent = true where keys live for ever");
    }
    let (hit_rate_target, metric_labels) = (section.ratio("hit_rate_target"), section.texts("metric_labels"));
    let (protected, invalidated_on) = (section.flag("protected"), section.texts("invalidated_on"));
    section.finish();
    let namespace = Namespace {
        name,
        title,
        template: template?,
        database,
        tenant,
        version,
        ttl,
        hit_rate_target,
        metric_labels,
        protected,
        invalidated_on,
        facts,
    };
    Some(Placed { namespace, line })
}

fn field_exists(section: &Section<'_>, template: &Template, key: &str, field: &str) {
    let fields: Vec<&str> = template.fields().collect();
    if fields.contains(&field) {
        return;
    }
    let remedy = match (nearest(field, fields.iter().copied()), fields.as_slice()) {
        (Some(meant), _) => format!("write {key} = {meant:?}"),
        (None, []) => format!("remove `{key}` or add the field to the template"),
        (None, fields) => format!("write one of its fields: {}", fields.join(", ")),
    };
    section.error(
        key,
        format!("`{key}` names the field {field:?}, which {:?} has not; {remedy}", template.as_str()),
    );
}

fn digits_expected(section: &Section<'_>, template: &Template, field: &str) {
    let loose = |part: &Part| matches!(part, Part::Field { name, kind } if name == field && *kind != FieldKind::Digits);
    if template.parts().iter().any(loose) {
        section.warning(
            "template",
            format!("the version field {field:?} takes more than digits; write {{{field}#}}, so that other keys aren't taken for versions"),
        );
    }
}

fn access(section: &Section<'_>) -> Vec<AccessPattern> {
    const KNOWN: [(&str, AccessPattern); 4] = [
        ("cache-aside", AccessPattern::CacheAside),
        ("read-through", AccessPattern::ReadThrough),
        ("write-through", AccessPattern::WriteThrough),
        ("precomputed", AccessPattern::Precomputed),
    ];
    let read = |written: String| {
        let pattern = value::word(&written, &KNOWN);
        pattern.map_err(|message| section.error("access", format!("`access`: {message}"))).ok()
    };
    section.texts("access").into_iter().filter_map(read).collect()
}

/// Reads one `[[data_class]]`.
pub(crate) fn data_class(mut section: Section<'_>) -> DataClass {
    let name = section.named(Kind::DataClass);
    let class = DataClass {
        title: section.text("title").unwrap_or_else(|| name.clone()),
        name,
        ttl: section.lifetime("ttl"),
        ttl_max: section.lifetime("ttl_max"),
        items: section.texts("items"),
        namespaces: section.references("namespaces", Kind::Namespace),
        hit_rate_target: section.ratio("hit_rate_target"),
        note: section.text_or_empty("note"),
    };
    section.finish();
    class
}
