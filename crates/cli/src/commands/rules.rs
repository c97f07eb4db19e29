//! `cachescope rules`: export, import, replay, backtest.

mod backtest;

use std::path::PathBuf;

use cachescope_app::{rule_files, strategies};
use cachescope_model::strategy::Strategy;
use cachescope_rules::{LeftOut, Problem, export, import, replay, series, strategy_text};
use serde_json::json;

use crate::arguments::{Common, RulesCommand};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(command: RulesCommand, common: &Common) -> Result<(), Failure> {
    match command {
        RulesCommand::Export { strategy } => export_rules(strategy, common).await,
        RulesCommand::Import { file, strategy } => import_rules(file, strategy, common).await,
        RulesCommand::Replay { strategy, series } => replay_rules(strategy, series, common).await,
        RulesCommand::Backtest(command) => backtest::run(*command, common).await,
    }
}

async fn named(strategy: String) -> Result<Strategy, Failure> {
    strategies::resolve(strategy).await.map_err(|error| Failure::input(error.sentences().join(" / ")))
}

/// A problem of a file, with the file's name.
fn in_file(file: &std::path::Path) -> impl Fn(Problem) -> Failure + '_ {
    move |problem| Failure::input(format!("{}: {problem}", file.display()))
}

/// Says on standard error what is not in the result.
fn say_left_out(what: &str, left_out: &[LeftOut]) {
    for LeftOut { rule, reason } in left_out {
        eprintln!("cachescope: {what} {rule}: {reason}");
    }
}

async fn export_rules(strategy: String, common: &Common) -> Result<(), Failure> {
    let exported = export(&named(strategy).await?);
    if common.json {
        let rules: Vec<_> = exported
            .rules
            .iter()
            .map(|rule| {
                json!({
                    "alert": rule.alert,
                    "expr": rule.condition().to_string(),
                    "for_seconds": rule.hold.as_secs_f64(),
                    "keep_firing_for_seconds": rule.keep_firing.as_secs_f64(),
                    "labels": rule.labels,
                    "annotations": rule.annotations.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                })
            })
            .collect();
        return output::json(&json!({
            "strategy": exported.strategy, "rules": rules, "not_exported": exported.left_out,
        }));
    }
    say_left_out("not exported:", &exported.left_out);
    output::text(&exported.yaml())
}

async fn import_rules(file: PathBuf, strategy: String, common: &Common) -> Result<(), Failure> {
    let strategy = named(strategy).await?;
    let text = rule_files::read(file.clone()).await?;
    let imported = import(&text, &strategy).map_err(in_file(&file))?;
    let lines = strategy_text(imported.rules.iter().map(|it| &it.rule), &strategy);
    let summaries: Vec<_> = imported.rules.iter().map(cachescope_rules::Imported::summary).collect();
    if common.json {
        output::json(
            &json!({ "rules": summaries, "not_imported": imported.left_out, "strategy_lines": lines }),
        )?;
    } else {
        output::text(&lines)?;
        for summary in &summaries {
            for remark in &summary.remarks {
                eprintln!("cachescope: {}: {remark}", summary.rule);
            }
        }
        say_left_out("not imported:", &imported.left_out);
    }
    match imported.left_out.len() {
        0 => Ok(()),
        1 => Err(Failure::check(format!("{}: one rule was not imported", file.display()))),
        more => Err(Failure::check(format!("{}: {more} rules were not imported", file.display()))),
    }
}

async fn replay_rules(strategy: String, file: PathBuf, common: &Common) -> Result<(), Failure> {
    let exported = export(&named(strategy).await?);
    let text = rule_files::read(file.clone()).await?;
    let read = series::read(&text).map_err(in_file(&file))?;
    say_left_out("not replayed:", &exported.left_out);
    let mut alerts = Vec::new();
    for (number, test) in read.tests.iter().enumerate() {
        let replayed = replay(&exported.rules, test, read.evaluation_interval);
        if number == 0 {
            say_left_out("not replayed:", &replayed.left_out);
        }
        say_left_out("an evaluation failed and left the alerts as they were:", &replayed.failed);
        let name = if test.name.is_empty() { (number + 1).to_string() } else { test.name.clone() };
        let test = (read.tests.len() > 1).then_some(name);
        alerts.extend(
            replayed
                .alerts
                .into_iter()
                .map(|alert| cachescope_rules::Replayed { test: test.clone(), ..alert }),
        );
    }
    if common.json {
        return output::json(&alerts);
    }
    let mut lines = String::new();
    for alert in &alerts {
        lines.push_str(&serde_json::to_string(alert)?);
        lines.push('\n');
    }
    output::text(&lines)
}
