//! The desktop and the command use one file at once.

use std::process::Stdio;

use cachescope_store::{DATABASE_FILE, Store};

use crate::{deployment, names, parts};

const PROCESSES: usize = 4;
const SAVES: usize = 25;
const PART: &str = "processes::part_that_saves_deployments";

#[tokio::test]
#[ignore = "a part: several_processes_that_start_at_once_lose_nothing runs it"]
async fn part_that_saves_deployments() {
    let Some(directory) = parts::directory() else { return };
    let store = Store::open(&directory).expect("the store opens");
    for number in 0..SAVES {
        store.save_deployment(deployment(&number.to_string())).await.expect("it is saved");
        store.set_setting("last", &number.to_string()).await.expect("it is saved");
    }
}

async fn start_together(directory: &std::path::Path) -> Store {
    let start = |_| {
        parts::command(&[], PART, directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary can be started")
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    for child in children {
        parts::assert_passed(PART, &child.wait_with_output().expect("it ends"));
    }
    let store = Store::open(directory).expect("the store opens");
    assert_eq!(names(&store).await.len(), PROCESSES * SAVES);
    store
}

#[tokio::test]
async fn several_processes_that_start_at_once_lose_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    start_together(directory.path()).await;
}

#[tokio::test]
async fn several_processes_that_find_a_damaged_file_set_it_aside_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let content = b"no database at all, but long enough for a header ".repeat(100);
    std::fs::write(directory.path().join(DATABASE_FILE), &content).expect("it can be written");
    start_together(directory.path()).await;
    let is_damaged = |name: &str| name.contains(".damaged-");
    let kept: Vec<_> = std::fs::read_dir(directory.path())
        .expect("it can be read")
        .map(|file| file.expect("it exists"))
        .filter(|file| is_damaged(&file.file_name().to_string_lossy()))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(std::fs::read(kept[0].path()).expect("it was kept") == content);
}

#[tokio::test]
async fn what_one_store_saves_the_other_sees() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let desktop = Store::open(directory.path()).expect("the store opens");
    let command = Store::open(directory.path()).expect("it opens a second time");
    desktop.save_deployment(deployment("from the desktop")).await.expect("it is saved");
    command.save_deployment(deployment("from the command")).await.expect("it is saved");
    assert_eq!(names(&desktop).await, names(&command).await);
    assert_eq!(names(&desktop).await, ["from the desktop", "from the command"]);
}
