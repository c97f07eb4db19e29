//! A snapshot as a page of metrics, for a Prometheus to scrape (its text format, version 0.0.4).
//!
//! Every reading is a gauge under its own name and unit: `cachescope_namespace_hit_rate{namespace="session:{id}"}`. An
//! estimated one has its interval beside it, with `_low` and `_high` behind the name. What is not known has no series:
//! a figure that is missing is missing here too, and an `absent()` can tell.

use std::fmt::Write as _;

use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::reading_kind::{ReadingKind, ReadingSpec};
use cachescope_model::snapshot::{MissCauses, PartSnapshot, Snapshot};
use cachescope_model::source::SourceHealth;

/// What a page answers as its content type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page of a snapshot. `up` says whether the deployment is reached.
#[must_use]
pub fn page(snapshot: &Snapshot, up: bool) -> String {
    let mut page = Page::default();
    page.family("cachescope_up", "Whether the deployment is reached.");
    page.sample("cachescope_up", &[], f64::from(u8::from(up)));
    page.family("cachescope_window_seconds", "Over which window the other figures are.");
    page.sample("cachescope_window_seconds", &[], f64::from(snapshot.window.seconds()));
    page.family("cachescope_source_up", "Whether a source works; one that is switched off is left out.");
    for status in snapshot.sources.iter().filter(|status| status.health != SourceHealth::Off) {
        let works = f64::from(u8::from(status.health == SourceHealth::Ok));
        page.sample("cachescope_source_up", &[("source", status.source.name())], works);
    }
    page.family("cachescope_findings", "What the strategy and the observed keys disagree about, by code.");
    for (code, count) in counted(snapshot) {
        page.sample("cachescope_findings", &[("code", code)], count);
    }
    for spec in ReadingKind::ALL {
        page.readings(spec, "instance", |_| {
            snapshot.instance.get(&spec.kind).map(|reading| (None, reading.clone())).into_iter().collect()
        });
        page.readings(spec, "namespace", |_| {
            let namespaces = snapshot.namespaces.iter();
            let of = namespaces.filter_map(|it| Some((it.namespace.as_str(), it.readings.get(&spec.kind)?)));
            of.map(|(name, reading)| (Some(("namespace", name)), reading)).collect()
        });
        for (what, parts) in [("layer", &snapshot.layers), ("node", &snapshot.by_node)] {
            page.readings(spec, what, |label| parts_of(parts, spec.kind, label));
        }
    }
    let causes = "cachescope_namespace_window_misses";
    page.family(causes, "Misses in the window by why they missed, as far as events tell.");
    for namespace in &snapshot.namespaces {
        for (cause, count) in causes_of(&namespace.miss_causes) {
            let labels = [("namespace", namespace.namespace.as_str()), ("cause", cause)];
            page.sample(causes, &labels, count as f64);
        }
    }
    page.0
}

type Labelled<'a> = (Option<(&'static str, &'a str)>, Reading);

fn parts_of<'a>(parts: &'a [PartSnapshot], kind: ReadingKind, label: &'static str) -> Vec<Labelled<'a>> {
    let of = parts.iter().filter_map(|part| Some((part.name.as_str(), part.readings.get(&kind)?)));
    of.map(|(name, reading)| (Some((label, name)), reading.clone())).collect()
}

fn counted(snapshot: &Snapshot) -> Vec<(&str, f64)> {
    let mut counts: Vec<(&str, f64)> = Vec::new();
    for finding in &snapshot.findings {
        match counts.iter_mut().find(|(code, _)| *code == finding.code) {
            Some((_, count)) => *count += 1.0,
            None => counts.push((&finding.code, 1.0)),
        }
    }
    counts
}

const fn causes_of(causes: &MissCauses) -> [(&'static str, u64); 6] {
    [
        ("expired", causes.expired),
        ("evicted", causes.evicted),
        ("deleted", causes.deleted),
        ("flushed", causes.flushed),
        ("cold", causes.cold),
        ("unknown", causes.unknown),
    ]
}

/// A page as it is written; each family stands together, as the format wants it.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push_str(if place == 0 { "{" } else { "," });
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A reading of everything that has it, and the ends of its intervals.
    fn readings<'a>(
        &mut self,
        spec: &ReadingSpec,
        what: &'static str,
        of: impl Fn(&'static str) -> Vec<Labelled<'a>>,
    ) {
        let name = format!("cachescope_{what}_{}", name_of(spec.kind));
        let all = of(what);
        let estimated = |reading: &Reading| reading.certainty == Certainty::Estimated;
        type End = fn(&Reading) -> Option<f64>;
        let ends: [(&str, &str, End); 3] = [
            ("", "", |reading| reading.value),
            ("_low", "Lower end of its 95 % interval: ", |reading| reading.low),
            ("_high", "Upper end of its 95 % interval: ", |reading| reading.high),
        ];
        for (suffix, words, end) in ends {
            let shown = all.iter().filter(|(_, reading)| suffix.is_empty() || estimated(reading));
            let values: Vec<_> = shown.filter_map(|(label, reading)| Some((label, end(reading)?))).collect();
            if values.is_empty() {
                continue;
            }
            let name = format!("{name}{suffix}");
            self.family(&name, &format!("{words}{}", spec.meaning));
            for (label, value) in values {
                self.sample(&name, label.as_slice(), value);
            }
        }
    }
}

/// The reading's name as `snapshot --json` has it.
fn name_of(kind: ReadingKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
