//! From what an operator means to a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use cachescope_actions::placeholders::{Piece, pieces};
use cachescope_actions::plan::{Action, HowToRun, KeyName, Plan, Scope, StaleBelow};
use cachescope_actions::selection::Attribution;
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::deployment::{Deployment, Environment};
use cachescope_model::glob;
use cachescope_model::key::{parse_printable, printable};
use cachescope_model::strategy::{Namespace, Playbook, Step, StepAction, Strategy};
use cachescope_model::template::{FieldKind, Part, Template};
use cachescope_sources::redis::RedisAddress;

use super::asking;
use super::endpoints::Endpoints;
use crate::wire::{ActionDraft, PlaybookStepView, PlaybookView};

/// Where a tag's keys are listed, as the documents describe it.
const TAG_SET: &str = "tag:";

/// How a plan is run in an environment, where nothing else is said.
#[must_use]
pub fn how(environment: Environment) -> HowToRun {
    let (throttle, watch_between_waves_ms) = match environment {
        Environment::Production => (true, 10_000),
        Environment::Staging => (true, 3_000),
        Environment::Development => (false, 0),
    };
    HowToRun { throttle, watch_between_waves_ms, ..HowToRun::default() }
}

pub(super) fn bad(sentence: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure::new(FailureKind::BadInput, sentence, remedy)
}

/// The logical database that an address names; none is every one.
pub(super) fn database_of(deployment: &Deployment) -> Option<u16> {
    let address = RedisAddress::parse(deployment.redis_url.as_deref()?).ok()?;
    Some(address.seeds().first()?.database()).filter(|database| *database != 0)
}

/// Makes a plan.
///
/// # Errors
/// What can't be understood, and what to write.
pub fn plan(
    draft: &ActionDraft,
    how: HowToRun,
    deployment: &Deployment,
    attribution: &Attribution,
    endpoints: &Endpoints,
) -> Result<Plan, Failure> {
    let strategy = attribution.strategy();
    let database = database_of(deployment);
    let (title, steps) = match draft {
        ActionDraft::Keys { keys, database } => {
            let name = |line: &String| {
                parse_printable(line)
                    .map(KeyName)
                    .ok_or_else(|| bad(format!("{line:?} ends within an escape"), r"write a backslash as \\"))
            };
            let keys = keys.iter().map(name).collect::<Result<Vec<_>, _>>()?;
            let (mut title, steps) = removing(Scope::Keys { keys: keys.clone(), database: *database });
            if let [key] = keys.as_slice() {
                // The title stands in lists and in the audit, so masked fields are masked in it.
                title = format!("Delete {}", attribution.shown(*database, &key.0));
            }
            (title, steps)
        }
        ActionDraft::Pattern { pattern, database: only } => {
            removing(Scope::Pattern { pattern: pattern.clone(), database: only.or(database) })
        }
        ActionDraft::Namespace { template, tenant, stale_below } => {
            removing(namespace_scope(template, tenant.as_deref(), *stale_below, database, strategy)?)
        }
        ActionDraft::Tag { tag } if tag.is_empty() => return Err(bad("the tag is empty", "name it")),
        ActionDraft::Tag { tag } => {
            let set = KeyName(format!("{TAG_SET}{tag}").into_bytes());
            removing(Scope::Tag { set, database: database.unwrap_or(0) })
        }
        ActionDraft::Soften { pattern, ttl_seconds, jitter_seconds } => {
            let ms = |seconds: f64| (seconds.clamp(0.0, 1e9) * 1_000.0).round() as u64;
            let scope = Scope::Pattern { pattern: pattern.clone(), database };
            softening(scope, ms(*ttl_seconds), ms(*jitter_seconds))?
        }
        ActionDraft::Warm { .. } => return Err(bad("a warm is planned with its candidates", "")),
        ActionDraft::Playbook { name, parameters } => {
            let playbook = strategy.playbook(name).ok_or_else(|| {
                let known: Vec<_> = strategy.playbooks.iter().map(|other| other.name.as_str()).collect();
                let remedy = if known.is_empty() {
                    "give a strategy that has playbooks".to_owned()
                } else {
                    format!("choose one of {}", known.join(", "))
                };
                bad(format!("there is no playbook {name:?}"), remedy)
            })?;
            (playbook.title.clone(), playbook_steps(playbook, parameters, database, attribution, endpoints)?)
        }
    };
    Ok(Plan { deployment: deployment.id.clone(), title, steps, how })
}

fn removing(scope: Scope) -> (String, Vec<Action>) {
    (format!("Delete {scope}"), vec![Action::Remove { scope }])
}

fn softening(scope: Scope, ttl_ms: u64, jitter_ms: u64) -> Result<(String, Vec<Action>), Failure> {
    if ttl_ms == 0 || jitter_ms >= ttl_ms {
        return Err(bad(
            "a time to live of nothing would remove the keys",
            "give a longer one, and a jitter that is shorter than it",
        ));
    }
    Ok((format!("Soften {scope}"), vec![Action::Soften { scope, ttl_ms, jitter_ms }]))
}

pub(super) fn namespace_scope(
    asked: &str,
    tenant: Option<&str>,
    stale_below: Option<u64>,
    database: Option<u16>,
    strategy: &Strategy,
) -> Result<Scope, Failure> {
    let known = strategy
        .namespaces
        .iter()
        .find(|namespace| namespace.template.as_str() == asked || namespace.name == asked);
    let template = known.map_or(asked, |namespace| namespace.template.as_str());
    let mut fields = BTreeMap::new();
    if let Some(tenant) = tenant {
        let field = known.and_then(|namespace| namespace.tenant.clone()).ok_or_else(|| {
            bad(format!("{template} has no tenant field in the strategy"), "mark one with tenant = \"…\"")
        })?;
        fields.insert(field, tenant.to_owned());
    }
    let stale_below = match stale_below {
        None => None,
        Some(version) => Some(StaleBelow { field: version_field(template, known)?, version }),
    };
    let database = known.and_then(|namespace| namespace.database).or(database);
    Ok(Scope::Namespace { template: template.to_owned(), fields, stale_below, database })
}

fn version_field(template: &str, known: Option<&Namespace>) -> Result<String, Failure> {
    if let Some(field) = known.and_then(|namespace| namespace.version.clone()) {
        return Ok(field);
    }
    let parsed = Template::parse(template).map_err(|error| bad(error.to_string(), ""))?;
    let digits = parsed.parts().iter().find_map(|part| match part {
        Part::Field { name, kind: FieldKind::Digits } => Some(name.clone()),
        _ => None,
    });
    digits.ok_or_else(|| bad(format!("{template} has no version field"), "write it as {version#}"))
}

fn playbook_steps(
    playbook: &Playbook,
    parameters: &BTreeMap<String, String>,
    database: Option<u16>,
    attribution: &Attribution,
    endpoints: &Endpoints,
) -> Result<Vec<Action>, Failure> {
    let known = parameters_of(playbook, attribution.strategy());
    if let Some(unknown) = parameters.keys().find(|name| !known.contains(name)) {
        return Err(bad(
            format!("the playbook {} has no parameter {unknown:?}", playbook.name),
            format!("it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") }),
        ));
    }
    let mut actions = Vec::new();
    for step in &playbook.steps {
        match asking::requests(step, attribution.strategy(), endpoints, parameters, database)? {
            Some(requests) => actions.extend(requests),
            None => actions.push(action(step, parameters, database, attribution)?),
        }
    }
    Ok(actions)
}

fn action(
    step: &Step,
    parameters: &BTreeMap<String, String>,
    database: Option<u16>,
    attribution: &Attribution,
) -> Result<Action, Failure> {
    let what = step.action.to_string();
    if let Some(by) = elsewhere(step) {
        return Ok(Action::Shown { what, by });
    }
    let key = |template: &Template| -> Result<(KeyName, u16), Failure> {
        let key = fill(template, parameters)?;
        let own = attribution.namespace(database.unwrap_or(0), &key).and_then(|namespace| namespace.database);
        Ok((KeyName(key), own.or(database).unwrap_or(0)))
    };
    let pattern = |text: &str| {
        let pattern = filled_text(text, parameters, |value| glob::escape(value.as_bytes()))?;
        let pattern = String::from_utf8(pattern).map_err(|_| bad("the pattern is no text", ""))?;
        Ok::<_, Failure>(Scope::Pattern { pattern, database })
    };
    let text = |text: &str| {
        let bytes = filled_text(text, parameters, |value| value.as_bytes().to_vec())?;
        String::from_utf8(bytes).map_err(|_| bad("a parameter is no text", ""))
    };
    Ok(match &step.action {
        StepAction::Delete { key: template } => {
            let (key, database) = key(template)?;
            Action::Remove { scope: Scope::Keys { keys: vec![key], database } }
        }
        StepAction::Pattern { pattern: written } => Action::Remove { scope: pattern(written)? },
        StepAction::Namespace { namespace } => {
            let scope = namespace_scope(namespace, None, None, database, attribution.strategy())?;
            Action::Remove { scope }
        }
        StepAction::Tag { tag } => {
            let set = KeyName(format!("{TAG_SET}{}", text(tag)?).into_bytes());
            Action::Remove { scope: Scope::Tag { set, database: database.unwrap_or(0) } }
        }
        StepAction::BumpVersion { counter, .. } => {
            let (key, database) = key(counter)?;
            Action::BumpVersion { key, database }
        }
        StepAction::Soft { pattern: written, ttl, jitter } => {
            let ms = |duration: &Duration| duration.as_millis() as u64;
            let (_, mut steps) = softening(pattern(written)?, ms(ttl), ms(jitter))?;
            steps.remove(0)
        }
        StepAction::Publish { channel, message } => {
            Action::Publish { channel: text(channel)?, message: text(message)? }
        }
        _ => {
            let by = elsewhere(step).unwrap_or_else(|| "not done from here".to_owned());
            Action::Shown { what, by }
        }
    })
}

/// Who does a step that nobody can do from here; `None` where it can be, or could.
fn elsewhere(step: &Step) -> Option<String> {
    if let Some(by) = &step.handled_by {
        return Some(format!("done by {by}"));
    }
    match &step.action {
        StepAction::Automatic { .. } => Some("it happens by itself".to_owned()),
        StepAction::ClientQuery { .. } => Some("done by the pages that show it".to_owned()),
        _ => None,
    }
}

/// A key from its template.
pub(super) fn fill(template: &Template, parameters: &BTreeMap<String, String>) -> Result<Vec<u8>, Failure> {
    let mut key = Vec::new();
    for part in template.parts() {
        match part {
            Part::Literal(bytes) => key.extend(bytes),
            Part::Field { name, .. } => key.extend(value(name, parameters)?.as_bytes()),
        }
    }
    Ok(key)
}

pub(super) fn value<'p>(name: &str, parameters: &'p BTreeMap<String, String>) -> Result<&'p str, Failure> {
    parameters.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        bad(format!("the parameter {name} is missing"), format!("give it with --set {name}=VALUE"))
    })
}

/// A text with its `{fields}` filled in, the values written as `written` says.
pub(super) fn filled_text(
    text: &str,
    parameters: &BTreeMap<String, String>,
    written: impl Fn(&str) -> Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let mut filled = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => filled.extend(literal.as_bytes()),
            Piece::Field(name) => filled.extend(written(value(name, parameters)?)),
        }
    }
    Ok(filled)
}

/// The parameters of a playbook, each once, in order.
fn parameters_of(playbook: &Playbook, strategy: &Strategy) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    for step in playbook.steps.iter().filter(|step| step.handled_by.is_none()) {
        match &step.action {
            StepAction::Delete { key } => key.fields().for_each(&mut add),
            StepAction::BumpVersion { counter, .. } => counter.fields().for_each(&mut add),
            StepAction::Pattern { pattern } | StepAction::Soft { pattern, .. } => {
                fields_in(pattern, &mut add)
            }
            StepAction::Tag { tag } => fields_in(tag, &mut add),
            StepAction::Publish { channel, message } => {
                fields_in(channel, &mut add);
                fields_in(message, &mut add);
            }
            StepAction::Cdn { paths } => paths.iter().for_each(|path| fields_in(path, &mut add)),
            StepAction::Endpoint { .. } | StepAction::RouteTag { .. } | StepAction::RefreshView { .. } => {
                for text in asking::written(step, strategy) {
                    fields_in(&text, &mut add);
                }
            }
            _ => {}
        }
    }
    names
}

fn fields_in(text: &str, add: &mut impl FnMut(&str)) {
    for piece in pieces(text) {
        if let Piece::Field(name) = piece {
            add(name);
        }
    }
}

/// The playbooks of a strategy, as they are shown.
#[must_use]
pub fn playbooks(strategy: &Strategy, endpoints: &Endpoints) -> Vec<PlaybookView> {
    let step = |step: &Step| {
        let why_not = elsewhere(step).or_else(|| asking::missing(step, strategy, endpoints));
        PlaybookStepView {
            what: step.action.to_string(),
            done_here: why_not.is_none(),
            note: why_not.unwrap_or_else(|| step.note.clone()),
        }
    };
    let view = |playbook: &Playbook| PlaybookView {
        name: playbook.name.clone(),
        title: playbook.title.clone(),
        triggers: playbook.triggers.iter().map(ToString::to_string).collect(),
        steps: playbook.steps.iter().map(step).collect(),
        parameters: parameters_of(playbook, strategy),
        note: playbook.note.clone(),
    };
    strategy.playbooks.iter().map(view).collect()
}

/// Keys as lines, back to bytes.
pub(super) fn key_lines(lines: &[String]) -> Result<Vec<Vec<u8>>, Failure> {
    let key = |line: &String| {
        parse_printable(line)
            .ok_or_else(|| bad(format!("{:?} ends within an escape", printable(line.as_bytes())), ""))
    };
    lines.iter().map(key).collect()
}
