//! The warm plans of a strategy, as they are shown.

use cachescope_actions::warm::schedule::Schedule;
use cachescope_model::strategy::{Strategy, Trigger, WarmKind, WarmPlan};
use cachescope_model::time::Timestamp;

use crate::wire::{ScheduleView, WarmPlanView};

/// Next runs that are shown.
const SHOWN_RUNS: usize = 5;

/// Who carries a plan out, where that is not done from here.
pub(super) fn others(kind: &WarmKind) -> Option<&'static str> {
    match kind {
        WarmKind::Application => {
            Some("the application does it by itself; with a URL for each key it can be done from here")
        }
        WarmKind::Traffic => Some("users' requests do it, gradually"),
        WarmKind::Copy { .. } => Some("say where to copy from"),
        _ => None,
    }
}

/// The warm plans of a strategy, as they are shown. `target` is how a command names the deployment.
#[must_use]
pub fn warm_plans(strategy: &Strategy, target: &str, now: Timestamp) -> Vec<WarmPlanView> {
    let view = |plan: &WarmPlan| {
        let items = plan.items.iter().map(|item| match (item.limit, item.ttl) {
            (Some(limit), _) => format!("{}, at most {limit}", item.what),
            (None, _) => item.what.clone(),
        });
        let (way, path) = match &plan.kind {
            WarmKind::Http { method, url } => (format!("{method} {url}"), Some(url)),
            WarmKind::HttpEach { method, url } => (format!("{method} {url} for each key"), Some(url)),
            WarmKind::Application => ("the application, by itself".to_owned(), None),
            WarmKind::Traffic => ("users' requests".to_owned(), None),
            WarmKind::Copy { from } => (format!("a copy from {from}"), None),
            _ => ("another way".to_owned(), None),
        };
        let without_host = path.is_some_and(|url| !url.contains("://"));
        let lacks = match others(&plan.kind) {
            Some(by) => by.to_owned(),
            None if without_host => "its URL names no host: give the application's address".to_owned(),
            None => String::new(),
        };
        let note: Vec<&str> = [plan.condition.as_str(), plan.note.as_str()]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        WarmPlanView {
            name: plan.name.clone(),
            title: plan.title.clone(),
            way,
            items: items.collect(),
            triggers: plan.triggers.iter().map(ToString::to_string).collect(),
            runnable: lacks.is_empty(),
            lacks,
            note: note.join("; "),
            schedule: schedule(plan, target, now),
        }
    };
    strategy.warm_plans.iter().map(view).collect()
}

fn schedule(plan: &WarmPlan, target: &str, now: Timestamp) -> Option<ScheduleView> {
    let cron = plan.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Schedule(cron) => Some(cron),
        Trigger::Event(_) => None,
    })?;
    let schedule = Schedule::parse(&cron.0).ok()?;
    let command = format!("cachescope warm run --plan {} {target}", plan.name);
    Some(ScheduleView {
        cron: cron.0.clone(),
        next_runs: schedule.next_runs(now, SHOWN_RUNS),
        crontab: schedule.crontab(command.trim_end()),
        armed: None,
    })
}
