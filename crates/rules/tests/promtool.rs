//! Exported rules against promtool, Prometheus's own tool: it accepts every one, and over generated series its
//! states are those of the replay at every evaluation.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cachescope_model::alert::AlertState;
use cachescope_model::strategy::{Strategy, Subject};
use cachescope_rules::promql::expr::quoted;
use cachescope_rules::{Replayed, export, replay, series};
use cachescope_strategy::{BUILT_IN, built_in, parse};
use support::generate::{Random, series_of};
use support::promtool;

/// A strategy whose rules have what the documented ones lack: `keep_firing_for`, minimum lookups, `>=` and `<=`,
/// figures of the server, and signals that lie exactly on their threshold.
const SHARP: &str = r#"
name = "sharp"
title = "Every kind of rule"

[[namespace]]
name = "session"
template = "session:{token}"
ttl = "1h"
metric_labels = ["session", "token"]

[[layer]]
name = "memory"
kind = "memory"
metric_label = "memory"

[metrics]
hits = "cache_hits_total"
misses = "cache_misses_total"
latency = "cache_latency_ms"
latency_unit = "milliseconds"
layer_label = "layer"
redis_layer = "redis"
namespace_label = "type"
matchers = { job = "api" }

[[signal]]
name = "load"
promql = "max(load_ratio)"
unit = "count"

[[signal]]
name = "several"
promql = "load_ratio"
unit = "count"

[[signal]]
name = "mean"
promql = "avg by (job) (load_ratio) * 2 - 1"
unit = "count"

[[rule]]
name = "Above"
signal = "load"
above = 0.5
for = "1m"
summary = "load"

[[rule]]
name = "AtLeast"
signal = "load"
at_least = 0.5
for = "90s"
keep_firing_for = "2m"
summary = "load"

[[rule]]
name = "AtMost"
signal = "several"
at_most = 0.5
keep_firing_for = "30s"
summary = "load"

[[rule]]
name = "Mean"
signal = "mean"
below = 0
for = "2m"
keep_firing_for = "1m"
summary = "load"

[[rule]]
name = "Sessions"
reading = "hit_rate"
namespaces = ["session"]
below = 0.8
for = "1m"
keep_firing_for = "1m"
minimum_lookups = 20
summary = "sessions"

[[rule]]
name = "Memory"
reading = "miss_rate"
layer = "memory"
above = 0.5
window = "5m"
summary = "in-process"

[[rule]]
name = "P99"
reading = "latency_p99_seconds"
above = "10ms"
for = "1m"
summary = "latency"

[[rule]]
name = "MemoryShare"
reading = "memory_ratio"
above = 0.9
summary = "memory"

[[rule]]
name = "Evictions"
reading = "eviction_ratio"
above = 0.1
for = "30s"
summary = "evictions"

[[rule]]
name = "Unreachable"
reading = "reachable"
below = 1
for = "1m"
summary = "gone"
"#;

fn strategies() -> Vec<Strategy> {
    let own = parse("sharp.toml", SHARP).expect("the test's own strategy is right");
    BUILT_IN.iter().map(|file| built_in(file.name).expect("it is built in")).chain([own]).collect()
}

#[test]
fn promtool_accepts_every_exported_rule() {
    let folder = tempfile::tempdir().expect("a folder");
    for strategy in strategies() {
        let export = export(&strategy);
        assert!(!export.rules.is_empty(), "{}: nothing is exported", strategy.name);
        let file = folder.path().join(format!("{}.yml", strategy.name));
        std::fs::write(&file, export.yaml()).expect("the folder is writable");
        let answer = promtool(&["check", "rules", &file.display().to_string()]);
        assert!(answer.passed, "{}: {}\n{}", strategy.name, answer.text, export.yaml());
        let found = format!("{} rules found", export.rules.len());
        assert!(answer.text.contains(&found), "{}: {} instead of {found}", strategy.name, answer.text);
        let named: Vec<&str> = export.left_out.iter().map(|left| left.rule.as_str()).collect();
        for rule in &strategy.rules {
            let written = export.rules.iter().any(|written| written.alert == rule.name);
            assert!(
                written != named.contains(&rule.name.as_str()),
                "{} is neither exported nor named",
                rule.name
            );
        }
    }
}

/// The same with thresholds a breath higher where what is judged is a sum over many series. Prometheus adds series up
/// in an order that differs from run to run (they come out of a map), so that such a sum that lies exactly on its
/// threshold is above or below it by chance. Sums of two don't depend on the order: those stay on their thresholds.
fn off_the_edge(mut strategy: Strategy) -> Strategy {
    for rule in &mut strategy.rules {
        if let (Subject::Instance { .. } | Subject::Layer { .. }, Some(threshold)) =
            (&rule.subject, &mut rule.threshold)
        {
            threshold.value *= 1.0 + 1e-9;
        }
    }
    strategy
}

/// Series of one strategy at one interval, with what the replay says of them.
struct Case {
    interval: Duration,
    series: Vec<(String, String)>,
    evaluations: Vec<i64>,
    alerts: Vec<Replayed>,
}

fn cases(strategy: &Strategy, evaluation: Duration, number: u64) -> Vec<Case> {
    let export = export(strategy);
    (0..number)
        .map(|seed| {
            let mut random = Random::new(seed * 7919 + evaluation.as_secs());
            let intervals = [evaluation, evaluation / 3, evaluation * 2];
            let interval = intervals[random.below(3)];
            let length = 40 + random.below(20);
            let series = series_of(strategy, &mut random, length);
            let text = document(evaluation, interval, &series);
            let file = series::read(&text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
            let replay = replay(&export.rules, &file.tests[0], evaluation);
            assert_eq!(replay.left_out, [], "every exported rule of {} can be replayed", strategy.name);
            assert_eq!(replay.failed, []);
            let last = file.tests[0].until.as_secs() / evaluation.as_secs();
            let evaluations = (0..=last).map(|n| (n * evaluation.as_secs()).cast_signed()).collect();
            Case { interval, series, evaluations, alerts: replay.alerts }
        })
        .collect()
}

fn document(evaluation: Duration, interval: Duration, series: &[(String, String)]) -> String {
    let mut text =
        format!("evaluation_interval: {}s\ninterval: {}s\n", evaluation.as_secs(), interval.as_secs());
    text.push_str(&input_series(series, ""));
    text
}

fn input_series(series: &[(String, String)], indent: &str) -> String {
    let mut text = format!("{indent}input_series:\n");
    for (name, values) in series {
        writeln!(text, "{indent}  - series: '{name}'\n{indent}    values: '{values}'")
            .expect("text takes text");
    }
    text
}

/// promtool's unit tests that hold where its alerts are those of the replay at every evaluation.
fn unit_tests(rules: &str, evaluation: Duration, cases: &[Case]) -> String {
    let mut text = format!("rule_files: [{rules}]\nevaluation_interval: {}s\ntests:\n", evaluation.as_secs());
    for (number, case) in cases.iter().enumerate() {
        writeln!(text, "  - name: case {number}\n    interval: {}s", case.interval.as_secs())
            .expect("text takes text");
        text.push_str(&input_series(&case.series, "    "));
        text.push_str("    promql_expr_test:\n");
        for at in &case.evaluations {
            writeln!(text, "      - expr: ALERTS\n        eval_time: {at}s\n        exp_samples:")
                .expect("text takes text");
            for alert in case.alerts.iter().filter(|alert| alert.at == *at as f64) {
                let state = if alert.state == AlertState::Firing { "firing" } else { "pending" };
                let mut labels: BTreeMap<String, String> = alert.labels.clone();
                labels.insert("alertname".to_owned(), alert.rule.clone());
                labels.insert("alertstate".to_owned(), state.to_owned());
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
                writeln!(text, "          - labels: 'ALERTS{{{}}}'\n            value: 1", labels.join(","))
                    .expect("text takes text");
            }
        }
    }
    text
}

#[test]
fn over_generated_series_the_replayed_states_are_promtools_at_every_evaluation() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut series, mut evaluations, mut pending, mut firing) = (0, 0, 0, 0);
    let mut rules_seen = BTreeMap::new();
    for (place, strategy) in strategies().into_iter().map(off_the_edge).enumerate() {
        let rules = format!("{}.yml", strategy.name);
        std::fs::write(folder.path().join(&rules), export(&strategy).yaml()).expect("the folder is writable");
        let evaluation = Duration::from_secs([30, 60, 15][place % 3]);
        let cases = cases(&strategy, evaluation, if strategy.name == "sharp" { 40 } else { 12 });
        for case in &cases {
            series += case.series.len();
            evaluations += case.evaluations.len();
            for alert in &case.alerts {
                let counts: &mut (usize, usize) =
                    rules_seen.entry(format!("{} {}", strategy.name, alert.rule)).or_default();
                match alert.state {
                    AlertState::Firing => (firing, counts.1) = (firing + 1, counts.1 + 1),
                    _ => (pending, counts.0) = (pending + 1, counts.0 + 1),
                }
            }
        }
        let file = folder.path().join(format!("{}-test.yml", strategy.name));
        std::fs::write(&file, unit_tests(&rules, evaluation, &cases)).expect("the folder is writable");
        let answer = promtool(&["test", "rules", &file.display().to_string()]);
        assert!(answer.passed, "{}: {}", strategy.name, answer.text.chars().take(4_000).collect::<String>());
    }
    eprintln!(
        "{series} series, {evaluations} evaluations, {pending} pending and {firing} firing alerts compared"
    );
    assert!(series >= 300, "only {series} series were compared");
    assert!(pending > 500 && firing > 500, "{pending} pending, {firing} firing");
    for strategy in strategies() {
        for rule in export(&strategy).rules {
            let key = format!("{} {}", strategy.name, rule.alert);
            assert!(
                rules_seen.get(&key).is_some_and(|(_, firing)| *firing > 0),
                "{key} never fired in any case"
            );
        }
    }
}

#[test]
fn promtool_would_notice_a_state_that_differs() {
    let strategy = parse("sharp.toml", SHARP).expect("the test's own strategy is right");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sharp.yml"), export(&strategy).yaml())
        .expect("the folder is writable");
    let evaluation = Duration::from_secs(15);
    let mut cases = cases(&strategy, evaluation, 1);
    let changed =
        cases[0].alerts.iter_mut().find(|alert| alert.state == AlertState::Firing).expect("something fires");
    changed.state = AlertState::Pending;
    let file = folder.path().join("test.yml");
    std::fs::write(&file, unit_tests("sharp.yml", evaluation, &cases)).expect("the folder is writable");
    assert!(!promtool(&["test", "rules", &file.display().to_string()]).passed);
}
