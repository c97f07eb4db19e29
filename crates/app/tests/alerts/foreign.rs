//! A Prometheus beside the cache: its own alerts, and queries that it rejects.

use cachescope_app::wire::{Reply, Request, RulesPage};
use cachescope_lab::servers::{PrometheusOptions, PrometheusServer};
use cachescope_model::alert::{AlertState, RuleHealth};

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
