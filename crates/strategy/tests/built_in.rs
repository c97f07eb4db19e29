//! The five built-in strategies against what their documents say.

use cachescope_strategy::{BUILT_IN, check};

#[test]
fn every_built_in_file_is_free_of_errors_and_warnings() {
    for strategy in BUILT_IN {
        let checked = check(strategy.file, strategy.text);
        let said: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert!(said.is_empty(), "{}", said.join("\n"));
        assert_eq!(checked.strategy.expect("no problems, so a strategy").name, strategy.name);
    }
}
