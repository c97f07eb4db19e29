//! What is kept about alerts.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkKind, MarkSource};
use cachescope_model::strategy::Severity;
use cachescope_model::telling::{
    Acknowledgement, AlertRef, Channel, ChannelKind, Matcher, Matching, Silence,
};
use cachescope_model::time::Timestamp;
use cachescope_store::Store;

fn id(name: &str) -> DeploymentId {
    DeploymentId(name.to_owned())
}

fn mark(deployment: Option<&str>, second: i64, text: &str) -> Mark {
    Mark {
        id: 0,
        deployment: deployment.map(id),
        at: Timestamp::from_seconds(second),
        kind: MarkKind::Deploy,
        text: text.to_owned(),
        source: MarkSource::Command,
    }
}

fn texts(marks: &[Mark]) -> Vec<&str> {
    marks.iter().map(|mark| mark.text.as_str()).collect()
}

#[tokio::test]
async fn a_deployment_has_its_own_marks_and_those_of_all_and_another_process_reads_them() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    for (deployment, second, text) in [(Some("a"), 10, "one"), (Some("b"), 20, "two"), (None, 30, "three")] {
        store.add_mark(mark(deployment, second, text)).await.expect("it is kept");
    }
    let other = Store::open(directory.path()).expect("a second process opens it");
    let between = |from, to| (Timestamp::from_seconds(from), Timestamp::from_seconds(to));
    let (from, to) = between(0, 100);
    let of_a = other.marks(Some(id("a")), from, to, 10).await.expect("they are read");
    assert_eq!(texts(&of_a), ["three", "one"]);
    let all = other.marks(None, from, to, 2).await.expect("they are read");
    assert_eq!(texts(&all), ["three", "two"]);
    let (from, to) = between(11, 29);
    assert_eq!(texts(&other.marks(None, from, to, 10).await.expect("they are read")), ["two"]);
    assert!(other.remove_mark(all[0].id).await.expect("it goes"), "its number is the table's");
    assert!(!other.remove_mark(all[0].id).await.expect("it is gone already"));
}

#[tokio::test]
async fn states_are_replaced_and_turns_are_added_and_both_go_with_their_deployment() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    for (second, state) in [(1, "pending"), (2, "firing")] {
        let at = Timestamp::from_seconds(second);
        store.keep_alert_states(id("a"), at, &state).await.expect("they are kept");
        store.keep_alert_turns(id("a"), &[(at, state)]).await.expect("they are kept");
    }
    store.keep_alert_turns(id("b"), &[(Timestamp::from_seconds(3), "other")]).await.expect("it is kept");
    let kept = store.alert_states::<String>(id("a")).await.expect("they are read").expect("there are some");
    assert_eq!((kept.at, kept.states.as_str()), (Timestamp::from_seconds(2), "firing"));
    let (from, to) = (Timestamp(0), Timestamp::from_seconds(10));
    let turns = store.alert_turns::<String>(Some(id("a")), from, to, 10).await.expect("they are read");
    assert_eq!(turns, ["firing", "pending"]);
    store.forget_alerts(id("a")).await.expect("they go");
    assert_eq!(store.alert_states::<String>(id("a")).await.expect("it is read"), None);
    assert_eq!(store.alert_turns::<String>(None, from, to, 10).await.expect("it is read"), ["other"]);
}

#[tokio::test]
async fn turns_older_than_a_month_are_forgotten() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let day = 86_400;
    for days in [1, 20, 40] {
        let turn = (Timestamp::from_seconds(days * day), days);
        store.keep_alert_turns(id("a"), &[turn]).await.expect("it is kept");
    }
    let kept = store.alert_turns::<i64>(None, Timestamp(0), Timestamp::from_seconds(50 * day), 10).await;
    assert_eq!(kept.expect("they are read"), [40, 20]);
}

#[tokio::test]
async fn a_silence_keeps_its_number_through_a_change_and_a_new_one_does_not_take_others_with_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let now = Timestamp::from_seconds(1_000);
    let silence = |id: i64, end: i64, comment: &str| Silence {
        id,
        matchers: vec![Matcher { label: "rule".to_owned(), matching: Matching::Is, value: "R".to_owned() }],
        starts_at: Timestamp(0),
        ends_at: Timestamp::from_seconds(end),
        comment: comment.to_owned(),
    };
    let short = store.save_silence(silence(0, 2_000, "short"), now).await.expect("it is kept");
    let long = store.save_silence(silence(0, 9_000_000, "long"), now).await.expect("it is kept");
    assert!(short.id > 0 && long.id > short.id);
    store.save_silence(silence(short.id, 500, "ended"), now).await.expect("it is changed");
    let all = store.silences(Timestamp(0)).await.expect("they are read");
    let told: Vec<_> = all.iter().map(|silence| (silence.id, silence.comment.as_str())).collect();
    assert_eq!(told, [(long.id, "long"), (short.id, "ended")]);
    let open = store.silences(now).await.expect("they are read");
    assert_eq!(open.len(), 1, "the ended one is behind us");
}

#[tokio::test]
async fn an_acknowledgement_is_of_one_alert_and_a_channel_is_kept_without_its_address() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let alert = |namespace: &str| AlertRef {
        deployment: id("a"),
        rule: "LowHitRate".to_owned(),
        labels: [("namespace".to_owned(), namespace.to_owned())].into(),
    };
    for (namespace, comment) in [("users", "first"), ("orders", "other"), ("users", "second")] {
        let said = Acknowledgement {
            alert: alert(namespace),
            fired_at: Timestamp(0),
            at: Timestamp(1),
            comment: comment.to_owned(),
        };
        store.acknowledge(said).await.expect("it is kept");
    }
    store.forget_acknowledgements(&[alert("orders")]).await.expect("it goes");
    let kept = store.acknowledgements().await.expect("they are read");
    assert_eq!(kept.iter().map(|said| said.comment.as_str()).collect::<Vec<_>>(), ["second"]);

    let channel = |name: &str| Channel {
        id: "c1".to_owned(),
        name: name.to_owned(),
        kind: ChannelKind::Slack,
        on: true,
        least: Severity::Warning,
        resolved: true,
        shown: "https://hooks.example.com".to_owned(),
    };
    store.save_channel(&channel("chat")).await.expect("it is kept");
    store.save_channel(&channel("chat of the team")).await.expect("it is changed");
    assert_eq!(store.channels().await.expect("they are read"), [channel("chat of the team")]);
    assert!(store.remove_channel("c1").await.expect("it goes"));
}
