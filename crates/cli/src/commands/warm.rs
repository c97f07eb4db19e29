//! `cachescope warm`: the purge's desk, approvals and runs, for what fills instead of removes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachescope_actions::clock::{Clock as _, MachineClock};
use cachescope_actions::plan::Plan;
use cachescope_actions::warm::WarmLimits;
use cachescope_app::actions::{Desk, warm_plans};
use cachescope_app::session::{ScanPlan, Session};
use cachescope_app::wire::{ActionDraft, CopyFromDraft, PreviewedAction, WarmDraft, WarmKeys};
use cachescope_model::source::SourceId;
use tokio_util::sync::CancellationToken;

use super::desk::{deployment_id, desk, recall, remember, session};
use super::purge::tell_plan;
use super::told::{preview_json, preview_text, told, until_ended};
use crate::arguments::{Common, Target};
use crate::failure::Failure;
use crate::warm_arguments::{How, Planned, Preview, Run, WarmCommand, What};
use crate::{deployment, output};

/// The variable that may hold the endpoint's token, so that it stands in no process list.
const TOKEN_VARIABLE: &str = "CACHESCOPE_ENDPOINT_TOKEN";
/// Under which name plans of the command know the token.
const TOKEN: &str = "endpoint-token";
/// A token's file is one line; this is more than any.
const MOST_TOKEN_BYTES: u64 = 64 * 1024;

pub(crate) async fn run(command: WarmCommand, common: &Common) -> Result<(), Failure> {
    match command {
        WarmCommand::Plan(command) => plan(command, common).await,
        WarmCommand::Preview(command) => preview(command, common).await,
        WarmCommand::Run(command) => started(command, common).await,
    }
}

/// The endpoint's token, where there is one.
fn token(what: &What) -> Result<Option<String>, Failure> {
    let Some(path) = &what.token_file else {
        return Ok(std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()));
    };
    let unreadable = |error: std::io::Error| {
        Failure::input(format!("the token's file {} can't be read: {error}", path.display()))
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_TOKEN_BYTES {
        return Err(Failure::input(format!("{} is too large for a token's file", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn draft(what: &What, how: &How, token: bool, from: Option<CopyFromDraft>) -> WarmDraft {
    let keys = match (&what.of_run, what.expiring_within, what.keys.is_empty()) {
        (Some(run), _, _) => WarmKeys::Run { run: run.clone() },
        (None, Some(within), _) => {
            WarmKeys::Expiring { within_seconds: u32::try_from(within.as_secs()).unwrap_or(u32::MAX) }
        }
        (None, None, false) => WarmKeys::Named { keys: what.keys.clone() },
        (None, None, true) => WarmKeys::Missed,
    };
    WarmDraft {
        plan: what.plan.clone(),
        namespace: what.namespace.clone(),
        tenant: what.tenant.clone(),
        keys,
        parameters: what.parameters.iter().cloned().collect(),
        base_url: what.base_url.clone(),
        url: what.url.clone(),
        method: what.method.clone(),
        headers: what.headers.iter().cloned().collect(),
        body: what.body.clone(),
        secret: token.then(|| TOKEN.to_owned()),
        private_addresses: what.allow_private,
        copy_from: from,
        jitter_percent: what.jitter,
        limits: limits(how),
        refresh: what.refresh,
        soften_seconds: what.soft.map(|soft| soft.as_secs_f64()),
    }
}

/// Limits where some are typed.
fn limits(how: &How) -> Option<WarmLimits> {
    let usual = WarmLimits::default();
    let typed = WarmLimits {
        per_minute: how.per_minute.unwrap_or(usual.per_minute),
        concurrency: how.concurrency.unwrap_or(usual.concurrency),
        errors_percent: how.errors.unwrap_or(usual.errors_percent),
        timeout_ms: how.request_timeout.map_or(usual.timeout_ms, |timeout| timeout.as_millis() as u32),
        retries: how.retries.unwrap_or(usual.retries),
        ..usual
    };
    (typed != usual).then_some(typed)
}

/// The source of a copy, made known to the desk under its address as it may be shown.
async fn source(
    desk: &Desk,
    from: Option<&str>,
    common: &Common,
) -> Result<(Option<CopyFromDraft>, Option<Arc<Session>>), Failure> {
    let Some(from) = from else { return Ok((None, None)) };
    if let Some(run) = from.strip_prefix("undo:") {
        return Ok((Some(CopyFromDraft::Undo { run: run.to_owned() }), None));
    }
    let target = Target { redis: Some(from.to_owned()), ..Target::default() };
    let session = session(&target, common, false).await?;
    let name = session.deployment().redis_url.clone().unwrap_or_default();
    desk.know_source(&name, Arc::clone(&session));
    Ok((Some(CopyFromDraft::Named { name }), Some(session)))
}

/// What a command has made ready: the plan, and the sessions that it stands on.
struct Ready {
    plan: Plan,
    session: Arc<Session>,
    source: Option<Arc<Session>>,
}

impl Ready {
    async fn stop(self) {
        self.session.stop().await;
        if let Some(source) = self.source {
            source.stop().await;
        }
    }
}

async fn ready(
    desk: &Desk,
    planned: &Planned,
    watch_for: Option<Duration>,
    common: &Common,
) -> Result<Ready, Failure> {
    let Planned { target, what, how } = planned;
    let token = token(what)?;
    let has_token = token.is_some();
    if let Some(token) = token {
        desk.know_secret(TOKEN, token.into());
    }
    let (from, source) = source(desk, what.from.as_deref(), common).await?;
    let session = match watch_for {
        None => session(target, common, false).await?,
        Some(watch_for) => {
            let session = watched(target, common).await?;
            deployment::watch_until(&session, watch_for, |_| false).await?;
            session
        }
    };
    let draft = ActionDraft::Warm { warm: Box::new(draft(what, how, has_token, from)) };
    let how = how.gentleness.how(session.deployment().environment());
    let plan = desk.plan(&session, &draft, Some(how)).await?;
    Ok(Ready { plan, session, source })
}

/// A session that watches, with the events of misses wherever the server announces them.
async fn watched(target: &Target, common: &Common) -> Result<Arc<Session>, Failure> {
    let mut plan = deployment::plan(target, common, None, ScanPlan::default()).await?;
    let url = plan.deployment.redis_url.clone().ok_or_else(|| Failure::input("give a Redis with --redis"))?;
    plan.deployment.id = deployment_id(&url, plan.deployment.ssh.as_ref());
    plan.sources = Some(
        [SourceId::Info, SourceId::Events, SourceId::Commands, SourceId::Metrics, SourceId::Prometheus]
            .into(),
    );
    Ok(Session::start(plan))
}

async fn plan(command: Planned, common: &Common) -> Result<(), Failure> {
    let (desk, _) = desk(common).await?;
    let what = &command.what;
    let nothing = what.plan.is_none() && what.namespace.is_none() && what.from.is_none();
    if nothing && what.keys.is_empty() && what.of_run.is_none() {
        return list(&command.target, common).await;
    }
    let ready = ready(&desk, &command, None, common).await?;
    let plan = ready.plan.clone();
    ready.stop().await;
    tell_plan(&plan, common)
}

/// The documented plans, with their next runs.
async fn list(target: &Target, common: &Common) -> Result<(), Failure> {
    let Some(name) = &target.strategy else {
        return Err(Failure::input("say what to warm: --plan, --namespace, --key-name, --of-run or --from"));
    };
    let strategy = cachescope_app::strategies::resolve(name.clone())
        .await
        .map_err(|error| Failure::input(error.sentences().join(" / ")))?;
    let place = target.redis.as_deref().map(|_| "--redis URL ").unwrap_or_default();
    let plans =
        warm_plans(&strategy, &format!("--unattended {place}--strategy {name}"), MachineClock.read().wall);
    if common.json {
        return output::json(&plans);
    }
    let mut text = String::new();
    for plan in plans {
        text.push_str(&format!("{}: {}, by {}\n", plan.name, plan.title, plan.way));
        for item in &plan.items {
            text.push_str(&format!("    {item}\n"));
        }
        for line in [&plan.lacks, &plan.note].into_iter().filter(|line| !line.is_empty()) {
            text.push_str(&format!("    {line}\n"));
        }
        let Some(schedule) = plan.schedule else { continue };
        let next: Vec<String> = schedule.next_runs.iter().take(3).map(|at| output::utc(*at)).collect();
        text.push_str(&format!("    at {} UTC, next {}\n", schedule.cron, next.join(", ")));
        schedule.crontab.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    output::text(&text)
}

async fn previewed(desk: &Desk, ready: &Ready) -> Result<PreviewedAction, Failure> {
    let (cancel, progress) = (CancellationToken::new(), Arc::default());
    let previewing = desk.preview(&ready.session, ready.plan.clone(), &progress, &cancel);
    tokio::select! {
        found = previewing => Ok(found?),
        _ = tokio::signal::ctrl_c() => Err(Failure::check("the preview was called off")),
    }
}

/// The same once nobody else is at it, as long as one may wait for that.
async fn previewed_in_turn(
    desk: &Desk,
    ready: &Ready,
    patience: Duration,
) -> Result<PreviewedAction, Failure> {
    let began = Instant::now();
    loop {
        let found = Box::pin(previewed(desk, ready)).await?;
        let check = cachescope_actions::guards::refusal(&found.preview.checks);
        if check.is_none_or(|check| check.code != "lock") || began.elapsed() >= patience {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn preview(command: Preview, common: &Common) -> Result<(), Failure> {
    let (desk, store) = desk(common).await?;
    let ready = ready(&desk, &command.planned, command.watch_for, common).await?;
    let found = Box::pin(previewed(&desk, &ready)).await?;
    if let Some(approval) = &found.approval {
        remember(&store, &approval.token, &ready.session).await?;
        remember(&store, &ready.session.deployment().id.0, &ready.session).await?;
    }
    ready.stop().await;
    if common.json {
        output::json(&preview_json(&found)?)?;
    } else {
        output::text(&preview_text(&found))?;
    }
    refusal(&found)
}

fn refusal(found: &PreviewedAction) -> Result<(), Failure> {
    match cachescope_actions::guards::refusal(&found.preview.checks) {
        Some(check) => {
            Err(Failure::check(format!("not approved: {}", check.sentence)).with_remedy(&check.remedy))
        }
        None => Ok(()),
    }
}

async fn started(command: Run, common: &Common) -> Result<(), Failure> {
    let (desk, store) = desk(common).await?;
    desk.wait_for_others(command.wait.unwrap_or_default());
    let said = command.signature.said();
    if command.unattended {
        let ready = ready(&desk, &command.planned, command.watch_for, common).await?;
        let hash = ready.plan.hash()?;
        if command.plan_hash.as_ref().is_some_and(|wanted| *wanted != hash) {
            ready.stop().await;
            return Err(Failure::check(format!(
                "not run: the plan's hash is {hash}, not the one that is given"
            )));
        }
        let found = Box::pin(previewed_in_turn(&desk, &ready, command.wait.unwrap_or_default())).await?;
        refusal(&found)?;
        let Some(approval) = &found.approval else { return Err(Failure::check("not approved")) };
        let handle = Box::pin(desk.run(&ready.session, &approval.token, Some(&hash), said)).await?;
        let state = until_ended(&handle, common).await;
        ready.stop().await;
        return told(&state, common);
    }
    let what = match (&command.approve, &command.resume) {
        (Some(token), _) => token.clone(),
        (None, Some(run)) => desk.state(run).await?.deployment.0,
        (None, None) => return Err(Failure::input("give --approve TOKEN, --resume RUN or --unattended")),
    };
    let (target, common) = recall(&store, &what, &command.planned.target, common).await?;
    if let Some(token) = token(&command.planned.what)? {
        desk.know_secret(TOKEN, token.into());
    }
    let (_, source) = source(&desk, command.planned.what.from.as_deref(), &common).await?;
    let session = session(&target, &common, false).await?;
    let handle = match (&command.approve, &command.resume) {
        (Some(token), _) => Box::pin(desk.run(&session, token, None, said)).await?,
        (None, Some(run)) => Box::pin(desk.resume(&session, run, &said)).await?,
        (None, None) => return Err(Failure::input("give --approve TOKEN, --resume RUN or --unattended")),
    };
    let state = until_ended(&handle, &common).await;
    session.stop().await;
    if let Some(source) = source {
        source.stop().await;
    }
    told(&state, &common)
}
