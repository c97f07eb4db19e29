//! Each guard, by somebody who tries to get around it.

use std::sync::Arc;

use cachescope_actions::FailureKind;
use cachescope_actions::guards::{Said, Verdict, refusal, said_enough};
use cachescope_actions::plan::{Action, HowToRun, KeyName, Plan, Scope};
use cachescope_actions::preview_result::Preview;
use cachescope_actions::run_state::RunPhase;
use cachescope_actions::undo::Part;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::Environment;
use cachescope_model::strategy::{Namespace, Strategy};
use cachescope_model::template::Template;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::capabilities::purging_user_line;

use crate::support::{Bench, fast, now_ms};

async fn server(options: RedisOptions) -> RedisServer {
    RedisServer::start(options).await.expect("redis-server is installed")
}

async fn set(server: &RedisServer, names: &[&str]) {
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for name in names {
        pipe.cmd("SET").arg(name).arg("v");
    }
    pipe.exec_async(&mut connection).await.expect("set");
}

fn refused_by(preview: &Preview) -> Option<&str> {
    refusal(&preview.checks).map(|check| check.code.as_str())
}

fn sessions_are_protected() -> Strategy {
    let template = Template::parse("session:{id}").expect("a template");
    let namespace = Namespace { protected: true, ..Namespace::new(template) };
    Strategy { namespaces: vec![namespace], ..Strategy::default() }
}

#[tokio::test]
async fn everything_is_refused_however_it_is_written() {
    let server = server(RedisOptions::default()).await;
    let bench = Bench::on(&server.url()).await;
    for pattern in ["", "*", "**", "?*", "[^]*", "*?*", "*:*"] {
        let failed = bench.preview(bench.pattern(pattern, fast())).await.expect_err(pattern);
        assert_eq!(failed.kind, FailureKind::BadInput, "{pattern}");
    }
    let scope = Scope::Namespace {
        template: "{a}:{b*}".to_owned(),
        fields: Default::default(),
        stale_below: None,
        database: None,
    };
    assert!(bench.preview(bench.plan(scope, fast())).await.is_err());
}

#[tokio::test]
async fn protected_keys_need_the_override_and_stay_even_where_they_come_up_later() {
    let server = server(RedisOptions::default()).await;
    set(&server, &["session:1", "set:1"]).await;
    let bench = Bench::with(&server.url(), sessions_are_protected()).await;
    let preview = bench.preview(bench.pattern("se*", fast())).await.expect("counted");
    assert_eq!((preview.keys, preview.protected_keys), (1, 1));
    assert_eq!(refused_by(&preview), Some("protected"));
    let fine = bench.preview(bench.pattern("set:*", fast())).await.expect("counted");
    assert_eq!(refused_by(&fine), None);
    // Approved without protected keys; one appears before the run.
    let preview = bench.preview(bench.pattern("s*1*", fast())).await.expect("counted");
    assert_eq!(refused_by(&preview), Some("protected"));
    set(&server, &["session:9"]).await;
    let state = bench.start("1", bench.pattern("set:*", fast())).await.expect("it starts").ended().await;
    assert_eq!(state.counts.removed, 1);
    let over = HowToRun { protected_too: true, ..fast() };
    let state = bench.start("2", bench.pattern("session:*", over)).await.expect("it starts").ended().await;
    assert_eq!(state.counts.removed, 2, "{}", state.why);
}

#[tokio::test]
async fn an_approval_is_void_after_a_restart_and_a_second_run_waits_for_the_first() {
    let mut server = server(RedisOptions::default()).await;
    set(&server, &["a:1"]).await;
    let bench = Bench::on(&server.url()).await;
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    let approval = bench.approve(&preview).await.expect("approved");
    server.restart().await.expect("it restarts");
    let context = bench.context("1", true).await.expect("a context");
    let failed = cachescope_actions::run::start(approval, "1".to_owned(), String::new(), context).await;
    assert_eq!(failed.expect_err("another run_id").kind, FailureKind::NotApproved);

    let names: Vec<String> = (0..5_000).map(|number| format!("a:{number}")).collect();
    set(&server, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // It is still watching after its first wave when it is cancelled.
    let slow = HowToRun { watch_between_waves_ms: 60_000, ..fast() };
    let first = bench.preview(bench.pattern("a:*", slow.clone())).await.expect("counted");
    let (one, two) =
        (bench.approve(&first).await.expect("approved"), bench.approve(&first).await.expect("approved"));
    let context = bench.context("1", true).await.expect("a context");
    let run =
        cachescope_actions::run::start(one, "1".to_owned(), String::new(), context).await.expect("it starts");
    let context = bench.context("2", true).await.expect("a context");
    let second = cachescope_actions::run::start(two, "2".to_owned(), String::new(), context).await;
    let failed = second.expect_err("the first is at it");
    assert_eq!(failed.kind, FailureKind::Locked);
    assert!(failed.sentence.contains("ada@test"), "{}", failed.sentence);
    let preview = bench.preview(bench.pattern("a:*", slow)).await.expect("counted");
    assert_eq!(refused_by(&preview), Some("lock"));
    run.cancel();
    assert_eq!(run.ended().await.phase, RunPhase::Cancelled);
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    assert_eq!(refused_by(&preview), None);
}

#[tokio::test]
async fn replicas_and_users_without_the_right_are_refused_before_anything_is_done() {
    let primary = server(RedisOptions::default()).await;
    let replica = server(RedisOptions {
        config: vec![("replicaof".to_owned(), format!("127.0.0.1 {}", primary.port()))],
        ..RedisOptions::default()
    })
    .await;
    let bench = Bench::on(&format!("{}?direct=true", replica.url())).await;
    let failed = bench.servers().await.expect_err("a replica");
    assert_eq!(failed.kind, FailureKind::Refused);
    assert!(failed.sentence.contains("replica"), "{}", failed.sentence);

    let users = vec![
        "reader on >pw ~* &* +@all -unlink".to_owned(),
        "elsewhere on >pw ~b:* %R~a:* ~cachescope:* &* +@all".to_owned(),
        "nodump on >pw ~* &* +@all -dump".to_owned(),
    ];
    let guarded = server(RedisOptions { users, ..RedisOptions::default() }).await;
    set(&guarded, &["a:1"]).await;
    for (user, code) in [("reader", "permission"), ("elsewhere", "permission"), ("nodump", "undo-permission")]
    {
        let bench = Bench::on(&format!("redis://{user}:pw@{}", guarded.address())).await;
        let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
        assert_eq!(refused_by(&preview), Some(code), "{user}: {:?}", preview.checks);
        assert!(bench.approve(&preview).await.is_err(), "{user}");
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_halts_the_run_in_one_sentence() {
    let users = vec!["acting on >pw ~* &* +@all".to_owned()];
    let server = server(RedisOptions { users, ..RedisOptions::default() }).await;
    set(&server, &["a:1", "a:2"]).await;
    let bench = Bench::on(&format!("redis://acting:pw@{}", server.address())).await;
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    let approval = bench.approve(&preview).await.expect("approved");
    let mut connection = server.connection().await.expect("it answers");
    server.typed("ACL SETUSER acting -dump").await.expect("taken");
    let context = bench.context("1", true).await.expect("a context");
    let run = cachescope_actions::run::start(approval, "1".to_owned(), String::new(), context)
        .await
        .expect("it starts");
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("NOPERM") && !state.why.contains('\n'), "{}", state.why);
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.expect("counted");
    assert_eq!(keys, 2, "nothing is gone");
}

#[tokio::test]
async fn the_line_for_a_purging_user_is_enough_to_purge_to_undo_and_for_every_step_of_a_playbook() {
    let server = server(RedisOptions::default()).await;
    let mut connection = server.connection().await.expect("it answers");
    server.typed(&purging_user_line().replace("PASSWORD", "pw")).await.expect("the line is good");
    set(&server, &["a:1", "a:2", "b:1"]).await;
    redis::cmd("SADD").arg("tag:c").arg("b:1").exec_async(&mut connection).await.expect("tagged");
    let bench = Bench::on(&format!("redis://cachescope-purging:pw@{}", server.address())).await;
    let plan = Plan {
        steps: vec![
            Action::Remove { scope: Scope::Pattern { pattern: "a:*".to_owned(), database: None } },
            Action::Remove { scope: Scope::Tag { set: KeyName(b"tag:c".to_vec()), database: 0 } },
            Action::BumpVersion { key: KeyName(b"version:a".to_vec()), database: 0 },
            Action::Publish { channel: "invalidate".to_owned(), message: "a".to_owned() },
        ],
        ..bench.pattern("a:*", fast())
    };
    let preview = bench.preview(plan.clone()).await.expect("counted");
    assert_eq!(refused_by(&preview), None, "{:#?}", preview.checks);
    let state = bench.start("1", plan).await.expect("it starts").ended().await;
    assert_eq!((state.phase, state.counts.removed), (RunPhase::Finished, 3), "{}", state.why);
    let undone = bench.undo("1", &Part::default(), now_ms()).await.expect("it is put back");
    assert_eq!(undone.restored, 3, "{undone:?}");
    let mut dryrun = redis::cmd("ACL");
    dryrun.arg("DRYRUN").arg("cachescope-purging").arg("FLUSHALL");
    let said: String = dryrun.query_async(&mut connection).await.expect("it answers");
    assert_ne!(said, "OK", "it may not empty a server");
}

#[tokio::test]
async fn a_preview_changes_nothing_and_counts_what_it_asks_as_ours() {
    let server = server(RedisOptions::default()).await;
    let names: Vec<String> = (0..500).map(|number| format!("a:{number}")).collect();
    set(&server, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let bench = Bench::on(&server.url()).await;
    let before = bench.servers().await.expect("asked").primaries[0].lookups;
    let preview = bench.preview(bench.pattern("a:*", fast())).await.expect("counted");
    assert_eq!((preview.keys, preview.all_keys), (500, 500));
    assert_eq!(preview.types.get("string"), Some(&500));
    assert_eq!(preview.predicted_extra_misses_per_second.value, Some(0.0), "nobody reads here");
    let after = bench.servers().await.expect("asked").primaries[0].lookups;
    let own = bench.found.nodes[0].gate().await.own();
    assert_eq!((after.0 - before.0, after.1 - before.1), (own.hits, own.misses));
    let mut connection = server.connection().await.expect("it answers");
    let dirty: String =
        redis::cmd("INFO").arg("persistence").query_async(&mut connection).await.expect("told");
    assert!(dirty.contains("rdb_changes_since_last_save:500"), "{dirty}");
}

#[test]
fn production_wants_to_be_armed_named_and_told_why() {
    let now = Timestamp(1_000_000);
    let full = || Said {
        name: Some("prod".to_owned()),
        reason: Some("INC-2291".to_owned()),
        armed_until: Some(now.plus_millis(1_000)),
    };
    type Change = fn(&mut Said);
    let cases: [(&str, Change); 7] = [
        ("not armed", |said| said.armed_until = None),
        ("armed too long ago", |said| said.armed_until = Some(Timestamp(999_999))),
        ("armed beyond reason, by a clock set back", |said| said.armed_until = Some(Timestamp(9_000_000))),
        ("another name", |said| said.name = Some("Prod".to_owned())),
        ("no name", |said| said.name = None),
        ("no reason", |said| said.reason = Some("   ".to_owned())),
        ("an endless reason", |said| said.reason = Some("x".repeat(501))),
    ];
    assert_eq!(said_enough(Environment::Production, "prod", &full(), now), []);
    for (name, change) in cases {
        let mut said = full();
        change(&mut said);
        let checks = said_enough(Environment::Production, "prod", &said, now);
        assert!(checks.iter().any(|check| check.verdict == Verdict::Refused), "{name}");
    }
    assert_eq!(said_enough(Environment::Staging, "x", &Said::default(), now), []);
    assert_eq!(Environment::default(), Environment::Production, "an unset one counts as production");
    let _shared: Arc<Said> = Arc::new(full());
}
