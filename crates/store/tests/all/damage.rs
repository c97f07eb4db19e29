//! Files that are not what this version wrote.

use std::fs;
use std::path::{Path, PathBuf};

use cachescope_store::{DATABASE_FILE, Store};
use rusqlite::Connection;

use crate::{deployment, names};

/// A closed database with enough deployments to fill many pages.
async fn filled(directory: &Path) -> PathBuf {
    let store = Store::open(directory).expect("the store opens");
    for number in 0..100 {
        store.save_deployment(deployment(&format!("deployment {number}"))).await.expect("it is saved");
    }
    let file = directory.join(DATABASE_FILE);
    let copy = directory.join("copy");
    // A copy, so that no connection is open to what is damaged next, and its log is in it.
    Connection::open(&file)
        .and_then(|connection| connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]))
        .expect("a copy can be made");
    copy
}

async fn assert_set_aside(directory: &Path, content: &[u8]) {
    let file = directory.join(DATABASE_FILE);
    fs::write(&file, content).expect("it can be written");
    let store = Store::open(directory).expect("a new file is begun");
    let kept = store.set_aside().expect("it says where the old one is").to_owned();
    let name = kept.file_name().expect("it is a file").to_string_lossy().into_owned();
    assert!(name.starts_with("cachescope.sqlite3.damaged-"), "{name}");
    assert!(fs::read(&kept).expect("it was kept") == content, "not a byte of it was changed");
    assert!(names(&store).await.is_empty());
    store.save_deployment(deployment("after")).await.expect("the new file works");
    drop(store);
    let again = Store::open(directory).expect("the new file opens");
    assert_eq!((again.set_aside(), names(&again).await), (None, vec!["after".to_owned()]));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside_unchanged() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    assert_set_aside(directory.path(), &b"this is a letter to my aunt ".repeat(100)).await;
}

#[tokio::test]
async fn a_database_with_overwritten_pages_is_set_aside_unchanged() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let source = tempfile::tempdir().expect("a temporary directory can be made");
    let copy = filled(source.path()).await;
    let mut content = fs::read(copy).expect("it can be read");
    assert!(content.len() > 3 * 4096, "it has pages beyond the first ones: {}", content.len());
    content[4096..3 * 4096].fill(0xAB);
    assert_set_aside(directory.path(), &content).await;
}

#[tokio::test]
async fn a_database_that_was_cut_off_is_set_aside_unchanged() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let source = tempfile::tempdir().expect("a temporary directory can be made");
    let mut content = fs::read(filled(source.path()).await).expect("it can be read");
    content.truncate(content.len() / 2 + 100);
    assert_set_aside(directory.path(), &content).await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join(DATABASE_FILE);
    let connection = Connection::open(&file).expect("a database can be made");
    connection
        .execute_batch("CREATE TABLE future (a); PRAGMA user_version = 4711")
        .expect("a newer version may do anything");
    connection.close().expect("it can be closed");
    let before = fs::read(&file).expect("it can be read");
    let error = Store::open(directory.path()).expect_err("it is newer");
    assert_eq!(error.code(), "store_newer_schema");
    let sentence = error.to_string();
    assert!(sentence.contains("4711") && sentence.contains("update Cachescope"), "{sentence}");
    assert!(sentence.contains(DATABASE_FILE), "{sentence}");
    assert!(fs::read(&file).expect("it can be read") == before);
}

#[tokio::test]
async fn an_entry_that_is_no_deployment_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let store = Store::open(directory.path()).expect("the store opens");
    let id = deployment("orders").id;
    Connection::open(directory.path().join(DATABASE_FILE))
        .and_then(|other| other.execute("INSERT INTO deployments (id, document) VALUES (?1, '{}')", [&id.0]))
        .expect("another tool can write the file");
    let error = store.deployments().await.expect_err("it lacks everything");
    assert_eq!(error.code(), "store_unreadable");
    assert!(error.to_string().contains(&id.0), "{error}");
    assert!(store.remove_deployment(id).await.expect("the remedy works"));
    assert!(names(&store).await.is_empty());
}
