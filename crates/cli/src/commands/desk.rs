//! The desk of `cachescope purge` and `cachescope warm`, and where a token was meant, so that it need not be typed again.

use std::sync::Arc;

use cachescope_actions::clock::MachineClock;
use cachescope_app::actions::Desk;
use cachescope_app::host::state_directory;
use cachescope_app::session::{ScanPlan, Session};
use cachescope_model::deployment::{DeploymentId, Environment, SshHop};
use cachescope_model::window::Window;
use cachescope_store::Store;
use serde::{Deserialize, Serialize};

use crate::arguments::{Common, EnvironmentName, Target};
use crate::deployment;
use crate::failure::Failure;

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
