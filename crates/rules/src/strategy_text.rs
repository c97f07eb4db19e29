//! Rules as a strategy file writes them.

use std::fmt::Write as _;
use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::window::Window;

use crate::written::severity_name;

/// `[[rule]]` tables, to be put into a strategy file. `strategy` knows the units of its signals.
#[must_use]
pub fn strategy_text<'r>(rules: impl IntoIterator<Item = &'r Rule>, strategy: &Strategy) -> String {
    let mut text = String::new();
    for rule in rules {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str("[[rule]]\n");
        let mut put = |key: &str, value: String| writeln!(text, "{key} = {value}").expect("text takes text");
        put("name", quoted(&rule.name));
        let unit = match &rule.subject {
            Subject::Signal { signal } => strategy.signal(signal).map_or(Unit::Count, |signal| signal.unit),
            subject => subject.reading().map_or(Unit::Count, |reading| reading.spec().unit),
        };
        match &rule.subject {
            Subject::Instance { reading } => put("reading", reading_name(*reading)),
            Subject::Namespaces { namespaces, reading } => {
                put("reading", reading_name(*reading));
                put("each", quoted("namespace"));
                put("namespaces", list(namespaces));
            }
            Subject::Tenants { namespaces, reading } => {
                put("reading", reading_name(*reading));
                put("each", quoted("tenant"));
                put("namespaces", list(namespaces));
            }
            Subject::Layer { layer, reading } => {
                put("reading", reading_name(*reading));
                put("layer", quoted(layer));
            }
            Subject::Nodes { reading } => {
                put("reading", reading_name(*reading));
                put("each", quoted("node"));
            }
            Subject::Signal { signal } => put("signal", quoted(signal)),
            Subject::Promql { expr } => put("promql", quoted(expr)),
            _ => put("reading", quoted("reachable")),
        }
        if let Some(threshold) = rule.threshold {
            put(side(threshold.comparison), limit(threshold, unit));
        }
        if rule.window != Window::default() {
            put("window", quoted(&duration::format(Duration::from_secs(u64::from(rule.window.seconds())))));
        }
        for (key, length) in [("for", rule.for_duration), ("keep_firing_for", rule.keep_firing_for)] {
            if !length.is_zero() {
                put(key, quoted(&duration::format(length)));
            }
        }
        if rule.minimum_lookups > 0 {
            put("minimum_lookups", rule.minimum_lookups.to_string());
        }
        if rule.severity != Severity::default() {
            put("severity", quoted(severity_name(rule.severity)));
        }
        put("summary", quoted(&rule.summary));
        let plans = [rule.playbook.as_deref().unwrap_or_default(), rule.warm.as_deref().unwrap_or_default()];
        for (key, words) in [
            ("action", rule.action.as_str()),
            ("playbook", plans[0]),
            ("warm", plans[1]),
            ("documented", &rule.documented),
            ("note", &rule.note),
        ] {
            if !words.is_empty() {
                put(key, quoted(words));
            }
        }
    }
    text
}

fn side(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Above => "above",
        Comparison::Below => "below",
        Comparison::AtLeast => "at_least",
        Comparison::AtMost => "at_most",
    }
}

fn limit(threshold: Threshold, unit: Unit) -> String {
    let value = threshold.value;
    match unit {
        Unit::Seconds => quoted(&duration::format(Duration::from_secs_f64(value.max(0.0)))),
        Unit::Bytes => quoted(&format!("{value:.0}")),
        _ => format!("{value:?}"),
    }
}

fn reading_name(kind: ReadingKind) -> String {
    // Its serialised name, as files write it.
    let words = format!("{kind:?}");
    let mut name = String::new();
    for (place, character) in words.char_indices() {
        if character.is_ascii_uppercase() && place > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    quoted(&name)
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
}

/// A text in TOML's double quotes.
fn quoted(text: &str) -> String {
    crate::promql::expr::quoted(text)
}
