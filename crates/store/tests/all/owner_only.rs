//! Who may read what is kept.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cachescope_store::{DATABASE_FILE, Store};

use crate::deployment;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn directories_and_files_are_made_for_their_owner_alone() {
    let base = tempfile::tempdir().expect("a temporary directory can be made");
    let directory = base.path().join("state").join("cachescope");
    let store = Store::open(&directory).expect("the store opens");
    store.save_deployment(deployment("orders")).await.expect("it is saved");
    assert_eq!(mode(&base.path().join("state")), 0o700);
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = fs::read_dir(&directory)
        .expect("it can be read")
        .map(|file| file.expect("it exists").path())
        .collect();
    assert!(files.iter().any(|file| file.to_string_lossy().ends_with("-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_file_that_others_could_read_is_closed_but_a_directory_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let file = directory.path().join(DATABASE_FILE);
    fs::write(&file, "").expect("it can be written");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it is ours");
    Store::open(directory.path()).expect("the store opens");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(directory.path()), 0o755);
}
