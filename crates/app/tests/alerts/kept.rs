//! What survives a restart, and what the timeline tells.

use cachescope_app::wire::{AlertTurn, MarkDraft, Reply, Request, SilenceDraft, TimelineEntry, TimelineWhat};
use cachescope_model::alert::AlertState;
use cachescope_model::marks::MarkKind;
use cachescope_model::reading_kind::Unit;
use cachescope_model::telling::{Matcher, Matching};
use cachescope_model::time::Timestamp;

use crate::support::{Bench, wait_for};

const RULES: &str = "[[rule]]\nname = \"ManyKeys\"\nreading = \"keys\"\nabove = 2\nsummary = \"Too many keys\"\n\
                     documented = \"keys > 2\"\n";

async fn timeline(bench: &Bench) -> Vec<TimelineEntry> {
    let (from, to) = (Timestamp(0), cachescope_app::alerts::wall_clock_now().plus_millis(60_000));
    match bench.ask(Request::Timeline { deployment: None, from, to }).await {
        Reply::Timeline(entries) => entries,
        other => panic!("the timeline was answered with {other:?}"),
    }
}

fn turns(entries: &[TimelineEntry]) -> Vec<AlertTurn> {
    let turn = |entry: &TimelineEntry| match &entry.what {
        TimelineWhat::Alert { turn, .. } => Some(*turn),
        _ => None,
    };
    entries.iter().rev().filter_map(turn).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_its_acknowledgement_and_the_gap_survive_a_restart_and_nobody_is_told_twice() {
    let mut bench = Bench::start().await;
    bench.set_keys(5).await;
    let id = bench.deploy(RULES, None).await;
    let fired = bench.until("ManyKeys", AlertState::Firing).await;
    assert!(fired.triage.is_none_or(|triage| !triage.sentence.is_empty()));
    wait_for("somebody is told", async || bench.shown.notices.lock().first().cloned()).await;
    bench
        .ask(Request::AcknowledgeAlert { alert: fired.alert_ref.clone(), comment: "on it".to_owned() })
        .await;
    let draft = MarkDraft {
        deployment: Some(id.clone()),
        at: None,
        kind: MarkKind::Deploy,
        text: " 4f21c8\n".to_owned(),
    };
    let Reply::AddMark(mark) = bench.ask(Request::AddMark { draft }).await else { panic!("another answer") };
    assert_eq!(mark.text, "4f21c8");
    assert_eq!(bench.alerts().await.counts.quiet, 1);

    let silence = SilenceDraft {
        id: None,
        matchers: vec![Matcher {
            label: "rule".to_owned(),
            matching: Matching::Is,
            value: "SomethingElse".to_owned(),
        }],
        starts_at: None,
        ends_at: cachescope_app::alerts::wall_clock_now().plus_millis(3_600_000),
        comment: "planned".to_owned(),
    };
    let Reply::SaveSilence(kept) = bench.ask(Request::SaveSilence { draft: silence.clone() }).await else {
        panic!("another answer")
    };
    let changed =
        SilenceDraft { id: Some(kept.silence.id), comment: "planned, longer".to_owned(), ..silence };
    bench.ask(Request::SaveSilence { draft: changed }).await;

    bench.restart().await;
    let Reply::Silences(silences) = bench.ask(Request::Silences {}).await else { panic!("another answer") };
    let silences: Vec<_> =
        silences.iter().map(|it| (it.silence.id, &*it.silence.comment, it.active)).collect();
    assert_eq!(silences, [(kept.silence.id, "planned, longer", true)], "changed in place, and kept");
    let again = bench.until("ManyKeys", AlertState::Firing).await;
    assert_eq!(again.alert.fired_at, fired.alert.fired_at, "the same firing");
    assert_eq!(again.acknowledged.as_ref().map(|it| it.comment.as_str()), Some("on it"));
    wait_for("it is judged again", async || {
        match bench.ask(Request::AlertRules { deployment: id.clone() }).await {
            Reply::AlertRules(page) => page.evaluation.last_at.and(page.evaluation.restored_from),
            other => panic!("rules were answered with {other:?}"),
        }
    })
    .await;
    let again = bench.until("ManyKeys", AlertState::Firing).await;
    assert!(again.alert.gap.is_some(), "the time without judging is visible: {:?}", again.alert);
    let told = timeline(&bench).await;
    assert!(told.iter().any(|entry| matches!(entry.what, TimelineWhat::Gap { .. })), "{told:?}");
    assert!(
        told.iter().any(|entry| matches!(&entry.what, TimelineWhat::Mark { mark } if mark.text == "4f21c8"))
    );
    let figures = told.iter().find_map(|entry| match &entry.what {
        TimelineWhat::Alert { value, unit, .. } => Some((*value, *unit)),
        _ => None,
    });
    assert_eq!(figures, Some((Some(5.0), Some(Unit::Count))));

    bench.flush().await;
    let over = bench.until("ManyKeys", AlertState::Resolved).await;
    assert_eq!(over.acknowledged, None, "what is over needs nobody");
    wait_for("the end is kept", async || {
        (turns(&timeline(&bench).await) == [AlertTurn::Firing, AlertTurn::Resolved]).then_some(())
    })
    .await;
    assert_eq!(bench.shown.notices.lock().len(), 1, "told once, before the restart");

    bench.set_keys(5).await;
    bench.until("ManyKeys", AlertState::Firing).await;
    wait_for("a new firing is news", async || bench.shown.notices.lock().get(1).cloned()).await;
    bench.ask(Request::RemoveDeployment { deployment: id }).await;
    assert!(turns(&timeline(&bench).await).is_empty(), "what is removed is forgotten");
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_unhealthy_and_well_again_when_it_is_back() {
    let mut bench = Bench::start().await;
    bench.set_keys(1).await;
    bench.deploy(RULES, None).await;
    wait_for("it is judged", async || {
        let page = bench.alerts().await;
        page.alerts.is_empty().then_some(())
    })
    .await;
    bench.server.stop();
    let view = bench.until("Unhealthy", AlertState::Firing).await;
    let triage =
        wait_for("it is explained", async || bench.until("Unhealthy", AlertState::Firing).await.triage).await;
    assert!(triage.sentence.starts_with("The cache has not answered for"), "{}", triage.sentence);
    assert_eq!(view.severity, cachescope_model::strategy::Severity::Critical);
    bench.server.restart().await.expect("it comes back");
    bench.until("Unhealthy", AlertState::Resolved).await;
    bench.app.stop().await;
}
