//! An app with one deployment on a real server.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cachescope_app::host::Doing;
use cachescope_app::wire::{AlertView, AlertsPage, DeploymentDraft, Reply, Request};
use cachescope_app::{App, Host, Notice, Pace, Standing};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::alert::AlertState;
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_notifications::{Notification, Notifier};
use parking_lot::Mutex;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A fifth of the time that people are given.
pub(crate) const HURRIED: Pace = Pace {
    evaluate_every: Duration::from_secs(1),
    group_for: Duration::from_secs(2),
    tell_again_after: Duration::from_secs(8),
};

/// What the host was asked to show.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    pub(crate) notices: Arc<Mutex<Vec<Notice>>>,
    pub(crate) standings: Arc<Mutex<Vec<Standing>>>,
    /// Shows notices on the screen as well; a click opens their alert.
    pub(crate) screen: Option<Screen>,
}

/// A desktop with a notification daemon.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    notifier: Notifier,
    app: Arc<OnceLock<App>>,
}

struct TestHost {
    directory: PathBuf,
    shown: Shown,
}

impl Host for TestHost {
    fn version(&self) -> String {
        "0.0.0-test".to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn companion(&self) -> Option<PathBuf> {
        None
    }

    fn notify(&self, notice: Notice) -> Doing<Result<(), String>> {
        self.shown.notices.lock().push(notice.clone());
        let Some(Screen { notifier, app }) = self.shown.screen.clone() else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let notification =
            Notification { title: notice.title, body: notice.body, urgent: true, sound: notice.sound };
        let clicked = move || app.get().expect("the app has begun").open_alert(notice.alert);
        Box::pin(async move {
            let shown = tokio::task::spawn_blocking(move || notifier.show(notification, clicked)).await;
            shown.expect("it does not panic")
        })
    }

    fn show_standing(&self, standing: Standing) {
        self.shown.standings.lock().push(standing);
    }

    fn pace(&self) -> Pace {
        HURRIED
    }

    fn uses_keychain(&self) -> bool {
        false
    }
}

pub(crate) struct Bench {
    pub(crate) state: tempfile::TempDir,
    pub(crate) server: RedisServer,
    pub(crate) app: App,
    pub(crate) shown: Shown,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(Shown::default()).await
    }

    /// Where notices go to the screen as well.
    pub(crate) async fn start_on_screen() -> Self {
        Self::start_with(Shown { screen: Some(Screen::default()), ..Shown::default() }).await
    }

    async fn start_with(shown: Shown) -> Self {
        cachescope_lab::servers::install_crypto();
        let state = tempfile::tempdir().expect("a directory");
        let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
        let app = start(&state, &shown).await;
        if let Some(screen) = &shown.screen {
            assert!(screen.app.set(app.clone()).is_ok(), "it begins once");
        }
        Self { state, server, app, shown }
    }

    /// Stops the app and starts it again on what it kept.
    pub(crate) async fn restart(&mut self) {
        self.app.stop().await;
        self.app = start(&self.state, &self.shown).await;
    }

    /// Sets so many keys.
    pub(crate) async fn set_keys(&self, count: u32) {
        let mut connection = self.server.connection().await.expect("it is there");
        for number in 0..count {
            let key = format!("user:{number}");
            redis::cmd("SET").arg(key).arg("x").exec_async(&mut connection).await.expect("it is set");
        }
    }

    pub(crate) async fn flush(&self) {
        let mut connection = self.server.connection().await.expect("it is there");
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("it is flushed");
    }

    /// A deployment whose strategy has these rules.
    pub(crate) async fn deploy(&self, rules: &str, prometheus: Option<String>) -> DeploymentId {
        let file = self.state.path().join("strategy.toml");
        let head = "name = \"shop\"\ntitle = \"The shop\"\n[[namespace]]\nname = \"user\"\ntitle = \"Users\"\n\
                    template = \"user:{userId}\"\nttl = \"1h\"\n";
        std::fs::write(&file, format!("{head}{rules}")).expect("it can be written");
        let draft = DeploymentDraft {
            name: "prod".to_owned(),
            environment: Some(Environment::Development),
            redis_url: self.server.address(),
            prometheus_url: prometheus.unwrap_or_default(),
            strategy: file.display().to_string(),
            ..DeploymentDraft::default()
        };
        match self.ask(Request::SaveDeployment { draft }).await {
            Reply::SaveDeployment(id) => id,
            other => panic!("saving was answered with {other:?}"),
        }
    }

    pub(crate) async fn ask(&self, request: Request) -> Reply {
        let asked = format!("{request:?}");
        self.app.handle(request).await.unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    pub(crate) async fn alerts(&self) -> AlertsPage {
        match self.ask(Request::Alerts { deployment: None, namespace: None, at_most: None }).await {
            Reply::Alerts(page) => page,
            other => panic!("alerts were answered with {other:?}"),
        }
    }

    /// Waits until an alert of this rule is in this state.
    pub(crate) async fn until(&self, rule: &str, state: AlertState) -> AlertView {
        wait_for(&format!("{rule} is {state:?}"), async || {
            let page = self.alerts().await;
            page.alerts.into_iter().find(|view| view.alert.rule == rule && view.alert.state == state)
        })
        .await
    }
}

async fn start(state: &tempfile::TempDir, shown: &Shown) -> App {
    App::start(TestHost { directory: state.path().to_owned(), shown: shown.clone() }).await
}

/// Asks again and again until there is an answer.
pub(crate) async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
