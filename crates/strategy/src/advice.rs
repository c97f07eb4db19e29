//! Whether what a file says fits together: overlapping namespaces, labels, tenants.

use std::collections::HashMap;

use cachescope_model::strategy::{Namespace, Strategy};

use crate::overlap::{Relation, Segments, relation};
use crate::problem::Report;

/// The most namespaces of one file: each is compared with every other.
const MOST_NAMESPACES: usize = 5_000;

/// Reports what doesn't fit together. `lines` are the lines of the namespaces' templates.
pub(crate) fn check(report: &Report<'_>, strategy: &Strategy, lines: &[usize]) {
    if strategy.namespaces.len() > MOST_NAMESPACES {
        let message = format!(
            "the file has {} namespaces; keep at most {MOST_NAMESPACES}, and give keys of one kind one template",
            strategy.namespaces.len()
        );
        report.error(lines[MOST_NAMESPACES], "", message);
        return;
    }
    overlaps(report, &strategy.namespaces, lines);
    labels(report, &strategy.namespaces, lines);
    tenants(report, strategy, lines);
}

fn place(namespace: &Namespace) -> String {
    format!("namespace {:?}", namespace.name)
}

fn overlaps(report: &Report<'_>, namespaces: &[Namespace], lines: &[usize]) {
    // Taken apart once: a large file has millions of pairs.
    let segments: Vec<_> = namespaces.iter().map(|namespace| Segments::of(&namespace.template)).collect();
    for (at, second) in namespaces.iter().enumerate() {
        for ((first, first_line), first_segments) in namespaces[..at].iter().zip(lines).zip(&segments) {
            if first_segments.apart(&segments[at]) {
                continue;
            }
            if first.database.is_some() && second.database.is_some() && first.database != second.database {
                continue;
            }
            let (one, other) = (first.template.as_str(), second.template.as_str());
            let message = match relation(&first.template, &second.template) {
                // One in every database and one in a single one are told apart by the database.
                Relation::Same if first.database != second.database => continue,
                Relation::Same => format!(
                    "its template {other:?} matches the same keys as {one:?} of namespace {:?} on line {first_line}; \
                     remove one of the two",
                    first.name
                ),
                Relation::Ambiguous { example } => format!(
                    "its template {other:?} overlaps with {one:?} of namespace {:?} on line {first_line}: {example:?} \
                     matches both and neither is the more specific one; change one of the two so that no key \
                     matches both, or make one of them at least as specific in every place",
                    first.name
                ),
                _ => continue,
            };
            report.error(lines[at], &place(second), message);
        }
    }
}

fn labels(report: &Report<'_>, namespaces: &[Namespace], lines: &[usize]) {
    let mut bearers: HashMap<&str, usize> = HashMap::new();
    for (at, second) in namespaces.iter().enumerate() {
        for label in &second.metric_labels {
            let earlier = *bearers.entry(label).or_insert(at);
            if earlier < at {
                let (first, line) = (&namespaces[earlier], lines[earlier]);
                report.warning(
                    lines[at],
                    &place(second),
                    format!(
                        "the label {label:?} is also that of namespace {:?} on line {line}, so its counters would \
                         stand for both; give each namespace a label of its own",
                        first.name
                    ),
                );
            }
        }
    }
}

fn tenants(report: &Report<'_>, strategy: &Strategy, lines: &[usize]) {
    let Some(isolation) = &strategy.tenant_isolation else { return };
    for (namespace, line) in strategy.namespaces.iter().zip(lines) {
        let carries = namespace.template.fields().any(|field| field == isolation.field);
        let exempt = isolation.exempt.contains(&namespace.name);
        if !carries && !exempt {
            report.warning(
                *line,
                &place(namespace),
                format!(
                    "its keys don't carry {{{}}}, which `tenant_isolation` demands; add the field, or list the \
                     namespace as exempt",
                    isolation.field
                ),
            );
        } else if carries && exempt {
            report.warning(
                *line,
                &place(namespace),
                format!(
                    "its keys carry {{{}}} and it is listed as exempt; take it off the list",
                    isolation.field
                ),
            );
        }
        for forbidden in &isolation.forbidden {
            if relation(forbidden, &namespace.template) == Relation::Same {
                report.error(
                    *line,
                    &place(namespace),
                    format!("`tenant_isolation` forbids the template {forbidden}; add the tenant to it"),
                );
            }
        }
    }
}
