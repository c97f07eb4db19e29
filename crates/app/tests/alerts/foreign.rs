//! A Prometheus beside the cache: its own alerts, and queries that it rejects.

use cachescope_app::wire::{Reply, Request, RulesPage, TimelineWhat};
use cachescope_lab::servers::{PrometheusOptions, PrometheusServer};
use cachescope_model::alert::{AlertState, RuleHealth};
use cachescope_model::marks::{MarkKind, MarkSource};

use crate::support::{Bench, wait_for};

const FOREIGN: &str = "groups:\n- name: infra\n  rules:\n  - alert: AlwaysThere\n    expr: vector(7) > 1\n    labels:\n      team: cache\n    annotations:\n      summary: it is always there\n";

const RULES: &str = "[[signal]]\nname = \"bad\"\ntitle = \"Bad\"\npromql = \"sum(\"\nunit = \"ratio\"\n\
                     [[rule]]\nname = \"BadSignal\"\nsignal = \"bad\"\nabove = 1\nsummary = \"never\"\n\
                     documented = \"x\"\n\
                     [[rule]]\nname = \"ManyKeys\"\nreading = \"keys\"\nabove = 2\nsummary = \"Too many keys\"\n\
                     documented = \"keys > 2\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn its_alerts_are_shown_beside_ours_and_a_rejected_query_is_one_sentence_while_others_go_on() {
    let bench = Bench::start().await;
    let options = PrometheusOptions { rules: vec![FOREIGN.to_owned()], ..PrometheusOptions::default() };
    let prometheus = PrometheusServer::start(options).await.expect("prometheus is installed");
    bench.set_keys(5).await;
    let id = bench.deploy(RULES, Some(prometheus.url())).await;

    bench.until("ManyKeys", AlertState::Firing).await;
    let foreign = wait_for("its alerts are shown", async || {
        match bench.ask(Request::ForeignAlerts { deployment: id.clone() }).await {
            Reply::ForeignAlerts(foreign) => Some(foreign).filter(|it| !it.alerts.is_empty()),
            other => panic!("they were answered with {other:?}"),
        }
    })
    .await;
    let alert = &foreign.alerts[0];
    assert_eq!((alert.name.as_str(), alert.state.as_str()), ("AlwaysThere", "firing"));
    assert_eq!(alert.labels.get("team").map(String::as_str), Some("cache"));
    assert_eq!((alert.value, foreign.rules.len()), (Some(7.0), 1));

    let rules = async || -> RulesPage {
        match bench.ask(Request::AlertRules { deployment: id.clone() }).await {
            Reply::AlertRules(page) => page,
            other => panic!("rules were answered with {other:?}"),
        }
    };
    let bad = wait_for("the rejected one says so", async || {
        let page = rules().await;
        page.rules.into_iter().find(|rule| rule.rule == "BadSignal" && rule.health == RuleHealth::Error)
    })
    .await;
    assert!(bad.detail.contains("`sum(`"), "{}", bad.detail);

    drop(prometheus);
    let gone = wait_for("its silence is said", async || {
        match bench.ask(Request::ForeignAlerts { deployment: id.clone() }).await {
            Reply::ForeignAlerts(foreign) => Some(foreign).filter(|it| !it.detail.is_empty()),
            other => panic!("they were answered with {other:?}"),
        }
    })
    .await;
    assert!(gone.at.is_some() && gone.detail.contains("refused"), "{gone:?}");
    let page = rules().await;
    let ours = page.rules.iter().find(|rule| rule.rule == "ManyKeys").expect("it is there");
    assert_eq!(ours.firing, 1, "ours go on");
    bench.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_querys_answer_is_a_mark_at_its_time() {
    let bench = Bench::start().await;
    // Its label changes every two seconds, as a version does once in a while.
    let version = "groups:\n- name: build\n  interval: 1s\n  rules:\n  - record: build\n    expr: \
                   label_replace(vector(1), \"version\", \"even\", \"\", \"\") and on() (floor(vector(time()) / 2) % 2 == 0) or \
                   label_replace(vector(1), \"version\", \"odd\", \"\", \"\") and on() (floor(vector(time()) / 2) % 2 == 1)\n";
    let options = PrometheusOptions { rules: vec![version.to_owned()], ..PrometheusOptions::default() };
    let prometheus = PrometheusServer::start(options).await.expect("prometheus is installed");
    let rules = "[[mark]]\nname = \"deploys\"\npromql = \"build\"\nlabel = \"version\"\n";
    let begun = cachescope_app::alerts::wall_clock_now();
    let id = bench.deploy(rules, Some(prometheus.url())).await;
    let mark = wait_for("it is marked", async || {
        let to = cachescope_app::alerts::wall_clock_now();
        match bench.ask(Request::Timeline { deployment: Some(id.clone()), from: begun, to }).await {
            Reply::Timeline(entries) => entries.into_iter().find_map(|entry| match entry.what {
                TimelineWhat::Mark { mark } => Some(mark),
                _ => None,
            }),
            other => panic!("the timeline was answered with {other:?}"),
        }
    })
    .await;
    assert_eq!((mark.kind, mark.source), (MarkKind::Deploy, MarkSource::Prometheus));
    assert!(["even", "odd"].contains(&mark.text.as_str()), "{mark:?}");
    bench.app.stop().await;
}
