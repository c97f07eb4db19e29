//! Undo files and tokens of endpoints with a real keychain: GNOME Keyring on a bus and in a home of its own.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cachescope_app::wire::{
    ActionDraft, DeploymentDraft, EndpointsDraft, Reply, Request, SecretsPlace, UndoPart,
};
use cachescope_app::{App, Host};
use cachescope_lab::servers::{RedisOptions, RedisServer, install_crypto};
use cachescope_model::deployment::{DeploymentId, Environment};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct WithKeychain(PathBuf);

impl Host for WithKeychain {
    fn version(&self) -> String {
        "0.0.0-test".to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.0.clone()
    }

    fn companion(&self) -> Option<PathBuf> {
        None
    }

    fn uses_keychain(&self) -> bool {
        true
    }
}

struct Keyring(Child);

impl Keyring {
    fn start() -> Self {
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon is installed");
        let mut password = daemon.stdin.take().expect("its input is piped");
        std::io::Write::write_all(&mut password, b"keychain-password").expect("it reads the password");
        Self(daemon)
    }

    /// A keychain that answers.
    async fn ready() -> Self {
        let keyring = Self::start();
        let secrets = cachescope_store::Secrets::keychain();
        let ready = async {
            while secrets.settled_state().await != cachescope_store::SecretsState::Keychain {
                let probe = secrecy::SecretString::from("probe");
                secrets.set(&DeploymentId("probe".to_owned()), "probe", probe).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the keychain answers");
        keyring
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.0.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a part on a bus and in a home of its own.
fn run_part(part: &str) {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("dbus-run-session");
    command
        .arg("--")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", part, "--ignored", "--nocapture"])
        .env("CACHESCOPE_KEYCHAIN_PART", home.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
        command.env(variable, home.path());
    }
    let output = command.output().expect("dbus-run-session is installed");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn undo_files_and_tokens_need_the_keychain_that_they_were_made_with() {
    run_part("part_with_a_keychain");
}

#[test]
fn deployments_begin_without_a_slow_keychain_and_with_their_passwords_when_it_answers() {
    run_part("part_with_a_slow_keychain");
}

async fn started(directory: &Path) -> App {
    let app = App::start(WithKeychain(directory.to_owned())).await;
    // The keychain takes a moment to be on the bus; until then secrets would go to memory.
    let Ok(Reply::AppInfo(info)) = app.handle(Request::AppInfo {}).await else { panic!("told") };
    assert_eq!(info.secrets, SecretsPlace::Keychain);
    app
}

async fn purged(app: &App, deployment: &DeploymentId) -> String {
    let draft = ActionDraft::Pattern { pattern: "k:*".to_owned(), database: None };
    let asked = Request::PreviewAction { deployment: deployment.clone(), draft, how: None };
    let Ok(Reply::PreviewAction(started)) = app.handle(asked).await else { panic!("it begins") };
    let waited = async {
        let previewed = loop {
            let asked = Request::PreviewProgress { preview: started.preview.clone() };
            let Ok(Reply::PreviewProgress(progress)) = app.handle(asked).await else { panic!("told") };
            assert_eq!(progress.failed, None);
            match progress.finished {
                Some(finished) => break finished,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        assert!(previewed.preview.undo.sentence.contains("keychain"), "{}", previewed.preview.undo.sentence);
        let asked = Request::RunAction {
            deployment: deployment.clone(),
            approval: previewed.approval.map(|approval| approval.token).expect("nothing refuses"),
            plan_hash: previewed.preview.plan_hash,
            typed_name: None,
            reason: None,
        };
        let Ok(Reply::RunAction(run)) = app.handle(asked).await else { panic!("it starts") };
        loop {
            let Ok(Reply::Run(state)) = app.handle(Request::Run { run: run.run.clone() }).await else {
                panic!("told")
            };
            if !state.phase.is_alive() {
                assert_eq!(state.counts.removed, 50, "{}", state.why);
                return run.run;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part: undo_files_and_tokens_need_the_keychain_that_they_were_made_with runs it"]
async fn part_with_a_keychain() {
    let home = std::env::var_os("CACHESCOPE_KEYCHAIN_PART").map(PathBuf::from).expect("it is a part");
    let keyring = Keyring::ready().await;
    install_crypto();
    let server = RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed");
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in 0..50 {
        pipe.cmd("SET").arg(format!("k:{number}")).arg("v");
    }
    pipe.exec_async(&mut connection).await.expect("filled");
    let directory = home.join("state");
    std::fs::create_dir(&directory).expect("made");
    let app = started(&directory).await;
    let draft = DeploymentDraft {
        environment: Some(Environment::Development),
        redis_url: server.address(),
        ..DeploymentDraft::default()
    };
    let Ok(Reply::SaveDeployment(deployment)) = app.handle(Request::SaveDeployment { draft }).await else {
        panic!("saved")
    };
    let draft = EndpointsDraft {
        application_url: "https://app.example".to_owned(),
        application_token: Some("hunter2".to_owned()),
        ..EndpointsDraft::default()
    };
    let asked = Request::SetEndpoints { deployment: deployment.clone(), draft };
    let Ok(Reply::SetEndpoints(kept)) = app.handle(asked).await else { panic!("kept") };
    assert!(kept.has_application_token);
    let run = purged(&app, &deployment).await;
    app.stop().await;
    assert!(!directory.join("undo.key").exists(), "no key lies beside the files");

    // Another program of the same user: it finds key and token in the keychain.
    let app = started(&directory).await;
    let asked = Request::Endpoints { deployment: deployment.clone() };
    let Ok(Reply::Endpoints(known)) = app.handle(asked).await else { panic!("told") };
    assert_eq!(known, kept);
    let asked = Request::UndoRun { run: run.clone(), part: UndoPart::default() };
    let undone = app.handle(asked).await.map_err(|error| error.message);
    let Reply::UndoRun(undone) = undone.expect("undone") else { panic!("another reply") };
    assert_eq!((undone.restored, undone.complete), (50, true));
    app.stop().await;

    // Without the keychain the file can't be read, and one sentence says so.
    drop(keyring);
    let app = App::start(WithKeychain(directory.clone())).await;
    let asked = Request::UndoRun { run, part: UndoPart::default() };
    let error = app.handle(asked).await.expect_err("the key is not here");
    assert!(error.message.contains("keychain") && !error.message.contains('\n'), "{}", error.message);
    app.stop().await;
}

/// Whether the only deployment has its password, and where secrets go.
async fn known(app: &App) -> (bool, SecretsPlace) {
    let Ok(Reply::Deployments(views)) = app.handle(Request::Deployments {}).await else { panic!("told") };
    let Ok(Reply::AppInfo(info)) = app.handle(Request::AppInfo {}).await else { panic!("told") };
    (views.first().is_some_and(|view| view.has_redis_password), info.secrets)
}

async fn until(what: &str, app: &App, is_so: impl Fn(&(bool, SecretsPlace)) -> bool) {
    let waiting = async {
        while !is_so(&known(app).await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part: deployments_begin_without_a_slow_keychain_and_with_their_passwords_when_it_answers runs it"]
async fn part_with_a_slow_keychain() {
    let home = std::env::var_os("CACHESCOPE_KEYCHAIN_PART").map(PathBuf::from).expect("it is a part");
    let keyring = Keyring::ready().await;
    install_crypto();
    let directory = home.join("state");
    std::fs::create_dir(&directory).expect("made");
    let app = started(&directory).await;
    let draft = DeploymentDraft {
        redis_url: "127.0.0.1:1".to_owned(),
        redis_password: Some("hunter2".to_owned()),
        ..DeploymentDraft::default()
    };
    assert!(app.handle(Request::SaveDeployment { draft }).await.is_ok());
    assert_eq!(known(&app).await, (true, SecretsPlace::Keychain));
    app.stop().await;

    keyring.signal("STOP");
    let app = App::start(WithKeychain(directory)).await;
    let (has_password, _) = known(&app).await;
    assert!(!has_password, "it is there without its password");
    let in_memory = |place: &SecretsPlace| matches!(place, SecretsPlace::SessionOnly { .. });
    until("it is said that the keychain does not answer", &app, |(_, place)| in_memory(place)).await;
    // Asked again while it still does not answer.
    let Ok(Reply::AskKeychain(info)) = app.handle(Request::AskKeychain {}).await else { panic!("told") };
    assert!(in_memory(&info.secrets) && info.keychain);
    keyring.signal("CONT");
    until("it has its password", &app, |known| *known == (true, SecretsPlace::Keychain)).await;
    app.stop().await;
}
