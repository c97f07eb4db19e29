//! `cachescope purge`: the same desk as the window's, with tokens instead of clicks.

use std::sync::Arc;

use cachescope_actions::plan::{HowToRun, Plan};
use cachescope_actions::request::{Token, Tokens};
use cachescope_app::actions::{Desk, Endpoints};
use cachescope_app::session::Session;
use cachescope_app::wire::{ActionDraft, EndpointsDraft, UndoPart};
use cachescope_model::deployment::Environment;
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::desk::{desk, recall, remember, session};
use super::told::{preview_json, preview_text, told, until_ended};
use crate::arguments::Common;
use crate::failure::Failure;
use crate::purge_arguments::{Asking, How, Planned, Preview, PurgeCommand, Run, Undo, What};
use crate::table::{Align, Table};
use crate::{deployment, output};

/// Variables that may hold tokens of endpoints.
const APPLICATION_TOKEN: &str = "CACHESCOPE_APPLICATION_TOKEN";
const CDN_TOKEN: &str = "CACHESCOPE_CDN_TOKEN";

pub(crate) async fn run(command: PurgeCommand, common: &Common) -> Result<(), Failure> {
    match command {
        PurgeCommand::Plan(command) => plan(command, common).await,
        PurgeCommand::Preview(command) => preview(command, common).await,
        PurgeCommand::Run(command) => approved(command, common).await,
        PurgeCommand::Undo(command) => undo(command, common).await,
        PurgeCommand::List => list(common).await,
    }
}

fn draft(what: What) -> Result<ActionDraft, Failure> {
    let What { pattern, namespace, playbook, tag, keys, tenant, stale_below, parameters, soft, jitter } =
        what;
    if let Some(pattern) = pattern {
        return Ok(match soft {
            Some(ttl) => ActionDraft::Soften {
                pattern,
                ttl_seconds: ttl.as_secs_f64(),
                jitter_seconds: jitter.unwrap_or_default().as_secs_f64(),
            },
            None => ActionDraft::Pattern { pattern, database: None },
        });
    }
    if let Some(template) = namespace {
        return Ok(ActionDraft::Namespace { template, tenant, stale_below });
    }
    if let Some(name) = playbook {
        return Ok(ActionDraft::Playbook { name, parameters: parameters.into_iter().collect() });
    }
    match tag {
        Some(tag) => Ok(ActionDraft::Tag { tag }),
        None => Ok(ActionDraft::Keys { keys, database: 0 }),
    }
}

fn how(how: &How, environment: Environment) -> HowToRun {
    HowToRun { undo: !how.no_undo, ..how.gentleness.how(environment) }
}

/// Tokens of endpoints, as the environment has them: they came with this very command, for whomever it asks.
fn tokens() -> Tokens {
    let token = |name: &str| {
        let secret = std::env::var(name).ok().filter(|token| !token.is_empty())?;
        Some(Token { secret: SecretString::from(secret), origin: None })
    };
    Tokens { application: token(APPLICATION_TOKEN), cdn: token(CDN_TOKEN) }
}

async fn planned(
    desk: &Desk,
    session: &Session,
    what: What,
    typed: &How,
    asking: &Asking,
) -> Result<Plan, Failure> {
    let how = how(typed, session.deployment().environment());
    let typed = |text: &Option<String>| text.clone().unwrap_or_default();
    let tokens = tokens();
    let endpoints = Endpoints::of_draft(&EndpointsDraft {
        application_url: typed(&asking.application),
        application_private: asking.private_addresses,
        cdn_url: typed(&asking.cdn),
        cdn_method: typed(&asking.cdn_method),
        cdn_body: typed(&asking.cdn_body),
        cdn_private: asking.private_addresses,
        ..EndpointsDraft::default()
    });
    let endpoints = endpoints.map_err(cachescope_app::wire::WireError::from)?.with_tokens(&tokens);
    desk.set_endpoints(&session.deployment().id, endpoints, tokens);
    Ok(desk.plan(session, &draft(what)?, Some(how)).await?)
}

async fn plan(command: Planned, common: &Common) -> Result<(), Failure> {
    let (desk, _) = desk(common).await?;
    let session = session(&command.target, common, false).await?;
    let plan = planned(&desk, &session, command.what, &command.how, &command.asking).await?;
    tell_plan(&plan, common)
}

/// Prints a plan with its hash.
pub(super) fn tell_plan(plan: &Plan, common: &Common) -> Result<(), Failure> {
    let hash = plan.hash()?;
    if common.json {
        return output::json(&json!({ "plan": plan, "plan_hash": hash }));
    }
    let mut text = format!("{}\n", plan.title);
    for (place, step) in plan.steps.iter().enumerate() {
        text.push_str(&format!("{}. {step}\n", place + 1));
    }
    text.push_str(&format!("plan {hash}\n"));
    output::text(&text)
}

async fn preview(command: Preview, common: &Common) -> Result<(), Failure> {
    let (desk, store) = desk(common).await?;
    let Planned { target, what, how, asking } = command.planned;
    let session = session(&target, common, command.watch_for.is_some()).await?;
    if let Some(watch_for) = command.watch_for {
        deployment::watch_until(&session, watch_for, |_| false).await?;
    }
    let plan = planned(&desk, &session, what, &how, &asking).await?;
    let (cancel, progress) = (CancellationToken::new(), Arc::default());
    let previewing = desk.preview(&session, plan, &progress, &cancel);
    let found = tokio::select! {
        found = previewing => found?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::check("the preview was called off")),
    };
    if let Some(approval) = &found.approval {
        remember(&store, &approval.token, &session).await?;
        remember(&store, &session.deployment().id.0, &session).await?;
    }
    session.stop().await;
    if common.json {
        output::json(&preview_json(&found)?)?;
    } else {
        output::text(&preview_text(&found))?;
    }
    match cachescope_actions::guards::refusal(&found.preview.checks) {
        Some(check) => {
            Err(Failure::check(format!("not approved: {}", check.sentence)).with_remedy(&check.remedy))
        }
        None => Ok(()),
    }
}

async fn approved(command: Run, common: &Common) -> Result<(), Failure> {
    let (desk, store) = desk(common).await?;
    let what = match (&command.approve, &command.resume) {
        (Some(token), _) => token.clone(),
        (None, Some(run)) => desk.state(run).await?.deployment.0,
        (None, None) => return Err(Failure::input("give --approve TOKEN or --resume RUN")),
    };
    let (target, common) = recall(&store, &what, &command.target, common).await?;
    let session = session(&target, &common, false).await?;
    let said = command.signature.said();
    desk.set_endpoints(&session.deployment().id, Endpoints::default(), tokens());
    let handle = match (&command.approve, &command.resume) {
        (Some(token), _) => desk.run(&session, token, None, said).await?,
        (None, Some(run)) => desk.resume(&session, run, &said).await?,
        (None, None) => return Err(Failure::input("give --approve TOKEN or --resume RUN")),
    };
    let state = until_ended(&handle, &common).await;
    session.stop().await;
    told(&state, &common)
}

async fn undo(command: Undo, common: &Common) -> Result<(), Failure> {
    let (desk, store) = desk(common).await?;
    let what = desk.state(&command.run).await?.deployment.0;
    let (target, common) = recall(&store, &what, &command.target, common).await?;
    let session = session(&target, &common, false).await?;
    let keys = (!command.keys.is_empty()).then_some(command.keys);
    let part = UndoPart { namespace: command.namespace, keys };
    let result = desk.undo(&session, &command.run, &part).await?;
    session.stop().await;
    if common.json {
        output::json(&result)?;
    } else {
        output::text(&format!(
            "{} keys put back, {} conflicts left alone, {} expired meanwhile, {} were there unchanged, {} failed\n",
            result.restored, result.conflicts, result.expired, result.unchanged, result.failed
        ))?;
    }
    if result.failed > 0 {
        return Err(Failure::server(
            format!("{} keys were not put back: {}", result.failed, result.why),
            "see to that, and undo again; what is back already is left alone",
        ));
    }
    Ok(())
}

async fn list(common: &Common) -> Result<(), Failure> {
    let (desk, _) = desk(common).await?;
    let runs = desk.runs(None).await?;
    if common.json {
        return output::json(&runs);
    }
    let mut table = Table::new(&[
        ("RUN", Align::Left),
        ("DEPLOYMENT", Align::Left),
        ("WHAT", Align::Left),
        ("STATE", Align::Left),
        ("Removed", Align::Right),
        ("Undo", Align::Left),
    ]);
    for run in runs {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let undo = serde_json::to_value(&run.undo)?;
        table.row(vec![
            run.run,
            run.deployment_name,
            run.title,
            word(serde_json::to_value(run.phase)?),
            run.counts.removed.to_string(),
            word(undo["undo"].clone()),
        ]);
    }
    output::text(&table.render())
}
