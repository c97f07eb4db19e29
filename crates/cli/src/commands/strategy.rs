//! `cachescope strategy`: list, show, check, adopt, audit.

mod adopt;
mod audit;

use cachescope_app::strategies;
use cachescope_model::duration;

use crate::arguments::{Common, StrategyCommand};
use crate::failure::Failure;
use crate::output;
use crate::table::{Align, Table};

pub(crate) async fn run(command: StrategyCommand, common: &Common) -> Result<(), Failure> {
    match command {
        StrategyCommand::List => list(common),
        StrategyCommand::Show { strategy } => show(strategy, common).await,
        StrategyCommand::Check { file } => check(file, common).await,
        StrategyCommand::Adopt(command) => adopt::run(command, common).await,
        StrategyCommand::Audit(command) => audit::run(command, common).await,
    }
}

fn list(common: &Common) -> Result<(), Failure> {
    let built_in = strategies::built_in();
    if common.json {
        output::json(&built_in)?;
        return Ok(());
    }
    let mut table =
        Table::new(&[("NAME", Align::Left), ("NAMESPACES", Align::Right), ("DOCUMENT", Align::Left)]);
    for strategy in built_in {
        table.row(vec![strategy.name, strategy.namespaces.to_string(), strategy.title]);
    }
    output::text(&table.render())?;
    Ok(())
}

async fn show(name: String, common: &Common) -> Result<(), Failure> {
    let strategy =
        strategies::resolve(name).await.map_err(|error| Failure::input(error.sentences().join(" / ")))?;
    if common.json {
        output::json(&strategy)?;
        return Ok(());
    }
    output::text(&format!("{} ({})\n{}\n\n", strategy.title, strategy.name, strategy.summary))?;
    let mut table = Table::new(&[
        ("NAMESPACE", Align::Left),
        ("TEMPLATE", Align::Left),
        ("TTL", Align::Right),
        ("TARGET", Align::Right),
        ("INVALIDATED ON", Align::Left),
    ]);
    for namespace in &strategy.namespaces {
        table.row(vec![
            namespace.name.clone(),
            namespace.template.to_string(),
            namespace.ttl.map(duration::format).unwrap_or_default(),
            namespace.hit_rate_target.map(|target| format!("> {} %", target * 100.0)).unwrap_or_default(),
            namespace.invalidated_on.join(", "),
        ]);
    }
    output::text(&table.render())?;
    if !strategy.rules.is_empty() {
        let mut table = Table::new(&[
            ("RULE", Align::Left),
            ("LIMIT", Align::Right),
            ("FOR", Align::Right),
            ("SUMMARY", Align::Left),
        ]);
        for rule in &strategy.rules {
            table.row(vec![
                rule.name.clone(),
                rule.threshold.map(|threshold| threshold.to_string()).unwrap_or_default(),
                duration::format(rule.for_duration),
                rule.summary.clone(),
            ]);
        }
        output::text(&format!("\n{}", table.render()))?;
    }
    for playbook in &strategy.playbooks {
        output::text(&format!("playbook {}: {}\n", playbook.name, playbook.title))?;
    }
    for plan in &strategy.warm_plans {
        output::text(&format!("warm plan {}: {}\n", plan.name, plan.title))?;
    }
    Ok(())
}

async fn check(file: String, common: &Common) -> Result<(), Failure> {
    let checked = strategies::check(file.clone()).await;
    if common.json {
        output::json(&checked)?;
    } else {
        for problem in &checked.problems {
            output::text(&format!("{problem}\n"))?;
        }
        if let Some(summary) = &checked.summary {
            output::text(&format!("{file}: fine, {} namespaces\n", summary.namespaces))?;
        }
    }
    if checked.summary.is_none() {
        return Err(Failure::check(format!("{file}: {} to mend", count(checked.problems.len()))));
    }
    Ok(())
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}
