//! `cachescope purge`: the same desk as the window's, with tokens instead of clicks.

use std::sync::Arc;
use std::time::Duration;

use cachescope_actions::clock::MachineClock;
use cachescope_actions::plan::{HowToRun, Plan};
use cachescope_actions::request::{Token, Tokens};
use cachescope_actions::run::RunHandle;
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_app::actions::{Desk, Endpoints};
use cachescope_app::host::state_directory;
use cachescope_app::session::{ScanPlan, Session};
use cachescope_app::wire::{ActionDraft, EndpointsDraft, PreviewedAction, UndoPart};
use cachescope_model::deployment::{DeploymentId, Environment, SshHop};
use cachescope_model::window::Window;
use cachescope_store::Store;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Common, EnvironmentName, Target};
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

/// The desk of the state directory, and its store.
pub(crate) async fn desk(common: &Common) -> Result<(Desk, Store), Failure> {
    let directory = state_directory(common.state_dir.clone());
    let of_store = directory.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&of_store))
        .await
        .map_err(|error| Failure::input(error.to_string()))?;
    let store = opened.map_err(cachescope_app::wire::WireError::from)?;
    // Without the keychain, which may want to be unlocked in a dialog: the key of undo files is in a file.
    Ok((Desk::new(store.clone(), directory, None, Arc::new(MachineClock)), store))
}

/// Where a token or the runs of a deployment were meant, so that it need not be typed again. Never with a password.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    redis: String,
    /// The same address behind another SSH server is another Redis.
    #[serde(default)]
    ssh: Option<SshHop>,
    strategy: Option<String>,
    environment: Option<Environment>,
}

fn place(what: &str) -> String {
    format!("purge.target.{}", cachescope_actions::canonical::sha256(what.as_bytes()))
}

pub(crate) async fn remember(store: &Store, what: &str, session: &Session) -> Result<(), Failure> {
    let of = session.deployment();
    let remembered = Remembered {
        redis: of.redis_url.clone().unwrap_or_default(),
        ssh: of.ssh.clone(),
        strategy: of.strategy.clone(),
        environment: of.environment,
    };
    let text = serde_json::to_string(&remembered)?;
    store.set_setting(&place(what), &text).await.map_err(|error| Failure::input(error.to_string()))
}

pub(crate) async fn recall(
    store: &Store,
    what: &str,
    target: &Target,
    common: &Common,
) -> Result<(Target, Common), Failure> {
    let (mut target, mut common) = (target.clone(), common.clone());
    let kept = store.setting(&place(what)).await.map_err(|error| Failure::input(error.to_string()))?;
    if let Some(kept) = kept.and_then(|text| serde_json::from_str::<Remembered>(&text).ok()) {
        let same = target.redis.as_ref().is_none_or(|typed| *typed == kept.redis);
        if let Some(hop) = kept.ssh.filter(|_| same && target.ssh.is_none()) {
            target.ssh = Some(hop.to_string());
            target.ssh_key = target.ssh_key.or(hop.key.map(Into::into));
        }
        target.redis = target.redis.or(Some(kept.redis));
        target.strategy = target.strategy.or(kept.strategy);
        common.environment = common.environment.or(kept.environment.map(|environment| match environment {
            Environment::Development => EnvironmentName::Development,
            Environment::Staging => EnvironmentName::Staging,
            Environment::Production => EnvironmentName::Production,
        }));
    }
    Ok((target, common))
}

/// The identity of a deployment that is known by its address alone, and by the SSH server that this is an address
/// behind.
pub(crate) fn deployment_id(url: &str, ssh: Option<&SshHop>) -> DeploymentId {
    let behind = ssh.map(|hop| format!(" behind {hop}")).unwrap_or_default();
    let hash = cachescope_actions::canonical::sha256(format!("{url}{behind}").as_bytes());
    DeploymentId(format!("cli-{}", &hash[..16]))
}

/// A session that knows the servers. A deployment of the command is known by its address.
pub(crate) async fn session(
    target: &Target,
    common: &Common,
    watched: bool,
) -> Result<Arc<Session>, Failure> {
    // Signals that stop actions come from the Prometheus; the rest is asked when it is needed.
    let signals = target.prometheus.is_some().then(|| "prometheus".to_owned());
    let named = (!watched).then(|| signals.into_iter().collect::<Vec<_>>());
    let mut plan = deployment::plan(target, common, named.as_deref(), ScanPlan::default()).await?;
    let Some(url) = plan.deployment.redis_url.clone() else {
        return Err(Failure::input("an action needs a Redis: give its address with --redis"));
    };
    plan.deployment.id = deployment_id(&url, plan.deployment.ssh.as_ref());
    let session = Session::start(plan);
    if session.deployment().prometheus_url.is_some() {
        let known = |session: &Session| {
            let snapshot = session.snapshot(Window::OneMinute);
            let mut stopping = session.strategy().signals.iter().filter(|signal| signal.stops_actions);
            stopping.all(|signal| snapshot.signals.contains_key(&signal.name))
        };
        deployment::watch_until(&session, common.timeout, known).await?;
    }
    Ok(session)
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

pub(crate) fn preview_json(found: &PreviewedAction) -> Result<serde_json::Value, Failure> {
    let preview = &found.preview;
    let mut json = serde_json::to_value(preview)?;
    json["token"] = json!(found.approval.as_ref().map(|approval| &approval.token));
    json["expires_at"] = json!(found.approval.as_ref().map(|approval| approval.expires_at));
    json["wants"] = serde_json::to_value(&found.wants)?;
    // The plain figures under the plain names; how sure they are beside them.
    for (name, reading) in [
        ("bytes", &preview.bytes),
        ("reads_per_second", &preview.reads_per_second),
        ("predicted_extra_misses_per_second", &preview.predicted_extra_misses_per_second),
    ] {
        json[name] = json!(reading.value);
        json[format!("{name}_reading")] = serde_json::to_value(reading)?;
    }
    Ok(json)
}

pub(crate) fn preview_text(found: &PreviewedAction) -> String {
    let preview = &found.preview;
    let mut text = format!("{}\n\n", preview.plan.title);
    for (place, step) in preview.steps.iter().enumerate() {
        text.push_str(&format!("{}. {}: {} keys\n", place + 1, step.what, step.keys));
    }
    let number = |reading: &cachescope_model::reading::Reading| {
        reading.value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.0}"))
    };
    text.push_str(&format!(
        "\nkeys            {} of {}\nbytes           {}\nreads/s         {}\nextra misses/s  {}\n",
        preview.keys,
        preview.all_keys,
        number(&preview.bytes),
        number(&preview.reads_per_second),
        number(&preview.predicted_extra_misses_per_second),
    ));
    for warm in &preview.warms {
        text.push_str(&format!(
            "to load         {} keys by {} requests, {} are there, at least {:.0} s\n",
            warm.due, warm.requests, warm.there, warm.least_seconds
        ));
        for won in &warm.won_back {
            if let (Some(now), Some(after)) = (won.hit_rate, won.hit_rate_after) {
                text.push_str(&format!(
                    "hit rate        {}: {:.1} %, {:.1} % without the misses of these keys\n",
                    won.namespace,
                    now * 100.0,
                    after * 100.0
                ));
            }
        }
    }
    let types: Vec<_> = preview.types.iter().map(|(kind, keys)| format!("{kind} {keys}")).collect();
    text.push_str(&format!("types           {}\n", types.join(", ")));
    let used = |keys: &[cachescope_actions::preview_result::UsedKey]| {
        let first = keys.iter().take(3).map(|used| match (used.idle_seconds, used.uses) {
            (Some(seconds), _) => format!("{} (idle {seconds:.0} s)", used.key),
            (_, uses) => format!("{} ({} uses)", used.key, uses.unwrap_or(0)),
        });
        first.collect::<Vec<_>>().join(", ")
    };
    for (name, keys) in [("oldest", &preview.oldest), ("hottest", &preview.hottest)] {
        if !keys.is_empty() {
            text.push_str(&format!("{name:<15} {}\n", used(keys)));
        }
    }
    for name in preview.sample.iter().take(5) {
        text.push_str(&format!("                {name}\n"));
    }
    text.push('\n');
    for check in &preview.checks {
        text.push_str(&format!("{:<8} {}\n", format!("{:?}", check.verdict).to_lowercase(), check.sentence));
    }
    if let Some(approval) = &found.approval {
        let word = preview.plan.word();
        text.push_str(&format!(
            "\nWithin five minutes: cachescope {word} run --approve {}\n",
            approval.token
        ));
        if found.wants.armed {
            text.push_str("with --arm, --type-name and --reason, since this is production\n");
        }
    }
    text
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

/// Waits for the end. Ctrl-C ends the run after the exchange under way; what was removed stays in its undo file.
pub(crate) async fn until_ended(handle: &RunHandle, common: &Common) -> RunState {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut asked = false;
    loop {
        tokio::select! {
            state = handle.ended() => return state,
            pressed = tokio::signal::ctrl_c(), if !asked => {
                asked = true;
                if pressed.is_ok() {
                    handle.cancel();
                }
            }
            _ = tick.tick(), if !common.json => {
                let state = handle.state();
                crate::custody::say(&format!(
                    "run {}: {} of {}, {:.0}/s",
                    state.run,
                    done(&state),
                    state.expected,
                    state.keys_per_second
                ));
            }
        }
    }
}

/// What a run has done, in words.
fn done(state: &RunState) -> String {
    let counts = &state.counts;
    let warms = state.plan.steps.iter().any(|step| step.warm().is_some());
    let mut parts = Vec::new();
    if !warms || counts.removed > 0 {
        parts.push(format!("{} keys removed", counts.removed));
    }
    if warms {
        parts.push(format!("{} keys filled, {} were there", counts.filled, counts.there));
    }
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.unfilled, "not there although the endpoint says so"),
        (counts.wrong_ttl, "with another time to live than documented"),
        (counts.claimed, "left to somebody else who was loading them"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

pub(crate) fn told(state: &RunState, common: &Common) -> Result<(), Failure> {
    if common.json {
        output::json(&json!({
            "run": state.run,
            "removed": state.counts.removed,
            "undo": state.undo,
            "phase": state.phase,
            "why": state.why,
            "expected": state.expected,
            "counts": state.counts,
            "undo_bytes": state.undo_bytes,
            "filled": state.counts.filled,
            "hit_rate_before": state.hit_rate_before,
            "hit_rate": state.hit_rate,
            "answers": state.answers,
        }))?;
    } else {
        output::text(&format!("run {}: {}\n", state.run, done(state)))?;
        for answer in &state.answers {
            output::text(&format!("{answer}\n"))?;
        }
        if state.undo.is_some() {
            output::text(&format!("to put them back: cachescope purge undo {}\n", state.run))?;
        }
    }
    match state.phase {
        RunPhase::Finished => Ok(()),
        RunPhase::Cancelled => Err(Failure::check(format!("run {} was called off", state.run))),
        _ => {
            Err(Failure::check(format!("run {} was halted: {}", state.run, state.why))
                .with_remedy(&state.remedy))
        }
    }
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
