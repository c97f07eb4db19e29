//! `[metrics]`, `[[signal]]`, `[[target]]` and `[[rule]]`: what is measured and judged.

use cachescope_model::duration;
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::{MetricNames, Rule, Severity, Signal, Target};
use cachescope_model::window::Window;

use crate::names::Kind;
use crate::section::Section;
use crate::subjects::{SignalUnits, judged, threshold};

/// Reads `[metrics]`.
pub(crate) fn metrics(section: Section<'_>) -> MetricNames {
    let unit = section.read("latency_unit", |written| match written {
        "seconds" => Ok(1.0),
        "milliseconds" => Ok(1e-3),
        "microseconds" => Ok(1e-6),
        other => Err(format!("{other:?} is not known; write seconds, milliseconds or microseconds")),
    });
    let mut reads = section.pairs("read_operation").into_iter();
    let read_operation = reads.next();
    if reads.next().is_some() {
        section.error(
            "read_operation",
            "`read_operation` holds more than one label; write read_operation = { operation = \"get\" }",
        );
    }
    let metrics = MetricNames {
        hits: section.required_text("hits", "\"cache_hits_total\""),
        misses: section.required_text("misses", "\"cache_misses_total\""),
        latency: section.text("latency"),
        latency_unit_seconds: unit.unwrap_or(1.0),
        read_operation,
        layer_label: section.text("layer_label"),
        redis_layer: section.text("redis_layer"),
        namespace_label: section.text("namespace_label"),
        evictions: section.text("evictions"),
        errors: section.text("errors"),
        matchers: section.pairs("matchers").into_iter().collect(),
        size: section.text("size"),
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

/// Reads one `[[signal]]`.
pub(crate) fn signal(mut section: Section<'_>) -> Signal {
    let name = section.named(Kind::Signal);
    if !section.has("unit") {
        section.missing("unit", "\"ratio\", \"seconds\", \"bytes\", \"per_second\" or \"count\"");
    }
    let unit = section
        .read("unit", |written| match written {
            "ratio" => Ok(Unit::Ratio),
            "seconds" => Ok(Unit::Seconds),
            "bytes" => Ok(Unit::Bytes),
            "per_second" => Ok(Unit::PerSecond),
            "count" => Ok(Unit::Count),
            other => Err(format!("{other:?} is no unit; write ratio, seconds, bytes, per_second or count")),
        })
        .unwrap_or(Unit::Count);
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

/// Reads one `[[target]]`; `None` where what it is about can't be told.
pub(crate) fn target(mut section: Section<'_>, signals: &SignalUnits) -> Option<Target> {
    let name = section.named(Kind::Target);
    let judged = judged(&section, signals);
    let documented = section.text_or_empty("documented");
    section.finish();
    judged.map(|judged| Target { name, subject: judged.subject, goal: judged.threshold, documented })
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
    let severity = section.read("severity", |written| match written {
        "info" => Ok(Severity::Info),
        "warning" => Ok(Severity::Warning),
        "critical" => Ok(Severity::Critical),
        other => Err(format!("{other:?} is no severity; write info, warning or critical")),
    });
    let read = |judged: crate::subjects::Judged| Rule {
        name,
        subject: judged.subject,
        window: window.unwrap_or_default(),
        threshold: judged.threshold,
        for_duration: section.duration("for").unwrap_or_default(),
        keep_firing_for: section.duration("keep_firing_for").unwrap_or_default(),
        minimum_lookups: section.integer("minimum_lookups").unwrap_or_default(),
        severity: severity.unwrap_or_default(),
        summary: section.required_text("summary", "\"Hit rate below 80 %\""),
        action: section.text_or_empty("action"),
        playbook: section.reference("playbook", Kind::Playbook),
        warm: section.reference("warm", Kind::Warm),
        documented: section.text_or_empty("documented"),
        note: section.text_or_empty("note"),
    };
    let Some(judged) = judged else {
        // What a rule is about is wrong: its other keys are still known ones.
        for key in ["summary", "action", "documented", "note"] {
            section.text(key);
        }
        section.reference("playbook", Kind::Playbook);
        section.reference("warm", Kind::Warm);
        section.duration("for");
        section.duration("keep_firing_for");
        section.integer("minimum_lookups");
        section.finish();
        return None;
    };
    let rule = read(judged);
    section.finish();
    Some(rule)
}
