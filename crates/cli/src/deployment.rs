//! From what was typed to a session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cachescope_app::deployments;
use cachescope_app::session::{ScanPlan, Session, SessionPlan};
use cachescope_app::strategies;
use cachescope_app::wire::{ConnectionState, DeploymentDraft};
use cachescope_model::deployment::Environment;
use cachescope_model::reading_kind::ReadingKind;
use cachescope_model::snapshot::NamespaceSnapshot;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_model::window::Window;
use cachescope_sources::http::HttpOptions;
use cachescope_sources::redis::TlsOptions;

use crate::arguments::{Common, EnvironmentName, Target};
use crate::failure::Failure;
use crate::ssh_arguments::Ssh;

/// The variable that may hold the Redis password, so that it stands in no process list.
const PASSWORD_VARIABLE: &str = "CACHESCOPE_REDIS_PASSWORD";

/// A password file is one line; this is more than any.
const MOST_PASSWORD_BYTES: u64 = 64 * 1024;

/// The typed target as a draft.
pub(crate) fn draft(target: &Target, common: &Common) -> Result<DeploymentDraft, Failure> {
    let path = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let way = &target.way;
    if target.ssh_http && way.ssh.is_none() {
        return Err(Failure::input("--ssh-http needs an SSH server: give it with --ssh"));
    }
    Ok(DeploymentDraft {
        environment: common.environment.map(|name| match name {
            EnvironmentName::Development => Environment::Development,
            EnvironmentName::Staging => Environment::Staging,
            EnvironmentName::Production => Environment::Production,
        }),
        redis_url: target.redis.clone().unwrap_or_default(),
        redis_password: password(target)?,
        ssh: way.ssh.clone().unwrap_or_default(),
        ssh_key_file: path(&way.ssh_key),
        ssh_secret: way.secret()?,
        ssh_http: target.ssh_http,
        prometheus_url: target.prometheus.clone().unwrap_or_default(),
        metrics_urls: target.metrics.clone(),
        strategy: target.strategy.clone().unwrap_or_default(),
        ca_file: path(&common.ca),
        cert_file: path(&common.cert),
        key_file: path(&common.key),
        ..DeploymentDraft::default()
    })
}

pub(crate) fn prompted(words: &str) -> Result<Option<String>, Failure> {
    rpassword::prompt_password(words)
        .map(Some)
        .map_err(|error| Failure::input(format!("the password can't be read: {error}")))
}

fn password(target: &Target) -> Result<Option<String>, Failure> {
    if target.ask_password {
        return prompted("Redis password: ");
    }
    if let Some(path) = &target.password_file {
        let unreadable = |error: std::io::Error| {
            Failure::input(format!("the password file {} can't be read: {error}", path.display()))
        };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_PASSWORD_BYTES {
            return Err(Failure::input(format!("{} is too large for a password file", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()))
}

/// How a command that speaks to one address over HTTP reaches it.
pub(crate) fn http_options(common: &Common, way: &Ssh) -> Result<HttpOptions, Failure> {
    Ok(HttpOptions {
        ssh: way.tunnel()?,
        tls: TlsOptions { ca: common.ca.clone(), cert: common.cert.clone(), key: common.key.clone() },
        timeout: common.timeout,
        connect_timeout: common.timeout.min(Duration::from_secs(5)),
        ..HttpOptions::default()
    })
}

/// The named sources.
fn sources(names: &[String]) -> Result<BTreeSet<SourceId>, Failure> {
    names
        .iter()
        .map(|name| {
            SourceId::ALL.iter().map(|spec| spec.id).find(|id| id.name() == name.trim()).ok_or_else(|| {
                let known: Vec<_> = SourceId::ALL.iter().map(|spec| spec.id.name()).collect();
                Failure::input(format!("there is no source {name:?}; there are {}", known.join(", ")))
            })
        })
        .collect()
}

/// Reads the target and its strategy into a plan. A strategy that can't be used ends the command: its figures
/// would be about other namespaces than the ones asked for.
pub(crate) async fn plan(
    target: &Target,
    common: &Common,
    named: Option<&[String]>,
    scan: ScanPlan,
) -> Result<SessionPlan, Failure> {
    let draft = draft(target, common)?;
    let (deployment, secrets) = deployments::from_draft(&draft)?;
    let chosen = match named {
        Some(names) => Some(sources(names)?),
        None => None,
    };
    if let Some(name) = &deployment.strategy {
        strategies::resolve(name.clone())
            .await
            .map_err(|error| Failure::input(error.sentences().join(" / ")))?;
    }
    let mut plan = deployments::plan(deployment, secrets).await;
    plan.sources = chosen;
    plan.scan = scan;
    plan.timeout = common.timeout;
    if let Some(key) = target.way.trusted()? {
        plan.trust(key);
    }
    Ok(plan)
}

/// Starts a session and waits until `done` says so of it, at most for `patience`; fails at once when the
/// deployment turns out to be out of reach.
pub(crate) async fn watch_until(
    session: &Arc<Session>,
    patience: Duration,
    done: impl Fn(&Session) -> bool,
) -> Result<(), Failure> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut ticks = session.ticks();
    loop {
        if done(session) {
            return Ok(());
        }
        out_of_reach(session)?;
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return out_of_reach(session),
            changed = ticks.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// Whether a scan has brought its figures, or is in one of the `hopeless` states.
pub(crate) fn scan_ended(session: &Session, hopeless: &[SourceHealth]) -> bool {
    let snapshot = session.snapshot(Window::OneMinute);
    let counted = |row: &NamespaceSnapshot| row.readings.value(ReadingKind::Keys).is_some();
    let mut statuses = snapshot.sources.iter();
    statuses.any(|status| status.source == SourceId::Scan && hopeless.contains(&status.health))
        || snapshot.namespaces.iter().any(counted)
}

/// Waits for the first data. The sources of a server connect one after the other, and connecting and the first
/// request may each take the timeout.
pub(crate) async fn first_data(session: &Arc<Session>, timeout: Duration) -> Result<(), Failure> {
    let patience = timeout * 4 + Duration::from_secs(1);
    watch_until(session, patience, Session::has_data).await?;
    if session.has_data() {
        return Ok(());
    }
    Err(Failure::server(
        format!("nothing was received within {} s", patience.as_secs()),
        "check the addresses, or give it longer with --timeout",
    ))
}

/// The failure of a deployment that has never been reached.
fn out_of_reach(session: &Session) -> Result<(), Failure> {
    let snapshot = session.snapshot(Window::OneMinute);
    let connection = session.connection(&snapshot.sources);
    if connection.state != ConnectionState::Failed {
        return Ok(());
    }
    let remedy = snapshot
        .sources
        .iter()
        .find(|status| status.health == SourceHealth::Failed && !status.remedy.is_empty())
        .map(|status| status.remedy.clone())
        .unwrap_or_default();
    Err(Failure::server(connection.detail, remedy))
}
