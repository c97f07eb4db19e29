//! From a name or a path to a strategy.

use std::fs;
use std::path::Path;

use cachescope_strategy::{BUILT_IN, MAX_FILE_BYTES, StrategyError, built_in, inspect, load, resolve};

fn said(result: Result<cachescope_model::strategy::Strategy, StrategyError>) -> String {
    result.expect_err("this can't give a strategy").to_string()
}

#[test]
fn built_in_strategies_are_found_by_name_and_files_by_path() {
    for strategy in BUILT_IN {
        assert_eq!(resolve(strategy.name).expect(strategy.name).name, strategy.name);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("team.toml");
    fs::write(&path, BUILT_IN[2].text).expect("the file is written");
    let from_file = resolve(&path.display().to_string()).expect("the file is right");
    assert_eq!(from_file, built_in("booking").expect("it is built in"));
}

#[test]
fn a_name_that_nothing_has_is_answered_with_what_there_is() {
    assert_eq!(
        said(resolve("bookings")),
        "there is no strategy \"bookings\": no file has this name; write booking"
    );
    assert_eq!(
        said(resolve("zzz")),
        "there is no strategy \"zzz\": no file has this name; write its path, or one of hotspot, multi-tenant-saas, \
         booking, hot-rod-analytics, task-management"
    );
    assert_eq!(built_in("zzz"), None);
}

#[test]
fn what_is_no_strategy_file_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.toml");
    assert!(said(load(&path)).contains("can't be read"), "a missing file");
    assert!(said(load(folder.path())).contains("is not a file"), "a folder");
    assert!(said(load(Path::new("/dev/zero"))).contains("is not a file"), "a device");

    let size = usize::try_from(MAX_FILE_BYTES).expect("a mebibyte fits") + 1;
    fs::write(&path, vec![b'#'; size]).expect("the file is written");
    assert!(said(load(&path)).contains("is larger than 1048576 bytes"), "a large file");

    fs::write(&path, b"name = \"x\"\ntitle = \"\xff\"\n").expect("the file is written");
    let message = said(load(&path));
    assert!(message.ends_with("x.toml:2: the line is not UTF-8 text; save the file as UTF-8"), "{message}");
}

#[test]
fn inspecting_a_file_gives_its_warnings_beside_its_strategy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("team.toml");
    let text = "name = \"team\"\ntitle = \"T\"\n[[namespace]]\nname = \"a\"\ntemplate = \"a:{x}\"\n";
    fs::write(&path, text).expect("the file is written");
    let checked = inspect(&path.display().to_string()).expect("the file can be read");
    assert!(checked.strategy.is_some());
    assert_eq!(checked.problems.len(), 1);
    assert!(inspect("booking").expect("it is built in").problems.is_empty());
    assert!(inspect("bokking").expect_err("nothing has this name").to_string().ends_with("write booking"));
}

#[test]
fn what_turns_text_round_is_a_number_in_titles_and_stays_in_templates() {
    let text = "name = \"odd\"\ntitle = \"Odd \\u202enames\"\nsummary = \"\"\"two\nlines\"\"\"\n[[namespace]]\n\
                name = \"user\"\ntemplate = \"user\\u202e:{id}\"\n";
    let odd = cachescope_strategy::parse("odd.toml", text).expect("it can be read");
    assert_eq!(odd.title, "Odd \\u202enames");
    assert_eq!(odd.summary, "two\nlines");
    assert_eq!(odd.namespaces[0].template.as_str(), "user\u{202e}:{id}");
}
