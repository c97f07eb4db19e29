//! A whole file: text in, strategy or problems out.

use cachescope_model::strategy::Strategy;
use toml::de::DeTable;

use crate::names::Names;
use crate::namespaces::Placed;
use crate::problem::{Problem, Report, Severity, StrategyError};
use crate::section::{Context, Section};
use crate::subjects::SignalUnits;
use crate::{actions, advice, layers, measured, namespaces, policies, sizing, value};

/// What reading a file gave.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The strategy; `None` where the file can't be used.
    pub strategy: Option<Strategy>,
    /// Everything that is wrong or doubtful, in the file's order.
    pub problems: Vec<Problem>,
}

/// Reads a strategy file's text. `file_name` is how messages name it.
///
/// # Errors
/// Every error of the file, each with file, line and remedy; warnings are left to [`check`].
pub fn parse(file_name: &str, text: &str) -> Result<Strategy, StrategyError> {
    let Checked { strategy, problems } = check(file_name, text);
    let errors = || problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    strategy.ok_or_else(|| StrategyError::Invalid { problems: errors() })
}

/// Reads a strategy file's text and says everything that is wrong or doubtful. `file_name` is how messages
/// name it.
#[must_use]
pub fn check(file_name: &str, text: &str) -> Checked {
    let report = Report::new(file_name, text);
    let (root, mistakes) = DeTable::parse_recoverable(text);
    let mut last_line = 0;
    for mistake in &mistakes {
        let line = report.line(mistake.span().map_or(0, |span| span.start.min(text.len())));
        if line != last_line {
            // What follows on the same line is mostly a consequence.
            report.error(line, "", format!("not TOML: {}; correct the line", mistake.message().trim()));
        }
        last_line = line;
    }
    if !mistakes.is_empty() {
        return Checked { strategy: None, problems: report.into_problems() };
    }
    let names = Names::default();
    let strategy = read(Context { report: &report, names: &names }, root.get_ref());
    names.compare(&report);
    let problems = report.into_problems();
    let usable = problems.iter().all(|problem| problem.severity != Severity::Error);
    Checked { strategy: usable.then_some(strategy), problems }
}

fn read<'a>(context: Context<'a>, root: &'a DeTable<'a>) -> Strategy {
    let top = Section::new(context, root, "", 1);
    let placed: Vec<Placed> = top.tables("namespace").into_iter().filter_map(namespaces::namespace).collect();
    let signals: Vec<_> = top.tables("signal").into_iter().map(measured::signal).collect();
    let units: SignalUnits = signals.iter().map(|signal| (signal.name.clone(), signal.unit)).collect();
    let mut strategy = Strategy {
        name: name(&top),
        title: top.required_text("title", "\"Caching strategy of the shop\""),
        summary: top.text_or_empty("summary"),
        namespaces: Vec::new(),
        metrics: top.table("metrics").map(measured::metrics),
        hit_rate_target: top.ratio("hit_rate_target"),
        document: top.table("document").map(policies::document).unwrap_or_default(),
        key_schema: top.text("key_schema"),
        hotspots: top.tables("hotspot").into_iter().map(policies::hotspot).collect(),
        data_classes: top.tables("data_class").into_iter().map(namespaces::data_class).collect(),
        layers: top.tables("layer").into_iter().filter_map(layers::layer).collect(),
        http: top.tables("http").into_iter().map(layers::http).collect(),
        client: top.tables("client").into_iter().map(layers::client).collect(),
        views: top.tables("view").into_iter().map(layers::view).collect(),
        targets: top.tables("target").into_iter().filter_map(|row| measured::target(row, &units)).collect(),
        criteria: top.texts("criteria"),
        rules: top.tables("rule").into_iter().filter_map(|row| measured::rule(row, &units)).collect(),
        signals,
        marks: top.tables("mark").into_iter().map(measured::mark).collect(),
        playbooks: top.tables("playbook").into_iter().map(|row| actions::playbook(row, &placed)).collect(),
        warm_plans: top.tables("warm").into_iter().filter_map(actions::warm).collect(),
        endpoints: top.tables("endpoint").into_iter().map(policies::endpoint).collect(),
        health: top.table("health").map(policies::health),
        sizing: top.table("sizing").map(sizing::sizing),
        redis: top.table("redis").map(sizing::redis).unwrap_or_default(),
        versioning: top.table("versioning").map(policies::versioning),
        tenant_isolation: top.table("tenant_isolation").map(policies::tenant_isolation),
        bypass: top.tables("bypass").into_iter().map(policies::bypass).collect(),
        never_cache: top.tables("never_cache").into_iter().map(policies::never_cache).collect(),
        stampede: top.table("stampede").map(policies::stampede),
        notes: top.texts("notes"),
    };
    if !top.has("namespace") {
        top.error(
            "",
            "there is no namespace; write [[namespace]] and below it name = \"…\" and template = \"…\"",
        );
    }
    let lines: Vec<usize> = placed.iter().map(|placed| placed.line).collect();
    strategy.namespaces = placed.into_iter().map(|placed| placed.namespace).collect();
    strategy.namespaces.shrink_to_fit();
    advice::check(context.report, &strategy, &lines);
    top.finish();
    strategy
}

fn name(top: &Section<'_>) -> String {
    if !top.has("name") {
        top.missing("name", "\"shop\", the short name of the strategy");
    }
    top.read("name", value::name).unwrap_or_default()
}
