use cachescope_model::strategy::Strategy as Documented;
use proptest::prelude::*;

use super::Discovery;
use crate::rows::{OTHER, Rows};

fn start(max_discovered: usize) -> (Discovery, Rows) {
    (Discovery::new(max_discovered), Rows::new(&Documented::default(), max_discovered))
}

fn templates(rows: &Rows) -> Vec<String> {
    rows.live().filter(|(row, _)| *row != OTHER).map(|(_, row)| row.template.as_ref().to_owned()).collect()
}

#[test]
fn keys_without_a_strategy_fall_into_useful_rows() {
    let (mut discovery, mut rows) = start(500);
    for number in 0..50 {
        for key in [
            format!("user:{number}"),
            format!("session:ab{number:04x}cd12"),
            format!("cart:{number}:items"),
            format!("slug:{}", char::from(b'a' + (number % 26) as u8)),
            format!("/api/users/{number}"),
            "config:flags".to_owned(),
            "config:limits".to_owned(),
            "{tenant}:profile".to_owned(),
        ] {
            discovery.attribute(&mut rows, key.as_bytes());
        }
    }
    let mut found = templates(&rows);
    found.sort();
    assert_eq!(
        found,
        [
            "/api/users/{id}",
            "cart:{id}:items",
            "config:flags",
            "config:limits",
            "session:{id}",
            "slug:{id}",
            "user:{id}",
            "{{tenant}}:profile",
        ]
    );
    assert_eq!(discovery.find(b"user:999"), rows.find("user:{id}"));
    assert_eq!(discovery.find(b"nobody:999"), None);
}

#[test]
fn words_in_the_middle_become_a_placeholder_and_their_rows_one_row() {
    let (mut discovery, mut rows) = start(500);
    let names: Vec<String> =
        (0..40u8).map(|n| format!("{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26))).collect();
    let mut seen = Vec::new();
    for name in &names {
        seen.push(discovery.attribute(&mut rows, format!("tenant:{name}:plan").as_bytes()));
    }
    assert_eq!(templates(&rows), ["tenant:{id}:plan"]);
    let last = rows.find("tenant:{id}:plan").expect("the row is there");
    assert!(seen.iter().all(|row| rows.resolve(*row) == last), "every earlier number leads to it");
}

#[test]
fn a_few_numbered_words_are_enough_to_be_identifiers_and_versions_stay_names() {
    let (mut discovery, mut rows) = start(500);
    let mut seen = Vec::new();
    for tenant in [7, 18, 23, 40] {
        for order in 1..=5 {
            let key = format!("order:t{tenant}:o{order}");
            seen.push(discovery.attribute(&mut rows, key.as_bytes()));
        }
        for version in 1..=5 {
            discovery.attribute(&mut rows, format!("tile:kpi:v{version}").as_bytes());
        }
    }
    let mut found = templates(&rows);
    found.sort();
    assert_eq!(
        found,
        ["order:{id}:{id2}", "tile:kpi:v1", "tile:kpi:v2", "tile:kpi:v3", "tile:kpi:v4", "tile:kpi:v5"]
    );
    let last = rows.find("order:{id}:{id2}").expect("the row is there");
    assert!(seen.iter().all(|row| rows.resolve(*row) == last), "every earlier number leads to it");
    assert_eq!(discovery.find(b"order:t99:o99"), Some(last));
}

#[test]
fn first_words_are_names_however_many_there_are() {
    let (mut discovery, mut rows) = start(500);
    for number in 0..300 {
        for key in 0..3 {
            discovery.attribute(&mut rows, format!("t{number:04}:{key}").as_bytes());
        }
    }
    assert_eq!(rows.len(), 300);
    assert!(rows.find("t0042:{id}").is_some());
}

#[test]
fn a_row_keeps_its_name_once_it_is_wide_enough() {
    let (mut discovery, mut rows) = start(500);
    for number in 0..20 {
        discovery.attribute(&mut rows, format!("page:{}", char::from(b'a' + number)).as_bytes());
    }
    let row = rows.find("page:{id}").expect("it has been widened");
    for number in 0..10_000 {
        assert_eq!(discovery.attribute(&mut rows, format!("page:word{number}").as_bytes()), row);
    }
    assert_eq!(templates(&rows), ["page:{id}"]);
}

#[test]
fn what_does_not_fit_is_the_remainder() {
    let (mut discovery, mut rows) = start(3);
    for word in ["ant", "bee", "cat", "dog", "emu"] {
        discovery.attribute(&mut rows, format!("{word}:1").as_bytes());
    }
    assert_eq!(templates(&rows).len(), 3);
    assert_eq!(discovery.attribute(&mut rows, b"fox:1"), OTHER);
    // Single random names stand for nothing.
    let (mut discovery, mut rows) = start(500);
    for number in 0..100u32 {
        let name: String =
            (0..6).map(|place| char::from(b'a' + (number * 7 + place * number) as u8 % 26)).collect();
        discovery.attribute(&mut rows, name.as_bytes());
    }
    assert!(templates(&rows).len() <= 8, "{:?}", templates(&rows));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_bytes_are_attributed_within_the_bounds_and_found_again(
        keys in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                "[a-d:/.{}-]{0,14}".prop_map(String::into_bytes),
                "([a-c]{1,2}:){0,13}[a-z]{0,2}".prop_map(String::into_bytes),
            ],
            1..400,
        ),
    ) {
        let (mut discovery, mut rows) = start(20);
        for key in &keys {
            let row = discovery.attribute(&mut rows, key);
            prop_assert!(rows.len() <= 20);
            let known = discovery.find(key).map_or(OTHER, |row| rows.resolve(row));
            prop_assert_eq!(known, rows.resolve(row), "{}", key.escape_ascii());
        }
        let mut names = templates(&rows);
        for name in &names {
            prop_assert!(cachescope_model::template::Template::parse(name).is_ok(), "{}", name);
        }
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), rows.len(), "no two rows share a name");
        prop_assert!(discovery.places.len() <= discovery.bound + 400);
    }
}
