//! `cachescope events`: what a server announces, and changing that until it is restored.

use std::sync::Arc;

use cachescope_app::custody::Guarded;
use cachescope_app::prices;
use cachescope_app::session::{ScanPlan, Session, SessionPlan};
use cachescope_model::deployment::Environment;
use cachescope_sources::redis::settings::ChangePlan;
use serde_json::json;

use crate::arguments::{Common, EventsCommand, Target};
use crate::failure::Failure;
use crate::{custody, deployment, output};

pub(crate) async fn run(command: EventsCommand, common: &Common) -> Result<(), Failure> {
    match command {
        EventsCommand::Show(command) => show(&command.target, common).await,
        EventsCommand::Enable(command) => enable(&command.target, common, command.yes).await,
        EventsCommand::Restore(command) => restore(&command.target, common).await,
    }
}

/// A session without sources: it knows the servers and asks nothing by itself.
async fn session(target: &Target, common: &Common) -> Result<Arc<Session>, Failure> {
    let mut plan: SessionPlan = deployment::plan(target, common, Some(&[]), ScanPlan::default()).await?;
    if plan.deployment.redis_url.is_none() {
        return Err(Failure::input("events are a Redis's: give its address with --redis"));
    }
    plan.custody = Some(custody::open(common).await?);
    Ok(Session::start(plan))
}

async fn show(target: &Target, common: &Common) -> Result<(), Failure> {
    let session = session(target, common).await?;
    let plans = session.preview(Guarded::Events).await?;
    print(&plans, "Would be set", common)
}

async fn enable(target: &Target, common: &Common, yes: bool) -> Result<(), Failure> {
    let session = session(target, common).await?;
    let plans = session.preview(Guarded::Events).await?;
    if plans.iter().any(|plan| !plan.is_empty()) {
        let production = session.deployment().environment() == Environment::Production;
        if production && !yes {
            let price = prices::of_change(Guarded::Events, &plans, None);
            return Err(Failure::input(format!(
                "nothing was changed: an unset --environment counts as production, where {} needs --yes",
                price.commands.join("; ")
            )));
        }
        session.enable_events_for_good(&plans).await?;
    }
    print(&plans, "Set", common)
}

async fn restore(target: &Target, common: &Common) -> Result<(), Failure> {
    let session = session(target, common).await?;
    let outcomes = session.restore_events_for_good().await?;
    if outcomes.is_empty() {
        return Err(Failure::check(
            "no change of this server's events is recorded in this state directory, so nothing was put back",
        ));
    }
    if common.json {
        return output::json(&json!({ "settings": outcomes }));
    }
    let lines =
        outcomes.iter().map(|outcome| format!("{} {}: {}\n", outcome.node, outcome.setting, outcome.outcome));
    output::text(&lines.collect::<String>())
}

fn print(plans: &[ChangePlan], verb: &str, common: &Common) -> Result<(), Failure> {
    let price = prices::of_change(Guarded::Events, plans, None);
    if common.json {
        return output::json(&price);
    }
    let mut text = format!("{}\n", price.sentence);
    for setting in &price.settings {
        text.push_str(&format!("\n{} {} is {:?}\n", setting.node, setting.setting, setting.current));
    }
    for command in &price.commands {
        text.push_str(&format!("{verb}: {command}\n"));
    }
    if !price.commands.is_empty() {
        text.push_str("To put it back: cachescope events restore, with the same --redis and --state-dir\n");
    }
    output::text(&text)
}
