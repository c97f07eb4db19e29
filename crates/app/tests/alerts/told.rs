//! Who is told what, and how often.

use std::time::Duration;

use cachescope_app::wire::{ChannelDraft, ChannelView, Frame, Place, Reply, Request, TellingView, View};
use cachescope_lab::servers::Alertmanager;
use cachescope_model::alert::AlertState;
use cachescope_model::strategy::Severity;
use cachescope_model::telling::{AlertRef, ChannelKind, DesktopTelling, Matcher, Matching};
use cachescope_model::window::Window;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::receivers::{Receiver, hanging};
use crate::support::{Bench, HURRIED, wait_for};

const MANY_KEYS: &str = "[[rule]]\nname = \"ManyKeys\"\nreading = \"keys\"\nabove = 2\nseverity = \"critical\"\n\
                         summary = \"Too many keys\"\naction = \"Purge some.\"\ndocumented = \"keys > 2\"\n";

async fn channel(bench: &Bench, kind: ChannelKind, url: String) -> ChannelView {
    let draft = ChannelDraft {
        name: format!("{kind:?}"),
        kind,
        on: true,
        least: Severity::Warning,
        resolved: true,
        url: Some(url),
        ..ChannelDraft::default()
    };
    match bench.ask(Request::SaveChannel { draft }).await {
        Reply::SaveChannel(view) => view,
        other => panic!("saving was answered with {other:?}"),
    }
}

async fn telling(bench: &Bench) -> TellingView {
    match bench.ask(Request::Telling {}).await {
        Reply::Telling(view) => view,
        other => panic!("telling was answered with {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_is_told_in_its_language_and_one_that_hangs_delays_nobody() {
    let bench = Bench::start().await;
    let receiver = Receiver::start().await;
    let alertmanager = Alertmanager::start().await.expect("prometheus-alertmanager is installed");
    let (hanging, _held) = hanging().await;
    channel(&bench, ChannelKind::Slack, format!("{}/slack", receiver.url)).await;
    channel(&bench, ChannelKind::Webhook, format!("{}/flaky", receiver.url)).await;
    channel(&bench, ChannelKind::Alertmanager, alertmanager.url()).await;
    let hung = channel(&bench, ChannelKind::Webhook, hanging).await;
    assert!(!format!("{hung:?}").contains("s3cret"), "the path of a webhook is a secret: {hung:?}");
    bench.set_keys(5).await;
    bench.deploy(MANY_KEYS, None).await;

    let view = bench.until("ManyKeys", AlertState::Firing).await;
    let slack = wait_for("Slack is told", async || receiver.taken("slack").first().cloned()).await;
    assert_eq!(slack["text"], "prod: Too many keys");
    assert_eq!(slack["attachments"][0]["color"], "danger");
    let flaky =
        wait_for("the third attempt is taken", async || receiver.taken("flaky").get(2).cloned()).await;
    assert_eq!((&flaky["status"], &flaky["alerts"][0]["rule"]), (&"firing".into(), &"ManyKeys".into()));
    assert_eq!(flaky["alerts"][0]["value"], 5.0);
    let known =
        wait_for("the Alertmanager knows it", async || alertmanager_alerts(&alertmanager).await.pop()).await;
    assert_eq!(known["labels"]["alertname"], "ManyKeys");
    assert_eq!(known["labels"]["deployment"], "prod");

    let trouble = wait_for("the hanging one says so", async || {
        let all = telling(&bench).await.channels;
        all.into_iter().find(|it| it.channel.id == hung.channel.id && !it.trouble.is_empty())
    })
    .await;
    assert!(trouble.trouble.contains("within 10 s"), "{}", trouble.trouble);
    assert!(!trouble.trouble.contains("s3cret"), "{}", trouble.trouble);
    let rules = match bench.ask(Request::AlertRules { deployment: view.alert_ref.deployment }).await {
        Reply::AlertRules(page) => page,
        other => panic!("rules were answered with {other:?}"),
    };
    assert_eq!(rules.evaluation.skipped, 0, "judging went on beside it");

    bench.flush().await;
    bench.until("ManyKeys", AlertState::Resolved).await;
    let over = wait_for("Slack hears of the end", async || receiver.taken("slack").get(1).cloned()).await;
    assert_eq!(over["text"], "prod: resolved: Too many keys");
    wait_for("the Alertmanager hears of the end", async || {
        alertmanager_alerts(&alertmanager).await.is_empty().then_some(())
    })
    .await;
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_one_host_and_is_forgotten_alone() {
    let bench = Bench::start().await;
    let save = async |id: Option<String>, url: Option<&str>, token: Option<&str>| {
        let draft = ChannelDraft {
            id,
            name: "On call".to_owned(),
            kind: ChannelKind::Webhook,
            on: false,
            url: url.map(str::to_owned),
            token: token.map(str::to_owned),
            ..ChannelDraft::default()
        };
        match bench.ask(Request::SaveChannel { draft }).await {
            Reply::SaveChannel(view) => view,
            other => panic!("saving was answered with {other:?}"),
        }
    };
    let new = save(None, Some("http://hooks.example/s3cret"), Some("t0ken")).await;
    assert!(new.has_token);
    let kept = save(Some(new.channel.id.clone()), None, None).await;
    assert!(kept.has_token, "not typed anew, it stays");
    let moved = save(Some(new.channel.id.clone()), Some("http://elsewhere.example/s3cret"), None).await;
    assert!(!moved.has_token, "it goes to the host it was given for and to no other");
    let back = save(Some(new.channel.id.clone()), Some("http://hooks.example/other"), None).await;
    assert!(back.has_token, "that is its host");
    let bare = save(Some(new.channel.id.clone()), None, Some("")).await;
    assert_eq!((bare.has_token, &bare.channel), (false, &new.channel));
    bench.app.stop().await;
}

/// What an Alertmanager holds for active.
async fn alertmanager_alerts(alertmanager: &Alertmanager) -> Vec<Value> {
    let url = format!("{}/api/v2/alerts?active=true", alertmanager.url());
    reqwest::get(url).await.expect("it answers").json().await.expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_alerts_at_once_make_one_notification_and_its_click_opens_the_worst() {
    let bench = Bench::start().await;
    let rules = a_hundred_rules();
    bench.set_keys(5).await;
    let id = bench.deploy(&rules, None).await;
    bench.until("Rule99", AlertState::Firing).await;
    let notice = wait_for("somebody is told", async || bench.shown.notices.lock().first().cloned()).await;
    assert_eq!(notice.title, "prod: 100 alerts, critical the worst");
    assert_eq!(notice.alert.rule, "Rule57");
    let standing = wait_for("the tray shows it", async || {
        bench.shown.standings.lock().iter().copied().find(|standing| standing.firing == 100)
    })
    .await;
    assert_eq!(standing.worst, Some(Severity::Critical));
    // Two more evaluations and groups pass without another one.
    let rules = async || match bench.ask(Request::AlertRules { deployment: id.clone() }).await {
        Reply::AlertRules(page) => page.evaluation.last_at,
        other => panic!("rules were answered with {other:?}"),
    };
    let seen = rules().await.expect("it was judged");
    let later = 1.5 * HURRIED.tell_again_after.as_secs_f64();
    wait_for("time passes", async || rules().await.filter(|at| at.seconds_since(seen) >= later)).await;
    assert_eq!(bench.shown.notices.lock().len(), 1);

    bench.app.open_alert(notice.alert.clone());
    let opened = opened(&bench, View::Overview { window: Window::OneMinute }).await;
    assert_eq!(opened, notice.alert);
    bench.app.stop().await;
}

/// A hundred rules that fire together; one is critical.
pub(crate) fn a_hundred_rules() -> String {
    let rule = |number: u32| {
        let severity = if number == 57 { "critical" } else { "warning" };
        format!(
            "[[rule]]\nname = \"Rule{number}\"\nreading = \"keys\"\nabove = 2\nseverity = \"{severity}\"\n\
             summary = \"Too many keys\"\ndocumented = \"keys > 2\"\n"
        )
    };
    (0..100).map(rule).collect()
}

/// What a window that looks now is asked to open.
pub(crate) async fn opened(bench: &Bench, view: View) -> AlertRef {
    let (seen, mut frames) = mpsc::unbounded_channel();
    let watch = bench.app.watch(view, move |frame| seen.send(frame).is_ok());
    let opened = async {
        loop {
            match frames.recv().await {
                Some(Frame::Open { place: Place::Alert { alert } }) => return alert,
                Some(_) => {}
                None => panic!("the window is no longer fed"),
            }
        }
    };
    let alert = tokio::time::timeout(Duration::from_secs(30), opened).await.expect("it is asked to");
    drop(watch);
    alert
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silenced_alert_is_judged_and_counted_as_quiet_and_nobody_is_told() {
    let bench = Bench::start().await;
    let matchers =
        vec![Matcher { label: "rule".to_owned(), matching: Matching::Like, value: "Many*".to_owned() }];
    let draft = cachescope_app::wire::SilenceDraft {
        id: None,
        matchers,
        starts_at: None,
        ends_at: cachescope_app::alerts::wall_clock_now().plus_millis(3_600_000),
        comment: "known".to_owned(),
    };
    let Reply::SaveSilence(silence) = bench.ask(Request::SaveSilence { draft }).await else {
        panic!("another answer")
    };
    bench.set_keys(5).await;
    bench.deploy(MANY_KEYS, None).await;
    let view = bench.until("ManyKeys", AlertState::Firing).await;
    assert_eq!(view.silenced_by.as_ref().map(|it| it.id), Some(silence.silence.id));
    let page = bench.alerts().await;
    assert_eq!((page.counts.quiet, page.counts.critical), (1, 0));
    let asked = Request::Alerts { deployment: None, namespace: None, at_most: Some(0) };
    let Reply::Alerts(counted) = bench.ask(asked).await else { panic!("another answer") };
    assert_eq!((counted.alerts.len(), counted.total, counted.counts), (0, page.total, page.counts));
    // Longer than the group would wait.
    let fired = view.alert.fired_at.expect("it fires");
    wait_for("the time for telling passes", async || {
        let passed = cachescope_app::alerts::wall_clock_now().seconds_since(fired);
        (passed > 2.0 * HURRIED.group_for.as_secs_f64()).then_some(())
    })
    .await;
    assert_eq!(bench.shown.notices.lock().len(), 0);
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_that_wants_nothing_below_critical_hears_of_nothing_else() {
    let bench = Bench::start().await;
    let desktop = DesktopTelling { notifications: true, sound: true, least: Severity::Critical };
    bench.ask(Request::SetDesktopTelling { desktop }).await;
    bench.set_keys(5).await;
    let warning = MANY_KEYS.replace("ManyKeys", "Mild").replace("\"critical\"", "\"warning\"");
    bench.deploy(&format!("{MANY_KEYS}{warning}"), None).await;
    bench.until("Mild", AlertState::Firing).await;
    let notice = wait_for("somebody is told", async || bench.shown.notices.lock().first().cloned()).await;
    assert_eq!((notice.title.as_str(), notice.sound), ("prod: Too many keys", true));
    bench.app.stop().await;
}
