//! From what an operator means by a warm to a plan, and what a warm works with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cachescope_actions::placeholders::{Piece, pieces};
use cachescope_actions::plan::{Action, HowToRun, KeyName, Plan, Scope};
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::UndoReader;
use cachescope_actions::warm::candidates::{self, Candidate};
use cachescope_actions::warm::schedule::Schedule;
use cachescope_actions::warm::{
    CopyFrom, CopySource, Endpoint, EndpointSecrets, MissedKey, OpensUndo, SecretHeader, Success, Warm,
    WarmContext, WarmLimits, WarmWay,
};
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::deployment::DeploymentId;
use cachescope_model::key::parse_printable;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::strategy::{Namespace, Strategy, Trigger, WarmKind, WarmPlan};
use cachescope_model::time::Timestamp;
use cachescope_model::window::Window;
use cachescope_sources::redis::TlsOptions;
use cachescope_store::{Secrets, SecretsState};
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::planning::{bad, database_of, fill, namespace_scope};
use super::schedules::Schedules;
use crate::session::Session;
use crate::wire::{CopyFromDraft, ScheduleView, WarmDraft, WarmKeys, WarmPlanView};

/// Keys of a plan whose number nobody has limited.
const USUAL_KEYS: usize = 1_000;
/// Next runs that are shown.
const SHOWN_RUNS: usize = 5;
/// Which part of the loaders' present work a refresh adds to it.
const REFRESH_SHARE: f64 = 0.3;
/// Requests a minute of a refresh where next to nothing is missed.
const SLOWEST_REFRESH: u32 = 60;
/// Under which name a secret stands in the keychain.
const SECRET: &str = "endpoint:";

/// What warms need besides the store: it is not written down.
#[derive(Default)]
pub(super) struct WarmDesk {
    sources: Mutex<HashMap<String, Arc<Session>>>,
    secrets: Mutex<EndpointSecrets>,
    patience: Mutex<Duration>,
    pub(super) schedules: Mutex<HashMap<DeploymentId, Schedules>>,
}

impl Desk {
    /// Makes a deployment known as one that can be copied from.
    pub fn know_source(&self, name: &str, session: Arc<Session>) {
        self.warm().sources.lock().insert(name.to_owned(), session);
    }

    /// Makes an endpoint's secret known for this process.
    pub fn know_secret(&self, name: &str, secret: SecretString) {
        self.warm().secrets.lock().insert(name.to_owned(), secret);
    }

    /// Keeps an endpoint's secret, in the keychain where there is one, and says where it went.
    pub(super) async fn keep_secret(&self, session: &Session, name: &str, secret: String) -> SecretsState {
        let secret = SecretString::from(secret);
        self.know_secret(name, secret.clone());
        match self.keychain() {
            Some(keychain) => {
                keychain.set(&session.deployment().id, &format!("{SECRET}{name}"), secret).await
            }
            None => Secrets::session_only().state(),
        }
    }

    /// How long a run waits for another one of the same plan, instead of leaving.
    pub fn wait_for_others(&self, patience: Duration) {
        *self.warm().patience.lock() = patience;
    }

    /// What a plan's warms work with.
    pub(super) async fn warm_context(&self, session: &Session, plan: &Plan) -> Result<WarmContext, Failure> {
        let warms: Vec<&Warm> = plan.steps.iter().filter_map(Action::warm).collect();
        let mut context = WarmContext {
            tls: TlsOptions {
                ca: session.deployment().tls.ca.clone().map(Into::into),
                ..TlsOptions::default()
            },
            wait_for_lock: *self.warm().patience.lock(),
            ..WarmContext::default()
        };
        for warm in warms {
            if let WarmWay::Copy { from, .. } = &warm.way {
                context.source = Some(self.source(from).await?);
            }
            let Some(secret) = warm.endpoint().and_then(|endpoint| endpoint.secret.as_ref()) else {
                continue;
            };
            let known = self.warm().secrets.lock().get(&secret.name).cloned();
            let known = match (known, self.keychain()) {
                (None, Some(keychain)) => {
                    keychain.get(&session.deployment().id, &format!("{SECRET}{}", secret.name)).await
                }
                (known, _) => known,
            };
            if let Some(value) = known {
                context.secrets.insert(secret.name.clone(), value);
            }
        }
        Ok(context)
    }

    async fn source(&self, from: &CopyFrom) -> Result<CopySource, Failure> {
        match from {
            CopyFrom::Undo { run } => Ok(CopySource::Undo(self.opens(run).await?)),
            CopyFrom::Deployment { name } => {
                let session = self.warm().sources.lock().get(name).cloned();
                let session = session.ok_or_else(|| {
                    bad(
                        format!("{name} is not known as a source here"),
                        "give it with --from, as for the preview",
                    )
                })?;
                let found = session.discovered().await.map_err(super::desk::of_wire)?;
                Ok(CopySource::Servers(Servers::readable(&found).await?))
            }
        }
    }

    async fn opens(&self, run: &str) -> Result<OpensUndo, Failure> {
        let (path, key) = self.undo_file(run).await?;
        let name = run.to_owned();
        Ok(Arc::new(move || UndoReader::open(&path, &name, &key)))
    }

    /// Makes a plan of a warm.
    pub(super) async fn warm_plan(
        &self,
        session: &Session,
        draft: &WarmDraft,
        how: HowToRun,
    ) -> Result<Plan, Failure> {
        let attribution = Attribution::new(session.shared_strategy());
        let mut meant = Meant::read(draft, attribution.strategy(), database_of(session.deployment()))?;
        meant.misses_per_second = misses_per_second(session);
        let mut steps = Vec::new();
        if let Some(step) = meant.left_to_others() {
            steps.push(step);
        } else if let Some(from) = meant.copied_from() {
            let from = self.copy_from(from)?;
            steps.extend(meant.copies(&from)?);
        } else if draft.refresh {
            steps.extend(meant.refreshes()?);
        } else if meant.is_one_request() {
            steps.push(Action::Warm { warm: meant.one_request(&attribution)? });
        } else {
            let candidates = self.candidates(session, &attribution, &meant).await?;
            steps.extend(meant.each(candidates, &attribution)?);
        }
        Ok(Plan { deployment: session.deployment().id.clone(), title: meant.title(), steps, how })
    }

    fn copy_from(&self, draft: &CopyFromDraft) -> Result<CopyFrom, Failure> {
        Ok(match draft {
            CopyFromDraft::Undo { run } => CopyFrom::Undo { run: run.clone() },
            CopyFromDraft::Named { name } => CopyFrom::Deployment { name: name.clone() },
            CopyFromDraft::Deployment { deployment } => CopyFrom::Deployment { name: deployment.0.clone() },
        })
    }

    async fn candidates(
        &self,
        session: &Session,
        attribution: &Attribution,
        meant: &Meant<'_>,
    ) -> Result<Vec<Candidate>, Failure> {
        let templates = meant.templates();
        let named = |candidate: &Candidate, attribution: &Attribution| {
            let own = attribution.namespace(candidate.database, &candidate.key.0);
            own.is_some_and(|own| {
                templates.is_empty() || templates.iter().any(|one| one == own.template.as_str())
            })
        };
        match &meant.draft.keys {
            WarmKeys::Missed => {
                let missed = session.missed_keys(Window::OneMinute).into_iter();
                let found = missed.map(|key| Candidate { database: key.database, key: KeyName(key.key) });
                Ok(found.filter(|candidate| named(candidate, attribution)).collect())
            }
            WarmKeys::Run { run } => {
                let (opens, strategy) = (self.opens(run).await?, session.shared_strategy());
                let templates = templates.clone();
                let read = move || {
                    let attribution = Attribution::new(strategy);
                    candidates::of_run(&opens, |candidate| {
                        let own = attribution.namespace(candidate.database, &candidate.key.0);
                        own.is_some_and(|own| {
                            templates.is_empty() || templates.iter().any(|one| one == own.template.as_str())
                        })
                    })
                };
                let (found, _more) = super::desk::off_thread(read).await?;
                Ok(found)
            }
            WarmKeys::Expiring { within_seconds } => {
                let servers =
                    Servers::inspect(&session.discovered().await.map_err(super::desk::of_wire)?).await?;
                let (within, cancel) =
                    (Duration::from_secs(u64::from(*within_seconds)), CancellationToken::new());
                let mut all = Vec::new();
                for namespace in meant.namespaces() {
                    let scope = meant.scope(namespace)?;
                    all.extend(candidates::expiring(&servers, attribution, &scope, within, &cancel).await?);
                }
                Ok(all)
            }
            WarmKeys::Named { keys } => keys
                .iter()
                .map(|line| {
                    let key = parse_printable(line).ok_or_else(|| {
                        bad(format!("{line:?} ends within an escape"), r"write a backslash as \\")
                    })?;
                    Ok(Candidate { database: meant.database.unwrap_or(0), key: KeyName(key) })
                })
                .collect(),
        }
    }
}

/// Misses a second of the whole deployment over the last minute.
fn misses_per_second(session: &Session) -> Option<f64> {
    let snapshot = session.snapshot(Window::OneMinute);
    snapshot.instance.get(&ReadingKind::MissesPerSecond).and_then(|reading| reading.value)
}

/// Keys that are missed now, as actions take them.
pub(super) fn missed(session: &Session) -> Vec<MissedKey> {
    let keys = session.missed_keys(Window::OneMinute).into_iter();
    keys.map(|key| MissedKey {
        namespace: key.namespace,
        database: key.database,
        key: KeyName(key.key),
        per_second: key.per_second,
        cause: key.cause.to_owned(),
    })
    .collect()
}

/// One thing that is filled.
struct Filled<'s> {
    what: String,
    namespaces: Vec<&'s Namespace>,
    limit: usize,
    ttl: Option<Duration>,
}

/// A draft, read against the strategy.
struct Meant<'s> {
    draft: &'s WarmDraft,
    documented: Option<&'s WarmPlan>,
    items: Vec<Filled<'s>>,
    database: Option<u16>,
    strategy: &'s Strategy,
    /// What the loaders of the whole deployment have to do now; `None` while that is not known.
    misses_per_second: Option<f64>,
}

impl<'s> Meant<'s> {
    fn read(draft: &'s WarmDraft, strategy: &'s Strategy, database: Option<u16>) -> Result<Self, Failure> {
        let documented = match &draft.plan {
            None => None,
            Some(name) => Some(strategy.warm_plan(name).ok_or_else(|| {
                let known: Vec<_> = strategy.warm_plans.iter().map(|plan| plan.name.as_str()).collect();
                let remedy = match known.as_slice() {
                    [] => "give a strategy that has warm plans".to_owned(),
                    known => format!("choose one of {}", known.join(", ")),
                };
                bad(format!("there is no warm plan {name:?}"), remedy)
            })?),
        };
        let find = |asked: &str| {
            strategy
                .namespaces
                .iter()
                .find(|namespace| namespace.name == asked || namespace.template.as_str() == asked)
        };
        let mut items = Vec::new();
        for item in documented.iter().flat_map(|plan| &plan.items) {
            items.push(Filled {
                what: item.what.clone(),
                namespaces: item.namespaces.iter().filter_map(|name| find(name)).collect(),
                limit: item.limit.map_or(USUAL_KEYS, |limit| limit as usize).min(candidates::MOST),
                ttl: item.ttl,
            });
        }
        if let Some(asked) = &draft.namespace {
            let own = find(asked).ok_or_else(|| {
                bad(format!("the strategy documents no namespace {asked:?}"), "name one of its namespaces")
            })?;
            items.retain(|item| item.namespaces.iter().any(|one| one.template == own.template));
            if items.is_empty() {
                items.push(Filled {
                    what: own.title.clone(),
                    namespaces: vec![own],
                    limit: candidates::MOST,
                    ttl: None,
                });
            }
        }
        Ok(Self { draft, documented, items, database, strategy, misses_per_second: None })
    }

    fn title(&self) -> String {
        match (self.documented, self.items.as_slice()) {
            (Some(plan), _) => plan.title.clone(),
            (None, _) if self.draft.refresh => format!("Refresh {}", self.whats()),
            (None, _) => format!("Warm {}", self.whats()),
        }
    }

    fn whats(&self) -> String {
        match (self.items.as_slice(), &self.draft.keys) {
            ([], WarmKeys::Run { run }) => format!("what run {run} removed"),
            ([], WarmKeys::Named { keys }) => format!("{} named keys", keys.len()),
            ([], _) => "what is missed".to_owned(),
            (items, _) => items.iter().map(|item| item.what.as_str()).collect::<Vec<_>>().join(", "),
        }
    }

    fn namespaces(&self) -> Vec<&'s Namespace> {
        let mut all: Vec<&Namespace> = Vec::new();
        for namespace in self.items.iter().flat_map(|item| &item.namespaces) {
            if !all.iter().any(|known| known.template == namespace.template) {
                all.push(namespace);
            }
        }
        all
    }

    fn templates(&self) -> Vec<String> {
        self.namespaces().iter().map(|namespace| namespace.template.as_str().to_owned()).collect()
    }

    /// A plan that somebody else carries out, where nothing says how to do it from here.
    fn left_to_others(&self) -> Option<Action> {
        let plan = self.documented?;
        if self.draft.url.is_some() || self.draft.copy_from.is_some() || self.draft.refresh {
            return None;
        }
        let by = others(&plan.kind)?;
        Some(Action::Shown { what: self.title(), by: by.to_owned() })
    }

    fn copied_from(&self) -> Option<&'s CopyFromDraft> {
        self.draft.copy_from.as_ref()
    }

    fn scope(&self, namespace: &Namespace) -> Result<Scope, Failure> {
        let tenant = self.draft.tenant.as_deref();
        namespace_scope(namespace.template.as_str(), tenant, None, self.database, self.strategy)
    }

    fn copies(&self, from: &CopyFrom) -> Result<Vec<Action>, Failure> {
        let step = |what: String, scope: Option<Scope>, namespaces: Vec<String>| {
            let way = WarmWay::Copy {
                from: from.clone(),
                scope,
                jitter_percent: self.draft.jitter_percent.min(90),
            };
            let (limits, success) = (self.limits(), Success::default());
            Action::Warm { warm: Warm { what, way, limits, success, namespaces } }
        };
        if let WarmKeys::Named { keys } = &self.draft.keys {
            let keys = super::planning::key_lines(keys)?.into_iter().map(KeyName).collect::<Vec<_>>();
            let scope = Scope::Keys { keys, database: self.database.unwrap_or(0) };
            return Ok(vec![step(self.whats(), Some(scope), Vec::new())]);
        }
        let mut namespaces = self.namespaces();
        if namespaces.is_empty() && matches!(from, CopyFrom::Undo { .. }) {
            return Ok(vec![step("all that the undo file holds".to_owned(), None, Vec::new())]);
        }
        if namespaces.is_empty() {
            namespaces = self.strategy.namespaces.iter().filter(|namespace| !namespace.protected).collect();
        }
        if namespaces.is_empty() {
            return Err(bad(
                "it is not said which keys are copied",
                "name a namespace with --namespace, or a strategy",
            ));
        }
        let of = |namespace: &&Namespace| {
            let scope = self.scope(namespace)?;
            Ok(step(namespace.title.clone(), Some(scope), vec![namespace.template.as_str().to_owned()]))
        };
        namespaces.iter().map(of).collect()
    }

    fn refreshes(&self) -> Result<Vec<Action>, Failure> {
        let namespaces = self.namespaces();
        if namespaces.is_empty() {
            return Err(bad("it is not said what is refreshed", "name a namespace with --namespace"));
        }
        let soften_ms = self.draft.soften_seconds.map(|seconds| (seconds.clamp(1.0, 1e7) * 1_000.0) as u64);
        let step = |namespace: &&Namespace| {
            let mut success = self.success(namespace, None);
            success.refresh_below_ms = soften_ms.map_or(0, |ms| ms + 1);
            let warm = Warm {
                what: namespace.title.clone(),
                way: WarmWay::RequestEach {
                    endpoint: self.endpoint(namespace)?,
                    template: namespace.template.as_str().to_owned(),
                    keys: Vec::new(),
                    database: namespace.database.or(self.database).unwrap_or(0),
                },
                limits: self.limits_of_refresh(),
                success,
                namespaces: vec![namespace.template.as_str().to_owned()],
            };
            Ok(Action::Refresh { scope: self.scope(namespace)?, soften_ms, warm })
        };
        namespaces.iter().map(step).collect()
    }

    fn is_one_request(&self) -> bool {
        let documented = self.documented.is_some_and(|plan| matches!(plan.kind, WarmKind::Http { .. }));
        documented && self.draft.keys == WarmKeys::Missed
    }

    fn one_request(&self, attribution: &Attribution) -> Result<Warm, Failure> {
        let namespaces = self.namespaces();
        // Keys of templates without fields are known by name.
        let fixed: Vec<KeyName> = namespaces
            .iter()
            .filter(|namespace| namespace.template.fields().next().is_none())
            .filter_map(|namespace| fill(&namespace.template, &BTreeMap::new()).ok().map(KeyName))
            .collect();
        let all_fixed = fixed.len() == namespaces.len();
        let keys = if all_fixed { fixed } else { Vec::new() };
        let database = keys
            .first()
            .and_then(|key| attribution.namespace(self.database.unwrap_or(0), &key.0))
            .and_then(|namespace| namespace.database)
            .or(self.database)
            .unwrap_or(0);
        let endpoint = self.endpoint_of(self.url()?, None)?;
        let exists = !namespaces.is_empty();
        Ok(Warm {
            what: self.whats(),
            way: WarmWay::Request { endpoint, keys, database },
            limits: self.limits(),
            success: Success { exists, ..Success::default() },
            namespaces: self.templates(),
        })
    }

    fn each(&self, found: Vec<Candidate>, attribution: &Attribution) -> Result<Vec<Action>, Failure> {
        if let Some(most) = self.documented.and_then(|plan| plan.limits.only_below)
            && found.len() as u64 >= most
        {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("the plan runs only below {most}, and there are {} keys", found.len()),
                "warm a part of them by --namespace or --tenant",
            ));
        }
        let mut groups: Vec<(&Namespace, u16, Vec<KeyName>)> = Vec::new();
        let mut taken: HashMap<&str, usize> = HashMap::new();
        for candidate in found {
            let Some(namespace) = attribution.namespace(candidate.database, &candidate.key.0) else {
                let key = attribution.shown(candidate.database, &candidate.key.0);
                return Err(bad(
                    format!("{key} belongs to no namespace of the strategy, so its fields are not known"),
                    "leave it out, or document its namespace",
                ));
            };
            let own = self.strategy.namespaces.iter().find(|own| own.template == namespace.template);
            let Some(own) = own else { continue };
            let item =
                self.items.iter().find(|item| item.namespaces.iter().any(|one| one.template == own.template));
            let count = taken.entry(own.template.as_str()).or_default();
            if *count >= item.map_or(candidates::MOST, |item| item.limit) {
                continue;
            }
            *count += 1;
            let group = groups
                .iter_mut()
                .find(|(one, database, _)| one.template == own.template && *database == candidate.database);
            match group {
                Some((_, _, keys)) => keys.push(candidate.key),
                None => groups.push((own, candidate.database, vec![candidate.key])),
            }
        }
        if groups.is_empty() {
            return Err(bad(
                "no key is known that is worth warming",
                "watch the deployment for a minute first (--watch-for 60s), or name keys, a run or a time",
            ));
        }
        let step = |(namespace, database, keys): (&Namespace, u16, Vec<KeyName>)| {
            let item = self
                .items
                .iter()
                .find(|item| item.namespaces.iter().any(|one| one.template == namespace.template));
            let mut success = self.success(namespace, item.and_then(|item| item.ttl));
            if let WarmKeys::Expiring { within_seconds } = self.draft.keys {
                success.refresh_below_ms = u64::from(within_seconds) * 1_000 + 1;
            }
            let template = namespace.template.as_str().to_owned();
            Ok(Action::Warm {
                warm: Warm {
                    what: namespace.title.clone(),
                    way: WarmWay::RequestEach {
                        endpoint: self.endpoint(namespace)?,
                        template: template.clone(),
                        keys,
                        database,
                    },
                    limits: self.limits(),
                    success,
                    namespaces: vec![template],
                },
            })
        };
        groups.into_iter().map(step).collect()
    }

    fn success(&self, namespace: &Namespace, ttl: Option<Duration>) -> Success {
        let ttl = ttl.or(namespace.ttl);
        Success { ttl_ms: ttl.map(|ttl| ttl.as_millis() as u64), ..Success::default() }
    }

    /// Where no rate is given, a refresh adds a part of what the loaders do now, so that their peak stays near it.
    fn limits_of_refresh(&self) -> WarmLimits {
        let limits = self.limits();
        match self.misses_per_second {
            Some(misses) if self.draft.limits.is_none() => WarmLimits {
                per_minute: ((misses * REFRESH_SHARE * 60.0) as u32)
                    .clamp(SLOWEST_REFRESH, limits.per_minute.max(SLOWEST_REFRESH) * 100),
                ..limits
            },
            _ => limits,
        }
    }

    fn limits(&self) -> WarmLimits {
        if let Some(limits) = self.draft.limits {
            return limits;
        }
        let usual = WarmLimits::default();
        let Some(documented) = self.documented.map(|plan| plan.limits) else { return usual };
        WarmLimits {
            per_minute: documented.per_second.map_or(usual.per_minute, |rate| (rate * 60.0).ceil() as u32),
            concurrency: documented.concurrency.unwrap_or(usual.concurrency),
            most_errors: documented.max_errors.unwrap_or(usual.most_errors),
            ..usual
        }
    }

    fn url(&self) -> Result<String, Failure> {
        let documented = self.documented.and_then(|plan| match &plan.kind {
            WarmKind::Http { url, .. } | WarmKind::HttpEach { url, .. } => Some(url.as_str()),
            _ => None,
        });
        let url = self.draft.url.as_deref().or(documented).ok_or_else(|| {
            bad(
                "it is not said which URL fills a key",
                "give it with --url, with the key's fields as {field}",
            )
        })?;
        let mut whole = if url.contains("://") {
            url.to_owned()
        } else {
            let base = self.draft.base_url.as_deref().ok_or_else(|| {
                bad(
                    format!("the plan's URL {url} names no host"),
                    "give the application's address with --base-url",
                )
            })?;
            format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/'))
        };
        for (name, value) in &self.draft.parameters {
            whole = whole.replace(&format!("{{{name}}}"), value);
        }
        Ok(whole)
    }

    fn endpoint(&self, namespace: &Namespace) -> Result<Endpoint, Failure> {
        self.endpoint_of(self.url()?, Some(namespace))
    }

    fn endpoint_of(&self, url: String, namespace: Option<&Namespace>) -> Result<Endpoint, Failure> {
        let documented = self.documented.and_then(|plan| match &plan.kind {
            WarmKind::Http { method, .. } | WarmKind::HttpEach { method, .. } => Some(method.as_str()),
            _ => None,
        });
        let named = |text: &str| match namespace {
            Some(own) => pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.to_owned(),
                    Piece::Field("namespace") => own.name.clone(),
                    Piece::Field("query") => own
                        .template
                        .fields()
                        .map(|field| format!("{field}={{{field}}}"))
                        .collect::<Vec<_>>()
                        .join("&"),
                    Piece::Field(field) => format!("{{{field}}}"),
                })
                .collect(),
            None => text.to_owned(),
        };
        Ok(Endpoint {
            method: self.draft.method.as_deref().or(documented).unwrap_or("GET").to_ascii_uppercase(),
            url: named(&url),
            headers: self.draft.headers.clone(),
            body: named(&self.draft.body),
            secret: self.draft.secret.as_deref().map(SecretHeader::bearer),
            private_addresses: self.draft.private_addresses,
        })
    }
}

/// Who carries a plan out, where that is not done from here.
fn others(kind: &WarmKind) -> Option<&'static str> {
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
