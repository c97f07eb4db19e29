//! A real notification daemon on a bus and a screen of its own: what it shows, and what a click on it does.

use std::process::{Child, Command, Stdio};

use cachescope_app::wire::View;
use cachescope_model::alert::AlertState;
use cachescope_model::window::Window;

use crate::support::{Bench, wait_for};
use crate::told::{a_hundred_rules, opened};

/// Set for the run on a bus of its own.
const INSIDE: &str = "CACHESCOPE_TEST_OWN_BUS";

/// A daemon that ends with the test.
struct Dunst(Child);

impl Drop for Dunst {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn dunstctl(arguments: &[&str]) -> Option<String> {
    let told = Command::new("dunstctl").args(arguments).output().expect("dunstctl comes with dunst");
    told.status.success().then(|| String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

#[test]
fn a_real_daemon_shows_one_notification_for_a_hundred_alerts_and_its_click_opens_the_worst() {
    let program = std::env::current_exe().expect("the test's own program");
    let run = Command::new("dbus-run-session")
        .args(["--", "xvfb-run", "-a"])
        .arg(program)
        .args(["--exact", "desktop::inside_one_notification_and_its_click", "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("dbus-run-session and xvfb-run are installed (cargo xtask setup)");
    let told = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on a bus of its own, started by the test above"]
async fn inside_one_notification_and_its_click() {
    assert!(std::env::var_os(INSIDE).is_some(), "it is started by the test above");
    let daemon = Command::new("dunst")
        .args(["-conf", "/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dunst is installed (cargo xtask setup)");
    let _daemon = Dunst(daemon);
    wait_for("the daemon answers", async || dunstctl(&["count"])).await;
    let bench = Bench::start_on_screen().await;
    bench.set_keys(5).await;
    bench.deploy(&a_hundred_rules(), None).await;
    bench.until("Rule99", AlertState::Firing).await;
    wait_for("it is on the screen", async || dunstctl(&["count", "displayed"]).filter(|count| count != "0"))
        .await;
    assert_eq!(dunstctl(&["count", "displayed"]).as_deref(), Some("1"));
    assert_eq!(dunstctl(&["count", "waiting"]).as_deref(), Some("0"));
    dunstctl(&["action", "0"]).expect("it takes the click");
    let alert = opened(&bench, View::Overview { window: Window::OneMinute }).await;
    assert_eq!(alert.rule, "Rule57");
    bench.app.stop().await;
}
