//! From what an operator means by a warm to a plan, and what a warm works with: `meant` reads a draft, `steps` makes a
//! plan's steps of it, `asked` says which endpoint and how gently, `documented` shows a strategy's plans.

mod asked;
mod documented;
mod meant;
mod steps;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cachescope_actions::Failure;
use cachescope_actions::plan::{Action, HowToRun, KeyName, Plan};
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::UndoReader;
use cachescope_actions::warm::candidates::{self, Candidate};
use cachescope_actions::warm::{
    CopyFrom, CopySource, EndpointSecrets, MissedKey, OpensUndo, Warm, WarmContext, WarmWay,
};
use cachescope_model::deployment::DeploymentId;
use cachescope_model::key::parse_printable;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::window::Window;
use cachescope_sources::redis::TlsOptions;
use cachescope_store::{Secrets, SecretsState};
pub use documented::warm_plans;
use meant::Meant;
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::planning::{bad, database_of};
use super::schedules::Schedules;
use crate::session::Session;
use crate::wire::{CopyFromDraft, WarmDraft, WarmKeys};

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
