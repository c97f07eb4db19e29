//! A Prometheus rule file as rules of a strategy. What a strategy can say is mapped, the rest is kept as PromQL, and
//! what is left out is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::strategy::{Comparison, Rule, Severity, Strategy, Subject, Threshold};
use cachescope_model::window::Window;
use serde::Serialize;

use crate::dialect;
use crate::export::LeftOut;
use crate::problem::Problem;
use crate::promql::{Expr, Operator, parse};
use crate::written::{SEVERITY, STRATEGY};
use crate::yaml::{self, Kind, Node};

/// What a rule file gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Rules for a strategy, in the file's order.
    pub rules: Vec<Imported>,
    /// What was left out, with its reason: rules that are wrong, and recording rules.
    pub left_out: Vec<LeftOut>,
}

/// One rule as it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The rule.
    pub rule: Rule,
    /// Whether it was recognised as a reading or signal; otherwise it is kept as PromQL.
    pub mapped: bool,
    /// What of it a strategy can't hold, one sentence each.
    pub remarks: Vec<String>,
}

/// How an imported rule reads in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its name.
    pub rule: String,
    /// `mapped` or `promql`.
    pub kept_as: &'static str,
    /// What of it a strategy can't hold.
    pub remarks: Vec<String>,
}

impl Imported {
    /// Its line in a table.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let kept_as = if self.mapped { "mapped" } else { "promql" };
        Summary { rule: self.rule.name.clone(), kept_as, remarks: self.remarks.clone() }
    }
}

/// Reads a rule file against a strategy, whose metric names tell which expression is which reading.
///
/// # Errors
/// When the text is no YAML, too large, or has no groups; what is wrong with one rule leaves the others alone.
pub fn import(text: &str, strategy: &Strategy) -> Result<Import, Problem> {
    let Some(top) = yaml::read(text)? else { return Ok(Import::default()) };
    let Some(groups) = top.get("groups") else {
        return Err(Problem::new(top.line, "there is no `groups`; a rule file begins with groups:"));
    };
    let known = Known::of(strategy);
    let mut import = Import::default();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for group in groups.list("groups")? {
        let limits =
            ["interval", "limit", "query_offset", "source_tenants", "partial_response_strategy", "labels"];
        let of_group: Vec<String> = limits
            .into_iter()
            .filter(|key| group.get(key).is_some())
            .map(|key| format!("`{key}` of its group is not kept"))
            .collect();
        for node in group.get("rules").map_or(Ok(&[][..]), |rules| rules.list("rules"))? {
            match rule(node, &known) {
                Ok(mut imported) => {
                    imported.remarks.extend(of_group.iter().cloned());
                    import.take(imported, &mut taken);
                }
                Err(left_out) => import.left_out.push(left_out),
            }
        }
    }
    Ok(import)
}

impl Import {
    /// Rules of one name: those that judge namespaces alike are one, others get a name of their own.
    fn take(&mut self, mut imported: Imported, taken: &mut BTreeMap<String, usize>) {
        let name = imported.rule.name.clone();
        if let Some(place) = taken.get(&name).copied() {
            if joined(&mut self.rules[place].rule, &imported.rule) {
                return;
            }
            let free = (2..).map(|number| format!("{name}{number}")).find(|name| !taken.contains_key(name));
            imported.rule.name = free.unwrap_or(name.clone());
            imported.remarks.push(format!("the file has several rules named {name}, so this one is renamed"));
        }
        taken.insert(imported.rule.name.clone(), self.rules.len());
        self.rules.push(imported);
    }
}

/// Adds the namespaces of one rule to another that is else the same.
fn joined(into: &mut Rule, other: &Rule) -> bool {
    let Subject::Namespaces { namespaces: more, .. } = &other.subject else { return false };
    let alike = Rule { subject: into.subject.clone(), ..other.clone() } == *into;
    match &mut into.subject {
        Subject::Namespaces { namespaces, .. } if alike => {
            namespaces.extend(more.iter().cloned());
            true
        }
        _ => false,
    }
}

fn rule(node: &Node, known: &Known) -> Result<Imported, LeftOut> {
    let field = |key: &str| node.get(key).and_then(Node::text);
    let line = node.line;
    if let Some(record) = field("record") {
        let reason = format!("line {line}: a recording rule; it stays on the Prometheus server");
        return Err(LeftOut { rule: record.to_owned(), reason });
    }
    let name = field("alert").unwrap_or_default().to_owned();
    let wrong = |line: usize, what: &str| LeftOut {
        rule: if name.is_empty() { format!("line {line}") } else { name.clone() },
        reason: format!("line {line}: {what}"),
    };
    if name.is_empty() {
        return Err(wrong(line, "it has no name; write alert: NAME"));
    }
    let length = |key: &str| match node.get(key) {
        None => Ok(Duration::ZERO),
        Some(written) => written
            .text()
            .ok_or_else(|| "is no text".to_owned())
            .and_then(|text| duration::parse(text).map_err(|error| error.to_string()))
            .map_err(|error| wrong(written.line, &format!("`{key}`: {error}"))),
    };
    let (for_duration, keep_firing_for) = (length("for")?, length("keep_firing_for")?);
    let expr = node.get("expr").ok_or_else(|| wrong(line, "it has no expression; write expr: …"))?;
    let promql = expr.text().map(str::trim).filter(|text| !text.is_empty());
    let promql = promql.ok_or_else(|| wrong(expr.line, "`expr` is no text"))?;
    let texts = |key: &str| -> BTreeMap<&str, &str> {
        let entries = node.get(key).map(Node::entries).unwrap_or_default();
        entries.iter().filter_map(|(name, value)| Some((name.as_str(), value.text()?))).collect()
    };
    let (labels, annotations) = (texts("labels"), texts("annotations"));
    let mut remarks = Vec::new();
    let judged = known.judge(promql).map_err(|what| wrong(expr.line, &what))?;
    let severity = match labels.get(SEVERITY).copied() {
        Some("info") => Severity::Info,
        Some("critical" | "page") => Severity::Critical,
        Some("warning") | None => Severity::Warning,
        Some(other) => {
            remarks.push(format!("the severity {other:?} becomes warning"));
            Severity::Warning
        }
    };
    let own = ["namespace", "layer", SEVERITY, STRATEGY];
    remarks.extend(
        labels
            .keys()
            .filter(|label| !own.contains(label))
            .map(|label| format!("the label {label} is not kept")),
    );
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| annotations.get(key));
        found.map(|text| text.replace("{{ \"{{\" }}", "{{")).unwrap_or_default()
    };
    let kept = ["summary", "action", "documented", "note", "description", "runbook_url", "playbook", "warm"];
    remarks.extend(
        annotations
            .keys()
            .filter(|name| !kept.contains(name))
            .map(|name| format!("the annotation {name} is not kept")),
    );
    let unknown = ["alert", "expr", "for", "keep_firing_for", "labels", "annotations"];
    for (key, value) in node.entries() {
        if !unknown.contains(&key.as_str()) {
            remarks.push(format!("`{key}` on line {} is not kept", value.line));
        }
    }
    if !matches!(node.get("labels").map(|node| &node.kind), None | Some(Kind::Map(_))) {
        return Err(wrong(line, "`labels` is no map"));
    }
    let summary = text(&["summary", "description"]);
    let plan = |key: &str, there: &BTreeSet<String>| {
        annotations.get(key).map(|name| (*name).to_owned()).filter(|name| there.contains(name))
    };
    Ok(Imported {
        mapped: !matches!(judged.subject, Subject::Promql { .. }),
        rule: Rule {
            summary: if summary.is_empty() { name.clone() } else { summary },
            name,
            subject: judged.subject,
            window: judged.window,
            threshold: judged.threshold,
            for_duration,
            keep_firing_for,
            minimum_lookups: judged.minimum_lookups,
            severity,
            action: text(&["action", "runbook_url"]),
            playbook: plan("playbook", &known.playbooks),
            warm: plan("warm", &known.warm_plans),
            documented: text(&["documented"]),
            note: text(&["note"]),
        },
        remarks,
    })
}

struct Judged {
    subject: Subject,
    window: Window,
    threshold: Option<Threshold>,
    minimum_lookups: u64,
}

/// Expressions of a strategy's readings and signals, by their text.
struct Known {
    subjects: BTreeMap<String, (Subject, Window, Option<Expr>)>,
    signal_units: BTreeMap<String, Unit>,
    playbooks: BTreeSet<String>,
    warm_plans: BTreeSet<String>,
}

impl Known {
    fn of(strategy: &Strategy) -> Self {
        let mut known = Self {
            subjects: BTreeMap::new(),
            signal_units: strategy.signals.iter().map(|signal| (signal.name.clone(), signal.unit)).collect(),
            playbooks: strategy.playbooks.iter().map(|playbook| playbook.name.clone()).collect(),
            warm_plans: strategy.warm_plans.iter().map(|plan| plan.name.clone()).collect(),
        };
        for signal in &strategy.signals {
            known.add(strategy, Subject::Signal { signal: signal.name.clone() }, Window::default());
        }
        known.add(strategy, Subject::Reachable, Window::default());
        for window in [
            Window::OneMinute,
            Window::FiveMinutes,
            Window::TenSeconds,
            Window::FifteenMinutes,
            Window::OneHour,
            Window::OneDay,
        ] {
            for reading in ReadingKind::ALL.iter().map(|spec| spec.kind) {
                known.add(strategy, Subject::Instance { reading }, window);
                for namespace in &strategy.namespaces {
                    let namespaces = vec![namespace.name.clone()];
                    known.add(strategy, Subject::Namespaces { namespaces, reading }, window);
                }
                for layer in &strategy.layers {
                    known.add(strategy, Subject::Layer { layer: layer.name.clone(), reading }, window);
                }
            }
        }
        known
    }

    fn add(&mut self, strategy: &Strategy, subject: Subject, window: Window) {
        let Ok(parts) = dialect::parts(strategy, &subject, window) else { return };
        let Some(part) = parts.into_iter().next() else { return };
        self.subjects.entry(part.value.to_string()).or_insert((subject, window, part.lookups));
    }

    /// Whether a strategy file can hold this threshold exactly: it writes times in whole milliseconds, shares from 0
    /// to 1 and whole bytes.
    fn writable(&self, subject: &Subject, limit: f64) -> bool {
        let unit = match subject {
            Subject::Signal { signal } => self.signal_units.get(signal).copied().unwrap_or(Unit::Count),
            other => other.reading().map_or(Unit::Count, |reading| reading.spec().unit),
        };
        match unit {
            Unit::Ratio => (0.0..=1.0).contains(&limit),
            Unit::Seconds => {
                let millis = (limit * 1000.0).round();
                (0.0..1e15).contains(&millis) && Duration::from_millis(millis as u64).as_secs_f64() == limit
            }
            Unit::Bytes => (0.0..1e15).contains(&limit) && limit.fract() == 0.0,
            Unit::PerSecond | Unit::Count => limit.is_finite(),
        }
    }

    fn judge(&self, promql: &str) -> Result<Judged, String> {
        let foreign = || Judged {
            subject: Subject::Promql { expr: promql.to_owned() },
            window: Window::default(),
            threshold: None,
            minimum_lookups: 0,
        };
        let Ok(expr) = parse(promql) else { return Ok(foreign()) };
        let (past, guard) = match expr {
            Expr::Binary(Operator::And, past, guard) => (*past, Some(*guard)),
            past => (past, None),
        };
        let Expr::Binary(operator, value, limit) = past else { return Ok(foreign()) };
        let (Some(comparison), Expr::Number(limit)) = (comparison(operator), *limit) else {
            return Ok(foreign());
        };
        if limit.is_nan() {
            return Err("the threshold is NaN, which nothing is ever past; write a number".to_owned());
        }
        let threshold = Some(Threshold { comparison, value: limit });
        let found = self.subjects.get(&value.to_string());
        let minimum_lookups = match (&guard, found.and_then(|(_, _, lookups)| lookups.as_ref())) {
            (None, _) => Some(0),
            (Some(Expr::Binary(Operator::AtLeast, left, right)), Some(lookups)) if **left == *lookups => {
                match **right {
                    Expr::Number(least) if least >= 1.0 && least.fract() == 0.0 && least < 1e15 => {
                        Some(least as u64)
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(match (found, minimum_lookups) {
            (Some((subject, window, _)), Some(minimum_lookups)) if self.writable(subject, limit) => {
                Judged { subject: subject.clone(), window: *window, threshold, minimum_lookups }
            }
            (_, Some(0)) => {
                Judged { subject: Subject::Promql { expr: value.to_string() }, threshold, ..foreign() }
            }
            _ => foreign(),
        })
    }
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Above => Comparison::Above,
        Operator::Below => Comparison::Below,
        Operator::AtLeast => Comparison::AtLeast,
        Operator::AtMost => Comparison::AtMost,
        _ => return None,
    })
}
