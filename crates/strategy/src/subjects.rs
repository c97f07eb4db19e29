//! What a target or a rule is about, and the value it is compared with.

use std::collections::HashMap;

use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::strategy::{Comparison, Subject, Threshold};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::names::Kind;
use crate::problem::nearest;
use crate::section::Section;

/// Units of the file's signals, by name.
pub(crate) type SignalUnits = HashMap<String, Unit>;

/// A subject and the side of a value that is meant.
pub(crate) struct Judged {
    pub(crate) subject: Subject,
    /// `None` where a PromQL expression compares by itself.
    pub(crate) threshold: Option<Threshold>,
}

/// What a rule may judge beside readings: 1 where the cache answers, 0 where it does not.
const REACHABLE: &str = "reachable";

/// What a subject is split by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Each {
    Namespace,
    Tenant,
    Node,
}

/// A reading as a file names it; `miss_rate` is 1 − hit rate, and `reachable` is none of the table's.
enum Wanted {
    Reading { reading: ReadingKind, complement: bool },
    Reachable,
}

/// Reads `reading`, `signal` or `promql`, `each`, `namespaces`, `layer`, and `above` or `below`.
pub(crate) fn judged(section: &Section<'_>, signals: &SignalUnits) -> Option<Judged> {
    let wanted = section.read("reading", reading);
    let signal = section.reference("signal", Kind::Signal);
    if section.has("promql") {
        return by_promql(section);
    }
    let each = section
        .word("each", &[("namespace", Each::Namespace), ("tenant", Each::Tenant), ("node", Each::Node)]);
    let namespaces = section.references("namespaces", Kind::Namespace);
    let layer = section.reference("layer", Kind::Layer);
    let by_namespace = matches!(each, Some(Each::Namespace | Each::Tenant)) || !namespaces.is_empty();
    let by_layer = layer.is_some();
    match (wanted, signal) {
        (Some(_), Some(_)) => {
            section.error("signal", "`reading` and `signal` exclude each other; keep one of them");
            None
        }
        (None, None) => {
            if !section.has("reading") && !section.has("signal") {
                section.missing("reading", "\"hit_rate\", or signal = \"…\"");
            }
            threshold(section, Unit::Count);
            None
        }
        (None, Some(signal)) => {
            if each.is_some() || by_namespace || by_layer {
                section.error(
                    "signal",
                    "a signal belongs to no namespace and no layer; remove `each`, `namespaces` and `layer`",
                );
            }
            let Some(unit) = signals.get(&signal) else {
                threshold(section, Unit::Count);
                return None;
            };
            Some(Judged { threshold: Some(threshold(section, *unit)?), subject: Subject::Signal { signal } })
        }
        (Some(Wanted::Reachable), None) => {
            if each.is_some() || by_namespace || by_layer {
                section.error(
                    "reading",
                    "reachable is about the whole cache; remove `each`, `namespaces` and `layer`",
                );
            }
            Some(Judged { threshold: Some(threshold(section, Unit::Count)?), subject: Subject::Reachable })
        }
        (Some(Wanted::Reading { reading, complement: complemented }), None) => {
            if by_namespace && by_layer {
                section.error("layer", "`layer` and namespaces exclude each other; keep one of them");
            }
            if each == Some(Each::Node) && (by_namespace || by_layer) {
                section.error("each", "a server is neither a namespace nor a layer; keep one of them");
            }
            if by_namespace && !reading.spec().per_namespace {
                section.error(
                    "reading",
                    format!(
                        "{} is a figure of the whole server; remove `each` and `namespaces`",
                        reading.spec().title
                    ),
                );
            }
            let subject = match layer {
                Some(layer) => Subject::Layer { layer, reading },
                None if each == Some(Each::Node) => Subject::Nodes { reading },
                None if each == Some(Each::Tenant) => Subject::Tenants { namespaces, reading },
                None if by_namespace => Subject::Namespaces { namespaces, reading },
                None => Subject::Instance { reading },
            };
            let mut threshold = threshold(section, reading.spec().unit)?;
            if complemented {
                threshold = complement(threshold);
            }
            Some(Judged { subject, threshold: Some(threshold) })
        }
    }
}

/// A rule whose expression a Prometheus server answers.
fn by_promql(section: &Section<'_>) -> Option<Judged> {
    let expr = section.text("promql")?;
    for key in ["reading", "signal", "each", "namespaces", "layer"] {
        if section.has(key) {
            section.error(key, format!("`promql` and `{key}` exclude each other; keep one of them"));
            return None;
        }
    }
    let compared = SIDES.iter().any(|(key, _)| section.has(key));
    let threshold = if compared { Some(threshold(section, Unit::Count)?) } else { None };
    Some(Judged { subject: Subject::Promql { expr }, threshold })
}

/// The same said of 1 − x. Rounded to twelve places, so that 1 − 0.4 is written 0.6.
fn complement(threshold: Threshold) -> Threshold {
    let comparison = match threshold.comparison {
        Comparison::Above => Comparison::Below,
        Comparison::Below => Comparison::Above,
        Comparison::AtLeast => Comparison::AtMost,
        Comparison::AtMost => Comparison::AtLeast,
    };
    Threshold { comparison, value: ((1.0 - threshold.value) * 1e12).round() / 1e12 }
}

fn reading(written: &str) -> Result<Wanted, String> {
    if written == "miss_rate" {
        return Ok(Wanted::Reading { reading: ReadingKind::HitRate, complement: true });
    }
    if written == REACHABLE {
        return Ok(Wanted::Reachable);
    }
    let deserializer: StrDeserializer<'_, Error> = written.into_deserializer();
    if let Ok(reading) = ReadingKind::deserialize(deserializer) {
        return Ok(Wanted::Reading { reading, complement: false });
    }
    let known: Vec<String> = ReadingKind::ALL.iter().map(|spec| reading_name(spec.kind)).collect();
    let words = || known.iter().map(String::as_str).chain(["miss_rate", REACHABLE]);
    Err(match nearest(written, words()) {
        Some(meant) => format!("{written:?} is no reading; write {meant:?}"),
        None => format!("{written:?} is no reading; write one of {}", words().collect::<Vec<_>>().join(", ")),
    })
}

/// The name of a reading, as files and `snapshot --json` write it.
pub(crate) fn reading_name(kind: ReadingKind) -> String {
    match toml::Value::try_from(kind) {
        Ok(toml::Value::String(name)) => name,
        _ => format!("{kind:?}"),
    }
}

/// How a file writes the side of a value.
const SIDES: [(&str, Comparison); 4] = [
    ("above", Comparison::Above),
    ("below", Comparison::Below),
    ("at_least", Comparison::AtLeast),
    ("at_most", Comparison::AtMost),
];

/// Reads `above`, `below`, `at_least` or `at_most` in the unit of what is compared.
pub(crate) fn threshold(section: &Section<'_>, unit: Unit) -> Option<Threshold> {
    let mut written = SIDES.into_iter().filter(|(key, _)| section.has(key));
    let (key, comparison) = match (written.next(), written.next()) {
        (Some(side), None) => side,
        (Some((one, _)), Some((other, _))) => {
            section.error(other, format!("`{one}` and `{other}` exclude each other; keep one of them"));
            return None;
        }
        (None, _) => {
            section.missing("above", "…, or below = …");
            return None;
        }
    };
    let value = match unit {
        Unit::Ratio => section.ratio(key),
        Unit::Seconds => section.duration(key).map(|duration| duration.as_secs_f64()),
        Unit::Bytes => section.bytes(key).map(|bytes| bytes as f64),
        Unit::PerSecond | Unit::Count => section.number(key),
    };
    value.map(|value| Threshold { comparison, value })
}
