//! Changes that are to be put back, across stores and processes.

use std::process::Stdio;
use std::time::Duration;

use cachescope_model::deployment::DeploymentId;
use cachescope_model::time::Timestamp;
use cachescope_store::{NewChange, Store, StoreError};

use crate::parts;

const PART: &str = "setting_changes::part_that_records_a_change_and_dies";

fn change(holder: &str, setting: &str) -> NewChange {
    NewChange {
        holder: holder.to_owned(),
        deployment: DeploymentId("d".to_owned()),
        node: "cache:6379".to_owned(),
        run_id: "r1".to_owned(),
        setting: setting.to_owned(),
        old_value: String::new(),
        new_value: "Emxe".to_owned(),
        at: Timestamp(1_000),
    }
}

#[tokio::test]
async fn a_change_is_open_until_it_is_settled_once_and_another_store_sees_both() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let other = Store::open(directory.path()).expect("it opens a second time");
    let recorded = store
        .record_changes(vec![change("ab", "notify-keyspace-events"), change("", "slowlog-max-len")])
        .await
        .expect("it is recorded");
    assert_eq!(other.open_changes().await.expect("it is read"), recorded);
    assert!(!recorded[0].is_lasting() && recorded[1].is_lasting());
    other.settle_change(recorded[0].id, "put back").await.expect("it is settled");
    assert_eq!(store.open_changes().await.expect("it is read"), recorded[1..]);
}

#[tokio::test]
async fn a_holder_is_alive_until_it_is_dropped_and_a_made_up_one_never_was() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let holder = store.hold().expect("the directory can be written");
    let id = holder.id().to_owned();
    assert!(store.is_alive(&id), "also as seen from the same process");
    drop(holder);
    for gone in [id.as_str(), "", "../cachescope.sqlite3", "ab"] {
        assert!(!store.is_alive(gone), "{gone:?}");
    }
}

#[tokio::test]
async fn only_one_at_a_time_may_plan_changes() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let first = store.lock_changes(Duration::from_millis(50)).expect("nobody has it");
    let refused = store.lock_changes(Duration::from_millis(50)).err();
    assert!(matches!(refused, Some(StoreError::Locked { .. })), "{refused:?}");
    drop(first);
    store.lock_changes(Duration::from_millis(50)).map(drop).expect("it is free again");
}

#[tokio::test]
#[ignore = "a part: a_change_of_a_process_that_was_killed_stays_open_and_its_holder_is_gone runs it"]
async fn part_that_records_a_change_and_dies() {
    let Some(directory) = parts::directory() else { return };
    let store = Store::open(&directory).expect("the store opens");
    let holder = store.hold().expect("the directory can be written");
    store.record_changes(vec![change(holder.id(), "x")]).await.expect("it is recorded");
    // As a crash would: nothing is dropped, nothing cleaned up.
    std::process::abort();
}

#[tokio::test]
async fn a_change_of_a_process_that_was_killed_stays_open_and_its_holder_is_gone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let ended = parts::command(&[], PART, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this binary can be started");
    assert!(!ended.success(), "it aborts");
    let store = Store::open(directory.path()).expect("the store opens");
    let open = store.open_changes().await.expect("it is read");
    assert_eq!(open.len(), 1);
    assert!(!store.is_alive(&open[0].change.holder));
}
