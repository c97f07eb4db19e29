//! `[metrics]`, `[[signal]]`, `[[mark]]`, `[[target]]` and `[[rule]]`: what is measured and judged.

use cachescope_model::duration;
use cachescope_model::marks::MarkKind;
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::{MarkQuery, MetricNames, Rule, Severity, Signal, Target};
use cachescope_model::window::Window;

use crate::names::Kind;
use crate::section::Section;
use crate::subjects::{SignalUnits, judged, threshold};

/// Reads `[metrics]`.
pub(crate) fn metrics(section: Section<'_>) -> MetricNames {
    let units = [("seconds", 1.0), ("milliseconds", 1e-3), ("microseconds", 1e-6)];
    let unit = section.word("latency_unit", &units);
    let mut reads = section.pairs("read_operation").into_iter();
    let read_operation = reads.next();
    if reads.next().is_some() {
        section.error(
            "read_operation",
            "`read_operation` holds more than one label; write read_operation = { operation = \"get\" }",
        );
    }
    let metrics = MetricNames {
        hits: required_metric(&section, "hits", "\"cache_hits_total\""),
        misses: required_metric(&section, "misses", "\"cache_misses_total\""),
        latency: section.metric("latency"),
        latency_unit_seconds: unit.unwrap_or(1.0),
        read_operation,
        layer_label: section.metric("layer_label"),
        redis_layer: section.text("redis_layer"),
        namespace_label: section.metric("namespace_label"),
        evictions: section.metric("evictions"),
        errors: section.metric("errors"),
        matchers: section.pairs("matchers").into_iter().collect(),
        size: section.metric("size"),
    };
    if metrics.layer_label.is_some() != metrics.redis_layer.is_some() {
        section.error(
            "layer_label",
            "`layer_label` and `redis_layer` belong together; write both, such as layer_label = \"layer\" and redis_layer = \"redis\"",
        );
    }
    section.finish();
    metrics
}

fn required_metric(section: &Section<'_>, key: &'static str, example: &str) -> String {
    if !section.has(key) {
        section.missing(key, example);
    }
    section.metric(key).unwrap_or_default()
}

/// Reads one `[[signal]]`.
pub(crate) fn signal(mut section: Section<'_>) -> Signal {
    let name = section.named(Kind::Signal);
    if !section.has("unit") {
        section.missing("unit", "\"ratio\", \"seconds\", \"bytes\", \"per_second\" or \"count\"");
    }
    let units = [
        ("ratio", Unit::Ratio),
        ("seconds", Unit::Seconds),
        ("bytes", Unit::Bytes),
        ("per_second", Unit::PerSecond),
        ("count", Unit::Count),
    ];
    let unit = section.word("unit", &units).unwrap_or(Unit::Count);
    let compared = section.has("above") || section.has("below");
    let signal = Signal {
        title: section.text("title").unwrap_or_else(|| name.clone()),
        name,
        promql: section.required_text("promql", "\"max(db_cpu_ratio)\""),
        unit,
        threshold: if compared { threshold(&section, unit) } else { None },
        stops_actions: section.flag("stops_actions"),
        note: section.text_or_empty("note"),
    };
    if signal.stops_actions && !compared {
        section.error("stops_actions", "`stops_actions` needs a threshold; write above = … or below = …");
    }
    section.finish();
    signal
}

/// Reads one `[[mark]]`.
pub(crate) fn mark(mut section: Section<'_>) -> MarkQuery {
    let name = section.named(Kind::Mark);
    let kinds = MarkKind::ALL.map(|(kind, name)| (name, kind));
    let mark = MarkQuery {
        title: section.text("title").unwrap_or_else(|| name.clone()),
        name,
        promql: section.required_text("promql", "\"shop_build_info\""),
        kind: section.word("kind", &kinds).unwrap_or_default(),
        label: section.metric("label"),
    };
    section.finish();
    mark
}

/// Reads one `[[target]]`; `None` where what it is about can't be told.
pub(crate) fn target(mut section: Section<'_>, signals: &SignalUnits) -> Option<Target> {
    let name = section.named(Kind::Target);
    let judged = judged(&section, signals);
    if judged.as_ref().is_some_and(|judged| judged.threshold.is_none()) {
        section.missing("above", "…, or below = …");
    }
    let documented = section.text_or_empty("documented");
    section.finish();
    let judged = judged?;
    Some(Target { name, subject: judged.subject, goal: judged.threshold?, documented })
}

/// Reads one `[[rule]]`; `None` where what it is about can't be told.
pub(crate) fn rule(mut section: Section<'_>, signals: &SignalUnits) -> Option<Rule> {
    let name = section.named(Kind::Rule);
    let judged = judged(&section, signals);
    let window = section.read("window", |text| {
        let length = duration::parse(text).map_err(|error| error.to_string())?;
        let fits = |window: &Window| u64::from(window.seconds()) == length.as_secs();
        Window::ALL
            .into_iter()
            .find(|window| fits(window) && length.subsec_nanos() == 0)
            .ok_or_else(|| format!("{text:?} is no window; write 10s, 1m, 5m, 15m, 1h or 24h"))
    });
    let severities =
        [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];
    let severity = section.word("severity", &severities);
    let summary = section.required_text("summary", "\"Hit rate below 80 %\"");
    let (for_duration, keep_firing_for) = (section.duration("for"), section.duration("keep_firing_for"));
    let minimum_lookups = section.integer("minimum_lookups");
    let playbook = section.reference("playbook", Kind::Playbook);
    let warm = section.reference("warm", Kind::Warm);
    let (action, note) = (section.text_or_empty("action"), section.text_or_empty("note"));
    let documented = section.text_or_empty("documented");
    section.finish();
    let judged = judged?;
    Some(Rule {
        name,
        subject: judged.subject,
        window: window.unwrap_or_default(),
        threshold: judged.threshold,
        for_duration: for_duration.unwrap_or_default(),
        keep_firing_for: keep_firing_for.unwrap_or_default(),
        minimum_lookups: minimum_lookups.unwrap_or_default(),
        severity: severity.unwrap_or_default(),
        summary,
        action,
        playbook,
        warm,
        documented,
        note,
    })
}
