//! `cachescope rules`, run as a user would: what it prints, and how it fails.

use std::path::Path;

use anyhow::{Context, Result};
use cachescope_lab::servers::{PrometheusOptions, PrometheusServer};
use cachescope_tests::command;
use serde_json::Value;

const SERIES: &str = "evaluation_interval: 1m
input_series:
  - series: 'cache_hits_total{layer=\"redis\",type=\"services\"}'
    values: '0+90x4 360+10x5 _ 500'
  - series: 'cache_misses_total{layer=\"redis\",type=\"services\"}'
    values: '0+10x4 40+90x5 _ 500'
";

fn file(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[tokio::test]
async fn an_exported_file_is_accepted_by_promtool_and_comes_back_as_strategy_lines() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = command::run(&["rules", "export", "--strategy", "booking"]).await?;
    assert!(output.status.success());
    let rules = file(folder.path(), "rules.yml", &String::from_utf8(output.stdout)?)?;
    let checked = std::process::Command::new("promtool").args(["check", "rules", &rules]).output()?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let imported = command::json(&["rules", "import", &rules, "--strategy", "booking"]).await?;
    assert_eq!(imported["rules"][0]["kept_as"], "mapped");
    let lines = imported["strategy_lines"].as_str().context("it has lines")?;
    assert!(
        lines.contains("name = \"HitRateBelowTarget\"\nreading = \"hit_rate\"\nbelow = 0.8\n"),
        "{lines}"
    );
    Ok(())
}

#[tokio::test]
async fn a_replay_says_a_line_or_an_element_for_each_alert_at_each_evaluation() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let series = file(folder.path(), "series.yml", SERIES)?;
    let arguments = ["rules", "replay", "--strategy", "booking", "--series", &series];
    let output = command::run(&arguments).await?;
    let lines: Vec<Value> =
        String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let all = command::json(&arguments).await?;
    assert_eq!(all.as_array().context("an array")?, &lines);
    let at: Vec<f64> = lines.iter().filter_map(|line| line["at"].as_f64()).collect();
    assert_eq!(at, [360.0, 420.0, 480.0, 540.0, 600.0]);
    let first = serde_json::json!({
        "at": 360.0, "rule": "HitRateBelowTarget", "labels": { "severity": "warning", "strategy": "booking" },
        "state": "firing",
    });
    assert_eq!(lines[0], first);
    Ok(())
}

#[tokio::test]
async fn a_backtest_over_series_says_when_and_what_other_thresholds_would_have_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let series = file(folder.path(), "series.yml", SERIES)?;
    let arguments =
        ["rules", "backtest", "--strategy", "booking", "--series", &series, "--rule", "HitRateBelowTarget"];
    let tested = command::json(&arguments).await?;
    let tried = tested["rules"][0]["tried"].as_array().context("thresholds were tried")?;
    assert_eq!(
        (&tried[0]["own"], &tried[0]["fired"], &tried[0]["seconds"]),
        (&true.into(), &1.into(), &300.0.into())
    );
    assert_eq!(tried.len(), 7);
    let other = [arguments.as_slice(), &["--threshold", "0.05"]].concat();
    let tested = command::json(&other).await?;
    assert_eq!(tested["rules"][0]["tried"][0]["fired"], 0);
    Ok(())
}

/// A service that counts 90 hits of 100 lookups until now, and 10 from now on, as a Prometheus records it.
fn falling(from_seconds: u64) -> String {
    let counter = |name: &str, before: u64, after: u64| {
        format!(
            "  - record: {name}\n    labels: {{layer: redis, type: services}}\n    expr: vector(time() - {from_seconds}) * \
             {before} + clamp_min(vector(time() - {from_seconds} - 20), 0) * ({after} - {before})\n"
        )
    };
    let (hits, misses) = (counter("cache_hits_total", 90, 10), counter("cache_misses_total", 10, 90));
    format!("groups:\n- name: service\n  interval: 1s\n  rules:\n{hits}{misses}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_on_a_running_prometheus_says_when_the_rule_would_have_fired() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../strategies/booking.toml"))?;
    let quick = text.replace(
        "name = \"HitRateBelowTarget\"\n",
        "name = \"HitRateBelowTarget\"\nwindow = \"10s\"\nminimum_lookups = 100\n",
    );
    assert_ne!(quick, text, "the rule is there");
    let strategy = file(folder.path(), "booking.toml", &quick)?;
    let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let options = PrometheusOptions { rules: vec![falling(began)], ..PrometheusOptions::default() };
    let server = PrometheusServer::start(options).await?;
    let (url, from) = (server.url(), began.to_string());
    let arguments = [
        "rules",
        "backtest",
        "--strategy",
        &strategy,
        "--prometheus",
        &url,
        "--from",
        &from,
        "--interval",
        "1s",
        "--rule",
        "HitRateBelowTarget",
    ];
    // The hit rate falls twenty seconds after the beginning, and over ten seconds passes 80 % soon after.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    let tried = loop {
        let tested = command::json(&arguments).await?;
        let own = tested["rules"][0]["tried"][0].clone();
        if own["seconds"].as_f64().is_some_and(|seconds| seconds >= 5.0) {
            break tested["rules"][0]["tried"].clone();
        }
        anyhow::ensure!(std::time::Instant::now() < deadline, "it never fired: {tested}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    let own = &tried[0];
    assert_eq!((&own["own"], &own["fired"]), (&true.into(), &1.into()), "{own}");
    // What would never have fired, and what would have: thresholds around the rule's own.
    let other = [arguments.as_slice(), &["--threshold", "0.05"]].concat();
    let strict = command::json(&other).await?;
    assert_eq!(strict["rules"][0]["tried"][0]["fired"], 0, "{strict}");
    Ok(())
}

#[tokio::test]
async fn bad_input_is_one_clear_sentence_and_its_exit_status() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| file(folder.path(), name, text);
    let bad_value = write("value.yml", "input_series:\n  - series: m\n    values: '1 2 three'\n")?;
    let no_yaml = write("no.yml", "groups: [")?;
    let one_wrong = write(
        "wrong.yml",
        "groups:\n- rules:\n  - alert: A\n    expr: up < 1\n  - alert: B\n    expr: up < 1\n    for: -1\n",
    )?;
    let large = folder.path().join("large.yml");
    std::fs::File::create(&large)?.set_len(50 << 20)?;
    let large = large.display().to_string();
    let folder_itself = folder.path().display().to_string();
    for (arguments, status, said) in [
        (
            vec!["replay", "--series", &bad_value],
            2,
            "value.yml: line 3: the values of m: \"three\" is no value",
        ),
        (vec!["import", &no_yaml], 2, "the file is no YAML"),
        (vec!["import", &large], 2, "it has 50 MB; files up to 16 MB are read"),
        (vec!["import", &folder_itself], 2, "it is no file"),
        (vec!["import", &one_wrong], 1, "wrong.yml: one rule was not imported"),
        (vec!["backtest"], 2, "nothing is recorded to test on"),
        (
            vec!["backtest", "--prometheus", "http://127.0.0.1:1", "--from", "never"],
            2,
            "\"never\" is no time",
        ),
        (
            vec!["backtest", "--prometheus", "http://127.0.0.1:1", "--rule", "X"],
            2,
            "the strategy has no rule \"X\"",
        ),
        (vec!["backtest", "--prometheus", "http://127.0.0.1:1"], 3, "127.0.0.1:1"),
        (
            vec!["backtest", "--series", &bad_value, "--rule", "HitRateBelowTarget", "--threshold", "NaN"],
            2,
            "--threshold is not a number",
        ),
    ] {
        let all = [&["rules"], arguments.as_slice(), &["--strategy", "booking"]].concat();
        let output = command::run(&all).await?;
        let words = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(status), "{all:?}: {words}");
        let last = words.lines().last().unwrap_or_default();
        assert!(last.contains(said), "{all:?}: {words}");
    }
    Ok(())
}
