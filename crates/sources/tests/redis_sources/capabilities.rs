//! What the doctor says, held against servers where it is so.

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::observation::Observed;
use cachescope_model::scan::ScanMode;
use cachescope_model::source::{SourceHealth, SourceId};
use cachescope_sources::redis::capabilities::{
    CapabilityReport, Works, acting_user_line, capabilities, viewing_user_line,
};
use cachescope_sources::redis::commands::CommandsOptions;
use cachescope_sources::redis::events::EventsOptions;
use cachescope_sources::redis::info::InfoOptions;
use cachescope_sources::redis::scan::ScanOptions;
use cachescope_sources::redis::{commands, events, info, scan};

use super::watch::{Watch, node, server};

async fn report(server: &RedisServer, user: &str) -> CapabilityReport {
    let url =
        if user.is_empty() { server.address() } else { format!("redis://{user}:pw@{}", server.address()) };
    capabilities(&node(&url)).await.expect("the server answers")
}

fn works(report: &CapabilityReport) -> Vec<Works> {
    report.sources.iter().map(|source| source.works).collect()
}

#[tokio::test]
async fn an_open_server_lets_everything_work_and_events_need_their_flags() {
    let server =
        server(RedisOptions { notify_keyspace_events: Some("Kg".to_owned()), ..Default::default() }).await;
    let report = report(&server, "").await;
    assert_eq!(
        (report.engine.as_str(), report.mode.as_str(), report.role.as_str()),
        ("redis", "standalone", "master")
    );
    assert_eq!(report.user, "default");
    assert_eq!(
        works(&report)[..5],
        [Works::Yes, Works::No, Works::Yes, Works::Yes, Works::Yes],
        "{report:#?}"
    );
    let probe = &report.sources[5];
    assert_eq!(probe.works, Works::Partly);
    assert!(probe.why.contains("TYPE instead of GET"), "Redis 7.0 knows no CLIENT NO-TOUCH: {probe:?}");
    assert_eq!(report.config_line, "CONFIG SET notify-keyspace-events gKEmxe");
    assert_eq!(report.sources[1].remedy, ["CONFIG SET notify-keyspace-events gKEmxe"]);
}

#[tokio::test]
async fn a_user_who_may_only_ping_is_told_every_missing_rule() {
    let users = vec!["ann on >pw +ping".to_owned()];
    let server =
        server(RedisOptions { users, notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() })
            .await;
    let report = report(&server, "ann").await;
    assert_eq!(works(&report)[..5], [Works::No; 5], "{report:#?}");
    // Whether TYPE is permitted can't be found out here without leaving a lookup behind.
    assert_eq!(works(&report)[5], Works::Partly);
    for (source, rule) in [
        (0, "+info"),
        (1, "+subscribe"),
        (2, "+monitor"),
        (3, "+slowlog|get"),
        (4, "+scan"),
        (5, "+memory|usage"),
    ] {
        let told = &report.sources[source];
        assert!(told.why.contains(rule) || source == 1, "{told:?}");
        assert!(!told.remedy.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn with_and_without_dry_run_the_same_rules_are_missing() {
    let rules = "on >pw ~app:* resetchannels +info +scan +pttl +select +multi +discard";
    let users = vec![format!("ann {rules} +acl|dryrun"), format!("bob {rules}")];
    let server =
        server(RedisOptions { users, notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() })
            .await;
    let scan = |report: &CapabilityReport| report.sources[4].clone();
    let (ann, bob) = (report(&server, "ann").await, report(&server, "bob").await);
    assert_eq!(scan(&ann).why.replace("ann", "bob"), scan(&bob).why);
    assert_eq!(scan(&ann).works, Works::Partly);
    assert!(scan(&ann).why.contains("~*") && scan(&ann).why.contains("+memory|usage"), "{:?}", scan(&ann));
    let sample = |report: &CapabilityReport| report.sources[2].clone();
    assert_eq!(sample(&ann).works, Works::No);
    for rule in ["+monitor", "+wait", "+client|list", "+command", "+subscribe"] {
        assert!(
            sample(&ann).why.contains(rule) && sample(&bob).why.contains(rule),
            "{rule}: {:?}",
            sample(&bob)
        );
    }
    assert!(!scan(&ann).why.contains("+pttl"), "the command is allowed, the key is not: {:?}", scan(&ann));
}

#[tokio::test]
async fn the_line_for_a_viewing_user_is_enough_for_every_source() {
    let server =
        server(RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() }).await;
    let mut lab = server.connection().await.expect("connects");
    server.typed(&viewing_user_line().replace("PASSWORD", "pw")).await.expect("the line is good");
    let redis_says = report(&server, "cachescope").await;
    // It may look at the slow log, and change no setting for a sample of it.
    assert_eq!(
        works(&redis_says)[..5],
        [Works::Yes, Works::Yes, Works::Yes, Works::Partly, Works::Yes],
        "{redis_says:#?}"
    );
    let probe = &redis_says.sources[5];
    assert!(probe.remedy.is_empty() && probe.why.contains("TYPE instead of GET"), "{probe:?}");

    redis::cmd("SET").arg("a").arg(1).exec_async(&mut lab).await.expect("writes");
    let node = node(&format!("redis://cachescope:pw@{}", server.address()));
    let mut watch = Watch::new();
    tokio::spawn(info::run(watch.context.clone(), node.clone(), InfoOptions::default()));
    watch.until(|what| matches!(what, Observed::Info(_)).then_some(())).await;
    tokio::spawn(events::run(watch.context.clone(), node.clone(), EventsOptions::default()));
    watch.status(SourceId::Events, SourceHealth::Ok).await;
    let options = ScanOptions {
        mode: ScanMode::Exact,
        repeat_every: None,
        unthrottled: true,
        ..ScanOptions::default()
    };
    tokio::spawn(scan::run(watch.context.clone(), node.clone(), options));
    watch.status(SourceId::Scan, SourceHealth::Ok).await;
    tokio::spawn(commands::run(watch.context.clone(), node, CommandsOptions::default()));
    watch.status(SourceId::Commands, SourceHealth::Ok).await;
    let delete = redis::cmd("ACL").arg("DRYRUN").arg("cachescope").arg("DEL").arg("a").clone();
    let refusal: String = delete.query_async(&mut lab).await.expect("answers");
    assert!(refusal.contains("no permissions"), "it may look and not touch: {refusal}");
}

#[tokio::test]
async fn the_line_for_an_acting_user_is_enough_for_every_source_and_for_no_key_to_be_changed() {
    let server =
        server(RedisOptions { notify_keyspace_events: Some("Emxe".to_owned()), ..Default::default() }).await;
    let mut lab = server.connection().await.expect("connects");
    server.typed(&acting_user_line().replace("PASSWORD", "pw")).await.expect("the line is good");
    let redis_says = report(&server, "cachescope-acting").await;
    // The probe, the last of them, is partial on servers without CLIENT NO-TOUCH whatever the user may do.
    assert!(works(&redis_says)[..5].iter().all(|works| *works == Works::Yes), "{redis_says:#?}");
    for (words, allowed) in [("CONFIG SET slowlog-max-len 128", true), ("DEL a", false), ("FLUSHALL", false)]
    {
        let mut dryrun = redis::cmd("ACL");
        dryrun.arg("DRYRUN").arg("cachescope-acting").arg(words.split(' ').collect::<Vec<_>>());
        let said: String = dryrun.query_async(&mut lab).await.expect("answers");
        assert_eq!(said == "OK", allowed, "{words}: {said}");
    }
}
