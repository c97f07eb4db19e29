//! `cachescope check`: watch for a while, judge once, and tell scripts by the exit status.

use std::path::Path;
use std::time::Duration;

use cachescope_app::alerts::check::{Check as Judging, Checked, Outcome};
use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::strategy::Severity;
use serde::Serialize;

use super::junit;
use super::snapshot::{watch, window_for};
use crate::arguments::{Check, Common};
use crate::failure::Failure;
use crate::output;
use crate::table::{Align, Table};
use crate::{custody, deployment};

/// How long rules that are queries may wait for a first answer of the Prometheus after the watching.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// The document of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    deployment: &'a str,
    strategy: &'a str,
    watched_seconds: f64,
    honours_for: bool,
    firing: usize,
    rules: &'a [Checked],
}

pub(crate) async fn run(command: Check, common: &Common) -> Result<(), Failure> {
    let mut plan =
        deployment::plan(&command.target, common, command.sources.as_deref(), ScanPlan::default()).await?;
    plan.custody = custody::for_sources(&plan, common).await?;
    let session = Session::start(plan);
    let mut judging = Judging::begin(&session, window_for(command.watch_for), command.honour_for);
    let watched = {
        let mut watching = Box::pin(watch(&session, command.watch_for, common, false));
        let mut ticks = session.ticks();
        loop {
            tokio::select! {
                ended = &mut watching => break ended,
                ticked = ticks.changed() => match ticked {
                    Ok(()) => judging.look(&session),
                    // The session has ended: so does the watching, at once.
                    Err(_) => break watching.await,
                },
            }
        }
    };
    if let Err(failure) = watched {
        session.stop().await;
        return Err(failure);
    }
    let answered = async {
        let mut ticks = session.ticks();
        while !judging.is_answered() && ticks.changed().await.is_ok() {}
    };
    // Without an answer the rule says so itself.
    drop(tokio::time::timeout(ANSWER_PATIENCE, answered).await);
    let rules = judging.finish(&session);
    let name = session.deployment().name.clone();
    let strategy = session.strategy().name.clone();
    session.stop().await;
    if let Some(file) = &command.junit {
        write_junit(file, &name, &rules, command.watch_for).await?;
    }
    let failed: Vec<&Checked> =
        rules.iter().filter(|it| matches!(it.outcome, Outcome::Firing | Outcome::Error)).collect();
    if common.json {
        output::json(&Report {
            deployment: &name,
            strategy: &strategy,
            watched_seconds: command.watch_for.as_secs_f64(),
            honours_for: command.honour_for,
            firing: rules.iter().filter(|it| it.outcome == Outcome::Firing).count(),
            rules: &rules,
        })?;
    } else {
        output::text(&render(&rules))?;
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::check(sentence(failed))),
    }
}

fn sentence(failed: &[&Checked]) -> String {
    let names = |outcome: Outcome| {
        let of: Vec<&str> =
            failed.iter().filter(|it| it.outcome == outcome).map(|it| it.rule.as_str()).collect();
        of.join(", ")
    };
    let (firing, broken) = (names(Outcome::Firing), names(Outcome::Error));
    match (firing.as_str(), broken.as_str()) {
        (firing, "") => format!("firing: {firing}"),
        ("", broken) => format!("could not be judged: {broken}"),
        (firing, broken) => format!("firing: {firing}; could not be judged: {broken}"),
    }
}

async fn write_junit(file: &Path, name: &str, rules: &[Checked], watched: Duration) -> Result<(), Failure> {
    let xml = junit::document(name, rules, watched);
    tokio::fs::write(file, xml)
        .await
        .map_err(|error| Failure::input(format!("{} can't be written: {error}", file.display())))
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fine => "fine",
        Outcome::Pending => "pending",
        Outcome::NoData => "no data",
        Outcome::Error => "error",
        Outcome::Firing => "FIRING",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The rules as text: a table, and below it what is to be said.
fn render(rules: &[Checked]) -> String {
    let mut table = Table::new(&[
        ("STATE", Align::Left),
        ("SEVERITY", Align::Left),
        ("RULE", Align::Left),
        ("CONDITION", Align::Left),
    ]);
    for rule in rules {
        table.row(vec![
            word(rule.outcome).to_owned(),
            severity(rule.severity).to_owned(),
            rule.rule.clone(),
            rule.condition.clone(),
        ]);
    }
    let mut text = table.render();
    let mut say = |line: String| {
        text.push_str(&line.replace(|c: char| c.is_control(), " "));
        text.push('\n');
    };
    for rule in rules {
        for past in &rule.past {
            say(format!("{}: {}", rule.rule, past.sentence));
            if !past.reason.is_empty() {
                say(format!("{}: {}", rule.rule, past.reason));
            }
        }
        if rule.outcome == Outcome::Firing && !rule.action.is_empty() {
            say(format!("{}: the document says: {}", rule.rule, rule.action));
        }
        if matches!(rule.outcome, Outcome::Error | Outcome::NoData) && !rule.detail.is_empty() {
            say(format!("{}: {}", rule.rule, rule.detail));
        }
    }
    text
}
