//! Rule files in and out.

use cachescope_model::strategy::{Comparison, Strategy, Subject};
use cachescope_rules::{export, import, strategy_text};
use cachescope_strategy::{BUILT_IN, built_in, parse};

fn strategy(name: &str) -> Strategy {
    built_in(name).expect("it is built in")
}

#[test]
fn what_is_exported_comes_back_as_the_same_rules() {
    for file in BUILT_IN {
        let strategy = strategy(file.name);
        let export = export(&strategy);
        let import = import(&export.yaml(), &strategy).expect("our own file is right");
        assert_eq!(import.left_out, []);
        let left_out: Vec<&str> = export.left_out.iter().map(|left| left.rule.as_str()).collect();
        let rules: Vec<_> =
            strategy.rules.iter().filter(|rule| !left_out.contains(&rule.name.as_str())).cloned().collect();
        for (imported, rule) in import.rules.iter().zip(&rules) {
            assert_eq!(imported.rule, *rule, "{}", file.name);
            assert!(imported.mapped, "{}", rule.name);
            assert_eq!(imported.remarks, Vec::<String>::new(), "{}", rule.name);
        }
        assert_eq!(import.rules.len(), rules.len());
        let text: String = file.text.split("[[rule]]").next().expect("a text has a beginning").to_owned();
        let again = format!("{text}\n{}", strategy_text(import.rules.iter().map(|it| &it.rule), &strategy));
        let ending = "\n[health]\npath = \"/h\"\n";
        let again = parse("again.toml", &(again + ending)).map(|strategy| strategy.rules);
        match again {
            Ok(again) => assert_eq!(again, rules, "{}", file.name),
            // Plans stand below the rules in a file, so that this cut-off one lacks them.
            Err(error) => assert!(error.to_string().contains("there is no"), "{error}"),
        }
    }
}

const MIXED: &str = r#"
groups:
  - name: shop
    interval: 30s
    rules:
      - record: job:up
        expr: sum(up)
      - alert: Mapped
        expr: sum(rate(cache_hits_total{layer="redis"}[5m]))/(sum(rate(cache_hits_total{layer='redis'}[5m])) + sum(rate(cache_misses_total{layer="redis"}[5m]))) <= 0.75
        for: 10m
        labels: { severity: page, team: shop }
        annotations: { summary: "It's low", dashboard: "https://x" }
      - alert: Split
        expr: max(up{job="shop"}) < 1
      - alert: Kept
        expr: absent(up{job="shop"}) or on() vector(0) > 5
      - alert: BadDuration
        expr: up == 0
        for: "-1"
      - alert: NotANumber
        expr: up > NaN
      - alert: NoExpression
      - expr: up
      - alert: TooFine
        expr: histogram_quantile(0.99, sum by (le) (rate(cache_latency_seconds_bucket{layer="redis",operation="get"}[1m]))) > 0.00005
      - alert: Split
        expr: min(up) < 1
"#;

#[test]
fn what_can_be_mapped_is_mapped_the_rest_is_promql_and_nothing_is_lost_silently() {
    let import = import(MIXED, &strategy("multi-tenant-saas")).expect("the file as a whole is right");
    let rule =
        |name: &str| import.rules.iter().find(|it| it.rule.name == name).unwrap_or_else(|| panic!("{name}"));
    let mapped = rule("Mapped");
    assert!(mapped.mapped);
    assert!(matches!(mapped.rule.subject, Subject::Instance { .. }));
    assert_eq!(mapped.rule.window.seconds(), 300);
    assert_eq!(mapped.rule.threshold.map(|it| (it.comparison, it.value)), Some((Comparison::AtMost, 0.75)));
    assert_eq!(
        mapped.remarks,
        [
            "the label team is not kept",
            "the annotation dashboard is not kept",
            "`interval` of its group is not kept"
        ]
    );
    let promql = |name: &str| match &rule(name).rule.subject {
        Subject::Promql { expr } => (expr.clone(), rule(name).rule.threshold.map(|it| it.value)),
        other => panic!("{name} is {other:?}"),
    };
    assert_eq!(promql("Split"), ("max(up{job=\"shop\"})".to_owned(), Some(1.0)));
    assert_eq!(promql("Split2").0, "min(up)");
    assert_eq!(promql("Kept"), ("absent(up{job=\"shop\"}) or on() vector(0) > 5".to_owned(), None));
    assert_eq!(promql("TooFine").1, Some(0.00005), "a strategy file writes whole milliseconds");
    let left_out: Vec<String> =
        import.left_out.iter().map(|left| format!("{}: {}", left.rule, left.reason)).collect();
    assert_eq!(
        left_out,
        [
            "job:up: line 6: a recording rule; it stays on the Prometheus server",
            "BadDuration: line 19: `for`: \"-1\" is not a duration: write a number with ms, s, m, h, d, w or y, such as \
             30s, 15m or 1h30m",
            "NotANumber: line 21: the threshold is NaN, which nothing is ever past; write a number",
            "NoExpression: line 22: it has no expression; write expr: …",
            "line 23: line 23: it has no name; write alert: NAME",
        ]
    );
    let text = strategy_text(import.rules.iter().map(|it| &it.rule), &strategy("multi-tenant-saas"));
    let whole = format!(
        "name = \"shop\"\ntitle = \"Shop\"\n[[namespace]]\nname = \"a\"\ntemplate = \"a:{{id}}\"\nttl = \"1m\"\n\n{text}"
    );
    let read = parse("shop.toml", &whole).expect("what is written can be read");
    let rules: Vec<_> = import.rules.iter().map(|it| it.rule.clone()).collect();
    assert_eq!(read.rules, rules);
}

#[test]
fn a_file_that_is_none_is_refused_in_one_sentence() {
    let strategy = strategy("booking");
    for (text, said) in [
        ("groups: [", "the file is no YAML"),
        ("- a\n- b", "there is no `groups`"),
        ("groups: 5", "`groups` is no list"),
        ("a: 1\n\tb: 2", "the file is no YAML"),
        ("a: 1", "there is no `groups`"),
    ] {
        let error = import(text, &strategy).expect_err(said).to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{said}: {error}");
    }
    assert_eq!(import("", &strategy).map(|import| import.rules.len()), Ok(0));
    let large = format!("groups: # {}", "x".repeat(50 << 20));
    let error = import(&large, &strategy).expect_err("50 MB").to_string();
    assert_eq!(error, "line 1: the file has 50 MB; files up to 16 MB are read");
}
