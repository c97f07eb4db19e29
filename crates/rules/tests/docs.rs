//! docs/rules.md is held to the files: every rule of every built-in strategy stands there as it is.

use std::fmt::Write as _;
use std::path::PathBuf;

use cachescope_model::duration;
use cachescope_model::reading_kind::{ReadingKind, Unit};
use cachescope_model::strategy::{Rule, Strategy, Subject};
use cachescope_rules::export;
use cachescope_rules::written::severity_name;
use cachescope_strategy::{BUILT_IN, built_in};

const START: &str = "<!-- made from strategies/*.toml -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_table_of_rules_is_that_of_the_files() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    let old = std::fs::read_to_string(&page).expect("docs/rules.md is there");
    let from = old.find(START).expect("the table's beginning is marked") + START.len();
    let to = from + old[from..].find(END).expect("the table's end is marked");
    let mut new = old.clone();
    new.replace_range(from..to, &tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &new).expect("docs/rules.md is writable");
        return;
    }
    assert!(
        old == new,
        "docs/rules.md is older than the files; run UPDATE_DOCS=1 cargo test -p cachescope-rules --test docs"
    );
}

fn tables() -> String {
    let mut text = String::new();
    for file in BUILT_IN {
        let strategy = built_in(file.name).expect("it is built in");
        let exported = export(&strategy);
        write!(
            text,
            "\n### {}: \"{}\"\n\n| the document says | rule | judges | threshold | for | severity | documented action | in Prometheus |\n\
             |---|---|---|---|---|---|---|---|\n",
            strategy.name, strategy.title
        )
        .expect("text takes text");
        for rule in &strategy.rules {
            let count = exported.rules.iter().filter(|written| written.alert == rule.name).count();
            let left_out = exported.left_out.iter().find(|left| left.rule == rule.name);
            let there = match (count, left_out) {
                (_, Some(left)) => format!("no: {}", left.reason),
                (1, None) => "yes".to_owned(),
                (several, None) => format!("{several} rules"),
            };
            let least = match rule.minimum_lookups {
                0 => String::new(),
                least => format!(", with {least} lookups or more"),
            };
            let cells = [
                rule.documented.clone(),
                format!("`{}`", rule.name),
                format!("{} over {} s{least}", judges(&rule.subject), rule.window.seconds()),
                threshold(&strategy, rule),
                duration::format(rule.for_duration),
                severity_name(rule.severity).to_owned(),
                rule.action.clone(),
                there,
            ];
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            writeln!(text, "| {} |", cells.join(" | ")).expect("text takes text");
        }
    }
    text.push('\n');
    text
}

fn judges(subject: &Subject) -> String {
    let reading = |kind: &ReadingKind| kind.spec().title.to_lowercase();
    match subject {
        Subject::Instance { reading: kind } => reading(kind),
        Subject::Namespaces { namespaces, reading: kind } => {
            format!("{} of {}", reading(kind), namespaces.join(", "))
        }
        Subject::Signal { signal } => format!("signal {signal}"),
        Subject::Reachable => "whether the cache answers".to_owned(),
        other => format!("{other:?}"),
    }
}

fn threshold(strategy: &Strategy, rule: &Rule) -> String {
    let Some(threshold) = rule.threshold else { return String::new() };
    let unit = match &rule.subject {
        Subject::Signal { signal } => strategy.signal(signal).map(|signal| signal.unit),
        other => other.reading().map(|reading| reading.spec().unit),
    };
    let value = match unit {
        Some(Unit::Ratio) => format!("{} %", (threshold.value * 1e4).round() / 1e2),
        Some(Unit::Seconds) => format!("{} ms", threshold.value * 1e3),
        _ => threshold.value.to_string(),
    };
    format!("{} {value}", threshold.comparison.sign())
}
