//! Secrets in a real Secret Service: GNOME Keyring on a bus and in a home of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cachescope_model::deployment::DeploymentId;
use cachescope_store::{Secrets, SecretsState};
use secrecy::{ExposeSecret, SecretString};

use crate::parts;

const SECRET: &str = "correct-horse-battery";
const OTHER: &str = "staple";

/// Starts a part on a bus of its own, with directories that no other keychain uses.
fn run_on_own_bus(part: &str) {
    let needed: [&[&str]; 3] = [
        &["dbus-run-session", "--version"],
        &["gnome-keyring-daemon", "--version"],
        &["sh", "-c", "command -v dbus-send"],
    ];
    if !needed.iter().all(|command| parts::can_run(command)) {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let output = parts::command(&["dbus-run-session", "--"], part, home.path())
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_CACHE_HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("dbus-run-session can be started");
    parts::assert_passed(part, &output);
}

/// An unlocked keychain; it ends with the test.
struct Keyring(Child);

impl Keyring {
    fn start() -> Self {
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon can be started");
        let mut password = daemon.stdin.take().expect("its input is piped");
        std::io::Write::write_all(&mut password, b"keychain-password").expect("it reads the password");
        drop(password);
        until("the keychain is on the bus", || {
            bus(
                "org.freedesktop.DBus",
                "/",
                "org.freedesktop.DBus.NameHasOwner",
                &["string:org.freedesktop.secrets"],
            )
            .contains("boolean true")
        });
        Self(daemon)
    }

    /// Stops it (`STOP`) so that it answers nothing, or lets it go on (`CONT`).
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill can be started").success());
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bus(destination: &str, path: &str, method: &str, arguments: &[&str]) -> String {
    let output = Command::new("dbus-send")
        .args(["--session", "--print-reply", &format!("--dest={destination}"), path, method])
        .args(arguments)
        .output()
        .expect("dbus-send can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn id(text: &str) -> DeploymentId {
    DeploymentId(text.to_owned())
}

async fn exposed(secrets: &Secrets, deployment: &str, name: &str) -> Option<String> {
    secrets.get(&id(deployment), name).await.map(|secret| secret.expose_secret().to_owned())
}

/// What the keychain holds, asked past [`Secrets`]; the library must not be used on an async thread.
fn in_keychain(account: &'static str) -> Option<String> {
    let ask = move || match keyring::Entry::new("cachescope", account).and_then(|entry| entry.get_secret()) {
        Ok(bytes) => Some(String::from_utf8(bytes).expect("it is text")),
        Err(keyring::Error::NoEntry) => None,
        Err(error) => panic!("the keychain can be asked: {error}"),
    };
    std::thread::spawn(ask).join().expect("the keychain answers")
}

fn reason(state: &SecretsState) -> &str {
    match state {
        SecretsState::SessionOnly { reason } => reason,
        SecretsState::Keychain => panic!("it must not claim to be in the keychain"),
    }
}

#[test]
fn secrets_outlive_the_process_in_the_keychain_and_are_removed_together() {
    run_on_own_bus("keychain::part_with_an_unlocked_keychain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part: secrets_outlive_the_process_in_the_keychain_and_are_removed_together runs it"]
async fn part_with_an_unlocked_keychain() {
    let Some(directory) = parts::directory() else { return };
    let _keyring = Keyring::start();
    let secrets = Secrets::keychain();
    assert_eq!(secrets.settled_state().await, SecretsState::Keychain);
    for (deployment, name, value) in [
        ("a", "redis-password", "old"),
        ("a", "redis-password", SECRET),
        ("a", "ca", "-----BEGIN\nCERTIFICATE-----\n\u{1F511}"),
        ("b", "redis-password", OTHER),
    ] {
        let went = secrets.set(&id(deployment), name, SecretString::from(value)).await;
        assert_eq!(went, SecretsState::Keychain, "{deployment} {name}");
    }
    assert_eq!(in_keychain("a/redis-password").as_deref(), Some(SECRET));

    parts::run(&[], "keychain::part_that_reads_what_another_process_stored", &directory);

    assert_eq!(secrets.remove(&id("a")).await, SecretsState::Keychain);
    for account in ["a", "a/redis-password", "a/ca"] {
        assert_eq!(in_keychain(account), None, "{account}");
    }
    assert_eq!(exposed(&secrets, "b", "redis-password").await.as_deref(), Some(OTHER));
    assert_eq!(secrets.remove(&id("never seen")).await, SecretsState::Keychain);
}

#[tokio::test]
#[ignore = "a part: secrets_outlive_the_process_in_the_keychain_and_are_removed_together runs it"]
async fn part_that_reads_what_another_process_stored() {
    if parts::directory().is_none() {
        return;
    }
    let secrets = Secrets::keychain();
    assert_eq!(exposed(&secrets, "a", "redis-password").await.as_deref(), Some(SECRET));
    let certificate = exposed(&secrets, "a", "ca").await;
    assert_eq!(certificate.as_deref(), Some("-----BEGIN\nCERTIFICATE-----\n\u{1F511}"));
    assert_eq!(exposed(&secrets, "a", "prometheus-password").await, None);
    assert_eq!(secrets.state(), SecretsState::Keychain);
}

#[test]
fn a_locked_keychain_leaves_secrets_in_memory_and_says_so() {
    run_on_own_bus("keychain::part_with_a_locked_keychain");
}

#[tokio::test]
#[ignore = "a part: a_locked_keychain_leaves_secrets_in_memory_and_says_so runs it"]
async fn part_with_a_locked_keychain() {
    if parts::directory().is_none() {
        return;
    }
    let _keyring = Keyring::start();
    let secrets = Secrets::keychain();
    assert_eq!(secrets.set(&id("a"), "ca", SecretString::from("pem")).await, SecretsState::Keychain);
    let collection = "/org/freedesktop/secrets/collection/login";
    bus(
        "org.freedesktop.secrets",
        "/org/freedesktop/secrets",
        "org.freedesktop.Secret.Service.Lock",
        &[&format!("array:objpath:{collection}")],
    );

    let went = secrets.set(&id("a"), "redis-password", SecretString::from(SECRET)).await;
    assert!(reason(&went).contains("unlock it"), "{went:?}");
    assert_eq!(secrets.state(), went);
    assert_eq!(exposed(&secrets, "a", "redis-password").await.as_deref(), Some(SECRET));
    assert_eq!(exposed(&secrets, "a", "ca").await, None, "what is locked in is not known");
    let printed = format!("{secrets:?} {went:?}");
    assert!(!printed.contains(SECRET), "{printed}");
}

#[test]
fn what_a_hanging_keychain_missed_is_stored_when_it_answers_again() {
    run_on_own_bus("keychain::part_with_a_hanging_keychain");
}

#[tokio::test]
#[ignore = "a part: what_a_hanging_keychain_missed_is_stored_when_it_answers_again runs it"]
async fn part_with_a_hanging_keychain() {
    if parts::directory().is_none() {
        return;
    }
    let keyring = Keyring::start();
    let secrets = Secrets::keychain();
    let gone = secrets.set(&id("gone"), "redis-password", SecretString::from(OTHER)).await;
    assert_eq!(gone, SecretsState::Keychain);

    keyring.signal("STOP");
    assert_eq!(exposed(&secrets, "a", "redis-password").await, None);
    assert!(reason(&secrets.state()).contains("did not answer within 5 s"), "{:?}", secrets.state());
    let went = secrets.set(&id("a"), "redis-password", SecretString::from(SECRET)).await;
    assert!(reason(&went).contains("did not answer within 5 s"), "{went:?}");
    assert_eq!(exposed(&secrets, "a", "redis-password").await.as_deref(), Some(SECRET));
    reason(&secrets.remove(&id("gone")).await);
    assert_eq!(exposed(&secrets, "gone", "redis-password").await, None);

    keyring.signal("CONT");
    until("the keychain answers again", || secrets.state() == SecretsState::Keychain);
    assert_eq!(in_keychain("a/redis-password").as_deref(), Some(SECRET));
    assert_eq!(in_keychain("gone/redis-password"), None);
    assert_eq!(exposed(&secrets, "a", "redis-password").await.as_deref(), Some(SECRET));
}

#[test]
fn without_a_bus_secrets_stay_in_memory_and_it_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let nowhere = |path: &Path| format!("unix:path={}", path.join("no-bus").display());
    let part = "keychain::part_without_a_bus";
    let output = parts::command(&[], part, directory.path())
        .env("DBUS_SESSION_BUS_ADDRESS", nowhere(directory.path()))
        .output()
        .expect("this binary can be started");
    parts::assert_passed(part, &output);
}

#[tokio::test]
#[ignore = "a part: without_a_bus_secrets_stay_in_memory_and_it_says_so runs it"]
async fn part_without_a_bus() {
    if parts::directory().is_none() {
        return;
    }
    let secrets = Secrets::keychain();
    let settled = secrets.settled_state().await;
    assert!(reason(&settled).contains("no keychain can be reached"), "{settled:?}");
    let went = secrets.set(&id("a"), "redis-password", SecretString::from(SECRET)).await;
    assert_eq!(went, settled);
    assert_eq!(exposed(&secrets, "a", "redis-password").await.as_deref(), Some(SECRET));
    assert!(!format!("{secrets:?} {went:?}").contains(SECRET));
    secrets.remove(&id("a")).await;
    assert_eq!(exposed(&secrets, "a", "redis-password").await, None);
}
