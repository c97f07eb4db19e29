use cachescope_model::template::{FieldKind, Part, SEPARATOR, Template};
use proptest::prelude::*;

use super::{Match, Matcher};

fn templates(texts: &[&str]) -> Vec<(Template, Option<u16>)> {
    texts.iter().map(|text| (Template::parse(text).expect(text), None)).collect()
}

fn found(list: &[(Template, Option<u16>)], database: u16, key: &[u8]) -> Option<String> {
    let hit = Matcher::new(list).find(database, key)?;
    Some(list[hit.index].0.as_str().to_owned())
}

#[test]
fn the_most_specific_template_takes_the_key() {
    let list = templates(&[
        "organization:{t}:{id}",
        "organization:{t}:list",
        "tile:{name}:v{version#}",
        "tile:{name}:{other}",
        "entity:{rest*}",
        "entity:{kind}:latest",
        "slug-{a}-{b}",
        "num:{n#}",
        "num:{any}",
        "{{t1}}:{rest*}",
        "session",
        "session:{id}",
    ]);
    for (key, expected) in [
        ("organization:7:list", Some("organization:{t}:list")),
        ("organization:7:lists", Some("organization:{t}:{id}")),
        ("organization:7:lis", Some("organization:{t}:{id}")),
        ("organization:list:list", Some("organization:{t}:list")),
        ("organization:7:", None),
        ("organization::list", None),
        ("tile:a:v12", Some("tile:{name}:v{version#}")),
        ("tile:a:v12x", Some("tile:{name}:{other}")),
        ("tile:a:v", Some("tile:{name}:{other}")),
        ("entity:user:latest", Some("entity:{kind}:latest")),
        ("entity:user:latest:not", Some("entity:{rest*}")),
        ("entity:", None),
        ("slug-a-b-c", Some("slug-{a}-{b}")),
        ("slug--b", None),
        ("num:12", Some("num:{n#}")),
        ("num:1a", Some("num:{any}")),
        ("{t1}:x", Some("{{t1}}:{rest*}")),
        ("session", Some("session")),
        ("session:", None),
        ("session:1", Some("session:{id}")),
        ("", None),
    ] {
        assert_eq!(found(&list, 0, key.as_bytes()).as_deref(), expected, "{key}");
    }
}

#[test]
fn a_template_for_one_database_goes_before_one_for_all() {
    let list = vec![
        (Template::parse("user:{id}").expect("a template"), None),
        (Template::parse("user:{rest*}").expect("a template"), Some(3)),
    ];
    assert_eq!(found(&list, 3, b"user:1").as_deref(), Some("user:{rest*}"));
    assert_eq!(found(&list, 0, b"user:1").as_deref(), Some("user:{id}"));
    assert_eq!(found(&list, 0, b"user:1:2"), None);
}

#[test]
fn fields_come_back_as_bytes() {
    let list = templates(&["org:{tenant}:{a}-{b}:v{version#}", "rest:{tenant}:{all*}"]);
    let matcher = Matcher::new(&list);
    let key = b"org:\xff\x00 x:p-q-r:v42";
    let hit = matcher.find(0, key).expect("it fits");
    for (name, bytes) in [("tenant", &b"\xff\x00 x"[..]), ("a", b"p"), ("b", b"q-r"), ("version", b"42")] {
        assert_eq!(matcher.field(hit, key, name), Some(bytes), "{name}");
    }
    assert_eq!(matcher.field(hit, key, "nobody"), None);
    assert_eq!(matcher.field(Match { index: 99 }, key, "tenant"), None);
    let key = b"rest:t:a:b:c";
    let hit = matcher.find(0, key).expect("it fits");
    assert_eq!(matcher.field(hit, key, "all"), Some(&b"a:b:c"[..]));
}

#[test]
fn hostile_keys_end_in_bounded_time() {
    let list = templates(&[
        "a-{b}-{c}-{d}-{e}-{f}-{g}-{h}-{i}-{j}-!",
        "a{b}a{c}a{d}a{e}a{f}a{g}a{h}b",
        "x{a#}0{b#}0{c#}0{d#}0{e#}0{f#}1x",
        "p-{a}-{b}:{c}-{d}:x",
    ]);
    let matcher = Matcher::new(&list);
    // Without remembered dead ends each of these takes more steps than there are seconds in a century.
    for key in [vec![b'-'; 3_000], vec![b'a'; 3_000], vec![b'0'; 3_000]] {
        for first in [&b"a-"[..], b"aa", b"x0", b"p-", b""] {
            let key = [first, &key].concat();
            assert_eq!(matcher.find(0, &key), None);
        }
    }
    let long = [&b"a-"[..], &vec![b'-'; 200_000]].concat();
    assert_eq!(matcher.find(0, &long), None);
    let long = [&b"p-"[..], &vec![b'-'; 200_000], b":", &vec![b'-'; 200_000], b":y"].concat();
    assert_eq!(matcher.find(0, &long), None);
}

/// What the words of the template module say, without a trie: every way in which a key can be read by a
/// template, ranked place by place.
fn naive(list: &[(Template, Option<u16>)], database: u16, key: &[u8]) -> Option<usize> {
    // One choice at one place: literal byte 0, digits 1, segment 2, rest 3; then the run's length.
    fn readings(parts: &[Part], key: &[u8], path: &mut Vec<(u8, usize)>, out: &mut Vec<Vec<(u8, usize)>>) {
        let Some((part, more)) = parts.split_first() else {
            if key.is_empty() {
                out.push(path.clone());
            }
            return;
        };
        let depth = path.len();
        match part {
            Part::Literal(bytes) => {
                if key.starts_with(bytes) {
                    path.extend(bytes.iter().map(|_| (0, 1)));
                    readings(more, &key[bytes.len()..], path, out);
                }
            }
            Part::Field { kind, .. } => {
                for length in 1..=key.len() {
                    let run = &key[..length];
                    let (rank, fits) = match kind {
                        FieldKind::Digits => (1, run.iter().all(u8::is_ascii_digit)),
                        FieldKind::Segment => (2, !run.contains(&SEPARATOR)),
                        FieldKind::Rest => (3, length == key.len()),
                    };
                    if fits {
                        path.push((rank, length));
                        readings(more, &key[length..], path, out);
                        path.truncate(depth);
                    }
                }
            }
        }
        path.truncate(depth);
    }
    let best = |wanted: Option<u16>| {
        let mut ranked = Vec::new();
        for (index, (template, of)) in list.iter().enumerate() {
            let mut out = Vec::new();
            if *of == wanted {
                readings(template.parts(), key, &mut Vec::new(), &mut out);
            }
            ranked.extend(out.into_iter().map(|path| (path, index)));
        }
        ranked.into_iter().min().map(|(_, index)| index)
    };
    best(Some(database)).or_else(|| best(None))
}

fn any_template() -> impl Strategy<Value = (Template, Option<u16>)> {
    let piece = prop_oneof![
        4 => "[ab:1-]{1,3}".prop_map(|text| text),
        2 => Just("{}".to_owned()),
        1 => Just("{#}".to_owned()),
    ];
    let rest = prop_oneof![3 => Just(""), 1 => Just("{*}")];
    (prop::collection::vec(piece, 1..5), rest, prop_oneof![3 => Just(None), 1 => Just(Some(1u16))])
        .prop_filter_map("no template", |(pieces, rest, database)| {
            let mut text = String::new();
            for (place, piece) in pieces.iter().chain([&rest.to_owned()]).enumerate() {
                text.push_str(&piece.replace('{', &format!("{{f{place}")));
            }
            Template::parse(&text).ok().map(|template| (template, database))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_trie_agrees_with_the_words_of_the_definition(
        list in prop::collection::vec(any_template(), 1..8),
        keys in prop::collection::vec("[ab:12-]{0,9}", 1..12),
        raw in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let matcher = Matcher::new(&list);
        let keys = keys.into_iter().map(String::into_bytes).chain([raw]);
        for key in keys {
            for database in [0, 1] {
                let hit = matcher.find(database, &key).map(|hit| hit.index);
                let expected = naive(&list, database, &key);
                // Two templates of one shape are told apart by their order alone.
                prop_assert_eq!(hit, expected, "{:?} in {:?}", key, list);
                if let Some(index) = hit {
                    for field in list[index].0.fields() {
                        let bytes = matcher.field(Match { index }, &key, field);
                        prop_assert!(bytes.is_some(), "{} of {:?}", field, key);
                    }
                }
            }
        }
    }
}
