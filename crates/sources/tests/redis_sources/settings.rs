//! Settings that are changed for a while, on real servers.

use std::sync::Arc;

use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::settings::{
    ChangePlan, KnownChange, PutBack, Setting, change, plan_events, plan_slow_log, put_back,
};

use super::watch::{node, server};

async fn with_flags(flags: &str) -> RedisServer {
    server(RedisOptions { notify_keyspace_events: Some(flags.to_owned()), ..Default::default() }).await
}

async fn get(server: &RedisServer, setting: Setting) -> String {
    let mut connection = server.connection().await.expect("connects");
    let (_, value): (String, String) = redis::cmd("CONFIG")
        .arg("GET")
        .arg(setting.name())
        .query_async(&mut connection)
        .await
        .expect("CONFIG GET answers");
    value
}

async fn set(server: &RedisServer, setting: Setting, value: &str) {
    let mut connection = server.connection().await.expect("connects");
    let command = redis::cmd("CONFIG").arg("SET").arg(setting.name()).arg(value).clone();
    command.exec_async(&mut connection).await.expect("CONFIG SET works");
}

fn known(plan: &ChangePlan) -> Vec<KnownChange> {
    let known = |change: &cachescope_sources::redis::settings::PlannedChange| KnownChange {
        run_id: plan.run_id.clone(),
        setting: change.setting,
        old: change.old.clone(),
        new: change.new.clone(),
    };
    plan.changes.iter().map(known).collect()
}

async fn switched_on(node: &Arc<RedisNode>) -> KnownChange {
    let plan = plan_events(node, &[]).await.expect("it may be changed");
    change(node, &plan).await.expect("nothing has changed since");
    known(&plan).remove(0)
}

fn sorted(flags: &str) -> String {
    let mut flags: Vec<_> = flags.chars().collect();
    flags.sort_unstable();
    flags.into_iter().collect()
}

#[tokio::test]
async fn a_plan_changes_nothing_and_what_it_changed_is_put_back_as_it_was() {
    for (before, during) in [("", "Eegmnx"), ("Kg", "EKegmnx"), ("AE", "AEm"), ("KEAm", "AEKm")] {
        let server = with_flags(before).await;
        let before = get(&server, Setting::Events).await;
        let node = node(&server.address());
        let plan = plan_events(&node, &[]).await.expect("it may be changed");
        assert_eq!(get(&server, Setting::Events).await, before, "a plan writes nothing");
        change(&node, &plan).await.expect("nothing has changed since");
        assert_eq!(sorted(&get(&server, Setting::Events).await), during, "{before}");
        for change in known(&plan) {
            let back = put_back(&node, &change, &[]).await.expect("the server answers");
            assert!(matches!(back, PutBack::Done(_)), "{before}: {back}");
            let again = put_back(&node, &change, &[]).await.expect("the server answers");
            assert_eq!(again, PutBack::AsBefore, "{before}");
        }
        assert_eq!(sorted(&get(&server, Setting::Events).await), sorted(&before));
    }
}

#[tokio::test]
async fn nothing_is_written_when_the_value_changed_after_it_was_shown() {
    let server = with_flags("").await;
    let node = node(&server.address());
    let plan = plan_events(&node, &[]).await.expect("it may be changed");
    set(&server, Setting::Events, "Kg").await;
    let error = change(&node, &plan).await.expect_err("it is not as shown");
    assert!(error.to_string().contains("nothing was changed"), "{error}");
    assert_eq!(sorted(&get(&server, Setting::Events).await), "Kg");
}

#[tokio::test]
async fn an_operator_who_changed_the_value_meanwhile_keeps_it() {
    for (operators, left) in [("Kg", "Kg"), ("KEA", "AEK"), ("$KEmxegn", "$K"), ("", "")] {
        let server = with_flags("").await;
        let node = node(&server.address());
        let ours = switched_on(&node).await;
        set(&server, Setting::Events, operators).await;
        put_back(&node, &ours, &[]).await.expect("the server answers");
        assert_eq!(sorted(&get(&server, Setting::Events).await), left, "{operators}");
    }
}

#[tokio::test]
async fn a_second_cachescope_takes_our_flags_for_ours_and_the_last_one_puts_them_back() {
    let server = with_flags("Kg").await;
    let node = node(&server.address());
    let first = switched_on(&node).await;
    let plan = plan_events(&node, std::slice::from_ref(&first)).await.expect("it may be changed");
    let second = known(&plan).remove(0);
    assert_eq!(sorted(&second.old), "Kg", "ours are not the operator's");
    change(&node, &plan).await.expect("nothing has changed since");
    let back = put_back(&node, &first, std::slice::from_ref(&second)).await.expect("the server answers");
    assert_eq!(back, PutBack::Needed);
    assert_eq!(sorted(&get(&server, Setting::Events).await), "EKegmnx");
    put_back(&node, &second, &[]).await.expect("the server answers");
    assert_eq!(sorted(&get(&server, Setting::Events).await), "Kg");
}

#[tokio::test]
async fn after_a_restart_the_change_is_gone_and_an_operators_value_stays() {
    let mut server = with_flags("").await;
    let node = node(&server.address());
    let ours = switched_on(&node).await;
    server.restart().await.expect("it starts again");
    assert_eq!(put_back(&node, &ours, &[]).await.expect("it answers"), PutBack::AsBefore);
    set(&server, Setting::Events, "gKEmxe").await;
    let back = put_back(&node, &ours, &[]).await.expect("it answers");
    assert!(matches!(back, PutBack::ChangedSince(_)), "another start, another value: {back}");
}

#[tokio::test]
async fn a_plan_is_void_after_a_restart() {
    let mut server = with_flags("").await;
    let node = node(&server.address());
    let plan = plan_events(&node, &[]).await.expect("it may be changed");
    server.restart().await.expect("it starts again");
    let error = change(&node, &plan).await.expect_err("another start");
    assert!(error.to_string().contains("restarted"), "{error}");
    assert_eq!(get(&server, Setting::Events).await, "");
}

#[tokio::test]
async fn a_user_who_may_not_read_or_set_is_told_the_missing_rule_and_nothing_is_written() {
    let users = vec![
        "bob on >pw +info +hello +acl|whoami".to_owned(),
        "eve on >pw +info +config|get +slowlog|get".to_owned(),
        "ida on >pw +info +config +slowlog|get +acl|dryrun +acl|whoami".to_owned(),
    ];
    let server = server(RedisOptions { users, ..Default::default() }).await;
    for (user, events, slow_log) in
        [("bob", "+config|get", "+config|get"), ("eve", "+config|set", "+config|set")]
    {
        let node = node(&format!("redis://{user}:pw@{}", server.address()));
        for (error, rule) in [
            (plan_events(&node, &[]).await.expect_err("not permitted"), events),
            (plan_slow_log(&node, &[]).await.expect_err("not permitted"), slow_log),
        ] {
            assert_eq!(error.code(), "permission", "{error}");
            assert!(error.remedy().contains(rule), "{user}: {} lacks {rule}", error.remedy());
        }
    }
    let ida = node(&format!("redis://ida:pw@{}", server.address()));
    let error = plan_slow_log(&ida, &[]).await.expect_err("not permitted");
    assert_eq!(error.remedy(), "ACL SETUSER ida +slowlog|reset");
    assert_eq!(get(&server, Setting::Events).await, "");
    assert_eq!(get(&server, Setting::SlowLogThreshold).await, "10000");
}
