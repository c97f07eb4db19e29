//! Which samples a rule's subject picks.

use std::collections::HashMap;
use std::sync::Arc;

use cachescope_model::alert::AlertLabels;
use cachescope_model::alert::label::{LAYER, NAMESPACE, NODE, TENANT};
use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::{NamespaceOrigin, Snapshot};
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::strategy::{Namespace, Rule, Strategy, Subject};
use cachescope_model::window::Window;

use super::inputs::Inputs;
use super::sample::Sample;

/// Names of documented namespaces by template, and back.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Templates with their names, sorted by template.
    named: Vec<(Arc<str>, Box<str>)>,
    /// Places in `named`, sorted by name.
    by_name: Vec<u32>,
    with_tenant: Vec<String>,
}

impl Names {
    pub(super) fn new(strategy: &Strategy) -> Self {
        let pair = |it: &Namespace| (it.template.text(), it.name.as_str().into());
        let mut named: Vec<(Arc<str>, Box<str>)> = strategy.namespaces.iter().map(pair).collect();
        // Of two with one template, in different databases, the first gives the name: the order stays.
        named.sort_by(|one, other| one.0.cmp(&other.0));
        let mut by_name: Vec<u32> = (0u32..).zip(&named).map(|(place, _)| place).collect();
        by_name.sort_by(|one, other| named[*one as usize].1.cmp(&named[*other as usize].1));
        let with_tenant = strategy.namespaces.iter().filter(|it| it.tenant.is_some());
        Self { by_name, with_tenant: with_tenant.map(|it| it.name.clone()).collect(), named }
    }

    fn name<'a>(&'a self, template: &'a str) -> &'a str {
        let place = self.named.partition_point(|(known, _)| **known < *template);
        self.named
            .get(place)
            .filter(|(known, _)| **known == *template)
            .map_or(template, |(_, name)| name.as_ref())
    }

    fn template(&self, name: &str) -> Option<&str> {
        let named = |place: &u32| &self.named[*place as usize];
        let place = self.by_name.binary_search_by(|place| named(place).1.as_ref().cmp(name)).ok()?;
        Some(&named(&self.by_name[place]).0)
    }

    /// The templates of these namespaces; of all that have a tenant where there are none.
    pub(super) fn tenant_templates(&self, namespaces: &[String]) -> Vec<&str> {
        let wanted = if namespaces.is_empty() { &self.with_tenant } else { namespaces };
        wanted.iter().filter_map(|name| self.template(name)).collect()
    }
}

/// The samples of a rule, or the sentence why it can't be judged at all.
pub(super) fn samples(rule: &Rule, names: &Names, inputs: &Inputs<'_>) -> Result<Vec<Sample>, String> {
    match &rule.subject {
        Subject::Instance { reading } => Ok(vec![match inputs.snapshots.get(&rule.window) {
            Some(snapshot) => of(AlertLabels::new(), &snapshot.instance, *reading),
            None => missing_window(rule.window),
        }]),
        Subject::Namespaces { namespaces, reading } => Ok(match inputs.snapshots.get(&rule.window) {
            Some(snapshot) => of_namespaces(snapshot, names, namespaces, *reading),
            None => vec![missing_window(rule.window)],
        }),
        Subject::Tenants { namespaces, reading } => {
            Ok(of_tenants(inputs, names, namespaces, *reading, rule.window))
        }
        Subject::Layer { layer, reading } => {
            let labels = || AlertLabels::from([(LAYER.to_owned(), layer.clone())]);
            Ok(vec![match inputs.snapshots.get(&rule.window) {
                Some(snapshot) => match snapshot.layers.iter().find(|part| part.name == *layer) {
                    Some(part) => of(labels(), &part.readings, *reading),
                    None => Sample::missing(labels(), format!("nothing counts the layer {layer:?}")),
                },
                None => missing_window(rule.window),
            }])
        }
        Subject::Nodes { reading } => Ok(match inputs.snapshots.get(&rule.window) {
            Some(snapshot) if snapshot.by_node.is_empty() => {
                vec![Sample::missing(AlertLabels::new(), "no server answers INFO: connect to Redis")]
            }
            Some(snapshot) => {
                let labels = |name: &str| AlertLabels::from([(NODE.to_owned(), name.to_owned())]);
                snapshot.by_node.iter().map(|part| of(labels(&part.name), &part.readings, *reading)).collect()
            }
            None => vec![missing_window(rule.window)],
        }),
        Subject::Signal { signal } => of_signal(inputs, signal).map(|sample| vec![sample]),
        Subject::Reachable => Ok(vec![reachable(inputs)]),
        Subject::Promql { .. } => match inputs.queries.get(rule.name.as_str()) {
            Some(Ok(series)) => {
                Ok(series.iter().map(|(labels, value)| Sample::exact(labels.clone(), *value)).collect())
            }
            Some(Err(why)) => Err(why.clone()),
            None => Ok(vec![Sample::missing(
                AlertLabels::new(),
                "the expression is for a Prometheus server: add one to the deployment",
            )]),
        },
        other => Err(format!("this version does not know how to judge {other:?}")),
    }
}

fn missing_window(window: Window) -> Sample {
    Sample::missing(AlertLabels::new(), format!("there are no figures over {} s", window.seconds()))
}

fn of(labels: AlertLabels, readings: &Readings, kind: ReadingKind) -> Sample {
    sample(labels, kind, |kind| readings.get(kind).cloned())
}

fn sample(
    labels: AlertLabels,
    kind: ReadingKind,
    readings: impl Fn(&ReadingKind) -> Option<Reading>,
) -> Sample {
    match readings(&kind) {
        Some(reading) => {
            let rate = readings(&ReadingKind::LookupsPerSecond);
            Sample::of_reading(labels, &reading, rate.as_ref().and_then(lookups))
        }
        None => Sample::missing(labels, format!("it has no {}", kind.spec().title.to_lowercase())),
    }
}

/// How many lookups there were in the window.
fn lookups(rate: &Reading) -> Option<f64> {
    rate.value.map(|value| value * rate.window_seconds)
}

fn of_namespaces(snapshot: &Snapshot, names: &Names, wanted: &[String], kind: ReadingKind) -> Vec<Sample> {
    let labels = |name: &str| AlertLabels::from([(NAMESPACE.to_owned(), name.to_owned())]);
    let rows = snapshot.namespaces.iter().filter(|row| row.origin != NamespaceOrigin::Other);
    if wanted.is_empty() {
        return rows
            .map(|row| sample(labels(names.name(&row.namespace)), kind, |kind| row.readings.get(kind)))
            .collect();
    }
    let rows: HashMap<&str, _> = rows.map(|row| (names.name(&row.namespace), row)).collect();
    let of_name = |name: &String| match rows.get(name.as_str()) {
        Some(row) => sample(labels(name), kind, |kind| row.readings.get(kind)),
        None => Sample::missing(labels(name), "it has not been seen"),
    };
    wanted.iter().map(of_name).collect()
}

fn of_tenants(
    inputs: &Inputs<'_>,
    names: &Names,
    namespaces: &[String],
    kind: ReadingKind,
    window: Window,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for template in names.tenant_templates(namespaces) {
        let namespace = names.name(template);
        let Some(tenants) = inputs.tenants.get(&(window, template)) else {
            let labels = AlertLabels::from([(NAMESPACE.to_owned(), namespace.to_owned())]);
            samples.push(Sample::missing(labels, "its tenants are not known"));
            continue;
        };
        for tenant in tenants.iter().filter(|tenant| !tenant.others) {
            let labels = AlertLabels::from([
                (NAMESPACE.to_owned(), namespace.to_owned()),
                (TENANT.to_owned(), tenant.tenant.clone()),
            ]);
            samples.push(of(labels, &tenant.readings, kind));
        }
    }
    samples
}

fn of_signal(inputs: &Inputs<'_>, signal: &str) -> Result<Sample, String> {
    if let Some(why) = inputs.signal_errors.get(signal) {
        return Err(why.clone());
    }
    // A signal's window is in its query, so that every snapshot holds the same.
    let value = inputs.snapshots.values().find_map(|snapshot| snapshot.signals.get(signal));
    Ok(match value {
        Some(Some(value)) => Sample::exact(AlertLabels::new(), *value),
        Some(None) => {
            Sample::missing(AlertLabels::new(), format!("the query of the signal {signal:?} gave nothing"))
        }
        None => Sample::missing(
            AlertLabels::new(),
            format!("the signal {signal:?} is not asked for: add a Prometheus to the deployment"),
        ),
    })
}

/// 1 where the cache answers, 0 where it does not.
fn reachable(inputs: &Inputs<'_>) -> Sample {
    let told = |value, remark: &str| Sample {
        remark: remark.to_owned(),
        ..Sample::exact(AlertLabels::new(), value)
    };
    match &inputs.reachable {
        Some(Ok(())) => return told(1.0, ""),
        Some(Err(why)) => return told(0.0, why),
        None => {}
    }
    let info = inputs
        .snapshots
        .values()
        .next_back()
        .and_then(|snapshot| snapshot.sources.iter().find(|status| status.source == SourceId::Info));
    match info {
        Some(status) => match status.health {
            SourceHealth::Ok | SourceHealth::Partial => told(1.0, ""),
            SourceHealth::Failed => told(0.0, &status.detail),
            SourceHealth::Starting | SourceHealth::Off | SourceHealth::Unavailable => {
                Sample::missing(AlertLabels::new(), format!("INFO is not asked for: {}", status.detail))
            }
        },
        None => Sample::missing(AlertLabels::new(), "no Redis server is connected"),
    }
}
