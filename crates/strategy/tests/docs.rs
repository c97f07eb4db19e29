//! `docs/strategies.md` says what the files say: its example is a right file, its checklist names everything that
//! the built-in files hold and nothing else, and its tables of figures are made from the files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use cachescope_model::duration;
use cachescope_model::reading_kind::Unit;
use cachescope_model::strategy::{Strategy, Subject, Threshold};
use cachescope_strategy::{BUILT_IN, built_in, check};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/strategies.md")
}

fn text() -> String {
    std::fs::read_to_string(page()).expect("docs/strategies.md stands in the project")
}

/// The part of the page that belongs to one built-in strategy.
fn section<'t>(text: &'t str, name: &str) -> &'t str {
    let start = text.find(&format!("\n### {name}: ")).expect(name) + 1;
    let rest = &text[start..];
    rest[1..].find("\n### ").map_or(rest, |end| &rest[..end + 1])
}

/// Everything of a strategy that has a name, as the checklist writes it.
fn named(strategy: &Strategy) -> BTreeSet<String> {
    let names = |kind: &'static str, names: Vec<&String>| {
        names.into_iter().map(move |name| format!("{kind} {name}")).collect::<Vec<_>>()
    };
    [
        names("namespace", strategy.namespaces.iter().map(|it| &it.name).collect()),
        names("data_class", strategy.data_classes.iter().map(|it| &it.name).collect()),
        names("layer", strategy.layers.iter().map(|it| &it.name).collect()),
        names("http", strategy.http.iter().map(|it| &it.name).collect()),
        names("client", strategy.client.iter().map(|it| &it.name).collect()),
        names("view", strategy.views.iter().map(|it| &it.name).collect()),
        names("signal", strategy.signals.iter().map(|it| &it.name).collect()),
        names("target", strategy.targets.iter().map(|it| &it.name).collect()),
        names("rule", strategy.rules.iter().map(|it| &it.name).collect()),
        names("playbook", strategy.playbooks.iter().map(|it| &it.name).collect()),
        names("warm", strategy.warm_plans.iter().map(|it| &it.name).collect()),
        names("endpoint", strategy.endpoints.iter().map(|it| &it.name).collect()),
        names("bypass", strategy.bypass.iter().map(|it| &it.name).collect()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the right column of a checklist mentions: `kind name` and `[table]`.
fn mentioned(section: &str) -> BTreeSet<String> {
    let checklist = section.split("<!-- made from").next().unwrap_or_default();
    let rows = checklist.lines().filter(|line| line.starts_with('|'));
    rows.filter_map(|row| row.trim_end_matches('|').rsplit_once(" | "))
        .flat_map(|(_, place)| place.split('`').skip(1).step_by(2))
        .filter(|token| token.contains(' ') && !token.contains('/') || token.starts_with('['))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_example_of_the_format_is_a_right_file_and_shows_every_key() {
    let text = text();
    let example: String = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect::<Vec<_>>()
        .join("\n");
    let said: Vec<String> = check("the example", &example).problems.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
    for line in BUILT_IN.iter().flat_map(|strategy| strategy.text.lines()) {
        let is_key = |key: &&str| {
            !key.is_empty()
                && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && line.starts_with(*key)
        };
        if let Some(key) = line.split(" = ").next().filter(|_| line.contains(" = ")).filter(is_key) {
            assert!(
                example.lines().any(|shown| shown.starts_with(&format!("{key} = "))),
                "`{key}` is not shown"
            );
        }
    }
}

#[test]
fn the_checklist_mentions_everything_the_files_hold_and_nothing_else() {
    let text = text();
    for built in BUILT_IN {
        let strategy = built_in(built.name).expect("it is built in");
        let section = section(&text, built.name);
        assert!(
            section.starts_with(&format!("### {}: \"{}\"\n", built.name, strategy.title)),
            "{}",
            built.name
        );
        let (held, mentioned) = (named(&strategy), mentioned(section));
        let missing: Vec<_> = held.difference(&mentioned).collect();
        assert!(missing.is_empty(), "{}: the checklist does not mention {missing:?}", built.name);
        for token in &mentioned {
            let table =
                token.strip_prefix("[[").or(token.strip_prefix('[')).map(|rest| rest.trim_end_matches(']'));
            let there = match table {
                Some(table) => {
                    let header = |line: &str| line == format!("[{table}]") || line == format!("[[{table}]]");
                    built.text.lines().any(header)
                }
                None => held.contains(token),
            };
            assert!(there, "{}: the checklist mentions `{token}`, which the file has not", built.name);
        }
    }
}

#[test]
fn the_tables_of_figures_are_those_of_the_files() {
    let old = text();
    let mut new = old.clone();
    for built in BUILT_IN {
        let start = format!("<!-- made from {} -->\n", built.file);
        let from = new.find(&start).expect(built.file) + start.len();
        let to = from + new[from..].find("<!-- end -->").expect("the table's end is marked");
        new.replace_range(from..to, &figures(&built_in(built.name).expect("it is built in")));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page(), &new).expect("docs/strategies.md is writable");
        return;
    }
    let differ = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    assert!(
        old == new,
        "docs/strategies.md is older than the files, first at {differ:?}; run UPDATE_DOCS=1 cargo test -p \
         cachescope-strategy --test docs"
    );
}

/// The figures of a strategy as Markdown tables.
fn figures(strategy: &Strategy) -> String {
    let mut page = String::new();
    table(
        &mut page,
        "namespace | keys | TTL | hit rate | dropped on",
        strategy.namespaces.iter().map(|own| {
            let ttl = match (own.ttl, own.facts.ttl_max) {
                (Some(shortest), Some(longest)) => {
                    format!("{} to {}", duration::format(shortest), duration::format(longest))
                }
                (Some(ttl), None) => duration::format(ttl),
                (None, _) if own.facts.permanent => "for ever".to_owned(),
                (None, _) => String::new(),
            };
            let target = own.hit_rate_target.map(percent).unwrap_or_default();
            vec![own.name.clone(), format!("`{}`", own.template), ttl, target, own.invalidated_on.join(", ")]
        }),
    );
    table(
        &mut page,
        "rule | judges | threshold | for | severity | documented action",
        strategy.rules.iter().map(|rule| {
            vec![
                rule.name.clone(),
                subject(&rule.subject),
                rule.threshold.map_or_else(String::new, |limit| threshold(strategy, &rule.subject, limit)),
                duration::format(rule.for_duration),
                format!("{:?}", rule.severity).to_lowercase(),
                rule.action.clone(),
            ]
        }),
    );
    table(
        &mut page,
        "target | of | promise",
        strategy.targets.iter().map(|target| {
            vec![
                target.name.clone(),
                subject(&target.subject),
                threshold(strategy, &target.subject, target.goal),
            ]
        }),
    );
    table(
        &mut page,
        "signal | query",
        strategy.signals.iter().map(|signal| vec![signal.name.clone(), format!("`{}`", signal.promql)]),
    );
    table(
        &mut page,
        "playbook | set off by | steps",
        strategy.playbooks.iter().map(|playbook| {
            let steps = playbook.steps.iter().map(|step| step.action.to_string());
            vec![playbook.name.clone(), set_off(&playbook.triggers), steps.collect::<Vec<_>>().join("; ")]
        }),
    );
    table(
        &mut page,
        "warm plan | set off by | loads",
        strategy.warm_plans.iter().map(|plan| {
            let item = |item: &cachescope_model::strategy::WarmItem| match item.limit {
                Some(limit) => format!("{} (at most {limit})", item.what),
                None => item.what.clone(),
            };
            let items = plan.items.iter().map(item).collect::<Vec<_>>().join("; ");
            vec![plan.name.clone(), set_off(&plan.triggers), items]
        }),
    );
    table(
        &mut page,
        "headers | of | say",
        strategy.http.iter().map(|http| {
            let headers = http.headers.iter().map(|(name, value)| format!("`{name}: {value}`"));
            vec![http.name.clone(), http.what.clone(), headers.collect::<Vec<_>>().join(", ")]
        }),
    );
    table(
        &mut page,
        "sizing | entry | count | total",
        strategy.sizing.iter().flat_map(|sizing| {
            sizing.entries.iter().map(|row| {
                vec![row.what.clone(), bytes(row.entry_bytes), row.count.to_string(), bytes(row.total_bytes)]
            })
        }),
    );
    page.push('\n');
    page
}

fn table(page: &mut String, head: &str, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let dashes = "---|".repeat(head.split('|').count());
    write!(page, "\n| {head} |\n|{dashes}\n").expect("text takes text");
    for row in rows {
        let cells = row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | ");
        writeln!(page, "| {cells} |").expect("text takes text");
    }
}

fn subject(subject: &Subject) -> String {
    let reading = |kind: &cachescope_model::reading_kind::ReadingKind| kind.spec().title.to_lowercase();
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

fn threshold(strategy: &Strategy, subject: &Subject, threshold: Threshold) -> String {
    let unit = match subject {
        Subject::Signal { signal } => strategy.signal(signal).map(|signal| signal.unit),
        other => other.reading().map(|reading| reading.spec().unit),
    };
    let value = match unit {
        Some(Unit::Ratio) => percent(threshold.value),
        Some(Unit::Seconds) => format!("{} ms", threshold.value * 1e3),
        _ => threshold.value.to_string(),
    };
    format!("{} {value}", threshold.comparison.sign())
}

fn percent(ratio: f64) -> String {
    format!("{} %", (ratio * 1e4).round() / 1e2)
}

fn bytes(bytes: u64) -> String {
    match bytes {
        1_000_000.. => format!("{} MB", bytes as f64 / 1e6),
        1_000.. => format!("{} KB", bytes as f64 / 1e3),
        _ => format!("{bytes} B"),
    }
}

fn set_off(triggers: &[cachescope_model::strategy::Trigger]) -> String {
    if triggers.is_empty() {
        return "the operator".to_owned();
    }
    triggers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
