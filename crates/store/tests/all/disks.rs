//! Disks and directories that don't cooperate.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cachescope_store::{DATABASE_FILE, Store};

use crate::{deployment, names, parts};

#[test]
#[ignore = "a part: a_directory_that_cannot_be_written_is_said_with_its_path runs it"]
fn part_in_a_directory_that_cannot_be_written() {
    let Some(directory) = parts::directory() else { return };
    for (path, named) in
        [(directory.clone(), &directory), (directory.join("inside"), &directory.join("inside"))]
    {
        let error = Store::open(&path).expect_err("it cannot be written");
        assert_eq!(error.code(), "store_inaccessible");
        let sentence = error.to_string();
        assert!(sentence.contains(&named.display().to_string()), "{sentence}");
        assert!(sentence.contains("Permission denied") && sentence.contains("--state-dir"), "{sentence}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_said_with_its_path() {
    const PART: &str = "disks::part_in_a_directory_that_cannot_be_written";
    // Root may write anywhere until it gives that right away.
    const WITHOUT_ROOTS_RIGHTS: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let is_root = fs::metadata("/proc/self").expect("Linux has it").uid() == 0;
    let launcher = if is_root { &WITHOUT_ROOTS_RIGHTS[..] } else { &[] };
    if is_root && !parts::can_run(&[WITHOUT_ROOTS_RIGHTS[0], WITHOUT_ROOTS_RIGHTS[1], "true"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    drop(Store::open(directory.path()).expect("it opens while it can be written"));
    let set = |mode| fs::set_permissions(directory.path(), Permissions::from_mode(mode)).expect("it is ours");
    // Also the files, as on a disk that is mounted read-only.
    for file in fs::read_dir(directory.path()).expect("it can be read") {
        let file = file.expect("it exists").path();
        fs::set_permissions(file, Permissions::from_mode(0o400)).expect("it is ours");
    }
    set(0o500);
    parts::run(launcher, PART, directory.path());
    set(0o700);
}

#[test]
fn a_directory_that_cannot_be_made_is_said_with_its_path() {
    let base = tempfile::tempdir().expect("a temporary directory can be made");
    let file = base.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let error = Store::open(&file.join("state")).expect_err("a file has no directories");
    assert_eq!(error.code(), "store_inaccessible");
    assert!(error.to_string().contains("file/state"), "{error}");
    fs::create_dir(base.path().join(DATABASE_FILE)).expect("a directory can be in the way");
    let error = Store::open(base.path()).expect_err("a directory is no database");
    assert!(error.to_string().contains(DATABASE_FILE), "{error}");
}

#[tokio::test]
#[ignore = "a part: a_full_disk_is_said_and_nothing_stored_is_lost runs it"]
async fn part_on_a_small_disk() {
    let Some(disk) = parts::directory() else { return };
    let size = "size=1m";
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", size, "tmpfs"])
        .arg(&disk)
        .status()
        .expect("mount can be started");
    assert!(mounted.success());
    let store = Store::open(&disk).expect("it opens while there is room");
    store.save_deployment(deployment("orders")).await.expect("it is saved while there is room");
    let filler = disk.join("filler");
    let mut block = 256 * 1024;
    // Whole kilobytes first, then the rest, until not a byte fits.
    let mut content = Vec::new();
    while block > 0 {
        let longer = [content.as_slice(), &vec![b'x'; block]].concat();
        match fs::write(&filler, &longer) {
            Ok(()) => content = longer,
            Err(_) => block /= 2,
        }
    }
    let long = "x".repeat(64 * 1024);
    let error = store.set_setting("large", &long).await.expect_err("the disk is full");
    assert_eq!(error.code(), "store_disk_full");
    let sentence = error.to_string();
    assert!(sentence.contains(DATABASE_FILE) && sentence.contains("free some space"), "{sentence}");
    assert_eq!(names(&store).await, ["orders"], "what was stored can still be read");

    fs::remove_file(filler).expect("it can be removed");
    store.set_setting("large", &long).await.expect("it goes on when there is room again");
    drop(store);
    assert_eq!(names(&Store::open(&disk).expect("it opens again")).await, ["orders"]);
}

#[test]
fn a_full_disk_is_said_and_nothing_stored_is_lost() {
    const OWN_MOUNTS: [&str; 3] = ["unshare", "--mount", "--map-root-user"];
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().to_string_lossy();
    if parts::can_run(&[&OWN_MOUNTS[..], &["mount", "-t", "tmpfs", "tmpfs", &path]].concat()) {
        parts::run(&OWN_MOUNTS, "disks::part_on_a_small_disk", directory.path());
    }
}
