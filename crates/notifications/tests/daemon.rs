//! Notifications with a real daemon (dunst) on a bus and a screen of their own.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cachescope_notifications::{Notification, Notifier};

/// Set for the run on a bus of its own.
const INSIDE: &str = "CACHESCOPE_TEST_OWN_BUS";

/// Runs one of these tests again on a session bus and a screen of its own.
fn on_own_bus(test: &str) {
    let program = std::env::current_exe().expect("the test's own program");
    let run = Command::new("dbus-run-session")
        .args(["--", "xvfb-run", "-a"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("dbus-run-session and xvfb-run are installed (cargo xtask setup)");
    let told = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
}

/// A daemon that ends with the test.
struct Dunst(Child);

impl Drop for Dunst {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Dunst {
    fn start() -> Self {
        assert!(std::env::var_os(INSIDE).is_some(), "run by the test of the same name without `inside_`");
        let daemon = Command::new("dunst")
            .args(["-conf", "/dev/null"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dunst is installed (cargo xtask setup)");
        let dunst = Self(daemon);
        wait_for("the daemon answers", || dunstctl(&["count"]).status.success());
        dunst
    }
}

fn dunstctl(arguments: &[&str]) -> Output {
    Command::new("dunstctl").args(arguments).output().expect("dunstctl comes with dunst")
}

fn displayed() -> String {
    String::from_utf8_lossy(&dunstctl(&["count", "displayed"]).stdout).trim().to_owned()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn notification(title: &str) -> Notification {
    Notification {
        title: title.to_owned(),
        body: "Hit rate 71 %, target 95 %. <b>no markup</b>".to_owned(),
        urgent: true,
        sound: false,
    }
}

#[test]
fn a_real_daemon_shows_it_and_a_click_is_reported_once() {
    on_own_bus("inside_a_real_daemon_shows_it_and_a_click_is_reported_once");
}

#[test]
#[ignore = "runs on a bus of its own, started by the test without `inside_`"]
fn inside_a_real_daemon_shows_it_and_a_click_is_reported_once() {
    let _dunst = Dunst::start();
    let (click, clicked) = mpsc::channel();
    let shown = Notifier::new().show(notification("prod: Sessions"), move || {
        click.send(()).expect("the test waits");
    });
    assert_eq!(shown, Ok(()));
    wait_for("it is on the screen", || displayed() == "1");
    assert!(clicked.try_recv().is_err(), "nobody has clicked yet");
    assert!(dunstctl(&["action", "0"]).status.success());
    clicked.recv_timeout(Duration::from_secs(10)).expect("the click is reported");
    assert!(clicked.recv_timeout(Duration::from_millis(200)).is_err(), "once");
}
